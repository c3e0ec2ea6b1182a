"""Writing .npz files: a zip archive of .npy files, stored as they are, so that each array has its place.

The archive is written by hand because a member's checksum stands in front of its values, which are filled
in later. Members are aligned, which an extra field in each header is there for. One more member, ``zoo``, is
a text: the description of the layers and the record of the conversion, as JSON.

Sources: PKWARE's APPNOTE 6.3.9 (4.3.7 local header, 4.3.12 central directory, 4.3.14 to 4.3.16 its end, 4.5.3
ZIP64), numpy/lib/format.py for .npy.
"""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from converters.formats.contents import Contents, Extent, padded
from converters.formats.safetensors import describe
from converters.limits import load_json

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
DESCRIPTION = "zoo"


@dataclass(frozen=True, kw_only=True)
class _Member:
    """One member: where its header begins, and where its data, which has ``size`` bytes."""

    name: bytes
    header: int
    data: int
    size: int


def create(contents: Contents, path: Path) -> dict[str, Extent]:
    """Make the file with room for every array.

    Args:
        contents: A plan to this container.
        path: The file.

    Returns:
        Where each array lies, by its name.
    """
    places = {}
    with path.open("wb") as stream:
        for output, member, start in _layout(contents):
            stream.seek(member.header)
            stream.write(_local_header(member, 0))
            stream.write(start)
            offset = member.data + len(start)
            places[output.target_path] = Extent(offset=offset, shape=output.target_shape, dtype=output.dtype)
            stream.truncate(member.data + member.size)
    return places


def finish(contents: Contents, path: Path, record: Mapping[str, str]) -> None:
    """Add the description, compute the checksums, and write the archive's directory.

    Args:
        contents: The contents.
        path: The file.
        record: The record's texts.
    """
    members = [member for _, member, _ in _layout(contents)]
    told = {"description": json.loads(describe(contents)), "record": dict(record)}
    text = _npy_bytes(np.array(json.dumps(told)))
    at = members[-1].data + members[-1].size if members else 0
    last = _member(f"{DESCRIPTION}.npy", at, len(text))
    with path.open("r+b") as stream:
        stream.seek(last.data)
        stream.write(text)
        directory = b"".join(_sealed(stream, member) for member in (*members, last))
        stream.seek(last.data + last.size)
        stream.write(directory + _end(len(members) + 1, last.data + last.size, len(directory)))


def read_record(path: Path) -> Mapping[str, Any]:
    """Return the record in an archive that may be anybody's; nothing if it has none.

    Args:
        path: The archive.

    Raises:
        FileFormatError: If it is no archive, damaged, or breaks a rule.
    """
    from converters.formats.archive import open_archive

    with open_archive(path) as archive:
        entry = archive.read_bytes(f"{DESCRIPTION}.npy") or b""
    # Two bytes behind the magic and the version tell how long the header is; the text is in UCS-4.
    text = entry[10 + int.from_bytes(entry[8:10], "little") :].decode("utf-32-le", "replace").rstrip("\0")
    told = load_json(text, f"{path}: the entry {DESCRIPTION!r}")
    record = told.get("record") if isinstance(told, dict) else None
    return record if isinstance(record, dict) else {}


def _layout(contents: Contents) -> list[tuple[Any, _Member, bytes]]:
    """Return for each output its member and the first bytes of that."""
    found = []
    at = 0
    for output in contents.outputs:
        start = _npy_header(output.target_shape, output.dtype)
        member = _member(f"{output.name}.npy", at, len(start) + output.nbytes)
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
