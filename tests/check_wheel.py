"""`python tests/check_wheel.py DIST`: wheel and source archive are whole, and are built again to the byte.

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
NEEDED = {"registry.yaml", "README.md", "LICENSE", "CITATION.cff", "Makefile", "tests/conftest.py"}
"""What the source archive has besides the packages, to be tested and to be built again from."""
LATER = 1_900_000_000
"""A time, in seconds since 1970, at which nothing was made."""
PROGRAM = """
import pathlib, sys, converters, zoo
here = pathlib.Path(sys.argv[1]).resolve()
for package in (converters, zoo):
    assert here in pathlib.Path(package.__file__).resolve().parents, package.__file__
from converters.planning.structures import known_structures
from zoo.practice.values import images
from zoo.registry import find_registry, list_models
assert here in find_registry().resolve().parents, find_registry()
assert len(list_models()) >= 60 and len(list(known_structures())) >= 63
assert images("googlenet").shape == (2, 3, 224, 224)
"""


def main(dist: Path) -> None:
    """Check the one wheel and the one source archive in a folder."""
    (wheel,) = dist.glob("*.whl")
    (archive,) = dist.glob("*.tar.gz")
    _check_names(set(zipfile.ZipFile(wheel).namelist()))
    with tarfile.open(archive) as members:
        names = {name.partition("/")[2] for name in members.getnames()}
    assert not NEEDED - names, sorted(NEEDED - names)
    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(wheel).extractall(folder)
        environment = os.environ | {"PYTHONPATH": folder}
        for command in (["-c", PROGRAM, folder], ["-m", "zoo", "list"]):
            subprocess.run([sys.executable, *command], cwd=folder, env=environment, check=True)
    _check_again(wheel, archive)
    print(f"{wheel.name}: complete, works on its own, and is built again to the byte")  # noqa: T201


def _check_again(wheel: Path, archive: Path) -> None:
    """Check that building elsewhere, later and under another umask gives the same two files."""
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(archive) as members:
            members.extractall(folder, filter="data")
        (source,) = Path(folder).iterdir()
        for path in (source, *source.rglob("*")):
            path.chmod(path.stat().st_mode & 0o700)  # as under the narrowest umask
            os.utime(path, (LATER, LATER))
        command = [sys.executable, "-m", "build", "--outdir", f"{folder}/again", str(source)]
        subprocess.run(command, check=True, umask=0o077, stdout=subprocess.DEVNULL)
        for made in (wheel, archive):
            again = Path(folder, "again", made.name)
            assert again.read_bytes() == made.read_bytes(), f"{made.name} differs when it is built again"


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
