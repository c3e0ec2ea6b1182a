"""What a run that is resumed has done so far."""

from __future__ import annotations

import json

import pytest

from zoo.errors import ArgumentError
from zoo.finetuning.resuming import check_epochs
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
