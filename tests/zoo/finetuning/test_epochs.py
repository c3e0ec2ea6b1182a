"""Epochs over features are one call each, and come to what Keras' ``fit`` comes to."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest

from zoo.finetuning import training
from zoo.finetuning.batches import FeatureBatches
from zoo.finetuning.epochs import KerasEpochs
from zoo.finetuning.schedule import TrainingPhase
from zoo.finetuning.training import compile_for_phase, train

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(40, 6)).astype(np.float32)
LABELS = RNG.integers(0, 3, 40)
PHASE = TrainingPhase(name="new", trained="classifier", epochs=3, learning_rate=0.05, patience=3)
WEIGHTS = np.array([0.5, 1, 2], np.float32)
COUNTS = np.arange(40) % 7 != 0


def run(phase=PHASE, **options):
    """Train a fresh network with dropout; return its weights and the losses and accuracies of each epoch."""
    drawn = [keras.initializers.HeNormal(seed) for seed in (1, 2)]
    layers = [
        keras.Input((6,)),
        keras.layers.Dense(8, activation="relu", kernel_initializer=drawn[0]),
        keras.layers.Dropout(0.3, seed=5),
        keras.layers.Dense(3, activation="softmax", kernel_initializer=drawn[1]),
    ]
    model = keras.Sequential(layers)
    compile_for_phase(model, phase, {})
    batches = FeatureBatches(FEATURES[:27], LABELS[:27], seed=4, counts=COUNTS[:27], **options)
    valid = FeatureBatches(FEATURES[27:], LABELS[27:], batch_size=4, counts=COUNTS[27:])
    outcome = train(model, batches, valid, phase, seed=7)
    return model.get_weights(), [replace(one, seconds=0) for one in outcome.epochs]


@pytest.mark.parametrize(
    "options", [{"batch_size": 8}, {"batch_size": 9, "class_weights": WEIGHTS}, {"batch_size": 32}]
)
def test_epochs_over_features_are_those_of_keras_to_the_bit(monkeypatch, options):
    """Short last batches and none, one batch alone; rows that weigh little or nothing; dropout."""
    weights, epochs = run(**options)
    monkeypatch.setattr(training, "epochs_over", KerasEpochs)
    expected, of_keras = run(**options)
    assert epochs == of_keras
    assert all(np.array_equal(a, b) for a, b in zip(weights, expected, strict=True))


def test_no_batch_of_features_is_read_on_its_own(monkeypatch):
    """However many there are, an epoch asks once for their order."""
    asked = []
    order = FeatureBatches.order

    def counted(batches):
        asked.append(len(batches))
        return order.fget(batches)

    def refused(*_, **__):
        raise AssertionError("an epoch over features went batch by batch")

    monkeypatch.setattr(FeatureBatches, "order", property(counted))
    for name in ("dataset", "rows"):
        monkeypatch.setattr(FeatureBatches, name, refused)
    run(batch_size=2)
    assert asked == [4] + [14, 4] * PHASE.epochs  # before the first epoch the start is judged


def test_epochs_end_when_a_callback_asks():
    """Here because nothing gets better any more."""
    _, epochs = run(replace(PHASE, epochs=9, learning_rate=30.0, patience=2), batch_size=8)
    assert len(epochs) < 9


def test_a_step_is_traced_once(monkeypatch):
    """Of Keras' ``fit`` too, which would trace it again after the optimizer made its variables in it."""
    traced = []
    step = keras.Model.train_step

    def counted(model, data):
        traced.append(model.name)
        return step(model, data)

    monkeypatch.setattr(keras.Model, "train_step", counted)
    run(batch_size=9)
    assert len(traced) == 1
    monkeypatch.setattr(training, "epochs_over", KerasEpochs)
    run(batch_size=9)
    assert len(traced) == 2
