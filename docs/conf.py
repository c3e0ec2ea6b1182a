"""How Sphinx builds the documentation: `make docs`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from zoo import __version__

project = "zoo"
copyright = "the authors of zoo; MIT licence"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "command_line",  # _ext/command_line.py: the commands, from the parser
    "public_names",  # _ext/public_names.py: references to public names, and the types behind them
]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"zoo {version}"

myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]

napoleon_google_docstring = True
napoleon_numpy_docstring = False
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
python_use_unqualified_type_names = True

nitpicky = True
nitpick_ignore_regex = [
    # Documented by their own projects. The build needs no network, so their pages cannot be linked to.
    ("py:.*", r"(keras|numpy|np|tensorflow|tf|collections|concurrent|typing|pathlib|os|argparse|optree)\..*"),
    # Type variables and names from the standard library that numpy's annotations leave bare.
    ("py:.*", r"(ArrayLike|NDArray|PathLike|dtype|ndarray)"),
]
