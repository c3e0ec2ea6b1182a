"""Images into what each network was trained on, and its outputs back into names."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import zoo
from tests.support.shares import EVERY_NETWORK, NETWORKS, OF_KERAS
from zoo.errors import ArgumentError, UnknownNameError
from zoo.networks import preprocessing

CAFFE = {"vgg16", "vgg19", "googlenet", "resnet50", "resnet101", "resnet152"}
DENSENET = {"densenet121", "densenet161", "densenet169"}
INCEPTION = {"inception_v3", "inception_v4"}
PIXEL = (200, 100, 0)  # red, green, blue


def expected_pixel(name: str) -> list[float]:
    """Return what one pixel becomes, from the published recipes written out."""
    red, green, blue = PIXEL
    if name in CAFFE:
        return [blue - 103.939, green - 116.779, red - 123.68]
    if name in DENSENET:
        return [(blue - 103.94) * 0.017, (green - 116.78) * 0.017, (red - 123.68) * 0.017]
    return [(value / 255 - 0.5) * 2 for value in PIXEL]


def by_the_package(name: str) -> list[float]:
    """Return what keras.applications makes of the pixel for one of its networks."""
    constructor = getattr(keras.applications, OF_KERAS[name].default_graph.config["constructor"])
    module = sys.modules[constructor.__module__]
    return module.preprocess_input(np.float32([[PIXEL]]), data_format="channels_last")[0, 0].tolist()


@pytest.mark.parametrize("name", EVERY_NETWORK)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64", "float16", "float32", "float64"])
def test_every_network_has_its_own_recipe(name, dtype):
    """One pixel, in every type that holds it, gives what the published recipe, or the package, says."""
    image = np.full((2, 3, 3), PIXEL, dtype)
    expected = by_the_package(name) if name in OF_KERAS else expected_pixel(name)
    prepared = zoo.preprocess_input(name, image)
    assert prepared.dtype == np.float32
    assert prepared.shape == (2, 3, 3)
    np.testing.assert_allclose(prepared, np.broadcast_to(expected, (2, 3, 3)), rtol=2e-6, atol=2e-5)


def test_the_recipes_are_tested_for_all_networks():
    """Every network of the registry with a builder of ours is in one of the groups above."""
    assert set(NETWORKS) == CAFFE | DENSENET | INCEPTION


@given(
    arrays(np.uint8, st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.just(3))),
    st.sampled_from(sorted(EVERY_NETWORK)),
)
def test_both_orders_of_axes_give_the_same(images, name):
    """Channels first is channels last with its axes moved, for a batch and for each of its images."""
    last = zoo.preprocess_input(name, images)
    first = zoo.preprocess_input(name, images.transpose(0, 3, 1, 2), data_format="channels_first")
    assert np.array_equal(first, last.transpose(0, 3, 1, 2))
    assert np.array_equal(zoo.preprocess_input(name, images[0]), last[0])


@pytest.mark.parametrize("name", ["vgg16", "inception_v3"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_the_input_is_never_modified(name, dtype):
    """The result is a new array that owns its values in order, even of float32 images."""
    images = np.full((1, 2, 2, 3), PIXEL, dtype)
    images.flags.writeable = False
    prepared = zoo.preprocess_input(name, images)
    assert not np.shares_memory(prepared, images)
    assert prepared.flags.c_contiguous
    assert prepared.flags.writeable


@pytest.mark.parametrize(
    ("shape", "data_format", "expected"),
    [
        ((4, 4), "channels_last", "(N, H, W, 3) or (H, W, 3); data_format='channels_first'"),
        ((4, 4, 1), "channels_last", "(N, H, W, 3) or (H, W, 3); data_format='channels_first'"),
        ((4, 4, 4), "channels_last", "(N, H, W, 3) or (H, W, 3); data_format='channels_first'"),
        ((1, 1, 4, 4, 3), "channels_last", "(N, H, W, 3) or (H, W, 3); data_format='channels_first'"),
        ((4, 4, 3), "channels_first", "(N, 3, H, W) or (3, H, W); data_format='channels_last'"),
    ],
)
def test_images_of_another_shape(shape, data_format, expected):
    """The message says which shapes are images."""
    with pytest.raises(ArgumentError) as caught:
        zoo.preprocess_input("vgg16", np.zeros(shape), data_format)
    assert str(caught.value) == (
        f"images have shape {shape}: must be RGB, {expected} is for the other order of axes"
    )


def test_images_from_0_to_1_are_warned_of_once(monkeypatch):
    """At the line that asked, the first time in a process; they are taken as they are."""
    monkeypatch.setattr("zoo.networks.preprocessing._SAID", set())
    images = np.random.default_rng(1).uniform(0, 1, (2, 4, 4, 3))
    with pytest.warns(zoo.ConversionWarning) as warned:
        first = zoo.preprocess_input("inception_v3", images)
        zoo.preprocess_input("vgg16", images.astype("f4"))
    said = "images have values from 0 to 1, and are taken as they are: 0 to 255 is expected; multiply by 255"
    assert [(str(one.message), one.filename) for one in warned] == [(said, __file__)]
    assert first.max() < -0.99


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((4, 4, 3), "f4"),
        np.ones((4, 4, 3), "u1"),
        np.full((4, 4, 3), 1.5),
        np.full((4, 4, 3), -0.5),
        np.zeros((0, 4, 4, 3)),
        np.full((4, 4, 3), np.nan),
    ],
    ids=["black", "integers", "above", "below", "none", "no numbers"],
)
def test_images_that_are_not_suspected(images, monkeypatch):
    """Black ones, integers, and what is not all between 0 and 1."""
    monkeypatch.setattr("zoo.networks.preprocessing._SAID", set())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        zoo.preprocess_input("vgg16", images)


def test_a_refused_warning_comes_again(monkeypatch):
    """Who makes it an error meets it each time."""
    monkeypatch.setattr("zoo.networks.preprocessing._SAID", set())
    with warnings.catch_warnings():
        warnings.simplefilter("error", zoo.ConversionWarning)
        for _ in range(2):
            with pytest.raises(zoo.ConversionWarning):
                zoo.preprocess_input("vgg16", np.full((4, 4, 3), 0.5))


@pytest.mark.parametrize("dtype", ["bool", "complex64", "object", "U1"])
def test_images_that_are_no_numbers(dtype):
    """Masks, complex numbers, objects and text are no images."""
    images = np.zeros((2, 2, 3), dtype)
    with pytest.raises(ArgumentError) as caught:
        zoo.preprocess_input("vgg16", images)
    assert str(caught.value) == f"images are {images.dtype}: must be integers or floats from 0 to 255"


def test_an_order_of_axes_that_is_none():
    """There are two."""
    with pytest.raises(ArgumentError) as caught:
        zoo.preprocess_input("vgg16", np.zeros((2, 2, 3)), data_format="rgb")
    assert str(caught.value) == "data_format='rgb': must be 'channels_last' or 'channels_first'"


def test_a_network_that_is_none():
    """The nearest names are listed."""
    with pytest.raises(UnknownNameError, match="vgg16"):
        zoo.preprocess_input("vgg61", np.zeros((2, 2, 3)))


@pytest.fixture
def class_index(tmp_path, monkeypatch):
    """Put a class index of a thousand made-up classes where the fetched one would be."""
    path = tmp_path / "index.json"
    path.write_text(
        json.dumps({str(place): [f"n{place:08d}", f"class {place}"] for place in range(1000)}), "utf-8"
    )
    asked = []
    monkeypatch.setattr(preprocessing, "fetch_class_index", lambda name: asked.append(name) or path)
    return asked


def test_the_most_probable_classes_come_first(class_index):
    """Identifier, name and probability, for each image of a batch; equal ones in the order of the classes."""
    probabilities = np.zeros((2, 1000), np.float32)
    probabilities[0, [7, 3, 999]] = 0.5, 0.25, 0.25
    probabilities[1, 0] = 1
    assert zoo.decode_predictions("vgg16", probabilities, top=3) == [
        [("n00000007", "class 7", 0.5), ("n00000003", "class 3", 0.25), ("n00000999", "class 999", 0.25)],
        [("n00000000", "class 0", 1.0), ("n00000001", "class 1", 0.0), ("n00000002", "class 2", 0.0)],
    ]
    assert class_index == ["imagenet"]


def test_five_classes_unless_told_otherwise(class_index):
    """Five is what accuracies are stated for."""
    assert [len(row) for row in zoo.decode_predictions("vgg16", np.eye(1000)[:2])] == [5, 5]


def test_outputs_before_the_first_class_are_background(class_index):
    """Inception-V4 has 1001 outputs, and its output 1 is class 0."""
    rows = zoo.decode_predictions("inception_v4", np.eye(1001)[[0, 1, 1000]], top=1)
    assert [row[0][:2] for row in rows] == [
        ("", "background"),
        ("n00000000", "class 0"),
        ("n00000999", "class 999"),
    ]


@pytest.mark.parametrize(
    ("name", "shape", "reason"),
    [
        (
            "vgg16",
            (1, 10),
            "gives with its published head; the classes of another head are known to you alone",
        ),
        (
            "inception_v4",
            (1, 1000),
            "gives with its published head; the classes of another head are known to you alone",
        ),
        ("vgg16", (1000,), "gives for N images"),
        (
            "googlenet",
            (3, 1, 1000),
            "gives for one of its heads; pass the outputs of one head, predictions[-1] for the main one",
        ),
    ],
)
def test_outputs_of_another_head(name, shape, reason):
    """A wrong number of columns says whose they must be."""
    with pytest.raises(ArgumentError) as caught:
        zoo.decode_predictions(name, np.zeros(shape))
    classes = EVERY_NETWORK[name].classes
    assert (
        str(caught.value) == f"predictions have shape {shape}: must be (N, {classes}), what {name} {reason}"
    )


@pytest.mark.parametrize("top", [0, 1001, 2.0, True, "5"])
def test_top_that_is_no_count(top):
    """From one class to all of them."""
    with pytest.raises(ArgumentError) as caught:
        zoo.decode_predictions("vgg16", np.zeros((1, 1000)), top=top)
    assert str(caught.value) == f"top={top!r}: must be an integer from 1 to 1000"


def test_no_framework_is_needed():
    """Preparing an image imports neither Keras nor TensorFlow."""
    code = (
        "import sys, numpy, zoo; zoo.preprocess_input('vgg16', numpy.zeros((2, 2, 3)));"
        "assert not {'keras', 'tensorflow', 'h5py'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
