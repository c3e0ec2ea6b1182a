"""Preprocessing inside the model: raw pixels in, the same numbers out; saved copies are in test_saving."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from tests.support.forgetting import forget
from zoo.errors import ArgumentError
from zoo.networks.preprocessing import apply_recipe
from zoo.registry import load_registry
from zoo.surgery.prefix import draw_preprocessing, is_drawn_recipe

REGISTRY = load_registry(())


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Free what Keras holds of the last model."""
    yield
    forget()


def pixels(*shape: int) -> np.ndarray:
    """Return integers from 0 to 255 as images have them."""
    return np.random.default_rng(6).integers(0, 256, shape).astype(np.uint8)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("recipe", REGISTRY.preprocessing.values(), ids=REGISTRY.preprocessing)
def test_every_recipe_does_what_preprocess_input_does(recipe, data_format):
    """uint8 and float pixels become the same as in NumPy, within float32's rounding."""
    first = data_format == "channels_first"
    raw = pixels(2, 3, 5, 7) if first else pixels(2, 5, 7, 3)
    inputs = keras.Input(raw.shape[1:])
    model = keras.Model(inputs, draw_preprocessing(inputs, recipe, 1 if first else 3))
    expected = apply_recipe(recipe, raw, data_format)
    for given in (raw, raw.astype(np.float32)):
        assert np.abs(model(given) - expected).max() <= 1e-6 * np.abs(expected).max()


def test_numbers_are_constants_of_what_is_exported():
    """Nothing but variables comes into the graph from outside: tf2onnx would make inputs of the rest."""
    model = zoo.with_preprocessing(small((4, 5, 3)), "densenet161")
    drawn = tf.function(model).get_concrete_function(tf.TensorSpec((None, 4, 5, 3)))
    assert {tensor.dtype for tensor in drawn.captured_inputs} == {tf.resource}


def test_recipes_that_were_drawn_otherwise_before_are_known():
    """By a Normalization layer of that name and its numbers; a Rescaling of other numbers is no recipe."""
    for recipe in REGISTRY.preprocessing.values():
        variance = [scale**-2 for scale in recipe.scale]
        layer = keras.layers.Normalization(mean=list(recipe.mean), variance=variance, name="preprocessing")
        assert [one for one in REGISTRY.preprocessing.values() if is_drawn_recipe(layer, one)] == [recipe]
        offset = [mean + 1 for mean in recipe.mean]
        other = keras.layers.Rescaling([[recipe.scale]], [[offset]], name="preprocessing")
        assert not is_drawn_recipe(other, recipe)


@pytest.mark.parametrize("value", [1, None, "caffe"])
def test_include_preprocessing_that_is_no_flag(value):
    """It is yes or no: the recipe is the network's."""
    with pytest.raises(ArgumentError) as caught:
        zoo.load("resnet50", weights=None, include_preprocessing=value)
    assert str(caught.value) == f"include_preprocessing={value!r}: must be True or False"


def small(*shapes: tuple[int, ...]) -> keras.Model:
    """Return a model with a weight, for inputs of these shapes."""
    inputs = [keras.Input(shape, name=f"images_{place}") for place, shape in enumerate(shapes)]
    outputs = [keras.layers.Dense(2, name=f"dense_{place}")(one) for place, one in enumerate(inputs)]
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], outputs, name="small")


def test_any_model_gets_a_prefix():
    """The new model has weights of its own, the names of the old one, and the order told by the shape."""
    model = small((4, 5, 3))
    prefixed = zoo.with_preprocessing(model, "vgg16")
    raw = pixels(2, 4, 5, 3)
    expected = np.asarray(model(zoo.preprocess_input("vgg16", raw))[0])
    assert np.allclose(prefixed(raw)[0], expected, rtol=1e-5, atol=1e-4)
    assert prefixed.get_layer("dense_0") is not model.get_layer("dense_0")
    expected_names = ["images_0", "rgb_to_bgr", "preprocessing", "dense_0"]
    assert [layer.name for layer in prefixed.layers] == expected_names
    first = zoo.with_preprocessing(small((3, 4, 5)), "inception_v3")
    assert np.shape(first.get_layer("preprocessing").scale) == (3, 1, 1)
    recipe = REGISTRY.preprocessing["torch"]
    assert zoo.with_preprocessing(small((3, 4, 3)), recipe, data_format="channels_first").input_shape == (
        None,
        3,
        4,
        3,
    )


@pytest.mark.parametrize(
    ("shapes", "arguments", "expected"),
    [
        (
            [(4, 5, 1)],
            {},
            "model 'small' takes (None, 4, 5, 1): must take one batch of RGB images",
        ),
        ([(3,)], {}, "model 'small' takes (None, 3): must take one batch of RGB images"),
        (
            [(4, 4, 3), (4, 4, 3)],
            {},
            "model 'small' takes (None, 4, 4, 3) and (None, 4, 4, 3): must take one batch of RGB images",
        ),
        (
            [(4, 4, 3)],
            {"data_format": "channels_first"},
            "model 'small' takes (None, 4, 4, 3): must take one batch of RGB images",
        ),
        (
            [(4, 4, 3)],
            {"data_format": "tf"},
            "data_format='tf': must be 'channels_first', 'channels_last' or None (by the shape)",
        ),
    ],
)
def test_models_that_take_no_images(shapes, arguments, expected):
    """The message says what the model takes."""
    with pytest.raises(ArgumentError) as caught:
        zoo.with_preprocessing(small(*shapes), "vgg16", **arguments)
    assert str(caught.value) == expected
