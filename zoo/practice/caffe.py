"""Practice files of Caffe: protobuf's wire format put together by hand, with the values of the Keras files.

A layer has the blobs that Caffe has of it, in the form in which the published file was written: that of a
``NetParameter`` of BVLC/caffe at 9b89154, src/caffe/proto/caffe.proto.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.planning.folding import folded_values, scale_pairs
from converters.planning.structures import load_structure
from zoo.practice import values as drawn

Array = NDArray[Any]

LAYERS, LAYER = 2, 100
"""The fields of a network that hold its layers: of the first form (V1) and of the second."""
V1_TYPES = {"Convolution": 4, "InnerProduct": 14, "Deconvolution": 39, "ReLU": 18, "LRN": 15, "Pooling": 17}
FACTOR = 4.0
"""Of batch normalisations: dividing by it is exact."""
_OF_2014 = ("vgg16", "vgg19", "googlenet")
"""Structures whose files are older than the second form of layers, and than blobs with a shape."""


def varint(value: int) -> bytes:
    """Return a number; a negative one is that of 64 bits."""
    value &= (1 << 64) - 1
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*found, value))


def tag(number: int, wire: int) -> bytes:
    """Return a field's tag."""
    return varint(number << 3 | wire)


def number(field_number: int, value: int) -> bytes:
    """Return a field that is a number."""
    return tag(field_number, 0) + varint(value)


def block(field_number: int, data: str | bytes) -> bytes:
    """Return a field of bytes: a text, a message, packed values."""
    data = data.encode() if isinstance(data, str) else bytes(data)
    return tag(field_number, 2) + varint(len(data)) + data


def values(array: Array, *, packed: bool = True) -> bytes:
    """Return the field of a blob's values, float or double, packed or one by one."""
    double = array.dtype == np.float64
    name, data = (8, array.astype("<f8")) if double else (5, array.astype("<f4"))
    if packed:
        return block(name, data.tobytes())
    start = tag(name, 1 if double else 5)
    step = data.itemsize
    raw = data.tobytes()
    return b"".join(start + raw[at : at + step] for at in range(0, len(raw), step))


def blob(array: Array, *, old: bool = False, packed: bool = True, diff: bool = False) -> bytes:
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
    blobs: Sequence[Array] = ()
    bottom: str | None = None
    top: str | None = None
    groups: int = 1
    transpose: bool = False
    more: bytes = field(default=b"", repr=False)


def layer(told: Layer, *, first: bool = False, old: bool | None = None, **how: bool) -> bytes:
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


def network(layers: Iterable[Layer], *, first: bool = False, name: str = "made", **how: bool) -> bytes:
    """Return the bytes of a network."""
    found = (block(LAYERS if first else LAYER, layer(one, first=first, **how)) for one in layers)
    return block(1, name) + b"".join(found)


def write(
    path: Path, layers: Iterable[Layer], *, first: bool = False, name: str = "made", **how: bool
) -> Path:
    """Write a network, layer after layer: a large one takes no more memory than its largest layer."""
    with path.open("wb") as stream:
        stream.write(block(1, name))
        for one in layers:
            stream.write(block(LAYERS if first else LAYER, layer(one, first=first, **how)))
    return path


def write_twin(structure: str, path: Path) -> None:
    """Write the practice twin of a network's published file.

    Args:
        structure: Its graph's first structure.
        path: The file to write; one that is there is replaced.
    """
    names = load_structure(structure).known_as.get("caffe")
    layers = published(structure, names, folded=True)
    write(path, layers, first=structure in _OF_2014, name=structure)


def published(name: str, names: Mapping[str, str] | None = None, *, folded: bool = False) -> Iterator[Layer]:
    """Yield the layers of a published network as Caffe has them, with the values of its practice file.

    What Caffe's layers lack is left out: batch normalisations have no slope and offset but those of the layer
    behind them, and the convolutions of a ResNet no bias but the first.

    Args:
        name: An architecture; its first structure has the same name.
        names: What its layers are called, by the structure's names; by default as there, with ``/``.
        folded: Whether slopes and offsets that are left out are part of those in the layers behind them, so
            that the network computes what that of the Keras file does.
    """
    structure = load_structure(name)
    called = names or {}
    layers = {one.name: one for one in structure.weighted}
    norms = {scale: norm for norm, scale in scale_pairs(structure).items()} if folded else {}

    def stored(layer: str, role: str) -> Array:
        return drawn.array(name, layers[layer], role)

    for one in structure.weighted:
        norm = norms.get(one.name)
        arrays = {
            role: folded_values(role, norm, one.name, stored) if norm else stored(one.name, role)
            for role in one.arrays
        }
        own = called.get(one.name, _in_caffe(one.name))
        yield from _MAKERS[one.kind](own, arrays, bool(structure.scales))


def _in_caffe(name: str) -> str:
    """Return what Caffe calls a layer in whose name Keras has no ``/``."""
    return re.sub(r"_(x\d|bn|scale)(?=_|$)", r"/\1", name)


_Arrays = Mapping[str, Array]


def _convolution(name: str, arrays: _Arrays, _: bool) -> Iterator[Layer]:
    kernel = np.ascontiguousarray(arrays["kernel"][:, :, ::-1, ::-1])
    bias = [] if name.startswith("res") or "bias" not in arrays else [arrays["bias"]]
    yield Layer(name, "Convolution", [kernel, *bias])


def _dense(name: str, arrays: _Arrays, _: bool) -> Iterator[Layer]:
    kernel = np.ascontiguousarray(arrays["kernel"].T)
    if name == "fc6" and kernel.shape[0] == 1000:  # DenseNet's is a convolution of one place
        yield Layer(name, "Convolution", [kernel[:, :, None, None], arrays["bias"]])
    else:
        yield Layer(name, "InnerProduct", [kernel, arrays["bias"]])


def _norm(name: str, arrays: _Arrays, apart: bool) -> Iterator[Layer]:
    factor = np.array([FACTOR], "f4")
    sums = [arrays[role] * factor for role in ("moving_mean", "moving_variance")]
    yield Layer(name, "BatchNorm", [*sums, factor], top=name)
    if not apart:
        offset = [arrays["gamma"], arrays["beta"]]
        yield Layer(name.replace("bn", "scale", 1), "Scale", offset, bottom=name, top=name)


def _scale(name: str, arrays: _Arrays, _: bool) -> Iterator[Layer]:
    yield Layer(name, "Scale", [arrays["gamma"], arrays["beta"]])


_MAKERS: Mapping[str, Callable[[str, _Arrays, bool], Iterator[Layer]]] = {
    "Conv2D": _convolution,
    "Dense": _dense,
    "BatchNormalization": _norm,
    "Scale": _scale,
}
