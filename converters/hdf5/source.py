"""What every weights file is read as: a tree of groups and arrays, and values mapped or block by block.

Whatever its format is, its reader holds all that a file says of itself against the rules and the caps before
any value is read; what comes out is a :class:`Source`.
"""

from __future__ import annotations

import math
import mmap
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np

from converters.errors import FileFormatError
from converters.hdf5.metadata import DatasetInfo, GroupInfo
from converters.limits import Limits, clipped, name_fault

Values = np.ndarray[Any, Any]
BLOCK = 16 << 20
"""About how many bytes are read at a time."""
_BLANKS = {ord(char): " " for char in "\n\t\r"}


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """A file's tree, and which file on the disk it was read from: device, number, size, times in ns."""

    identity: tuple[int, ...]
    tree: GroupInfo


class Closing:
    """What holds a stream, and closes it at the end of a block."""

    _stream: IO[bytes]

    def __enter__(self) -> Self:
        """Return the object itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the stream."""
        self.close()

    def close(self) -> None:
        """Close the stream."""
        self._stream.close()


class Source(Closing, ABC):
    """An open file whose metadata has been found good; its values are read from here.

    A format gives :attr:`tree`, :attr:`stamp` and :meth:`blocks`.

    Attributes:
        path: The file's name, for messages.
        limits: The caps that it was held against.
        tree: What it holds: a group of arrays, and of groups in HDF5 files.
        texts: The texts beside the weights in an archive, by name: ``config.json``, ``metadata.json``.
    """

    tree: GroupInfo

    def __init__(self, path: Path, stream: IO[bytes], limits: Limits, *, texts: Mapping[str, str]) -> None:
        """Take an open file, which belongs to this object."""
        self.path = path
        self.limits = limits
        self.texts = texts
        self._stream = stream
        self._map: mmap.mmap | None = None

    def close(self) -> None:
        """Close the file; views from :meth:`mapped` stay good."""
        self._map = None
        super().close()

    @property
    def root(self) -> Node:
        """The root group."""
        return Node(self.tree, self.path, self.limits)

    @property
    @abstractmethod
    def stamp(self) -> Stamp:
        """What was found, for :mod:`converters.formats.opening` when the same file is opened again."""

    def mapped(self, dataset: DatasetInfo) -> Values:
        """Return an array as a read-only view of the file; one that does not lie there as it is, is read.

        The file must not become shorter while the view is in use: the system would end the process.
        """
        if dataset.offset is None:
            return self.read(dataset)
        values: Values = np.frombuffer(self._room(), dataset.dtype, dataset.size, dataset.offset)
        return values.reshape(dataset.shape)

    def _room(self) -> mmap.mmap:
        """Return the file, mapped."""
        if self._map is None:
            self._map = mmap.mmap(self._stream.fileno(), 0, access=mmap.ACCESS_READ)
        return self._map

    def read(self, dataset: DatasetInfo) -> Values:
        """Return a whole array, in the type it is stored in, in memory of its own.

        Raises:
            FileFormatError: If its values cannot be read (a damaged block).
        """
        values = np.empty(dataset.shape, dtype=dataset.dtype)
        for begin, block in self.blocks(dataset):
            values[(slice(begin, begin + len(block)) if dataset.shape else ...)] = block
        return values

    @abstractmethod
    def blocks(self, dataset: DatasetInfo, nbytes: int = BLOCK) -> Iterator[tuple[int, Values]]:
        """Yield an array in blocks of rows: where on the first axis a block begins, and its values.

        Args:
            dataset: One of this file's arrays.
            nbytes: About how many bytes a block has.

        Raises:
            FileFormatError: If its values cannot be read.
        """


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


def read_between(path: Path, stream: IO[bytes], begin: int, end: int) -> bytes:
    """Return the bytes of an open file from one offset to another.

    Raises:
        FileFormatError: If it has not as many.
    """
    return read_between_handle(path, stream.fileno(), begin, end)


def read_between_handle(path: Path, handle: int, begin: int, end: int) -> bytes:
    """Return the same of a file by its handle; errors are those of :func:`read_between`."""
    parts = []
    while begin < end:
        part = os.pread(handle, end - begin, begin)
        if not part:
            raise FileFormatError(f"{path}: has become shorter while it was read")
        parts.append(part)
        begin += len(part)
    return b"".join(parts)


def identity_of(stream: IO[bytes]) -> tuple[int, ...]:
    """Return which file is open, and as of when."""
    return identity_by(os.fstat(stream.fileno()))


def identity_by(facts: os.stat_result) -> tuple[int, ...]:
    """Return which file is meant, and as of when: device, number, size, times in ns."""
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns
