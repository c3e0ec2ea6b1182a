"""Caffe's files as Caffe writes them, and as it never would: what :mod:`zoo.practice.caffe` has not."""

from __future__ import annotations

import struct

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


def length_of(data):
    """Return how a length is written in front of bytes."""
    return varint(len(data))


def floats(*numbers):
    """Return packed floats."""
    return struct.pack(f"<{len(numbers)}f", *numbers)
