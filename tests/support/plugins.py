"""Packages that bring networks and families, laid out in a folder as an installer leaves them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from converters.planning import plugins
from converters.planning.plugins import FAMILIES, REGISTRIES
from tests.support.paths import ROOT

EXAMPLE = ROOT / "examples" / "plugin_package"
"""The package that stands for all others."""

REGISTRY = (EXAMPLE / "tinynets" / "registry.yaml").read_text("utf-8")
FAMILY = "tinynets.family:FAMILY"

LayOut = Callable[..., Path]
"""See :func:`lay_out`."""


def lay_out(
    folder: Path,
    name: str = "tiny-nets",
    *,
    version: str = "0.1.0",
    registries: Mapping[str, str] | None = None,
    families: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
    example: bool = True,
) -> Path:
    """Lay a package out in a folder of ``sys.path``; by default it is the example.

    Args:
        folder: The folder.
        name: What the package is called.
        version: Its version.
        registries: Entry points of registries.
        families: Entry points of families.
        files: Texts of further files, or of other ones, by their paths below the folder.
        example: Whether the files of the example are in it.

    Returns:
        The folder.
    """
    if example:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(EXAMPLE / "tinynets", folder / "tinynets", ignore=ignored)
    groups = {
        REGISTRIES: {"tiny-nets": "tinynets"} if registries is None else registries,
        FAMILIES: {"tiny": FAMILY} if families is None else families,
    }
    told = "".join(
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in entries.items()) + "\n"
        for group, entries in groups.items()
        if entries
    )
    metadata = f"{name.replace('-', '_')}-{version}.dist-info"
    for path, text in {
        f"{metadata}/entry_points.txt": told,
        f"{metadata}/METADATA": f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n\nText: no.\n",
        **(files or {}),
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")
    return folder


@contextmanager
def forgotten() -> Iterator[None]:
    """Forget plug-ins and their modules afterwards: the next test has its own, maybe under the same path."""
    before = set(sys.modules)
    try:
        yield
    finally:
        for name in set(sys.modules) - before:
            if name.partition(".")[0] in ("tinynets", "lab"):
                del sys.modules[name]
        plugins._all_entry_points.cache_clear()
        plugins.folder_of.cache_clear()
