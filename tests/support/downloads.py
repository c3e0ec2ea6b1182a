"""What the tests of downloads share: a published file, a clock without waiting, one way to download."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from zoo.download.asking import TransferLimits
from zoo.download.engine import Setting, download
from zoo.download.pages import HDF5_SIGNATURE
from zoo.download.transfer import Downloaded, Wanted
from zoo.progress.protocol import Progress, Silence
from zoo.registry.records import Digest

BODY = b"\x89HDF\r\n\x1a\n" + bytes(range(256)) * 8
SIZE = len(BODY)
MD5 = Digest(algorithm="md5", value=hashlib.md5(BODY).hexdigest(), grade="A", source="the author")
SHA256 = Digest(algorithm="sha256", value=hashlib.sha256(BODY).hexdigest(), grade="C", source="a copy")

IMPATIENT = TransferLimits(budget_s=0.0, connect_s=5.0, read_s=5.0)
PATIENT = TransferLimits(budget_s=60.0, connect_s=5.0, read_s=5.0)


@dataclass
class FakeClock:
    """A clock that is moved by whoever sleeps, and by ``step`` seconds whenever it is looked at.

    Attributes:
        step: Seconds that pass between two looks.
        waits: How long was slept, in order.
        on_sleep: Called at each sleep, to change the world meanwhile.
        born: The time of day at the beginning.
    """

    step: float = 0.0
    now: float = 0.0
    waits: list[float] = field(default_factory=list)
    on_sleep: Callable[[], object] = lambda: None
    born: float = field(default_factory=time.time)

    def monotonic(self) -> float:
        """Return the time, which then goes on by a step."""
        self.now += self.step
        return self.now

    def time(self) -> float:
        """Return the time of day."""
        return self.born + self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass at once."""
        self.waits.append(seconds)
        self.now += seconds
        self.on_sleep()

    def random(self) -> float:
        """Return the middle."""
        return 0.5


class Recorder:
    """Keeps what a progress is told."""

    def __init__(self) -> None:
        self.events: list[tuple[object, ...]] = []

    def start(self, total: int | None, what: str) -> None:
        """Note the start."""
        self.events.append(("start", total, what))

    def advance(self, count: int) -> None:
        """Note the count."""
        self.events.append(("advance", count))

    def done(self) -> None:
        """Note the end."""
        self.events.append(("done",))


def fetch(
    url: str,
    folder: Path,
    *,
    size: int | None = SIZE,
    digests: tuple[Digest, ...] = (MD5, SHA256),
    signature: bytes = HDF5_SIGNATURE,
    limits: TransferLimits = IMPATIENT,
    clock: FakeClock | None = None,
    progress: Progress | None = None,
    mirror: str | None = None,
    converts: bool = False,
    meanwhile: Callable[[], object] = lambda: None,
    then: Callable[[], object] = lambda: None,
) -> tuple[bytes, Downloaded]:
    """Download a file, keeping partials in ``folder``; return its bytes and what is said of it.

    ``then`` is called while the file lies under its temporary name.
    """
    wanted = Wanted(
        what="fetching it",
        stem="it",
        size=size,
        digests=digests,
        signature=signature,
        converts=converts,
        meanwhile=meanwhile,
    )
    setting = Setting(
        partials=folder,
        limits=limits,
        clock=clock or FakeClock(),
        progress=progress or Silence(),
        mirror=mirror,
    )
    with download(url, wanted, setting) as got:
        then()
        return got.path.read_bytes(), got


def left_in(folder: Path) -> list[bytes]:
    """Return the bytes of all partials in a folder."""
    return sorted(path.read_bytes() for path in folder.glob("*/data"))
