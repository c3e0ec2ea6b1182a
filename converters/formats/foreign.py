"""Files of Caffe and PyTorch as sources: arrays with steps, computed and made ones, and whose they are.

Their arrays lie as those frameworks compute with them: channels first, kernels (O, I, H, W) for
cross-correlation, matrices (O, I), the rows behind a flattened map (C, H, W). Nothing is moved here: where
axes lie stands in :data:`converters.layers.rules.AXES`, and a plan brings them into Keras' order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

import numpy as np

from converters.arrays.form import Form, Shape
from converters.errors import ArgumentError, FileFormatError
from converters.formats.source import PlainArray, PlainSource, dataset_of, rows_of, widened
from converters.hdf5.metadata import DatasetInfo
from converters.hdf5.source import BLOCK, Values
from converters.layers.model import Array, Layer, Part
from converters.layers.names import split_kind
from converters.layers.table import KINDS, OTHER
from converters.limits import Limits, clipped, first_repeated

FORM = Form(layout="th", kernels="tf")
"""What all such files are."""
_ELSEWHERE = frozenset(
    [
        *("Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "Conv3DTranspose", "DepthwiseConv2D"),
        *("Dense", "Embedding", "PReLU"),
        *("BatchNormalization", "LayerNormalization", "LayerScale", "Scale"),
    ]
)
"""The kinds of layers that Caffe and PyTorch have too. Recurrent layers have other gates and biases there."""


@dataclass(frozen=True, kw_only=True)
class ForeignArray(PlainArray):
    """One array.

    Attributes:
        dtype: The type that its values have when they are read.
        held: The type that they have in the file, if they are to be computed in another one.
        steps: Bytes from one value to the next along each axis; None if they lie side by side.
        times: What every value is multiplied by, in its own type.
        made: The value of an array of which the file holds none: each is this number.
    """

    held: np.dtype[Any] | None = None
    steps: Shape | None = None
    times: float | None = None
    made: float | None = None

    @property
    def stored(self) -> np.dtype[Any]:
        """The type of what lies in the file."""
        return super().stored if self.bfloat16 else self.held or self.dtype

    @property
    def direct(self) -> bool:
        """Whether its values are a view of the file."""
        return self.offset is not None and not self.bfloat16 and self.times is None

    @property
    def place(self) -> int | None:
        """Where its values lie in the file as they are read; None if they are computed or made."""
        return super().place if self.direct else None

    @property
    def reach(self) -> int:
        """How many bytes of the file lie between the beginning of its first value and the end of its last."""
        size = self.stored.itemsize
        if not math.prod(self.shape):
            return 0
        if self.steps is None:
            return math.prod(self.shape) * size
        return sum((count - 1) * step for count, step in zip(self.shape, self.steps, strict=True)) + size

    @property
    def end(self) -> int:
        """Where its values end in the file."""
        return 0 if self.offset is None else self.offset + self.reach

    def of(self, values: Values) -> Values:
        """Return values as they are read, of those that the file holds."""
        if self.bfloat16:
            return widened(values)
        if self.times is not None:
            multiplied: Values = values.astype(self.dtype) * self.dtype.type(self.times)
            return multiplied
        return values


@dataclass(frozen=True, kw_only=True)
class ForeignLayer:
    """A layer as a file lists it.

    Attributes:
        name: Its name.
        kind: Its kind, in the words of Keras 2; None if nothing tells it.
        arrays: Its arrays with their roles.
        own_class: What its framework calls its class, if that is of no kind with rules.
        inferred: Whether only the shapes of its arrays tell the kind.
    """

    name: str
    kind: str | None
    arrays: tuple[Array, ...]
    own_class: str | None = None
    inferred: bool = False

    def layer(self) -> Layer:
        """Return it as every file's layers are described."""
        part = Part(
            name=self.name,
            kind=self.kind,
            arrays=self.arrays,
            inferred=self.inferred,
            own_class=self.own_class,
        )
        return Layer(name=self.name, kind=self.kind, arrays=self.arrays, parts=(part,) if self.arrays else ())


def with_kinds(path: Path, layers: Iterable[ForeignLayer], said: Mapping[str, str]) -> Iterator[ForeignLayer]:
    """Yield layers with the kinds that the user says; the arrays of such a layer are the kind's, in order.

    Args:
        path: The file, for messages.
        layers: Its layers.
        said: Kinds by the names of layers.

    Raises:
        ArgumentError: If there is no layer of a name, or no such kind, or its arrays are not those of one.
    """
    listed = tuple(layers)
    if unknown := sorted(said.keys() - {layer.name for layer in listed}):
        raise ArgumentError(f"{path}: --layer names {unknown[0]!r}, but no layer has that name")
    for layer in listed:
        yield _as_said(path, layer, said[layer.name]) if layer.name in said else layer


def _as_said(path: Path, layer: ForeignLayer, text: str) -> ForeignLayer:
    kind, inside = split_kind(text, layer.name)
    if kind == OTHER:
        return as_other(layer, inside)
    if kind == layer.kind and inside is None:
        # The file tells which array is which, and it may lack those that come first.
        return replace(layer, inferred=False)
    if kind in KINDS and kind not in _ELSEWHERE:
        advice = f"say --layer {layer.name}={OTHER} to carry its arrays as they are"
        text = f"cannot be of kind {text}: no rule says how Caffe or PyTorch keeps one; {advice}"
        raise ArgumentError(f"{path}: layer {layer.name!r} {text}")
    roles = KINDS[kind].arrays if kind in KINDS else {}
    if len(layer.arrays) > len(roles):
        arrays = ", ".join(f"{array.name} {array.shape}" for array in layer.arrays)
        raise ArgumentError(f"{path}: layer {layer.name!r} cannot be of kind {text}: it has {arrays}")
    pairs = zip(roles, layer.arrays, strict=False)
    return ForeignLayer(
        name=layer.name,
        kind=kind,
        arrays=tuple(
            replace(array, role=role, turned=kind == "Dense" and len(array.shape) == 2)
            for role, array in pairs
        ),
    )


def as_other(layer: ForeignLayer, own_class: str | None) -> ForeignLayer:
    """Return a layer of which nothing is known but the name of its class; its arrays are as they are."""
    start = len(layer.name) + 1
    own = [array.name[start:] if array.name.startswith(layer.name) else array.name for array in layer.arrays]
    arrays = tuple(
        replace(array, role=name or array.name, turned=False)
        for array, name in zip(layer.arrays, own, strict=True)
    )
    return ForeignLayer(name=layer.name, kind=OTHER, arrays=arrays, own_class=own_class or layer.own_class)


class ForeignSource(PlainSource):
    """A file of Caffe or PyTorch; a format tells its layers.

    Attributes:
        folds: Layers that are a slope and an offset behind a batch normalisation, with the name of that.
        inputs: Of layers, the channels of the map that may be in front of each, 0 where they are not known,
            and None where no map is; None for a file that does not tell whose outputs a layer takes.
        ordered: Whether it lists its layers in the network's order.
        notes: What the user should know of how the file is read, one sentence each.
    """

    folds: Mapping[str, str]
    inputs: Mapping[str, int | None] | None
    ordered: bool
    notes: tuple[str, ...]

    def __init__(
        self,
        path: Path,
        stream: IO[bytes],
        limits: Limits,
        *,
        name: str,
        arrays: Iterable[ForeignArray],
        layers: Iterable[ForeignLayer],
        notes: Iterable[str],
        folds: Mapping[str, str] = MappingProxyType({}),
        inputs: Mapping[str, int | None] | None = None,
        ordered: bool = True,
    ) -> None:
        """Take an open file; see :class:`converters.formats.source.PlainSource`.

        Raises:
            FileFormatError: If two arrays have one name, or one of them breaks a rule.
        """
        self._layers, arrays = tuple(layers), tuple(arrays)
        held = {array.name: array for array in arrays}
        listed = (*arrays, *spare_arrays(self._layers))
        parts = tuple(_behind_class_0(self._layers, held))
        self._arrays = {array.name: array for array in (*listed, *parts)}
        if (twice := first_repeated(array.name for array in (*listed, *parts))) is not None:
            raise FileFormatError(f"{path}: two arrays are called {clipped(twice)}")
        self.folds = folds
        self.inputs = inputs
        self.ordered = ordered
        self.notes = tuple(notes)
        super().__init__(path, stream, limits, name=name, arrays=listed, texts={})
        # Parts of arrays that are listed and checked: they take no room of their own.
        children = {**self.tree.children, **{array.name: dataset_of(array) for array in parts}}
        self.tree = replace(self.tree, children=children)

    @property
    def computed(self) -> Mapping[str, str]:
        """What is done to arrays as they are read, in words, by their paths."""
        return {
            array.name: "divided by a factor" for array in self._arrays.values() if array.times is not None
        }

    def layers(self, said: Mapping[str, str]) -> tuple[Layer, ...]:
        """Return the layers, in the file's order.

        Args:
            said: The kinds of layers that the user says, by their names.

        Raises:
            ArgumentError: As :func:`with_kinds`.
        """
        return tuple(layer.layer() for layer in with_kinds(self.path, self._layers, said))

    def mapped(self, dataset: DatasetInfo) -> Values:
        """Return an array as a read-only view of the file, with its steps; one that is computed is read."""
        array = self._arrays[dataset.path]
        return self._view(array) if array.direct and dataset.size else self.read(dataset)

    def blocks(self, dataset: DatasetInfo, nbytes: int = BLOCK) -> Iterator[tuple[int, Values]]:
        """Yield an array in blocks of rows, see :meth:`converters.hdf5.source.Source.blocks`."""
        array = self._arrays[dataset.path]
        view = None if array.offset is None else self._view(array)
        for begin, end, shape in rows_of(dataset, nbytes):
            if view is None:
                yield begin, np.full(shape, array.made or 0, array.dtype)
            else:
                yield begin, array.of(view[begin:end] if dataset.shape else view)

    def _view(self, array: ForeignArray) -> Values:
        """Return what the file holds of an array, as it lies there."""
        return np.ndarray(array.shape, array.stored, self._room(), array.offset or 0, array.steps)


SPARE: Mapping[tuple[str, str], float] = {
    ("BatchNormalization", "gamma"): 1.0,
    ("BatchNormalization", "beta"): 0.0,
    ("Conv2D", "bias"): 0.0,
}
"""What every value is of an array that a layer lacks and that the same layer of a published graph has."""


def spare_array(layer: ForeignLayer | Layer, role: str) -> Array:
    """Return an array of :data:`SPARE` for a layer: one value for each of its outputs."""
    first = layer.arrays[0]
    name = f"{layer.name}/{role}"
    return Array(name=name, role=role, path=name, shape=first.shape[:1], dtype=first.dtype, owner=layer.name)


def spare_arrays(layers: Iterable[ForeignLayer]) -> Iterator[ForeignArray]:
    """Yield an array of :data:`SPARE` for each that a layer lacks."""
    for layer in layers:
        roles = {array.role for array in layer.arrays}
        for (kind, role), value in SPARE.items():
            if kind == layer.kind and role not in roles:
                spare = spare_array(layer, role)
                yield ForeignArray(
                    name=spare.path, shape=spare.shape, dtype=spare.dtype, offset=None, made=value
                )


_BEHIND = "behind class 0"


def behind_class_0(array: Array) -> Array:
    """Return what a classifier's array holds of all classes but the first."""
    path = f"{array.path} {_BEHIND}"
    return replace(array, name=path, path=path, shape=(array.shape[0] - 1, *array.shape[1:]))


def _behind_class_0(
    layers: Iterable[ForeignLayer], held: Mapping[str, ForeignArray]
) -> Iterator[ForeignArray]:
    """Yield the same of the arrays of each layer that may be a classifier, as a file holds them."""
    for layer in layers:
        for array in layer.arrays if layer.kind == "Dense" else ():
            outputs_first = array.turned or len(array.shape) == 1
            known = held.get(array.path)
            if known is None or known.offset is None or not outputs_first or array.shape[0] < 2:
                continue
            after = behind_class_0(array)
            row = math.prod(known.shape[1:]) * known.stored.itemsize
            start = known.offset + (known.steps[0] if known.steps else row)
            yield replace(known, name=after.path, shape=after.shape, offset=start)
