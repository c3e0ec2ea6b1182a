"""Runs and features that version 0.1.0 left are read; those of a later version are refused and stay."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.support.paths import WRITTEN_BEFORE
from tests.support.small_network import OPTIONS, divided_digits, small_network
from zoo import finetuning
from zoo.errors import NewerFileError
from zoo.finetuning.ended import read_record
from zoo.finetuning.finished import read_result
from zoo.finetuning.report import write_report
from zoo.finetuning.run_folder import RunFolder
from zoo.networks.predicting import predict
from zoo.networks.run_record import SCHEMA

ASKED = {**OPTIONS, "epochs": 4, "patience": 9, "seed": 3}
"""What both runs were asked for, but for the number of epochs of the finished one."""
NEWER = (
    f"was written by a later version: its schema is {SCHEMA + 1}, this version knows {SCHEMA};"
    " install a later version of keras-weight-zoo"
)


def bump(path):
    """Let a later version have written a file of JSON, with something that is new in it."""
    raw = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**raw, "format": SCHEMA + 1, "new": "something"}), "utf-8")


def tree(folder):
    """Return every file in a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def finished(tmp_path):
    """Return the folder of the run that came to its end."""
    return shutil.copytree(WRITTEN_BEFORE / "finished", tmp_path / "finished")


@pytest.fixture
def interrupted(tmp_path):
    """Return the folder of the run that was killed after its third epoch."""
    return shutil.copytree(WRITTEN_BEFORE / "interrupted", tmp_path / "interrupted")


def test_a_finished_run_is_read_reported_and_predicted_with(finished):
    """The model gives the probabilities that the run wrote down."""
    result = read_result(RunFolder(path=finished))
    assert (result.strategy, len(result.history), len(result.classes)) == ("head", 2, 10)
    assert write_report(finished) == finished / "report.html"
    _, valid = divided_digits(40)
    Image.fromarray(valid.batch([0], 16, 16)[0].astype(np.uint8)).save(finished / "0.png")
    (answer,) = predict(finished, finished / "0.png", top=10)
    told = dict(zip(result.classes, result.predictions[0], strict=True))
    assert {guess.name: guess.probability for guess in answer.guesses} == pytest.approx(told, abs=1e-5)


def test_an_interrupted_run_is_resumed(interrupted):
    """Its three epochs stand; the fourth is done, and the folder is as any other."""
    before = (interrupted / "history.csv").read_text("utf-8").splitlines()
    result = finetuning.train_all(small_network(), *divided_digits(40), out=interrupted, resume=True, **ASKED)
    after = (interrupted / "history.csv").read_text("utf-8").splitlines()
    assert len(result.history) == len(after) - 1 == 4
    assert after[:4] == before[:4]
    assert read_record(RunFolder(path=interrupted))["format"] == SCHEMA


def test_features_are_not_computed_again(tmp_path):
    """All rows are found, so that none is added."""
    kept = shutil.copytree(WRITTEN_BEFORE / "features", tmp_path / "features")
    before = tree(kept)
    finetuning.svm(small_network(), *divided_digits(40), **{**OPTIONS, "seed": 3, "cache": kept})
    assert tree(kept) == before


READERS = {
    "resuming": lambda folder: read_record(RunFolder(path=folder)),
    "the report": write_report,
    "predicting": lambda folder: predict(folder, folder / "model.keras"),
}


@pytest.mark.parametrize("reader", READERS)
def test_a_finished_run_of_a_later_version_is_refused(finished, reader):
    """By each that reads the record, in the same line; nothing is written."""
    path = finished / "run.json"
    bump(path)
    before = tree(finished)
    with pytest.raises(NewerFileError) as caught:
        READERS[reader](finished)
    assert str(caught.value) == f"{path}: {NEWER}"
    assert tree(finished) == before


def test_an_interrupted_run_of_a_later_version_is_refused(interrupted):
    """Before anything is written."""
    path = interrupted / "checkpoint" / "plan.json"
    bump(path)
    before = tree(interrupted)
    with pytest.raises(NewerFileError) as caught:
        finetuning.train_all(small_network(), *divided_digits(40), out=interrupted, resume=True, **ASKED)
    assert str(caught.value) == f"{path}: {NEWER}"
    assert tree(interrupted) == before


def test_a_run_says_its_number_from_its_start(tmp_path):
    """In the plan of its checkpoint, and in its record."""
    folder = RunFolder(path=tmp_path / "run")
    folder.open({"seed": 1}, resume=False)
    assert json.loads((folder.checkpoint / "plan.json").read_text("utf-8")) == {"format": SCHEMA, "seed": 1}
    folder.open({"seed": 1}, resume=True)
