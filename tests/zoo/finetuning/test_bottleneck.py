"""Bottleneck features by a network's name: what is returned and written, and where it cannot be."""

from __future__ import annotations

import numpy as np
import pytest

import zoo
from zoo.errors import ArgumentError
from zoo.finetuning import from_arrays, runs

FEATURES = np.arange(12, dtype=np.float32).reshape(4, 3)


@pytest.fixture(autouse=True)
def _computed(monkeypatch):
    """Let features be computed at once."""
    pictures = from_arrays(np.zeros((4, 8, 8, 3), np.uint8), [0, 0, 1, 1], classes=["cats", "dogs"])
    monkeypatch.setattr(runs, "features", lambda name, data, **options: (FEATURES, pictures))


def test_what_is_returned_is_what_is_written(tmp_path):
    """Features, labels, files and classes."""
    found = zoo.features("resnet50", "photos", out=tmp_path / "features.npz")
    assert str(found) == "3 features of 4 images of 2 classes"
    assert repr(found) == f"<{found}>"
    assert found.classes == ("cats", "dogs")
    with np.load(tmp_path / "features.npz") as written:
        assert sorted(written) == ["classes", "features", "files", "labels"]
        for name in written:
            assert np.array_equal(written[name], getattr(found, name))


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (".", "out='.': is a folder; name a file to write, features.npz for example"),
        ("f.csv", "out='f.csv': an .npz file is written; name one, f.npz for example"),
        ("a/f.H5", "out='a/f.H5': an .npz file is written; name one, a/f.npz for example"),
        (
            "no/such/x.npz",
            "out='no/such/x.npz': lies in a folder that is not there; name a file to write, features.npz for"
            " example",
        ),
        (5, "out=5: must be the path of a file to write, or None"),
    ],
)
def test_where_nothing_can_be_written(out, message):
    """It is told before anything is computed."""
    with pytest.raises(ArgumentError) as caught:
        zoo.features("resnet50", "photos", out=out)
    assert str(caught.value) == message


def test_what_is_no_file_of_features_stays(tmp_path):
    """A picture by mistake, or arrays of one's own; features of before are replaced, and an empty file."""
    mine = tmp_path / "mine.npz"
    np.savez(mine, features=FEATURES, mine=FEATURES)
    before = mine.read_bytes()
    with pytest.raises(ArgumentError) as caught:
        zoo.features("resnet50", "photos", out=mine)
    assert str(caught.value) == (
        f"out={str(mine)!r}: is there already and holds no features; name another file, or delete it"
    )
    assert mine.read_bytes() == before
    np.savez(mine, features=FEATURES[:1], labels=[0], files=["a"], classes=["b"])
    zoo.features("resnet50", "photos", out=mine)
    with np.load(mine) as written:
        assert np.array_equal(written["features"], FEATURES)
    mine.write_bytes(b"")
    zoo.features("resnet50", "photos", out=mine)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.npz"]


def test_features_are_replaced_when_they_are_whole(tmp_path, monkeypatch):
    """Where a link leads; those of before stay if that fails. A device is written to as it is."""
    old, link = tmp_path / "old.npz", tmp_path / "link.npz"
    zoo.features("resnet50", "photos", out=old)
    before = old.read_bytes()
    link.symlink_to(old)
    with monkeypatch.context() as patch, pytest.raises(OSError, match="full"):
        patch.setattr(np, "savez", lambda file, **arrays: file.write(b"half") and fail(OSError("full")))
        zoo.features("resnet50", "photos", out=link)
    assert (old.read_bytes(), link.is_symlink()) == (before, True)
    old.write_bytes(b"")
    zoo.features("resnet50", "photos", out=link)
    assert (old.read_bytes(), link.is_symlink()) == (before, True)
    zoo.features("resnet50", "photos", out="/dev/null")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.npz", "old.npz"]


def fail(error):
    """Raise an error."""
    raise error
