"""How a source is asked, and what it gives: the same for every transport.

How long and how much a transfer may be, how often it is tried, when it is so slow that it must be called
broken; what is there of a file already; and the body that comes.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from zoo.download.failures import BROKEN, SourceError
from zoo.download.reach import Hosts
from zoo.errors import ArgumentError
from zoo.storage.clock import Clock

CRC32C: Final = "crc32c"
"""The algorithm that Google's hosts state a digest of, in base64."""

VARIABLE = "ZOO_RETRY_SECONDS"
"""The environment variable with the seconds for which a source that fails is tried again."""


@dataclass(frozen=True, kw_only=True)
class TransferLimits:
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
    def from_environment(cls) -> TransferLimits:
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

    def __init__(self, clock: Clock, limits: TransferLimits) -> None:
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


@dataclass(frozen=True, kw_only=True)
class Beginning:
    """The beginning of a file that is there already.

    Attributes:
        bytes: How many bytes there are.
        validator: What the host called this state of the file: a strong ETag or a date.
        total: The size of the whole file.
    """

    bytes: int
    validator: str
    total: int


class NotContinuedError(Exception):
    """The host did not confirm that it would resume the same file; the whole must be asked for."""


@dataclass(frozen=True, kw_only=True)
class Asking:
    """How a host is asked.

    Attributes:
        limits: Time-outs and the number of redirects.
        clock: Tells how slow a transfer is.
        plain: Scheme, host and port of a mirror that the user named; it may be asked in plain http.
        hosts: Which hosts were reached before, and which were not.
    """

    limits: TransferLimits
    clock: Clock
    plain: str | None = None
    hosts: Hosts = field(default_factory=Hosts)


class Body:
    """What a source gives of a file, read piece by piece; each transport has a form of its own.

    Args:
        address: Where it came from in the end.
        length: How many bytes will come, if the source says so.
        etag: By what the source tells this state of the file from every other, if it does.
        modified: When the source says that the file was changed last, as it says it.
        stated: Digests of the whole file that the source itself states, by algorithm.

    Attributes:
        start: Which byte of the file its first one is.
        head: Bytes of it that were read to see what it is.
    """

    def __init__(
        self,
        address: str,
        *,
        length: int | None = None,
        etag: str | None = None,
        modified: str | None = None,
        stated: Mapping[str, str] | None = None,
    ) -> None:
        self.address = address
        self.length = length
        self.etag = etag
        self.modified = modified
        self.stated = stated or {}
        self.start = 0
        self.head = b""

    @property
    def total(self) -> int | None:
        """The size of the whole file, if it is announced."""
        return None if self.length is None else self.start + self.length

    def read_into(self, target: memoryview) -> int:
        """Put the next bytes into a buffer, as many as come at once, and return how many; 0 at the end.

        Raises:
            SourceError: The connection broke, or is far too slow.
        """
        raise NotImplementedError
