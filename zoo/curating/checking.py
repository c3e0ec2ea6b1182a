"""All mistakes of a registry, and not only the first."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import RegistryError
from zoo.registry import layers
from zoo.registry.assembly import check_whole
from zoo.registry.fields import Mistake
from zoo.registry.fields import Path as Place
from zoo.registry.files import laid_over, placed
from zoo.registry.form import FORM
from zoo.registry.places import installed_layers, overlay_layer

MOST = 100
"""Mistakes that are looked for; who makes more has made them all alike."""


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What was checked, and what is wrong.

    Attributes:
        files: The files, the lowest first.
        networks: How many networks they have together.
        weights: How many weights files.
        mistakes: One line each: file, line, path, what is wrong.
    """

    files: tuple[str, ...]
    networks: int
    weights: int
    mistakes: tuple[str, ...]


def check(file: Path | None = None) -> Checked:
    """Check a registry file as it is laid over those that come with packages, or all that are read.

    Args:
        file: The file; everything that the environment names if left out.
    """
    chosen = layers() if file is None else (*installed_layers(), overlay_layer(file))
    files = tuple(str(layer.path) for layer in chosen)
    try:
        raw, origins = laid_over(chosen)
    except RegistryError as error:
        return Checked(files=files, networks=0, weights=0, mistakes=(str(error),))
    networks = raw.get("architectures")
    held = [one for one in networks.values() if isinstance(one, dict)] if isinstance(networks, dict) else []
    counted = sum(len(one["weights"]) for one in held if isinstance(one.get("weights"), list))
    found = tuple(str(placed(mistake, chosen, origins)) for mistake in _mistakes(raw))
    return Checked(files=files, networks=len(held), weights=counted, mistakes=found)


def _mistakes(raw: dict[str, Any]) -> Iterator[Mistake]:
    """Yield what is wrong, one thing after the other: what was found wrong is left out, and looked again."""
    left = copy.deepcopy(raw)
    gone: dict[Place, list[int]] = {}
    for _ in range(MOST):
        try:
            check_whole(FORM.check(left, ()))
        except Mistake as mistake:
            yield Mistake(_original(mistake.path, gone), mistake.reason)
            if not _leave_out(left, mistake.path, gone):
                return
        else:
            return


_PARTS = ("weights",)
"""Lists of a network whose entries are left out one by one."""


def _leave_out(raw: dict[str, Any], path: Place, gone: dict[Place, list[int]]) -> bool:
    """Take out the smallest thing that is whole without what is wrong; tell whether there is one."""
    if len(path) >= 4 and path[2] in _PARTS and isinstance(path[3], int):
        files = raw[str(path[0])][path[1]][path[2]]
        gone.setdefault(path[:3], []).append(path[3])
        del files[path[3]]
        return True
    section = raw.get(str(path[0])) if path else None
    if len(path) >= 2 and isinstance(section, dict) and path[1] in section:
        del section[path[1]]
        return True
    if len(path) == 1 and path[0] in raw and path[0] != "architectures":
        del raw[str(path[0])]
        return True
    return False


def _original(path: Place, gone: dict[Place, list[int]]) -> Place:
    """Return where something stood before other things were left out."""
    if len(path) < 4 or not isinstance(path[3], int):
        return path
    place = path[3]
    for earlier in reversed(gone.get(path[:3], [])):
        place += place >= earlier
    return (*path[:3], place, *path[4:])
