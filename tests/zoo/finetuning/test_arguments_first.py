"""Whatever is wrong with the arguments comes to light before anything is fetched."""

from __future__ import annotations

import sys

import keras
import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.cli import main
from zoo.errors import ArgumentError, UnknownNameError
from zoo.fetching import fetcher as fetching
from zoo.finetuning import finetune, runs
from zoo.finetuning.runs import features
from zoo.networks import predicting
from zoo.networks import weights as reading
from zoo.networks.stages import feature_maps
from zoo.registry import load_registry

NETWORK = "resnet50"
REFUSED = (ArgumentError, UnknownNameError)


@pytest.fixture(autouse=True)
def _no_download(monkeypatch):
    """Fail a test in which anything would be fetched."""

    def refuse(*_, **__):
        raise AssertionError("something was about to be fetched")

    for module, name in ((reading, "resolve"), (fetching, "resolve"), (predicting, "fetch_class_index")):
        monkeypatch.setattr(module, name, refuse)


@pytest.fixture
def photos(tmp_path):
    """Return a folder of two classes with two images each."""
    rng = np.random.default_rng(0)
    for name in "ab":
        (tmp_path / "photos" / name).mkdir(parents=True)
        for place in range(2):
            noise = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(noise).save(tmp_path / "photos" / name / f"{place}.png")
    return tmp_path / "photos"


def test_the_world_has_no_downloads():
    """What is right with the arguments would be fetched."""
    with pytest.raises(AssertionError, match="about to be fetched"):
        zoo.load(NETWORK)


LOAD = [
    {"num_classes": 1},
    {"num_classes": "ten"},
    {"weights": "imagenot"},
    {"weights": 5},
    {"kernels": "th"},
    {"input_shape": (3, 3)},
    {"input_shape": (8, 8, 3)},
    {"pooling": "avg"},
    {"pooling": "mean", "num_classes": 0},
    {"dropout": 1},
    {"dropout": "half"},
    {"freeze": -1},
    {"freeze": "no_such_layer"},
    {"aux_heads": "no"},
    {"data_format": "first"},
    {"include_preprocessing": 1},
    {"compile": "yes"},
]


@pytest.mark.parametrize("wrong", LOAD, ids=str)
def test_loading(wrong):
    """Each argument, one at a time."""
    with pytest.raises(REFUSED, match=f"{next(iter(wrong))}="):
        zoo.load(NETWORK, **wrong)


MAPS = [
    {"strides": (4, 7)},
    {"strides": (1,)},
    {"strides": ()},
    {"strides": "4"},
    {"strides": 4},
    {"strides": (4.0,)},
    {"strides": (True,)},
    {"weights": "imagenot"},
    {"input_shape": (8, 8, 3)},
    {"freeze": "no_such_layer"},
    {"data_format": "first"},
    {"include_preprocessing": 1},
]


@pytest.mark.parametrize("wrong", MAPS, ids=str)
def test_feature_maps(wrong):
    """Strides among them."""
    with pytest.raises(REFUSED, match=f"{next(iter(wrong))}="):
        feature_maps(NETWORK, **wrong)


FINETUNE = [
    ({"strategy": "heads"}, "strategy="),
    ({"validation_share": 2}, "validation_share="),
    ({"validation_share": "half"}, "validation_share="),
    ({"input_size": 8}, "input_size="),
    ({"weights": "imagenot"}, "weights="),
    ({"dropout": 1.5}, "dropout="),
    ({"data_format": "first"}, "data_format="),
    ({"devices": 99}, "devices="),
    ({"devices": "two"}, "devices="),
    ({"last": 3}, "last=3: is for the strategy last-layers"),
    ({"strategy": "last-layers", "last": 1000}, "last="),
    ({"strategy": "last-layers", "last": "no_such_layer"}, "last="),
    ({"epochs": 0}, "epochs="),
    ({"batch_size": "16"}, "batch_size="),
    ({"learning_rate": -1}, "learning_rate="),
    ({"patience": 0}, "patience="),
    ({"seed": -1}, "seed="),
    ({"augmentation": "none"}, "augmentation="),
    ({"class_weights": "no"}, "class_weights="),
    ({"learning_rate_factors": {"no_such_layer": 2}}, "learning-rate factor 'no_such_layer'"),
    ({"learning_rate_factors": {"head": "ten"}}, "learning-rate factor head="),
    ({"freeze_batch_norm": "yes"}, "freeze_batch_norm="),
    ({"preprocessing": "cafe"}, "preprocessing="),
    ({"include_preprocessing": "yes"}, "include_preprocessing="),
    ({"cache": 1}, "cache="),
    ({"fused": "yes"}, "fused="),
    ({"resume": "yes"}, "^resume='yes': the run is to be in out="),
    ({"callbacks": print}, "callbacks=<built-in function print>: must be a list of Keras callbacks"),
    ({"callbacks": [keras.callbacks.Callback()], "strategy": "svm"}, "callbacks: the strategy svm trains no"),
    ({"callbacks": [keras.callbacks.Callback()]}, "say strategy= with one that does: head, last-layers, "),
]


@pytest.mark.parametrize(("wrong", "message"), FINETUNE, ids=[message for _, message in FINETUNE])
def test_fine_tuning(wrong, message, photos, tmp_path):
    """Each argument, one at a time; nothing is written either."""
    with pytest.raises(REFUSED, match=message):
        finetune(NETWORK, photos, out=tmp_path / "run", **wrong)
    assert not (tmp_path / "run").exists()


def test_fine_tuning_into_a_folder_of_something_else(photos):
    """It is refused before the weights are fetched."""
    with pytest.raises(ArgumentError, match="is not an empty folder"):
        finetune(NETWORK, photos, out=photos)


@pytest.mark.parametrize("library", ["jinja2", "PIL"])
def test_a_report_that_could_not_be_written(library, photos, tmp_path, monkeypatch):
    """What is missing for it is known before anything is read, fetched or trained."""
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ArgumentError, match=r"^the report of a run needs .*jinja2>="):
        finetune(NETWORK, photos, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_support_vector_machine_of_one_class(photos):
    """Known of the images alone."""
    labels = np.eye(2)[[1, 1, 1, 1]]
    images = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
    with pytest.raises(ArgumentError, match="needs images of two to train on: all of them show '1'"):
        finetune(NETWORK, (images, labels), strategy="svm")


@pytest.mark.parametrize(
    "wrong",
    [
        {"input_size": 8},
        {"weights": "imagenot"},
        {"devices": 99},
        {"cache": 1},
        {"fused": "yes"},
        {"report": 1},
    ],
    ids=str,
)
def test_features(wrong, photos):
    """Each argument, one at a time."""
    with pytest.raises(REFUSED, match=f"{next(iter(wrong))}="):
        features(NETWORK, photos, **wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"top": 0}, "top=0"),
        ({"top": 2000}, "top=2000"),
        ({"top": "5"}, "top='5'"),
        ({"weights": "x"}, "weights='x'"),
    ],
    ids=str,
)
def test_prediction(wrong, message, photos):
    """Each argument, one at a time."""
    with pytest.raises(REFUSED, match=message):
        zoo.predict(NETWORK, photos, **wrong)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "two", None])
def test_extending_a_head(wrong):
    """The number of classes, of whatever model."""
    with pytest.raises(ArgumentError, match="extra_classes="):
        zoo.extend_head(keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)]), wrong)


def test_the_command_line_says_so_too(photos, capsys):
    """With the code of wrong usage."""
    assert (
        main(["finetune", NETWORK, str(photos), "--out", str(photos.parent / "run"), "--dropout", "2"]) == 2
    )
    assert capsys.readouterr().err == (
        "zoo: --dropout 2.0: must be a number from 0 up to, but not including, 1\n"
    )


OWN_IMAGES = [
    pytest.param(network.name, name, id=name if network.name in name else f"{network.name}-{name}")
    for network in load_registry(()).architectures.values()
    for name, told in network.sets.items()
    if told.input is not None
]
"""Weights sets that were trained on images of a size of their own."""


@pytest.mark.parametrize(("name", "weights_set"), OWN_IMAGES)
@pytest.mark.parametrize("call", [finetune, features], ids=["finetune", "features"])
def test_images_have_the_size_that_the_weights_set_was_trained_on(call, name, weights_set, monkeypatch):
    """Where no size is asked for: another one costs accuracy, in silence."""
    asked = []

    def stop(*_, size, **__):
        asked.append(size)
        raise EOFError

    monkeypatch.setattr(runs, "as_pictures", stop)
    with pytest.raises(EOFError):
        call(name, "photos", weights=weights_set)
    own = load_registry(()).architectures[name].sets[weights_set].input
    assert asked == [(own.height, own.width)]
