"""Why a source did not give the file, and what that means for whoever wanted it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from zoo.errors import ChecksumError, DownloadError, FileFormatError, StructureMismatchError, ZooError

GONE: Final = "the link is dead"
CLOSED: Final = "the file is no longer open to everybody"
QUOTA: Final = "too many have fetched it lately: a day later it may be had again"
NOT_THE_FILE: Final = "the link no longer leads to the file"
UNSAFE: Final = "a fault of the link or somebody's trick: nothing was fetched from there"
BUSY: Final = "the host is overloaded or broken for now: later it may work"
BROKEN: Final = "the host or the network failed: the same command goes on from what has come"
SILENT: Final = "the host is dead, or this machine is not on the network"
INTERCEPTED: Final = "somebody stands in between, as a hotel's login page does, or the clock is wrong"
DAMAGED: Final = "this source has a damaged or another file: it was thrown away"
ANOTHER: Final = "this source has a file of something else: it was thrown away"


class SourceError(DownloadError):
    """A source did not give the file; the message is the reason alone, without the source.

    Attributes:
        meaning: What that means for the user.
        passing: Whether the same request may well succeed a little later.
        retry_after: Seconds after which the host wants to be asked again, if it has said so.
    """

    def __init__(
        self, reason: str, *, meaning: str, passing: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(reason)
        self.meaning = meaning
        self.passing = passing
        self.retry_after = retry_after

    def after(self, tries: int, seconds: float) -> SourceError:
        """Return the same failure, after the last of several tries."""
        if tries == 1:
            return self
        reason = f"{self} (the last of {tries} tries in {seconds:.0f} s)"
        return SourceError(reason, meaning=self.meaning, passing=True, retry_after=self.retry_after)


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One source that did not give the file.

    Attributes:
        source: Its address.
        happened: What it did.
        meaning: What that means.
    """

    source: str
    happened: str
    meaning: str

    @classmethod
    def of(cls, source: str, error: ZooError) -> Attempt:
        """Return what a source did, told by the error that it ended in."""
        return cls(source=source, happened=str(error).removeprefix(f"{source}: "), meaning=_meaning(error))

    def __str__(self) -> str:
        """Return source and reason in one line."""
        return f"{self.source}: {self.happened}"


class NoSourceError(DownloadError):
    """No source gave the file; the message is a table of all of them, with the advice last.

    Attributes:
        attempts: Every source that was asked, in order.
    """

    def __init__(self, heading: str, attempts: Iterable[Attempt], advice: str) -> None:
        self.attempts = tuple(attempts)
        rows = (_row(attempt) for attempt in self.attempts)
        super().__init__("\n".join([heading, *rows, advice]))


def _row(attempt: Attempt) -> str:
    # One line for each cell: addresses are too long to stand beside anything, and must be whole to be copied.
    return (
        f"  source         {attempt.source}\n"
        f"  what happened  {attempt.happened}\n"
        f"  what it means  {attempt.meaning}\n"
    )


def _meaning(error: ZooError) -> str:
    if isinstance(error, SourceError):
        return error.meaning
    if isinstance(error, ChecksumError):
        return DAMAGED
    if isinstance(error, FileFormatError | StructureMismatchError):
        return ANOTHER
    return NOT_THE_FILE
