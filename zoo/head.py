"""The classifiers of a network: put them on, freeze what is below them, compile the whole for fine-tuning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import TypeGuard

import keras

from converters.structures import Structure
from zoo.architectures import keras_name
from zoo.architectures.drawing import Neck, Pen, Tensor
from zoo.errors import ArgumentError, UnknownNameError
from zoo.fields import did_you_mean
from zoo.records import Graph, Head

LEARNING_RATE = 1e-3
"""Step size for weights that are good already: a tenth of what training from scratch takes."""

MOMENTUM = 0.9


def attach(pen: Pen, neck: Neck, head: Head, classes: int, *, dropout: float) -> Tensor:
    """Draw one classifier under its published names.

    Args:
        pen: Draws the layers; its initialiser fills the dense layer.
        neck: What the dense layer stands on, of shape (N, features).
        head: Names of the softmax output and of the dense layer.
        classes: Outputs.
        dropout: Rate of the dropout right before the dense layer; 0 keeps the published one, if there is one.

    Returns:
        Symbolic probabilities of shape (N, classes).
    """
    x = neck.tensor
    rate = dropout or neck.dropout
    if rate:
        x = pen.dropout(x, neck.dropout_name, rate)
    if head.name == head.layer:
        return pen.dense(x, head.layer, classes, activation="softmax")
    logits = pen.dense(x, head.layer, classes)
    return keras.layers.Activation("softmax", name=keras_name(head.name))(logits)


def frozen_layers(
    where: int | str | None, graph: Graph, structures: Sequence[Structure]
) -> Callable[[str], bool]:
    """Return a function that tells by its name whether a layer of the model is to be frozen.

    A published ``Scale`` layer is part of the batch normalisation before it, and frozen with that.

    Args:
        where: How far from the input. A number: so many entries of the published list of layers, those
            without weights counted. A layer's name: up to and with it, in that order. ``"backbone"``: all but
            the heads' own layers. ``None``: nothing.
        graph: The graph of the model.
        structures: The graph's structures; the first one is the published list, and a name may come from any.

    Raises:
        ArgumentError: The number is not one, negative, or there are not so many layers.
        UnknownNameError: No structure has a layer of this name.
    """
    if where is None:
        return lambda name: False
    if where == "backbone":
        own = {keras_name(name) for head in graph.heads for name in (head.name, head.layer)}
        return lambda name: name not in own
    count = _position(where, structures) if isinstance(where, str) else _count(where, structures[0])
    lower = {keras_name(layer.name) for layer in structures[0].layers[:count]}
    return lambda name: name in lower


def freeze(model: keras.Model, is_frozen: Callable[[str], bool]) -> None:
    """Stop some layers of a model from being trained; frozen batch normalisation keeps its statistics too.

    Args:
        model: A model that is not compiled yet.
        is_frozen: Tells by its name whether a layer is frozen.
    """
    for layer in model.layers:
        if is_frozen(layer.name):
            layer.trainable = False


def is_whole(value: object) -> TypeGuard[int]:
    """Tell whether a value is a whole number, NumPy's among them; ``True`` and ``False`` are none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def _count(number: object, published: Structure) -> int:
    most = len(published.layers)
    if not is_whole(number) or not 0 <= number <= most:
        allowed = f"a number of layers from 0 to {most}, a layer's name, 'backbone' or None"
        raise ArgumentError(f"freeze={number!r}: must be {allowed} ({published.name} has {most} layers)")
    return number


def _position(name: str, structures: Sequence[Structure]) -> int:
    """Return how many entries of the published list a layer's name stands for, its own counted."""
    wanted = keras_name(name)
    published = structures[0]
    for structure in structures:
        names = [keras_name(layer.name) for layer in structure.layers]
        if wanted in names:
            place = names.index(wanted) + 1
            return place if structure is published else _same_position(structure, place, published)
    known = [layer.name for structure in structures for layer in structure.layers]
    message = f"freeze={name!r}: {published.name} has no such layer"
    raise UnknownNameError(f"{message}{did_you_mean(name, known)}")


def _same_position(other: Structure, place: int, published: Structure) -> int:
    """Carry a place over to the published list; the layers with weights are the same, in the same order."""
    weighted = sum(1 for layer in other.layers[:place] if layer.arrays)
    if weighted == 0:
        return 0
    return published.layers.index(published.weighted[weighted - 1]) + 1


def compile_for_finetuning(model: keras.Model) -> None:
    """Compile as for fine-tuning: stochastic gradient descent with Nesterov momentum and cross-entropy.

    The loss takes one-hot labels and whole numbers. With several outputs each has its own loss and accuracy,
    under its name, and all count the same.

    Args:
        model: A model whose outputs are probabilities.
    """
    names = model.output_names
    single = len(names) == 1
    model.compile(
        optimizer=keras.optimizers.SGD(learning_rate=LEARNING_RATE, momentum=MOMENTUM, nesterov=True),
        loss="crossentropy" if single else dict.fromkeys(names, "crossentropy"),
        metrics=["accuracy"] if single else {name: ["accuracy"] for name in names},
    )
