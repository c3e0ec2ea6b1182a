"""A 1x1 convolution on maps of one pixel gives what a dense layer gives."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo.surgery.dense_head import with_dense_classifier
from zoo.surgery.graph import wiring


def network(*, dropout=True, bias=True, softmax="layer", data_format="channels_last"):
    """Return a small network whose classifier is a 1x1 convolution, as those of MobileNet are."""
    shape = (8, 8, 3) if data_format == "channels_last" else (3, 8, 8)
    own = "softmax" if softmax == "own" else None
    layers = [
        keras.layers.GlobalAveragePooling2D(keepdims=True, data_format=data_format),
        *([keras.layers.Dropout(0.25, name="drop")] if dropout else []),
        keras.layers.Conv2D(4, 1, use_bias=bias, activation=own, name="logits", data_format=data_format),
        keras.layers.Reshape((4,)),
        *([keras.layers.Softmax(name="probabilities")] if softmax == "layer" else []),
    ]
    return keras.Sequential([keras.Input(shape), *layers], name="small")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, ("drop", 0.25)),
        ({"dropout": False}, ("logits_rows", None)),
        ({"bias": False}, ("drop", 0.25)),
        ({"softmax": "none"}, ("drop", 0.25)),
        ({"softmax": "own"}, ("drop", 0.25)),
    ],
)
def test_the_same_comes_out(change, expected):
    """Of a layer of the same name and values; dropout stands right before it, at its rate."""
    model = network(**change)
    images = np.random.default_rng(1).normal(size=(5, 8, 8, 3)).astype("f4")
    dense = with_dense_classifier(model)
    assert dense.name == "small"
    layer = dense.get_layer("logits")
    assert isinstance(layer, keras.layers.Dense)
    np.testing.assert_array_equal(layer.get_weights()[0], model.get_layer("logits").get_weights()[0][0, 0])
    np.testing.assert_allclose(
        dense(images, training=False), model(images, training=False), rtol=1e-5, atol=1e-7
    )
    below = wiring(dense).origin(layer.input).operation
    assert (below.name, getattr(below, "rate", None)) == expected


def test_channels_first_have_their_pixels_last():
    """And the same rows."""
    dense = with_dense_classifier(network(data_format="channels_first"))
    assert dense.get_layer("logits").input.shape == (None, 3)


def test_any_other_model_stays_as_it_is():
    """One with a dense layer, and one that classifies each pixel."""
    for layers in (
        [keras.layers.Flatten(), keras.layers.Dense(4, activation="softmax")],
        [keras.layers.Conv2D(4, 1), keras.layers.Softmax()],
    ):
        model = keras.Sequential([keras.Input((8, 8, 3)), *layers])
        assert with_dense_classifier(model) is model
