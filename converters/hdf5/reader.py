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

import math
import mmap
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from converters.errors import FileFormatError
from converters.hdf5.metadata import DatasetInfo, GroupInfo
from converters.hdf5.parser import SIGNATURE, CutShortError, RefusedError, parse
from converters.hdf5.sandbox import Sandbox, SandboxError
from converters.limits import Limits, clipped, name_fault

Values = np.ndarray[Any, Any]
# HDF5 allows a block of the user's own before the signature: 512 bytes or a power of two times that.
_STARTS = (0, 512, 1024, 2048)
_BLOCK = 16 << 20
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


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """A file's tree, and which file on the disk it was read from: device, number, size, times in ns."""

    identity: tuple[int, ...]
    tree: GroupInfo


class Source:
    """A file whose metadata has been read and found good; its values are read from here.

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
        self.path = path
        self.size = os.fstat(stream.fileno()).st_size if size is None else size
        self.limits = limits
        self.texts = texts or {}
        self._stream = stream
        self._map: mmap.mmap | None = None
        self._sandbox = Sandbox(stream.fileno(), start, self.size, limits)
        self._identity = identity_of(stream)
        if known is not None and known.identity == self._identity:
            self.tree = known.tree
        else:
            self.tree = _parsed(path, stream, start, self.size, limits)

    def __enter__(self) -> Source:
        """Return the file itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file; views from :meth:`mapped` stay good."""
        self._sandbox.close()
        self._map = None
        self._stream.close()

    @property
    def root(self) -> Node:
        """The root group."""
        return Node(self.tree, self.path, self.limits)

    @property
    def stamp(self) -> Stamp:
        """What was found, to be given to :func:`open_hdf5` when the same file is opened again."""
        return Stamp(identity=self._identity, tree=self.tree)

    def mapped(self, dataset: DatasetInfo) -> Values:
        """Return a contiguous dataset as a read-only view of the file; nothing is read until it is used.

        The file must not become shorter while the view is in use: the system would end the process.
        """
        if dataset.offset is None:
            return self.read(dataset)
        if self._map is None:
            self._map = mmap.mmap(self._stream.fileno(), 0, access=mmap.ACCESS_READ)
        values: Values = np.frombuffer(self._map, dataset.dtype, dataset.size, dataset.offset)
        return values.reshape(dataset.shape)

    def read(self, dataset: DatasetInfo) -> Values:
        """Return a whole dataset, in the type it is stored in, in memory of its own.

        Raises:
            FileFormatError: If its values cannot be read (a damaged block).
        """
        values = np.empty(dataset.shape, dtype=dataset.dtype)
        if not dataset.shape:
            values[...] = next(self.blocks(dataset))[1]
            return values
        for begin, block in self.blocks(dataset):
            values[begin : begin + len(block)] = block
        return values

    def blocks(self, dataset: DatasetInfo, nbytes: int = _BLOCK) -> Iterator[tuple[int, Values]]:
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


def read_between(path: Path, stream: IO[bytes], begin: int, end: int) -> bytes:
    """Return the bytes of an open file from one offset to another.

    Raises:
        FileFormatError: If it has not as many.
    """
    parts = []
    while begin < end:
        part = os.pread(stream.fileno(), end - begin, begin)
        if not part:
            raise FileFormatError(f"{path}: has become shorter while it was read")
        parts.append(part)
        begin += len(part)
    return b"".join(parts)


def open_hdf5(path: Path, stream: IO[bytes], *, limits: Limits, known: Stamp | None = None) -> Source:
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
    return Source(path, stream, limits, known=known)


def identity_of(stream: IO[bytes]) -> tuple[int, ...]:
    """Return which file is open, and as of when: device, number, size, times in ns."""
    facts = os.fstat(stream.fileno())
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


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


class Node:
    """One group of a file, with its attributes and children; the file's path is for messages."""

    def __init__(self, info: GroupInfo, path: Path, limits: Limits) -> None:
        """Take a group's record, the file it is from, and the caps that hold for it."""
        self.info = info
        self.file = path
        self.limits = limits
        self.name = info.path

    def attribute(self, name: str) -> object:
        """Return an attribute's value (numbers, str, or a list of str), or None if there is none.

        Raises:
            FileFormatError: If it cannot be decoded.
        """
        found = self.info.attributes.get(name)
        if found is None:
            return None
        try:
            return found.value
        except UnicodeDecodeError as error:
            raise FileFormatError(
                f"{self.file}: attribute {name!r} of {self.name!r} cannot be read (it is not UTF-8)"
            ) from error

    def text(self, name: str) -> str | None:
        """Return a text attribute, or None if there is none or it is no text.

        Raises:
            FileFormatError: If it holds control characters, line breaks and tabs apart.
        """
        value = self.attribute(name)
        if not isinstance(value, str):
            return None
        if not value.translate(_BLANKS).isprintable():
            where = f"{self.file}: attribute {name!r} of {self.name!r}"
            raise FileFormatError(f"{where} holds control characters")
        return value

    def names(self, attribute: str) -> tuple[str, ...] | None:
        """Return a list of names, put together again where Keras 2 had split it into chunks.

        HDF5 keeps an attribute below 64 KiB, so Keras from 2.0.9 on splits longer lists into
        ``layer_names0``, ``layer_names1`` and so on.

        Raises:
            FileFormatError: If the attribute is there but is not a list of names.
        """
        lists = [attribute] if attribute in self.info.attributes else list(self._chunks(attribute))
        if not lists:
            return None
        self._check_count(attribute, lists)
        chunks = map(self.attribute, lists)
        listed = [name for chunk in chunks for name in (chunk if isinstance(chunk, list) else [chunk])]
        found = tuple(name for name in listed if isinstance(name, str) and name)
        if len(found) < len(listed):
            raise FileFormatError(
                f"{self.file}: attribute {attribute!r} of {self.name!r} is not a list of names"
            )
        for name in found:
            self._check_name(name, attribute)
        return found

    def _check_count(self, attribute: str, lists: list[str]) -> None:
        """Raise if there are more names than objects may be; a file need not store a name to list it."""
        count = sum(math.prod(self.info.attributes[name].shape or ()) for name in lists)
        if count > self.limits.objects:
            raise FileFormatError(
                f"{self.file}: attribute {attribute!r} of {self.name!r} lists {count} names; "
                f"more than {self.limits.objects} are not read (limit objects)"
            )

    def _check_name(self, name: str, attribute: str) -> None:
        parts, depth = name.split("/"), self.limits.depth
        fault = f"lies more than {depth} groups deep (limit depth)" if len(parts) > depth else None
        for part in parts[:depth]:
            fault = fault or name_fault(part, self.limits)
        if fault:
            where = f"{self.file}: attribute {attribute!r} of {self.name!r}"
            raise FileFormatError(f"{where} lists the name {clipped(name)}, a part of which {fault}")

    def _chunks(self, attribute: str) -> Iterator[str]:
        number = 0
        while (name := f"{attribute}{number}") in self.info.attributes:
            yield name
            number += 1

    def children(self) -> list[str]:
        """Return the names of the links in this group, in the file's own order."""
        return list(self.info.children)

    def has(self, name: str) -> bool:
        """Return whether this group holds a link of that name (one level down, no ``/``)."""
        return name in self.info.children

    def is_group(self, name: str) -> bool:
        """Return whether this group holds a group of that name (one level down, no ``/``)."""
        return isinstance(self.info.children.get(name), GroupInfo)

    def group(self, name: str) -> Node:
        """Return a group below this one; ``/`` in the name leads further down.

        Raises:
            FileFormatError: If it is missing or not a group.
        """
        found = self._find(name)
        if not isinstance(found, GroupInfo):
            raise FileFormatError(f"{self.file}: {self._full(name)!r} is not a group")
        return Node(found, self.file, self.limits)

    def dataset(self, name: str) -> DatasetInfo:
        """Return a dataset below this group; ``/`` in the name leads further down.

        Raises:
            FileFormatError: If it is missing or not a dataset.
        """
        found = self._find(name)
        if not isinstance(found, DatasetInfo):
            raise FileFormatError(f"{self.file}: {self._full(name)!r} is not a dataset")
        return found

    def _find(self, name: str) -> GroupInfo | DatasetInfo:
        found: GroupInfo | DatasetInfo | None = self.info
        parts = name.split("/")
        if not all(part not in ("", ".", "..") for part in parts):
            raise FileFormatError(f"{self.file}: {name!r} is not a name that Keras would write")
        for depth, part in enumerate(parts):
            if not isinstance(found, GroupInfo):
                above = self._full("/".join(parts[:depth]))
                raise FileFormatError(f"{self.file}: {above!r} is not a group")
            found = found.children.get(part)
            if found is None:
                raise FileFormatError(f"{self.file}: {self._full(name)!r} is missing")
        return found  # type: ignore[return-value]

    def _full(self, name: str) -> str:
        return f"{self.name}/{name}".lstrip("/")


_BLANKS = {ord(char): " " for char in "\n\t\r"}


def root(source: Source) -> Node:
    """Return the root group of an open file."""
    return source.root
