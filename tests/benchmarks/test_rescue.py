"""What is counted of old models: which files are, and what is said of each."""

from __future__ import annotations

import csv
import hashlib
import re
import shutil

import numpy as np
import pytest

from benchmarks import rescue
from benchmarks.rescue import OPENED, REFUSED, RIGHT, WRONG, Old, Outcome
from tests.support.paths import DIALECTS

SAMPLES = DIALECTS / "keras224_theano_cl"
COLUMNS = ["repository", "commit", "path", "weights", "sha256", "bytes", "what"]


def test_the_table_of_real_models_is_whole():
    """Each file once, with where it can be had; weights beside each configuration that needs some."""
    rows = rescue.read_table()
    assert list(rows[0]) == COLUMNS
    places = {(row["repository"], row["path"]): row for row in rows}
    assert len(places) == len(rows)
    for row in rows:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+", row["repository"])
        assert re.fullmatch(r"[0-9a-f]{40}", row["commit"])
        assert re.fullmatch(r"[0-9a-f]{64}", row["sha256"])
        assert int(row["bytes"]) > 0
        assert bool(row["weights"]) == (row["path"].endswith(rescue.CONFIGURATIONS))
        assert not row["weights"] or (row["repository"], row["weights"]) in places
    assert sum(bool(row["what"]) for row in rows) >= 60


def row(path, **more):
    """Return a row of a table about a file."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    said = {"repository": "a/b", "commit": "0" * 40, "path": path.name, "weights": "", "what": "a thing"}
    return {**said, "sha256": digest, "bytes": path.stat().st_size, **more}


def test_files_are_told_by_their_digest(tmp_path, monkeypatch):
    """Whatever they are called; whole models that are not listed count, and nothing else does."""
    for number, name in enumerate(("conv1d.json", "conv1d.weights.h5", "conv1d.model.h5", "bilstm.model.h5")):
        shutil.copy(SAMPLES / name, tmp_path / f"{number}{name.removeprefix('conv1d')}")
    (tmp_path / "notes.txt").write_text("nothing")
    table = tmp_path / "table.csv"
    with table.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerow(row(SAMPLES / "conv1d.json", weights="conv1d.weights.h5"))
        writer.writerow(row(SAMPLES / "conv1d.weights.h5", what=""))
        writer.writerow(row(SAMPLES / "conv1d.model.h5"))
        writer.writerow(row(SAMPLES / "bilstm.json", weights="bilstm.weights.h5"))
    monkeypatch.setattr(rescue, "TABLE", table)
    assert rescue.real(tmp_path) == [
        Old(name="a/b conv1d.json", model=tmp_path / "0.json", weights=tmp_path / "1.weights.h5"),
        Old(name="a/b conv1d.model.h5", model=tmp_path / "2.model.h5"),
        Old(name="3bilstm.model.h5", model=tmp_path / "3bilstm.model.h5", known=False),
    ]
    assert [one.name for one in rescue.samples(DIALECTS)][:1] == ["keras122_theano_th/atrous_conv2d"]
    assert len(rescue.samples(DIALECTS)) == 147


ROWS = np.array([[1.0, -2.0], [0.5, 4.0]])


@pytest.mark.parametrize(
    ("ours", "verdict"),
    [
        ([ROWS], RIGHT),
        ([ROWS + 3e-5], RIGHT),
        ([ROWS + 5e-5], WRONG),
        ([ROWS[:1]], WRONG),
        ([ROWS, ROWS], WRONG),
        ([np.full_like(ROWS, np.nan)], WRONG),
        ([], WRONG),
    ],
    ids=["the same", "close", "off", "another shape", "one more", "no numbers", "none"],
)
def test_outputs_are_held_against_the_truth(ours, verdict, tmp_path):
    """Within 1e-5 of the largest."""
    one = Old(name="one", model=tmp_path / "one.h5", truth=tmp_path / "truth.npz")
    np.savez(one.truth, x0=ROWS, y0=ROWS)
    folder = tmp_path / "stage"
    folder.mkdir()
    stage = rescue._Stage(folder, [one])
    np.savez(folder / "0.keras.npz", **{f"y{number}": value for number, value in enumerate(ours)})
    done = {"opened": True, "ran": True, "why": "", "seconds": 1.5}
    outcome = stage.outcome(one, "keras", done)
    assert (outcome.verdict, outcome.seconds) == (verdict, 1.5)


@pytest.mark.parametrize(
    ("tool", "done", "verdict"),
    [
        ("keras", {"opened": False, "why": "why"}, REFUSED),
        ("tf-keras", {"opened": True, "ran": False, "why": "why"}, REFUSED),
        ("zoo", {"opened": False, "why": "why"}, WRONG),
        ("zoo", {"opened": True, "ran": True, "why": ""}, OPENED),
    ],
)
def test_what_does_not_open_is_refused_and_of_ours_wrong(tool, done, verdict, tmp_path):
    """And what nobody can tell the truth of is counted by itself."""
    one = Old(name="one", model=tmp_path / "one.h5")
    outcome = rescue._Stage(tmp_path, [one]).outcome(one, tool, {"seconds": 0.0, **done})
    assert outcome.verdict == verdict


def test_the_table_that_is_printed():
    """Counts for each tool, with the seconds of what was not refused."""
    found = [Old(name="a", model=rescue.TABLE), Old(name="b", model=rescue.TABLE, known=False)]
    outcomes = {
        tool: {
            "a": Outcome(verdict=RIGHT, why="0.0e+00 of the largest", seconds=2.0),
            "b": Outcome(verdict=verdict, why="why", seconds=3.0),
        }
        for tool, verdict in zip(rescue.TOOLS, (WRONG, OPENED, REFUSED), strict=True)
    }
    printed = list(rescue.lines("real files", found, outcomes, listed=True))
    assert printed[:7] == [
        "2 real files, 1 of them not in the table",
        "",
        "| | right | wrong in silence | refused | opened, not compared | seconds |",
        "| --- | --- | --- | --- | --- | --- |",
        "| Keras 3 | 1 | 1 | 0 | 0 | 5.0 |",
        "| tf-keras | 1 | 0 | 0 | 1 | 5.0 |",
        "| zoo upgrade | 1 | 0 | 1 | 0 | 2.0 |",
    ]
    assert printed[-1] == "zoo upgrade: b: refused (why)"
