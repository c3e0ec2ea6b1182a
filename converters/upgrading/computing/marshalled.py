"""Code that Python stored, read as data: numbers, texts and tuples, none of which is ever made code.

Each version of Python since 2.7 writes the fields of a function's code in an order of its own, and says
nowhere which version it is: a text is read in each of these orders, and counts only if one fits to the last
byte.

Sources: Python/marshal.c, r_object(), of Python 2.7, 3.4, 3.8 and 3.11; keras/utils/generic_utils.py,
func_dump(), for how Keras writes the bytes as text: in base64 since 2.0.9, else each as one character.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from converters.upgrading.computing.expressions import NotRecognisedError

_LONGEST = 1 << 16
_DEEPEST, _MOST = 12, 4096
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


@dataclass(frozen=True, kw_only=True)
class Code:
    """What a function's code is made of.

    Attributes:
        layout: Which versions of Python order its fields so: a key of :data:`LAYOUTS`.
        arguments: How many arguments it takes by position.
        more: How many it takes by name alone.
        flags: Whether it takes any number of them, and the like.
        instructions: Its instructions, as bytes.
        constants: What it loads by number.
        names: The names of globals, attributes and modules.
        variables: The names of its arguments and variables.
        cells: The names of what functions within it share with it.
        free: The names of what it shares with the function that it was made in.
        exceptions: What is done where something fails; empty if nothing is.
    """

    layout: str
    arguments: int
    more: int
    flags: int
    instructions: bytes
    constants: tuple[Any, ...]
    names: tuple[str, ...]
    variables: tuple[str, ...]
    cells: tuple[str, ...]
    free: tuple[str, ...]
    exceptions: bytes = b""


_FIELDS = ("code", "constants", "names", "variables", "free", "cells", "file", "name", "line", "lines")
LAYOUTS: Mapping[str, tuple[str, ...]] = {
    "2.7": ("arguments", "locals", "stack", "flags", *_FIELDS),
    "3.4": ("arguments", "more", "locals", "stack", "flags", *_FIELDS),
    "3.8": ("arguments", "positional", "more", "locals", "stack", "flags", *_FIELDS),
    "3.11": (
        *("arguments", "positional", "more", "stack", "flags", "code", "constants", "names", "places"),
        *("kinds", "file", "name", "full_name", "line", "lines", "exceptions"),
    ),
}
"""The fields of a function's code in their order, by the first version of Python that has it."""
_NUMBERS = frozenset(["arguments", "positional", "more", "locals", "stack", "flags", "line"])


def bytes_of(text: str) -> bytes:
    """Return the bytes that Keras wrote as text.

    Raises:
        NotRecognisedError: If they are too many.
    """
    if len(text) > 2 * _LONGEST:
        raise NotRecognisedError(f"its code has {len(text)} characters")
    if _BASE64.fullmatch(joined := "".join(text.split())):
        try:
            return base64.b64decode(joined)
        except binascii.Error as error:
            raise NotRecognisedError("its code is no base64") from error
    return text.encode("raw_unicode_escape")


def codes_of(data: bytes) -> list[Code]:
    """Return the code that bytes hold, in every order of fields in which they hold any: one, as a rule.

    Raises:
        NotRecognisedError: If there is none.
    """
    found = []
    for layout in LAYOUTS if len(data) <= _LONGEST else ():
        try:
            found.append(_Marshalled(data, layout).code())
        except (NotRecognisedError, struct.error, IndexError, UnicodeDecodeError):
            continue
    if not found:
        raise NotRecognisedError("its code is in no form that is known")
    return found


@dataclass(frozen=True)
class _Within:
    """A function within a function: nothing is made of it."""


class _Marshalled:
    """Bytes that are being read, in one order of fields."""

    def __init__(self, data: bytes, layout: str) -> None:
        self._data = data
        self._layout = layout
        self._at = 0
        self._count = 0
        self._known: list[Any] = []
        self._interned: list[Any] = []

    def code(self) -> Code:
        kind = self._data[:1]
        if not kind or kind[0] & 0x7F != ord("c"):
            raise NotRecognisedError("it is no code")
        self._at = 1
        if kind[0] & 0x80:
            self._known.append(None)
        found = self._fields(0)
        if self._at != len(self._data):
            raise NotRecognisedError("bytes are left over")
        return self._checked(found)

    def _fields(self, depth: int) -> dict[str, Any]:
        return {
            name: self._number("<i") if name in _NUMBERS else self._object(depth + 1)
            for name in LAYOUTS[self._layout]
        }

    def _checked(self, found: Mapping[str, Any]) -> Code:
        if "places" in found:
            found = {**found, **_by_kind(_names(found["places"]), _bytes(found["kinds"]))}
        return Code(
            layout=self._layout,
            arguments=found["arguments"],
            more=found.get("more", 0),
            flags=found["flags"],
            instructions=_bytes(found["code"]),
            constants=_tuple(found["constants"]),
            names=_names(found["names"]),
            variables=_names(found["variables"]),
            cells=_names(found["cells"]),
            free=_names(found["free"]),
            exceptions=_bytes(found.get("exceptions", b"")),
        )

    def _number(self, form: str) -> Any:  # noqa: ANN401 - of any type
        (value,) = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return value

    def _take(self, count: int) -> bytes:
        if count < 0 or self._at + count > len(self._data):
            raise NotRecognisedError("it ends too soon")
        self._at += count
        return self._data[self._at - count : self._at]

    def _object(self, depth: int) -> Any:  # noqa: ANN401 - of any type
        self._count += 1
        if depth > _DEEPEST or self._count > _MOST:
            raise NotRecognisedError("it holds too much")
        kind = self._number("<B")
        place = len(self._known)
        if kind & 0x80:
            self._known.append(None)
        read = _OBJECTS.get(chr(kind & 0x7F))
        if read is None:
            raise NotRecognisedError(f"it holds a value of kind {kind & 0x7F}")
        value = read(self, depth)
        if kind & 0x80:
            self._known[place] = value
        return value

    def nothing(self, _: int) -> None:
        return None

    def long(self, _: int) -> int:
        count = self._number("<i")
        if abs(count) > 4:
            raise NotRecognisedError("it holds a huge number")
        digits = [self._number("<H") << (15 * place) for place in range(abs(count))]
        return sum(digits) if count >= 0 else -sum(digits)

    def spelled(self, _: int) -> float:
        text = self._take(self._number("<B"))
        try:
            return float(text)
        except ValueError as error:
            raise NotRecognisedError("it holds a number that is none") from error

    def raw(self, _: int) -> bytes | str:
        # Python 2 keeps names and texts as bytes, and calls them so.
        return self._take(self._number("<i"))

    def interned(self, _: int) -> Any:  # noqa: ANN401 - bytes or text
        value = self._take(self._number("<i"))
        kept = value if self._layout == "2.7" else value.decode()
        self._interned.append(kept)
        return kept

    def text(self, _: int) -> str:
        return self._take(self._number("<i")).decode()

    def short(self, _: int) -> str:
        return self._take(self._number("<B")).decode("ascii")

    def again(self, _: int) -> Any:  # noqa: ANN401 - of any type
        return self._known[self._unsigned()]

    def again_interned(self, _: int) -> Any:  # noqa: ANN401 - bytes or text
        return self._interned[self._unsigned()]

    def _unsigned(self) -> int:
        return int(self._number("<I"))

    def small(self, depth: int) -> tuple[Any, ...]:
        return tuple(self._object(depth + 1) for _ in range(self._number("<B")))

    def many(self, depth: int) -> tuple[Any, ...]:
        count = self._number("<i")
        if not 0 <= count <= _MOST:
            raise NotRecognisedError("it holds too much")
        return tuple(self._object(depth + 1) for _ in range(count))

    def within(self, depth: int) -> _Within:
        self._fields(depth)
        return _Within()


def _numbered(form: str) -> Callable[[_Marshalled, int], Any]:
    return lambda reader, depth: reader._number(form)


_OBJECTS: Mapping[str, Callable[[_Marshalled, int], Any]] = {
    "N": _Marshalled.nothing,
    "T": lambda reader, depth: True,
    "F": lambda reader, depth: False,
    ".": lambda reader, depth: Ellipsis,
    "i": _numbered("<i"),
    "I": _numbered("<q"),
    "g": _numbered("<d"),
    "f": _Marshalled.spelled,
    "l": _Marshalled.long,
    "s": _Marshalled.raw,
    "t": _Marshalled.interned,
    "u": _Marshalled.text,
    "a": _Marshalled.text,
    "A": _Marshalled.text,
    "z": _Marshalled.short,
    "Z": _Marshalled.short,
    "r": _Marshalled.again,
    "R": _Marshalled.again_interned,
    ")": _Marshalled.small,
    "(": _Marshalled.many,
    "c": _Marshalled.within,
}
"""What reads each kind of value; others, such as sets, are in no expression."""


def _bytes(value: Any) -> bytes:  # noqa: ANN401 - what was read
    if not isinstance(value, bytes):
        raise NotRecognisedError("its instructions are no bytes")
    return value


def _tuple(value: Any) -> tuple[Any, ...]:  # noqa: ANN401 - what was read
    if not isinstance(value, tuple):
        raise NotRecognisedError("its constants are no tuple")
    return value


def _names(value: Any) -> tuple[str, ...]:  # noqa: ANN401 - what was read
    names = [name.decode("ascii") if isinstance(name, bytes) else name for name in _tuple(value)]
    if not all(isinstance(name, str) for name in names):
        raise NotRecognisedError("its names are no texts")
    return tuple(names)


_LOCAL, _CELL, _FREE = 0x20, 0x40, 0x80


def _by_kind(places: Sequence[str], kinds: bytes) -> dict[str, tuple[str, ...]]:
    """Return the names of variables as versions before 3.11 kept them: apart by what they are."""
    if len(places) != len(kinds):
        raise NotRecognisedError("its variables are not all of a kind")
    pairs = list(zip(places, kinds, strict=True))
    return {
        "variables": tuple(name for name, kind in pairs if kind & _LOCAL),
        "cells": tuple(name for name, kind in pairs if kind & _CELL),
        "free": tuple(name for name, kind in pairs if kind & _FREE),
    }
