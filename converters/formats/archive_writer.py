"""Writing ``.keras`` archives: the weights lie in them as they are, where their arrays are filled in place.

An archive is a zip file of ``config.json``, ``model.weights.h5`` and ``metadata.json``, none of them
compressed. The weights' HDF5 file is laid out beside it first, without values; all of it but the room for
values is copied to its place in the archive, and whoever fills the arrays writes straight there. The
checksums and the list of members come last.

Source: PKWARE's APPNOTE.TXT 6.3.10, 4.3 to 4.5; save_model() in keras/src/saving/saving_lib.py, Keras 3.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from converters.arrays.mapped import stretches
from converters.formats import keras_h5_writer
from converters.formats.archive import WEIGHTS
from converters.formats.contents import Arrays, Extents, padded

CONFIG, METADATA = "config.json", "metadata.json"
_BLOCK = 1 << 20
_LOCAL, _CENTRAL, _END = 0x04034B50, 0x02014B50, 0x06054B50
_END64, _LOCATOR = 0x06064B50, 0x07064B50
_FULL = 0xFFFFFFFF
_PLAIN, _ZIP64 = 20, 45
# The first day that a zip file can tell: an archive of the same model is the same to the byte.
_DAY = 0x21
_PADDING = 0xD935
"""The number under which an extra field holds only room, so that what follows begins where it should."""


@dataclass(frozen=True, kw_only=True)
class _Member:
    """A member of an archive: where its own header begins, and where its bytes lie."""

    name: str
    header: int
    start: int
    size: int
    crc: int = 0

    @property
    def large(self) -> bool:
        return self.size >= _FULL

    def sizes(self) -> tuple[int, int]:
        return (_FULL, _FULL) if self.large else (self.size, self.size)

    def local(self) -> bytes:
        """Return its own header, with room up to its bytes."""
        name = self.name.encode()
        extra = struct.pack("<HHQQ", 1, 16, self.size, self.size) if self.large else b""
        room = self.start - self.header - 30 - len(name) - len(extra)
        extra += struct.pack("<HH", _PADDING, room - 4) + bytes(room - 4) if room else b""
        need = _ZIP64 if self.large else _PLAIN
        fields = (need, 0, 0, 0, _DAY, self.crc, *self.sizes(), len(name), len(extra))
        return struct.pack("<IHHHHHIIIHH", _LOCAL, *fields) + name + extra

    def central(self) -> bytes:
        """Return its entry in the list of members."""
        name = self.name.encode()
        far = self.header >= _FULL
        wide = [self.size, self.size] * self.large + [self.header] * far
        extra = struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
        need = _ZIP64 if wide else _PLAIN
        fields = (need, need, 0, 0, 0, _DAY, self.crc, *self.sizes(), len(name), len(extra), 0, 0, 0, 0)
        offset = _FULL if far else self.header
        return struct.pack("<IHHHHHHIIIHHHHHII", _CENTRAL, *fields, offset) + name + extra


def create(contents: Arrays, path: Path, texts: Mapping[str, str]) -> Extents:
    """Make the new archive, with room for every array.

    Args:
        contents: The arrays, in Keras 3's places.
        path: The file; what is there is replaced.
        texts: The text of ``config.json``, under that name.

    Returns:
        Where each array lies, by its path in the weights.
    """
    beside = path.with_name(f"{path.name.removesuffix('.part')}-weights.part")
    try:
        extents = keras_h5_writer.create_keras3(contents, beside, {})
        with beside.open("rb") as weights, path.open("wb") as stream:
            config = _text_member(CONFIG, texts[CONFIG], 0)
            _put_text(stream, config, texts[CONFIG])
            member = _member(WEIGHTS, config.start + config.size, beside.stat().st_size)
            stream.write(member.local())
            for start, stop in _between(extents, member.size):
                _copy(weights, stream, start, stop, member.start)
            stream.truncate(member.start + member.size)
    finally:
        beside.unlink(missing_ok=True)
    return {name: replace(extent, offset=extent.offset + member.start) for name, extent in extents.items()}


def finish(contents: Arrays, path: Path, record: Mapping[str, str]) -> None:
    """Write the checksum of the weights, what the archive says of itself, and the list of members.

    Args:
        contents: The contents.
        path: The file that :func:`create` made, with all arrays in it.
        record: What it says of itself, by name: ``keras_version``, that whose form it has, among it.
    """
    text = json.dumps(dict(record))
    with path.open("r+b") as stream:
        config = _read_member(stream, 0)
        weights = _read_member(stream, config.start + config.size)
        weights = replace(weights, crc=_checksum(stream, weights))
        stream.seek(weights.header)
        stream.write(weights.local())
        end = weights.start + weights.size
        stream.seek(end)
        told = _text_member(METADATA, text, end)
        _put_text(stream, told, text)
        _put_list(stream, (config, weights, told))


def _member(name: str, header: int, size: int) -> _Member:
    """Return a member whose bytes begin at a multiple of 64 bytes, and where no HDF5 file of its own may.

    That is at 0, 512 and its doubles: whoever looks for HDF5 before zip would take the archive for one.
    """
    # Room of one to three bytes cannot be told.
    start = padded(header + 30 + len(name.encode()) + (20 if size >= _FULL else 0) + 4)
    start += 64 if start % 512 == 0 else 0
    return _Member(name=name, header=header, start=start, size=size)


def _text_member(name: str, text: str, header: int) -> _Member:
    data = text.encode()
    start = header + 30 + len(name.encode())
    return _Member(name=name, header=header, start=start, size=len(data), crc=zlib.crc32(data))


def _put_text(stream: IO[bytes], member: _Member, text: str) -> None:
    stream.write(member.local())
    stream.write(text.encode())


def _between(extents: Extents, size: int) -> Iterator[tuple[int, int]]:
    """Yield the stretches of a file that no array lies in."""
    at = 0
    for extent in sorted(extents.values(), key=lambda extent: extent.offset):
        if extent.offset > at:
            yield at, extent.offset
        at = max(at, extent.end)
    if at < size:
        yield at, size


def _copy(source: IO[bytes], target: IO[bytes], start: int, stop: int, base: int) -> None:
    source.seek(start)
    target.seek(base + start)
    while start < stop:
        block = source.read(min(_BLOCK, stop - start))
        target.write(block)
        start += len(block)


def _read_member(stream: IO[bytes], header: int) -> _Member:
    """Return a member by its own header, which :func:`create` wrote."""
    stream.seek(header)
    _, _, _, _, _, _, crc, size, _, name, extra = struct.unpack("<IHHHHHIIIHH", stream.read(30))
    called = stream.read(name).decode()
    if size == _FULL:
        (size,) = struct.unpack("<4xQ", stream.read(12))
    return _Member(name=called, header=header, start=header + 30 + name + extra, size=size, crc=crc)


def _checksum(stream: IO[bytes], member: _Member) -> int:
    stream.flush()
    crc = 0
    for block in stretches(stream.fileno(), member.start, member.start + member.size):
        crc = zlib.crc32(block, crc)
    return crc


def _put_list(stream: IO[bytes], members: tuple[_Member, ...]) -> None:
    """Write the list of members and the end, in the form for large files if that is needed."""
    start = stream.tell()
    entries = b"".join(member.central() for member in members)
    stream.write(entries)
    count, end = len(members), start + len(entries)
    if start >= _FULL:
        fields = (44, _ZIP64, _ZIP64, 0, 0, count, count, len(entries), start)
        stream.write(struct.pack("<IQHHIIQQQQ", _END64, *fields))
        stream.write(struct.pack("<IIQI", _LOCATOR, 0, end, 1))
    stream.write(struct.pack("<IHHHHIIH", _END, 0, 0, count, count, len(entries), min(start, _FULL), 0))
