"""Weights by URL, wherever weights are taken: those of the same file on the disk, and told by that URL."""

from __future__ import annotations

import functools
import hashlib
import json
import re

import numpy as np
import pytest
from PIL import Image

import zoo
from tests.support.buckets import fill
from tests.support.paths import DIALECTS
from zoo.cli import main
from zoo.errors import ArgumentError
from zoo.finetuning.runs import load_classifier

NAME = "mobilenet_0.25"


pytestmark = pytest.mark.usefixtures("s3")


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """Return a file with weights of the network, on the disk."""
    path = tmp_path_factory.mktemp("weights") / "own.weights.h5"
    load_classifier(NAME, 1000, size=(32, 32), weights=None).save_weights(path)
    return path


@pytest.fixture(scope="module")
def there(here):
    """Return the URL of the same file, and put one beside it that is none."""
    place = fill("s3://weights", {here.name: here.read_bytes(), "bad.h5": b"<!DOCTYPE html>"})
    return f"{place}/{here.name}"


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Return a folder of small images of two classes."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(8):
        path = folder / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (40, 40, 3), np.uint8)
        Image.fromarray(pixels // 2 + 127 * (number % 2)).save(path)
    return folder


def test_a_network_is_loaded_with_them(here, there):
    """Bit for bit."""
    load = functools.partial(zoo.load, NAME, input_shape=(32, 32, 3), num_classes=0)
    one, other = load(weights=str(here)), load(weights=there)
    for mine, theirs in zip(one.weights, other.weights, strict=True):
        assert np.array_equal(mine, theirs)
    maps = zoo.feature_maps(NAME, weights=there, input_shape=(32, 32, 3))
    assert np.array_equal(maps.weights[0], one.weights[0])


def test_features_and_runs_are_those_of_the_file(here, there, photos, tmp_path, capsys):
    """By the commands; the record of a run tells the file by digest and URL, and it can go on by that."""
    common = (NAME, str(photos), "--input-size", "32", "--weights")
    for out, weights in (("here", str(here)), ("there", there)):
        assert main(["features", *common, weights, "--out", str(tmp_path / f"{out}.npz")]) == 0
    one, other = (np.load(tmp_path / f"{out}.npz")["features"] for out in ("here", "there"))
    assert np.array_equal(one, other)
    assert np.array_equal(zoo.features(NAME, photos, weights=there, input_size=32).features, one)
    run = tmp_path / "run"
    assert main(["finetune", *common, there, "--strategy", "head", "--epochs", "1", "--out", str(run)]) == 0
    told = json.loads((run / "run.json").read_text("utf-8"))
    assert told["weights"] == {"id": here.name, "sha256": hashlib.sha256(here.read_bytes()).hexdigest()}
    assert (told["sources"]["weights"], told["arguments"]["weights"]) == (there, there)
    assert main(["finetune", "--resume", str(run), "--epochs", "2"]) == 0
    capsys.readouterr()


@pytest.mark.parametrize(
    "command",
    [
        ["features", NAME, "PHOTOS", "--out", "x.npz"],
        ["finetune", NAME, "PHOTOS", "--out", "x"],
        ["predict", "resnet50", "PHOTOS"],
        ["features", "resnet50", "PHOTOS", "--out", "x.npz"],
        ["finetune", "resnet50", "PHOTOS", "--out", "x"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ("s3://weights/bad.h5", "s3://weights/bad.h5: not an HDF5 file but an HTML page"),
        ("s3://weights/gone.h5", "s3://weights/gone.h5: there is no such file"),
        ("s3://no-bucket-of-that-name/x.h5", "s3://no-bucket-of-that-name/x.h5: "),
        (
            "http://me:secret@127.0.0.1:9/x.h5?sig=secret",
            "http://127.0.0.1:9/x.h5: cannot be read: Cannot conn",
        ),
        ("teapot://x/y.h5", "teapot://x/y.h5: cannot be reached: "),
    ],
)
def test_what_is_wrong_is_told_by_the_url(  # noqa: PLR0917 - as many as there are fixtures
    command, weights, expected, photos, tmp_path, monkeypatch, capsys
):
    """In one line, by each command, before anything is written; nothing that lets in is in it."""
    monkeypatch.chdir(tmp_path)
    command = [str(photos) if word == "PHOTOS" else word for word in command]
    assert main([*command, "--weights", weights]) in (1, 2)
    said = capsys.readouterr().err
    assert f"zoo: {expected}" in said
    assert "secret" not in said
    assert list(tmp_path.iterdir()) == []


def test_a_model_is_upgraded_where_it_lies():
    """Configuration and weights by URL; what is wrong is told by that."""
    names = ("gru_consume_cpu.json", "gru_consume_cpu.weights.h5")
    samples = DIALECTS / "keras122_theano_th"
    place = fill("s3://models", {name: (samples / name).read_bytes() for name in names})
    one = zoo.upgrade(samples / names[0], weights=samples / names[1])
    other = zoo.upgrade(f"{place}/{names[0]}", weights=f"{place}/{names[1]}")
    for mine, theirs in zip(one.weights, other.weights, strict=True):
        assert np.array_equal(mine, theirs)
    with pytest.raises(ArgumentError) as caught:
        zoo.upgrade(f"{place}/{names[0]}")
    assert str(caught.value) == f"{place}/{names[0]}: is a configuration alone; give the weights' file too"


def test_what_they_leave_open_is_warned_of_by_the_url(tmp_path):
    """As of a file on the disk."""
    from tests.support.weight_files import keras1, write_named

    path = write_named(tmp_path / "a.h5", keras1(conv=(6, 3, 3, 5)))
    place = fill("s3://open", {"a.h5": path.read_bytes()})
    with pytest.warns(zoo.ConversionWarning, match=rf"^{re.escape(place)}/a\.h5: the kernels are taken"):
        zoo.convert(f"{place}/a.h5", tmp_path / "b.h5", direction="th-to-tf")
