""".npz files: a zip archive of .npy files, stored as they are, so that each array has its place.

The archive is written by hand because a member's checksum stands in front of its values, which are filled
in later. Members are aligned, which an extra field in each header is there for. One more member, ``zoo``, is
a text: the description of the layers and the record of the conversion, as JSON.

What is read may be anybody's, stored or compressed: the archive is held against the rules of
:mod:`converters.formats.archive`, and each member's header must be one that NumPy writes for plain numbers.
It is matched, never evaluated.

Sources: PKWARE's APPNOTE 6.3.9 (4.3.7 local header, 4.3.12 central directory, 4.3.14 to 4.3.16 its end, 4.5.3
ZIP64), numpy/lib/format.py for .npy.
"""

from __future__ import annotations

import io
import json
import math
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from converters.arrays.moves import Values
from converters.errors import ConversionError, FileFormatError
from converters.formats.archive import Archive, first_member, member_fault
from converters.formats.contents import Contents, Extent, Extents, padded
from converters.formats.plain import described_text
from converters.formats.source import DESCRIPTION, PlainArray, PlainSource, row_bytes, rows_of
from converters.hdf5.metadata import DatasetInfo
from converters.hdf5.source import Stamp
from converters.limits import Limits, clipped, load_json

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_END = struct.Struct("<4s4H2LH")
_SIZES64 = struct.Struct("<2H2Q")
_OFFSET64 = struct.Struct("<2H3Q")
_VERSION = 45
_UTF8 = 0x800
# 1 January 1980, the first day that a zip archive knows: the same input gives the same file.
_DATE = 0x21
_FULL = 0xFFFFFFFF
_PADDING_ID = 0x5A4F
_BLOCK = 1 << 22
_TEXT = "zoo"
_NPY = ".npy"
# What NumPy writes in front of an array of plain numbers or of text, from version 1.5 on.
_START = 1 << 16
"""Bytes within which a member's header has to end."""
_HEADER = re.compile(
    rb"\{'descr': '(?P<type>[<>|][a-zA-Z]\d*)', 'fortran_order': (?P<fortran>True|False),"
    rb" 'shape': \((?P<shape>(?:\d{1,18}(?:, \d{1,18}){0,31},?)?)\), \} *\n"
)
_NUMBERS = re.compile(r"[<>|][iu][1248]|[<>]f[248]")
_LENGTHS = {1: 2, 2: 4, 3: 4}
"""Bytes of the header's length by the version of the form."""


@dataclass(frozen=True, kw_only=True)
class _Member:
    """One member: where its header begins, and where its data, which has ``size`` bytes."""

    name: bytes
    header: int
    data: int
    size: int


def recognise(head: bytes) -> bool:
    """Return whether a file begins as a zip archive does whose first member is NumPy's."""
    first = first_member(head)
    return first is not None and first.endswith(_NPY.encode())


def read(path: Path, stream: IO[bytes], limits: Limits, known: Stamp | None) -> NpzSource:
    """Read the list of members of an open archive, and what each says in front of its values.

    Args:
        path: Its name, for messages.
        stream: The archive; it belongs to what is returned.
        limits: Caps.
        known: Of no use here: no value is read before it is wanted.

    Raises:
        FileFormatError: If it is damaged, or a member breaks a rule.
    """
    return NpzSource(Archive(path, stream, limits), stream)


@dataclass(frozen=True, kw_only=True)
class _Start:
    """What a member says in front of its values, and where these begin in it."""

    type: str
    shape: tuple[int, ...]
    length: int


class NpzSource(PlainSource):
    """An open archive; what its members hold is held against their checksums before it is used."""

    def __init__(self, archive: Archive, stream: IO[bytes]) -> None:
        """Read an archive whose list of members has been found good."""
        self._archive = archive
        self._starts = {_array_name(archive, name): _start(archive, name) for name in archive.names}
        self._whole: set[str] = set()
        arrays = [self._array(name) for name in self._starts if name != _TEXT]
        texts = _texts(archive, self._starts[_TEXT]) if _TEXT in self._starts else {}
        super().__init__(archive.path, stream, archive.limits, name="npz", arrays=arrays, texts=texts)

    def _array(self, name: str) -> PlainArray:
        start, member = self._starts[name], f"{name}{_NPY}"
        if not _NUMBERS.fullmatch(start.type):
            raise _refusal(self._archive, member, f"is of type {start.type!r}; plain numbers alone are read")
        dtype = np.dtype(start.type)
        declared, stored = math.prod(start.shape) * dtype.itemsize, self._archive.size(member) - start.length
        if declared != stored:
            raise _refusal(self._archive, member, f"declares {declared} bytes of values and has {stored}")
        begin = self._archive.offset(member)
        offset = None if begin is None else begin + start.length
        return PlainArray(name=name, shape=start.shape, dtype=dtype, offset=offset)

    def mapped(self, dataset: DatasetInfo) -> Values:
        """Return an array as a read-only view of the file, once it has its checksum; else as it is read.

        Raises:
            FileFormatError: If it has not.
        """
        if dataset.offset is not None and dataset.path not in self._whole:
            for _ in self._archive.blocks(f"{dataset.path}{_NPY}"):
                pass
            self._whole.add(dataset.path)
        return super().mapped(dataset)

    def blocks(self, dataset: DatasetInfo, nbytes: int = _BLOCK) -> Iterator[tuple[int, Values]]:
        """Yield an array in blocks of rows, see :meth:`PlainSource.blocks`; the last one if all is well."""
        stream = _Unpacked(self._archive.blocks(f"{dataset.path}{_NPY}"))
        stream.take(self._starts[dataset.path].length)
        for begin, end, shape in rows_of(dataset, nbytes):
            data = stream.take((end - begin) * row_bytes(dataset))
            yield begin, np.frombuffer(data, dtype=dataset.dtype).reshape(shape)


class _Unpacked:
    """The bytes of a member, taken as they come."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._left = bytearray()

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        while len(self._left) < count and (block := next(self._blocks, None)) is not None:
            self._left += block
        taken = bytes(self._left[:count])
        del self._left[:count]
        return taken


def _refusal(archive: Archive, member: str, rule: str) -> FileFormatError:
    return FileFormatError(f"{archive.path}: member {clipped(member)} {rule}")


def _array_name(archive: Archive, member: str) -> str:
    if not member.endswith(_NPY):
        raise _refusal(archive, member, f"is no array: it is not called NAME{_NPY}")
    return member.removesuffix(_NPY)


def _start(archive: Archive, member: str) -> _Start:
    """Return what a member says in front of its values.

    Raises:
        FileFormatError: If NumPy does not write that in front of plain numbers.
    """
    head = archive.head(member, _START)
    size = _LENGTHS.get(head[6], 0) if head[:6] == b"\x93NUMPY" and len(head) > 12 else 0
    if not size:
        raise _refusal(archive, member, "does not begin as arrays of NumPy do")
    begin = 8 + size
    length = begin + int.from_bytes(head[8:begin], "little")
    found = _HEADER.fullmatch(head[begin:length]) if length <= len(head) else None
    if found is None:
        raise _refusal(archive, member, "has a header that NumPy does not write for plain numbers")
    if found["fortran"] == b"True":
        raise _refusal(archive, member, "is in Fortran's order; save numpy.ascontiguousarray() of it")
    shape = tuple(int(size) for size in found["shape"].rstrip(b",").split(b", ") if size)
    return _Start(type=found["type"].decode(), shape=shape, length=length)


def _texts(archive: Archive, start: _Start) -> dict[str, object]:
    """Return the record and the description in the member that is a text.

    Raises:
        FileFormatError: If it is none, or does not hold them.
    """
    member = f"{_TEXT}{_NPY}"
    if start.type[:2] != "<U" or start.shape:
        raise _refusal(archive, member, "is not one text")
    entry = archive.read_bytes(member) or b""
    text = entry[start.length :].decode("utf-32-le", "replace").rstrip("\0")
    told = load_json(text, f"{archive.path}: the entry {_TEXT!r}", archive.limits)
    record = told.get("record", {}) if isinstance(told, dict) else None
    if not isinstance(record, dict):
        raise _refusal(archive, member, "holds no record")
    described = told.get(DESCRIPTION)
    return record | ({} if described is None else {DESCRIPTION: json.dumps(described)})


def create(contents: Contents, path: Path, texts: Mapping[str, str]) -> Extents:
    """Make the file with room for every array.

    Args:
        contents: A plan to this container.
        path: The file.
        texts: Of no use here: they are for the root of an HDF5 file.

    Returns:
        Where each array lies, by its name.

    Raises:
        ConversionError: If an array has a name that no archive's member may have.
    """
    extents = {}
    limits = Limits.from_environment()
    for output in contents.outputs:
        if fault := member_fault(output.name, output.name, limits):
            text = f"array {clipped(output.name)} {fault}, so no npz file may hold it"
            raise ConversionError(f"{contents.path}: {text}; --to safetensors (to=) may")
    with path.open("wb") as stream:
        for output, member, start in _layout(contents):
            stream.seek(member.header)
            stream.write(_local_header(member, 0))
            stream.write(start)
            offset = member.data + len(start)
            extents[output.target_path] = Extent(offset=offset, shape=output.target_shape, dtype=output.dtype)
            stream.truncate(member.data + member.size)
    return extents


def finish(contents: Contents, path: Path, record: Mapping[str, str]) -> None:
    """Add the description, compute the checksums, and write the archive's directory.

    Args:
        contents: The contents.
        path: The file.
        record: The record's texts.
    """
    members = [member for _, member, _ in _layout(contents)]
    told = {DESCRIPTION: json.loads(described_text(contents)), "record": dict(record)}
    text = _npy_bytes(np.array(json.dumps(told)))
    at = members[-1].data + members[-1].size if members else 0
    last = _member(f"{_TEXT}{_NPY}", at, len(text))
    with path.open("r+b") as stream:
        stream.seek(last.data)
        stream.write(text)
        directory = b"".join(_sealed(stream, member) for member in (*members, last))
        stream.seek(last.data + last.size)
        stream.write(directory + _end(len(members) + 1, last.data + last.size, len(directory)))


def _layout(contents: Contents) -> list[tuple[Any, _Member, bytes]]:
    """Return for each output its member and the first bytes of that."""
    found = []
    at = 0
    for output in contents.outputs:
        start = _npy_header(output.target_shape, output.dtype)
        member = _member(f"{output.name}{_NPY}", at, len(start) + output.nbytes)
        found.append((output, member, start))
        at = member.data + member.size
    return found


def _npy_header(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    stream = io.BytesIO()
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue()


def _npy_bytes(array: np.ndarray[Any, Any]) -> bytes:
    return _npy_header(array.shape, array.dtype) + array.tobytes()


def _member(name: str, at: int, size: int) -> _Member:
    """Return a member whose header begins at a byte, and whose data begins at a multiple of 64."""
    encoded = name.encode()
    begin = at + _LOCAL.size + len(encoded) + _SIZES64.size + 4
    data = padded(begin)
    return _Member(name=encoded, header=at, data=data, size=size)


def _local_header(member: _Member, checksum: int) -> bytes:
    room = member.data - member.header - _LOCAL.size - len(member.name)
    extra = _SIZES64.pack(1, 16, member.size, member.size)
    padding = room - len(extra) - 4
    extra += struct.pack("<2H", _PADDING_ID, padding) + bytes(padding)
    fields = (b"PK\3\4", _VERSION, _UTF8, 0, 0, _DATE, checksum, _FULL, _FULL, len(member.name), room)
    return _LOCAL.pack(*fields) + member.name + extra


def _sealed(stream: IO[bytes], member: _Member) -> bytes:
    """Write a member's header with its checksum, and return its entry in the directory."""
    checksum, left = 0, member.size
    stream.seek(member.data)
    while left:
        block = stream.read(min(left, _BLOCK))
        if not block:
            raise OSError(f"{member.name.decode()} is cut short")
        checksum, left = zlib.crc32(block, checksum), left - len(block)
    stream.seek(member.header)
    stream.write(_local_header(member, checksum))
    extra = _OFFSET64.pack(1, 24, member.size, member.size, member.header)
    fields = (b"PK\1\2", _VERSION, _VERSION, _UTF8, 0, 0, _DATE, checksum, _FULL, _FULL, len(member.name))
    return _CENTRAL.pack(*fields, len(extra), 0, 0, 0, 0, _FULL) + member.name + extra


def _end(count: int, offset: int, size: int) -> bytes:
    """Return the end of the directory, in the old form and in the one for large archives."""
    large = _END64.pack(b"PK\6\6", 44, _VERSION, _VERSION, 0, 0, count, count, size, offset)
    locator = _LOCATOR64.pack(b"PK\6\7", 0, offset + size, 1)
    short = min(count, 0xFFFF)
    return large + locator + _END.pack(b"PK\5\6", 0, 0, short, short, _FULL, _FULL, 0)
