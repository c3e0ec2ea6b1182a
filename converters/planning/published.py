"""The layers of files of Caffe and PyTorch as a published graph has them, whose weights they are.

What Keras keeps in one layer may be two there, what it keeps in four arrays may be two, and a matrix may be
a convolution that sees its whole map. Names are the same but for ``/`` and ``_``; or they are those by which
a structure says that its layers are known; or, where a user says which network it is, order tells.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from converters.arrays.form import Shape
from converters.formats.description import Description
from converters.formats.foreign import SPARE, spare_array
from converters.layers.model import Array, Layer, Part, plain_name


class Wanted(Protocol):
    """A layer of a published graph."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def kind(self) -> str:
        """Its kind."""

    @property
    def arrays(self) -> Mapping[str, Shape]:
        """The shapes of its arrays, by role."""


class Graph(Protocol):
    """A published graph, as far as it is asked for."""

    @property
    def weighted(self) -> Sequence[Wanted]:
        """Its layers with arrays."""

    @property
    def scales(self) -> Sequence[Wanted]:
        """Those that are a slope and an offset."""

    @property
    def known_as(self) -> Mapping[str, Mapping[str, str]]:
        """What its layers are called elsewhere, by whose, by their own names."""


_Pairs = Sequence[tuple[Wanted, Layer]]


def as_published(description: Description, structure: Graph, *, named: bool) -> Description:
    """Return a file with the layers of a structure, as far as it has them; all others are left as they are.

    Args:
        description: A file of Caffe or PyTorch.
        structure: What it should hold.
        named: Whether names alone count.
    """
    pairs = _pairs(description, structure, named=named)
    if not pairs:
        return description
    used = {layer.name for _, layer in pairs}
    # A slope and an offset are part of the layer before them where the graph has no layer for them.
    offsets = {norm: layer for layer in description.weighted if (norm := _norm_of(description, layer, used))}
    used |= {layer.name for layer in offsets.values()}
    told = [_told(wanted, layer, offsets.get(layer.name)) for wanted, layer in pairs]
    rest = [layer for layer in description.weighted if layer.name not in used]
    return replace(description, layers=(*told, *rest))


def has_layers_of(description: Description, structure: Graph, *, named: bool) -> bool:
    """Return whether a file has a layer for each of a structure; arguments as of :func:`as_published`."""
    return bool(_pairs(description, structure, named=named))


def with_offsets(description: Description) -> Description:
    """Return a file whose normalisations have the slope and the offset behind them, as Keras' own have.

    Args:
        description: A file of Caffe, of a network that is in no structure.
    """
    layers = {layer.name: layer for layer in description.weighted}
    pairs = {
        norm: layers[name] for name, norm in description.folds.items() if _fits(layers[name], layers[norm])
    }
    if not pairs:
        return description
    gone = {layer.name for layer in pairs.values()}
    norm, first = next(iter(pairs.items()))
    text = f"{len(pairs)} Scale layers become slope and offset of the batch normalisation before them"
    note = f"{text} ({first.name!r} of {norm!r} first); as_published=True (--as-published) leaves them apart"
    kept = (layer for layer in description.layers if layer.name not in gone)
    told = tuple(_with_offset(layer, pairs[layer.name]) if layer.name in pairs else layer for layer in kept)
    return replace(description, layers=told, notes=(*description.notes, note))


def _fits(offset: Layer, norm: Layer) -> bool:
    alike = {array.shape for layer in (offset, norm) for array in layer.arrays}
    return norm.kind == "BatchNormalization" and offset.kind == "Scale" and len(alike) == 1


def _with_offset(norm: Layer, offset: Layer) -> Layer:
    arrays = (*offset.arrays, *norm.arrays)
    part = Part(name=norm.name, kind=norm.kind, arrays=arrays)
    return replace(norm, arrays=arrays, parts=(part,))


def _norm_of(description: Description, layer: Layer, used: set[str]) -> str | None:
    norm = description.folds.get(layer.name)
    return norm if norm in used and layer.name not in used else None


def _pairs(description: Description, structure: Graph, *, named: bool) -> _Pairs:
    """Return layers of a structure, each with the file's: all of them, or none."""
    wanted = structure.weighted
    held = {_joined(layer.name): layer for layer in description.weighted}
    # Most structures are not the file's, which their first layer tells.
    if all(_joined(layer.name) in held for layer in wanted):
        return [(layer, held[_joined(layer.name)]) for layer in wanted]
    layers = {layer.name: layer for layer in description.weighted}
    for names in structure.known_as.values():
        if all(names.get(layer.name) in layers for layer in wanted):
            return [(layer, layers[names[layer.name]]) for layer in wanted]
    listed = [
        layer for layer in description.weighted if structure.scales or layer.name not in description.folds
    ]
    if not named and len(listed) == len(wanted):
        return list(zip(wanted, listed, strict=True))
    return []


def _joined(name: str) -> str:
    return plain_name(name).replace("/", "_")


def _told(wanted: Wanted, layer: Layer, offset: Layer | None) -> Layer:
    """Return a file's layer as a structure lists it; one that cannot be that keeps its own name."""
    matrix = wanted.kind == "Dense" and layer.kind == "Conv2D" and _covers(wanted, layer.arrays[0])
    if layer.kind != wanted.kind and not matrix:
        return layer
    arrays = tuple(_arrays(wanted, layer, offset))
    if matrix:
        arrays = tuple(replace(array, turned=array.role == "kernel") for array in arrays)
    part = Part(name=wanted.name, kind=wanted.kind, arrays=arrays)
    return Layer(name=wanted.name, kind=wanted.kind, arrays=arrays, parts=(part,))


def _covers(wanted: Wanted, kernel: Array) -> bool:
    """Return whether a kernel (O, I, H, W) sees the whole map that a matrix has a row for each value of."""
    return math.prod(kernel.shape[1:]) == wanted.arrays["kernel"][0]


def _arrays(wanted: Wanted, layer: Layer, offset: Layer | None) -> Iterator[Array]:
    for role in wanted.arrays:
        found = layer.array(role) or (offset.array(role) if offset else None)
        if found is not None:
            yield found
        elif (wanted.kind, role) in SPARE:
            yield spare_array(layer, role)
    yield from (array for array in layer.arrays if array.role not in wanted.arrays)
