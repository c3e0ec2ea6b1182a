"""Reading a registry file, more strictly than PyYAML does.

PyYAML keeps the last of two equal keys in silence and turns ``2016-08-09`` into a date; here both are errors
that say where. Values are made of the parser's events as they come: a tree of nodes takes several times the
time and a hundred times the bytes of the file.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from converters.boundary import uncollected
from zoo.errors import RegistryError
from zoo.registry import fields
from zoo.registry.places import read_bytes

Loader: type[yaml.CSafeLoader] | type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""What reads YAML; PyYAML without libyaml has the slower one alone."""

MOST_DEEP = 64
"""Mappings and lists within each other."""

MOST_REPEATED = 100_000
"""Values that the aliases of a file may repeat: a file of a few lines can ask for any number of them."""

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
        RegistryError: It cannot be read, is too large, is not YAML, is empty, or says something twice.
    """
    return parse_yaml(read_bytes(path, label), label)


def parse_yaml(content: bytes, label: str) -> dict[str, Any]:
    """Return what the text of a registry file says; see :func:`read_yaml`."""
    value = _parse(content, label, _Builder(label))
    if not isinstance(value, dict):
        raise RegistryError(f"{label}: {fields.show(value)} is not a mapping")
    return value


def _parse(content: bytes, label: str, builder: _Builder) -> object:
    try:
        with uncollected():
            return builder.document(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise RegistryError(f"{label}: is not UTF-8 text: byte {error.start} cannot be decoded") from error
    except yaml.YAMLError as error:
        raise RegistryError(f"{label}{_syntax(error)}") from error


def _syntax(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    if mark is None:
        return f": is not YAML: {problem}"
    return f":{mark.line + 1}: is not YAML: {problem} (column {mark.column + 1})"


class _Anchored(NamedTuple):
    """A value that aliases may repeat."""

    value: object
    size: int
    line: int


class _Builder:
    """Turns the events of one file into plain values.

    Args:
        label: What messages call the file.
        wanted: Path of a value whose line is of interest.

    Attributes:
        line: Where that value, or the nearest above it, begins.
    """

    def __init__(self, label: str, wanted: fields.Path = ()) -> None:
        self._label = label
        self._wanted = wanted
        self.line = 1
        self._scalars = yaml.constructor.SafeConstructor()
        self._path: list[str | int] = []
        self._anchors: dict[str, _Anchored | int] = {}
        self._made = self._repeated = 0

    def document(self, text: str) -> object:
        """Return what a file's one document says.

        Raises:
            RegistryError: It says nothing, or nothing that a registry can.
            yaml.YAMLError: It is not YAML.
        """
        loader = Loader(text)
        try:
            self._next = loader.get_event
            self._next()
            if not isinstance(self._next(), yaml.DocumentStartEvent):
                raise RegistryError(f"{self._label}: is empty; at least one part of a registry is needed")
            value = self._value(self._next())
            self._next()
            after = self._next()
        finally:
            loader.dispose()
        if isinstance(after, yaml.DocumentStartEvent):
            raise _not_yaml("there is a second document", after)
        return value

    def _value(self, event: Any) -> object:  # noqa: ANN401 - events have no common type
        """Return what begins with an event."""
        kind = type(event)
        if kind is yaml.AliasEvent:
            return self._alias(event)
        if event.anchor is None:
            self._made += 1
            return self._scalar(event) if kind is yaml.ScalarEvent else self._collection(event)
        return self._anchored(event)

    def _anchored(self, event: Any) -> object:  # noqa: ANN401
        if event.anchor in self._anchors:
            raise _not_yaml(f"found duplicate anchor {event.anchor!r}", event)
        line, before = event.start_mark.line + 1, self._made
        self._anchors[event.anchor] = line
        self._made += 1
        value = self._scalar(event) if isinstance(event, yaml.ScalarEvent) else self._collection(event)
        self._anchors[event.anchor] = _Anchored(value, self._made - before, line)
        return value

    def _alias(self, event: Any) -> object:  # noqa: ANN401
        known = self._anchors.get(event.anchor)
        if known is None:
            raise _not_yaml(f"found undefined alias {event.anchor!r}", event)
        if isinstance(known, int):
            raise self._error(known, "contains itself")
        self._made += known.size
        self._repeated += known.size
        if self._repeated > MOST_REPEATED:
            problem = f"the file's aliases repeat more than {MOST_REPEATED:,} values; write them out"
            raise self._error(event.start_mark.line + 1, problem)
        return copy.deepcopy(known.value)

    def _collection(self, event: Any) -> object:  # noqa: ANN401
        if len(self._path) >= MOST_DEEP:
            raise self._error(event.start_mark.line + 1, f"is more than {MOST_DEEP} levels deep")
        return self._mapping() if isinstance(event, yaml.MappingStartEvent) else self._list()

    def _list(self) -> list[object]:
        values: list[object] = []
        while type(event := self._next()) is not yaml.SequenceEndEvent:
            self._enter(len(values), event)
            values.append(self._value(event))
            self._path.pop()
        return values

    def _mapping(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        lines: dict[str, int] = {}
        event: Any
        while type(event := self._next()) is not yaml.MappingEndEvent:
            key, line = self._key(event), event.start_mark.line + 1
            self._enter(key, event)
            if key in values:
                raise self._error(line, f"is written twice, first in line {lines[key]}")
            lines[key] = line
            values[key] = self._value(self._next())
            self._path.pop()
        return values

    def _enter(self, part: str | int, event: Any) -> None:  # noqa: ANN401
        self._path.append(part)
        if self._wanted and tuple(self._path) == self._wanted[: len(self._path)]:
            self.line = event.start_mark.line + 1

    def _key(self, event: Any) -> str:  # noqa: ANN401
        is_text = isinstance(event, yaml.ScalarEvent) and self._tag(event) == _TEXT_TAG
        if not is_text or event.anchor is not None:
            key = self._value(event)
            if isinstance(key, str):
                return key
            shown = repr(event.value) if isinstance(event, yaml.ScalarEvent) else "of several parts"
            raise self._error(event.start_mark.line + 1, f"the key {shown} is not text; put it in quotes")
        text: str = event.value
        return text

    def _tag(self, event: Any) -> str:  # noqa: ANN401
        """Return the tag of a scalar: its own, or what YAML 1.1 takes a plain one for."""
        if event.tag is not None and event.tag != "!":
            stated: str = event.tag
            return stated
        if event.implicit[0]:
            resolvers = Loader.yaml_implicit_resolvers.get(event.value[:1], ())
            for tag, pattern in resolvers:
                if pattern.match(event.value):
                    return str(tag)
        return _TEXT_TAG

    def _scalar(self, event: Any) -> object:  # noqa: ANN401
        tag = self._tag(event)
        if tag == _TEXT_TAG:
            return event.value
        line, kind = event.start_mark.line + 1, tag.removeprefix(_TAG)
        if tag not in _PLAIN_TAGS:
            raise self._error(line, f"{event.value!r} is read as {kind}; put it in quotes if it is text")
        try:
            return self._scalars.construct_object(yaml.ScalarNode(tag, event.value))
        except (yaml.YAMLError, ValueError, KeyError) as error:
            raise self._error(line, f"{event.value!r} cannot be read as {kind}") from error

    def _error(self, line: int, problem: str) -> RegistryError:
        place = f"{fields.dotted(tuple(self._path))}: " if self._path else ""
        return RegistryError(f"{self._label}:{line}: {place}{problem}")


def _not_yaml(problem: str, event: Any) -> yaml.YAMLError:  # noqa: ANN401
    return yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)


def line_of(file: Path, path: fields.Path) -> str:
    """Return ``:LINE`` for where a value stands in a file, or where it should: for what is above it.

    The file is read once more, so that nobody pays for lines who made no mistake.

    Args:
        file: The file.
        path: Leads to the value.

    Returns:
        Nothing if the file cannot be read any more.
    """
    builder = _Builder("", path)
    try:
        _parse(read_bytes(file, ""), "", builder)
    except RegistryError:
        return ""
    return f":{builder.line}"
