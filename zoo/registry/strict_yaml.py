"""Reading a registry file, more strictly than PyYAML does, and laying one over another.

PyYAML keeps the last of two equal keys in silence and turns ``2016-08-09`` into a date; here both are errors
that say where.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from zoo.errors import RegistryError
from zoo.registry import fields

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # PyYAML without libyaml: the same, slower
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]

_TAG = "tag:yaml.org,2002:"
_TEXT_TAG = f"{_TAG}str"
_PLAIN_TAGS = (f"{_TAG}int", f"{_TAG}float", f"{_TAG}bool", f"{_TAG}null")


def read_yaml(path: Path, label: str) -> dict[str, Any]:
    """Read one registry file.

    Args:
        path: The file.
        label: What messages call it.

    Returns:
        The mapping at its top; mappings, lists, text, numbers, flags and ``None`` below.

    Raises:
        RegistryError: It cannot be read, is not YAML, is empty, or says something twice.
    """
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=_Loader)
    except OSError as error:
        raise RegistryError(f"{label}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RegistryError(f"{label}: is not UTF-8 text: byte {error.start} cannot be decoded") from error
    except yaml.YAMLError as error:
        raise RegistryError(f"{label}{_syntax(error)}") from error
    if node is None:
        raise RegistryError(f"{label}: is empty; at least one part of a registry is needed")
    value = _Builder(label).build(node, ())
    if not isinstance(value, dict):
        raise RegistryError(f"{label}: {fields.show(value)} is not a mapping")
    return value


def _syntax(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    if mark is None:
        return f": is not YAML: {problem}"
    return f":{mark.line + 1}: is not YAML: {problem} (column {mark.column + 1})"


class _Builder:
    """Turns the nodes of one file into plain values."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._scalars = yaml.constructor.SafeConstructor()
        self._open: set[yaml.Node] = set()

    def build(self, node: yaml.Node, path: fields.Path) -> object:
        """Return what a node says; ``path`` is where it stands."""
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if node in self._open:
            raise self._error(node, path, "contains itself")
        self._open.add(node)
        value = self._mapping(node, path) if isinstance(node, yaml.MappingNode) else self._list(node, path)
        self._open.remove(node)
        return value

    def _list(self, node: yaml.Node, path: fields.Path) -> list[object]:
        return [self.build(entry, (*path, place)) for place, entry in enumerate(node.value)]

    def _mapping(self, node: yaml.MappingNode, path: fields.Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            if key_node.tag != _TEXT_TAG:
                shown = repr(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "of several parts"
                raise self._error(key_node, path, f"the key {shown} is not text; put it in quotes")
            key = key_node.value
            here = (*path, key)
            if key in values:
                raise self._error(key_node, here, f"is written twice, first in line {lines[key]}")
            lines[key] = key_node.start_mark.line + 1
            values[key] = self.build(value_node, here)
        return values

    def _scalar(self, node: yaml.ScalarNode, path: fields.Path) -> object:
        if node.tag == _TEXT_TAG:
            return node.value
        if node.tag not in _PLAIN_TAGS:
            kind = node.tag.removeprefix(_TAG)
            raise self._error(node, path, f"{node.value!r} is read as {kind}; put it in quotes if it is text")
        try:
            return self._scalars.construct_object(node)
        except (yaml.YAMLError, ValueError, KeyError) as error:
            kind = node.tag.removeprefix(_TAG)
            raise self._error(node, path, f"{node.value!r} cannot be read as {kind}") from error

    def _error(self, node: yaml.Node, path: fields.Path, problem: str) -> RegistryError:
        place = f"{fields.dotted(path)}: " if path else ""
        return RegistryError(f"{self._label}:{node.start_mark.line + 1}: {place}{problem}")


def line_of(file: Path, path: fields.Path) -> str:
    """Return ``:LINE`` for where a value stands in a file, or where it should: for what is above it.

    The file is read once more, so that nobody pays for lines who made no mistake.

    Args:
        file: The file.
        path: Leads to the value.

    Returns:
        Nothing if the file cannot be read any more.
    """
    try:
        node = yaml.compose(file.read_text(encoding="utf-8"), Loader=_Loader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        node = None
    if node is None:
        return ""
    mark = node.start_mark
    for part in path:
        step = _step(node, part)
        if step is None:
            break
        mark, node = step
    return f":{mark.line + 1}"


def _step(node: yaml.Node, part: str | int) -> tuple[yaml.Mark, yaml.Node] | None:
    """Return where a part of a node begins, and that part."""
    if isinstance(node, yaml.MappingNode):
        pairs = [(key.start_mark, value) for key, value in node.value if key.value == part]
        return pairs[-1] if pairs else None
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part].start_mark, node.value[part]
    return None


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
        RegistryError: A record stands under another id than its own.
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
            stated = f"{fields.show(value['id'])} is not {fields.show(identifier)}, under which it stands"
            raise RegistryError(f"{label}: {fields.dotted((*path, identifier, 'id'))}: {stated}")
        if place < len(below) and isinstance(value, dict):
            _merge(below[place], value, label, origins, here)
        else:
            below[place:] = [value, *below[place + 1 :]]
            origins.note(here, label)
