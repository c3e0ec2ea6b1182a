"""Kinds of values that a registry file may hold.

Each kind does two things from the same facts: it checks a value that was read from YAML, and it says in JSON
Schema what it accepts. So the checks and the schema cannot drift apart.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from converters.errors import counted
from zoo.errors import RegistryError

Made = TypeVar("Made")
Made_co = TypeVar("Made_co", covariant=True)

Path = tuple[str | int, ...]
"""Keys and list places that lead from the top of a registry to a value."""


class Mistake(RegistryError):  # noqa: N818 - it becomes a RegistryError once the file is known
    """A value breaks its form; whoever knows the files says in which of them it was written.

    Attributes:
        path: Where the value stands.
        reason: What is wrong with it, to be read after the path.
    """

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{dotted(path)}: {reason}" if path else reason)


def dotted(path: Path) -> str:
    """Return a path as people write it, for example ``architectures.vgg16.weights[0].urls``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def show(value: object) -> str:
    """Return a value as it would be written in YAML, short enough for one line of a message."""
    if isinstance(value, (Mapping, list, tuple)):
        return "a mapping" if isinstance(value, Mapping) else "a list"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value)
    return text if len(text) <= 90 else f"{text[:80]}…{text[-1]}"


_A_PART = 3
"""Letters that a part of a name has at least, to be taken for one."""


def nearest(name: object, known: Iterable[str], count: int = 3) -> list[str]:
    """Return at most ``count`` known names that look like ``name`` or hold it, in the order of the known."""
    from difflib import get_close_matches  # only mistakes pay for this import

    known, typed = list(known), str(name).lower()
    lower = [entry.lower() for entry in known]
    close = get_close_matches(typed, lower, n=count, cutoff=0.6)
    holding = [entry for entry in lower if typed in entry and entry not in close]
    if len(typed) >= _A_PART:
        close += holding[: count - len(close)]
    if not close and len(typed) > 1:
        close = [entry for entry in lower if _is_short_for(typed, entry)][:count]
    return [entry for entry in known if entry.lower() in close]


def _is_short_for(typed: str, known: str) -> bool:
    """Tell whether a name has the letters of a word in order, the first in front: ``rm`` of ``remove``."""
    left = iter(known)
    return typed[0] == known[:1] and all(letter in left for letter in typed)


def nearest_of(name: object, known: Collection[str]) -> str:
    """Return ``nearest: X, Y`` for the few known names near ``name``, or how many there are where none is."""
    near = nearest(name, known)
    return f"nearest: {', '.join(near)}" if near else f"none of the {len(known)} is near"


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Return ``; did you mean X?`` for the one known name nearest to ``name``, or nothing."""
    near = nearest(name, known, count=1)
    return f"; did you mean {near[0]}?" if near else ""


class Kind(Protocol):
    """What a value must be."""

    def check(self, value: object, path: Path) -> object:
        """Return the value in the form that records hold it.

        Raises:
            Mistake: The value is not of this kind.
        """
        ...

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of this kind."""
        ...


class Text:
    """One line of text.

    Args:
        pattern: Regular expression for the whole text, in the syntax that Python and ECMA 262 share.
        must: What the pattern asks for, to be read after "must".
    """

    def __init__(
        self, pattern: str = r"\S(?:.*\S)?", must: str = "be one line of text with no blanks around it"
    ) -> None:
        self._pattern = re.compile(pattern)
        self._must = must

    def check(self, value: object, path: Path) -> str:
        """Return the text; see :class:`Kind`."""
        if not isinstance(value, str):
            hint = "; put it in quotes" if isinstance(value, (int, float)) else ""
            raise Mistake(path, f"{show(value)} is not text{hint}")
        if not self._pattern.fullmatch(value):
            raise Mistake(path, f"{show(value)} must {self._must}")
        return value

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema; see :class:`Kind`."""
        return {"type": "string", "pattern": f"^(?:{self._pattern.pattern})$"}


class Choice:
    """One of a few words or integers."""

    def __init__(self, options: tuple[str | int, ...]) -> None:
        self._options = options

    def check(self, value: object, path: Path) -> str | int:
        """Return the chosen option; see :class:`Kind`."""
        for option in self._options:
            if value == option and type(value) is type(option):
                return option
        names = [str(option) for option in self._options]
        raise Mistake(path, f"{show(value)} is not one of {', '.join(names)}{did_you_mean(value, names)}")

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema; see :class:`Kind`."""
        return {"enum": list(self._options)}


class Flag:
    """``true`` or ``false``."""

    def check(self, value: object, path: Path) -> bool:
        """Return the flag; see :class:`Kind`."""
        if not isinstance(value, bool):
            raise Mistake(path, f"{show(value)} is not true or false")
        return value

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema; see :class:`Kind`."""
        return {"type": "boolean"}


class Whole:
    """A whole number between two bounds, both allowed."""

    def __init__(self, least: int, most: int | None = None) -> None:
        self._least = least
        self._most = most

    def check(self, value: object, path: Path) -> int:
        """Return the number; see :class:`Kind`."""
        if not isinstance(value, int) or isinstance(value, bool):
            raise Mistake(path, f"{show(value)} is not an integer")
        return int(_within(value, self._least, self._most, path))

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema; see :class:`Kind`."""
        return {"type": "integer"} | _bounds(self._least, self._most)


class Number:
    """A finite number between two bounds, both allowed; integers are numbers too."""

    def __init__(self, least: float, most: float) -> None:
        self._least = least
        self._most = most

    def check(self, value: object, path: Path) -> float:
        """Return the number; see :class:`Kind`."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
            hint = "; write it without quotes and with a point, as in 1.0e-3" if _is_numeric(value) else ""
            raise Mistake(path, f"{show(value)} is not a number{hint}")
        return float(_within(value, self._least, self._most, path))

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema; see :class:`Kind`."""
        return {"type": "number"} | _bounds(self._least, self._most)


def _is_numeric(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?", value) is not None


def _within(value: float, least: float, most: float | None, path: Path) -> float:
    if value < least:
        raise Mistake(path, f"{value} is less than {least}")
    if most is not None and value > most:
        raise Mistake(path, f"{value} is more than {most}")
    return value


def _bounds(least: float, most: float | None) -> dict[str, float]:
    return {"minimum": least} if most is None else {"minimum": least, "maximum": most}


class Maybe:
    """A value of another kind, or ``null`` where it is not known or there is none."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind

    def check(self, value: object, path: Path) -> object:
        """Return the value or ``None``; see :class:`Kind`."""
        return None if value is None else self._kind.check(value, path)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema; see :class:`Kind`."""
        return {"anyOf": [self._kind.schema(), {"type": "null"}]}


class ListOf:
    """A list of values of one kind, held as a tuple.

    Args:
        kind: What each entry must be.
        least: How many entries there must be.
        fixed: Whether there may be no more of them.
    """

    def __init__(self, kind: Kind, least: int = 0, *, fixed: bool = False) -> None:
        self._kind = kind
        self._least = least
        self._fixed = fixed

    def check(self, value: object, path: Path) -> tuple[object, ...]:
        """Return the checked values; see :class:`Kind`."""
        if not isinstance(value, list):
            raise Mistake(path, f"{show(value)} is not a list")
        if len(value) < self._least or (self._fixed and len(value) > self._least):
            allowed = self._least if self._fixed else f"at least {self._least}"
            raise Mistake(path, f"has {counted(len(value), 'entry')} instead of {allowed}")
        return tuple([self._kind.check(entry, (*path, place)) for place, entry in enumerate(value)])

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema; see :class:`Kind`."""
        bounds = {"minItems": self._least} | ({"maxItems": self._least} if self._fixed else {})
        return {"type": "array", "items": self._kind.schema()} | bounds


class MapOf:
    """A mapping from names that the file chooses to values of one kind; it has at least one entry."""

    def __init__(self, kind: Kind, names: Text) -> None:
        self._kind = kind
        self._names = names

    def check(self, value: object, path: Path) -> dict[str, object]:
        """Return the checked values by name; see :class:`Kind`."""
        if not isinstance(value, dict):
            raise Mistake(path, f"{show(value)} is not a mapping")
        if not value:
            raise Mistake(path, "is empty")
        return {name: self.check_entry(name, entry, path) for name, entry in value.items()}

    def check_entry(self, name: object, entry: object, path: Path) -> object:
        """Return one checked value; ``path`` is that of the mapping."""
        self._names.check(name, (*path, name))  # type: ignore[arg-type]
        return self._kind.check(entry, (*path, name))  # type: ignore[arg-type]

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema; see :class:`Kind`."""
        return {
            "type": "object",
            "minProperties": 1,
            "propertyNames": self._names.schema(),
            "additionalProperties": self._kind.schema(),
        }


class Anything:
    """A mapping whose form depends on another value and is checked when that is known."""

    def check(self, value: object, path: Path) -> dict[str, object]:
        """Return the mapping as it is; see :class:`Kind`."""
        if not isinstance(value, dict):
            raise Mistake(path, f"{show(value)} is not a mapping")
        return value

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema; see :class:`Kind`."""
        return {"type": "object"}


_REQUIRED = object()


class Key(NamedTuple):
    """One key of a mapping.

    Attributes:
        kind: What its value must be.
        meaning: What an editor shows.
        default: What records hold where the key is left out, in the form in which they hold it; without one
            the key must be there.
    """

    kind: Kind
    meaning: str
    default: object = _REQUIRED

    @property
    def is_required(self) -> bool:
        """Whether it must be there."""
        return self.default is _REQUIRED


def keys_of(record: type, given: Collection[str] = ()) -> dict[str, Key]:
    """Return the keys that a dataclass is made of, in its order.

    Each field says in its one line what it is: ``Annotated[type, kind, meaning]``, and ``= default`` where it
    may be left out. Its module must not postpone the evaluation of annotations.

    Args:
        record: The dataclass.
        given: Fields that the record is given otherwise.

    Raises:
        TypeError: Another field lacks its kind or its meaning.
    """
    keys = {}
    for field in dataclasses.fields(record):
        if field.name not in given:
            told: tuple[Any, ...] = getattr(field.type, "__metadata__", ())
            if len(told) != 2:
                raise TypeError(f"{record.__name__}.{field.name}: must be Annotated[type, kind, meaning]")
            kind, meaning = told
            keys[field.name] = Key(kind, meaning, default_of(field))
    return keys


def default_of(field: dataclasses.Field[Any]) -> object:
    """Return what a field of a record holds where its key is left out; a key that must be there has none."""
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return _REQUIRED if field.default is dataclasses.MISSING else field.default


def form_of(record: type[Made], *, named: bool = False) -> Record[Made]:
    """Return the form of a dataclass; see :func:`keys_of`.

    Args:
        record: The dataclass.
        named: Whether its field ``name`` is the key under which the mapping itself stands.
    """
    return Record(record, keys_of(record, ("name",) if named else ()), named=named)


class Record(Generic[Made_co]):
    """A mapping with these keys and no others.

    Args:
        make: Called with the checked values as keyword arguments.
        fields: The keys; of one that must be there kind and meaning are enough.
        named: Whether ``make`` also takes ``name``: the key under which the mapping itself stands.
    """

    def __init__(
        self,
        make: Callable[..., Made_co],
        fields: Mapping[str, Key | tuple[Kind, str]],
        *,
        named: bool = False,
    ) -> None:
        self._make = make
        self._keys = {
            name: key if isinstance(key, Key) else Key(key[0], key[1]) for name, key in fields.items()
        }
        self._named = named

    def check(self, value: object, path: Path) -> Made_co:
        """Return the record; see :class:`Kind`."""
        if not isinstance(value, dict):
            raise Mistake(path, f"{show(value)} is not a mapping")
        self.check_keys(value, path)
        checked = {
            name: key.kind.check(value[name], (*path, name)) if name in value else key.default
            for name, key in self._keys.items()
        }
        return self._make(name=path[-1], **checked) if self._named else self._make(**checked)

    def check_keys(self, names: Collection[str], path: Path) -> None:
        """Accept the keys of a mapping.

        Raises:
            Mistake: One is not known, or one is missing.
        """
        for name in names:
            if name not in self._keys:
                raise Mistake((*path, name), f"is not a known key{did_you_mean(name, self._keys)}")
        for name, key in self._keys.items():
            if name not in names and key.is_required:
                raise Mistake((*path, name), "is missing")

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema; see :class:`Kind`."""
        return {
            "type": "object",
            "additionalProperties": False,
            "required": [name for name, key in self._keys.items() if key.is_required],
            "properties": {
                name: {"description": key.meaning, **key.kind.schema()}
                | ({} if key.is_required else {"default": _as_json(key.default)})
                for name, key in self._keys.items()
            },
        }


def _as_json(default: object) -> object:
    return list(default) if isinstance(default, tuple) else default
