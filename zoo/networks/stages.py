"""The feature maps of a network at several scales, as segmentation and detection want them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import keras

from zoo.calling import public
from zoo.errors import ArgumentError
from zoo.files.given import weights_at_hand
from zoo.networks.loading import load
from zoo.numbers import is_whole
from zoo.progress.asked import Asked
from zoo.registry import architecture
from zoo.surgery.graph import Operation, Step, Wiring, wiring
from zoo.surgery.tensors import DataFormat, Tensor

STRIDES = (4, 8, 16, 32)
ALL_STRIDES = (2, *STRIDES)
"""Where the networks of all families have feature maps: known before anything is fetched or drawn."""

_LINEAR = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D)
_MARGINS = (keras.layers.ZeroPadding2D, keras.layers.Cropping2D, keras.layers.InputLayer)


@public("*")
@weights_at_hand
def feature_maps(
    name: str,
    *,
    strides: Sequence[int] = STRIDES,
    weights: str | os.PathLike[str] | None = "imagenet",
    input_shape: Sequence[int | None] | None = None,
    freeze: int | str | None = None,
    data_format: DataFormat | None = None,
    include_preprocessing: bool = False,
    progress: Asked = None,
) -> keras.Model:
    """Return a network whose outputs are its feature maps, from fine to coarse.

    At each stride it is the last map through which everything above flows, after its rectifier or sum: the
    end of the stage, whatever the network calls it. NASNet has no such map before its last, since each cell
    reads the two before it: there it is the deepest map that only one other goes beside.

    Args:
        name: Name of an architecture.
        strides: Pixels of the image for each step on the map, among 2, 4, 8, 16 and 32.
        weights: As in :func:`zoo.load`; so are the others.
        input_shape: (H, W, 3), or (3, H, W) for ``channels_first``; a side may be ``None``, for any.
        freeze: What not to train.
        data_format: Order of the channels.
        include_preprocessing: Whether the model takes RGB images with values 0 to 255 as they are.
        progress: As for :func:`zoo.fetch`.

    Returns:
        A model that is not compiled. Its output is a dict, ``{"stride4": map, "stride8": map, ...}`` in the
        order of ``strides``, with maps of shape (N, H / stride, W / stride, C), rounded as the network rounds
        at its edges, or (N, C, H / stride, W / stride).

    Raises:
        ArgumentError: A stride is not one of the network's, or an argument is not allowed.
        UnknownNameError: There is no such architecture, weights set or layer.
        StructureMismatchError: The weights file holds other layers than the network.
        DownloadError: The weights cannot be had.
    """
    network = architecture(name)
    _check_strides(network.name, strides, ALL_STRIDES)
    model = load(
        name,
        num_classes=0,
        weights=weights,
        input_shape=input_shape,
        freeze=freeze,
        data_format=data_format,
        include_preprocessing=include_preprocessing,
    )
    found = _ends_of_stages(wiring(model))
    _check_strides(name, strides, sorted(found))
    outputs = {f"stride{int(stride)}": found[int(stride)] for stride in strides}
    return keras.Model(model.input, outputs, name=name)


def _check_strides(name: str, strides: Sequence[int], there: Sequence[int]) -> None:
    """Check that a network has feature maps at all strides that are wanted.

    Raises:
        ArgumentError: It has not, or they are no strides.
    """
    if isinstance(strides, str) or not isinstance(strides, Iterable) or not all(map(is_whole, strides)):
        raise ArgumentError(f"strides={strides!r}: must be several integers, {tuple(there)} for example")
    if not tuple(strides):
        raise ArgumentError(f"strides={strides!r}: must be one at least of {', '.join(map(str, there))}")
    if not set(strides) <= set(there):
        known = ", ".join(map(str, there))
        raise ArgumentError(f"strides={tuple(strides)!r}: {name} has feature maps at the strides {known}")


def _ends_of_stages(graph: Wiring) -> dict[int, Tensor]:
    """Return what ends the stage of each stride: of the maps that fewest others go beside, the deepest."""
    strides: dict[int, int] = {}
    finished: dict[int, bool] = {}
    widths = _Widths(graph)
    found: dict[int, tuple[tuple[int, int], Tensor]] = {}
    for place, step in enumerate(graph.steps):
        output = step.outputs[0]
        before = max((strides[id(tensor)] for tensor in step.inputs), default=1)
        stride = strides[id(output)] = before * _stride(step.operation)
        finished[id(output)] = _is_finished(step, finished)
        is_map = len(output.shape) == 4 and not isinstance(step.operation, _MARGINS)
        if is_map and finished[id(output)] and stride > 1:
            rank = widths.at(place), -widths.depth(place)
            if rank[0] <= _WIDEST and rank <= found.get(stride, (rank,))[0]:
                found[stride] = rank, output
    return {stride: output for stride, (_, output) in found.items()}


def _stride(operation: Operation) -> int:
    strides: Any = getattr(operation, "strides", 1)
    return int(strides[0] if isinstance(strides, tuple | list) else strides)


def _is_finished(step: Step, finished: dict[int, bool]) -> bool:
    """Tell whether something not linear, or a merge, comes after the last convolution."""
    operation = step.operation
    if isinstance(operation, _LINEAR):
        return operation.activation is not keras.activations.linear
    if isinstance(operation, (keras.layers.BatchNormalization, *_MARGINS)):
        return all(finished[id(tensor)] for tensor in step.inputs)
    return True


_WIDEST = 2
"""Tensors that may flow on side by side where a stage ends: a cell of NASNet reads the two before it."""


class _Widths:
    """How many tensors flow on once a step and all that it stands on are computed: 1 at a bottleneck."""

    def __init__(self, graph: Wiring) -> None:
        """Look through a graph; sets of steps are numbers, with a bit for each."""
        places = {id(tensor): place for place, step in enumerate(graph.steps) for tensor in step.outputs}
        self._below: list[int] = []
        self._readers = [0] * len(graph.steps)
        for place, step in enumerate(graph.steps):
            below = 1 << place
            for source in (places[id(tensor)] for tensor in step.inputs):
                below |= self._below[source]
                self._readers[source] |= 1 << place
            self._below.append(below)

    def depth(self, place: int) -> int:
        """Return how many steps a step stands on, itself counted."""
        return self._below[place].bit_count()

    def at(self, place: int) -> int:
        """Return the number after a step, counting what it gives; outputs of the model flow no further."""
        below = self._below[place]
        flowing = (below >> one & 1 and self._readers[one] & ~below for one in range(place))
        return 1 + sum(map(bool, flowing))
