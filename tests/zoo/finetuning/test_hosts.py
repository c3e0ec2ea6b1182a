"""Which processes train together, as it is said; that they do is tried in tests/hosts, which needs JAX."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from PIL import Image

from tests.support.command import Command
from zoo.errors import ArgumentError
from zoo.finetuning import hosts
from zoo.finetuning.batches import FeatureBatches
from zoo.finetuning.feeding import _shares
from zoo.finetuning.hosts import Group, HostsError, Share, asked

SLURM = {
    "SLURM_JOB_ID": "7",
    "SLURM_STEP_NODELIST": "node[1-2]",
    "SLURM_NTASKS": "2",
    "SLURM_PROCID": "1",
    "SLURM_LOCALID": "0",
}
HERE = {"coordinator": "node1:9911", "process": 1, "processes": 2}


def test_a_process_is_alone_unless_others_are_named():
    """Nothing else is asked of it."""
    assert asked() is None
    assert asked(devices="all") is None


def test_processes_are_named_or_slurm_knows_them(monkeypatch):
    """What is named counts under Slurm too."""
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    assert asked(hosts=True) == Group()
    assert asked(hosts=True, **HERE) == asked(**HERE) == Group(**HERE)


@pytest.mark.parametrize("missing", SLURM)
def test_without_slurm_processes_have_to_be_named(monkeypatch, missing):
    """Whichever of its variables is not there."""
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(missing)
    with pytest.raises(ArgumentError) as caught:
        asked(hosts=True)
    assert str(caught.value) == (
        f"hosts=True: must be said in a job of Slurm, each process started with srun: {missing} is not set; "
        "elsewhere say coordinator, process and processes"
    )


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"process": 0}, "process=0: must be given with coordinator and processes, by each process"),
        (
            {"coordinator": "node1:9911", "processes": 2},
            "coordinator='node1:9911': must be given with process, by each process",
        ),
        (
            {**HERE, "coordinator": "node1"},
            "coordinator='node1': must be HOST:PORT, the address of process 0 and a port free there",
        ),
        ({**HERE, "process": 2}, "process=2: must be an integer from 0 to 1"),
        ({**HERE, "process": -1}, "process=-1: must be an integer from 0 to 1"),
        ({**HERE, "processes": 0}, "processes=0: must be an integer from 1"),
        ({**HERE, "devices": 2}, "devices=2: must be left out on several hosts: all of each are taken"),
    ],
)
def test_what_is_said_of_processes_must_fit_together(said, message):
    """In one line each."""
    with pytest.raises(ArgumentError) as caught:
        asked(**said)
    assert str(caught.value) == message


def test_on_tensorflow_the_command_says_what_is_needed(zoo: Command, tmp_path):
    """In one line: JAX, and how to get it."""
    for name in ("cats", "dogs"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(2):
            Image.new("RGB", (8, 8)).save(tmp_path / "photos" / name / f"{number}.png")
    where = ("--coordinator", "127.0.0.1:9", "--process", "0", "--processes", "1")
    code, out, err = zoo(
        "finetune", "googlenet", tmp_path / "photos", "--weights", "none", "--out", tmp_path / "run", *where
    )
    assert (code, out) == (2, "")
    assert err == (
        "zoo: hosts: needs Keras on JAX, but it runs on tensorflow: set KERAS_BACKEND=jax; "
        "pip install 'jax>=0.8.1' installs JAX\n"
    )


@pytest.mark.parametrize(
    "typed", [("--process", "3"), ("--coordinator", "node1"), ("--hosts", "--devices", "2")]
)
def test_mistakes_are_told_as_they_were_typed(zoo: Command, tmp_path, typed):
    """By the option's own name."""
    code, _, err = zoo("finetune", "googlenet", tmp_path, "--out", tmp_path / "run", *typed)
    assert code == 2
    assert err.startswith(f"zoo: {' '.join(typed[-2:])}: must be ")


def test_a_first_process_that_cannot_be_found(monkeypatch):
    """It is looked for as long as is said, and then named with the reason."""
    monkeypatch.setattr(hosts, "JOIN_SECONDS", 0)
    with pytest.raises(HostsError) as caught:
        hosts._await("127.0.0.1:1")
    assert str(caught.value) == (
        "127.0.0.1:1: no process was found there in 0 s (Connection refused): is process 0 started, and is "
        "this its address?"
    )


ROWS = np.arange(14, dtype=np.float32).reshape(7, 2)
LABELS = np.array([0, 1, 0, 1, 1, 0, 1])
WEIGHTS = np.array([2.0, 0.5], np.float32)


def shares(monkeypatch, processes, *, judged, batch_size, devices):
    """Return what each of some processes gets of an epoch, each with as many devices."""
    found = []
    for process in range(processes):
        own = Share(processes=processes, process=process)
        monkeypatch.setattr("zoo.finetuning.feeding.share", lambda own=own: own)
        batches = FeatureBatches(
            ROWS, LABELS, batch_size=batch_size, seed=3, class_weights=WEIGHTS, replicas=processes * devices
        )
        found.append(list(_shares(batches, judged=judged)))
    whole = zip(*found, strict=True)
    return [[np.concatenate(parts) for parts in zip(*batch, strict=True)] for batch in whole]


@pytest.mark.parametrize("devices", [1, 2])
@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("batch_size", [3, 4, 7])
def test_shares_to_learn_from_are_the_whole_batch(monkeypatch, processes, devices, batch_size):
    """Each row as often as any other, with its own label and weight, so that no mean changes."""
    options = {"batch_size": batch_size, "seed": 3, "class_weights": WEIGHTS}
    alone = [[np.asarray(part) for part in one] for one in FeatureBatches(ROWS, LABELS, **options).dataset()]
    shared = shares(monkeypatch, processes, judged=False, batch_size=batch_size, devices=devices)
    for one, other in zip(alone, shared, strict=True):
        times = len(other[0]) // len(one[0])
        assert len(other[0]) % (processes * devices) == 0
        assert times < processes * devices + 1
        for a, b in zip(one, other, strict=True):
            assert np.array_equal(np.concatenate([a] * times), b)


@pytest.mark.parametrize("devices", [1, 2])
@pytest.mark.parametrize("processes", [1, 2, 3])
def test_shares_to_judge_by_are_all_of_one_size(monkeypatch, processes, devices):
    """What fills them up weighs nothing, and the mean over the epoch is that of the rows."""
    shared = shares(monkeypatch, processes, judged=True, batch_size=4, devices=devices)
    assert len({len(one[0]) for one in shared}) == 1
    losses = np.concatenate([(rows[:, 0] + 1) * weights for rows, _, weights in shared])
    assert losses.mean() == pytest.approx(((ROWS[:, 0] + 1) * WEIGHTS[LABELS]).mean())


def test_a_model_of_one_process_is_nobody_elses():
    """Where there are no others nothing is copied."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    assert hosts.alone(model) is model
    assert hosts.share() == Share()
    hosts.check_agreed("images", "whatever")
