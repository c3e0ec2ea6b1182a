"""A mapping whose entries are made when they are first asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TypeVar

from zoo.registry.records import ReadOnly

_Entry = TypeVar("_Entry")


class Lazy(Mapping[str, _Entry]):
    """Names that are known, and entries that are made on demand, each once; nothing in it can be changed.

    A copy has all entries made.

    Args:
        names: Returns the names, in their order; membership in what it returns must be quick.
        make: Makes the entry of one; whatever it raises is raised each time the entry is asked for.
    """

    __slots__ = ("_made", "_make", "_names")

    def __init__(self, names: Callable[[], Collection[str]], make: Callable[[str], _Entry]) -> None:
        self._names = names
        self._make = make
        self._made: dict[str, _Entry] = {}

    def __getitem__(self, name: str) -> _Entry:
        """Return an entry."""
        if name not in self._made:
            if name not in self._names():
                raise KeyError(name)
            self._made.setdefault(name, self._make(name))
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        """Tell whether there is such a name, whatever becomes of its entry."""
        return name in self._names()

    def __iter__(self) -> Iterator[str]:
        """Go through the names."""
        return iter(self._names())

    def __len__(self) -> int:
        """Return how many names there are."""
        return len(self._names())

    def __repr__(self) -> str:
        """Return what a dict of it would."""
        return repr(dict(self))

    def __reduce__(self) -> tuple[type[ReadOnly[str, _Entry]], tuple[dict[str, _Entry]]]:
        """Say how a copy is made: of what is in it."""
        return ReadOnly, (dict(self),)
