"""Laying what one registry file says over what earlier ones say, and who said what."""

from __future__ import annotations

from typing import Any

from zoo.registry import fields


class Origins:
    """Which file wrote what, where one registry was laid over another.

    Args:
        base: What messages call the file at the bottom.
    """

    def __init__(self, base: str) -> None:
        self._base = base
        self._writers: dict[fields.Path, str] = {}
        self._ids: dict[tuple[fields.Path, str], str] = {}

    def note(self, path: fields.Path, label: str) -> None:
        """Remember that ``label`` wrote everything at and below ``path``."""
        for older in [known for known in self._writers if known[: len(path)] == path]:
            del self._writers[older]
        self._writers[path] = label

    def note_id(self, path: fields.Path, label: str, identifier: str) -> None:
        """Remember that ``label`` calls an entry of a list by its id."""
        self._ids[path, label] = identifier

    def of(self, path: fields.Path) -> str:
        """Return the file that wrote the value at ``path``, or that should have."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._writers:
                return self._writers[path[:length]]
        return self._base

    def written(self, path: fields.Path) -> fields.Path:
        """Return a path as the file that wrote what is there writes it: with ids where it has such."""
        label = self.of(path)
        return tuple(self._ids.get((path[: length + 1], label), part) for length, part in enumerate(path))


def lay_over(below: dict[str, Any], above: dict[str, Any], label: str, origins: Origins) -> None:
    """Lay ``above`` over ``below``, in place: mappings merge key by key, everything else is replaced whole.

    A list of records that have an ``id`` is replaced by a list; a mapping from ids to records is laid over it
    record by record: one whose id is in the list changes the fields that it names, any other comes last.

    Args:
        below: What earlier files say; changed.
        above: What the later file says.
        label: What messages call the later file.
        origins: Told which values the later file wrote.

    Raises:
        Mistake: A record stands under another id than its own.
    """
    _merge(below, above, label, origins, ())


def _merge(
    below: dict[str, Any], above: dict[str, Any], label: str, origins: Origins, path: fields.Path
) -> None:
    for key, value in above.items():
        here = (*path, key)
        old = below.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            _merge(old, value, label, origins, here)
        elif isinstance(value, dict) and isinstance(old, list) and _has_ids(old):
            _merge_by_id(old, value, label, origins, here)
        else:
            below[key] = value
            origins.note(here, label)


def _has_ids(entries: list[Any]) -> bool:
    return bool(entries) and all(isinstance(entry, dict) and "id" in entry for entry in entries)


def _merge_by_id(
    below: list[Any], above: dict[str, Any], label: str, origins: Origins, path: fields.Path
) -> None:
    places = {str(entry["id"]): place for place, entry in enumerate(below)}
    for identifier, value in above.items():
        place = places.get(identifier, len(below))
        here = (*path, place)
        origins.note_id(here, label, identifier)
        if isinstance(value, dict) and value.setdefault("id", identifier) != identifier:
            origins.note((*here, "id"), label)
            stated = f"{fields.show(value['id'])} is not {fields.show(identifier)}, under which it stands"
            raise fields.Mistake((*here, "id"), stated)
        if place < len(below) and isinstance(value, dict):
            _merge(below[place], value, label, origins, here)
        else:
            below[place:] = [value, *below[place + 1 :]]
            origins.note(here, label)
