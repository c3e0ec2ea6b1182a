"""Practice files of PyTorch: sizes of the published ones, and all that is done with one, over the network."""

from __future__ import annotations

import math

import numpy as np
import pytest

import zoo
from converters.planning.structures import load_structure
from tests.support.shares import NETWORKS
from zoo.practice.overlay import build, serve
from zoo.practice.pytorch import _container, _Tensors
from zoo.registry import load_registry

STATED = {
    file.id: (network, file)
    for network in NETWORKS.values()
    for file in network.weights
    if file.format == "pytorch" and file.bytes
}


@pytest.mark.parametrize("name", STATED)
def test_a_twin_has_as_many_values_as_the_published_file(name):
    """What is left of its size is no more than names, pickles and the edges of storages."""
    network, file = STATED[name]
    structure = load_structure(network.graph_of(file.structure).structures[0])
    _, names, counts = _container(file, structure)
    looks = _Tensors(structure, names, flipped=False, counts=counts).looks()
    values = sum(math.prod(shape) * np.dtype(dtype).itemsize for shape, dtype in looks.values())
    assert 0 < file.bytes - values < 400 * len(looks)


def test_a_file_of_torchvisions_is_fetched_converted_and_compared(tmp_path, monkeypatch):
    """From hosts that behave like the real ones: by its set, by its id, and beside its relative in Keras."""
    ids = ["densenet121-th-flyyufelix", "densenet121-torchvision", "densenet121-timm"]
    build(tmp_path / "practice", ["densenet121"], ids=ids)
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    with serve(tmp_path / "practice") as served:
        monkeypatch.setenv("ZOO_REGISTRY", str(served.registry))
        path = zoo.fetch("densenet121", backend="tf", weights="torchvision")
        plain = zoo.fetch("practice-densenet121-timm")
        proof = zoo.prove("practice-densenet121-th-flyyufelix", origin="practice-densenet121-torchvision")
        monkeypatch.setenv("ZOO_OFFLINE", "1")
        assert zoo.fetch("densenet121", backend="tf", weights="torchvision") == path
    assert (path.suffix, plain.suffix) == (".h5", ".safetensors")
    # Trained on RGB and on BGR: the first kernel's channels are in another order.
    different = {layer.name for layer in proof.comparison.layers if layer.status == "different"}
    assert different <= {"conv1"}
    assert len(proof.comparison.layers) == 363


def test_a_set_that_is_read_from_an_overlay_keeps_what_is_said_of_it(tmp_path):
    """Recipe, sizes and graph, of which an overlay may change one."""
    overlay = tmp_path / "own.yaml"
    overlay.write_text(
        "architectures: {resnet50: {sets: {torchvision: {preprocessing: inception, resize: 300}},"
        " left_out: {somebodys: too large}}}\n"
    )
    network = load_registry([overlay]).architectures["resnet50"]
    said = network.about("torchvision")
    assert (said.preprocessing.name, said.resize, said.interpolation) == ("inception", 300, "bilinear")
    assert network.with_images_of("torchvision").preprocessing.name == "inception"
    assert network.why_not("somebodys") == "; 'somebodys' is left out: too large"
    assert network.why_not("imagenet") == ""
