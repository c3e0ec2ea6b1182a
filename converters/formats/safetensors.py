"""Writing safetensors files: a header of JSON, then the values of all arrays one behind the other.

The first eight bytes are the header's length. It may end in blanks, so room is left for the record, which is
only known when the arrays are there. The description of the layers is in the header's metadata.

Source: the format's description in the README of the safetensors project, version 0.4.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from converters.errors import ConversionError
from converters.formats.contents import Contents, Extent, padded
from converters.layers.table import NATIVE

# What the format calls the types that Keras stores weights in.
_TYPES = {
    **{"float64": "F64", "float32": "F32", "float16": "F16", "int64": "I64", "int32": "I32", "int16": "I16"},
    **{"int8": "I8", "uint64": "U64", "uint32": "U32", "uint16": "U16", "uint8": "U8"},
}
_RECORD_ROOM = 1 << 14


def create(contents: Contents, path: Path) -> dict[str, Extent]:
    """Make the file with room for every array.

    Args:
        contents: A plan to this container.
        path: The file.

    Returns:
        Where each array lies, by its name.

    Raises:
        ConversionError: If an array is of a type that the format lacks.
    """
    header = _header(contents, {})
    length = padded(8 + len(header) + _RECORD_ROOM + 80 * len(contents.flatten or {})) - 8
    places = {}
    at = 8 + length
    for output in contents.outputs:
        places[output.target_path] = Extent(offset=at, shape=output.target_shape, dtype=output.dtype)
        at += output.nbytes
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", length) + header.ljust(length))
        stream.truncate(at)
    return places


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
    entries: dict[str, Any] = {"__metadata__": {"format": "np", "description": describe(contents), **record}}
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


def describe(contents: Contents) -> str:
    """Return, as JSON, what the arrays are: layers in order, their kinds, and the array for each role.

    Args:
        contents: A plan whose outputs are plain arrays.
    """
    layers: dict[str, dict[str, Any]] = {}
    for layer in contents.description.layers:
        layers[layer.name] = {
            "name": layer.name,
            "kind": NATIVE.get(str(layer.kind), layer.kind),
            "arrays": [],
        }
    for output in contents.outputs:
        entry = {"name": output.name, "kind": output.kind, "role": output.role}
        layers[output.layer]["arrays"].append(entry)
    return json.dumps(
        {
            "dialect": contents.description.dialect,
            "keras_version": contents.description.keras_version,
            "layout": contents.target.layout,
            "kernels": contents.target.kernels,
            "layers": list(layers.values()),
        },
        separators=(",", ":"),
    )
