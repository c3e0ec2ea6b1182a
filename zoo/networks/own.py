"""Layers and functions of the user's own in models that are upgraded: what Keras says of them."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import h5py
import keras
import numpy as np

from converters.errors import ConversionError
from converters.upgrading.own import OF_INPUTS, Coming, Looked, OwnFunction, OwnLayer
from converters.upgrading.plan import Upgrade
from zoo.errors import ArgumentError

_LONGEST = 400
"""How much of what a user's module says is shown."""
CustomObjects = Mapping[str, Any]
"""Classes, functions and layers of the user's own, by name."""


@dataclass(frozen=True, kw_only=True)
class _Class:
    """A class of layers: each is made anew from its old configuration; or what takes one's place."""

    made: Callable[[dict[str, Any]], keras.Layer]
    by_name: bool = False

    def look(self, coming: Coming) -> Looked:
        """Return what one of its layers is today: see :class:`converters.upgrading.own.OwnLayer`."""
        config = {key: value for key, value in coming.settings.items() if key not in OF_INPUTS}
        layer = _tried(lambda: self.made({**config, "name": coming.name}), "cannot be made")
        return _looked(layer, coming)


@dataclass(frozen=True, kw_only=True)
class _Function:
    """What a layer computes, of Keras' own operations: they stand in the new file, and no code."""

    called: Callable[..., Any]
    by_name: bool = True

    def look(self, coming: Coming) -> Looked:
        """Return the operations as a model: see :class:`converters.upgrading.own.OwnLayer`."""
        inputs = [keras.Input(batch_shape=shape) for shape in coming.shapes]

        def made() -> keras.Model:
            given = self.called(inputs if len(inputs) > 1 else inputs[0])
            return keras.Model(inputs, given, name=coming.name)

        return _looked(_tried(made, "cannot be computed with keras.ops"), coming)


def own_of(custom_objects: CustomObjects) -> dict[str, OwnLayer | OwnFunction]:
    """Return what the converter has to know of classes, layers and functions.

    Args:
        custom_objects: By the names that an old configuration has for them: classes of layers, functions
            that are activations; or by the name of a layer what takes its place: a layer, or a function of
            what comes in that computes with ``keras.ops``.

    Raises:
        ArgumentError: If one is none of these.
    """
    return {name: _own(name, value) for name, value in custom_objects.items()}


def classes_of(custom_objects: CustomObjects) -> dict[str, Any]:
    """Return what Keras has to be given to open the new file: the same, with the classes of single layers."""
    layers = [value for value in custom_objects.values() if isinstance(value, keras.Layer)]
    classes = {keras.saving.get_registered_name(type(layer)): type(layer) for layer in layers}
    given = {name: value for name, value in custom_objects.items() if not isinstance(value, keras.Layer)}
    named = [value for value in given.values() if hasattr(value, "__name__")]
    registered = {keras.saving.get_registered_name(value): value for value in named}
    return {**given, **registered, **classes}


def opened(
    upgrade: Upgrade, path: Path, custom_objects: CustomObjects, *, compile: bool = False
) -> keras.Model:
    """Return the model of a new file.

    Raises:
        ConversionError: If this Keras does not open it: it is too old, or a class of the user's own raises.
    """
    try:
        return keras.models.load_model(path, compile=compile, custom_objects=classes_of(custom_objects))
    except Exception as error:  # Keras raises what the user's own code does, too
        text = f"Keras {keras.__version__} does not open the new file, which needs {upgrade.needs}"
        raise ConversionError(f"{upgrade.path}: {text}: {_line(error)}") from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:_LONGEST]


def _own(name: str, value: Any) -> OwnLayer | OwnFunction:  # noqa: ANN401 - what the user passes
    if isinstance(value, type) and issubclass(value, keras.Layer):
        return _Class(made=cast("type[keras.Layer]", value).from_config)
    if isinstance(value, keras.Layer):
        return _Class(made=lambda said: _renamed(value, str(said["name"])), by_name=True)
    if isinstance(value, type):  # of losses, regularizers and the like: it is not looked for in layers
        return OwnFunction(entry=None)
    if callable(value):
        named = getattr(value, "__name__", "<lambda>") != "<lambda>"
        entry = keras.saving.serialize_keras_object(value) if named else None
        return OwnFunction(entry=entry, layer=_Function(called=value))
    raise ArgumentError(f"custom_objects: {name!r} is no layer, class or function")


def _renamed(layer: keras.Layer, name: str) -> keras.Layer:
    return type(layer).from_config({**layer.get_config(), "name": name})


def _tried(made: Callable[[], Any], what: str) -> Any:  # noqa: ANN401 - what the user's code makes
    """Return what the user's own code makes.

    Raises:
        ValueError: If it raises anything.
    """
    try:
        return made()
    except Exception as error:
        raise ValueError(f"it {what}: {type(error).__name__}: {error}") from error


def _looked(layer: keras.Layer, coming: Coming) -> Looked:
    """Return what a layer is once it is called with what comes in."""
    inputs = [keras.Input(batch_shape=shape) for shape in coming.shapes]
    values = inputs if len(inputs) > 1 else inputs[0]
    model = _tried(lambda: keras.Model(inputs, layer(values)), "cannot be called with what comes in")
    if coming.stepwise:
        _tried(lambda: layer.compute_output_shape(coming.shapes[0]), "does not compute its output shape")
    weights = layer.trainable_weights + layer.non_trainable_weights
    shapes = [tuple(weight.shape) for weight in weights]
    if shapes != list(coming.arrays):
        raise ValueError(f"its arrays are {shapes} today, and {list(coming.arrays)} in the file")
    places, given = _places(model, weights)
    return Looked(
        entry=keras.saving.serialize_keras_object(layer),
        shapes=tuple(tuple(output.shape) for output in model.outputs),
        arrays=places,
        given=given,
        masked=coming.masked and _passes_on(layer, values),
    )


def _passes_on(layer: keras.Layer, values: Any) -> bool:  # noqa: ANN401 - one value or several
    """Return whether a mask of the first value is one of what a layer gives."""
    first = values[0] if isinstance(values, list) else values
    mask = keras.KerasTensor(first.shape[:2], dtype="bool")
    masks = [mask, *[None] * (len(values) - 1)] if isinstance(values, list) else mask
    return _tried(lambda: layer.compute_mask(values, masks), "does not say what becomes of masks") is not None


def _places(model: keras.Model, weights: Sequence[Any]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Return where a layer's weights lie below its group, and what lies there besides.

    It is saved twice, with a number of its own in each weight: what is the same in both files is no weight.
    """
    first, second = (_saved(model, weights, start) for start in (1, 1 + len(weights)))
    changed = [path for path in first if not np.array_equal(first[path], second[path])]
    places = {int(np.ravel(first[path])[0]) - 1: path for path in changed}
    if sorted(places) != list(range(len(weights))):
        raise ValueError("its weights are saved in places that cannot be told")
    given = {path: values for path, values in first.items() if path not in places.values()}
    return tuple(places[number] for number in range(len(weights))), given


def _saved(model: keras.Model, weights: Sequence[Any], start: int) -> dict[str, Any]:
    """Return what a model of one layer saves, by its path below that layer's group.

    Its weights hold numbers, one each, that count from the start.
    """
    for number, weight in enumerate(weights, start):
        weight.assign(np.full(weight.shape, number, weight.dtype))
    found: dict[str, Any] = {}

    def visit(name: str, value: h5py.Group | h5py.Dataset) -> None:
        if isinstance(value, h5py.Dataset):
            found[name.partition("/")[2]] = value[()]

    with tempfile.TemporaryDirectory(prefix="zoo-upgrade-") as folder:
        path = Path(folder) / "one.weights.h5"
        model.save_weights(path)
        with h5py.File(path) as file:
            if "layers" in file:
                file["layers"].visititems(visit)
    return found


def imported(named: Sequence[str]) -> dict[str, Any]:
    """Return what is named, imported: nothing else of the user's code runs.

    Args:
        named: Each as ``module:Name``, or ``NAME=module:Name`` where the old model calls it otherwise, or
            where it takes the place of the layer NAME.

    Raises:
        ArgumentError: If one has another form, or is not there.
    """
    return dict(map(_imported, named))


def _imported(text: str) -> tuple[str, Any]:
    called, _, place = text.rpartition("=")
    module, colon, name = place.partition(":")
    if not (module and colon and name):
        raise ArgumentError(f"--custom {text!r}: say it as module:Class, or NAME=module:Class")
    try:
        value = getattr(importlib.import_module(module), name)
    except Exception as error:  # a module of the user's raises what it likes
        raise ArgumentError(f"--custom {text!r}: {_line(error)}") from error
    return called or name, value
