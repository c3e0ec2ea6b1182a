"""What installed packages bring: registries of networks, with structures beside them, and families.

A package says so by entry points, which an installer writes down beside it. Reading them imports nothing of
the package: whoever lists networks runs no code of a plug-in. They are read here and not by
``importlib.metadata``, whose import alone takes half as long as `zoo list`, and by the same rules: of a
package that lies in several folders of ``sys.path``, the first counts.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from converters.errors import RegistryError

REGISTRIES = "keras_weight_zoo.registries"
"""The group of entry points whose values name packages with a ``registry.yaml``."""

FAMILIES = "keras_weight_zoo.families"
"""The group of entry points whose names are families, and whose values their records: ``MODULE:NAME``."""

VARIABLE = "ZOO_PLUGINS"
"""The environment variable that does without plug-ins where it is ``0``."""

REGISTRY = "registry.yaml"
"""The file of a package that is a registry."""

STRUCTURES = "structures"
"""The folder beside it with the layers of its networks, one JSON file for each graph."""

WITHOUT = f"{VARIABLE}=0 does without plug-ins"
"""What always helps against one that is broken."""


class EntryPoint(NamedTuple):
    """One thing that a package brings.

    Attributes:
        package: Name and version of the package, as messages call it.
        group: What kind of thing it is.
        name: Its name.
        value: Where in the package it is.
        told: The folder in which an installer wrote that down.
    """

    package: str
    group: str
    name: str
    value: str
    told: str


def entry_points(group: str) -> tuple[EntryPoint, ...]:
    """Return what the packages on ``sys.path`` bring, in the order of the packages' names.

    A package that is installed while this process runs is seen by the next one.

    Args:
        group: :data:`REGISTRIES` or :data:`FAMILIES`.
    """
    if os.environ.get(VARIABLE) == "0":
        return ()
    return tuple(one for one in _all_entry_points(tuple(sys.path)) if one.group == group)


@lru_cache(maxsize=4)
def _all_entry_points(places: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    found: dict[str, tuple[EntryPoint, ...]] = {}
    for folder in _metadata_folders(places):
        # Of every package there is this is asked: opening by path takes half the time of pathlib.
        try:
            with open(f"{folder}/entry_points.txt", "rb") as file:  # noqa: PTH123
                content = file.read()
        except OSError:
            continue
        if b"keras_weight_zoo." in content:
            name, version = _called(Path(folder))
            told = _parsed(content.decode("utf-8", "replace"), f"{name} {version}", folder)
            found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), tuple(told))
    return tuple(one for _, told in sorted(found.items()) for one in told)


def _metadata_folders(places: tuple[str, ...]) -> Iterator[str]:
    """Yield where installers, or a build in its own folder, have written down what a package is."""
    for place in places:
        try:
            names = os.listdir(place or os.curdir)  # noqa: PTH208 - twice as fast, and there may be thousands
        except (OSError, TypeError):  # an archive, a folder that is gone, no text: Python passes over them
            continue
        yield from (f"{place or os.curdir}/{name}" for name in names if name.endswith(_ENDINGS))


_ENDINGS = (".dist-info", ".egg-info")


def _called(folder: Path) -> tuple[str, str]:
    """Return name and version of a package, as its metadata says them."""
    for file in ("METADATA", "PKG-INFO"):
        path = folder / file
        if path.is_file():
            head = path.read_text("utf-8", "replace").partition("\n\n")[0]
            said = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
            return said.get("Name", folder.stem), said.get("Version", "of no version")
    return folder.stem, "of no version"


def _parsed(text: str, package: str, folder: str) -> Iterator[EntryPoint]:
    """Yield the entry points of our groups: lines ``name = value`` below ``[group]``."""
    group = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            group = line.strip("[]")
        elif group in (REGISTRIES, FAMILIES) and not line.startswith("#") and "=" in line:
            name, _, value = line.partition("=")
            yield EntryPoint(
                package=package, group=group, name=name.strip(), value=value.strip(), told=folder
            )


@cache
def folder_of(entry: EntryPoint) -> Path:
    """Return the folder of the package that an entry point names, importing nothing of it.

    Raises:
        RegistryError: No such package is there, or none with a registry.
    """
    from importlib.util import find_spec  # few have plug-ins

    top, *inner = entry.value.split(".")
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        spec = None
    places = (spec.submodule_search_locations if spec else None) or ()
    for folder in (Path(place, *inner) for place in places):
        if (folder / REGISTRY).is_file():
            return folder
    reason = f"there is no package {entry.value!r} with a {REGISTRY}, which {entry.group} names"
    raise RegistryError(f"{entry.package}: {reason}; {update(entry)}")


def update(entry: EntryPoint) -> str:
    """Return what to do where a package cannot be used."""
    return f"update or uninstall {entry.package.rpartition(' ')[0]}; {WITHOUT}"


def structures_folders() -> tuple[Path, ...]:
    """Return the folders of structures that plug-ins bring; of those that bring a registry alone, none.

    Raises:
        RegistryError: As :func:`folder_of`.
    """
    return tuple(folder_of(entry) / STRUCTURES for entry in entry_points(REGISTRIES))
