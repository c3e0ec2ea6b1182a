"""Families whose builder returns a whole Keras model: cut below its heads, it is a drawing like any other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras

from converters.layers.names import kind_of_class, own_role
from converters.layers.table import rules_of
from zoo.errors import StructureMismatchError
from zoo.networks.families.drawing import Drawing, Initial, Neck, default
from zoo.networks.families.names import keras_name
from zoo.registry.fields import did_you_mean
from zoo.registry.records import Head


def cut(model: keras.Model, heads: Sequence[Head]) -> Drawing:
    """Return what a model has below its heads.

    Args:
        model: A functional model with a dense layer for each head, or without heads, when its output is the
            last feature map.
        heads: The heads that were asked for. A dropout layer right before one is left to the head.

    Raises:
        StructureMismatchError: The model has no such layer.
    """
    necks = {head.name: _neck(model, head) for head in heads}
    return Drawing(features=model.outputs[0], necks=necks)


def _neck(model: keras.Model, head: Head) -> Neck:
    layers = {layer.name: layer for layer in model.layers}
    name = keras_name(head.layer)
    if name not in layers:
        guess = did_you_mean(name, layers)
        raise StructureMismatchError(f"model {model.name!r} has no layer {name!r} for its head{guess}")
    tensor = layers[name].input
    below = tensor._keras_history.operation
    if isinstance(below, keras.layers.Dropout):
        return Neck(tensor=below.input, dropout=below.rate, dropout_name=below.name)
    return Neck(tensor=tensor)


def roles_of(layer: keras.Layer) -> dict[str, keras.Variable]:
    """Return the arrays of a layer by their roles, in its order.

    Where a layer calls an array otherwise (or by no name, as ``LayerScale`` does), its kind's record tells.
    """
    kind = kind_of_class(type(layer).__name__)
    known = rules_of(kind)
    named = {own_role(kind, variable.name) or "": variable for variable in layer.weights}
    if known and not named.keys() <= known.keys() and len(known) == len(layer.weights):
        return dict(zip(known, layer.weights, strict=True))
    return named


def given_initializers(layer: keras.Layer, initial: Initial) -> dict[str, Any]:
    """Return what arrays of a layer are to start from, by the settings of its configuration that say so.

    Args:
        layer: The layer.
        initial: As for :class:`zoo.networks.families.drawing.Pen`; an array for which it names one of Keras'
            initialisers starts from the layer's own.
    """
    given = {}
    for role in rules_of(kind_of_class(type(layer).__name__)):
        setting = f"{role.removesuffix('_kernel')}_initializer"
        initializer = initial(layer.name, role)
        if hasattr(layer, setting) and callable(initializer):
            given[setting] = initializer
    return given


def fill(layers: Iterable[keras.Layer], initial: Initial, published: Mapping[str, str]) -> None:
    """Give the arrays of layers, which no pen drew, the values that they are to start from.

    Args:
        layers: The layers.
        initial: As for :class:`zoo.networks.families.drawing.Pen`; where it names one of Keras' initialisers
            and not the array's own values, the array stays as it was built.
        published: The published name of each layer by its own, where they differ.
    """
    if initial is default:
        return
    for layer in layers:
        for role, variable in roles_of(layer).items():
            given = initial(published.get(layer.name, layer.name), role)
            if callable(given):
                variable.assign(given(variable.shape, variable.dtype))
