"""The layers of files of Caffe and PyTorch as a published graph has them, whose weights they are.

What Keras keeps in one layer may be two there, what it keeps in four arrays may be two, and a matrix may be
a convolution that sees its whole map. Names are the same but for ``/`` and ``_``; or they are those by which
a structure says that its layers are known; or, where a user says which network it is, order tells.

What a graph has no place for may be left out where it changes nothing: a slope whose values are ones. Their
values are read, which no other part of a plan does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from converters.arrays.equating import CLASS_0
from converters.arrays.form import Shape
from converters.errors import StructureMismatchError, counted
from converters.formats.description import Description
from converters.formats.foreign import SPARE, behind_class_0, spare_array
from converters.formats.opening import open_untrusted
from converters.hdf5.metadata import datasets_of
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
    def name(self) -> str:
        """Its name."""

    @property
    def weighted(self) -> Sequence[Wanted]:
        """Its layers with arrays."""

    @property
    def scales(self) -> Sequence[Wanted]:
        """Those that are a slope and an offset."""

    @property
    def known_as(self) -> Mapping[str, Mapping[str, str]]:
        """What its layers are called elsewhere, by whose, by their own names."""

    @property
    def left_behind(self) -> Sequence[str]:
        """What the names of layers begin with that files of other software have besides."""

    @property
    def background(self) -> bool:
        """Whether such files may have a class before its first."""


_Pairs = Sequence[tuple[Wanted, Layer]]


def as_published(description: Description, structure: Graph, *, named: bool) -> Description:
    """Return a file with the layers of a structure, as far as it has them; all others are left as they are.

    Args:
        description: A file of Caffe or PyTorch.
        structure: What it should hold.
        named: Whether names alone count.

    Raises:
        StructureMismatchError: It holds what the structure has no place for, and that changes its outputs.
    """
    pairs = _pairs(description, structure, named=named)
    if not pairs:
        return description
    used = {layer.name for _, layer in pairs}
    # A slope and an offset are part of the layer before them where the graph has no layer for them.
    offsets = {norm: layer for layer in description.weighted if (norm := _norm_of(description, layer, used))}
    used |= {layer.name for layer in offsets.values()}
    spares = [
        _Spare(wanted=wanted, layer=layer.name, array=array)
        for wanted, layer in pairs
        for array in _spares(wanted, layer, offsets.get(layer.name))
    ]
    _check_spares(description, spares, structure)
    told = [_told(wanted, layer, offsets.get(layer.name)) for wanted, layer in pairs]
    dropped = {spare.wanted.name: f"{spare.array.role} of {SPARE[spare.key]:g} left out" for spare in spares}
    if structure.background and _has_class_more(pairs[-1][0], told[-1]):
        told[-1] = _without_class_0(told[-1])
        dropped[told[-1].name] = CLASS_0
    rest = [layer for layer in description.weighted if layer.name not in used]
    behind = [layer for layer in rest if layer.name.startswith(tuple(structure.left_behind))]
    dropped |= {layer.name: "left behind" for layer in behind}
    kept = (layer for layer in rest if layer not in behind)
    return replace(description, layers=(*told, *kept), dropped=dropped)


@dataclass(frozen=True, kw_only=True)
class _Spare:
    """An array that a graph has no place for, and that changes nothing if its values are right.

    Attributes:
        wanted: The graph's layer.
        layer: The name of the file's.
        array: The array.
    """

    wanted: Wanted
    layer: str
    array: Array

    @property
    def key(self) -> tuple[str, str]:
        """What it is in :data:`SPARE`."""
        return self.wanted.kind, str(self.array.role)


def _spares(wanted: Wanted, layer: Layer, offset: Layer | None) -> Iterator[Array]:
    for array in (*layer.arrays, *(offset.arrays if offset else ())):
        if array.role not in wanted.arrays and (wanted.kind, str(array.role)) in SPARE:
            yield array


def _check_spares(description: Description, spares: Sequence[_Spare], structure: Graph) -> None:
    """Check the values of arrays that are left out: of all that a plan goes by, these alone are read.

    Raises:
        StructureMismatchError: One of them has another value, so that it cannot be left out.
    """
    if not spares:
        return
    with open_untrusted(description.path, known=description.stamp) as source:
        known = datasets_of(source.tree)
        for spare in spares:
            values, right = source.read(known[spare.array.path]).reshape(-1), SPARE[spare.key]
            wrong = np.flatnonzero(values != right)
            if wrong.size:
                where = f"{description.path}: layer {spare.layer!r}"
                text = (
                    f"{spare.array.role} is {values[wrong[0]]:.9g} for output {wrong[0]}, and not {right:g}"
                )
                place = f"{spare.wanted.name!r} of {structure.name} has no {spare.array.role}"
                raise StructureMismatchError(f"{where}: {text}; it cannot be left out, and {place}")


def _has_class_more(wanted: Wanted, told: Layer) -> bool:
    """Return whether a classifier has one output more than a graph's, in each of its arrays."""
    classes = wanted.arrays["kernel"][-1] if wanted.kind == "Dense" else 0
    return bool(classes) and all(array.shape[0] == classes + 1 for array in told.arrays)


def _without_class_0(told: Layer) -> Layer:
    arrays = tuple(map(behind_class_0, told.arrays))
    return replace(told, arrays=arrays, parts=(replace(told.parts[0], arrays=arrays),))


def has_layers_of(description: Description, structure: Graph, *, named: bool) -> bool:
    """Return whether a file has a layer for each of a structure; arguments as of :func:`as_published`."""
    return bool(_pairs(description, structure, named=named))


def with_offsets(description: Description) -> tuple[Description, dict[str, str]]:
    """Return a file whose normalisations have the slope and the offset behind them, as Keras' own have.

    Args:
        description: A file of Caffe or one that was converted from it, of a network that is in no structure.

    Returns:
        It, and the normalisations, each with the name of the layer that became part of it.
    """
    layers = {layer.name: layer for layer in description.weighted}
    pairs = {
        norm: layers[name] for name, norm in description.folds.items() if _fits(layers[name], layers[norm])
    }
    if not pairs:
        return description, {}
    gone = {layer.name for layer in pairs.values()}
    norm, first = next(iter(pairs.items()))
    folded = counted(len(pairs), "Scale layer", "becomes", "become")
    text = f"{folded} slope and offset of the batch normalisation before "
    text += "it" if len(pairs) == 1 else "them"
    note = f"{text} ({first.name!r} of {norm!r} first); as_published=True (--as-published) leaves them apart"
    kept = (layer for layer in description.layers if layer.name not in gone)
    told = tuple(_with_offset(layer, pairs[layer.name]) if layer.name in pairs else layer for layer in kept)
    described = replace(description, layers=told, folds={}, notes=(*description.notes, note))
    return described, {norm: layer.name for norm, layer in pairs.items()}


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
    if not named and description.ordered and len(listed) == len(wanted):
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
    spares = tuple(_spares(wanted, layer, offset))
    yield from (array for array in layer.arrays if array.role not in wanted.arrays and array not in spares)
