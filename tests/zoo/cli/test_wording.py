"""What is wrong with an option is said in the words of the command line."""

from __future__ import annotations

import json

import pytest

from zoo.cli import main
from zoo.cli.wording import as_typed
from zoo.errors import ArgumentError, DataError

WRONG = {
    "--epochs 0: must be an integer from 1": ["finetune", "vgg16", "photos", "--out", "r", "--epochs", "0"],
    "--learning-rate -1.0: must be a number above 0": [
        "finetune",
        "vgg16",
        "photos",
        "--out",
        "r",
        "--learning-rate",
        "-1",
    ],
    "--input-size 10: vgg16 takes images from 32 pixels upwards": [
        *("features", "vgg16", "photos", "--out", "f.npz", "--input-size", "10"),
    ],
    "--fit pad: the network vgg16 has its own; this is for a whole model in a file": [
        *("predict", "vgg16", "a.png", "--fit", "pad"),
    ],
    "--keras-version one: must be a version such as 1.0.6": ["inspect", "a.h5", "--keras-version", "one"],
}


@pytest.mark.parametrize(("message", "typed"), WRONG.items(), ids=str)
def test_an_option_has_the_name_it_is_typed_by(message, typed, capsys, tmp_path, monkeypatch):
    """On standard error and as JSON."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.h5").write_bytes(b"")
    assert main(typed) == 2
    assert capsys.readouterr().err == f"zoo: {message}\n"
    assert main(["--json", *typed]) == 2
    assert json.loads(capsys.readouterr().out) == {"error": {"type": "ArgumentError", "message": message}}


def test_a_switch_is_named_without_a_value():
    """Nobody types one."""
    told = as_typed(ArgumentError("hosts=True: must be said in a job of Slurm"), "finetune")
    assert str(told) == "--hosts: must be said in a job of Slurm"


@pytest.mark.parametrize(
    "error",
    [
        ArgumentError("nothing=0: must be another option's"),
        ArgumentError("folder/epochs=0: must be a file"),
        ArgumentError("out=None: must be given"),
        DataError("epochs=0: must be an image"),
        OSError("epochs=0: must be open"),
    ],
    ids=str,
)
def test_what_names_no_option_stays_as_it_is(error):
    """Paths, names of other commands, errors of other kinds."""
    assert as_typed(error, "finetune") is error
