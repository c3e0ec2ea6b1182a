"""One phase of training: early stopping, the best weights in the end, and going on after an interruption."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from zoo.errors import ZooError
from zoo.finetuning.augmentation import reseed
from zoo.finetuning.batches import Batches, replicas_of
from zoo.finetuning.epochs import Epochs, KerasEpochs, epochs_over
from zoo.finetuning.features import scope
from zoo.finetuning.feeding import counted_sizes, fed_sizes
from zoo.finetuning.hosts import by_itself, share
from zoo.finetuning.optimizer import GroupedSGD
from zoo.finetuning.resuming import Done
from zoo.finetuning.run_folder import TrainingEpoch, write_json
from zoo.finetuning.schedule import TrainingPhase
from zoo.networks.heads import MOMENTUM
from zoo.progress.protocol import Count, Silence, shown, step
from zoo.surgery.tensors import Tensor


class TrainingError(ZooError):
    """Training came to nothing; the message says in which phase and what to try.

    Attributes:
        result: What there is all the same, the model of the best epoch above all; it lies in the folder of
            the run, if there is one. ``None``: nothing could be judged.
    """

    def __init__(self, message: str, result: Any = None) -> None:  # noqa: ANN401 - zoo.finetuning.job.Result
        super().__init__(message)
        self.result = result


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a phase.

    Attributes:
        epochs: All of them, those before an interruption too.
        best: Number of the best epoch; 0: none was better than the start.
        diverged: Whether it ended because the loss was no longer a number.
        kept: Number of the epoch whose weights the model has now; 0: those that it started with.
        is_cut: Whether it ended because of the number of epochs alone, so that more would be used.
    """

    epochs: tuple[TrainingEpoch, ...]
    best: int
    diverged: bool
    kept: int = 0
    is_cut: bool = False


class RowAccuracy(keras.metrics.SparseCategoricalAccuracy):  # type: ignore[misc]
    """Share of rows correctly classified: all count the same, but those of weight 0 count for nothing."""

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> None:
        """Take a batch in."""
        counts = None if sample_weight is None else keras.ops.sign(sample_weight)
        super().update_state(y_true, y_pred, counts)


def compile_for_phase(model: keras.Model, phase: TrainingPhase, factors: Mapping[str, float]) -> None:
    """Compile a model for a phase: Nesterov's momentum, cross-entropy on whole-number labels, accuracy.

    Args:
        model: Gives probabilities, (N, classes).
        phase: Says the learning rate.
        factors: Of the learning rate, by layer.
    """
    optimizer = GroupedSGD(phase.learning_rate, momentum=MOMENTUM, nesterov=True, factors=factors)
    model.compile(
        optimizer=optimizer,
        loss=keras.losses.SparseCategoricalCrossentropy(),
        weighted_metrics=[RowAccuracy(name="accuracy")],
    )


def train(
    model: keras.Model,
    batches: Batches,
    valid: Batches,
    phase: TrainingPhase,
    *,
    seed: int,
    folder: Path | None = None,
    on_epoch: Callable[[tuple[TrainingEpoch, ...]], object] = lambda epochs: None,
    verbose: int = 0,
    is_fresh: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Outcome:
    """Train a model until the loss on the validation images no longer falls, and give it its best weights.

    On several devices the losses are those on one: the batches are made so that they can be shared out.

    Args:
        model: Compiled for the phase. What it starts with is the best there is until an epoch is better.
        batches: To train on.
        valid: To validate with.
        phase: Says how long.
        seed: Of what layers draw at random.
        folder: Where to keep what is needed to go on after an interruption; what is in it is gone on from.
        on_epoch: Called after each epoch with all of the phase so far, those before an interruption too.
        verbose: As for Keras' ``fit``; its progress goes to standard error.
        is_fresh: Whether the model starts with layers that have learned nothing. Where no epoch is better
            than that start, the model gets the weights of the best epoch all the same.
        callbacks: Of the user's, called after what watches the epochs.
    """
    batches.replicas = valid.replicas = replicas_of(model)
    watch = _Watch(batches, valid, phase, seed=seed, folder=folder, on_epoch=on_epoch)
    with scope(model), redirect_stdout(sys.stderr):
        model.optimizer.build(model.trainable_variables)  # in the first step it would have that traced twice
        # Whoever brings callbacks has them called around each batch too.
        way = (KerasEpochs if callbacks else epochs_over)(model, batches, valid)
        watch.prepare(model, way)
        if not watch.is_over:
            called = [watch, *watch.helpers, *callbacks, *([_Stopped(watch)] if callbacks else [])]
            with _shown(called, phase, len(batches), len(watch.epochs), is_wanted=verbose == 0):
                way.fit(called, first=len(watch.epochs), epochs=phase.epochs, verbose=verbose)
        return watch.finish(model, is_fresh=is_fresh)


@dataclass(frozen=True, kw_only=True)
class _State:
    """What is known after an epoch; JSON.

    Attributes:
        epochs: So far.
        best: Number of the best one, 0 for the start.
        best_loss: Its loss on the validation images.
        is_over: Whether there is no epoch to come.
        diverged: Whether the last loss was no number.
        least: Number of the epoch with the smallest loss, however that compares with the start; 0: none is a
            number.
        least_loss: Its loss.
        is_ended: Whether a callback of the user's wanted no epoch after it.
    """

    epochs: tuple[TrainingEpoch, ...] = ()
    best: int = 0
    best_loss: float = math.inf
    is_over: bool = False
    diverged: bool = False
    least: int = 0
    least_loss: float = math.inf
    is_ended: bool = False

    @property
    def needed(self) -> tuple[int, ...]:
        """Numbers of the epochs whose weights may be wanted yet: the last one, and the best."""
        return tuple({len(self.epochs), self.best or self.least} - {0})

    def is_over_by_itself(self, phase: TrainingPhase) -> bool:
        """Whether more epochs would not be used."""
        done = Done(epochs=len(self.epochs), best=self.best, diverged=self.diverged, is_ended=self.is_ended)
        return done.is_over_by_itself(phase.patience)

    def is_over_in(self, phase: TrainingPhase) -> bool:
        """Whether there is no epoch to come in a phase."""
        return len(self.epochs) >= phase.epochs or self.is_over_by_itself(phase)

    @classmethod
    def read(cls, path: Path) -> _State:
        read = json.loads(path.read_text("utf-8"))
        return cls(**{**read, "epochs": tuple(TrainingEpoch(**epoch) for epoch in read["epochs"])})


class _Watch(keras.callbacks.Callback):  # type: ignore[misc]
    """Watches the epochs of a phase."""

    def __init__(
        self,
        batches: Batches,
        valid: Batches,
        phase: TrainingPhase,
        *,
        seed: int,
        folder: Path | None,
        on_epoch: Callable[[tuple[TrainingEpoch, ...]], object],
    ) -> None:
        super().__init__()
        self._batches, self._valid, self._phase, self._seed = batches, valid, phase, seed
        self._folder, self._on_epoch = folder, on_epoch
        self._state = _State(is_over=phase.epochs == 0)
        self._best_weights: list[np.ndarray[Any, Any]] = []
        self._least_weights: list[np.ndarray[Any, Any]] = []  # while no epoch is better than the start
        self._start = 0.0
        self._before_last = _BeforeLast(len(batches))

    @property
    def helpers(self) -> list[keras.callbacks.Callback]:
        """What has to be called back too. On one device it is nothing: being called costs each batch time."""
        return [self._before_last] if self._batches.replicas > 1 else []

    @property
    def epochs(self) -> tuple[TrainingEpoch, ...]:
        """The epochs so far."""
        return self._state.epochs

    @property
    def is_over(self) -> bool:
        """Whether there is no epoch to come."""
        return self._state.is_over

    def prepare(self, model: keras.Model, way: Epochs) -> None:
        """Start, or go on from what is in the folder."""
        self._best_weights = model.get_weights()
        if self._folder is not None and self._state_file.is_file():
            self._go_on(model)
            return
        best_loss = _number(way.judge()["loss"]) * _larger(self._valid)
        self._state = _State(best_loss=best_loss, is_over=self._state.is_over)

    def _go_on(self, model: keras.Model) -> None:
        state = _State.read(self._state_file)
        # Its number of epochs may be another one than when it was written.
        self._state = state = replace(state, is_over=state.is_over_in(self._phase))
        if state.best:
            model.load_weights(self._weights_file(state.best))
            self._best_weights = model.get_weights()
        elif state.least:
            model.load_weights(self._weights_file(state.least))
            self._least_weights = model.get_weights()
            model.set_weights(self._best_weights)
        if not state.is_over:
            model.load_weights(self._weights_file(len(state.epochs)))

    def finish(self, model: keras.Model, *, is_fresh: bool) -> Outcome:
        """Give the model its best weights."""
        state = self._state
        is_least = is_fresh and not state.best and bool(self._least_weights)
        model.set_weights(self._least_weights if is_least else self._best_weights)
        kept = state.least if is_least else state.best
        return Outcome(
            epochs=state.epochs,
            best=state.best,
            diverged=state.diverged,
            kept=kept,
            is_cut=not state.is_over_by_itself(self._phase),
        )

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        """Let all that is drawn at random be that of the epoch."""
        self._batches.epoch = epoch + 1
        reseed(self.model, self._seed, epoch + 1)
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Take the epoch down, keep its weights, and end the phase if it is time."""
        done = self._taken_down(epoch + 1, logs or {})
        self._state = state = self._after(done)
        if state.best == done.epoch:
            self._best_weights, self._least_weights = self.model.get_weights(), []
        elif state.least == done.epoch:
            self._least_weights = self.model.get_weights()
        if self._writes:
            self._keep()
        if state.is_over:
            self.model.stop_training = True
        self._on_epoch(state.epochs)

    def _taken_down(self, number: int, logs: Mapping[str, float]) -> TrainingEpoch:
        learned = self._before_last.corrected(self._batches, logs)
        return TrainingEpoch(
            phase=self._phase.name,
            epoch=number,
            loss=learned["loss"] * _larger(self._batches),
            accuracy=learned["accuracy"],
            val_loss=float(logs["val_loss"]) * _larger(self._valid),
            val_accuracy=float(logs["val_accuracy"]),
            learning_rate=self._learning_rate,
            seconds=time.perf_counter() - self._start,
        )

    @property
    def _learning_rate(self) -> float:
        """That of the epoch: the phase's as it was written, unless a callback has changed it."""
        used = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        planned = self._phase.learning_rate
        return planned if used == float(np.float32(planned)) else used

    def end(self) -> None:
        """Take down that there is no epoch to come, so that a resumed run trains none either."""
        self._state = replace(self._state, is_over=True, is_ended=True)
        if self._writes:
            write_json(self._state_file, asdict(self._state))

    def _after(self, done: TrainingEpoch) -> _State:
        before = self._state
        is_better = done.val_loss < before.best_loss
        best = done.epoch if is_better else before.best
        diverged = not (math.isfinite(done.loss) and math.isfinite(done.val_loss))
        is_least = not diverged and done.val_loss < before.least_loss
        now = _State(
            epochs=(*before.epochs, done),
            best=best,
            best_loss=done.val_loss if is_better else before.best_loss,
            diverged=diverged,
            least=done.epoch if is_least else before.least,
            least_loss=done.val_loss if is_least else before.least_loss,
        )
        return replace(now, is_over=now.is_over_in(self._phase))

    @property
    def _writes(self) -> bool:
        """Whether there is a folder to write into, and this is the process that does."""
        return self._folder is not None and share().is_first

    def _keep(self) -> None:
        """Write the weights and the optimizer's variables, then the state that needs them."""
        assert self._folder is not None
        self._folder.mkdir(parents=True, exist_ok=True)
        needed = {self._weights_file(number) for number in self._state.needed}
        with by_itself():
            self.model.save_weights(self._weights_file(len(self.epochs)), overwrite=True)
        write_json(self._state_file, asdict(self._state))
        for path in set(self._folder.glob("epoch-*.weights.h5")) - needed:
            path.unlink()

    @property
    def _state_file(self) -> Path:
        assert self._folder is not None
        return self._folder / "state.json"

    def _weights_file(self, epoch: int) -> Path:
        assert self._folder is not None
        return self._folder / f"epoch-{epoch:04d}.weights.h5"


@contextmanager
def _shown(
    called: list[keras.callbacks.Callback], phase: TrainingPhase, batches: int, done: int, *, is_wanted: bool
) -> Iterator[None]:
    """Show the batches of a phase, where the user looks at our progress and not at Keras'."""
    if not is_wanted or isinstance(shown(), Silence):
        yield
        return
    total = Count((phase.epochs - done) * batches, "batches")
    with step(total, f"training, phase {phase.name}") as advance:
        called.append(_Counted(batches, advance))
        yield


class _Counted(keras.callbacks.Callback):  # type: ignore[misc]
    """Counts batches as they are done; those that nobody told of when their epoch is."""

    def __init__(self, batches: int, advance: Callable[[int], None]) -> None:
        super().__init__()
        self._batches, self._advance, self._told = batches, advance, 0

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        """Count one."""
        self._told += 1
        self._advance(1)

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        """Count the rest."""
        self._advance(self._batches - self._told)
        self._told = 0


class _Stopped(keras.callbacks.Callback):  # type: ignore[misc]
    """Called last, tells of an epoch after which one of the user's callbacks wants no other."""

    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._watch = watch

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        """Tell it."""
        if self.model.stop_training and not self._watch.is_over:
            self._watch.end()


class _BeforeLast(keras.callbacks.Callback):  # type: ignore[misc]
    """Remembers loss and accuracy of an epoch as they were before its last batch.

    Keras weighs the loss of each batch by its rows, with those that are there only so that it can be shared
    out. The last batch may have more of these than the others, and so count for too much.
    """

    def __init__(self, batches: int) -> None:
        super().__init__()
        self._place = batches - 2
        self._before: Mapping[str, float] = {}

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Remember them."""
        if batch == self._place:
            self._before = {name: float((logs or {})[name]) for name in ("loss", "accuracy")}

    def corrected(self, batches: Batches, told: Mapping[str, float]) -> dict[str, float]:
        """Return loss and accuracy of an epoch in which each row counts once.

        Args:
            batches: What was trained on.
            told: What Keras tells.
        """
        if not self._before:
            return {name: float(told[name]) for name in ("loss", "accuracy")}
        return {
            "loss": self._once("loss", told, fed_sizes(batches), batches.sizes),
            "accuracy": self._once("accuracy", told, *counted_sizes(batches)),
        }

    def _once(
        self, name: str, told: Mapping[str, float], weighed: NDArray[Any], sizes: NDArray[np.int64]
    ) -> float:
        """Return a mean in which each batch counts for its size, and not for what Keras weighed it by."""
        before, last = weighed[:-1].sum(), weighed[-1]
        if not last or np.array_equal(weighed, sizes):
            return float(told[name])
        mean = self._before[name]
        of_last = (float(told[name]) * (before + last) - mean * before) / last
        return float((mean * sizes[:-1].sum() + of_last * sizes[-1]) / sizes.sum())


def _number(loss: float) -> float:
    """Return a loss to compare with: what is no number is worse than any."""
    return float(loss) if math.isfinite(loss) else math.inf


def _larger(batches: Batches) -> float:
    """Return what a mean loss over rows is to be multiplied by so that those of no weight do not count.

    Processes that train together know each of its own rows alone, and have to come to the same loss.
    """
    return batches.rows_per_counted if share().processes == 1 else 1.0
