"""Batch normalisation folded into the convolution before it: fewer layers that compute the same.

With s = gamma / sqrt(variance + epsilon), what W x + b becomes is (s W) x + (b - mean) s + beta.
That holds while the statistics stand still: in inference, and for layers that are frozen.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from zoo.calling import public
from zoo.surgery.graph import Operation, Step, Wiring, copied, redraw, wiring
from zoo.surgery.tensors import Tensor

_CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)


@public()
def fuse(model: keras.Model) -> keras.Model:
    """Return a model that computes the same with less: no batch normalisation right behind a convolution.

    One is folded where nothing stands between the two, nothing else reads what the convolution gives and
    neither is shared. Where a ReLU comes first, or the normalisation reads a sum or a concatenation, it
    stays. Models inside the model are fused too. Features and logits of all networks here are equal within
    1e-5 of the largest, which is how far rounding alone takes them from the exact ones.

    Args:
        model: A functional or ``Sequential`` model, which stays as it is.

    Returns:
        A functional model with layers and weights of its own, for inference and for frozen parts; the
        convolutions that were changed are not trainable. It is not compiled.

    Raises:
        ArgumentError: The graph of the model is not known.

    Examples:
        >>> import keras
        >>> import zoo
        >>> layers = [keras.layers.Conv2D(4, 3, use_bias=False), keras.layers.BatchNormalization()]
        >>> model = keras.Sequential([keras.Input((8, 8, 3)), *layers])
        >>> [type(layer).__name__ for layer in zoo.fuse(model).layers]
        ['InputLayer', 'Conv2D']
    """
    graph = wiring(model)
    pairs = _pairs(graph)
    fused: dict[int, Operation] = {}
    dropped: set[int] = set()

    def replace(operation: Operation) -> Operation:
        if id(operation) in pairs:
            fused[id(operation)] = new = _with_bias(operation)
            return new
        if isinstance(operation, keras.Model) and hasattr(operation, "operations"):
            return fuse(operation)
        new = copied(operation)
        if any(operation is norm for _, norm in pairs.values()):
            dropped.add(id(new))
        return new

    def call(operation: Operation, *args: Tensor, **kwargs: Any) -> Tensor:  # noqa: ANN401 - a layer's own
        return args[0] if id(operation) in dropped else operation(*args, **kwargs)

    redrawn = redraw(model, call, replace)
    for key, (convolution, norm) in pairs.items():
        fused[key].set_weights(_folded(convolution, norm))
    return redrawn


def _pairs(graph: Wiring) -> dict[int, tuple[keras.Layer, keras.Layer]]:
    """Return each convolution to change, by its identity, with the normalisation behind it."""
    found = {}
    for step in graph.steps:
        if type(step.operation) is keras.layers.BatchNormalization:
            before = graph.origin(step.inputs[0])
            if _can_be_folded(graph, before, step):
                found[id(before.operation)] = (before.operation, step.operation)
    return found


def _can_be_folded(graph: Wiring, before: Step, step: Step) -> bool:
    convolution, norm = before.operation, step.operation
    # What a subclass computes, only its author knows.
    if type(convolution) not in _CONVOLUTIONS or convolution.activation is not keras.activations.linear:
        return False
    rank = len(step.inputs[0].shape)
    channels = 1 if convolution.data_format == "channels_first" else rank - 1
    alone = graph.readers(step.inputs[0]) == graph.calls(convolution) == graph.calls(norm) == 1
    return alone and norm.axis % rank == channels


def _with_bias(convolution: keras.Layer) -> keras.Layer:
    return type(convolution).from_config(convolution.get_config() | {"use_bias": True, "trainable": False})


def _folded(convolution: keras.Layer, norm: keras.Layer) -> list[NDArray[np.float64]]:
    """Return kernel and bias of a convolution with the normalisation behind it, computed in float64."""
    kernel, *bias = (np.asarray(array, np.float64) for array in convolution.get_weights())
    named = {variable.name: np.asarray(variable.numpy(), np.float64) for variable in norm.weights}
    slope = named.get("gamma", 1.0) / np.sqrt(named["moving_variance"] + norm.epsilon)
    offset = ((bias[0] if bias else 0.0) - named["moving_mean"]) * slope + named.get("beta", 0.0)
    return [kernel * slope, offset]
