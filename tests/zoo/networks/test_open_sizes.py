"""Models whose images may have any size: which networks can be such, and what they give."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import pytest

import zoo
from tests.support.forgetting import forget
from tests.support.long import long_but
from tests.support.outlines import outline
from tests.support.shares import NETWORKS
from zoo.errors import ArgumentError
from zoo.practice.values import images


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Free what Keras holds of the last model."""
    yield
    forget()


def arguments(name: str) -> dict[str, object]:
    """Return what leaves a network without layers that take one size alone."""
    return {"num_classes": 0} if name.startswith("vgg") else {"aux_heads": False}


@pytest.mark.parametrize("name", long_but(["googlenet"], NETWORKS))
def test_an_open_model_gives_what_the_closed_one_gives(name, practice_file):
    """At the published size the same to the bit, and at another size what a model of that size gives."""
    path, size = practice_file(name), NETWORKS[name].input
    given = images(name)[:1].transpose(0, 2, 3, 1)
    weights = {"weights": path, "compile": False, **arguments(name)}
    opened = zoo.load(name, input_shape=(None, None, 3), **weights)
    assert opened.input_shape == (None, None, None, 3)
    for height, width in ((size.height, size.width), (size.height - 32, size.width - 64)):
        part = given[:, :height, :width]
        closed = zoo.load(name, input_shape=(height, width, 3), **weights)
        assert np.array_equal(opened(part), closed(part))


@pytest.mark.parametrize(
    ("name", "shape", "order", "expected"),
    [
        pytest.param("resnet50", (3, None, 64), "channels_first", (None, 1000), marks=pytest.mark.long),
        ("vgg16", (3, None, None), "channels_first", (None, 512, None, None)),
        ("vgg16", (64, None, 3), "channels_last", (None, 2, None, 512)),
    ],
)
def test_one_side_may_be_open_in_either_order(name, shape, order, expected):
    """The input has the shape that was asked for."""
    more = {"num_classes": 0} if name == "vgg16" else {}
    model = outline(name, input_shape=shape, data_format=order, include_preprocessing=True, **more)
    assert model.input_shape == (None, *shape)
    assert model.output_shape == expected


@pytest.mark.parametrize(
    ("name", "more", "expected"),
    [
        (
            "vgg16",
            {"num_classes": 5},
            "input_shape=(None, None, 3): vgg16: its dense layers take 224x224 images only; num_classes=0"
            " leaves them out and takes any size from 32x32; with pooling='avg' besides, a head of your own"
            " can stand on its output",
        ),
        (
            "googlenet",
            {},
            "input_shape=(None, None, 3): googlenet: its auxiliary heads take 224x224 images only;"
            " aux_heads=False leaves them out and takes any size from 32x32",
        ),
    ],
)
def test_networks_that_take_one_size(name, more, expected):
    """What stands on a flattened map is said, and what to do, before anything is fetched."""
    with pytest.raises(ArgumentError) as caught:
        zoo.load(name, input_shape=(None, None, 3), **more)
    assert str(caught.value) == expected


def test_somebody_elses_network_that_takes_one_size(monkeypatch):
    """A builder that nothing is known of is asked: what it cannot draw is our error."""

    def build(pen, inputs, config, heads):
        x = keras.layers.AveragePooling2D(7)(inputs)
        return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(x)))

    monkeypatch.setattr("zoo.networks.loading.builder", lambda family: build)
    with pytest.raises(ArgumentError) as caught:
        zoo.load("resnet50", weights=None, input_shape=(None, None, 3))
    said = str(caught.value)
    assert said.startswith("input_shape=(None, None, 3): resnet50 has layers that take one size only (")
    assert said.endswith(
        "); give the sides in pixels, or leave its layers above the maps out with num_classes=0"
    )
