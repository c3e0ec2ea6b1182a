"""Upgrading the small models of the original software, and opening what comes of it with plain Keras."""

from __future__ import annotations

import json

import h5py
import numpy as np

from converters import upgrade_file
from tests.support.dialect_samples import DATA, is_last
from tests.support.dialect_samples import channels_last as last
from tests.support.weight_files import fill_named

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
    # As predict() calls it, which overrides what a configuration says of one layer's call.
    given = model(inputs if len(inputs) > 1 else inputs[0], training=False)
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


def layer(class_name, name="layer", **settings):
    """Return a layer as a configuration of Keras 1 or 2 lists it."""
    return {"class_name": class_name, "config": {"name": name, "trainable": True, **settings}}


def chain(*layers, shape=None):
    """Return a Sequential of layers, the first of which says what shape comes in."""
    first, *others = layers
    if shape is not None:
        first = {**first, "config": {**first["config"], "batch_input_shape": [None, *shape]}}
    return {"class_name": "Sequential", "config": [first, *others]}


def functional(nodes, inputs, outputs):
    """Return a Model: nodes are layers, each with the names of what feeds it (one use), or lists of them."""
    listed = []
    for entry, *uses in nodes:
        fed = [
            [[*source, {}] if isinstance(source, tuple) else [source, 0, 0, {}] for source in use]
            for use in uses
        ]
        listed.append({**entry, "name": entry["config"]["name"], "inbound_nodes": fed})
    ends = {
        "input_layers": [[name, 0, 0] for name in inputs],
        "output_layers": [[name, 0, 0] for name in outputs],
    }
    return {"class_name": "Model", "config": {"name": "model", "layers": listed, **ends}}


def write_model(path, config, arrays=None, *, version="2.2.4", backend="tensorflow"):
    """Write a whole model: its configuration, and its arrays by layer and name."""
    said = {"backend": backend} if backend and not version.startswith("1.") else {}
    with h5py.File(path, "w") as file:
        for name, text in {"keras_version": version, **said, "model_config": json.dumps(config)}.items():
            file.attrs[name] = np.bytes_(text.encode())
        fill_named(file.create_group("model_weights"), arrays or {})
    return path


def opened(path, target, **options):
    """Upgrade a whole model and open it with plain Keras."""
    import keras

    upgrade_file(path, target, **options)
    return keras.models.load_model(target)


MERGES = {
    "Add": lambda a, b: a + b,
    "Subtract": lambda a, b: a - b,
    "Multiply": lambda a, b: a * b,
    "Average": lambda a, b: (a + b) / 2,
    "Maximum": np.maximum,
    "Minimum": np.minimum,
}
"""What layers compute of two inputs."""
