"""safetensors files: a header of JSON, then the values of all arrays one behind the other.

The first eight bytes are the header's length. It may end in blanks, so room is left for the record, which is
only known when the arrays are there. The description of the layers is in the header's metadata. A file
without one whose arrays are called as those of a state dict is PyTorch's, and read as such.

Source: the format's description in the README of the safetensors project, version 0.4.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from converters.errors import ConversionError
from converters.formats.contents import Contents, Extents, make_room, one_after_another, padded
from converters.formats.foreign import ForeignArray
from converters.formats.plain import described_text
from converters.formats.pytorch import is_state_dict, source_of
from converters.formats.safetensors_header import (
    BFLOAT16,
    DTYPES,
    METADATA,
    READ_AS,
    SafetensorsHeader,
    TensorInfo,
    header_of,
)
from converters.formats.source import DESCRIPTION, PlainArray, PlainSource
from converters.hdf5.source import Stamp
from converters.limits import Limits

# What the format calls the types that Keras stores weights in.
_TYPES = {np.dtype(code).name: name for name, code in DTYPES.items()}
_RECORD_ROOM = 1 << 14
_LONGEST = 1 << 48
"""Bytes of a header beyond which the first eight bytes are a text and no number."""


def recognise(head: bytes) -> bool:
    """Return whether a file begins with a number that may be a header's length, and then a mapping."""
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") < _LONGEST


def read(path: Path, stream: IO[bytes], limits: Limits, known: Stamp | None) -> PlainSource:
    """Read the header of an open file.

    Args:
        path: Its name, for messages.
        stream: The file; it belongs to what is returned.
        limits: Caps.
        known: Of no use here: the header is all that is read.

    Raises:
        FileFormatError: If it is cut short or breaks a rule; names the tensor.
    """
    header = header_of(path, stream, limits)
    if DESCRIPTION not in header.metadata and is_state_dict(header.tensors):
        # safetensors' own library sorts tensors by their types and names.
        return source_of(path, stream, limits, _state_dict(header), (), ordered=False)
    arrays = (PlainArray(**_told(tensor)) for tensor in header.tensors.values())
    return PlainSource(path, stream, limits, name="safetensors", arrays=arrays, texts=header.metadata)


def _state_dict(header: SafetensorsHeader) -> dict[str, ForeignArray]:
    """Return where the tensors of a file of PyTorch's lie, by name."""
    return {name: ForeignArray(**_told(tensor)) for name, tensor in header.tensors.items()}


def _told(tensor: TensorInfo) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "shape": tensor.shape,
        "dtype": np.dtype(READ_AS.get(tensor.dtype) or DTYPES[tensor.dtype]),
        "offset": tensor.offset,
        "bfloat16": tensor.dtype == BFLOAT16,
    }


def create(contents: Contents, path: Path, texts: Mapping[str, str]) -> Extents:
    """Make the file with room for every array.

    Args:
        contents: A plan to this container.
        path: The file.
        texts: Of no use here: they are for the root of an HDF5 file.

    Returns:
        Where each array lies, by its name.

    Raises:
        ConversionError: If an array is of a type that the format lacks.
    """
    header = _header(contents, {})
    told = json.dumps(contents.network.as_text())
    names = sum(len(output.target_path) + 8 for output in contents.outputs)
    length = padded(8 + len(header) + _RECORD_ROOM + len(told) + names) - 8
    extents = one_after_another(contents, 8 + length)
    make_room(path, extents)
    with path.open("r+b") as stream:
        stream.write(struct.pack("<Q", length) + header.ljust(length))
    return extents


def finish(contents: Contents, path: Path, record: Mapping[str, str]) -> None:
    """Write the header once more, with the record in its metadata.

    Args:
        contents: The contents.
        path: The file.
        record: The record's texts.

    Raises:
        ConversionError: If there is not enough room for it.
    """
    header = _header(contents, record)
    with path.open("r+b") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        if len(header) > length:
            raise ConversionError(f"{path}: the record of the conversion is too long for the header")
        stream.write(header.ljust(length))


def _header(contents: Contents, record: Mapping[str, str]) -> bytes:
    entries: dict[str, Any] = {METADATA: {"format": "np", DESCRIPTION: described_text(contents), **record}}
    at = 0
    for output in contents.outputs:
        entries[output.name] = {
            "dtype": _type_name(contents, output.dtype),
            "shape": list(output.target_shape),
            "data_offsets": [at, at + output.nbytes],
        }
        at += output.nbytes
    return json.dumps(entries, separators=(",", ":")).encode()


def _type_name(contents: Contents, dtype: np.dtype[Any]) -> str:
    if dtype.name not in _TYPES or not dtype.newbyteorder("<").isnative or not dtype.isnative:
        raise ConversionError(f"{contents.path}: safetensors has no type for {dtype}")
    return _TYPES[dtype.name]
