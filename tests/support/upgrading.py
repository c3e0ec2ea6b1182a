"""Upgrading the small models of the original software, and opening what comes of it with plain Keras."""

from __future__ import annotations

import json

import numpy as np

from tests.support.dialect_samples import DATA, is_last
from tests.support.dialect_samples import channels_last as last

MODELS = sorted(
    path.relative_to(DATA).as_posix().removesuffix(".model.h5") for path in DATA.glob("*/*.model.h5")
)
"""The 147 samples of which there is a file of a whole model."""


def source_of(sample):
    """Return a sample's whole model."""
    return DATA / f"{sample}.model.h5"


def recorded(sample, *, turned):
    """Return the inputs and the outputs that the original software recorded."""
    config = (DATA / f"{sample}.json").read_text()
    with np.load(DATA / f"{sample}.npz") as data:
        arrays = {name: data[name] for name in sorted(data)}
    if turned and not is_last(sample):
        arrays = {name: last(array, sample, config) for name, array in arrays.items()}
    return tuple([array for name, array in arrays.items() if name[0] == end] for end in "xy")


def worst(path, sample, *, turned=False):
    """Return how far a new file is from what was recorded, relative to the largest output; and its model."""
    import keras  # only now: it imports TensorFlow

    model = keras.models.load_model(path)
    inputs, outputs = recorded(sample, turned=turned)
    given = model(inputs if len(inputs) > 1 else inputs[0])
    given = given if isinstance(given, list | tuple) else [given]
    assert [np.shape(value) for value in given] == [value.shape for value in outputs]
    return max(
        float(np.abs(np.asarray(value) - wanted).max() / np.abs(wanted).max())
        for value, wanted in zip(given, outputs, strict=True)
    ), model


def said_shapes(config):
    """Yield layer, call and shape of every value that a Functional's configuration names."""
    for layer in config["config"]["layers"]:
        for tensor in tensors(layer.get("inbound_nodes", [])):
            name, call, _ = tensor["keras_history"]
            yield name, call, tuple(tensor["shape"])


def tensors(found):
    """Yield what a configuration says of each value, however deep in lists it stands."""
    if isinstance(found, dict) and found.get("class_name") == "__keras_tensor__":
        yield found["config"]
    elif isinstance(found, dict | list):
        for value in found.values() if isinstance(found, dict) else found:
            yield from tensors(value)


def config_of(upgrade):
    """Return a new file's configuration."""
    return json.loads(upgrade.config)
