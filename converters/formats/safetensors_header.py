"""The header of a safetensors file that nobody vouches for: JSON that says where each tensor lies.

The form: eight bytes with the header's length, the header, then the tensors' bytes without a gap between
them. Every number is held against the file before anything is read by it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeGuard

from converters.errors import FileFormatError
from converters.hdf5.reader import open_regular
from converters.limits import Limits, clipped, load_json, name_fault, too_many

METADATA = "__metadata__"
# The types that NumPy has, in its words; all are little-endian.
DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "<i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "<u1",
}
BFLOAT16 = "BF16"
READ_AS = {BFLOAT16: "<f4", "BOOL": "<u1"}
"""Types that NumPy lacks or keeps otherwise, with those that hold the same values; they are never written."""
_SIZES = {**{name: int(code[2]) for name, code in DTYPES.items()}, BFLOAT16: 2, "BOOL": 1}


@dataclass(frozen=True, kw_only=True)
class TensorInfo:
    """One tensor: its type in safetensors' words, its shape, where its bytes begin in the file, how many."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    nbytes: int


@dataclass(frozen=True, kw_only=True)
class SafetensorsHeader:
    """What a safetensors file says of itself: texts, and tensors in the order of their bytes, by name."""

    path: Path
    metadata: Mapping[str, str]
    tensors: Mapping[str, TensorInfo]


def read_header(path: str | os.PathLike[str], *, limits: Limits | None = None) -> SafetensorsHeader:
    """Read the header of a safetensors file.

    Args:
        path: The file.
        limits: Caps; by default those of the environment.

    Raises:
        FileFormatError: If it is no such file, or cut short, or breaks a rule; names the tensor.
    """
    file, caps = Path(path), limits or Limits.from_environment()
    with open_regular(file) as stream:
        return header_of(file, stream, caps)


def header_of(path: Path, stream: IO[bytes], limits: Limits) -> SafetensorsHeader:
    """Read the header of an open safetensors file.

    Args:
        path: Its name, for messages.
        stream: The file, at its beginning.
        limits: Caps.

    Raises:
        FileFormatError: As :func:`read_header`.
    """
    size = os.fstat(stream.fileno()).st_size
    length = int.from_bytes(stream.read(8), "little")
    if size < 8 or length > size - 8:
        what = f"a header of {length} bytes in a file of {size}"
        raise FileFormatError(f"{path}: not a safetensors file, or cut short ({what})")
    if length > limits.header_bytes:
        cap = limits.header_bytes
        raise FileFormatError(f"{path}: a header of {too_many(length, cap, 'header_bytes')}")
    found = load_json(stream.read(length), f"{path}: the header", limits)
    return _header(path, found, 8 + length, size, limits)


def _header(path: Path, found: object, start: int, size: int, limits: Limits) -> SafetensorsHeader:
    if not isinstance(found, dict):
        raise FileFormatError(f"{path}: the header is not a mapping")
    metadata = found.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise FileFormatError(f"{path}: {METADATA!r} does not hold texts")
    if len(found) > limits.objects:
        raise FileFormatError(f"{path}: more than {limits.objects} tensors (limit objects)")
    tensors = sorted(
        (_tensor(path, name, entry, start, limits) for name, entry in found.items()),
        key=lambda tensor: (tensor.offset, tensor.nbytes),
    )
    _check_cover(path, tensors, start, size)
    return SafetensorsHeader(
        path=path, metadata=metadata, tensors={tensor.name: tensor for tensor in tensors}
    )


def _tensor(path: Path, name: str, entry: object, start: int, limits: Limits) -> TensorInfo:
    what = f"{path}: tensor {clipped(name)}"
    for part in name.split("/"):
        if fault := name_fault(part, limits):
            raise FileFormatError(f"{what}: a part of its name {fault}")
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise FileFormatError(f"{what} must have dtype, shape and data_offsets, and nothing else")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _SIZES:
        raise FileFormatError(f"{what} is of type {clipped(str(dtype))}; {', '.join(_SIZES)} are read")
    if not _are_sizes(shape) or not _are_sizes(offsets) or len(shape) > 32 or len(offsets) != 2:
        raise FileFormatError(f"{what} has a damaged shape or damaged data_offsets")
    nbytes = math.prod(shape) * _SIZES[dtype]
    if offsets[1] - offsets[0] != nbytes:
        raise FileFormatError(f"{what} declares {nbytes} bytes and stores {offsets[1] - offsets[0]}")
    return TensorInfo(name=name, dtype=dtype, shape=tuple(shape), offset=start + offsets[0], nbytes=nbytes)


def _are_sizes(values: object) -> TypeGuard[list[int]]:
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 1 << 63 for value in values)


def _check_cover(path: Path, tensors: list[TensorInfo], start: int, size: int) -> None:
    """Raise unless the tensors fill the file: no gap, nothing shared, nothing outside, nothing left."""
    at = start
    for tensor in tensors:
        if tensor.offset + tensor.nbytes > size:
            raise FileFormatError(f"{path}: tensor {clipped(tensor.name)} lies outside of the file")
        if tensor.offset < at:
            raise FileFormatError(f"{path}: tensor {clipped(tensor.name)} shares bytes with another")
        if tensor.offset > at:
            raise FileFormatError(f"{path}: there is a gap before tensor {clipped(tensor.name)}")
        at = tensor.offset + tensor.nbytes
    if at != size:
        raise FileFormatError(f"{path}: {size - at} bytes behind the last tensor belong to none")
