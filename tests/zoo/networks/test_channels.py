"""Images with another number of channels than three: kernels, preprocessing, what is said of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import zoo
from tests.support.forgetting import forget
from tests.support.outlines import outline
from zoo.errors import ArgumentError
from zoo.registry import architecture
from zoo.surgery.channels import kernel_for, recipe_for

SMALL = {"aux_heads": False, "compile": False}


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Free what Keras holds of the last model."""
    yield
    forget()


@pytest.fixture(scope="module")
def kernel() -> np.ndarray:
    """Return a kernel of RGB images, as a network that takes BGR has it."""
    return np.random.default_rng(1).normal(size=(3, 3, 3, 4)).astype("f4")


@pytest.mark.parametrize("channels", [2, 4, 5])
def test_kernels_are_repeated_in_the_order_of_the_colours(channels, kernel):
    """Red, green, blue, red, ... whichever order the network has, times 3/n, as timm does."""
    found = kernel_for(kernel, channels, architecture("vgg16").preprocessing)
    rgb = kernel[:, :, ::-1]
    for place in range(channels):
        assert np.array_equal(found[:, :, place], rgb[:, :, place % 3] * np.float32(3 / channels))
    straight = kernel_for(kernel, channels, architecture("inception_v3").preprocessing)
    assert np.array_equal(straight[:, :, 0], kernel[:, :, 0] * np.float32(3 / channels))


def test_what_reads_other_numbers_of_channels_stays(kernel):
    """A kernel that does not read three channels, or no kernel, is none of RGB images."""
    recipe = architecture("vgg16").preprocessing
    assert kernel_for(kernel[:, :, :2], 1, recipe) is None
    assert kernel_for(kernel[0], 1, recipe) is None


def test_recipes_for_other_numbers_of_channels():
    """The mean of the means for grey; for more, the colours' own, in the order that channels come in."""
    grey = recipe_for(architecture("vgg16").preprocessing, 1)
    assert grey.mean == ((103.939 + 116.779 + 123.68) / 3,)
    assert grey.scale == (1.0,)
    four = recipe_for(architecture("vgg16").preprocessing, 4)
    assert (four.channel_order, four.mean) == ("rgb", (123.68, 116.779, 103.939, 123.68))


def test_a_grey_image_gives_what_it_gives_three_times(practice_file):
    """Prepared alike, one channel through summed kernels is the same as three through the published ones."""
    path = practice_file("googlenet")
    with pytest.warns(zoo.ConversionWarning) as warned:
        one = zoo.load("googlenet", weights=path, input_shape=(96, 96, 1), **SMALL)
    said = "the kernel of layer 'conv1/7x7_s2' for RGB images is summed over the colours, for one channel"
    assert f"{path}: {said}" in [str(each.message) for each in warned]
    three = zoo.load("googlenet", weights=path, input_shape=(96, 96, 3), **SMALL)
    image = np.random.default_rng(3).normal(0, 50, (2, 96, 96, 1)).astype("f4")
    found, expected = np.asarray(one(image)), np.asarray(three(np.repeat(image, 3, axis=-1)))
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def test_a_grey_image_from_the_beginning():
    """With equal means for all colours preprocessing is the same; else it differs by a few units."""
    image = np.random.default_rng(3).integers(0, 256, (2, 8, 8, 1), np.uint8)
    for name, most in (("inception_v3", 1e-6), ("vgg16", 12.0)):
        grey = zoo.preprocess_input(name, image, channels=1)
        colours = zoo.preprocess_input(name, np.repeat(image, 3, axis=-1))
        assert grey.shape == image.shape
        assert np.abs(grey - colours).max() <= most


def test_preprocessing_inside_of_a_model():
    """The layer has a mean for each channel, and does what preprocess_input does."""
    model = outline("vgg16", num_classes=0, input_shape=(32, 32, 4), include_preprocessing=True)
    layer = model.get_layer("preprocessing")
    image = np.random.default_rng(3).integers(0, 256, (1, 32, 32, 4)).astype("f4")
    expected = zoo.preprocess_input("vgg16", image, channels=4)
    assert np.allclose(layer(image), expected, atol=1e-4)
    assert "rgb_to_bgr" not in {one.name for one in model.layers}


def test_four_channels_are_said(practice_file):
    """Which colours stand where."""
    path = practice_file("googlenet")
    with pytest.warns(zoo.ConversionWarning, match="repeated for 4 channels") as warned:
        zoo.load("googlenet", weights=path, input_shape=(32, 32, 4), num_classes=0)
    said = [str(each.message) for each in warned]
    assert said[-1] == (
        f"{path}: the kernel of layer 'conv1/7x7_s2' for RGB images is repeated for 4 channels (red, green,"
        " blue, red) and multiplied by 3/4"
    )


@pytest.mark.parametrize("channels", [0, True, 1.0])
def test_channels_that_are_no_count(channels):
    """The message says what is allowed."""
    with pytest.raises(ArgumentError) as caught:
        zoo.preprocess_input("vgg16", np.zeros((4, 4, 1)), channels=channels)
    assert str(caught.value) == f"channels={channels!r}: must be an integer from 1"
