"""Models' configurations in YAML, as ``to_yaml`` of Keras up to 2.6 wrote them, turned into JSON.

Keras read them with a loader that builds any object of Python's. Here a text is taken apart into events; a
tuple is a list, a text of Python 2 a text, and every other tag of Python's is refused. Nothing nests deeper
than JSON may, and what is repeated by an alias counts as often as it is there.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from converters.limits import Limits, clipped
from converters.upgrading.texts import YAML, read_text
from zoo.errors import FileFormatError

_TAG = "tag:yaml.org,2002:"
_TEXTS = frozenset(f"{_TAG}{kind}" for kind in ("str", "python/unicode", "python/str", "timestamp", "binary"))
_VALUES = frozenset(f"{_TAG}{kind}" for kind in ("int", "float", "bool", "null"))
_LISTS = frozenset((f"{_TAG}seq", f"{_TAG}python/tuple", f"{_TAG}python/list"))
_MAPPINGS = frozenset((f"{_TAG}map", f"{_TAG}python/dict"))


def json_of(path: str | os.PathLike[str]) -> str:
    """Return the text of a configuration in YAML as JSON.

    Args:
        path: The file.

    Raises:
        FileFormatError: If it cannot be read, is too long, no YAML, too deep, or has what JSON has not.
    """
    file = Path(path)
    text = read_text(file, "YAML") or ""
    try:
        return json.dumps(_Built(Limits.from_environment()).of(text))
    except (yaml.YAMLError, _Refused, ValueError, RecursionError) as error:
        raise FileFormatError(f"{file}: is not read as YAML ({' '.join(str(error).split())})") from error


class _Refused(Exception):  # noqa: N818 - it never reaches a user
    """Something that no configuration holds."""


@dataclass
class _Open:
    """A list or a mapping that is being read.

    Attributes:
        value: What has been read of it.
        anchor: The name that aliases call it by.
        begun: How many values had been read before it.
        keys: Of a mapping: the key whose value comes next, or nothing.
    """

    value: list[Any] | dict[str, Any]
    anchor: str | None
    begun: int
    keys: list[str] = field(default_factory=list)


class _Built:
    """A document that is being read, event by event."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._count = 0
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._resolver = yaml.resolver.Resolver()
        self._scalars = yaml.constructor.SafeConstructor()
        self._top: list[Any] = []

    def of(self, text: str) -> Any:  # noqa: ANN401 - any JSON
        """Return what a text says."""
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            self._take(event)
        if len(self._top) != 1:
            raise _Refused(f"it holds {len(self._top)} documents")
        return self._top[0]

    def _take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.AliasEvent):
            value, count = self._anchors.get(event.anchor or "", (None, 0))
            if not count:
                raise _Refused(f"nothing is called {clipped(str(event.anchor))}")
            self._add(value, count)
        elif isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event)
            self._add(value, 1)
            self._name(event.anchor, value, 1)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._begin([], event, _LISTS)
        elif isinstance(event, yaml.MappingStartEvent):
            self._begin({}, event, _MAPPINGS)
        elif isinstance(event, yaml.CollectionEndEvent):
            done = self._stack.pop()
            self._name(done.anchor, done.value, self._count - done.begun)

    def _begin(
        self, value: list[Any] | dict[str, Any], event: yaml.CollectionStartEvent, tags: frozenset[str]
    ) -> None:
        if event.tag not in (None, "!", *tags):
            raise _Refused(f"its tag {clipped(str(event.tag))} is none of a configuration's")
        if len(self._stack) >= self._limits.depth:
            raise _Refused(f"it nests more than {self._limits.depth} deep (limit depth)")
        begun = self._count
        self._add(value, 1)
        self._stack.append(_Open(value, event.anchor, begun))

    def _name(self, anchor: str | None, value: object, count: int) -> None:
        if anchor is not None:
            self._anchors[anchor] = (value, count)

    def _add(self, value: Any, count: int) -> None:  # noqa: ANN401
        """Put a value where it belongs; one that aliases repeat counts with all that is in it."""
        self._count += count
        if self._count > self._limits.header_bytes:
            raise _Refused(f"it holds more than {self._limits.header_bytes} values (limit header_bytes)")
        if not self._stack:
            self._top.append(value)
            return
        outer = self._stack[-1]
        if isinstance(outer.value, list):
            outer.value.append(value)
        elif outer.keys:
            outer.value[outer.keys.pop()] = value
        elif isinstance(value, str) and value not in outer.value:
            outer.keys.append(value)
        else:
            raise _Refused(f"its key {clipped(str(value))} is no text, or is there twice")

    def _scalar(self, event: yaml.ScalarEvent) -> Any:  # noqa: ANN401
        tag = event.tag
        if tag is None or tag == "!":
            tag = str(self._resolver.resolve(yaml.ScalarNode, event.value, event.implicit))  # type: ignore[no-untyped-call]
        if tag in _TEXTS:
            return event.value
        if tag not in _VALUES:
            raise _Refused(f"its tag {clipped(tag)} is none of a configuration's")
        return self._scalars.construct_object(yaml.ScalarNode(tag, event.value))


def is_yaml(path: str | os.PathLike[str]) -> bool:
    """Return whether a file is called as YAML is."""
    return Path(path).suffix.lower() in YAML
