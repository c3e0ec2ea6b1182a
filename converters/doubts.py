"""Notes on what had to be taken for granted: lines on the command line, warnings in Python."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path

from converters.errors import ConversionWarning


class Doubt(str):
    """A note on what nothing told and may be wrong; a note that is no doubt only informs."""

    __slots__ = ()


def doubts_of(notes: Iterable[str]) -> tuple[Doubt, ...]:
    """Return those notes that are doubts."""
    return tuple(note for note in notes if isinstance(note, Doubt))


def warn_of(path: Path, notes: Iterable[str], *, stacklevel: int = 1) -> None:
    """Issue a :class:`converters.errors.ConversionWarning` for each doubt.

    Args:
        path: The file that it is about.
        notes: What the user should know; what only informs is left out.
        stacklevel: Whose line the warning shows: 1 is that of the function that calls this one, 2 that of
            its caller.

    Raises:
        ConversionWarning: If the user has made these warnings errors.
    """
    for doubt in doubts_of(notes):
        warnings.warn(f"{path}: {doubt}", ConversionWarning, stacklevel=stacklevel + 1)
