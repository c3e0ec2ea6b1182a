"""`python tests/check_wheel.py DIST`: wheel and source archive hold all they need, and the wheel works.

The wheel is unpacked into a folder of its own and run from there, so that nothing of the checkout can help.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = """
import pathlib, sys, converters, zoo
here = pathlib.Path(sys.argv[1]).resolve()
for package in (converters, zoo):
    assert here in pathlib.Path(package.__file__).resolve().parents, package.__file__
from converters.planning.structures import known_structures
from zoo.practice.values import images
from zoo.registry import find_registry, list_models
assert here in find_registry().resolve().parents, find_registry()
assert len(list_models()) == 11 and len(list(known_structures())) >= 11
assert images("googlenet").shape == (2, 3, 224, 224)
"""


def main(dist: Path) -> None:
    """Check the one wheel and the one source archive in a folder."""
    (wheel,) = dist.glob("*.whl")
    (archive,) = dist.glob("*.tar.gz")
    _check_names(set(zipfile.ZipFile(wheel).namelist()))
    with tarfile.open(archive) as members:
        names = {name.partition("/")[2] for name in members.getnames()}
    assert {"registry.yaml", "README.md", "LICENSE", "tests/conftest.py"} <= names, sorted(names)
    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(wheel).extractall(folder)
        environment = os.environ | {"PYTHONPATH": folder}
        for command in (["-c", PROGRAM, folder], ["-m", "zoo", "list"]):
            subprocess.run([sys.executable, *command], cwd=folder, env=environment, check=True)
    print(f"{wheel.name}: complete, and works on its own")  # noqa: T201


def _check_names(names: set[str]) -> None:
    """Check that a wheel holds every file of the packages, the registry, and nothing else."""
    packages = {
        path.relative_to(ROOT).as_posix()
        for package in ("zoo", "converters")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    expected = packages | {"zoo/registry.yaml"}
    found = {name for name in names if ".dist-info/" not in name}
    assert found == expected, f"missing {sorted(expected - found)}, too many {sorted(found - expected)}"
    points = [name for name in names if name.endswith(".dist-info/entry_points.txt")]
    assert len(points) == 1, "the wheel has no entry points"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
