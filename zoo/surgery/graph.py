"""Looking at the graph of any Keras model and drawing it again with a few things changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import keras

from zoo.errors import ArgumentError
from zoo.surgery.notes import keep_notes
from zoo.surgery.tensors import Tensor

Operation = Any
"""A layer, or an operation on tensors that is none; Keras gives both a name."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One call of a layer or operation.

    Attributes:
        operation: What was called.
        inputs: The symbolic tensors that it was called with; none for an input of the model.
        outputs: What it gave.
        arguments: All that it was called with: positional arguments, and those with names.
    """

    operation: Operation
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    arguments: tuple[Any, dict[str, Any]]


class Wiring:
    """All steps between a model's inputs and its outputs, each after those that it depends on."""

    def __init__(self, outputs: Iterable[Tensor]) -> None:
        """Follow tensors back to where they come from.

        Args:
            outputs: The symbolic tensors to start from.
        """
        self.outputs = tuple(outputs)
        self.steps = tuple(_in_order(self.outputs))
        self._origin = {id(tensor): step for step in self.steps for tensor in step.outputs}
        self._readers = Counter(id(tensor) for step in self.steps for tensor in step.inputs)
        self._readers.update(id(tensor) for tensor in self.outputs)
        self._calls = Counter(id(step.operation) for step in self.steps)

    def origin(self, tensor: Tensor) -> Step:
        """Return the step that a tensor comes from."""
        return self._origin[id(tensor)]

    def readers(self, tensor: Tensor) -> int:
        """Return how many steps read a tensor; being an output of the model counts as one."""
        return self._readers[id(tensor)]

    def calls(self, operation: Operation) -> int:
        """Return how many steps an operation stands in: more than one if it is shared."""
        return self._calls[id(operation)]


def wiring(model: keras.Model) -> Wiring:
    """Return the graph of a model.

    Args:
        model: A functional model, or a ``Sequential`` one that knows its input.

    Raises:
        ArgumentError: The graph of this model is not known.
    """
    check_drawn(model)
    return Wiring(model.outputs)


def check_drawn(model: keras.Model) -> None:
    """Check that the graph of a model is known.

    Raises:
        ArgumentError: It is not a model, or one whose class says in Python what it does, or not built.
    """
    if not isinstance(model, keras.Model):
        raise ArgumentError(f"model={type(model).__name__}: must be a Keras model")
    if isinstance(model, keras.Sequential) and not model.built:
        raise ArgumentError(f"model {model.name!r} does not know its input yet; call it once, or build it")
    try:
        outputs = model.outputs
    except AttributeError:
        outputs = None
    if not outputs:
        kind = type(model).__name__
        raise ArgumentError(
            f"model {model.name!r} is a {kind}: only functional and Sequential models have a graph to work on"
        )


def ends(model: keras.Model) -> tuple[Any, Any]:
    """Return a model's symbolic inputs and outputs, in the structure that it takes and gives them."""
    if isinstance(model, keras.Sequential):
        return model.inputs[0], model.outputs[0]
    return model.input, model.output


def copied(operation: Operation) -> Operation:
    """Return a new operation of the same configuration; a layer's weights start afresh."""
    return type(operation).from_config(operation.get_config())


def redraw(
    model: keras.Model,
    call: Callable[..., Tensor],
    replace: Callable[[Operation], Operation] = copied,
) -> keras.Model:
    """Draw a model again with new layers, and copies of the weights wherever shapes are the same.

    Args:
        model: A model whose graph is known; it stays as it is.
        call: Called with the new operation and its arguments; returns what comes out of it.
        replace: Returns the new operation for an old one.

    Returns:
        A functional model with the same names of inputs and layers that is not compiled.
    """
    pairs = []

    def paired(operation: Operation) -> Operation:
        new = replace(operation)
        if isinstance(operation, keras.Layer) and type(new) is type(operation):
            pairs.append((operation, new))
        return new

    view = keras.Model(*ends(model), name=model.name)
    redrawn = keras.models.clone_model(view, clone_function=paired, call_function=call)
    for old, new in pairs:
        if [tuple(one.shape) for one in old.weights] == [tuple(one.shape) for one in new.weights]:
            new.set_weights(old.get_weights())
    keep_notes(view, redrawn)
    return redrawn


def _in_order(outputs: Iterable[Tensor]) -> list[Step]:
    steps: dict[tuple[int, int], Step] = {}
    waiting = [(tensor, False) for tensor in reversed(tuple(outputs))]
    while waiting:
        tensor, is_ready = waiting.pop()
        operation, place, _ = tensor._keras_history
        key = (id(operation), place)
        if key in steps:
            continue
        node = operation._inbound_nodes[place]
        if is_ready:
            inputs, produced = tuple(node.input_tensors), tuple(node.output_tensors)
            arguments = (node.arguments.args, node.arguments.kwargs)
            steps[key] = Step(operation=operation, inputs=inputs, outputs=produced, arguments=arguments)
            continue
        waiting.append((tensor, True))
        waiting += [(source, False) for source in reversed(node.input_tensors)]
    return list(steps.values())
