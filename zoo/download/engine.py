"""One source, asked as often as it is worth while."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, TypeVar

from zoo.download import failures
from zoo.download.asking import Asking, TransferLimits
from zoo.download.failures import SourceError
from zoo.download.reach import Hosts
from zoo.download.transfer import Downloaded, Transfer, Wanted
from zoo.download.transports import open_body
from zoo.progress.protocol import Progress, Silence
from zoo.registry.urls import origin
from zoo.storage.clock import Clock, SystemClock
from zoo.storage.partials import claimed, key_of, remove_superseded

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all downloads of one caller share.

    Attributes:
        partials: The folder of partials, on the file system of the cache.
        limits: How long, how much, how often.
        clock: Time and chance.
        progress: Told about every piece.
        mirror: Scheme, host and port of a mirror that the user named; it may be asked in plain http.
        hosts: Which hosts were reached before, and which were not.
    """

    partials: Path
    limits: TransferLimits = field(default_factory=TransferLimits)
    clock: Clock = field(default_factory=SystemClock)
    progress: Progress = field(default_factory=Silence)
    mirror: str | None = None
    hosts: Hosts = field(default_factory=Hosts)

    def asking(self, url: str) -> Asking:
        """Return how an address is asked: a mirror may lead to itself, nobody else may lead to it."""
        plain = self.mirror if self.mirror == origin(url) else None
        return Asking(limits=self.limits, clock=self.clock, plain=plain, hosts=self.hosts)


@contextmanager
def download(url: str, wanted: Wanted, setting: Setting) -> Iterator[Downloaded]:
    """Get a file from a source and check that it is the published one.

    Failures that may pass are waited out, and what has come is gone on from. The file lies under a temporary
    name for as long as the block lasts; whoever wants to keep it must rename it. If the block ends in an
    error that says nothing against the file's bytes they stay, and the next download goes on from there.

    Args:
        url: An https address, or an http one on the loopback address or at the mirror.
        wanted: What is wanted.
        setting: How.

    Yields:
        The file, written to disk and synced, and its folder too.

    Raises:
        SourceError: The source does not give it; the message is the reason alone.
        ChecksumError: What it gives has another size or another digest than was published.
        CacheError: It cannot be written.
    """
    with claimed(setting.partials, key_of(wanted.stem, url), setting.clock.time()) as partial:
        transfer = Transfer(
            url=url, wanted=wanted, partial=partial, asking=setting.asking(url), progress=setting.progress
        )
        yield _persist(transfer.run, setting, wanted.stem, lambda: partial.size)
    remove_superseded(setting.partials, wanted.stem)


def fetch_text(url: str, setting: Setting, *, what: str, most: int) -> bytes:
    """Return a small file as it is, with no check but of its size.

    Args:
        url: Its address.
        setting: How.
        what: What messages call it.
        most: How many bytes it may have.

    Raises:
        SourceError: It cannot be had, or is larger than ``most`` bytes.
    """

    def once() -> bytes:
        with open_body(url, setting.asking(url)) as body:
            text, piece = bytearray(body.head), memoryview(bytearray(1 << 16))
            while count := body.read_into(piece):
                text += piece[:count]
                if len(text) > most:
                    raise SourceError(f"it has more than {most} bytes", meaning=failures.NOT_THE_FILE)
        if body.length is not None and len(text) < body.length:
            reason = f"the connection ended after {len(text)} of {body.length} bytes"
            raise SourceError(reason, meaning=failures.BROKEN, passing=True)
        return bytes(text)

    return _persist(once, setting, what, lambda: 0)


def _persist(once: Callable[[], _T], setting: Setting, what: str, size: Callable[[], int]) -> _T:
    """Try until it works or there is no point in trying.

    Args:
        once: One try.
        setting: How.
        what: What is fetched, as messages call it.
        size: Tells how many bytes have come by now.
    """
    patience = _Patience(setting, what)
    while True:
        try:
            return once()
        except SourceError as failure:
            patience.wait_out(failure, size())


class _Patience:
    """Decides whether and when a source is asked again."""

    def __init__(self, setting: Setting, what: str) -> None:
        self._limits, self._clock, self._hosts = setting.limits, setting.clock, setting.hosts
        self._progress, self._what = setting.progress, what
        self._since = self._first = self._tried_at = self._clock.monotonic()
        self._tries = self._failures = self._furthest = 0

    def wait_out(self, failure: SourceError, size: int) -> None:
        """Wait until it is time for the next try.

        Args:
            failure: What the last try ended in.
            size: How many bytes have come by now.

        Raises:
            SourceError: The failure, if there is no point in another try.
        """
        now = self._clock.monotonic()
        if not failure.passing:
            self._give_up(failure, now)
        self._tries += 1
        self._failures += 1
        if size >= self._furthest + self._limits.progress_bytes:
            self._since, self._failures, self._furthest = now, 1, size
        wait = self._limits.wait(self._failures, self._clock.random())
        wait = max(wait, failure.retry_after or 0.0)
        if now - self._since + wait > self._limits.budget_s or not self._is_in_reach(failure, now, wait):
            self._give_up(failure.after(self._tries, now - self._first), now)
        self._progress.start(0, f"{self._what}: {failure}; trying again in {wait:.0f} s")
        try:
            self._clock.sleep(wait)
        finally:
            self._progress.done()
        self._tried_at = self._clock.monotonic()

    def _is_in_reach(self, failure: SourceError, now: float, wait: float) -> bool:
        """Tell whether somebody has answered before, or may be in reach after all."""
        if failure.unreached is None or self._hosts.has_answered(failure.unreached.host):
            return True
        return self._hosts.may_wait(self._tries, now - self._tried_at, wait)

    def _give_up(self, failure: SourceError, now: float) -> NoReturn:
        if failure.unreached is not None:
            self._hosts.give_up(failure.unreached.host, failure, now)
        raise failure
