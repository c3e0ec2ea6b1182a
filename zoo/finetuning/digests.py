"""What tells a model from any other: its graph, its weights, and nothing that Keras makes up."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from zoo.surgery.graph import Operation, Step, wiring

_MADE_UP = frozenset({"name", "trainable", "shared_object_id"})
"""Of a layer's configuration, what makes no difference to what it computes in inference."""
_OF_TRAINING = ("_initializer", "_regularizer", "_constraint")
"""How settings end that say where arrays start from and how they may change; Keras writes them in other words
from version to version, and the arrays themselves are in the digest."""
_OPERATIONS = "keras.src.ops."
"""Where Keras' operations come from, which it numbers by itself; other objects' names may mean something."""


@dataclass(frozen=True, kw_only=True)
class ModelDigest:
    """What tells a model from any other.

    Attributes:
        value: SHA-256 of all that decides what the model computes, in hexadecimal.
        untold: Kinds of layers, and other things in the graph, that do not say what they do. Two models that
            differ in these alone have the same digest.
    """

    value: str
    untold: tuple[str, ...]


def digest_model(model: keras.Model) -> ModelDigest:
    """Return the digest of a model.

    Names make no difference, nor does what is trainable: a model that is drawn twice has the same digest, in
    another process too. What Python code a layer of one's own holds is not looked at, only its configuration.

    Args:
        model: A functional or ``Sequential`` model.

    Raises:
        ArgumentError: The graph of the model is not known.
    """
    writer = _Writer()
    writer.write_model(model)
    return ModelDigest(value=writer.digest.hexdigest(), untold=tuple(dict.fromkeys(writer.untold)))


class _Writer:
    """Writes models down, into a digest."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self.untold: list[str] = []

    def write_model(self, model: keras.Model) -> None:
        """Write the steps of a model, each with the numbers of the tensors it reads."""
        graph = wiring(model)
        tensors: dict[int, int] = {}
        operations: dict[int, int] = {}
        for step in graph.steps:
            self._write_operation(step.operation, operations)
            self._write(self._told(_arguments(step), tensors))
            for tensor in step.outputs:
                tensors[id(tensor)] = len(tensors)
        self._write([[tensors[id(one)] for one in ends] for ends in (model.inputs, graph.outputs)])

    def _write_operation(self, operation: Operation, operations: dict[int, int]) -> None:
        known = operations.get(id(operation))
        operations.setdefault(id(operation), len(operations))
        kind = type(operation)
        self._write([f"{kind.__module__}.{kind.__qualname__}", known])
        if known is not None:
            return
        if isinstance(operation, keras.Model) and getattr(operation, "outputs", None):
            self.write_model(operation)
            return
        self._write(self._told(self._configuration(operation), {}))
        for variable in getattr(operation, "weights", ()):
            self._write_array(keras.ops.convert_to_numpy(variable))

    def _configuration(self, operation: Operation) -> Mapping[str, object]:
        try:
            config: Mapping[str, object] = operation.get_config()
        except NotImplementedError:
            self.untold.append(type(operation).__name__)
            return {}
        return _deciding(config)

    def _told(self, value: Any, tensors: Mapping[int, int]) -> Any:  # noqa: ANN401 - anything can be an argument
        """Return a value as JSON, in which tensors of the graph are numbers."""
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if id(value) in tensors:
            return {"tensor": tensors[id(value)]}
        if isinstance(value, Mapping):
            return {str(key): self._told(part, tensors) for key, part in _without_made_up(value).items()}
        if isinstance(value, list | tuple):
            return [self._told(one, tensors) for one in value]
        if isinstance(value, np.ndarray | np.generic | keras.Variable) or keras.ops.is_tensor(value):
            array = keras.ops.convert_to_numpy(value)
            return [str(array.dtype), array.shape, hashlib.sha256(_bytes(array)).hexdigest()]
        return self._named(value)

    def _named(self, value: object) -> str:
        name = f"{value.__module__}.{value.__qualname__}" if hasattr(value, "__qualname__") else str(value)
        if "<lambda>" in name or "<locals>" in name or " at 0x" in name:
            self.untold.append(type(value).__name__)
            return type(value).__name__
        return name

    def _write(self, value: object) -> None:
        self.digest.update(json.dumps(value, sort_keys=True).encode() + b"\n")

    def _write_array(self, array: NDArray[Any]) -> None:
        self._write([str(array.dtype), array.shape])
        self.digest.update(_bytes(array))


def _deciding(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return of a layer's configuration what decides what it computes in inference."""
    return {
        key: value for key, value in config.items() if key not in _MADE_UP and not key.endswith(_OF_TRAINING)
    }


def _without_made_up(value: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """Return settings without names and numbers: a layer's own, or those of an operation within a layer."""
    inner = value.get("config")
    if str(value.get("module")).startswith(_OPERATIONS) and isinstance(inner, Mapping):
        value = {**value, "config": {key: part for key, part in inner.items() if key not in _MADE_UP}}
    return _deciding(value) if "trainable" in value else value


def _arguments(step: Step) -> tuple[object, object]:
    """Return what an operation was called with, in the order and structure in which it was."""
    _, place, _ = step.outputs[0]._keras_history
    arguments = step.operation._inbound_nodes[place].arguments
    return arguments.args, arguments.kwargs


def _bytes(array: NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
