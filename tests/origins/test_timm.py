"""Inception-V3 and V4 of timm, and of what their files were before, beside ours: names, values, logits.

Run by ``make test-origins``, in an environment of its own.
"""

from __future__ import annotations

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import pytest
import timm
import torch

import zoo
from converters import convert_file
from converters.errors import StructureMismatchError
from converters.formats.dialects import describe
from converters.planning.structures import load_structure, match

NETWORKS = {"inception_v3": "inception_v3.tf_in1k", "inception_v4": "inception_v4.tf_in1k"}
"""Ours, and timm's name of the same."""

STRUCTURES = {
    "inception_v3_2017": "inception_v3",
    "inception_v4": "inception_v4",
    "inception_v4_noscale": "inception_v4",
}


def drawn(name):
    """Return a network of timm with 1001 classes and values of the size that keeps maps as they are.

    Slopes are ones, as they are in what was converted from TF-Slim.
    """
    torch.manual_seed(0)
    model = timm.create_model(NETWORKS[name], pretrained=False, num_classes=1001)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
                module.weight.normal_(0, (2 / module.weight[0].numel()) ** 0.5)
            elif isinstance(module, torch.nn.BatchNorm2d):
                module.bias.normal_(0, 0.1)
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.8, 1.2)
    return model.eval()


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    """Return the name of a network and the drawn one of timm."""
    return request.param, drawn(request.param)


@pytest.fixture(scope="module")
def images():
    """Return two drawn images, channels last."""
    return np.random.default_rng(1).uniform(-1, 1, (2, 299, 299, 3)).astype("f4")


@pytest.fixture
def in_keras(monkeypatch):
    """Let timm's average pools leave out the border that they add, as TensorFlow's and Keras' do."""
    pool = torch.nn.functional.avg_pool2d

    def without_border(x, *told, **how):
        # Inception-V4's modules say it themselves, by place.
        return pool(x, *told, **(how if told else {**how, "count_include_pad": False}))

    monkeypatch.setattr(torch.nn.functional, "avg_pool2d", without_border)


def logits_of(model, images):
    """Return what a model of timm computes."""
    with torch.no_grad():
        return model(torch.from_numpy(images.transpose(0, 3, 1, 2).copy())).numpy()


def ours(name, path, images):
    """Return the logits of our network with the values of a file."""
    model = zoo.load(name, weights=path, compile=False)
    model.layers[-1].activation = keras.activations.linear
    return keras.ops.convert_to_numpy(model(images))


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_logits_are_timms(network, zipped, images, in_keras, tmp_path):
    """Of the file as it is and of a converted one; the class that Keras' Inception-V3 lacks is left out."""
    name, model = network
    path = tmp_path / f"{name}.pth"
    torch.save(model.state_dict(), path, _use_new_zipfile_serialization=zipped)
    expected = logits_of(model, images)
    expected = expected[:, 1:] if name == "inception_v3" else expected
    new = convert_file(path, tmp_path / "new.weights.h5", to="keras3").target
    for file in (path, new):
        computed = ours(name, file, images)
        assert computed.shape == expected.shape
        assert np.abs(computed - expected).max() < 3e-5 * np.abs(expected).max()


def test_inception_v3_differs_by_the_border_of_its_pools_alone(images, tmp_path):
    """As timm draws it, values being equal: more than rounding, and less than a hundredth here."""
    model = drawn("inception_v3")
    torch.save(model.state_dict(), tmp_path / "v3.pth")
    expected = logits_of(model, images)[:, 1:]
    differs = np.abs(ours("inception_v3", tmp_path / "v3.pth", images) - expected).max()
    assert 1e-4 * np.abs(expected).max() < differs


@pytest.mark.parametrize("structure", STRUCTURES)
def test_each_layer_of_a_structure_is_one_of_timms(structure):
    """By the rule of its family: all names are there once, and none is left over."""
    name = STRUCTURES[structure]
    keys = {key.rpartition(".")[0] for key in drawn(name).state_dict()}
    (names,) = load_structure(structure).known_as.values()
    assert set(names) == {layer.name for layer in load_structure(structure).weighted}
    assert sorted(names.values()) == sorted(keys)


@pytest.mark.parametrize("structure", ["inception_v3_2017", "inception_v4_noscale"])
def test_a_slope_that_is_not_one_is_refused(structure, tmp_path):
    """With the layer, the value and the place; the graph with slopes takes it."""
    model = drawn(STRUCTURES[structure])
    norms = [key for key in model.state_dict() if key.endswith("bn.weight")]
    with torch.no_grad():
        model.state_dict()[norms[3]][5] = 1.5
    torch.save(model.state_dict(), tmp_path / "file.pth")
    with pytest.raises(StructureMismatchError) as caught:
        match(describe(tmp_path / "file.pth"), load_structure(structure))
    layer = norms[3].removesuffix(".weight")
    assert f"layer {layer!r}: gamma is 1.5 for output 5, and not 1; it cannot be left out" in str(
        caught.value
    )


def test_auxiliary_heads_stay_behind(tmp_path):
    """As they have no place in the graph: they are for training."""
    model = timm.create_model("inception_v3.tv_in1k", pretrained=False, aux_logits=True, num_classes=1001)
    torch.save(model.state_dict(), tmp_path / "aux.pth")
    found = match(describe(tmp_path / "aux.pth"), load_structure("inception_v3_2017"))
    behind = {layer for layer, words in found.dropped.items() if words == "left behind"}
    assert {"AuxLogits.conv0.conv", "AuxLogits.fc"} <= behind
    assert all(layer.startswith("AuxLogits.") for layer in behind)
