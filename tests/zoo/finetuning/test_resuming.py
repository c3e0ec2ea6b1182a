"""What a run that is resumed has done so far."""

from __future__ import annotations

import itertools
import json

import pytest

from tests.support.killing import killed_after
from zoo.errors import ArgumentError
from zoo.finetuning.resuming import asked_of, begin, check_epochs, resumed
from zoo.finetuning.run_folder import RunFolder
from zoo.finetuning.schedule import TrainingPhase

PHASES = tuple(
    TrainingPhase(name=name, trained="all", epochs=6, learning_rate=1e-3, patience=5)
    for name in ("pretrain", "finetune")
)


def run_that_did(folder, **states):
    """Return a run whose phases have come to states."""
    for name, state in states.items():
        path = folder / "checkpoint" / name / "state.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"epochs": [{}] * 3, "best": 3, "diverged": False} | state))
    return RunFolder(path=folder)


@pytest.mark.parametrize("state", [{"is_ended": True}, {"diverged": True}, {"best": 0, "epochs": [{}] * 5}])
def test_a_phase_that_was_over_by_itself_needs_no_more_epochs(tmp_path, state):
    """A callback has ended it, its loss was no number, or it waited in vain."""
    check_epochs(run_that_did(tmp_path, pretrain=state, finetune={}), PHASES)


def test_a_phase_that_was_cut_cannot_be_made_longer_afterwards(tmp_path):
    """What came after it has gone on from where it was; runs of before do not tell who ended it."""
    with pytest.raises(ArgumentError, match="phase pretrain ended with its 3 epochs, and finetune went on"):
        check_epochs(run_that_did(tmp_path, pretrain={}, finetune={}), PHASES)


SOURCES = {
    "data": None,
    "train": None,
    "valid": None,
    "in_memory": [],
    "validation_share": 0.2,
    "weights": None,
    "devices": None,
}
STRATEGY = {"network": "vgg16", "strategy": "freeze-pretrain-finetune"}


def asking_for(**epochs):
    """Return the plan of a run and what its record tells, as they begin."""
    own = {"pretrain_epochs": None, "finetune_epochs": None, "epochs": None, **epochs}
    plan = {**STRATEGY, "weights before": "0", **{name: value for name, value in own.items() if value}}
    return {"epochs": None, **plan}, {**STRATEGY, "asked": {**STRATEGY, **own}, "sources": SOURCES}


def finished_run(path, **epochs):
    """Return a run that has come to its end and may go on."""
    folder, (plan, facts) = RunFolder(path=path), asking_for(**epochs)
    begin(folder, plan, facts, resume=False)
    folder.close(keep=True)
    assert folder.is_finished
    return folder


def epochs_in(arguments):
    """Return the numbers of epochs that are asked for."""
    return {name: value for name, value in arguments.items() if name.endswith("epochs") and value}


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ({"epochs": 2}, {"epochs": 4}),
        ({"epochs": 2}, {"pretrain_epochs": 3, "finetune_epochs": 5}),
        ({"pretrain_epochs": 3, "finetune_epochs": 5}, {"epochs": 9}),
        ({}, {"epochs": 40}),
    ],
    ids=str,
)
def test_more_epochs_are_not_forgotten_wherever_the_run_is_killed(tmp_path, before, now):
    """As soon as it is not the finished one any more, it is the one with more epochs."""
    for changes in itertools.count():
        folder = finished_run(tmp_path / str(changes), **before)
        plan, facts = asking_for(**now)
        is_killed = killed_after(changes, lambda: begin(folder, plan, facts, resume=True))  # noqa: B023
        found = resumed({"resume": folder.path})
        if found is None:
            record = json.loads(folder.record.read_text("utf-8"))
            assert epochs_in(asked_of(record)) == before
            assert folder.may_go_on
        else:
            assert epochs_in(found) == now
        if not is_killed:
            break
    assert changes >= 3
    assert found is not None


@pytest.mark.parametrize("keep", [True, False])
def test_a_run_is_finished_or_has_all_it_needs_wherever_its_end_is_killed(tmp_path, keep):
    """What is deleted is deleted when it is finished."""
    for changes in itertools.count():
        folder, (plan, facts) = RunFolder(path=tmp_path / str(changes)), asking_for(epochs=2)
        begin(folder, plan, facts, resume=False)
        # Whichever order a disk has them in, what makes it an unfinished run is not likely to be the first.
        run_that_did(folder.path, **{letter: {} for letter in "abcdefgh"})
        held = sorted(folder.checkpoint.rglob("*"))
        is_killed = killed_after(changes, lambda: folder.close(keep=keep))  # noqa: B023
        assert folder.is_finished or sorted(folder.checkpoint.rglob("*")) == held
        assert not (folder.is_finished and folder.may_go_on) or keep
        if not is_killed:
            break
    assert folder.is_finished
    assert changes == (1 if keep else 18)
