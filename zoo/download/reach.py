"""Which hosts were reached and which were not, so that nobody waits twice for the same dead one.

A name that does not resolve, a connection that is refused or never made, a dead proxy: that mostly means that
this machine is not on the network, or that the host is gone, and hardly passes while somebody looks on. So
such a host is tried a few times within seconds, and its other links are not asked after that. A host that has
answered before and is lost in the middle of a download keeps all the patience of
:class:`~zoo.download.asking.TransferLimits`.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Lock, Thread
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from zoo.download.failures import SourceError

TRIES: Final = 3
"""How often a host is tried that was never reached."""

SECONDS: Final = 4.0
"""For how long, in all, hosts that were never reached are tried again."""

LOOKUP_S: Final = 6.0
"""For how many seconds a name server is waited for: a second one is asked in it, where the first is dead."""

LATER_LOOKUP_S: Final = 1.0
"""For how many seconds once it has not answered about another name."""

REMEMBERED_S: Final = 60.0
"""For how many seconds a host that was not reached is not asked again."""


class Hosts:
    """What one command has found out about the hosts that it asks; its threads may share it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._answered: set[str] = set()
        self._dead: dict[str, tuple[float, SourceError]] = {}
        self._left = SECONDS
        self._lookup_s = LOOKUP_S
        self._told: set[str] = set()

    def check(self, host: str, now: float) -> None:
        """Ask nobody who was not reached a moment ago.

        Args:
            host: What is to be reached, by the name under which it was given up.
            now: The time, in seconds, by the clock of the download.

        Raises:
            SourceError: The host was not reached; how it was then.
        """
        when, failure = self._dead.get(host, (0.0, None))
        if failure is not None and now < when + REMEMBERED_S:
            raise failure

    def has_answered(self, host: str) -> bool:
        """Tell whether a host was reached before."""
        return host in self._answered

    def note_answer(self, host: str) -> None:
        """Take note that a host was reached."""
        with self._lock:
            self._answered.add(host)
            self._dead.pop(host, None)

    def has_name(self, host: str) -> bool:
        """Tell whether the name server has said anything of a name, even that there is no such host.

        By itself a look-up lasts for as long as the operating system wants, often half a minute.
        """

        def look_up() -> None:
            with suppress(BaseException):  # whoever connects gets the same again
                socket.getaddrinfo(host, None)

        if host in self._told:
            return True
        asking = Thread(target=look_up, daemon=True)
        asking.start()
        asking.join(self._lookup_s)
        if asking.is_alive():
            self._lookup_s = LATER_LOOKUP_S
            return False
        self._told.add(host)
        return True

    def may_wait(self, tries: int, took: float, wait: float) -> bool:
        """Tell whether a host that was never reached is worth another try.

        Args:
            tries: How often it was tried.
            took: How many seconds the last try took.
            wait: How long it would be waited for the next one.
        """
        with self._lock:
            self._left -= took
            if tries >= TRIES or wait > self._left:
                return False
            self._left -= wait
            return True

    def give_up(self, host: str, failure: SourceError, now: float) -> None:
        """Take note that a host was not reached, and how its last try ended."""
        with self._lock:
            _, known = self._dead.get(host, (0.0, None))
            if known is not failure:  # which was raised in place of another try
                self._dead[host] = (now, failure.for_good())
