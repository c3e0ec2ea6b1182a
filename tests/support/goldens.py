"""What Keras 1.2.2 on Theano 1.0.5 computed with each network, and what a model computes of the same.

The expected numbers are in data/networks; tests/data/README.md says how they came about.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import keras
import numpy as np

import converters
import zoo
from tests.support.paths import NETWORK_DATA
from tests.support.shares import NETWORKS
from zoo.networks.families.names import keras_name
from zoo.networks.weights import choose_weights
from zoo.practice.values import images
from zoo.registry.records import Architecture

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
    expected = np.load(NETWORK_DATA / f"{network.name}.npz")
    for key, values in computed.items():
        allowed = PROBABILITIES if key.startswith("probs") else LOGITS
        assert difference(values, expected[key]) < allowed, f"{key} of {network.name}"


def compare_all(network: Architecture, computed: Mapping[str, np.ndarray]) -> None:
    """Compare what a network computes with what is expected, of which nothing may be left over."""
    known = np.load(NETWORK_DATA / f"{network.name}.npz").files
    assert set(computed) == {key for key in known if key.startswith(("logits", "probs", "pooled"))}
    compare(network, computed)


def check(network: Architecture, path: Path, data_format: str = "channels_last") -> keras.Model:
    """Load a network from a file, compare all that it computes with what is expected, and return it."""
    model = zoo.load(network.name, weights=path, data_format=data_format, compile=False)
    compare_all(network, outputs_of(model, network, first_image(network.name, data_format)))
    return model


class Drawn:
    """A network that was read from its Theano file at its published size, and what it computes.

    All that is asked of it is drawn, read and computed once.
    """

    def __init__(self, name: str, path: Path) -> None:
        self.network = NETWORKS[name]
        self.path = path
        self.image = first_image(name, "channels_last")
        self.model = zoo.load(name, weights=path, data_format="channels_last", compile=False)

    @cached_property
    def outputs(self) -> dict[str, np.ndarray]:
        """What the heads and the last feature map give for the first image."""
        return outputs_of(self.model, self.network, self.image)

    def check_weights_of(self, path: Path) -> None:
        """Compare the arrays that a model loaded from another file would have with those of this one."""
        _, opened = choose_weights(self.network, path)
        source = opened()
        weights = {
            (layer.name, variable.name): variable for layer in self.model.layers for variable in layer.weights
        }
        with source.open() as read:
            for name, roles in source.roles.items():
                for role in roles:
                    values = weights.pop((keras_name(name), role))
                    assert np.array_equal(read(name, role), values), f"{role} of {name}"
        assert not weights

    def check_keras_3(self, path: Path) -> None:
        """Convert the file to Keras 3: ``load_weights`` and ``zoo.load`` read it to the bit."""
        converters.convert_file(self.path, path, to="keras3")
        expected = self.model.get_weights()
        for variable in self.model.weights:
            variable.assign(keras.ops.full_like(variable, -7.0))
        self.model.load_weights(path)
        for variable, values in zip(self.model.weights, expected, strict=True):
            assert np.array_equal(variable, values), variable.path
        self.check_weights_of(path)
        path.unlink()

    def check_tensorflow(self, path: Path) -> None:
        """Convert the file to TensorFlow's form: it holds the same arrays to the bit."""
        converters.convert_file(self.path, path, direction="th-to-tf")
        self.check_weights_of(path)

    def check_features(self) -> None:
        """Load the network without its heads: its pooled features are the expected ones."""
        model = zoo.load(self.network.name, weights=self.path, num_classes=0, pooling="avg")
        compare(self.network, {"pooled": np.asarray(model(self.image))})

    def check_fused(self, there: int, folded: int) -> None:
        """Fold batch normalisation: features and logits are equal within 1e-5 of the largest.

        Softmax makes of a difference between logits a relative one between probabilities, so those may differ
        by a little more.

        Args:
            there: How many batch normalisations the network has.
            folded: How many are directly behind a convolution that nothing else reads.
        """
        fused = zoo.fuse(self.model)
        assert len(norms(self.model)) == there
        assert len(norms(fused)) == there - folded
        assert fused.output_names == self.model.output_names
        for key, computed in outputs_of(fused, self.network, self.image).items():
            assert difference(computed, self.outputs[key]) < (2e-5 if key.startswith("probs") else 1e-5), key


def norms(model: keras.Model) -> list[str]:
    """Return the names of a model's batch normalisations."""
    return [layer.name for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]


FOLDED = {
    "vgg16": (0, 0),
    "vgg19": (0, 0),
    "googlenet": (0, 0),
    "inception_v3": (94, 0),
    "inception_v4": (149, 149),
    "resnet50": (53, 53),
    "resnet101": (104, 104),
    "resnet152": (155, 155),
    "densenet121": (121, 59),
    "densenet161": (161, 79),
    "densenet169": (169, 83),
}
"""Batch normalisations, and how many are directly behind a convolution that nothing else reads."""
