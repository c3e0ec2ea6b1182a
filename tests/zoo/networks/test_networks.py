"""Each family's first network against what Keras 1.2.2 on Theano 1.0.5 computed with the same weights.

A network is read from its Theano file once, and all tests ask that one; the others of the families are
in test_deeper_networks.
"""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import pytest

import converters
import zoo
from tests.support.forgetting import forget
from tests.support.goldens import FOLDED, Drawn, check, compare, compare_all, outputs_of
from tests.support.long import long_but
from tests.support.shares import FIRST_OF_FAMILY
from zoo.networks.families.names import keras_name

FIRST = sorted(FIRST_OF_FAMILY.values(), key=lambda name: name != "googlenet")
"""Tests of GoogLeNet alone have the parameter that others have first, so that they share what is drawn."""


def of_each_family(*ordinary: str) -> pytest.MarkDecorator:
    """Let a test have the network of each family as ``drawn``, those that are not named long."""
    values = long_but(ordinary or FIRST, FIRST)
    return pytest.mark.parametrize("drawn", values, indirect=True, scope="module")


@pytest.fixture(scope="module")
def drawn(request: pytest.FixtureRequest, practice_file) -> Iterator[Drawn]:
    """Return a network that was read from its practice file."""
    drawn = Drawn(request.param, practice_file(request.param))
    yield drawn
    del drawn.model  # pytest holds on to the rest a little longer
    forget()


@of_each_family("googlenet", "vgg16", "resnet50", "densenet121", "inception_v3")
def test_a_theano_file_read_as_it_is(drawn):
    """Read directly from the Theano file, the network computes what it computed in Theano."""
    compare_all(drawn.network, drawn.outputs)


@of_each_family("googlenet", "resnet50")
def test_a_file_converted_to_keras_3(drawn, tmp_path):
    """It fits ``load_weights``, and ``zoo.load``: every variable is the same to the bit."""
    drawn.check_keras_3(tmp_path / "network.weights.h5")


@of_each_family("googlenet")
def test_a_file_converted_to_keras_3_computes_the_same(drawn, tmp_path):
    """With the weights from that file the network computes what it computed in Theano."""
    drawn.check_keras_3(tmp_path / "network.weights.h5")
    compare(drawn.network, outputs_of(drawn.model, drawn.network, drawn.image))


@pytest.mark.long
@of_each_family("densenet121")
def test_a_folded_file_is_loaded_like_the_one_it_was_made_of(drawn, tmp_path):
    """``zoo.load`` takes a file of Keras 3 by its path, with its Scale layers folded."""
    path = tmp_path / "network.weights.h5"
    converters.convert_file(drawn.path, path, to="keras3")
    model = zoo.load(drawn.network.name, weights=path, compile=False)
    assert all(np.array_equal(*pair) for pair in zip(model.weights, drawn.model.weights, strict=True))


@of_each_family("googlenet", "resnet50", "densenet121")
def test_a_file_converted_to_tensorflow(drawn, tmp_path):
    """Converted first, the network has the same arrays from a file for TensorFlow."""
    drawn.check_tensorflow(tmp_path / "network_tf.h5")


@of_each_family("googlenet")
def test_a_file_converted_to_tensorflow_computes_the_same(drawn, tmp_path):
    """Loaded anew from that file, the network computes what it computed in Theano."""
    path = tmp_path / "network_tf.h5"
    converters.convert_file(drawn.path, path, direction="th-to-tf")
    check(drawn.network, path)


@of_each_family("vgg16", "googlenet")
def test_pooled_features_without_a_head(drawn):
    """Without its classifiers the network gives the features that it gave in Theano."""
    drawn.check_features()


@of_each_family("googlenet", "resnet50")
def test_a_fused_network_computes_the_same(drawn):
    """Features and logits are equal; the model that was given stays whole."""
    drawn.check_fused(*FOLDED[drawn.network.name])


# What is asked of one network.

of_googlenet = pytest.mark.parametrize("drawn", FIRST[:1], indirect=True, scope="module")


@of_googlenet
def test_a_loaded_model_remembers_its_initialisers(drawn):
    """Zeros spare work while weights are read, but are not what the model's configuration says."""
    initializers = {
        layer.get_config()["kernel_initializer"]["class_name"]
        for layer in drawn.model.layers
        if hasattr(layer, "kernel_initializer")
    }
    assert initializers == {"GlorotUniform"}


@of_googlenet
def test_a_model_without_auxiliary_heads_reads_the_rest(drawn):
    """Its one output is the last of three."""
    image = np.random.default_rng(8).normal(0, 50, (1, 224, 224, 3)).astype(np.float32)
    *_, last = drawn.model(image)
    assert np.array_equal(zoo.load("googlenet", weights=drawn.path, aux_heads=False)(image), last)


@of_googlenet
def test_feature_maps_are_what_the_layers_give(drawn):
    """A map is what the network's layer gives, under whatever strides were asked for."""
    image = np.random.default_rng(3).normal(0, 50, (1, 224, 224, 3)).astype(np.float32)
    maps = zoo.feature_maps("googlenet", weights=drawn.path, strides=(16, 2))(image)
    assert list(maps) == ["stride16", "stride2"]
    layer = keras.Model(drawn.model.input, drawn.model.get_layer("inception_4e__output").output)
    assert np.array_equal(maps["stride16"], layer(image))
    assert maps["stride2"].shape == (1, 112, 112, 64)


@of_each_family("densenet121")
def test_extending_a_network_of_ours(drawn):
    """The published classes, 1,000 or 1,001, and 3 more: the weights of the former are the file's."""
    extended = zoo.extend_head(drawn.model, 3)
    name = keras_name(drawn.network.default_graph.heads[-1].layer)
    kernel, bias = drawn.model.get_layer(name).get_weights()
    wider, longer = extended.get_layer(name).get_weights()
    classes = drawn.network.classes
    assert wider.shape == (kernel.shape[0], classes + 3)
    assert np.array_equal(wider[:, :classes], kernel)
    assert np.array_equal(longer[:classes], bias)
    last = extended.get_layer(name)
    logits = np.asarray(keras.Model(extended.input, last.input)(drawn.image)) @ wider + longer
    known = drawn.outputs["logits"]
    assert np.abs(logits[:, :classes] - known).max() < 1e-5 * np.abs(known).max()
