"""Arrays of a network out of its weights file, one by one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from converters.planning.structures import load_structure
from tests.support.shelf import fixed_cache, keep, keep_converted
from tests.support.weight_files import write_empty
from zoo.networks.weights import Weights, choose_weights, is_path
from zoo.registry import load_registry
from zoo.storage.cache import Item

NETWORKS = load_registry(()).architectures


def opened(name: str, path: Path) -> Weights:
    """Return the weights at a path."""
    graph, weights = choose_weights(NETWORKS[name], path)
    assert weights().graph is graph
    return weights()


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ("imagenet", False),
        ("imagenet-0.1", False),
        ("weights.h5", True),
        ("WEIGHTS.HDF5", True),
        ("./imagenet", True),
        (Path("imagenet"), True),
    ],
)
def test_what_is_a_path(weights, expected):
    """An ending, a separator or a path object makes a path."""
    assert is_path(weights) is expected


@pytest.mark.parametrize("converted", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_whatever_file_of_a_set_is_cached_is_read_without_the_network(name, converted, tmp_path, monkeypatch):
    """In either layout, published or converted; without classifiers wanted, a file with them does too."""
    network = NETWORKS[name]
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    monkeypatch.setattr(
        "zoo.networks.weights._opened", lambda path, *_, registered=None, **known: (path, registered)
    )
    of_weights = Item.of_weights  # what is kept here has none of the published digests
    monkeypatch.setattr(Item, "of_weights", lambda *args: replace(of_weights(*args), digests=(), bytes=None))
    for file in network.weights:
        home = tmp_path / file.id
        monkeypatch.setenv("ZOO_HOME", str(home))
        cache, item = fixed_cache(home), Item.of_weights(name, file)
        path = keep(cache, item, b"published")
        if converted:
            whole, path = path, keep_converted(cache, item, b"copy", "th" if file.layout == "tf" else "tf")
            whole.unlink()
        for headless in {not file.top, True}:
            _, weights = choose_weights(network, file.set, headless=headless)
            assert weights() == (path, None if converted else file)


def test_scale_layers_are_folded_in_float32(practice_file):
    """Slope and offset of both layers in one, exactly as float32 arithmetic gives them."""
    path = practice_file("densenet121")
    weights = opened("densenet121", path)
    with weights.open() as take:
        read = {role: take("conv2_1_x1_bn", role) for role in weights.roles["conv2_1_x1_bn"]}
    with h5py.File(path) as file:
        norm, scale = file["conv2_1_x1_bn"], file["conv2_1_x1_scale"]
        slope, offset = scale["conv2_1_x1_scale_gamma"][()], scale["conv2_1_x1_scale_beta"][()]
        assert np.array_equal(read.pop("gamma"), slope * norm["conv2_1_x1_bn_gamma"][()])
        assert np.array_equal(read.pop("beta"), slope * norm["conv2_1_x1_bn_beta"][()] + offset)
        assert np.array_equal(read.pop("moving_mean"), norm["conv2_1_x1_bn_running_mean"][()])
        assert np.array_equal(read.pop("moving_variance"), norm["conv2_1_x1_bn_running_std"][()])
    assert read == {}


def test_arrays_are_read_in_any_order(practice_file):
    """They come as TensorFlow takes them, with the shape that was told before."""
    path = practice_file("densenet121")
    weights = opened("densenet121", path)
    with weights.open() as take:
        arrays = [
            (layer, role, take(layer, role)) for layer in ("fc6", "conv1") for role in weights.roles[layer]
        ]
    shapes = [(layer, role, values.shape) for layer, role, values in arrays]
    assert shapes == [
        ("fc6", "kernel", (1024, 1000)),
        ("fc6", "bias", (1000,)),
        ("conv1", "kernel", (7, 7, 3, 64)),
    ]
    assert shapes == [(layer, role, weights.shape(layer, role)) for layer, role, _ in shapes]
    with h5py.File(path) as file:
        stored = file["conv1/conv1_W"][()]
    assert np.array_equal(arrays[2][2], stored[:, :, ::-1, ::-1].transpose(2, 3, 1, 0))


def test_layers_are_those_of_the_file(tmp_path):
    """Scale layers count as part of others; what a file lacks is not there."""
    structure = load_structure("densenet121")
    path = write_empty(tmp_path / "notop.h5", structure.without(["fc6"]))
    expected = {layer.name for layer in structure.weighted if layer.kind != "Scale"} - {"fc6"}
    assert opened("densenet121", path).layers == expected


def test_names_are_those_of_the_first_structure(tmp_path):
    """Whatever a file calls its layers, they come under the names that the model has."""
    path = write_empty(tmp_path / "blocks.h5", load_structure("vgg16_blocks"))
    weights = opened("vgg16", path)
    assert weights.layers == {layer.name for layer in load_structure("vgg16").weighted}
    assert weights.names["block3_conv1"] == "convolution2d_5"
