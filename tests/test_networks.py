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
from zoo.practice.values import images
from zoo.records import Architecture
from zoo.registry import load_registry

NETWORKS = load_registry(()).architectures
FIRST_OF_FAMILY = {network.family: name for name, network in reversed(NETWORKS.items())}
EXPECTED = Path(__file__).parent / "data" / "networks"

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


def outputs_of(
    network: Architecture, path: Path, data_format: str = "channels_last"
) -> Mapping[str, np.ndarray]:
    """Return what each head computes and the pooled features, under the names of the expected arrays."""
    image = first_image(network.name, data_format)
    model = zoo.load(network.name, weights=path, data_format=data_format, compile=False)
    heads = network.default_graph.heads
    layers = [model.get_layer(head.layer.replace("/", "__")) for head in heads]
    below = keras.Model(model.input, [layer.input for layer in layers])(image)
    computed = {}
    for head, layer, neck, output in zip(heads, layers, _listed(below), _listed(model(image)), strict=True):
        suffix = "" if head is heads[-1] else f"_{head.name}"
        kernel, bias = layer.get_weights()
        computed[f"logits{suffix}"] = np.asarray(neck) @ kernel + bias
        computed[f"probs{suffix}"] = np.asarray(output)
    del model, below, layers
    features = zoo.load(network.name, weights=path, num_classes=0, pooling="avg", data_format=data_format)
    computed["pooled"] = np.asarray(features(image))
    return computed


def _listed(values):
    return values if isinstance(values, list) else [values]


def check(network: Architecture, path: Path, data_format: str = "channels_last") -> None:
    """Compare everything that a network computes with what is expected."""
    expected = np.load(EXPECTED / f"{network.name}.npz")
    computed = outputs_of(network, path, data_format)
    assert set(computed) == {key for key in expected.files if key.startswith(("logits", "probs", "pooled"))}
    for key, values in computed.items():
        allowed = PROBABILITIES if key.startswith("probs") else LOGITS
        assert difference(values, expected[key]) < allowed, f"{key} of {path.name}"


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Free what Keras holds of the last model."""
    yield
    keras.backend.clear_session()


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_a_theano_file_read_as_it_is(network, practice_file):
    """Read directly from the Theano file, the network computes what it computed in Theano."""
    check(network, practice_file(network.name))


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_a_theano_file_converted_to_tensorflow(network, practice_file, tmp_path):
    """Converted first, the network computes the same from a file for TensorFlow."""
    path = tmp_path / f"{network.name}_tf.h5"
    converters.convert_file(practice_file(network.name), path, direction="th-to-tf")
    check(network, path)
    path.unlink()


@pytest.mark.parametrize("name", FIRST_OF_FAMILY.values())
def test_channels_first(name, practice_file):
    """One network of each family computes the same in channels-first order."""
    check(NETWORKS[name], practice_file(name), "channels_first")
