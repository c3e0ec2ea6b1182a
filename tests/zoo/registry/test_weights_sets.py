"""Tests of what is said of weights sets: what tells several sets of one network apart."""

from dataclasses import replace
from pathlib import Path

import pytest

from zoo.errors import RegistryError
from zoo.registry import load_registry
from zoo.registry.records import Accuracy, Input, WeightsSet

SAID = """schema: 1
architectures:
  vgg16:
    sets:
      imagenet:
        recipe: stochastic gradient descent
      imagenet-160:
        accuracy: {top1_error_percent: 30.5, top5_error_percent: null, source: us}
        input: {height: 160, width: 160, channels: 3, min_size: 32}
        origin: trained in Caffe
        source: us
"""


def _vgg16(tmp_path: Path, text: str):
    path = tmp_path / "overlay.yaml"
    path.write_text(text, "utf-8")
    return load_registry([path]).architectures["vgg16"]


def test_what_is_said_of_a_set_is_held_and_the_rest_is_none(tmp_path) -> None:
    """The set imagenet has the network's own accuracy, where none is said."""
    network = _vgg16(tmp_path, SAID)
    imagenet, smaller = network.about("imagenet"), network.about("imagenet-160")
    assert imagenet == WeightsSet(
        name="imagenet", accuracy=network.accuracy, recipe="stochastic gradient descent"
    )
    assert smaller.accuracy == Accuracy(top1_error_percent=30.5, top5_error_percent=None, source="us")
    assert (smaller.origin, smaller.recipe, smaller.source) == ("trained in Caffe", None, "us")


def test_a_set_of_which_nothing_is_said_is_what_it_was() -> None:
    """Its name, and nothing else."""
    network = load_registry(()).architectures["inception_v4"]
    assert network.about("imagenet-2.1") == WeightsSet(name="imagenet-2.1")


def test_images_are_those_of_the_set_where_it_says_so(tmp_path) -> None:
    """The network's own otherwise, and for random weights."""
    network = _vgg16(tmp_path, SAID)
    assert network.input_of("imagenet-160") == Input(height=160, width=160, channels=3, min_size=32)
    assert network.input_of("imagenet") is network.input_of(None) is network.input


def test_a_network_as_a_set_was_trained_has_the_images_of_that_set(tmp_path) -> None:
    """Of the set that a name stands for; itself for a file, for none, and where the set says nothing."""
    network = _vgg16(tmp_path, SAID)
    smaller = network.input_of("imagenet-160")
    assert network.with_images_of("imagenet-160").input == smaller
    for other in ("imagenet", None, "./imagenet-160", tmp_path, "imagenot"):
        assert network.with_images_of(other).input is network.input
    alone = tuple(replace(file, set="imagenet-160") for file in network.weights)
    assert replace(network, weights=alone).with_images_of("imagenet").input == smaller


def test_what_is_said_of_sets_cannot_be_changed(tmp_path) -> None:
    """As all else in a registry."""
    with pytest.raises(TypeError, match="the registry is read-only"):
        _vgg16(tmp_path, SAID).sets["imagenet"] = None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("recipe: stoch", "recipes: stoch", "imagenet.recipes: is not a known key; did you mean recipe?"),
        ("origin: trained in Caffe", "origin: 3", "imagenet-160.origin: 3 is not text; put it in quotes"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path, old: str, new: str, message: str) -> None:
    """By the set's name."""
    with pytest.raises(RegistryError) as caught:
        _vgg16(tmp_path, SAID.replace(old, new))
    assert message in str(caught.value)
