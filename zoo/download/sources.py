"""Who may have a file, in the order of asking: the user's mirror, then what the registry lists.

A mirror is asked first for every file. What it gives must have every published digest, as anything else must;
of a file without one, its word is no better than that of whoever is asked first.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from zoo.download.asking import TransferLimits
from zoo.download.engine import Setting, download, fetch_text
from zoo.download.failures import DAMAGED, LACKING, Attempt, SourceError
from zoo.download.reach import Hosts
from zoo.download.transfer import Downloaded, Wanted
from zoo.download.transports import TRANSPORTS
from zoo.errors import ArgumentError, DownloadError, ZooError
from zoo.progress.protocol import Progress
from zoo.registry.digests import contradicts
from zoo.registry.records import Digest
from zoo.registry.urls import is_address, origin
from zoo.storage.cache import Item
from zoo.storage.clock import Clock, SystemClock

if TYPE_CHECKING:
    from zoo.storage.mirrors import Held

VARIABLE: Final = "ZOO_MIRROR"
"""The environment variable with the address of a mirror."""


@dataclass(frozen=True, kw_only=True)
class Mirror:
    """A mirror that the user named.

    Attributes:
        url: Its address, without a slash at the end.
    """

    url: str

    @classmethod
    def from_environment(cls) -> Mirror | None:
        """Return the mirror that :data:`VARIABLE` names, if it names one.

        Raises:
            ArgumentError: It names no address that can be fetched.
        """
        stated = os.environ.get(VARIABLE, "")
        return cls.at(stated) if stated else None

    @classmethod
    def at(cls, url: str) -> Mirror:
        """Return the mirror at an address.

        Raises:
            ArgumentError: It is no address that can be fetched, or has a password in it.
        """
        parts = urlsplit(url if is_address(url) else "")
        if parts.scheme not in TRANSPORTS or not parts.hostname or parts.query or parts.fragment:
            schemes = " or ".join(f"{scheme}://" for scheme in TRANSPORTS)
            raise ArgumentError(f"{VARIABLE}={url!r}: must be the {schemes} address of a mirror{_hint(url)}")
        if "@" in parts.netloc:
            raise ArgumentError(f"{VARIABLE}: must not hold a password: it would end in messages and records")
        return cls(url=url.rstrip("/"))

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return origin(self.url)

    @property
    def index_url(self) -> str:
        """Where its index lies."""
        from zoo.storage.mirrors import INDEX

        return f"{self.url}/{INDEX}"

    def index(self, setting: Setting) -> dict[str, Held]:
        """Return what the mirror has, by the registry's ids.

        Raises:
            DownloadError: It cannot be asked, or what it says is no index.
        """
        from zoo.storage.mirrors import LARGEST_INDEX, parse_index

        text = fetch_text(self.index_url, setting, what=VARIABLE, most=LARGEST_INDEX)
        return parse_index(text, self.index_url)

    def file_url(self, held: Held) -> str:
        """Return where a file lies; its name is made of a digest that was checked to be one."""
        return f"{self.url}/{held.path}"


def _hint(url: str) -> str:
    """Return what else could be meant by something that is no address: a folder, or one without a scheme."""
    if url.startswith(("/", ".", "~", "file:")):
        return "; a folder that this machine can read is named by ZOO_SHARED, if it was a ZOO_HOME"
    return "" if "://" in url else f"; write https://{url}"


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a file may be had.

    Attributes:
        url: The address.
        size: How many bytes it must have, if anybody has said so.
        digests: Which digests it must have: the published ones, and what a mirror says of its own file.
        mirror: The mirror's address, if it is one.
    """

    url: str
    size: int | None
    digests: tuple[Digest, ...]
    mirror: str | None = None

    def failed(self, error: ZooError, file: str) -> Attempt:
        """Return what the source did instead of giving a file.

        Args:
            error: What asking it ended in.
            file: The file, by the registry's id.
        """
        return Attempt.of(self.url, error, file=file, variable=VARIABLE if self.mirror else "")


class Sources:
    """Finds out who has a file and fetches it from there.

    Args:
        partials: The folder of partials, on the file system of the cache.
        progress: Told about long steps.
        limits: How long, how much, how often; as the environment says if left out.
        clock: Time and chance; the machine's if left out.
        hosts: Which hosts were reached before, and which were not.
    """

    def __init__(
        self,
        partials: Path,
        progress: Progress,
        *,
        limits: TransferLimits | None = None,
        clock: Clock | None = None,
        hosts: Hosts | None = None,
    ) -> None:
        self._mirror = Mirror.from_environment()
        self._held: dict[str, Held] | None = None
        self._failure: DownloadError | None = None
        self._setting = Setting(
            partials=partials,
            limits=limits or TransferLimits.from_environment(),
            clock=clock or SystemClock(),
            progress=progress,
            mirror=self._mirror.origin if self._mirror else None,
            hosts=hosts or Hosts(),
        )

    def of(self, item: Item, urls: Iterable[str], attempts: list[Attempt]) -> Iterator[Source]:
        """Yield the sources of a file in order; why the mirror is none of them is added to ``attempts``."""
        if self._mirror is not None:
            yield from self._of_mirror(self._mirror, item, attempts)
        for url in urls:
            yield Source(url=url, size=item.bytes, digests=item.digests)

    def _of_mirror(self, mirror: Mirror, item: Item, attempts: list[Attempt]) -> Iterator[Source]:
        held = self._held_by(mirror, attempts)
        if held is None:
            return
        entry = held.get(item.key)
        if entry is None:
            attempts.append(_lacking(mirror, item))
            return
        url, conflict = mirror.file_url(entry), _conflict(item, entry)
        if conflict is not None:
            attempts.append(Attempt.of(url, conflict, file=item.key, variable=VARIABLE))
            return
        word = Digest(algorithm="sha256", value=entry.sha256, grade="C", source="the mirror's index")
        yield Source(url=url, size=entry.bytes, digests=(*item.digests, word), mirror=mirror.url)

    def download(
        self,
        item: Item,
        source: Source,
        *,
        what: str,
        signature: bytes,
        converts: bool = False,
        meanwhile: Callable[[], object] = bool,
    ) -> AbstractContextManager[Downloaded]:
        """Fetch a file; arguments, result and errors are those of :func:`zoo.download.engine.download`."""
        wanted = Wanted(
            what=what,
            stem=item.key,
            size=source.size,
            digests=source.digests,
            signature=signature,
            converts=converts,
            meanwhile=meanwhile,
        )
        return download(source.url, wanted, self._setting)

    def _held_by(self, mirror: Mirror, attempts: list[Attempt]) -> dict[str, Held] | None:
        """Ask the mirror once what it has; its failure is told once, and again where a file fails."""
        asked = self._held is not None or self._failure is not None
        if not asked:
            try:
                self._held = mirror.index(self._setting)
            except DownloadError as error:
                self._failure = error
        if self._failure is not None and not any(one.source == mirror.index_url for one in attempts):
            attempts.append(Attempt.of(mirror.index_url, self._failure, variable=VARIABLE, quiet=asked))
        return self._held


def _lacking(mirror: Mirror, item: Item) -> Attempt:
    return Attempt(
        source=mirror.index_url,
        happened="the mirror does not have the file",
        meaning=LACKING,
        file=item.key,
        variable=VARIABLE,
        quiet=True,
    )


def _conflict(item: Item, held: Held) -> SourceError | None:
    """Return why what a mirror has cannot be the published file, from what is said of both."""
    facts = [
        (digest.algorithm, held.sha256[: len(digest.value)], digest.value)
        for digest in item.digests
        if contradicts(digest, held.sha256)
    ]
    if item.bytes is not None:
        facts.append(("size in bytes", str(held.bytes), str(item.bytes)))
    for what, there, published in facts:
        if there != published:
            reason = (
                f"the mirror has another file: its {what} is {there}, the published file's is {published}"
            )
            return SourceError(reason, meaning=DAMAGED)
    return None
