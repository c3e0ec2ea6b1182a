"""Feature maps at several strides, for all networks."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import pytest

import zoo
from tests.support.forgetting import forget
from tests.support.long import long_but
from tests.support.outlines import outline, without_values
from tests.support.shares import NETWORKS, first_of_families
from zoo.errors import ArgumentError
from zoo.networks.stages import ALL_STRIDES, _ends_of_stages
from zoo.surgery.graph import wiring

# Rows (of square maps) and channels at the published size: the end of each stage, DenseNet's before the
# transition that halves it. ResNet's first pooling pads nothing, so that of 112 rows 55 are left; Inception
# V3 of 2016 has 32 maps in each pooling branch of its first modules.
EXPECTED = {
    "vgg16": [(56, 256), (28, 512), (14, 512), (7, 512)],
    "vgg19": [(56, 256), (28, 512), (14, 512), (7, 512)],
    "googlenet": [(56, 192), (28, 480), (14, 832), (7, 1024)],
    "inception_v3": [(71, 192), (35, 256), (17, 768), (8, 2048)],
    "inception_v4": [(71, 192), (35, 384), (17, 1024), (8, 1536)],
    "resnet50": [(55, 256), (28, 512), (14, 1024), (7, 2048)],
    "resnet101": [(55, 256), (28, 512), (14, 1024), (7, 2048)],
    "resnet152": [(55, 256), (28, 512), (14, 1024), (7, 2048)],
    "densenet121": [(56, 256), (28, 512), (14, 1024), (7, 1024)],
    "densenet161": [(56, 384), (28, 768), (14, 2112), (7, 2208)],
    "densenet169": [(56, 256), (28, 512), (14, 1280), (7, 1664)],
}


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Free what Keras holds of the last model."""
    yield
    forget()


@pytest.mark.parametrize("name", first_of_families(NETWORKS))
def test_four_maps_of_every_network(name):
    """Found from the graph, by the names of their strides, fine to coarse; there are no others."""
    with without_values():
        model = zoo.feature_maps(name, weights=None)
    assert list(model.output) == ["stride4", "stride8", "stride16", "stride32"]
    shapes = [tuple(tensor.shape) for tensor in model.output.values()]
    assert sorted(_ends_of_stages(wiring(model))) == list(ALL_STRIDES)
    assert shapes == [(None, rows, rows, channels) for rows, channels in EXPECTED[name]]


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("vgg16", ["convolution2d_7", "convolution2d_10", "convolution2d_13", "maxpooling2d_5"]),
        ("resnet101", ["res2c_relu", "res3b3_relu", "res4b22_relu", "res5c_relu"]),
        ("densenet121", ["relu2_blk", "relu3_blk", "relu4_blk", "relu5_blk"]),
        (
            "googlenet",
            ["conv2__norm2", "inception_3b__output", "inception_4e__output", "inception_5b__output"],
        ),
        ("inception_v3", ["batchnormalization_5", "mixed2", "mixed7", "mixed10"]),
        pytest.param(
            "nasnetmobile",
            ["reduction_concat_stem_1", "normal_concat_3", "normal_concat_8", "activation_187"],
            marks=pytest.mark.long,
        ),
    ],
)
def test_which_layers_they_are(name, layers):
    """The ends of the stages, after rectifier, sum or concatenation."""
    found = _ends_of_stages(wiring(outline(name, num_classes=0)))
    assert [found[stride]._keras_history.operation.name for stride in (4, 8, 16, 32)] == layers


def test_channels_first_and_other_sizes():
    """Maps come in the model's order, at the size that was asked for."""
    with without_values():
        model = zoo.feature_maps(
            "resnet50", weights=None, input_shape=(3, 64, 96), data_format="channels_first", freeze="backbone"
        )
    assert tuple(model.output["stride8"].shape) == (None, 512, 8, 12)
    assert not model.trainable_weights


# Rows and columns of the maps of an image of 101 x 135 pixels, worked out by hand from each network's
# padding: VGG rounds down, GoogLeNet's pooling up, ResNet's 1x1 convolutions up, Inception pads nothing.
ODD = {
    "vgg16": [(25, 33), (12, 16), (6, 8), (3, 4)],
    "googlenet": [(25, 34), (12, 17), (6, 8), (3, 4)],
    "inception_v3": [(21, 30), (10, 14), (4, 6), (1, 2)],
    "inception_v4": [(21, 30), (10, 14), (4, 6), (1, 2)],
    "resnet50": [(25, 33), (13, 17), (7, 9), (4, 5)],
    "densenet121": [(26, 34), (13, 17), (6, 8), (3, 4)],
}


def odd(name: str) -> keras.Model:
    """Return the feature maps of a network for such images."""
    with without_values():
        return zoo.feature_maps(name, weights=None, input_shape=(101, 135, 3))


@pytest.mark.parametrize(("name", "expected"), ODD.items(), ids=ODD)
def test_odd_sizes(name, expected):
    """The shapes that are told are the ones of the network's own rounding."""
    assert [tuple(tensor.shape[1:3]) for tensor in odd(name).output.values()] == expected


@pytest.mark.parametrize(
    "name",
    long_but(("vgg16", "googlenet", "inception_v3", "resnet50"), ODD),
)
def test_values_of_odd_sizes(name):
    """Those of the values are the same."""
    values = odd(name)(np.zeros((1, 101, 135, 3), np.float32))
    assert [tuple(value.shape[1:3]) for value in values.values()] == ODD[name]


@pytest.mark.parametrize("strides", [(4, 7), (64,), (1,)])
def test_strides_that_there_are_not(strides):
    """The message lists those there are."""
    with pytest.raises(ArgumentError) as caught:
        zoo.feature_maps("resnet50", weights=None, strides=strides, input_shape=(64, 64, 3))
    assert str(caught.value) == (
        f"strides={strides!r}: resnet50 has feature maps at the strides 2, 4, 8, 16, 32"
    )
