"""The stand-in of the tutorials: real digits in folders, and weights that load."""

from __future__ import annotations

import shlex

import numpy as np
import pytest

import zoo
from zoo.errors import ArgumentError, UnknownNameError
from zoo.networks.images import read_picture
from zoo.practice import stand_in as module
from zoo.practice.digits import digits
from zoo.practice.stand_in import main, stand_in


def test_classes_are_folders_of_the_digits_that_stand_in_for_them(tmp_path):
    """Each folder holds all drawn images of its digit and no others."""
    source = stand_in(tmp_path / "new", {"cats": 3, "dogs": 8}, count=60)
    pictures, labels = digits(60)
    assert sorted(path.name for path in source.photos.iterdir()) == ["cats", "dogs"]
    for name, digit in (("cats", 3), ("dogs", 8)):
        written = [read_picture(path) for path in sorted((source.photos / name).iterdir())]
        assert np.array_equal(written, pictures[labels == digit])


def test_weights_load_and_tell_digits_apart(tmp_path):
    """The weights are the network's own, and at the stand-in's size the features of two digits differ."""
    source = stand_in(tmp_path, count=20)
    assert len(list(source.photos.iterdir())) == len(set(digits(20)[1].tolist()))
    assert source.options == {
        "weights": source.weights,
        "input_size": 64,
        "learning_rate": 1e-6,
        "learning_rate_factors": {"head": 1000},
        "augmentation": False,
    }
    model = zoo.load(
        "googlenet", num_classes=0, pooling="avg", weights=source.weights, input_shape=(64, 64, 3)
    )
    features = model.predict(zoo.preprocess_input("googlenet", digits(2)[0]), verbose=0)
    assert np.isfinite(features).all()
    assert np.abs(features[0] - features[1]).max() > 1


def test_unknown_network_is_refused_before_anything_is_written(tmp_path):
    """A wrong name leaves no images behind."""
    with pytest.raises(UnknownNameError, match=r"^no architecture is called 'googlnet'"):
        stand_in(tmp_path / "new", network="googlnet")
    assert not (tmp_path / "new").exists()


def test_command_says_how_to_use_what_it_wrote(tmp_path, capsys):
    """What is printed is a command of zoo whose files are there."""
    assert main([str(tmp_path / "my photos"), "--count", "10"]) == 0
    words = shlex.split(capsys.readouterr().out)
    photos, weights = tmp_path / "my photos" / "photos", tmp_path / "my photos" / "googlenet_th.h5"
    expected = ["zoo", "finetune", "googlenet", str(photos), "--weights", str(weights), "--input-size", "64"]
    expected += ["--augmentation", "none", "--learning-rate", "1e-06", "--learning-rate-factor", "head=1000"]
    assert words == [*expected, "--out", "run1"]
    assert photos.is_dir()
    assert weights.is_file()


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ("densenet121", "--input-size 64 --augmentation none --preprocessing caffe --learning-rate"),
        ("inception_v4", "--input-size 75 --augmentation none --learning-rate"),
        ("resnet50", "--input-size 64 --augmentation none --learning-rate"),
    ],
)
def test_command_says_what_its_network_needs(tmp_path, capsys, monkeypatch, network, words):
    """Some take no images of 64 pixels, and a DenseNet's practice values none that are scaled down."""
    monkeypatch.setattr(module, "write_published", lambda name, path, form: path.touch())
    assert main([str(tmp_path / "photos"), "--count", "10", "--network", network]) == 0
    assert f" {words} " in capsys.readouterr().out


def test_command_with_a_wrong_number_fails_with_one_line(tmp_path, capsys):
    """The mistake is told on standard error, and the exit code is 1."""
    assert main([str(tmp_path), "--count", "0"]) == 1
    assert capsys.readouterr().err == "zoo.practice.stand_in: count=0: there are 1797 digits\n"


def test_second_stand_in_is_refused(tmp_path):
    """What is there stays as it is."""
    stand_in(tmp_path, count=10)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ArgumentError) as raised:
        stand_in(tmp_path, count=20)
    assert str(raised.value) == f"{tmp_path / 'photos'}: is there already; name another folder"
    assert sorted(tmp_path.rglob("*")) == before


def test_a_place_that_is_a_file_is_told_in_one_line(tmp_path, capsys):
    """And stays as it is."""
    (tmp_path / "taken").write_bytes(b"mine")
    assert main([str(tmp_path / "taken"), "--count", "10"]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"zoo.practice.stand_in: {tmp_path / 'taken'}")
    assert err.endswith(": Not a directory\n")
    assert (tmp_path / "taken").read_bytes() == b"mine"
