"""The classifiers of a network: put them on, freeze what is below them, compile the whole for fine-tuning.

And of any other Keras model: find its classifiers, replace or extend them.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Any

import keras
import numpy as np

from converters.errors import counted
from converters.planning.structures import Structure
from zoo.calling import public
from zoo.errors import ArgumentError, UnknownNameError
from zoo.networks import losses
from zoo.networks.families.drawing import Neck, Pen
from zoo.networks.families.names import keras_name
from zoo.numbers import is_whole
from zoo.registry.fields import did_you_mean
from zoo.registry.records import Graph, Head
from zoo.surgery.classifiers import SHAPING, is_classifier
from zoo.surgery.graph import Operation, Step, Wiring, copied, ends, wiring
from zoo.surgery.tensors import Tensor

LEARNING_RATE = 1e-3
"""Step size for weights that are good already: a tenth of what training from scratch takes."""

MOMENTUM = 0.9


ACTIVATIONS = ("softmax", "sigmoid", "linear", None)
"""What a head may end in: probabilities of classes, those of labels, or (two ways to say it) logits."""

SAME = "same"
"""The activation that the old head had."""


def check_activation(activation: object, allowed: Sequence[object] = ACTIVATIONS) -> None:
    """Check the activation of a head.

    Raises:
        ArgumentError: It is none.
    """
    if not any(activation is one or (isinstance(one, str) and activation == one) for one in allowed):
        *others, last = map(repr, allowed)
        raise ArgumentError(f"activation={activation!r}: must be {', '.join(others)} or {last}")


def attach(
    pen: Pen, neck: Neck, head: Head, classes: int, *, dropout: float, activation: str | None = "softmax"
) -> Tensor:
    """Draw one classifier under its published names.

    Args:
        pen: Draws the layers.
        neck: What the classifier stands on: (N, features), or maps of one pixel for a 1x1 convolution.
        head: Names of the softmax output and of the classifier, a dense layer or a 1x1 convolution.
        classes: Outputs.
        dropout: Rate of the dropout right before the dense layer; 0 keeps the published one, if there is one.
        activation: One of ``ACTIVATIONS``.

    Returns:
        Symbolic probabilities or logits of shape (N, classes).
    """
    x = neck.tensor
    rate = dropout or neck.dropout
    if rate:
        x = pen.dropout(x, neck.dropout_name, rate)
    if neck.after:
        x = pen.conv(x, head.layer, classes, 1, padding="same")
        for layer in neck.after:
            x = _follower(layer, layer.output.shape[-1], classes, SAME)(x)
        return keras.layers.Activation(activation, name=keras_name(head.name))(x)
    if head.name == head.layer:
        return pen.dense(x, head.layer, classes, activation=activation)
    logits = pen.dense(x, head.layer, classes)
    return keras.layers.Activation(activation, name=keras_name(head.name))(logits)


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


def _count(number: object, published: Structure) -> int:
    most = len(published.layers)
    if not is_whole(number) or not 0 <= number <= most:
        allowed = f"a number of layers from 0 to {most}, a layer's name, 'backbone' or None"
        raise ArgumentError(
            f"freeze={number!r}: must be {allowed} ({published.name} has {counted(most, 'layer')})"
        )
    return int(number)


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
    """Compile as for fine-tuning: stochastic gradient descent with Nesterov momentum, and what fits the head.

    ======== ============ ==================== ============================================================
    output   units        loss, metric         labels
    ======== ============ ==================== ============================================================
    softmax  from 2       crossentropy,        integers or one-hot rows, a class for each image; one after
                          accuracy             the other if need be
    sigmoid  from 1       binary_crossentropy, rows of 0 and 1: each class is there or not
                          binary_accuracy
    logits   from 2       crossentropy from    as for softmax; opened from a file, the model takes integers
                          logits, accuracy
    logits   1            binary_crossentropy  0 or 1
                          from logits,
                          binary_accuracy
    ======== ============ ==================== ============================================================

    With several outputs each has its own loss and metric, under its name, and all count the same.

    Args:
        model: A model whose outputs are probabilities or logits.
    """
    single = len(model.outputs) == 1
    # A bare name would be kept in a .h5 file too, but Keras cannot read it there.
    names = [None] if single else model.output_names  # which a Sequential model has not
    found = [losses.fitting(*_end(output)) for output in model.outputs]

    def each(make: Callable[[losses.Fitting], Any]) -> Any:  # noqa: ANN401 - as Keras takes them
        made = dict(zip(names, map(make, found), strict=True))
        return [made[None]] if single else made

    model.compile(
        optimizer=keras.optimizers.SGD(learning_rate=LEARNING_RATE, momentum=MOMENTUM, nesterov=True),
        loss=each(lambda one: one.loss()),
        metrics=each(lambda one: one.metric() if single else [one.metric()]),
    )
    losses.record_as(
        model,
        each(lambda one: one.saved_loss()),
        each(lambda one: one.saved_metric() if single else [one.saved_metric()]),
    )


def _end(output: Tensor) -> tuple[str, int | None]:
    """Return the activation that an output comes out of, and how many numbers it has for an image."""
    units = output.shape[-1]
    while True:
        history = output._keras_history
        operation = history.operation
        if not isinstance(operation, SHAPING):
            break
        output = operation._inbound_nodes[history.node_index].input_tensors[0]
    if isinstance(operation, keras.layers.Softmax):
        return "softmax", units
    activation = getattr(operation, "activation", None)
    is_head = is_classifier(operation) or isinstance(operation, keras.layers.Activation)
    return (_named_activation(activation) if is_head else "softmax"), units


def _named_activation(activation: object) -> str:
    """Return the name of an activation, empty for one that has none."""
    name = keras.activations.serialize(activation)
    return name if isinstance(name, str) else ""


@public("model", "num_classes", "activation")
def replace_head(
    model: keras.Model,
    num_classes: int,
    layer: str | Sequence[str] | None = None,
    *,
    activation: str | None = SAME,
) -> keras.Model:
    """Return a model with a fresh classifier of another size in place of its own.

    Everything before the classifier is the very same layers, with their weights and frozen as they were; the
    model itself stays as it is. The new layer has the old one's name and configuration (so its activation, or
    a softmax behind it, too, unless told otherwise) and starts afresh.

    Args:
        model: Any functional or ``Sequential`` model, not only one of ours.
        num_classes: Outputs of the new classifier, from 1; from 2 where they go through a softmax.
        layer: Name of the classifier, a dense layer or a 1x1 convolution, or several names. ``None`` finds
            the last one before each output's softmax, so that GoogLeNet has all three replaced.
        activation: ``softmax`` for one class of several, ``sigmoid`` for several labels at once or a single
            output, ``None`` or ``linear`` for logits; ``same`` keeps the old one's.

    Returns:
        A functional model that is not compiled.

    Raises:
        ArgumentError: ``num_classes`` is no count, ``activation`` none of these, there is no classifier, or
            other weights stand on it.
        UnknownNameError: There is no layer of this name.

    Examples:
        >>> import keras
        >>> import zoo
        >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4, activation="softmax")])
        >>> zoo.replace_head(model, num_classes=10).output_shape
        (None, 10)
        >>> zoo.replace_head(model, num_classes=1, activation="sigmoid").layers[-1].activation.__name__
        'sigmoid'
    """
    if not is_whole(num_classes) or num_classes < 1:
        raise ArgumentError(f"num_classes={num_classes!r}: must be an integer from 1")
    check_activation(activation, (*ACTIVATIONS, SAME))
    wanted = "linear" if activation is None else activation
    return _resized(model, lambda old: int(num_classes), layer, keep=False, activation=wanted)


@public("model", "extra_classes")
def extend_head(
    model: keras.Model, extra_classes: int, layer: str | Sequence[str] | None = None
) -> keras.Model:
    """Return a model that knows the classes it knew and has room for more, which come after them.

    The old classes' weights are taken over to the bit, so that their logits are the same but for rounding: a
    product of matrices of another size may add up in another order. Their probabilities are not the same:
    softmax shares out 1 among all classes, so each old one is multiplied by S / (S + T), with S and T the
    sums of exp(logit) over old and new classes. Which old class is the likeliest, and by what ratio, stays;
    how much goes to the untrained classes is an accident until they are trained. Training moves the old
    classes' weights with the new ones', so examples of both belong into it. After a sigmoid each output
    stands for itself: there the old ones' probabilities stay the same. The activation is the old one's.

    Args:
        model: Any functional or ``Sequential`` model; it stays as it is.
        extra_classes: How many classes to add, from 1.
        layer: As in :func:`replace_head`.

    Returns:
        A functional model that is not compiled; all layers before the classifier are the very same.

    Raises:
        ArgumentError: ``extra_classes`` is no count, there is no classifier, or other weights stand on it.
        UnknownNameError: There is no layer of this name.

    Examples:
        >>> import keras
        >>> import zoo
        >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4, activation="softmax")])
        >>> zoo.extend_head(model, extra_classes=2).output_shape
        (None, 6)
    """
    if not is_whole(extra_classes) or extra_classes < 1:
        raise ArgumentError(f"extra_classes={extra_classes!r}: must be an integer from 1")
    return _resized(model, lambda old: old + int(extra_classes), layer, keep=True)


def below_head(model: keras.Model) -> keras.Model:
    """Return a model without its classifiers: what the last of them stands on comes out.

    Raises:
        ArgumentError: There is no classifier.
    """
    step = _found(model, wiring(model), model.outputs[-1])
    return keras.Model(ends(model)[0], step.inputs[0], name=model.name)


def classifiers_of(model: keras.Model) -> list[str]:
    """Return the names of the layers that are a model's classifiers.

    Raises:
        ArgumentError: There is none.
    """
    graph = wiring(model)
    return [_found(model, graph, output).operation.name for output in model.outputs]


_PASSED_OVER = (
    *SHAPING,
    keras.layers.Activation,
    keras.layers.Dropout,
    keras.layers.GlobalAveragePooling1D,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalMaxPooling1D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.Softmax,
)
"""What may stand between a classifier and the output."""

_OF_CLASSES = ("linear", "log_softmax", "sigmoid", "softmax")
"""Activations that a classifier may have; a rectifier makes features."""


def _resized(
    model: keras.Model,
    size: Callable[[int], int],
    layer: str | Sequence[str] | None,
    *,
    keep: bool,
    activation: str = SAME,
) -> keras.Model:
    graph = wiring(model)
    if layer is None:
        found = [_found(model, graph, tensor) for tensor in model.outputs]
    else:
        found = [_named(model, graph, name) for name in ([layer] if isinstance(layer, str) else layer)]
    changed: dict[int, Tensor] = {}
    classifiers = {id(step.operation) for step in found}
    sizes: dict[int, int] = {}
    said = _activations(graph, classifiers, activation)
    for step in graph.steps:
        standing = [tensor for tensor in step.inputs if id(tensor) in changed]
        output = id(step.outputs[0])
        own = said.get(id(step.operation), SAME)
        if standing:
            _check_follows(model, step)
            old = sizes[id(standing[0])]
            changed[output] = _follower(step.operation, old, size(old), own)(changed[id(standing[0])])
        elif id(step.operation) in classifiers:
            _check_unshared(model, graph, step.operation)
            old = _classes(step.operation)
            changed[output] = _fresh(step, size(old), keep=keep, activation=own)
        else:
            continue
        _check_learns(model, step.operation, size(old), own)
        sizes[output] = old
    inputs, outputs = ends(model)
    outputs = keras.tree.map_structure(lambda tensor: changed.get(id(tensor), tensor), outputs)
    return keras.Model(inputs, outputs, name=model.name)


def _activations(graph: Wiring, classifiers: Container[int], wanted: str) -> dict[int, str]:
    """Return what activation each layer is to have, by its identity, so that each way out ends in one.

    It is the last of a classifier and the activations on it that gets the one that is wanted; those before it
    let everything pass.
    """
    if wanted == SAME:
        return {}
    found: dict[int, str] = {}
    last: dict[int, int] = {}  # by tensor, the layer with the last activation on the way to it
    for step in graph.steps:
        before = next((last[id(tensor)] for tensor in step.inputs if id(tensor) in last), None)
        key = id(step.operation)
        if before is None and key not in classifiers:
            continue
        if before is None or isinstance(step.operation, (keras.layers.Activation, keras.layers.Softmax)):
            found |= {} if before is None else {before: "linear"}
            found[key], before = wanted, key
        last |= {id(tensor): before for tensor in step.outputs}
    return found


def _found(model: keras.Model, graph: Wiring, output: Tensor) -> Step:
    """Return the step of the classifier that an output comes from."""
    step = graph.origin(output)
    while isinstance(step.operation, _PASSED_OVER) and _has_activation_of_classes(step.operation):
        step = graph.origin(step.inputs[0])
    operation = step.operation
    if is_classifier(operation) and _has_activation_of_classes(operation):
        return step
    kind = type(operation).__name__
    end = f"going back from the output {output._keras_history.operation.name!r}, {kind} {operation.name!r}"
    if isinstance(operation, keras.Model):
        reason, advice = "is a model of its own", "replace the head of that one"
    elif is_classifier(operation) or isinstance(operation, _PASSED_OVER):
        activation = keras.activations.serialize(operation.activation)
        reason, advice = f"has the activation {activation!r}", "layer=... names the classifier all the same"
    else:
        reason, advice = "is neither a dense layer nor a 1x1 convolution", "layer=... names the classifier"
    raise ArgumentError(f"model {model.name!r} has no classifier: {end} {reason}; {advice}")


def _has_activation_of_classes(operation: Operation) -> bool:
    activation = getattr(operation, "activation", None)
    return activation is None or keras.activations.serialize(activation) in _OF_CLASSES


def _named(model: keras.Model, graph: Wiring, name: str) -> Step:
    wanted = keras_name(name)
    steps = {step.operation.name: step for step in graph.steps}
    if wanted not in steps:
        guess = did_you_mean(wanted, list(steps))
        raise UnknownNameError(f"layer={name!r}: model {model.name!r} has no such layer{guess}")
    operation = steps[wanted].operation
    if not is_classifier(operation):
        kind = type(operation).__name__
        raise ArgumentError(f"layer={name!r}: is a {kind}; must be a dense layer or a 1x1 convolution")
    return steps[wanted]


def _classes(classifier: Operation) -> int:
    return int(classifier.units if isinstance(classifier, keras.layers.Dense) else classifier.filters)


def _fresh(step: Step, classes: int, *, keep: bool, activation: str = SAME) -> Tensor:
    """Draw a classifier of another size where the old one stands, and return what it gives."""
    old = step.operation
    size = "units" if isinstance(old, keras.layers.Dense) else "filters"
    said = {} if activation == SAME else {"activation": activation}
    new = type(old).from_config(old.get_config() | {size: classes, "trainable": True} | said)
    output = new(step.inputs[0])
    if keep:
        merged = [np.array(array) for array in new.get_weights()]
        for values, known in zip(merged, old.get_weights(), strict=True):
            values[..., : known.shape[-1]] = known
        new.set_weights(merged)
    return output


def _check_unshared(model: keras.Model, graph: Wiring, classifier: Operation) -> None:
    calls = graph.calls(classifier)
    if calls > 1:
        name = classifier.name
        raise ArgumentError(f"model {model.name!r}: layer {name!r} is called {calls} times; must be once")


def _check_learns(model: keras.Model, operation: Operation, classes: int, activation: str = SAME) -> None:
    own = getattr(operation, "activation", None)
    is_softmax = own in (keras.activations.softmax, keras.activations.log_softmax)
    if activation != SAME:
        is_softmax = activation == "softmax"
    elif isinstance(operation, keras.layers.Softmax):
        is_softmax = True
    if classes == 1 and is_softmax:
        reason = f"{operation.name!r} is a softmax, which is 1 for a single class whatever goes in"
        raise ArgumentError(
            f"num_classes=1: model {model.name!r}: {reason}; must be from 2, or activation='sigmoid'"
        )


def _check_follows(model: keras.Model, step: Step) -> None:
    operation = step.operation
    if len(step.inputs) == 1 and not getattr(operation, "weights", ()):
        return
    kind = type(operation).__name__
    reason = "has weights" if len(step.inputs) == 1 else "reads other layers too"
    raise ArgumentError(
        f"model {model.name!r}: {kind} {operation.name!r} stands on the classifier and {reason}, so that its"
        " size cannot change"
    )


def _follower(operation: Operation, old: int, new: int, activation: str) -> Operation:
    """Return a copy of what stands on a classifier, for another number of classes."""
    if activation != SAME:
        return keras.layers.Activation(activation, name=operation.name, dtype=operation.dtype_policy)
    if not isinstance(operation, keras.layers.Reshape):
        return copied(operation)
    shape: tuple[Any, ...] = tuple(new if side == old else side for side in operation.target_shape)
    return keras.layers.Reshape.from_config(operation.get_config() | {"target_shape": shape})
