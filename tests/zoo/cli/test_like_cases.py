"""Like cases end alike, whatever the command; and what is wrong is told before a framework is imported."""

from __future__ import annotations

import json
import sys

import pytest

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
    "a place that is taken": (
        2,
        "photos: ",
        [
            ["features", "vgg16", "photos", "--out", "photos"],
            ["finetune", "vgg16", "photos", "--out", "photos"],
        ],
    ),
}
"""The exit code, what the message has in it, and the commands."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return the working directory, with images and files of all kinds, in which Keras cannot be imported."""
    for name in ("photos/cats", "photos/dogs", "broken/a", "broken/b", "empty"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("good.ppm", "photos/cats/1.ppm", "photos/dogs/1.ppm"):
        (tmp_path / name).write_bytes(PICTURE)
    for name in ("broken/a/bad.jpg", "broken/b/bad.jpg", "bad.h5"):
        (tmp_path / name).write_bytes(b"not what its name says")
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
