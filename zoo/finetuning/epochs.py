"""Epochs of training, in one of two ways that come to the same: by Keras' ``fit``, or each as one call.

Keras calls a compiled function for every batch, and sets up a pipeline of data for every epoch. To a network
on images that is nothing; to a classifier on features that lie in memory it is nearly all an epoch takes.
There Keras' own steps follow each other within one function, on the batches that ``fit`` would get, so
losses and weights are those of ``fit`` to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import keras

from zoo.finetuning.batches import Batches, FeatureBatches, is_plain
from zoo.finetuning.feeding import fed
from zoo.surgery.tensors import Tensor

Logs = Mapping[str, float]
"""What an epoch comes to: the loss and the metrics, by name."""
_MEMORY = "CPU:0"  # where features stay: only a batch at a time goes to an accelerator


class Epochs(Protocol):
    """Learns from some batches and judges by others, an epoch at a time."""

    def judge(self) -> Logs:
        """Return what the model comes to on the batches to validate with."""

    def fit(
        self, callbacks: Sequence[keras.callbacks.Callback], *, first: int, epochs: int, verbose: int
    ) -> None:
        """Learn until a callback asks to stop.

        Args:
            callbacks: Called before and after each epoch; Keras' own calls them around each batch too.
            first: Number of the first epoch, from 0.
            epochs: Number of the one to end before.
            verbose: As for Keras' ``fit``.
        """


def epochs_over(model: keras.Model, batches: Batches, valid: Batches) -> Epochs:
    """Return the quicker way of two that can be gone; to be called in the scope of the model.

    Args:
        model: Compiled.
        batches: To learn from.
        valid: To validate with.
    """
    if is_plain() and isinstance(batches, FeatureBatches) and isinstance(valid, FeatureBatches):
        return WholeEpochs(model, batches, valid)
    return KerasEpochs(model, batches, valid)


class KerasEpochs:
    """Epochs as Keras does them: whatever the batches are, on however many devices."""

    def __init__(self, model: keras.Model, batches: Batches, valid: Batches) -> None:
        self._model, self._batches, self._valid = model, batches, valid

    def judge(self) -> Logs:
        """Return what the model comes to on the batches to validate with."""
        found: Logs = self._model.evaluate(fed(self._valid, judged=True), verbose=0, return_dict=True)
        return found

    def fit(
        self, callbacks: Sequence[keras.callbacks.Callback], *, first: int, epochs: int, verbose: int
    ) -> None:
        """Learn until a callback asks to stop; the arguments are those of :class:`Epochs`."""
        self._model.fit(
            fed(self._batches),
            validation_data=fed(self._valid, judged=True),
            shuffle=False,  # the batches are, and Keras warns that it cannot
            initial_epoch=first,
            epochs=epochs,
            callbacks=list(callbacks),
            verbose=verbose,
        )


class WholeEpochs:
    """Epochs over features, each one call of a compiled function."""

    def __init__(self, model: keras.Model, batches: FeatureBatches, valid: FeatureBatches) -> None:
        self._model = model
        self._learn = _through(model, model.train_step, batches)
        self._judge = _through(model, model.test_step, valid)

    def judge(self) -> Logs:
        """Return what the model comes to on the batches to validate with."""
        return self._judge()

    def fit(
        self, callbacks: Sequence[keras.callbacks.Callback], *, first: int, epochs: int, verbose: int
    ) -> None:
        """Learn until a callback asks to stop; the arguments are those of :class:`Epochs`."""
        model, shown = self._model, {"verbose": verbose, "epochs": epochs, "steps": 1}
        called = keras.callbacks.CallbackList(callbacks, add_progbar=verbose != 0, model=model, **shown)
        model.stop_training = False
        called.on_train_begin()
        for epoch in range(first, epochs):
            called.on_epoch_begin(epoch)
            learned = self._learn()
            judged = {f"val_{name}": value for name, value in self._judge().items()}
            called.on_epoch_end(epoch, {**learned, **judged})
            if model.stop_training:
                break
        called.on_train_end()


def _through(
    model: keras.Model, step: Callable[[tuple[Tensor, ...]], object], batches: FeatureBatches
) -> Callable[[], Logs]:
    """Return a function that takes a step with each batch of an epoch and returns what it came to."""
    import tensorflow as tf

    one = tf.function(step, jit_compile=True, autograph=False) if model.jit_compile else step
    with tf.device(_MEMORY):
        columns = [tf.convert_to_tensor(column) for column in batches.columns]

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def compiled(order: Tensor) -> Mapping[str, Tensor]:
        def take(start: Tensor) -> Tensor:
            end = start + batches.batch_size
            with tf.device(_MEMORY):
                rows = tuple(tf.gather(column, order[start:end]) for column in columns)
            one(rows)
            return end

        tf.while_loop(lambda start: start < tf.size(order), take, [tf.constant(0)])
        metrics: Mapping[str, Tensor] = model.get_metrics_result()
        return metrics

    def epoch() -> Logs:
        model.reset_metrics()
        with tf.device(_MEMORY):
            order = tf.convert_to_tensor(batches.order)
        return {name: float(value) for name, value in compiled(order).items()}

    return epoch
