"""Like cases end alike, whatever the command; and what is wrong is told before a framework is imported."""

from __future__ import annotations

import json
import sys

import pytest

from tests.support.upgrading import chain, layer, write_model
from tests.support.weight_files import counted

PICTURE = b"P6 2 2 255 " + bytes(12)  # PPM

LIKE = {
    "a network that is not known": (
        2,
        " is called 'resnet51'",
        [
            ["convert", "--th-to-tf", "old.h5", "--arch", "resnet51"],
            ["diff", "old.h5", "old.h5", "--arch", "resnet51"],
            ["predict", "resnet51", "good.ppm"],
            ["features", "resnet51", "photos", "--out", "f.npz"],
            ["finetune", "resnet51", "photos", "--out", "run"],
            ["demo", "resnet51"],
        ],
    ),
    "a network or a file that is not known": (
        2,
        "no network and no file is called 'resnet51'",
        [
            ["show", "resnet51"],
            ["fetch", "resnet51"],
            ["fetch", "vgg16", "resnet51"],
            ["trust", "resnet51"],
            ["mirror", "folder", "resnet51"],
            ["cache", "remove", "resnet51"],
        ],
    ),
    "a weights set that is not known": (
        2,
        "'places'",
        [
            ["fetch", "vgg16", "--weights", "places"],
            ["predict", "vgg16", "good.ppm", "--weights", "places"],
            ["features", "vgg16", "photos", "--out", "f.npz", "--weights", "places"],
            ["finetune", "vgg16", "photos", "--out", "run", "--weights", "places"],
        ],
    ),
    "a weights file that is not there": (
        1,
        "missing.h5",
        [
            ["inspect", "missing.h5"],
            ["convert", "--th-to-tf", "missing.h5"],
            ["upgrade", "missing.h5"],
            ["upgrade", "--check", "missing.h5"],
            ["fetch", "vgg16", "--from", "missing.h5"],
            ["predict", "vgg16", "good.ppm", "--weights", "missing.h5"],
            ["features", "vgg16", "photos", "--out", "f.npz", "--weights", "missing.h5"],
            ["finetune", "vgg16", "photos", "--out", "run", "--weights", "missing.h5"],
        ],
    ),
    "a file that holds no weights": (
        1,
        "bad.h5",
        [
            ["inspect", "bad.h5"],
            ["convert", "--th-to-tf", "bad.h5"],
            ["upgrade", "bad.h5"],
            ["fetch", "vgg16", "--from", "bad.h5"],
            ["predict", "vgg16", "good.ppm", "--weights", "bad.h5"],
            ["features", "vgg16", "photos", "--out", "f.npz", "--weights", "bad.h5"],
            ["finetune", "vgg16", "photos", "--out", "run", "--weights", "bad.h5"],
        ],
    ),
    "files that cannot be compared": (
        2,  # 1 would say that they differ
        ".h5",
        [["diff", "missing.h5", "bad.h5"], ["diff", "bad.h5", "bad.h5"]],
    ),
    "images that are not there": (
        1,
        "missing",
        [
            ["predict", "vgg16", "missing.jpg"],
            ["features", "vgg16", "missing", "--out", "f.npz"],
            ["features", "vgg16", "missing.csv", "--out", "f.npz"],
            ["finetune", "vgg16", "missing", "--out", "run"],
            ["finetune", "vgg16", "--train", "missing", "--valid", "photos", "--out", "run"],
        ],
    ),
    "images that are none": (
        1,
        "bad.jpg",
        [
            ["predict", "vgg16", "broken/a/bad.jpg"],
            ["predict", "vgg16", "broken"],
            ["features", "vgg16", "broken", "--out", "f.npz"],
            ["finetune", "vgg16", "broken", "--out", "run"],
        ],
    ),
    "a folder without images": (
        1,
        "empty: ",
        [
            ["predict", "vgg16", "empty"],
            ["features", "vgg16", "empty", "--out", "f.npz"],
            ["finetune", "vgg16", "empty", "--out", "run"],
        ],
    ),
    "a count of none": (
        2,
        "0",
        [
            ["predict", "vgg16", "good.ppm", "--top", "0"],
            ["fetch", "vgg16", "--jobs", "0"],
            ["convert", "--th-to-tf", "empty", "new", "--jobs", "0"],
            ["upgrade", "empty", "new", "--jobs", "0"],
            ["features", "vgg16", "photos", "--out", "f.npz", "--input-size", "0"],
            ["finetune", "vgg16", "photos", "--out", "run", "--input-size", "0"],
        ],
    ),
    "images of one class": (
        1,
        "has one class, 'cats'; there must be two to tell apart\n",
        [
            ["finetune", "vgg16", "cats", "--out", "run"],
            ["finetune", "vgg16", "cats.csv", "--out", "run"],
            ["finetune", "vgg16", "--train", "cats", "--valid", "photos", "--out", "run"],
        ],
    ),
    "a number of devices that there cannot be": (
        2,
        ": must be 'all', None or a number from 1\n",
        [
            [*command, "--devices", count]
            for command in (
                ["features", "vgg16", "photos", "--out", "f.npz"],
                ["finetune", "vgg16", "photos", "--out", "run"],
            )
            for count in ("0", "-1", "1.5", "two", "")
        ],
    ),
    "a place that is taken": (
        1,
        "photos: ",
        [
            ["features", "vgg16", "photos", "--out", "photos"],
            ["finetune", "vgg16", "photos", "--out", "photos"],
            ["convert", "--th-to-tf", "old.h5", "photos"],
            ["upgrade", "old.h5", "photos"],
        ],
    ),
    "a file that is there already": (
        1,
        "taken.",
        [
            ["finetune", "vgg16", "photos", "--out", "taken.keras"],
            ["features", "vgg16", "photos", "--out", "taken.npz"],
            ["mirror", "taken.h5", "vgg16"],
            ["mirror", "taken.h5", "--check"],
            ["mirror", "taken.h5/below", "vgg16"],
            ["convert", "--th-to-tf", "old.h5", "taken.h5"],
            ["upgrade", "old.h5", "taken.keras"],
        ],
    ),
    "a folder without a run": (
        1,
        ": holds no run to resume: ",
        [
            ["finetune", "--resume", "empty"],
            ["finetune", "--resume", "missing"],
            ["finetune", "--resume", "taken.h5"],
        ],
    ),
    "a place in a folder that is not there": (
        1,
        "folder",
        [
            ["features", "vgg16", "photos", "--out", "nowhere/f.npz"],
            ["convert", "--th-to-tf", "old.h5", "nowhere/new.h5"],
            ["upgrade", "old.h5", "nowhere/new.keras"],
        ],
    ),
}
"""The exit code, what the message has in it, and the commands."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return the working directory, with images and files of all kinds, in which Keras cannot be imported."""
    for name in ("photos/cats", "photos/dogs", "cats/cats", "broken/a", "broken/b", "empty"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("good.ppm", "photos/cats/1.ppm", "photos/dogs/1.ppm", "cats/cats/1.ppm"):
        (tmp_path / name).write_bytes(PICTURE)
    (tmp_path / "cats.csv").write_text("file,label\ngood.ppm,cats\n")
    for name in ("broken/a/bad.jpg", "broken/b/bad.jpg", "bad.h5"):
        (tmp_path / name).write_bytes(b"not what its name says")
    for name in ("taken.h5", "taken.keras", "taken.npz"):
        (tmp_path / name).write_bytes(b"mine")
    dense = layer("Dense", "dense", units=2, activation="linear", use_bias=False)
    arrays = {"dense": {"dense/kernel:0": counted(3, 2)}}
    write_model(tmp_path / "old.h5", chain(dense, shape=(3,)), arrays)
    monkeypatch.chdir(tmp_path)
    for framework in ("keras", "tensorflow"):
        monkeypatch.setitem(sys.modules, framework, None)
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    return tmp_path


@pytest.mark.parametrize("case", LIKE)
@pytest.mark.usefixtures("folder")
def test_like_cases_end_alike(case, zoo):
    """With and without JSON; what went wrong is said in at least one line that names it."""
    code, named, commands = LIKE[case]
    for typed in commands:
        got, out, err = zoo(*typed)
        assert (got, out) == (code, ""), (typed, err)
        assert err.startswith("zoo: "), typed
        assert "unexpected" not in err, (typed, err)
        assert named in err, (typed, err)
        got, out, again = zoo(*typed, "--json")
        assert (got, again) == (code, err), typed
        told = json.loads(out)
        for one in told if isinstance(told, list) else [told]:
            assert f"zoo: {one['error']['message']}\n" in err, typed


RECORD = {
    "format": 1,
    "status": "finished",
    "failure": None,
    "network": "vgg16",
    "strategy": "head",
    "reason": None,
    "classes": ["cats", "dogs"],
    "result": {"accuracy": 0.75, "loss": 0.5, "log_loss": 0.5},
    "data": {"report": []},
    "seconds": 4.0,
    "fit": "crop",
    "asked": {"network": "vgg16", "strategy": "head", "augmentation": True, "seed": 0},
}
"""What a finished run tells."""

HISTORY = "phase,epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,seconds\na,1,1,0.5,1,0.75,0.001,2\n"


@pytest.fixture
def finished(folder):
    """Return what writes a finished run, with what differs in its record."""

    def write(**differs):
        (folder / "run").mkdir()
        (folder / "run/run.json").write_text(json.dumps({**RECORD, **differs}))
        (folder / "run/history.csv").write_text(HISTORY)

    return write


@pytest.mark.parametrize("said", [[], ["--seed", "0"], ["--augmentation", "all"]], ids=str)
def test_a_finished_run_is_told(said, finished, zoo):
    """Its model is left as it is: nobody asked for it."""
    finished()
    assert zoo("finetune", "--resume", "run", *said) == (
        0,
        "strategy  head\naccuracy  75.0% of the validation images\nlog loss  0.5000\nrun       run\n"
        "then      zoo predict run PICTURE\n",
        "run: this run is finished; nothing is left to do\n",
    )
    code, out, _ = zoo("finetune", "--resume", "run", *said, "--json")
    told = json.loads(out)
    assert (code, told["accuracy"], told["epochs"], told["failure"]) == (0, 0.75, 1, None)


def test_a_finished_run_that_came_to_nothing_is_told(finished, zoo):
    """As it was when it ended."""
    finished(status="failed", failure="nothing was learned")
    code, out, err = zoo("finetune", "--resume", "run")
    assert code == 1
    assert "failed    nothing was learned\n" in out
    assert err == (
        "run: this run is finished; nothing is left to do\n"
        "zoo: nothing was learned; what there is was kept in run\n"
    )


def test_a_finished_run_is_not_another(finished, zoo):
    """What is changed at random is compared too where it needs no layers."""
    finished()
    code, out, err = zoo("finetune", "--resume", "run", "--augmentation", "none")
    assert (code, out) == (2, "")
    assert err.startswith("zoo: --augmentation none: the run was made with True (run); ")
