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
