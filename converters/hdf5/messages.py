"""The messages in an HDF5 object's header: bytes in, plain values out, everything foreign refused.

Names of fields and numbers are those of the HDF5 File Format Specification, version 3. Nothing here reads a
file; a message is a few bytes that :mod:`converters.hdf5.parser` has already cut out.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from converters.hdf5.metadata import FilterInfo, Layout, Shape, TypeInfo

NIL, DATASPACE, LINK_INFO, DATATYPE, FILL_OLD, FILL, LINK, EXTERNAL = range(8)
LAYOUT, BOGUS, GROUP_INFO, FILTERS, ATTRIBUTE, COMMENT, TIME_OLD, SHARED_TABLE = range(8, 16)
CONTINUATION, SYMBOL_TABLE, TIME, BTREE_K, DRIVER, ATTRIBUTE_INFO, REFERENCES, FILE_SPACE = range(16, 24)
CACHE_IMAGE = 24
# An address that is not there.
NOWHERE = (1 << 64) - 1
MAX_RANK = 32
# The filters that are read, by their registered numbers.
KNOWN_FILTERS = {1: "deflate", 2: "shuffle", 3: "fletcher32", 4: "szip", 32000: "lzf"}
# Those that can make a chunk smaller.
COMPRESSION = frozenset({1, 4, 32000})
# Classes of types that are never read, in words that follow "holds".
_FOREIGN = {
    2: "times",
    4: "bit fields",
    5: "opaque bytes",
    6: "compound records",
    7: "references",
    9: "values of varying length",
    10: "arrays within values",
    11: "complex numbers",
}
# IEEE 754: bits, exponent's place and bits, mantissa's place and bits, bias of the exponent.
_FLOATS = {
    2: (0, 16, 10, 5, 0, 10, 15),
    4: (0, 32, 23, 8, 0, 23, 127),
    8: (0, 64, 52, 11, 0, 52, 1023),
}


class BrokenRuleError(Exception):
    """A rule that an object breaks, in words that follow the object's name; never leaves the reader."""


@lru_cache(maxsize=1024)  # the shapes of a network are few
def dataspace(data: bytes) -> tuple[Shape | None, tuple[int | None, ...]]:
    """Return a shape and how far each axis may grow; None for a dataspace that holds nothing.

    Raises:
        BrokenRuleError: If it has more than 32 axes or is damaged.
    """
    version, rank, flags, kind = data[0], data[1], data[2], data[3]
    if version not in (1, 2) or flags & ~1:
        raise BrokenRuleError("has a damaged dataspace")
    if rank > MAX_RANK:
        raise BrokenRuleError(f"has {rank} axes; HDF5 allows {MAX_RANK}")
    if version == 2 and kind == 2:
        return None, ()
    at = 8 if version == 1 else 4
    shape = struct.unpack_from(f"<{rank}Q", data, at)
    if not flags & 1:
        return shape, shape
    limits = struct.unpack_from(f"<{rank}Q", data, at + 8 * rank)
    if any(limit < size for size, limit in zip(shape, limits, strict=True)):
        raise BrokenRuleError("has a damaged dataspace")
    return shape, tuple(None if limit == NOWHERE else limit for limit in limits)


@lru_cache(maxsize=256)
def datatype(data: bytes) -> TypeInfo:
    """Return a type of numbers or text.

    Raises:
        BrokenRuleError: If it is any other; the message names what it holds.
    """
    return _datatype(data)[0]


def _datatype(data: bytes) -> tuple[TypeInfo, int]:
    """Return a type and the bytes that it takes in its message."""
    kind, version = data[0] & 15, data[0] >> 4
    size = int.from_bytes(data[4:8], "little")
    if version not in (1, 2, 3, 4, 5) or not size:
        raise BrokenRuleError("has a damaged type")
    if kind == 0:
        return _integer(data, size), 12
    if kind == 1:
        return _float(data, size), 20
    if kind == 3:
        return _fixed_text(data, size), 8
    if kind == 8:
        return _enumeration(data, size, version)
    if kind == 9 and data[1] & 15 == 1:
        return _variable_text(data, size), len(data)
    raise BrokenRuleError(f"holds {_FOREIGN.get(kind, 'values of an unknown type')}")


def _order(bit: int) -> Literal["<", ">"]:
    return ">" if bit & 1 else "<"


def _integer(data: bytes, size: int) -> TypeInfo:
    offset, precision = struct.unpack_from("<HH", data, 8)
    if size not in (1, 2, 4, 8) or offset or precision != 8 * size or data[1] & ~0x09:
        raise BrokenRuleError(f"holds integers of an unusual form ({precision} bits in {size} bytes)")
    return TypeInfo(kind="integer", size=size, order=_order(data[1]), signed=bool(data[1] & 8))


def _float(data: bytes, size: int) -> TypeInfo:
    form = struct.unpack_from("<HHBBBBI", data, 8)
    if form != _FLOATS.get(size) or data[1] & ~1 != 0x20 or data[2] != 8 * size - 1:
        raise BrokenRuleError(f"holds floating-point numbers of an unusual form ({form[1]} bits)")
    return TypeInfo(kind="float", size=size, order=_order(data[1]))


def _fixed_text(data: bytes, size: int) -> TypeInfo:
    padding, cset = data[1] & 15, data[1] >> 4
    if padding > 2 or cset > 1:
        raise BrokenRuleError("holds text in an unknown encoding")
    return TypeInfo(kind="string", size=size, padding=padding, cset=cset)


def _variable_text(data: bytes, size: int) -> TypeInfo:
    padding, cset = data[1] >> 4, data[2] & 15
    if padding > 2 or cset > 1 or size != 16:
        raise BrokenRuleError("holds text in an unknown encoding")
    return TypeInfo(kind="string", size=size, padding=padding, cset=cset, variable=True)


def _enumeration(data: bytes, size: int, version: int) -> tuple[TypeInfo, int]:
    count = int.from_bytes(data[1:3], "little")
    base, used = _datatype(data[8:])
    if base.kind != "integer" or base.size != size:
        raise BrokenRuleError("has a damaged enumeration")
    at, names = 8 + used, []
    for _ in range(count):
        end = data.find(b"\0", at)
        if end < 0:
            raise BrokenRuleError("has a damaged enumeration")
        names.append(data[at:end].decode("utf-8"))
        # Up to version 2 a name is filled up to a multiple of eight bytes.
        at = end + 1 if version > 2 else at + (end - at) // 8 * 8 + 8
    order: Literal["little", "big"] = "big" if base.order == ">" else "little"
    values = [data[at + size * number : at + size * (number + 1)] for number in range(count)]
    if len(data) < at + size * count or len(set(names)) < count or len(set(values)) < count:
        raise BrokenRuleError("has a damaged enumeration")
    members = [
        (name, int.from_bytes(value, order, signed=base.signed))
        for name, value in zip(names, values, strict=True)
    ]
    return replace(base, kind="enum", members=tuple(members)), at + size * count


@dataclass(frozen=True, kw_only=True)
class Storage:
    """Where a dataset's values lie: ``address`` is None if they were never written."""

    layout: Layout
    address: int | None = None
    size: int | None = None
    data: bytes | None = None
    chunks: Shape | None = None


def storage(data: bytes) -> Storage:
    """Return where a dataset's values lie.

    Raises:
        BrokenRuleError: If that is another file, or the layout is unknown or one from before 2005.
    """
    version, kind = data[0], data[1]
    if version not in (3, 4, 5):
        raise BrokenRuleError(f"has a layout of version {version}; 3 to 5 are read")
    if kind == 0:
        size = int.from_bytes(data[2:4], "little")
        return Storage(layout="compact", size=size, data=bytes(data[4 : 4 + size]))
    if kind == 1:
        address, size = struct.unpack_from("<QQ", data, 2)
        return Storage(layout="contiguous", address=_address(address), size=size)
    if kind == 2:
        return _chunked(data) if version == 3 else _chunked_new(data)
    if kind == 3:
        raise BrokenRuleError("is virtual: it keeps its values in other files; that is not read")
    raise BrokenRuleError(f"has an unknown layout ({kind})")


def _address(value: int) -> int | None:
    return None if value == NOWHERE else value


def _chunked(data: bytes) -> Storage:
    rank = data[2]
    (address,) = struct.unpack_from("<Q", data, 3)
    return Storage(
        layout="chunked", address=_address(address), chunks=struct.unpack_from(f"<{rank}I", data, 11)
    )


def _chunked_new(data: bytes) -> Storage:
    """Read layout version 4 and 5, whose kinds of index differ; the address comes last in each."""
    flags, rank, width = data[2], data[3], data[4]
    if not 1 <= width <= 8:
        raise BrokenRuleError("has a damaged layout")
    at = 5 + width * rank
    offsets = range(5, at, width)
    sizes = [int.from_bytes(data[offset : offset + width], "little") for offset in offsets]
    # What lies between the kind of index and the address: single, implicit, fixed, extensible array, B-tree.
    extra = {1: 12 if flags & 2 else 0, 2: 0, 3: 1, 4: 5, 5: 6}.get(data[at])
    if extra is None:
        raise BrokenRuleError("has a chunk index of an unknown kind")
    (address,) = struct.unpack_from("<Q", data, at + 1 + extra)
    return Storage(layout="chunked", address=_address(address), chunks=tuple(sizes))


def filters(data: bytes) -> tuple[FilterInfo, ...]:
    """Return the filter pipeline.

    Raises:
        BrokenRuleError: If one of them is not known; others would be loaded as plug-ins.
    """
    version, count = data[0], data[1]
    if version not in (1, 2):
        raise BrokenRuleError("has a damaged filter pipeline")
    at, found = 8 if version == 1 else 2, []
    for _ in range(count):
        step, at = _filter(data, at, version)
        found.append(step)
    if len({step.id for step in found}) < count:
        raise BrokenRuleError("has the same filter twice")
    return tuple(found)


def _filter(data: bytes, at: int, version: int) -> tuple[FilterInfo, int]:
    (number,) = struct.unpack_from("<H", data, at)
    if number not in KNOWN_FILTERS:
        known = ", ".join(KNOWN_FILTERS.values())
        raise BrokenRuleError(f"is compressed with filter {number}; only {known} are read")
    named = version == 1 or number >= 256
    length = int.from_bytes(data[at + 2 : at + 4], "little") if named else 0
    at += 4 if named else 2
    flags, count = struct.unpack_from("<HH", data, at)
    at += 4 + (length + -length % 8 if version == 1 else length)
    values = struct.unpack_from(f"<{count}I", data, at)
    # Version 1 fills an odd number of values up.
    at += 4 * count + (4 if version == 1 and count % 2 else 0)
    return FilterInfo(id=number, name=KNOWN_FILTERS[number], flags=flags, values=values), at


def fill_value(data: bytes) -> bytes | None:
    """Return the bytes of a fill value, or None if there is none of the user's own.

    Raises:
        BrokenRuleError: If it is damaged.
    """
    version = data[0]
    if version in (1, 2):
        at, defined = 4, version == 1 or bool(data[3])
    elif version == 3:
        at, defined = 2, bool(data[1] & 0x20)
    else:
        raise BrokenRuleError("has a damaged fill value")
    if not defined:
        return None
    size = int.from_bytes(data[at : at + 4], "little")
    if size > len(data) - at - 4:
        raise BrokenRuleError("has a damaged fill value")
    return bytes(data[at + 4 : at + 4 + size]) or None


@dataclass(frozen=True, kw_only=True)
class RawAttribute:
    """An attribute whose type, shape and bytes have been cut apart; ``name`` is what lies before its NUL."""

    name: bytes
    type: bytes
    shape: Shape | None
    data: bytes


def attribute(data: bytes) -> RawAttribute:
    """Cut an attribute apart.

    Raises:
        BrokenRuleError: If it is damaged or its type lies elsewhere.
    """
    version, flags = data[0], data[1]
    if version not in (1, 2, 3):
        raise BrokenRuleError("is damaged")
    if version > 1 and flags & 3:
        raise BrokenRuleError("has a type or shape that is stored elsewhere; that is not read")
    sizes = struct.unpack_from("<HHH", data, 2)
    at, parts = 9 if version == 3 else 8, []
    for size in sizes:
        parts.append(data[at : at + size])
        at += size + (-size % 8 if version == 1 else 0)
    if len(data) < at - 7 or not all(map(len, parts)) or len(parts[2]) < sizes[2]:
        raise BrokenRuleError("is damaged")
    shape, _ = dataspace(parts[2])
    return RawAttribute(name=parts[0].split(b"\0", 1)[0], type=bytes(parts[1]), shape=shape, data=data[at:])


@dataclass(frozen=True, kw_only=True)
class RawLink:
    """A link: to the header at ``address`` if it is a hard one, else ``kind`` says what it is (1, 64, ..)."""

    name: bytes
    kind: int = 0
    address: int = NOWHERE


def link(data: bytes) -> RawLink:
    """Read a link of the new kind of group.

    Raises:
        BrokenRuleError: If it is damaged.
    """
    version, flags = data[0], data[1]
    if version != 1 or flags & 0xE0:
        raise BrokenRuleError("has a damaged link")
    at, kind = 2, 0
    if flags & 8:
        kind, at = data[at], at + 1
    at += (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
    width = 1 << (flags & 3)
    length = int.from_bytes(data[at : at + width], "little")
    at += width
    name = bytes(data[at : at + length])
    if not length or len(name) < length:
        raise BrokenRuleError("has a damaged link")
    if kind:
        return RawLink(name=name, kind=kind)
    (address,) = struct.unpack_from("<Q", data, at + length)
    return RawLink(name=name, address=address)


def declared(shape: Shape, size: int) -> int:
    """Return the bytes of a shape's values."""
    return math.prod(shape) * size
