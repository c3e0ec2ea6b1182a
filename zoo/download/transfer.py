"""One try: what has come of a file before, then the rest of it, onto the disk and through the hashes.

Hashing and writing go on beside the transfer: each digest has a thread of its own, and so has the disk. The
interpreter's lock is free while a large buffer is hashed or written, so that several processors work at once.
"""

from __future__ import annotations

import base64
import functools
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from io import RawIOBase
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol

from converters.writing.disk import begin_writing, wait_for_disk
from zoo.download import failures
from zoo.download.asking import CRC32C, Asking, Beginning, Body, NotContinuedError
from zoo.download.failures import SourceError
from zoo.download.transports import open_body
from zoo.errors import ChecksumError
from zoo.extras import how_to_install
from zoo.progress.protocol import Progress
from zoo.registry.digests import Hashes, verify_file
from zoo.registry.records import Digest
from zoo.storage.clock import Clock
from zoo.storage.disk import sync_folder
from zoo.storage.partials import About, Partial
from zoo.storage.space import check_space, writing_partial

BUFFER_BYTES: Final = 1 << 20
BUFFERS: Final = 8

HANDED_ON_S: Final = 0.5
"""Seconds after which bytes are written even if they do not fill a buffer."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A file that is wanted, whoever has it.

    Attributes:
        what: What progress calls the fetching of it, for example ``fetching densenet161-th``.
        stem: What names of its partials begin with.
        size: Its published size in bytes, if known.
        digests: Published digests; every one of them is checked.
        signature: What it begins with; empty where that is not known.
        converts: Whether a converted copy, about as large, will be written beside it.
        meanwhile: Called in a thread of its own once the file begins to come: what takes a while and will be
            needed when it is there.
    """

    what: str
    stem: str
    size: int | None = None
    digests: tuple[Digest, ...] = ()
    signature: bytes = b""
    converts: bool = False
    meanwhile: Callable[[], object] = bool


@dataclass(frozen=True, kw_only=True)
class Downloaded:
    """A file that was fetched and verified.

    Attributes:
        path: Where it lies for now.
        bytes: Its size.
        digests: Its digests by algorithm; ``sha256`` is always among them.
        url: The address that it came from in the end, after all redirects.
        resumed_at: How many of its bytes had come in an earlier try.
        notes: What the user should know, one line each.
    """

    path: Path
    bytes: int
    digests: Mapping[str, str]
    url: str
    resumed_at: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """One try to get a file from a source.

    Attributes:
        url: The source.
        wanted: What is wanted.
        partial: Where it is written; what has come stays there if the try fails.
        asking: How to ask.
        progress: Told about every piece.
    """

    url: str
    wanted: Wanted
    partial: Partial
    asking: Asking
    progress: Progress

    def run(self) -> Downloaded:
        """Get the file, going on from what the partial holds if the host confirms it.

        Raises:
            SourceError: The source does not give it, now or ever.
            ChecksumError: What it gives has another size or another digest than was published.
            CacheError: It cannot be written.
        """
        try:
            return self._run(self._beginning())
        except NotContinuedError:
            with writing_partial(self.partial):
                self.partial.forget()
        return self._run(None)

    def _run(self, beginning: Beginning | None) -> Downloaded:
        with open_body(self.url, self.asking, signature=self.wanted.signature, beginning=beginning) as body:
            return self._verified(body, self._save(body))

    def _beginning(self) -> Beginning | None:
        """Return what can be gone on from."""
        about = self.partial.about
        if about is None or about.url != self.url or about.validator is None or about.total is None:
            return None
        if self.wanted.size not in (None, about.total):
            return None
        # Of a file that has come whole the last byte is asked for again: so the host confirms the rest of it.
        there = min(self.partial.size, about.total - 1)
        return Beginning(bytes=there, validator=about.validator, total=about.total) if there > 0 else None

    def _save(self, body: Body) -> Mapping[str, str]:
        """Write a body after what is there of the file, and return the digests of the whole.

        Raises:
            NotContinuedError: What was there is not what it was.
        """
        total = _expected_size(body, self.wanted.size, self.asking.limits.max_bytes)
        self._prepare(body, total)
        limit = self.asking.limits.max_bytes if total is None else total
        threading.Thread(target=self.wanted.meanwhile, name="meanwhile").start()
        self.progress.start(total, self.wanted.what)
        try:
            with Hashing(self._algorithms(body), total) as hashing:
                copier = _Copier(self.partial, hashing, self.progress, self.asking.clock)
                copier.read_again(body.start)
                count = copier.receive(body, limit)
                known = hashing.values()
        finally:
            self.progress.done()
        if total is not None and count < total:
            reason = f"the connection ended after {count} of {total} bytes"
            raise SourceError(reason, meaning=failures.BROKEN, passing=True)
        return known

    def _algorithms(self, body: Body) -> list[str]:
        of_host = [CRC32C] if body.stated.get(CRC32C) and has_crc32c() else []
        return ["sha256", *(digest.algorithm for digest in self.wanted.digests), *of_host]

    def _prepare(self, body: Body, total: int | None) -> None:
        """See that there is room, and begin the partial anew unless its bytes are gone on from."""
        size = total or 0
        with writing_partial(self.partial):
            copy = size if self.wanted.converts else 0
            check_space(self.partial.folder.parent, fetch=size - body.start, convert=copy)
            if not body.start:
                modified = body.modified
                self.partial.begin(About(url=self.url, etag=body.etag, modified=modified, total=total))

    def _verified(self, body: Body, known: Mapping[str, str]) -> Downloaded:
        """Check everything that is known of the file.

        Raises:
            NotContinuedError: It is wrong, perhaps because of what was there before.
        """
        path, wanted = self.partial.data, self.wanted
        try:
            with writing_partial(self.partial):
                size = path.stat().st_size
                verify_file(path, wanted.digests, wanted.size, known=known, label=self.url)
                sync_folder(path.parent)
            notes = _check_crc32c(self.url, body, known)
        except ChecksumError as error:
            if body.start:
                raise NotContinuedError from error
            raise
        digests = {name: value for name, value in known.items() if name != CRC32C}
        return Downloaded(
            path=path, bytes=size, digests=digests, url=body.address, resumed_at=body.start, notes=notes
        )


def _expected_size(body: Body, size: int | None, most: int) -> int | None:
    """Return how many bytes the whole file must have, as far as anybody has said.

    Raises:
        ChecksumError: The host announces another size than was published, or too much.
    """
    total = body.total
    if size is None and total is not None and total > most:
        raise ChecksumError(f"the host announces {total} bytes, at most {most} are taken")
    if None not in (size, total) and total != size:
        raise ChecksumError(f"the host announces {total} bytes, the published file has {size}")
    return total if size is None else size


def _check_crc32c(url: str, body: Body, known: Mapping[str, str]) -> tuple[str, ...]:
    """Compare a file with what its host says of it; return what the user should know.

    Raises:
        ChecksumError: They differ.
    """
    stated = body.stated.get(CRC32C)
    if stated is None:
        return ()
    if CRC32C not in known:
        missing = "the CRC-32C that the host states was not checked: google-crc32c is not installed"
        return (f"{url}: {missing} ({how_to_install('drive')})",)
    if known[CRC32C] != stated:
        raise ChecksumError(
            f"{url}: its CRC-32C is {known[CRC32C]}, the host states {stated}: it was damaged on the way"
        )
    return ()


class _Copier:
    """Carries bytes into a partial and through the hashes."""

    def __init__(self, partial: Partial, hashing: Hashing, progress: Progress, clock: Clock) -> None:
        self._partial = partial
        self._hashing = hashing
        self._progress = progress
        self._clock = clock

    def read_again(self, count: int) -> None:
        """Hash the bytes that are there.

        Raises:
            NotContinuedError: They are not what they were when the partial was given back.
        """
        about = self._partial.about
        if not count or about is None:
            return
        with writing_partial(self._partial), self._partial.data.open("rb", buffering=0) as file:
            synced = min(about.bytes or 0, count)
            self._hash(file, synced)
            if synced and synced == about.bytes and self._hashing.values()["sha256"] != about.sha256:
                raise NotContinuedError
            self._hash(file, count - synced)

    def _hash(self, file: RawIOBase, count: int) -> None:
        """Hash the next bytes of a file, of which there are at least so many."""
        while count:
            buffer = self._hashing.buffer()
            read = file.readinto(buffer[:count]) or 0
            self._hashing.take(read)
            if not read:
                raise NotContinuedError  # somebody has cut it off meanwhile
            count -= read
            self._progress.advance(read)

    def receive(self, body: Body, limit: int) -> int:
        """Write a body after the bytes that are there, and return how many there are then.

        Args:
            body: The body.
            limit: How many bytes there may be in all.

        Raises:
            ChecksumError: There are more.
            SourceError: The connection broke; what had come by then was written.
        """
        size, rest = body.start, body.head
        with self._opened(size) as descriptor:
            while True:
                count, failure = self._fill(body, rest)
                rest = b""
                size += count
                if size > limit:
                    raise ChecksumError(f"more came than the {limit} bytes that there may be")
                self._hashing.take(count, functools.partial(_write, descriptor, size - count))
                if count:
                    self._progress.advance(count)
                if failure:
                    raise failure
                if not count:
                    break
            with writing_partial(self._partial):
                self._hashing.drain()
                wait_for_disk(descriptor)
        return size

    @contextmanager
    def _opened(self, size: int) -> Iterator[int]:
        with writing_partial(self._partial):
            descriptor = os.open(self._partial.data, os.O_WRONLY)
        try:
            with writing_partial(self._partial):
                os.ftruncate(descriptor, size)
                os.lseek(descriptor, size, os.SEEK_SET)
            yield descriptor
        finally:
            try:
                with writing_partial(self._partial):
                    self._hashing.drain()
            finally:
                os.close(descriptor)

    def _fill(self, body: Body, head: bytes) -> tuple[int, SourceError | None]:
        """Fill the next buffer, for not too long; return how many bytes it has, and why there are no more."""
        with writing_partial(self._partial):
            buffer = self._hashing.buffer()
        count = len(head)
        buffer[:count] = head
        since = self._clock.monotonic()
        try:
            while count < len(buffer) and (received := body.read_into(buffer[count:])):
                count += received
                if self._clock.monotonic() - since > HANDED_ON_S:
                    break
        except SourceError as failure:
            return count, failure
        return count, None


def _write(descriptor: int, start: int, piece: memoryview) -> None:
    """Write a piece at the end of a file, which ends at ``start``, and have the disk begin with it."""
    count = len(piece)
    while piece:
        piece = piece[os.write(descriptor, piece) :]
    begin_writing(descriptor, start, count)


# Hashing.


class _Summing(Protocol):
    """Takes bytes in pieces and gives digests of all of them, by algorithm."""

    def update(self, data: Any) -> None: ...  # noqa: ANN401 - anything with the buffer protocol

    def values(self) -> dict[str, str]: ...


class _Crc32c:
    """The checksum of Google's ``X-Goog-Hash``, as that header writes it."""

    def __init__(self) -> None:
        from google_crc32c import Checksum

        self._checksum: Any = Checksum()  # type: ignore[no-untyped-call]

    def update(self, data: memoryview) -> None:
        self._checksum.update(bytes(data))

    def values(self) -> dict[str, str]:
        return {CRC32C: base64.b64encode(self._checksum.digest()).decode()}


def has_crc32c() -> bool:
    """Say whether the library for CRC-32C is installed."""
    return find_spec("google_crc32c") is not None


class Hashing:
    """A ring of buffers, and the threads that hash what was put into them.

    Args:
        algorithms: Names out of :data:`zoo.registry.digests.ALGORITHMS`, and ``crc32c``.
        size: The number of bytes that will come, if somebody has said so.
    """

    def __init__(self, algorithms: Iterable[str], size: int | None) -> None:
        names = list(dict.fromkeys(algorithms))
        self._sums: list[_Summing] = [_Crc32c() if name == CRC32C else Hashes([name], size) for name in names]
        self._threads = [ThreadPoolExecutor(1, "hashing") for _ in names]
        self._disk = ThreadPoolExecutor(1, "writing")
        self._ring = [memoryview(bytearray(BUFFER_BYTES)) for _ in range(BUFFERS)]
        self._pending: list[list[Future[None]]] = [[] for _ in range(BUFFERS)]
        self._next = 0

    def __enter__(self) -> Hashing:
        """Give itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the threads."""
        for thread in (*self._threads, self._disk):
            thread.shutdown(cancel_futures=True)

    def buffer(self) -> memoryview:
        """Return the buffer to be filled next, once all threads are through with what it held."""
        self._await(self._next)
        return self._ring[self._next]

    def take(self, count: int, write: Callable[[memoryview], None] | None = None) -> None:
        """Hash the first bytes of the buffer that was given last, and write them if they are to be written.

        What ``write`` raises is raised by whoever asks for the same buffer or for the digests later on.
        """
        piece = self._ring[self._next][:count]
        pairs = zip(self._threads, self._sums, strict=True)
        pending = [thread.submit(sums.update, piece) for thread, sums in pairs]
        if write is not None:
            pending.append(self._disk.submit(write, piece))
        self._pending[self._next] = pending
        self._next = (self._next + 1) % BUFFERS

    def drain(self) -> None:
        """Wait until everything was hashed and written."""
        for index in range(BUFFERS):
            self._await(index)

    def values(self) -> dict[str, str]:
        """Return the digests of all bytes so far, by algorithm, once the threads are through with them."""
        self.drain()
        return {name: value for sums in self._sums for name, value in sums.values().items()}

    def _await(self, index: int) -> None:
        pending, self._pending[index] = self._pending[index], []
        for future in pending:
            future.result()
