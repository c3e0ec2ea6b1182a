"""Why a source did not give the file, and what that means for whoever wanted it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
DEAD_PROXY: Final = "this is a dead proxy, or not its address"
NOT_LED: Final = "the proxy refuses, or does not reach the host either"
INTERCEPTED: Final = "somebody stands in between, as a hotel's login page does, or the clock is wrong"
DAMAGED: Final = "this source has a damaged or another file: it was thrown away"
ANOTHER: Final = "this source has a file of something else: it was thrown away"
LACKING: Final = "this mirror was made without the file: whoever keeps it can add it"
NO_NETWORK: Final = (
    "nobody was reached: is this machine on the network? ZOO_MIRROR can name a mirror that is in reach,"
    " ZOO_OFFLINE=1 goes by the cache alone"
)
"""What to say first to whoever reached nobody at all."""


@dataclass(frozen=True, kw_only=True)
class Unreached:
    """What could not be reached: nobody answered there at all.

    Attributes:
        host: Scheme, host and port, or what messages call a proxy.
        cause: Why not, as the operating system says it.
    """

    host: str
    cause: str


class SourceError(DownloadError):
    """A source did not give the file; the message is the reason alone, without the source.

    Attributes:
        meaning: What that means for the user.
        passing: Whether the same request may well succeed a little later.
        retry_after: Seconds after which the host wants to be asked again, if it has said so.
        unreached: What could not be reached, where nobody answered at all.
    """

    def __init__(
        self,
        reason: str,
        *,
        meaning: str,
        passing: bool = False,
        retry_after: float | None = None,
        unreached: Unreached | None = None,
    ) -> None:
        super().__init__(reason)
        self.meaning = meaning
        self.passing = passing
        self.retry_after = retry_after
        self.unreached = unreached

    def after(self, tries: int, seconds: float) -> SourceError:
        """Return the same failure, after the last of several tries."""
        if tries == 1:
            return self
        return self._as(f"{self} (the last of {tries} tries in {seconds:.0f} s)", passing=True)

    def for_good(self) -> SourceError:
        """Return the same failure as one that no further try is worth while after."""
        return self._as(str(self), passing=False)

    def _as(self, reason: str, *, passing: bool) -> SourceError:
        return SourceError(
            reason,
            meaning=self.meaning,
            passing=passing,
            retry_after=self.retry_after,
            unreached=self.unreached,
        )


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One source that did not give the file.

    Attributes:
        source: Its address.
        happened: What it did.
        meaning: What that means.
        file: The registry's id of the file; empty where it is no file of the registry.
        variable: The environment variable that names the source, where the user did.
        unreached: What could not be reached, where nobody answered at all.
        quiet: Whether it matters only to whoever has no file in the end.
    """

    source: str
    happened: str
    meaning: str
    file: str = ""
    variable: str = ""
    unreached: Unreached | None = None
    quiet: bool = False

    @classmethod
    def of(
        cls, source: str, error: ZooError, *, file: str = "", variable: str = "", quiet: bool = False
    ) -> Attempt:
        """Return what a source did, told by the error that it ended in."""
        return cls(
            source=source,
            happened=str(error).removeprefix(f"{source}: "),
            meaning=_meaning(error),
            file=file,
            variable=variable,
            unreached=error.unreached if isinstance(error, SourceError) else None,
            quiet=quiet,
        )

    def __str__(self) -> str:
        """Return file, source and reason in one line."""
        told = (self.file, self.variable, self.source, self.happened)
        return ": ".join(part for part in told if part)


def notes_on(attempts: Iterable[Attempt]) -> tuple[str, ...]:
    """Return what to tell whoever has the file in the end; of the links of a dead host only the first."""
    told: dict[object, str] = {}
    for attempt in attempts:
        if not attempt.quiet:
            told.setdefault(attempt.unreached or attempt, str(attempt))
    return tuple(told.values())


class NoSourceError(DownloadError):
    """No source gave the file; the message is a table of all of them, with the advice last.

    Sources behind a host that was not reached share a row.

    Attributes:
        attempts: Every source that was asked, in order.
        reached: Whether anybody answered.
    """

    def __init__(self, heading: str, attempts: Iterable[Attempt], advice: str) -> None:
        self.attempts = tuple(attempts)
        self.reached = not self.attempts or any(one.unreached is None for one in self.attempts)
        groups: dict[object, list[Attempt]] = {}
        for attempt in self.attempts:
            groups.setdefault(_shared_row(attempt), []).append(attempt)
        first = [] if self.reached else [NO_NETWORK]
        super().__init__("\n".join([heading, *map(_row, groups.values()), *first, advice]))


def _shared_row(attempt: Attempt) -> object:
    """Return what attempts have in common that stand in one row."""
    if attempt.unreached is None:
        return attempt
    return attempt.variable, attempt.unreached.cause, attempt.meaning


def _row(attempts: Sequence[Attempt]) -> str:
    # One line for each cell: addresses are too long to stand beside anything, and must be whole to be copied.
    first = attempts[0]
    files = dict.fromkeys(attempt.file for attempt in attempts if attempt.file)
    cells = {
        "file" if len(files) == 1 else "files": ", ".join(files),
        first.variable or "source": first.source,
        "what happened": first.happened,
        "what it means": first.meaning,
    }
    if first.unreached and not first.variable:
        hosts = list(dict.fromkeys(one.unreached.host for one in attempts if one.unreached))
        cells["source"] = ", ".join(hosts)
        if len(hosts) > 1:
            cells["what happened"] = f"no answer: {first.unreached.cause}"
    return "".join(f"  {label:<13}  {text}\n" for label, text in cells.items() if text)


def _meaning(error: ZooError) -> str:
    if isinstance(error, SourceError):
        return error.meaning
    if isinstance(error, ChecksumError):
        return DAMAGED
    if isinstance(error, FileFormatError | StructureMismatchError):
        return ANOTHER
    return NOT_THE_FILE
