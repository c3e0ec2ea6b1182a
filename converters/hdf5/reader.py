"""Opening weights files that nobody vouches for: the one room that every file goes through.

All of a file's metadata is read and held against the rules before any value is read, by a reader of our own
that neither runs the HDF5 library nor opens another file. A file that breaks a rule anywhere is refused, with
the object and the rule. The rules:

- links are hard ones; each object has one name; no object is reached twice
- datasets hold plain numbers, in the file itself: no external storage, nothing virtual, no references, text,
  records or variable-length values; compressed by deflate, shuffle, fletcher32, lzf or szip if at all
- attributes hold numbers or text
- what a dataset declares is what it stores; no two datasets share bytes; nothing lies outside of the file
- names are UTF-8 without control characters, NUL, ``.`` and ``..``
- all sizes and numbers stay within :class:`converters.limits.Limits`

Values that lie in one piece are then read at the offsets that were checked. Packed or chunked ones are
unpacked by the HDF5 library in a process of its own (:mod:`converters.hdf5.sandbox`).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import numpy as np

from converters.errors import FileFormatError
from converters.hdf5.metadata import DatasetInfo, GroupInfo
from converters.hdf5.parser import SIGNATURE, CutShortError, RefusedError, parse
from converters.hdf5.sandbox import Sandbox, SandboxError
from converters.hdf5.source import BLOCK, Source, Stamp, Values, identity_of, read_between
from converters.limits import Limits

# HDF5 allows a block of the user's own before the signature: 512 bytes or a power of two times that.
_STARTS = (0, 512, 1024, 2048)
# What is found where a weights file should be, by the first bytes of it (lower case, leading blanks left
# out).
_IMPOSTORS = (
    (b"version https://git-lfs", "a git-lfs pointer: the file itself was never fetched (git lfs pull)"),
    (b"<!doctype html", "an HTML page: a download that went wrong"),
    (b"<html", "an HTML page: a download that went wrong"),
    (b"<?xml", "an XML document: a server's error message, by the look of it"),
    (b"<error", "an XML document: a server's error message, by the look of it"),
    (b"pk\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "gzip-compressed: unpack it first"),
    (b"{", "JSON text"),
)


class Hdf5Source(Source):
    """An HDF5 file whose metadata has been read and found good; its values are read from here.

    Attributes:
        path: The file's name, for messages.
        size: Its bytes.
        tree: What it holds.
        texts: The texts beside the weights in an archive, by name: ``config.json``, ``metadata.json``.
        limits: The caps it was held against.
    """

    def __init__(
        self,
        path: Path,
        stream: IO[bytes],
        limits: Limits,
        *,
        start: int = 0,
        size: int | None = None,
        texts: Mapping[str, str] | None = None,
        known: Stamp | None = None,
    ) -> None:
        """Read the metadata of an open file; :func:`open_hdf5` is the way to get here."""
        super().__init__(path, stream, limits, texts=texts or {})
        self.size = os.fstat(stream.fileno()).st_size if size is None else size
        self._sandbox = Sandbox(stream.fileno(), start, self.size, limits)
        self._identity = identity_of(stream)
        if known is not None and known.identity == self._identity:
            self.tree = known.tree
        else:
            self.tree = _parsed(path, stream, start, self.size, limits)

    def close(self) -> None:
        """Close the file; views from :meth:`mapped` stay good."""
        self._sandbox.close()
        super().close()

    @property
    def stamp(self) -> Stamp:
        """What was found, to be given to :func:`open_hdf5` when the same file is opened again."""
        return Stamp(identity=self._identity, tree=self.tree)

    def blocks(self, dataset: DatasetInfo, nbytes: int = BLOCK) -> Iterator[tuple[int, Values]]:
        """Yield a dataset in blocks of rows: where on the first axis a block begins, and its values.

        Args:
            dataset: One of this file's.
            nbytes: About how many bytes a block has; whole chunks of a chunked dataset in any case.

        Raises:
            FileFormatError: If its values cannot be read.
        """
        if not dataset.size:
            yield 0, np.empty(dataset.shape, dtype=dataset.dtype)
            return
        if not dataset.shape:
            yield 0, self._block(dataset, 0, 1)
            return
        rows, per_row = dataset.shape[0], dataset.nbytes // dataset.shape[0]
        step = dataset.chunks[0] if dataset.chunks else 1
        # A row of chunks that is too large altogether is unpacked again for each of its parts.
        step = step if step * per_row <= self.limits.chunk_bytes else 1
        step *= max(nbytes // (per_row * step), 1)
        for begin in range(0, rows, step):
            yield begin, self._block(dataset, begin, min(begin + step, rows))

    def _block(self, dataset: DatasetInfo, begin: int, end: int) -> Values:
        shape = (end - begin, *dataset.shape[1:]) if dataset.shape else ()
        if dataset.layout == "chunked":
            data = self._decompressed(dataset, begin, end)
        else:
            row = dataset.nbytes // (dataset.shape[0] if dataset.shape else 1)
            data = self._stored(dataset, begin * row, end * row)
        return np.frombuffer(data, dtype=dataset.dtype).reshape(shape)

    def _stored(self, dataset: DatasetInfo, begin: int, end: int) -> bytes:
        if dataset.offset is None:
            return (dataset.data or b"")[begin:end]
        return read_between(self.path, self._stream, dataset.offset + begin, dataset.offset + end)

    def _decompressed(self, dataset: DatasetInfo, begin: int, end: int) -> bytes:
        try:
            return self._sandbox.rows(dataset, begin, end)
        except SandboxError as error:
            raise FileFormatError(f"{self.path}: dataset {dataset.path!r} {error}") from error


def open_hdf5(path: Path, stream: IO[bytes], *, limits: Limits, known: Stamp | None = None) -> Hdf5Source:
    """Read the metadata of an HDF5 file that is open already.

    Args:
        path: Its name, for messages.
        stream: The file, open for reading bytes; it belongs to what is returned.
        limits: Caps.
        known: What was found when the file was opened before; if it is still the same file, unchanged since,
            its metadata is not read again.

    Raises:
        FileFormatError: If it is not HDF5, or it is cut short or damaged, or anything in it breaks a rule.
    """
    _refuse_impostors(path, os.pread(stream.fileno(), 4096, 0))
    return Hdf5Source(path, stream, limits, known=known)


def open_regular(path: Path) -> IO[bytes]:
    """Open a regular file for reading; a pipe or a device is not waited for.

    Raises:
        FileFormatError: If it cannot be opened or is none.
    """
    try:
        stream = open(path, "rb", opener=_opener)  # noqa: SIM115
    except FileNotFoundError as error:
        raise FileFormatError(f"{path}: no such file") from error
    except IsADirectoryError as error:
        raise FileFormatError(f"{path}: a folder, not a weights file") from error
    except OSError as error:
        raise FileFormatError(f"{path}: cannot be read ({error.strerror})") from error
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise FileFormatError(f"{path}: not a regular file")
    return stream


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def check_signature(path: Path) -> None:
    """Raise unless a path leads to a regular file that starts as HDF5 files do.

    Raises:
        FileFormatError: With what the file is instead, as far as its first bytes tell.
    """
    with open_regular(path) as stream:
        _refuse_impostors(path, stream.read(4096))


def _refuse_impostors(path: Path, head: bytes) -> None:
    if _start(head) is None:
        raise FileFormatError(f"{path}: not an HDF5 file but {_describe_head(head)}")


def is_hdf5(head: bytes) -> bool:
    """Return whether a file that begins with these bytes begins as HDF5 does."""
    return _start(head) is not None


def _start(head: bytes) -> int | None:
    return next((at for at in _STARTS if head[at : at + 8] == SIGNATURE), None)


def _describe_head(head: bytes) -> str:
    if not head:
        return "empty"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for start, meaning in _IMPOSTORS:
        if text.startswith(start):
            return meaning
    return f"something that starts with {head[:16]!r}"


def _parsed(path: Path, stream: IO[bytes], start: int, size: int, limits: Limits) -> GroupInfo:
    base = _start(os.pread(stream.fileno(), min(4096, size), start))
    if base is None:
        raise FileFormatError(f"{path}: what should be its weights is not an HDF5 file")
    try:
        return parse(stream.fileno(), start + base, size - base, limits, base=base)
    except CutShortError as error:
        raise FileFormatError(f"{path}: an HDF5 file, but cut short ({error}); fetch it again") from error
    except RefusedError as error:
        raise FileFormatError(f"{path}: {error}") from error
