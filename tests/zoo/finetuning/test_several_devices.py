"""Strategies on two devices, logical processors of a process of their own: the same as on one."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.paths import ROOT

RUN = """
import json, shutil, sys, tempfile
from dataclasses import replace
from pathlib import Path
import tensorflow as tf
processor = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
import numpy as np
from tests.support.small_network import OPTIONS, small_network, some_digits
from zoo import finetuning
from zoo.finetuning import devices
from zoo.finetuning import classifier
from zoo.finetuning.batches import ImageBatches, replicas_of
from zoo.finetuning.features import dissect, extract, preparation_for, scope
from zoo.finetuning.schedule import STRATEGIES, TrainingPhase
from zoo.finetuning.training import compile_for_phase, train

classifier.HIDDEN_DROPOUT = 0.0  # each device would draw its own
digits = some_digits(34)
learned, held_out = digits.subset(np.arange(21)), digits.subset(np.arange(21, 34))  # by 4: 1 left of each
phases = STRATEGIES["freeze-pretrain-finetune"].phases  # of which `epochs` shortens the last alone
STRATEGIES["freeze-pretrain-finetune"] = replace(
    STRATEGIES["freeze-pretrain-finetune"], phases=tuple(replace(phase, epochs=2) for phase in phases)
)
options = {**OPTIONS, "epochs": 2, "batch_size": 4, "freeze_batch_norm": True, "patience": 2}
strategies = {
    "svm": (finetuning.svm, {}),
    "head": (finetuning.head, {}),
    "last-layers": (finetuning.last_layers, {"last": "second", "augmentation": True}),
    "freeze-pretrain-finetune": (finetuning.freeze_pretrain_finetune, {}),
    "all": (finetuning.train_all, {"learning_rate_factors": {"head": 10, "first": 0.1}}),
}

def network(how):
    with devices.scope(how):
        return small_network()

def told(epochs):
    return [[one.loss, one.accuracy, one.val_loss, one.val_accuracy] for one in epochs]

def run(name, how, within=None):
    strategy, special = strategies[name]
    model = network(how)
    with devices.scope(within):
        result = strategy(model, learned, held_out, **{**options, **special})
    return {
        "devices": replicas_of(result.model),
        "epochs": told(result.history),
        "predictions": result.predictions.tolist(),
        "rates": sorted({one.learning_rate for one in result.history if one.learning_rate}),
    }

phase = TrainingPhase(name="all", trained="all", epochs=4, learning_rate=1e-3, patience=9)

def phase_of(model, folder, on_epoch):
    for layer in model.layers:
        layer.trainable = layer.name != "norm"
    with scope(model):
        compile_for_phase(model, phase, {})
    preparation = preparation_for(model, None)
    batches = ImageBatches(learned, preparation, batch_size=5, seed=3)
    valid = ImageBatches(held_out, preparation, batch_size=4)
    return told(train(model, batches, valid, phase, seed=1, folder=folder, on_epoch=on_epoch).epochs)

def interrupted():
    with tempfile.TemporaryDirectory() as name:
        folder, left = Path(name, "run"), Path(name, "left")

        def leave(epochs):
            if len(epochs) == 2:
                shutil.copytree(folder, left)

        whole = phase_of(network("all"), folder, leave)
        return {"whole": whole, "resumed": phase_of(network("all"), left, lambda epochs: None)}

def features(how, batch_size):
    body = dissect(network(how)).body
    return extract(body, held_out, preparation_for(body, None), batch_size=batch_size).tolist()

PARTS = {name: lambda name=name: [run(name, None), run(name, "all")] for name in strategies} | {
    "within": lambda: [run("last-layers", "all"), run("last-layers", "all", within="all")],
    "phase": lambda: interrupted() | {"alone": phase_of(network(None), None, lambda epochs: None)},
    "features": lambda: [features(None, 4), features("all", 4), features("all", 3)],
}
print(json.dumps({part: PARTS[part]() for part in sys.argv[1:]}))
"""

IN_EACH_RUN = ("phase", "features")
"""What is done in each run, in a process of its own: the others are made of it."""
LONG = ("svm", "head", "last-layers", "freeze-pretrain-finetune", "all", "within")


@pytest.fixture(scope="module")
def found() -> Callable[[str], Any]:
    """Return what gives the results of a part, from a process that has two logical processors."""

    @functools.cache
    def run(parts: tuple[str, ...]) -> dict:
        command = [sys.executable, "-c", RUN, *parts]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        return json.loads(done.stdout.splitlines()[-1])

    return lambda part: run(IN_EACH_RUN if part in IN_EACH_RUN else LONG)[part]


def flat(rows):
    """Return the numbers of a table in one list."""
    return [value for row in rows for value in row]


@pytest.mark.long
@pytest.mark.parametrize("strategy", LONG[:-1])
def test_a_strategy_on_two_devices_is_that_on_one(found, strategy):
    """Losses, accuracies and predictions, though the rows divide neither by the batch nor by two.

    Without dropout, and with batch normalisation as it was.
    """
    one, two = found(strategy)
    assert (one["devices"], two["devices"]) == (1, 2)
    assert len(one["epochs"]) == len(two["epochs"])
    assert flat(two["epochs"]) == pytest.approx(flat(one["epochs"]), rel=1e-5, abs=1e-5)
    assert len(two["predictions"]) == 13
    assert flat(two["predictions"]) == pytest.approx(flat(one["predictions"]), abs=1e-5)
    assert two["rates"] == one["rates"]


@pytest.mark.long
def test_a_strategy_may_be_called_inside_the_scope(found):
    """As well as with a model that was made there."""
    outside, within = found("within")
    assert within == outside


def test_a_run_on_two_devices_goes_on_after_an_interruption(found):
    """As if it had not been, to the bit; and it is that on one device, with batches of an odd number too."""
    runs = found("phase")
    assert len(runs["whole"]) == 4
    assert runs["resumed"] == runs["whole"]
    assert flat(runs["whole"]) == pytest.approx(flat(runs["alone"]), rel=1e-5, abs=1e-5)


def test_features_from_two_devices_are_those_from_one(found):
    """Each once and in the order of the images, whatever the batches."""
    alone, *shared = found("features")
    for features in shared:
        assert len(features) == 13
        assert flat(features) == pytest.approx(flat(alone), rel=1e-5, abs=1e-4)
