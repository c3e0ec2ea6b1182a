"""Caffe's files as OpenCV reads and computes them, beside our reader and the networks that we make of them.

Run by ``make test-origins``, in an environment of its own. OpenCV has a reader of Caffe's formats up to its
version 5, and runs what it reads; it takes no doubles.
"""

from __future__ import annotations

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import cv2
import keras
import numpy as np
import pytest

import zoo
from converters import convert_file
from converters.formats.opening import open_untrusted
from converters.hdf5.metadata import datasets_of
from tests.origins.prototxt import prototxt_of
from tests.support import caffe_files
from tests.support.caffe_files import Layer, published
from tests.support.goldens import first_image
from tests.support.shares import ORIGINS

CLOSE = 3e-5


def drawn(*shape):
    """Return values as small as those of trained layers."""
    return (np.random.default_rng(sum(shape)).standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(
        "f4"
    )


def opened(tmp_path, prototxt, content):
    """Return a network as OpenCV has it, computed as it is told, without shortcuts."""
    (tmp_path / "net.prototxt").write_text(prototxt)
    (tmp_path / "net.caffemodel").write_bytes(content)
    net = cv2.dnn.readNetFromCaffe(str(tmp_path / "net.prototxt"), str(tmp_path / "net.caffemodel"))
    net.enableFusion(False)
    net.enableWinograd(False)
    return net


CHAIN = """
name: "chain" input: "data" input_dim: 1 input_dim: 4 input_dim: 9 input_dim: 9
layer {{ name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param {{ num_output: 6 kernel_size: 3 group: 2 stride: 2 pad: 1 }} }}
{norm}
layer {{ name: "prelu" type: "PReLU" bottom: "conv" top: "prelu" }}
layer {{ name: "up" type: "Deconvolution" bottom: "prelu" top: "up"
  convolution_param {{ num_output: 5 kernel_size: 2 stride: 2 }} }}
layer {{ name: "fc" type: "InnerProduct" bottom: "up" top: "fc" inner_product_param {{ num_output: 7 }} }}
"""
NORM = """
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }
layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }
"""
LAYERS = [
    Layer("conv", "Convolution", [drawn(6, 2, 3, 3), drawn(6)], groups=2),
    Layer(
        "bn",
        "BatchNorm",
        [drawn(6) * 7, (drawn(6) ** 2 + 0.5) * 7, np.array([7], "f4")],
        bottom="conv",
        top="conv",
    ),
    Layer("scale", "Scale", [drawn(6), drawn(6)], bottom="conv", top="conv"),
    Layer("prelu", "PReLU", [drawn(6)], bottom="conv"),
    Layer("up", "Deconvolution", [drawn(6, 5, 2, 2), drawn(5)], bottom="prelu"),
    Layer("fc", "InnerProduct", [drawn(7, 500), drawn(7)], bottom="up"),
]


def chain(arrays):
    """Return what Keras' layers compute of the same, with the arrays that a conversion gave."""
    inputs = keras.Input((9, 9, 4))
    found = keras.layers.ZeroPadding2D(1)(inputs)
    found = keras.layers.Conv2D(6, 3, strides=2, groups=2, name="conv")(found)
    if "bn/moving_mean" in arrays:
        found = keras.layers.BatchNormalization(epsilon=1e-5, name="bn")(found)
    found = keras.layers.PReLU(shared_axes=[1, 2], name="prelu")(found)
    found = keras.layers.Conv2DTranspose(5, 2, strides=2, name="up")(found)
    found = keras.layers.Dense(7, name="fc")(keras.layers.Flatten()(found))
    model = keras.Model(inputs, found)
    for layer in model.layers:
        if layer.weights:
            order = [variable.path.rpartition("/")[2] for variable in layer.weights]
            layer.set_weights([arrays[f"{layer.name}/{role}"] for role in order])
    return model


@pytest.mark.parametrize(
    "how", [{}, {"old": True}, {"packed": False}, {"diff": True}], ids=["new", "old", "one by one", "diffs"]
)
def test_all_layers_compute_what_opencv_computes(how, tmp_path):
    """A chain of every kind of layer, however its blobs lie in the file."""
    net = opened(tmp_path, CHAIN.format(norm=NORM), caffe_files.network(LAYERS, **how))
    image = drawn(1, 4, 9, 9)
    net.setInput(image, "data")
    expected = net.forward("fc")
    path = tmp_path / "net.caffemodel"
    new = convert_file(path, tmp_path / "new.npz", flatten={"fc": (5, 10, 10)}).target
    with np.load(new) as found:
        arrays = {name: found[name] for name in found.files if name != "__zoo__"}
    arrays |= {"bn/gamma": arrays["scale/gamma"], "bn/beta": arrays["scale/beta"]}
    computed = keras.ops.convert_to_numpy(chain(arrays)(image.transpose(0, 2, 3, 1)))
    assert np.abs(computed - expected.reshape(computed.shape)).max() < CLOSE


def test_blobs_are_those_that_opencv_reads(tmp_path):
    """Both forms of layers, both forms of shapes: bit for bit, where OpenCV gives a blob back."""
    plain = [one for one in LAYERS if one.type in caffe_files.V1_TYPES]
    for first in (True, False):
        content = caffe_files.network(plain, first=first)
        net = opened(
            tmp_path,
            CHAIN.format(norm="")
            .replace('bottom: "prelu" top: "up"', 'bottom: "conv" top: "up"')
            .replace('layer { name: "prelu" type: "PReLU" bottom: "conv" top: "prelu" }', ""),
            content,
        )
        with open_untrusted(tmp_path / "net.caffemodel") as source:
            found = {name: source.read(one) for name, one in datasets_of(source.tree).items()}
        for layer in plain:
            kernel = net.getParam(layer.name, 0)
            assert found[f"{layer.name}/kernel"].tobytes() == np.ascontiguousarray(kernel).tobytes()


@pytest.mark.parametrize("name", ORIGINS)
def test_whole_networks_compute_what_opencv_computes(name, tmp_path):
    """A published network from Caffe's file, converted and drawn, beside OpenCV on that file."""
    layers = list(published(name))
    path = caffe_files.write(tmp_path / "net.caffemodel", layers)
    new = convert_file(path, tmp_path / "new.weights.h5", to="keras3").target
    model = zoo.load(name, weights=new, compile=False)
    image = first_image(name, "channels_last")
    given = model(image)
    outputs = given if isinstance(given, list | tuple) else [given]
    computed = [keras.ops.convert_to_numpy(one) for one in outputs]
    text, ends = prototxt_of(model, [layer.name for layer in layers])
    net = opened(tmp_path, text, path.read_bytes())
    net.setInput(np.ascontiguousarray(image.transpose(0, 3, 1, 2)), "data")
    for end, found in zip(ends, computed, strict=True):
        assert np.abs(net.forward(end).reshape(found.shape) - found).max() < CLOSE
