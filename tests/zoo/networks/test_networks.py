"""Every network against what Keras 1.2.2 on Theano 1.0.5 computed with the same weights and images.

The expected numbers are in data/networks; tests/data/README.md says how they came about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import keras
import numpy as np
import pytest

import converters
import zoo
from tests.support.channels_first import turn_convolutions
from tests.support.forgetting import forget
from tests.support.paths import NETWORK_DATA
from tests.support.shares import FIRST_OF_FAMILY, NETWORKS, first_of_families
from zoo.practice.values import images
from zoo.registry.records import Architecture

EXPECTED = NETWORK_DATA

# Relative to the largest value. An unrotated kernel moves logits by 3.5e-2, a wrong epsilon by 4e-4.
LOGITS, PROBABILITIES = 3e-5, 1e-4


def difference(computed: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest difference relative to the largest value."""
    assert computed.shape == expected.shape
    return float(np.abs(computed - expected).max() / np.abs(expected).max())


def first_image(name: str, data_format: str) -> np.ndarray:
    """Return the first practice image of a network as a batch of one."""
    batch = images(name)[:1]
    return batch if data_format == "channels_first" else batch.transpose(0, 2, 3, 1)


def outputs_of(model: keras.Model, network: Architecture, image: np.ndarray) -> dict[str, np.ndarray]:
    """Return what each head computes and the pooled features, under the names of the expected arrays."""
    heads = network.default_graph.heads
    layers = [model.get_layer(head.layer.replace("/", "__")) for head in heads]
    features = [layer for layer in model.layers if len(layer.output.shape) == 4][-1]
    necks = [layer.input for layer in layers]
    outputs = keras.Model(model.input, [features.output, *necks, *model.outputs])(image)
    values = [keras.ops.convert_to_numpy(output) for output in outputs]
    space = (2, 3) if model.input_shape[1] == 3 else (1, 2)
    computed = {"pooled": values[0].mean(space)}
    for place, (head, layer) in enumerate(zip(heads, layers, strict=True)):
        suffix = "" if head is heads[-1] else f"_{head.name}"
        kernel, bias = layer.get_weights()
        computed[f"logits{suffix}"] = values[1 + place] @ kernel + bias
        computed[f"probs{suffix}"] = values[1 + len(heads) + place]
    return computed


def compare(network: Architecture, computed: Mapping[str, np.ndarray]) -> None:
    """Compare what a network computes with what is expected."""
    expected = np.load(EXPECTED / f"{network.name}.npz")
    for key, values in computed.items():
        allowed = PROBABILITIES if key.startswith("probs") else LOGITS
        assert difference(values, expected[key]) < allowed, f"{key} of {network.name}"


def check(network: Architecture, path: Path, data_format: str = "channels_last") -> keras.Model:
    """Load a network from a file, compare all that it computes with what is expected, and return it."""
    model = zoo.load(network.name, weights=path, data_format=data_format, compile=False)
    computed = outputs_of(model, network, first_image(network.name, data_format))
    known = np.load(EXPECTED / f"{network.name}.npz").files
    assert set(computed) == {key for key in known if key.startswith(("logits", "probs", "pooled"))}
    compare(network, computed)
    return model


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Free what Keras holds of the last model."""
    yield
    forget()


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_a_theano_file_read_as_it_is(network, practice_file, tmp_path):
    """Read directly from the Theano file, the network computes what it computed in Theano.

    Converted to Keras 3 the file fits ``load_weights``: every variable is the same to the bit.
    """
    model = check(network, practice_file(network.name))
    path = tmp_path / f"{network.name}.weights.h5"
    converters.convert_file(practice_file(network.name), path, to="keras3")
    expected = model.get_weights()
    for variable in model.weights:
        variable.assign(keras.ops.full_like(variable, -7.0))
    model.load_weights(path)
    path.unlink()
    for variable, values in zip(model.weights, expected, strict=True):
        assert np.array_equal(variable, values), variable.path
    if network.name in FIRST_OF_FAMILY.values():
        compare(network, outputs_of(model, network, first_image(network.name, "channels_last")))


@pytest.mark.parametrize("network", first_of_families(NETWORKS, NETWORKS))
def test_pooled_features_without_a_head(network, practice_file):
    """Without its classifiers the network gives the features that it gave in Theano."""
    model = zoo.load(network.name, weights=practice_file(network.name), num_classes=0, pooling="avg")
    compare(network, {"pooled": np.asarray(model(first_image(network.name, "channels_last")))})


@pytest.mark.parametrize("network", first_of_families(NETWORKS, NETWORKS))
def test_a_theano_file_converted_to_tensorflow(network, practice_file, tmp_path):
    """Converted first, the network computes the same from a file for TensorFlow."""
    path = tmp_path / f"{network.name}_tf.h5"
    converters.convert_file(practice_file(network.name), path, direction="th-to-tf")
    check(network, path)
    path.unlink()


@pytest.mark.parametrize("name", FIRST_OF_FAMILY.values())
def test_channels_first(name, practice_file, monkeypatch):
    """One network of each family computes the same in channels-first order."""
    turn_convolutions(monkeypatch)
    check(NETWORKS[name], practice_file(name), "channels_first")


@pytest.mark.long  # minutes each, in TensorFlow's own convolutions
@pytest.mark.parametrize("name", FIRST_OF_FAMILY.values())
def test_channels_first_by_tensorflow_alone(name, practice_file):
    """With its own convolutions of maps that have their channels first."""
    check(NETWORKS[name], practice_file(name), "channels_first")
