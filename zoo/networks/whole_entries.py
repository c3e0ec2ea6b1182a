"""Networks of the registry that are whole models: what is loaded is the model in the file."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras

from converters.formats.description import Description
from converters.formats.dialects import describe
from zoo.errors import ArgumentError, UnknownNameError
from zoo.fetching.fetcher import find_cached, resolve
from zoo.networks import heads
from zoo.networks.whole_facts import Whole
from zoo.networks.whole_models import opened_file
from zoo.registry.fields import did_you_mean
from zoo.registry.records import Architecture
from zoo.surgery.graph import ends
from zoo.surgery.prefix import with_preprocessing

_LOG = logging.getLogger(__name__)


def open_model(path: Path, description: Description, label: str) -> keras.Model:
    """Return the model in a file; one that an older Keras wrote is brought up to date on the way.

    Raises:
        FileFormatError: Keras cannot open it.
        ConversionError: It has a layer that has no place in today's Keras.
    """
    if description.dialect != "keras3" and not _is_of_today(description):
        from zoo.networks.upgrading import upgrade  # only old models pay for all the classes that were

        return upgrade(path, compile=False)
    return opened_file(path, label)


def _is_of_today(description: Description) -> bool:
    first = (description.keras_version or "1").partition(".")[0]
    return first.isdigit() and int(first) >= _TODAY


def prepared(
    network: Architecture,
    *,
    num_classes: int | None,
    activation: str | None,
    freeze: int | str | None,
    include_preprocessing: bool,
    compile: bool,
    fixed: Mapping[str, tuple[object, bool]],
) -> Callable[[], keras.Model]:
    """Check what :func:`zoo.load` is given for a whole model, fetching nothing; return what loads it.

    Args:
        network: The network.
        num_classes: As there; so are the others that are named.
        activation: Of a fresh head.
        freeze: A layer's name, ``backbone`` or ``None``.
        include_preprocessing: As there.
        compile: As there.
        fixed: Arguments that mean nothing to a model that is loaded as it is: their values, and whether these
            change nothing.

    Raises:
        ArgumentError: A value is not allowed, or would change what is in the file.
    """
    for argument, (value, is_usual) in fixed.items():
        if not is_usual:
            reason = f"{network.name} is a whole model, which is loaded as it is in its file"
            raise ArgumentError(f"{argument}={value!r}: {reason}; leave that out")
    heads.check_activation(activation)
    if freeze is not None and not isinstance(freeze, str):
        raise ArgumentError(
            f"freeze={freeze!r}: {network.name} is a whole model: say a layer's name or 'backbone'"
        )
    recipe = network.recipe if include_preprocessing else None

    def made() -> keras.Model:
        model = _opened(network)
        if num_classes == 0:
            model = heads.below_head(model)
        elif num_classes is not None:
            fresh = heads.replace_head(model, num_classes, activation=activation)
            # It is another model now, and what is recorded of it must lead back to the registry.
            model = keras.Model(*ends(fresh), name=network.name)
        heads.freeze(model, _frozen(model, freeze, headless=num_classes == 0))
        if recipe is not None:
            model = with_preprocessing(model, recipe)
        if compile and num_classes != 0:
            heads.compile_for_finetuning(model)
        return model

    return made


def file_of(network: Architecture) -> Path:
    """Return the file of a network, fetched if need be.

    Raises:
        ZooError: It cannot be had.
    """
    found = find_cached(network, network.weights[0].set, top=True) or resolve(network.name)
    for note in found.notes:
        _LOG.warning("%s", note)
    return found.path


def _opened(network: Architecture) -> keras.Model:
    path = file_of(network)
    return open_model(path, describe(path), str(path))


def _frozen(model: keras.Model, freeze: str | None, *, headless: bool) -> Callable[[str], bool]:
    """Return a function that tells by its name whether a layer is frozen, those before it frozen too.

    Raises:
        UnknownNameError: There is no layer of this name.
    """
    names = [layer.name for layer in model.layers]
    if freeze is None:
        return lambda name: False
    if freeze == "backbone":
        own = set() if headless else set(heads.classifiers_of(model))
        return lambda name: name not in own
    if freeze not in names:
        raise UnknownNameError(
            f"freeze={freeze!r}: model {model.name!r} has no such layer{did_you_mean(freeze, names)}"
        )
    lower = set(names[: names.index(freeze) + 1])
    return lambda name: name in lower


def facts_of(path: Path, label: str, description: Description) -> Whole:
    """Return what the registry is to say of a whole model.

    Raises:
        FileFormatError: Keras cannot open it.
        ArgumentError: It is no classifier of images.
    """
    model = open_model(path, description, label)
    shape: tuple[Any, ...] = model.input_shape if isinstance(model.input_shape, tuple) else ()
    out: tuple[Any, ...] = model.outputs[-1].shape if getattr(model, "outputs", None) else ()
    if len(shape) != 4 or len(out) != 2 or out[1] is None:
        raise ArgumentError(f"{label}: takes {model.input_shape} and gives {tuple(out)}; must take images")
    first = shape[1] is not None and shape[1] <= _CHANNELS < (shape[3] or _CHANNELS + 1)
    channels, height, width = (shape[1], shape[2], shape[3]) if first else (shape[3], shape[1], shape[2])
    old = description.dialect != "keras3" and not _is_of_today(description)
    return Whole(
        height=height,
        width=width,
        channels=channels,
        classes=out[1],
        parameters=model.count_params(),
        dialect=description.dialect,
        layout="th" if first else "tf",
        kernels="th" if old and description.backend == "theano" else "tf",
    )


_TODAY = 3
"""The first version of Keras whose HDF5 files today's opens as they are."""

_CHANNELS = 4
"""Channels of images, at most, where their place must be told by the shape."""
