"""How a long step reports on itself, so that only the command line has to know how that is drawn."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told about steps that handle many bytes; ``start`` and ``done`` come in pairs, never nested."""

    def start(self, total: int | None, what: str) -> None:
        """A step begins.

        Args:
            total: How many bytes it will handle, if that is known; 0 where it is only a wait.
            what: What is being done, for example ``fetching densenet161-th``.
        """

    def advance(self, count: int) -> None:
        """So many more bytes were handled."""

    def done(self) -> None:
        """The step ended, well or badly."""


class Silence:
    """The progress of someone who does not want to know."""

    def start(self, total: int | None, what: str) -> None:
        """Do nothing."""

    def advance(self, count: int) -> None:
        """Do nothing."""

    def done(self) -> None:
        """Do nothing."""
