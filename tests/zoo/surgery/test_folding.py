"""Batch normalisation folded into convolutions: the same numbers from fewer layers.

The published networks are folded in test_networks, where they are drawn anyway.
"""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import pytest

import zoo
from converters.planning.structures import load_structure
from tests.support.forgetting import forget
from tests.support.goldens import norms
from tests.support.weight_files import write_empty

layers = keras.layers


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Free what Keras holds of the last model."""
    yield
    forget()


def outputs_of(model: keras.Model, image: np.ndarray) -> list[np.ndarray]:
    """Return all that a model gives."""
    outputs = model(image)
    return [np.asarray(one) for one in (outputs if isinstance(outputs, list) else [outputs])]


def lively(model: keras.Model) -> keras.Model:
    """Give a deep model values that neither die out nor explode on the way up."""
    random = np.random.default_rng(9)
    for layer in model.layers:
        for variable in layer.weights:
            values = random.uniform(-0.5, 0.5, variable.shape)
            if variable.name == "kernel":
                values *= 4 / np.sqrt(np.prod(variable.shape[:-1]))
            elif variable.name in ("gamma", "moving_variance"):
                values += 1
            variable.assign(values)
    return model


@pytest.mark.parametrize(
    ("name", "structure", "there", "folded"),
    [
        pytest.param("inception_v3", "inception_v3_2017", 94, 94, marks=pytest.mark.long),
        pytest.param("inception_v4", "inception_v4_noscale", 149, 149, marks=pytest.mark.long),
    ],
)
def test_other_releases_compute_the_same(name, structure, there, folded, tmp_path):
    """Those without gamma; Inception V3 of 2017 has its ReLUs behind the batch normalisation."""
    path = write_empty(tmp_path / "weights.h5", load_structure(structure), layout="tf")
    size = (139, 139, 3)
    model = lively(zoo.load(name, weights=path, input_shape=size, compile=False, data_format="channels_last"))
    fused = zoo.fuse(model)
    assert (len(norms(model)), len(norms(fused))) == (there, there - folded)
    image = np.random.default_rng(3).normal(0, 1, (1, *size)).astype(np.float32)
    (computed,), (expected,) = outputs_of(fused, image), outputs_of(model, image)
    assert expected.std() > 0
    assert np.abs(computed - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.long
def test_preprocessing_inside_stays_and_a_fused_model_saves_and_opens(tmp_path):
    """A model that takes pixels is fused as well, and still takes them; it is made of standard layers."""
    model = zoo.load(
        "resnet50", weights=None, num_classes=3, input_shape=(32, 32, 3), include_preprocessing=True
    )
    fused = zoo.fuse(model)
    assert not norms(fused)
    raw = np.random.default_rng(1).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    expected = np.asarray(model(raw))
    assert np.abs(fused(raw) - expected).max() < 1e-5 * np.abs(expected).max()
    fused.save(tmp_path / "fused.keras")
    assert np.array_equal(keras.saving.load_model(tmp_path / "fused.keras")(raw), fused(raw))


def varied(model: keras.Model) -> keras.Model:
    """Give each array of a model values of its own."""
    random = np.random.default_rng(9)
    for layer in model.layers:
        layer.set_weights(
            [random.uniform(0.5, 1.5, array.shape).astype(np.float32) for array in layer.get_weights()]
        )
    return model


def small(*stack, shape=(6, 5, 3)) -> keras.Model:
    """Return a model of layers on top of each other."""
    tensor = inputs = keras.Input(shape, name="images")
    for layer in stack:
        tensor = layer(tensor)
    return varied(keras.Model(inputs, tensor, name="small"))


@pytest.mark.parametrize(
    "stack",
    [
        (layers.Conv2D(4, 3, padding="same", use_bias=False), layers.BatchNormalization()),
        (layers.Conv2D(4, 3, strides=2), layers.BatchNormalization(scale=False, epsilon=0.1)),
        (layers.Conv2D(4, 3), layers.BatchNormalization(center=False)),
        (
            layers.Conv2D(4, 3, data_format="channels_first", padding="same"),
            layers.BatchNormalization(axis=1),
        ),
        (layers.Reshape((30, 3)), layers.Conv1D(4, 3), layers.BatchNormalization()),
    ],
    ids=["no bias", "no gamma", "no beta", "channels first", "1D"],
)
def test_every_kind_is_folded(stack):
    """With and without bias, gamma and beta, in either order of channels."""
    model = small(*stack)
    fused = zoo.fuse(model)
    assert not norms(fused)
    image = np.random.default_rng(1).normal(0, 1, (2, 6, 5, 3)).astype(np.float32)
    expected = np.asarray(model(image))
    assert np.abs(fused(image) - expected).max() < 1e-6 * np.abs(expected).max()


def test_what_must_stay_stays():
    """A rectifier between, another axis, a second reader, an output, a shared layer, a kind of one's own."""

    class Doubled(layers.Conv2D):
        def call(self, inputs):
            return 2 * super().call(inputs)

    shared = layers.Conv2D(3, 1, name="shared")
    inputs = keras.Input((6, 3, 3), name="images")
    read_twice = layers.Conv2D(3, 1, name="twice")(inputs)
    given_out = layers.Conv2D(3, 1, name="out")(inputs)
    normalised = [
        layers.BatchNormalization(name="rectified")(layers.Conv2D(3, 1, activation="relu")(inputs)),
        layers.BatchNormalization(name="by column", axis=2)(layers.Conv2D(3, 1)(inputs)),
        layers.BatchNormalization(name="second reader")(read_twice),
        layers.BatchNormalization(name="output")(given_out),
        layers.BatchNormalization(name="of shared")(shared(shared(inputs))),
        layers.BatchNormalization(name="of a subclass")(Doubled(3, 1)(inputs)),
        layers.BatchNormalization(name="of sum")(layers.Add()([inputs, read_twice])),
    ]
    model = varied(keras.Model(inputs, [given_out, layers.Add()(normalised)], name="small"))
    fused = zoo.fuse(model)
    assert norms(fused) == norms(model)
    image = np.random.default_rng(1).normal(0, 1, (2, 6, 3, 3)).astype(np.float32)
    for computed, expected in zip(outputs_of(fused, image), outputs_of(model, image), strict=True):
        assert np.array_equal(computed, expected)


def test_models_inside_are_fused_too():
    """A nested backbone, as Keras' own tutorials build it."""
    inner = small(layers.Conv2D(4, 3), layers.BatchNormalization())
    inputs = keras.Input((6, 5, 3))
    model = keras.Model(inputs, layers.GlobalAveragePooling2D()(inner(inputs)))
    fused = zoo.fuse(model)
    assert not norms(fused.get_layer("small"))
    image = np.random.default_rng(1).normal(0, 1, (2, 6, 5, 3)).astype(np.float32)
    assert np.allclose(fused(image), model(image), rtol=1e-5)


def test_layers_are_its_own_and_the_folded_ones_frozen():
    """Training what is left of a fused model changes neither the original nor what was folded."""
    model = small(layers.Conv2D(4, 3, name="conv"), layers.BatchNormalization(), layers.Dense(2, name="top"))
    before = [array.copy() for array in model.get_weights()]
    fused = zoo.fuse(model)
    assert [layer.name for layer in fused.layers if layer.trainable_weights] == ["top"]
    fused.get_layer("top").kernel.assign(np.zeros((4, 2)))
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before, strict=True))
