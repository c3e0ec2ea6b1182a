"""Caffe's files as Caffe writes them, and as it never would: protobuf's wire format put together by hand."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from converters.planning.structures import load_structure
from zoo.practice import values as drawn

LAYERS, LAYER = 2, 100
"""The fields of a network that hold its layers: of the first form (V1) and of the second."""
V1_TYPES = {"Convolution": 4, "InnerProduct": 14, "Deconvolution": 39, "ReLU": 18, "LRN": 15, "Pooling": 17}


def varint(value):
    """Return a number; a negative one is that of 64 bits."""
    value &= (1 << 64) - 1
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*found, value))


def tag(number, wire):
    """Return a field's tag."""
    return varint(number << 3 | wire)


def number(field_number, value):
    """Return a field that is a number."""
    return tag(field_number, 0) + varint(value)


def block(field_number, data):
    """Return a field of bytes: a text, a message, packed values."""
    data = data.encode() if isinstance(data, str) else bytes(data)
    return tag(field_number, 2) + varint(len(data)) + data


def group(field_number, data):
    """Return a field that is a group."""
    return tag(field_number, 3) + data + tag(field_number, 4)


def values(array, *, packed=True):
    """Return the field of a blob's values, float or double, packed or one by one."""
    double = array.dtype == np.float64
    name, data = (8, array.astype("<f8")) if double else (5, array.astype("<f4"))
    if packed:
        return block(name, data.tobytes())
    start = tag(name, 1 if double else 5)
    step = data.itemsize
    raw = data.tobytes()
    return b"".join(start + raw[at : at + step] for at in range(0, len(raw), step))


def blob(array, *, old=False, packed=True, diff=False):
    """Return a blob: with a shape, or with the four old numbers."""
    array = np.asarray(array)
    if old:
        axes = (1,) * (4 - array.ndim) + array.shape
        shape = b"".join(number(at, size) for at, size in enumerate(axes, 1))
        made = shape + values(array, packed=packed)
    else:
        dims = b"".join(varint(size) for size in array.shape)
        made = values(array, packed=packed) + block(7, block(1, dims))
    return made + (block(6, array.astype("<f4").tobytes()) if diff else b"")


@dataclass
class Layer:
    """A layer of a network: its type in the words of the second form, and its blobs."""

    name: str
    type: str
    blobs: Sequence[np.ndarray] = ()
    bottom: str | None = None
    top: str | None = None
    groups: int = 1
    transpose: bool = False
    more: bytes = field(default=b"", repr=False)


def layer(told, *, first=False, old=None, **how):
    """Return the message of a layer, of the first form, whose blobs are old by default, or of the second."""
    old = first if old is None else old
    made = b"".join(block(6 if first else 7, blob(array, old=old, **how)) for array in told.blobs)
    bottom = told.bottom or "data"
    if first:
        names = block(2, bottom) + block(3, told.top or told.name) + block(4, told.name)
        kind = number(5, V1_TYPES[told.type])
    else:
        names = block(1, told.name) + block(2, told.type)
        kind = block(3, bottom) + block(4, told.top or told.name)
    settings = {"Convolution": 10 if first else 106, "InnerProduct": 17 if first else 117}
    if told.groups > 1:
        made += block(settings["Convolution"], number(1, 8) + number(5, told.groups))
    if told.transpose:
        made += block(settings["InnerProduct"], number(6, 1))
    return names + kind + made + told.more


def network(layers: Iterable[Layer], *, first=False, name="made", **how):
    """Return the bytes of a network."""
    found = (block(LAYERS if first else LAYER, layer(one, first=first, **how)) for one in layers)
    return block(1, name) + b"".join(found)


def write(path: Path, layers: Iterable[Layer], **how):
    """Write a network, layer after layer: a large one takes no more memory than its largest layer."""
    how = dict(how)
    first = how.pop("first", False)
    with path.open("wb") as stream:
        stream.write(block(1, how.pop("name", "made")))
        for one in layers:
            stream.write(block(LAYERS if first else LAYER, layer(one, first=first, **how)))
    return path


def length_of(data):
    """Return how a length is written in front of bytes."""
    return varint(len(data))


def floats(*numbers):
    """Return packed floats."""
    return struct.pack(f"<{len(numbers)}f", *numbers)


FACTOR = 4.0
"""Of batch normalisations: dividing by it is exact."""


def published(name: str, names: Sequence[str] | None = None):
    """Yield the layers of a published network as Caffe has them, with the values of its practice file.

    What Caffe's layers lack is left out: batch normalisations have no slope and offset but those of the layer
    behind them, and the convolutions of a ResNet no bias but the first.

    Args:
        name: An architecture; its first structure has the same name.
        names: What its layers are called, by the structure's names; by default as there, with ``/``.
    """
    structure = load_structure(name)
    called = dict(zip((one.name for one in structure.weighted), names or (), strict=False))
    for one in structure.weighted:
        arrays = {role: drawn.array(name, one, role) for role in one.arrays}
        own = called.get(one.name, one.name)
        yield from _MAKERS[one.kind](own, arrays, bool(structure.scales))


def _convolution(name, arrays, _):
    kernel = np.ascontiguousarray(arrays["kernel"][:, :, ::-1, ::-1])
    bias = () if name.startswith("res") else (arrays.get("bias"),)
    yield Layer(name, "Convolution", [one for one in (kernel, *bias) if one is not None])


def _dense(name, arrays, _):
    kernel = np.ascontiguousarray(arrays["kernel"].T)
    if name == "fc6" and kernel.shape[0] == 1000:  # DenseNet's is a convolution of one place
        yield Layer(name, "Convolution", [kernel[:, :, None, None], arrays["bias"]])
    else:
        yield Layer(name, "InnerProduct", [kernel, arrays["bias"]])


def _norm(name, arrays, apart):
    factor = np.array([FACTOR], "f4")
    sums = [arrays[role] * factor for role in ("moving_mean", "moving_variance")]
    yield Layer(name, "BatchNorm", [*sums, factor], top=name)
    if not apart:
        offset = [arrays["gamma"], arrays["beta"]]
        yield Layer(name.replace("bn", "scale", 1), "Scale", offset, bottom=name, top=name)


def _scale(name, arrays, _):
    yield Layer(name, "Scale", [arrays["gamma"], arrays["beta"]])


_MAKERS = {"Conv2D": _convolution, "Dense": _dense, "BatchNormalization": _norm, "Scale": _scale}
