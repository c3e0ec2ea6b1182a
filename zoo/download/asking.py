"""How a source is asked, and what it gives: the same for every transport.

How long and how much a transfer may be, how often it is tried, when it is so slow that it must be called
broken; what is there of a file already; and the body that comes.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

from zoo.download.failures import BROKEN, SourceError
from zoo.errors import ArgumentError
from zoo.storage.clock import Clock

VARIABLE = "ZOO_RETRY_SECONDS"
"""The environment variable with the seconds for which a source that fails is tried again."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The bounds of a download; seconds and bytes.

    Attributes:
        budget_s: How long a source that fails for passing reasons is tried again. It starts anew whenever
            ``progress_bytes`` more have come, so that a bad line costs patience, not the file.
        progress_bytes: See ``budget_s``.
        first_wait_s: The longest wait after the first failure; it doubles with every further one.
        longest_wait_s: Where doubling ends. A host's own ``Retry-After`` may be longer.
        connect_s: Time for a connection to be made.
        read_s: Time for the next bytes on it.
        stall_bytes_s: A transfer slower than this counts as failed,
        stall_s: once it has been so for that long.
        max_redirects: Redirects and pages that are followed.
        max_bytes: Size of a body where none was published.
    """

    budget_s: float = 60.0
    progress_bytes: int = 1 << 20
    first_wait_s: float = 1.0
    longest_wait_s: float = 30.0
    connect_s: float = 10.0
    read_s: float = 30.0
    stall_bytes_s: float = 1000.0
    stall_s: float = 30.0
    max_redirects: int = 10
    max_bytes: int = 4 << 30

    @classmethod
    def from_environment(cls) -> Limits:
        """Return the usual limits, the budget as :data:`VARIABLE` states it.

        Raises:
            ArgumentError: Its value is no number of seconds.
        """
        stated = os.environ.get(VARIABLE, "")
        if not stated:
            return cls()
        try:
            budget = float(stated)
        except ValueError:
            budget = math.nan
        if not 0 <= budget < math.inf:
            raise ArgumentError(f"{VARIABLE}={stated!r}: must be a number of seconds, 0 or more")
        return cls(budget_s=budget)

    def wait(self, failures: int, chance: float) -> float:
        """Return how long to wait after so many failures in a row.

        Args:
            failures: One or more.
            chance: From 0 to 1; many clients that failed together must not come back together.
        """
        longest = min(self.first_wait_s * 2.0 ** min(failures - 1, 60), self.longest_wait_s)
        return longest * (0.5 + chance / 2)


class StallWatch:
    """Watches a transfer; a host that sends a byte now and then never runs into a time-out.

    Args:
        clock: Tells the time.
        limits: Say what is too slow, and for how long.
    """

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self._clock = clock
        self._limits = limits
        self._asked_at = clock.monotonic()
        self._seconds = 0.0
        self._bytes = 0

    def asks(self) -> None:
        """Take note that bytes are waited for from now on; what the disk takes is not the host's fault."""
        self._asked_at = self._clock.monotonic()

    def saw(self, count: int) -> None:
        """Take note of the bytes that have come since.

        Raises:
            SourceError: Too few have come for too long.
        """
        self._bytes += count
        self._seconds += self._clock.monotonic() - self._asked_at
        if self._seconds < self._limits.stall_s:
            return
        if self._bytes < self._seconds * self._limits.stall_bytes_s:
            reason = f"the transfer stalled: {self._bytes} bytes in {self._seconds:.0f} s"
            raise SourceError(reason, meaning=BROKEN, passing=True)
        self._seconds, self._bytes = 0.0, 0
