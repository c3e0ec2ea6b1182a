"""The stand-in for photographs: scikit-learn's digits as image files."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits

from zoo.errors import ArgumentError
from zoo.extras import how_to_install
from zoo.networks.images import find_pictures, read_picture
from zoo.practice.digits import digits, main, write_digits


def test_digits_are_enlarged_to_the_whole_scale():
    """Each of a digit's 8 x 8 values, 0 to 16, becomes a square from 0 to 255."""
    pictures, labels = digits(5, side=24, seed=3)
    assert (pictures.shape, pictures.dtype, labels.shape) == ((5, 24, 24, 3), np.uint8, (5,))
    source = load_digits()
    chosen = np.random.default_rng(3).permutation(1797)[:5]
    assert labels.tolist() == source.target[chosen].tolist()
    assert np.array_equal(pictures[:, ::3, ::3, 1], np.round(source.images[chosen] * 255 / 16))


def test_digits_are_written_in_folders(tmp_path):
    """A folder for each digit, all images there, as they are."""
    write_digits(tmp_path / "digits", count=30, side=16)
    pictures, labels = digits(30, side=16)
    found = find_pictures(tmp_path / "digits")
    assert len(found) == 30
    for place in (0, 7, 29):
        path = tmp_path / "digits" / str(labels[place]) / f"digit-{place:04d}.png"
        assert np.array_equal(read_picture(path), pictures[place])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 0}, "count=0: there are 1797 digits"),
        ({"count": 1798}, "count=1798: there are 1797 digits"),
        ({"side": 20}, "side=20: must be a multiple of 8 pixels"),
        ({"side": 0}, "side=0: must be a multiple of 8 pixels"),
    ],
)
def test_numbers_that_are_not_allowed(options, message):
    """The message says what is."""
    with pytest.raises(ArgumentError) as caught:
        digits(**options)
    assert str(caught.value) == message


def test_missing_scikit_learn_is_explained(monkeypatch):
    """The message says what installs it."""
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ArgumentError) as caught:
        digits()
    assert str(caught.value) == f"the digits are scikit-learn's: {how_to_install('finetune')}"


def test_a_place_that_is_a_file_is_told_in_one_line(tmp_path, capsys):
    """As the other commands tell it."""
    (tmp_path / "taken").touch()
    assert main([str(tmp_path / "taken"), "--count", "4", "--side", "8"]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"zoo.practice.digits: {tmp_path / 'taken'}")


def test_the_command_prints_the_folder(tmp_path, capsys):
    """Standard output is the path alone; what is wrong goes to standard error with exit code 1."""
    assert main([str(tmp_path / "digits"), "--count", "4", "--side", "8"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'digits'}\n"
    assert len(find_pictures(tmp_path / "digits")) == 4
    assert main([str(tmp_path / "digits"), "--side", "9"]) == 1
    assert capsys.readouterr().err == "zoo.practice.digits: side=9: must be a multiple of 8 pixels\n"
