"""Time and chance, handed in, so that nobody who tests a wait has to wait."""

from __future__ import annotations

import random
import time
from typing import Protocol


class Clock(Protocol):
    """What a download asks of time and chance."""

    def monotonic(self) -> float:
        """Return seconds since some moment, never going back."""

    def time(self) -> float:
        """Return seconds since 1970, as the file system counts them."""

    def sleep(self, seconds: float) -> None:
        """Wait."""

    def random(self) -> float:
        """Return a number from 0 up to but not including 1."""


class SystemClock:
    """The clock of this machine and its chance."""

    def monotonic(self) -> float:
        """Return seconds since some moment, never going back."""
        return time.monotonic()

    def time(self) -> float:
        """Return seconds since 1970."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def random(self) -> float:
        """Return a number from 0 up to but not including 1."""
        return random.random()
