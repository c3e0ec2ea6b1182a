"""Caffe's files as Caffe writes them, and as it never would: what :mod:`zoo.practice.caffe` has not."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np

from converters.planning.structures import load_structure
from zoo.practice.caffe import (
    FACTOR,
    LAYER,
    LAYERS,
    V1_TYPES,
    Layer,
    blob,
    block,
    layer,
    network,
    number,
    published,
    tag,
    values,
    varint,
    write,
)

__all__ = [
    "FACTOR",
    "LAYER",
    "LAYERS",
    "V1_TYPES",
    "Layer",
    "as_bytes",
    "blob",
    "block",
    "floats",
    "group",
    "layer",
    "length_of",
    "load_structure",
    "network",
    "number",
    "published",
    "tag",
    "values",
    "varint",
    "write",
]


def group(field_number, data):
    """Return a field that is a group."""
    return tag(field_number, 3) + data + tag(field_number, 4)


RAW_TYPES = {"f8": 0, "f4": 1, "f2": 2}


def as_bytes(told, dtype, *, type_first=True):
    """Return a layer of the second form whose blobs are bytes of a type, as NVIDIA's Caffe keeps them."""
    made = b""
    for array in told.blobs:
        dims = block(7, block(1, b"".join(map(varint, np.shape(array)))))
        kind = number(10, RAW_TYPES[dtype])
        raw = block(12, np.asarray(array).astype(f"<{dtype}").tobytes())
        made += block(7, dims + (kind + raw if type_first else raw + kind))
    return replace(told, blobs=(), more=told.more + made)


def length_of(data):
    """Return how a length is written in front of bytes."""
    return varint(len(data))


def floats(*numbers):
    """Return packed floats."""
    return struct.pack(f"<{len(numbers)}f", *numbers)
