"""When a transfer is so slow that it must be called broken."""

from __future__ import annotations

from zoo.download.asking import Limits
from zoo.download.failures import BROKEN, SourceError
from zoo.storage.clock import Clock


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
