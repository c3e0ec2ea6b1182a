"""The demo does the main job on the practice zoo and leaves nothing behind."""

from __future__ import annotations

import os
import re
import sys
import tempfile

import numpy as np
import pytest

from zoo.errors import ArgumentError, UnknownNameError
from zoo.practice import demo as module
from zoo.registry import architecture

VARIABLES = ("ZOO_HOME", "ZOO_REGISTRY")
STEPS = ["publish", "fetch", "convert", "load", "features", "train", "predict"]


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Return the folder in which temporary files are made during the test."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("googlenet", "googlenet-th"),
        pytest.param("densenet121", "densenet121-th-flyyufelix", marks=pytest.mark.long),
    ],
)
def test_demo_learns_digits_and_leaves_nothing_behind(temporary, tmp_path, monkeypatch, name, file):
    """Three hundred digits teach a network most of a hundred others; only the named cache stays."""
    monkeypatch.setattr(module, "TRAINING", 300)
    monkeypatch.setattr(module, "HELD_OUT", 100)
    before = {variable: os.environ.get(variable) for variable in VARIABLES}
    lines = []
    result = module.demo(name, report=lines.append, home=tmp_path / "home")
    assert (result.name, result.side, result.training, result.held_out) == (name, 64, 300, 100)
    assert result.accuracy > 0.5
    assert result.chance == 0.1
    assert list(result.seconds) == STEPS
    assert lines[0] == "The weights are practice values, drawn by a rule and not learned from ImageNet."
    assert [line.split()[0] for line in lines[1:-1]] == STEPS
    assert lines[-1] == f"{result.accuracy:.1%} of 100 held-out digits correctly classified; chance is 10%"
    assert {variable: os.environ.get(variable) for variable in VARIABLES} == before
    assert list(temporary.iterdir()) == []
    fetched = [path.name for path in (tmp_path / "home").rglob("*.h5")]
    assert len(fetched) == 1
    assert re.fullmatch(rf"practice-{file}-[0-9a-f]{{16}}\.h5", fetched[0])


def test_unknown_network_is_refused_and_leaves_nothing_behind(temporary):
    """A name that is no network ends the demo before anything is written."""
    with pytest.raises(UnknownNameError, match=r"^no architecture is called 'densenet'; nearest: "):
        module.demo("densenet", report=lambda line: None)
    assert list(temporary.iterdir()) == []


def test_missing_scikit_learn_is_explained(monkeypatch):
    """Without scikit-learn there are no digits; the message says what installs it."""
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ArgumentError) as caught:
        module.demo(report=lambda line: None)
    assert str(caught.value) == (
        "the demo needs scikit-learn for its digits: pip install 'scikit-learn>=1.5'"
    )


@pytest.mark.parametrize(
    ("name", "side"), [("vgg16", 64), ("densenet161", 64), ("inception_v3", 80), ("inception_v4", 80)]
)
def test_images_are_small_and_fit_the_network(name, side):
    """Images have a side of 64 pixels, or the next multiple of 8 that the network takes."""
    assert module._side(architecture(name)) == side


def test_digits_are_split_without_overlap():
    """No digit is both learned and asked about, and each stands in its image, enlarged and about its mean."""
    raw, labels = module._load_digits()
    network = architecture("densenet121")
    training, held_out = module._split(network, raw, labels, 64)
    seen = {image.tobytes() for image in training.images}
    assert len(seen & {image.tobytes() for image in held_out.images}) == 0
    assert training.images.shape == (600, 64, 64, 3)
    assert held_out.images.dtype == np.float32
    first = np.random.default_rng(0).permutation(1797)[0]
    assert training.labels[0] == labels[first]
    blue_of_bgr = training.images[0, ::8, ::8, 0] + 103.939
    assert np.allclose(blue_of_bgr, raw[first] * 255 / 16, atol=1e-3)


def test_head_stands_on_pooled_features_where_dense_layers_fix_the_size():
    """VGG-16 takes small images only without its dense layers: its ten classes follow the pooled features."""
    features, model = module._load(architecture("vgg16"), None, 64)
    assert features.output_shape == (None, 512)
    assert model.output_shape == (None, 10)
    assert model.input is features.input
    assert model.layers[-1].name == "dense_3"


def test_trained_head_takes_features_as_they_are():
    """A head trained on standardised features tells classes from raw ones, whatever their scale."""
    rng = np.random.default_rng(5)
    labels = np.arange(200) % 10
    features = np.eye(10)[labels] @ rng.normal(size=(10, 20)) + 0.1 * rng.normal(size=(200, 20))
    features = (features * 10.0 ** rng.integers(-1, 2, 20) + rng.normal(size=20)).astype(np.float32)
    features[:, 3] = 7  # tells nothing, has no deviation
    kernel, bias = module._train_head(features, labels)
    assert (kernel.shape, bias.shape) == ((20, 10), (10,))
    assert np.mean((features @ kernel + bias).argmax(axis=1) == labels) > 0.95


@pytest.mark.long
def test_features_that_tell_nothing_give_a_head_that_tells_nothing():
    """Where all features are zero the head is finite all the same."""
    kernel, bias = module._train_head(np.zeros((20, 4), np.float32), np.arange(20) % 10)
    assert np.isfinite(kernel).all()
    assert np.isfinite(bias).all()
