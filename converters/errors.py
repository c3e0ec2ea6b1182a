"""Every exception that this distribution raises on purpose, and the warnings that it gives.

The tree lives here, not in :mod:`zoo`, because imports point from ``zoo`` to ``converters`` and never back.
This module imports next to nothing, so that naming an error costs nothing.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path


class ZooError(Exception):
    """Root of all errors raised by ``zoo`` and ``converters``.

    The message is written for the person at the keyboard: which file, which layer, what was expected, what
    was found, and what to do next.
    """


class ArgumentError(ZooError, ValueError):
    """An argument has a value that is not allowed; the message says which values are."""


class DataError(ArgumentError):
    """Images, or a folder or table of them, are not there or cannot be used; the message says why."""


class TargetError(ArgumentError):
    """What is asked for cannot be written where it is wanted: something is there, or the folder is not."""


class UnknownNameError(ZooError, LookupError):
    """No architecture, weights set or layer has this name; the message lists the nearest ones."""


class RegistryError(ZooError):
    """A registry file breaks its form; the message starts with the file and the path of the mistake."""


class FileFormatError(ZooError):
    """A file is not a Keras weights file that can be read; the message says what it is instead."""


class NewerFileError(FileFormatError):
    """A later version wrote the file, in a form that this one does not know."""


class StructureMismatchError(ZooError):
    """A weights file does not hold exactly the layers of an architecture; names the layer and both shapes."""


class ConversionError(ZooError):
    """A conversion cannot be planned or carried out."""


class AlreadyConvertedError(ConversionError):
    """The file already has the layout and the kernels that were asked for."""


class UnknownFlattenError(ConversionError):
    """A dense layer may follow a flattened feature map whose (C, H, W) shape nobody has told."""


class ConversionWarning(UserWarning):
    """What a conversion, or the reading of weights, had to take for granted: it may be wrong.

    ``warnings.filterwarnings("ignore", category=zoo.ConversionWarning)`` silences it; with ``"error"`` in
    place of ``"ignore"`` it is raised before anything is written or loaded. What the message advises to say,
    once said, leaves nothing to warn of.

    Attributes:
        typed: The message with what it advises to say as it is typed on the command line.
    """

    def __init__(self, message: str, typed: str | None = None) -> None:
        super().__init__(message)
        self.typed = message if typed is None else typed


class DownloadError(ZooError):
    """No source gave the file; the message has one line for each source and its reason."""


class ChecksumError(DownloadError):
    """A file is not the published one: its size or one of its digests differs."""


class CacheError(ZooError):
    """The cache folder cannot be used, or what it remembers contradicts what was found."""


class Doubt(str):
    """A note on what nothing told and may be wrong; a note that is no doubt only informs."""

    __slots__ = ()


def doubts_of(notes: Iterable[str]) -> tuple[Doubt, ...]:
    """Return those notes that are doubts."""
    return tuple(note for note in notes if isinstance(note, Doubt))


_SILENT = {"CancelledError": "it has cancelled them: its scheduler is gone, or was told to end"}
"""What errors mean that say nothing, by their class."""


def given_up(error: BaseException) -> str:
    """Return what is said where an executor that a user gave runs no more tasks.

    Args:
        error: What it raised, which may say nothing.
    """
    name = type(error).__name__
    reason = (str(error) or _SILENT.get(name, name)).splitlines()[0]
    return f"the executor takes no more tasks ({reason}); what is done is kept: do the same again"


_OPTION = re.compile(r"--(?P<name>[a-z][a-z-]*) (?P<value>[^\s;,]+)")
"""An option as it is typed, with its value; one of several values names what it is the value for."""


_BOTH = re.compile(r"--[a-z][a-z-]*(?: [\w.]+)? \((?P<python>\w+=[^(),]+)\)")
"""An option as it is typed, with what stands for it in Python behind it."""


def in_python(text: str, arguments: Mapping[str, str] | None = None) -> str:
    """Return advice in the words of Python: ``from_kernels='tf'`` where it says ``--from-kernels tf``.

    Args:
        text: What is advised.
        arguments: What the options are called in the function that was called, by the usual names, where it
            takes no others; ``None``: as is usual.
    """

    def argument(found: re.Match[str]) -> str:
        name, (key, equals, value) = found["name"].replace("-", "_"), found["value"].partition("=")
        if arguments is not None and name not in arguments:
            return found[0]
        return f"{name}s={{{key!r}: {value!r}}}" if equals else f"{(arguments or {}).get(name, name)}={key!r}"

    told = _OPTION.sub(argument, _BOTH.sub(r"\g<python>", text))
    return Doubt(told) if isinstance(text, Doubt) else told


def warn_of(
    path: Path | str, notes: Iterable[str], *, stacklevel: int = 1, arguments: Mapping[str, str] | None = None
) -> None:
    """Issue a :class:`converters.errors.ConversionWarning` for each doubt.

    Args:
        path: The file that it is about.
        notes: What the user should know; what only informs is left out.
        stacklevel: Whose line the warning shows: 1 is that of the function that calls this one, 2 that of
            its caller.
        arguments: As for :func:`in_python`, which turns what is advised.

    Raises:
        ConversionWarning: If the user has made these warnings errors.
    """
    for doubt in doubts_of(notes):
        told = f"{path}: {in_python(doubt, arguments)}"
        warn(told, stacklevel=stacklevel + 1, typed=f"{path}: {doubt}")


@contextmanager
def calling(named: Callable[[str], str]) -> Iterator[None]:
    """Let warnings call files by other names, where these stand for files elsewhere.

    Args:
        named: Returns a text with those names.
    """
    token = _NAMED.set(named)
    try:
        yield
    finally:
        _NAMED.reset(token)


_NAMED: ContextVar[Callable[[str], str]] = ContextVar("_NAMED", default=str)


def warn(text: str, *, stacklevel: int = 1, typed: str | None = None) -> None:
    """Issue a :class:`converters.errors.ConversionWarning`.

    Args:
        text: What had to be taken for granted.
        stacklevel: As in :func:`warn_of`.
        typed: The same in the words of the command line, where these are others.

    Raises:
        ConversionWarning: If the user has made these warnings errors.
    """
    named = _NAMED.get()
    warning = ConversionWarning(named(text), None if typed is None else named(typed))
    warnings.warn(warning, stacklevel=_without_passed_over(stacklevel + 1))


def _without_passed_over(level: int) -> int:
    """Return which frame is a function's own caller where functions stand between that only pass a call on.

    Such a function says so with a variable ``_passed_over``; Python counts its frame like any other.
    """
    frame, wanted, found = sys._getframe(1), level, 0
    while frame is not None and wanted:
        found += 1
        wanted -= "_passed_over" not in frame.f_locals
        frame = frame.f_back  # type: ignore[assignment]
    return found


def checked_path(given: object, name: str) -> Path:
    """Return a path that a user gave.

    Args:
        given: What was given.
        name: The argument's name.

    Raises:
        ArgumentError: It is none.
    """
    if not isinstance(given, str | os.PathLike):
        raise ArgumentError(f"{name}={given!r}: must be a text or a path")
    return Path(given)


def checked_texts(given: object, name: str) -> Sequence[str]:
    """Return several texts that a user gave; one alone would be taken for its letters.

    Args:
        given: What was given.
        name: The argument's name.

    Raises:
        ArgumentError: They are none.
    """
    if not isinstance(given, Iterable) or isinstance(given, str | bytes):
        raise ArgumentError(f"{name}={given!r}: must be several texts in a list")
    texts = list(given)
    if not all(isinstance(text, str) for text in texts):
        raise ArgumentError(f"{name}={given!r}: must be several texts in a list")
    return texts


def counted(count: int, what: str, one: str = "", many: str = "") -> str:
    """Return a number of things in words: ``1 epoch``, ``3 classes``; ``1 layer is``, ``1,000 layers are``.

    Args:
        count: How many there are.
        what: One of them.
        one: The verb behind, of one.
        many: The same of several, or of none.
    """
    things, verb = (what, one) if count == 1 else (_several(what), many)
    return f"{count:,} {things}{verb and f' {verb}'}"


def _several(what: str) -> str:
    if what.endswith("y") and what[-2] not in "aeiou":
        return f"{what[:-1]}ies"
    return f"{what}{'es' if what.endswith(('s', 'tch')) else 's'}"
