"""One phase: it stops early, ends with its best weights, repeats itself, goes on when interrupted."""

from __future__ import annotations

import json
from dataclasses import replace

import keras
import numpy as np
import pytest

from zoo.finetuning.batches import FeatureBatches
from zoo.finetuning.schedule import TrainingPhase
from zoo.finetuning.training import compile_for_phase, train
from zoo.progress import showing
from zoo.progress.protocol import Telling

pytestmark = pytest.mark.usefixtures("untraced")

RNG = np.random.default_rng(0)
CENTRES = RNG.normal(size=(3, 8)).astype(np.float32)
LABELS = np.arange(90) % 3
FEATURES = (CENTRES[LABELS] + RNG.normal(0, 1, (90, 8))).astype(np.float32)
PHASE = TrainingPhase(name="new", trained="classifier", epochs=6, learning_rate=0.01, patience=6)


def parts():
    """Return fresh batches to train on and to validate with."""
    return (
        FeatureBatches(FEATURES[:60], LABELS[:60], batch_size=16, seed=4),
        FeatureBatches(FEATURES[60:], LABELS[60:], batch_size=16),
    )


def network(phase=PHASE):
    """Return a compiled network with dropout that always starts the same."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(
                16, activation="relu", kernel_initializer=keras.initializers.HeNormal(1), name="low"
            ),
            layers.Dropout(0.3, seed=99),
            layers.Dense(
                3, activation="softmax", kernel_initializer=keras.initializers.HeNormal(2), name="high"
            ),
        ]
    )
    compile_for_phase(model, phase, {"high": 2.0})
    return model


def loss_of(model):
    """Return the cross-entropy on the rows to validate with."""
    return float(model.evaluate(parts()[1].dataset(), verbose=0, return_dict=True)["loss"])


def run(phase=PHASE, **options):
    """Train a fresh network; return it and what came of it."""
    model = network(phase)
    outcome = train(model, *parts(), phase, seed=7, **options)
    return model, outcome


def facts(outcome):
    """Return the epochs without their times."""
    return [(one.epoch, one.loss, one.accuracy, one.val_loss, one.val_accuracy) for one in outcome.epochs]


def test_it_learns_and_takes_each_epoch_down():
    """Losses fall; phase, number, learning rate and time of each epoch are there."""
    told = []
    model, outcome = run(on_epoch=lambda epochs: told.append(epochs[-1]))
    assert [one.epoch for one in outcome.epochs] == [1, 2, 3, 4, 5, 6]
    assert outcome.epochs == tuple(told)
    assert outcome.epochs[-1].val_loss < outcome.epochs[0].val_loss
    assert {one.phase for one in told} == {"new"}
    assert [one.learning_rate for one in told] == [0.01] * 6
    assert all(one.seconds > 0 for one in told)
    assert loss_of(model) == pytest.approx(min(one.val_loss for one in told), rel=1e-5)


def test_rows_of_no_weight_are_neither_right_nor_wrong():
    """The accuracy is that of the rows that count, and each of these counts the same."""
    right = FEATURES[60:], LABELS[60:]
    model, _ = run()
    expected = model.predict(right[0], verbose=0).argmax(axis=1) == right[1]
    counts = np.arange(30) % 4 != 0
    weights = np.array([1.0, 5.0, 0.1], np.float32)
    batches = FeatureBatches(*right, counts=counts, batch_size=16, class_weights=weights)
    found = model.evaluate(batches.dataset(), verbose=0, return_dict=True)
    assert found["accuracy"] == pytest.approx(expected[counts].mean())


def test_two_runs_are_the_same():
    """Order, dropout and weights come out the same to the bit; another seed differs."""
    one, first = run()
    other, second = run()
    assert facts(first) == facts(second)
    assert all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))
    model = network()
    assert facts(train(model, *parts(), PHASE, seed=8)) != facts(first)


class PulledPlugError(Exception):
    """Someone pulled the plug."""


def until(number):
    """Return a function that ends the run after an epoch."""

    def stop(epochs):
        if len(epochs) == number:
            raise PulledPlugError

    return stop


@pytest.fixture(scope="module")
def in_one_go():
    """Return a network that was trained without an interruption, and what came of it."""
    return run()


@pytest.mark.parametrize("number", [3, *(pytest.param(number, marks=pytest.mark.long) for number in (1, 5))])
def test_an_interrupted_phase_goes_on_as_if_it_had_not_been(tmp_path, in_one_go, number):
    """Momentum, order, dropout, best weights: epochs and weights are those of a run in one go, to the bit."""
    whole, expected = in_one_go
    with pytest.raises(PulledPlugError):
        run(folder=tmp_path, on_epoch=until(number))
    resumed, outcome = run(folder=tmp_path)
    assert facts(outcome) == facts(expected)
    assert outcome.best == expected.best
    assert all(np.array_equal(a, b) for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True))


def test_a_finished_phase_is_not_trained_again(tmp_path):
    """Its best weights are given back, and no epoch is run."""
    model, outcome = run(folder=tmp_path)
    told = []
    again, repeated = run(folder=tmp_path, on_epoch=told.append)
    assert told == []
    assert facts(repeated) == facts(outcome)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), again.get_weights(), strict=True))


def test_only_what_is_needed_is_kept(tmp_path):
    """The last epoch and the best one; nothing half-written."""
    _, outcome = run(folder=tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    needed = {f"epoch-{number:04d}.weights.h5" for number in (len(outcome.epochs), outcome.best)}
    assert names == sorted([*needed, "state.json"])
    assert json.loads((tmp_path / "state.json").read_text("utf-8"))["is_over"] is True


def test_it_stops_when_nothing_gets_better():
    """After so many epochs without a smaller loss it ends and goes back to the best."""
    phase = TrainingPhase(name="new", trained="classifier", epochs=50, learning_rate=0.1, patience=2)
    model, outcome = run(phase)
    assert 2 < len(outcome.epochs) == outcome.best + 2 < 50
    assert loss_of(model) == pytest.approx(outcome.epochs[outcome.best - 1].val_loss, rel=1e-5)


def test_a_start_that_is_never_beaten_is_kept():
    """A good model that training only spoils comes back as it was."""
    model, _ = run(
        TrainingPhase(name="new", trained="classifier", epochs=30, learning_rate=0.05, patience=30)
    )
    before = model.get_weights()
    wild = TrainingPhase(name="wild", trained="all", epochs=3, learning_rate=30.0, patience=3)
    compile_for_phase(model, wild, {})
    outcome = train(model, *parts(), wild, seed=1)
    assert outcome.best == 0
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before, strict=True))


def test_a_loss_that_is_no_number_ends_the_phase():
    """It is told, and no epoch is spent after it."""
    phase = TrainingPhase(name="new", trained="all", epochs=20, learning_rate=1e30, patience=20)
    model, outcome = run(phase)
    assert outcome.diverged
    assert outcome.best == 0
    assert len(outcome.epochs) < 20
    assert all(np.isfinite(weights).all() for weights in model.get_weights())


def test_keras_progress_goes_to_standard_error(capfd):
    """Standard output is for results."""
    run(verbose=2)
    out, err = capfd.readouterr()
    assert out == ""
    assert "val_loss" in err


class Recorder(keras.callbacks.Callback):
    """Remembers what it was called with, and may end the phase or lower the learning rate."""

    def __init__(self, last=None, rates=()):
        super().__init__()
        self.batches, self.epochs, self.last, self.rates = 0, [], last, dict(rates)

    def on_epoch_begin(self, epoch, logs=None):
        """Set the learning rate of the epoch."""
        self.model.optimizer.learning_rate = self.rates.get(epoch, self.model.optimizer.learning_rate)

    def on_train_batch_end(self, batch, logs=None):
        """Count."""
        self.batches += 1

    def on_epoch_end(self, epoch, logs=None):
        """Remember, and stop where that is wanted."""
        self.epochs.append((epoch, sorted(logs)))
        if epoch == self.last:
            self.model.stop_training = True


def test_callbacks_of_the_user_are_called():
    """Around each batch and epoch, with Keras' names; what is learned is the same to the bit."""
    mine = Recorder()
    model, outcome = run(callbacks=[mine])
    plain, expected = run()
    assert mine.batches == 6 * 4
    assert mine.epochs == [(number, ["accuracy", "loss", "val_accuracy", "val_loss"]) for number in range(6)]
    assert facts(outcome) == facts(expected)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), plain.get_weights(), strict=True))


def test_a_callback_ends_the_phase_for_good(tmp_path):
    """With the best weights so far; the phase is not gone on with where the run is resumed."""
    model, outcome = run(callbacks=[Recorder(last=2)], folder=tmp_path)
    assert [one.epoch for one in outcome.epochs] == [1, 2, 3]
    assert loss_of(model) == pytest.approx(min(one.val_loss for one in outcome.epochs), rel=1e-5)
    again = Recorder()
    _, repeated = run(callbacks=[again], folder=tmp_path)
    assert (facts(repeated), again.epochs) == (facts(outcome), [])


def test_the_learning_rate_that_a_callback_sets_is_the_one_written_down():
    """Not the phase's."""
    _, outcome = run(replace(PHASE, epochs=3), callbacks=[Recorder(rates={1: 0.5})])
    assert [one.learning_rate for one in outcome.epochs] == [0.01, 0.5, 0.5]


@pytest.mark.parametrize("callbacks", [[], [keras.callbacks.Callback()]], ids=["whole epochs", "batches"])
def test_batches_are_shown_where_keras_shows_none(callbacks):
    """Up to all of the phase, whichever way the epochs go; with Keras' own bar there is no other."""
    told = []
    with showing(Telling(lambda *what: told.append(what))):
        run(callbacks=callbacks)
        count = len(told)
        run(replace(PHASE, epochs=1), verbose=2)
    assert (told[0], told[-1]) == ((0, 24, "training, phase new"), (24, 24, "training, phase new"))
    assert [done for done, *_ in told] == sorted(done for done, *_ in told)
    assert len(told) == count
