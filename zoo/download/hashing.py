"""Hashing and writing beside the transfer: each digest has a thread of its own, and so has the disk.

The interpreter's lock is free while a large buffer is hashed or written, so that several processors work at
once.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Final, Protocol

from zoo.registry.digests import Hashes

CRC32C: Final = "crc32c"
BUFFER_BYTES: Final = 1 << 20
BUFFERS: Final = 8


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
