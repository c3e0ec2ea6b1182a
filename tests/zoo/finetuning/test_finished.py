"""A finished run that is asked for again: told if it is the same, refused if it is not, never in silence."""

from __future__ import annotations

import json
import shutil

import keras
import pytest

from zoo.errors import ArgumentError, DownloadError
from zoo.finetuning import finetune, runs
from zoo.finetuning.training import TrainingError
from zoo.practice.digits import write_digits
from zoo.practice.files import write_published

NETWORK = "googlenet"
OPTIONS = {"strategy": "head", "input_size": 32, "epochs": 1, "cache": False, "patience": 3}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Return a folder with images, others, weights, other weights, and a finished run."""
    folder = tmp_path_factory.mktemp("finished")
    write_digits(folder / "photos", count=40, side=32)
    write_digits(folder / "others", count=40, side=32, seed=5)
    write_published(NETWORK, folder / "weights.h5", "th")
    write_published(NETWORK, folder / "other.h5", "tf")
    finetune(NETWORK, folder / "photos", weights=folder / "weights.h5", out=folder / "run", **OPTIONS)
    return folder


def again(world, data="photos", weights="weights.h5", run="run", **changes):
    """Ask for a run once more; return its result and what was said."""
    lines = []
    pictures = None if data is None else world / data
    options = {**OPTIONS, "weights": world / weights, **changes}
    result = finetune(
        changes.pop("name", NETWORK), pictures, out=world / run, resume=True, report=lines.append, **options
    )
    return result, lines


def test_the_same_run_is_told_and_not_done_again(world, monkeypatch):
    """Its result comes from the folder; nothing is trained or loaded but the model that is there."""
    monkeypatch.setattr(runs, "load_classifier", None)
    result, lines = again(world)
    assert lines == [f"{world / 'run'}: this run is finished; nothing is left to do"]
    assert result.strategy == "head"
    record = json.loads((world / "run" / "run.json").read_text("utf-8"))
    assert result.accuracy == record["result"]["accuracy"]


CHANGES = {
    "strategy": ({"strategy": "svm"}, "strategy='head', not 'svm'"),
    "input_size": ({"input_size": 64}, "input_size=[32, 32], not [64, 64]"),
    "dropout": ({"dropout": 0.5}, "dropout=0.0, not 0.5"),
    "data_format": ({"data_format": "channels_first"}, "data_format='channels_last', not 'channels_first'"),
    "last": ({"last": 3}, "last=None, not 3"),
    "epochs": ({"epochs": 2}, "epochs=1, not 2"),
    "batch_size": ({"batch_size": 4}, "batch_size=None, not 4"),
    "learning_rate": ({"learning_rate": 0.5}, "learning_rate=None, not 0.5"),
    "patience": ({"patience": 2}, "patience=3, not 2"),
    "seed": ({"seed": 1}, "seed=0, not 1"),
    "augmentation": ({"augmentation": False}, "augmentation=True, not False"),
    "class_weights": ({"class_weights": False}, "class_weights=True, not False"),
    "learning_rate_factors": (
        {"learning_rate_factors": {"head": 2}},
        "learning_rate_factors={}, not {'head': 2.0}",
    ),
    "freeze_batch_norm": ({"freeze_batch_norm": True}, "freeze_batch_norm=None, not True"),
    "preprocessing": ({"preprocessing": "torch"}, "preprocessing='auto', not 'torch'"),
    "include_preprocessing": ({"include_preprocessing": True}, "include_preprocessing=False, not True"),
    "fused": ({"fused": True}, "fused=False, not True"),
    "pictures": ({"data": "others"}, "pictures to train on="),
    "share": ({"validation_share": 0.5}, "pictures to train on="),
    "weights": ({"weights": "other.h5"}, "weights="),
}


@pytest.mark.parametrize("change", CHANGES)
def test_any_other_argument_is_refused(world, change):
    """With its name and both values; the old result is not told."""
    changes, told = CHANGES[change]
    with pytest.raises(ArgumentError) as caught:
        again(world, **changes)
    assert str(caught.value).startswith(f"{world / 'run'}: holds a finished run with {told}")


def test_another_network_is_refused(world):
    """Before its weights are looked for."""
    with pytest.raises(ArgumentError, match="holds a finished run with network='googlenet', not 'vgg16'"):
        finetune("vgg16", world / "photos", out=world / "run", resume=True, weights=None, **OPTIONS)


def test_random_weights_are_other_weights(world):
    """And what has none has no digest."""
    with pytest.raises(ArgumentError, match=r"with weights='[0-9a-f]{64}', not None"):
        finetune(NETWORK, world / "photos", out=world / "run", resume=True, weights=None, **OPTIONS)


def test_what_is_not_given_is_not_compared_and_that_is_said(world):
    """No images; and the strategy that the number of images would choose."""
    _, lines = again(world, data=None, strategy="auto")
    assert lines == [
        f"{world / 'run'}: no images are given: not compared",
        f"{world / 'run'}: this run is finished; nothing is left to do",
        f"{world / 'run'}: strategy head: as the run had it",
    ]


def test_weights_that_cannot_be_had_are_not_compared(world, monkeypatch):
    """The result needs none; it is told all the same."""

    def fail(*_):
        raise DownloadError("no network")

    monkeypatch.setattr(runs, "provenance", fail)
    _, lines = again(world)
    assert lines[0] == f"{world / 'run'}: the weights cannot be had: not compared (no network)"


@pytest.fixture
def old(world, tmp_path):
    """Return a folder with a run as version 0.1.0 recorded it."""
    shutil.copytree(world / "run", tmp_path / "run")
    path = tmp_path / "run" / "run.json"
    record = json.loads(path.read_text("utf-8"))
    for name in ("asked", "depth", "failure"):
        del record[name]
    path.write_text(json.dumps(record))
    return tmp_path / "run"


def test_a_run_of_before_is_told_and_what_it_did_not_record_is_said(world, old):
    """It recorded no images; the rest is compared."""
    _, lines = again(world, run=old)
    assert lines == [
        f"{old}: this run is finished; nothing is left to do",
        f"{old}: run.json does not tell dropout, last, augmentation, learning_rate_factors, preprocessing, "
        "pictures to train on, pictures to validate with: not compared",
    ]


@pytest.mark.parametrize("change", ["epochs", "seed", "input_size", "weights", "class_weights", "strategy"])
def test_a_run_of_before_is_compared_as_far_as_it_tells(world, old, change):
    """What it does tell is refused as ever."""
    changes, told = CHANGES[change]
    with pytest.raises(ArgumentError) as caught:
        again(world, run=old, **changes)
    assert str(caught.value).startswith(f"{old}: holds a finished run with {told}")


def test_a_run_that_came_to_nothing_says_so_again(world, old):
    """With its result in the error, and not as if it had gone well."""
    path = old / "run.json"
    record = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(record | {"failure": "phase classifier: nothing was learned"}))
    with pytest.raises(TrainingError) as caught:
        again(world, run=old)
    assert str(caught.value) == "phase classifier: nothing was learned"
    assert isinstance(caught.value.result.model, keras.Model)
