"""The rooms of the packages: each imports only from those before it, and few modules lie outside of one."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import pytest

from tests.support.paths import ROOT

CONVERTERS = (
    "errors", "limits", "version", "boundary",
    "arrays", "layers", "hdf5", "formats", "planning", "writing", "upgrading",
    "api", "trees", "compare", "",
)  # fmt: skip
ZOO = (
    "errors", "extras", "numbers", "naming", "variables", "progress", "calling",
    "registry", "storage", "work", "download", "fetching", "files",
    "surgery", "networks", "curating", "finetuning", "practice", "cli",
    "", "__main__",
)  # fmt: skip
"""The rooms of each package in their order; what has no name is the package itself."""
ROOMS = {"converters": CONVERTERS, "zoo": ZOO}
FREE = ("zoo.__version__",)
"""What a package says of itself, which any of its rooms may ask for."""


@functools.cache
def files() -> list[Path]:
    """Return every module of both packages, by its path in the checkout."""
    return sorted(path.relative_to(ROOT) for package in ROOMS for path in (ROOT / package).rglob("*.py"))


def room(module: str) -> tuple[str, str]:
    """Return the package that a module is in, and its room there."""
    package, *inner = module.split(".")
    return package, inner[0] if inner else ""


def module_of(path: Path) -> str:
    """Return the dotted name of a module."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def modules() -> frozenset[str]:
    """Return the names of all modules of both packages."""
    return frozenset(map(module_of, files()))


@functools.cache
def imports(path: Path) -> set[str]:
    """Return the modules of both packages that one imports, wherever in its source."""
    known, found = modules(), set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            whole = {f"{node.module}.{name.name}": str(node.module) for name in node.names}
            found |= {name if name in known else module for name, module in whole.items() if name not in FREE}
    return found & known


def wrong(importer: str, imported: str) -> bool:
    """Tell whether an arrow points the wrong way."""
    (package, own), (other, there) = room(importer), room(imported)
    if other != package:
        return package == "converters"
    return ROOMS[package].index(there) > ROOMS[package].index(own)


@pytest.mark.parametrize("path", files(), ids=str)
def test_a_module_imports_only_from_rooms_before_its_own(path: Path) -> None:
    """Whatever is imported, at the top or within a function, for types or not."""
    importer = module_of(path)
    for imported in imports(path):
        assert not wrong(importer, imported), f"{path} imports {imported}, which stands above it"


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("converters.planning.plan", "converters.writing.execute"),
        ("converters.arrays.form", "converters.layers.table"),
        ("converters.api", "zoo.registry"),
        ("converters.hdf5.reader", "converters.formats"),
        ("zoo.storage.cache", "zoo.fetching.fetcher"),
        ("zoo.networks.loading", "zoo"),
    ],
)
def test_an_arrow_the_wrong_way_is_seen(importer: str, imported: str) -> None:
    """The test above can fail."""
    assert wrong(importer, imported)
    assert not wrong(imported, importer)


@pytest.mark.parametrize("package", ROOMS)
def test_few_modules_lie_outside_of_a_room(package: str) -> None:
    """At most eight, and every room and module has its place in the order."""
    entries = list((ROOT / package).iterdir())
    assert len([entry for entry in entries if entry.suffix == ".py"]) <= 8
    named = {entry.stem for entry in entries if entry.suffix == ".py" or (entry / "__init__.py").exists()}
    assert named - {"__init__"} <= set(ROOMS[package])


def test_no_import_within_a_function_hides_a_circle() -> None:
    """Seen as a graph of modules, with all imports in it, there is no way round."""
    known = {module_of(path): imports(path) for path in files()}
    while leaves := {name for name, targets in known.items() if not targets - {name}}:
        known = {name: targets - leaves for name, targets in known.items() if name not in leaves}
    assert known == {}
