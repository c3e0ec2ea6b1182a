"""The loss and the metric that fit what a head gives: probabilities of classes, of labels, or logits.

Keras settles the loss ``crossentropy`` and the metric ``accuracy`` by the labels of the first batch. Those
here look at the labels of every batch, so that one model takes integers now and one-hot rows then. A saved
model names Keras' own, which opens with Keras alone and settles them by its first batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras

from zoo.surgery.tensors import Tensor

Made = Callable[[], Any]
"""Makes a loss or a metric: each output has its own."""


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """What an output is trained and measured with.

    Attributes:
        loss: Makes its loss.
        metric: Makes its metric.
        saved_loss: Makes what a saved model says of the loss.
        saved_metric: Makes what it says of the metric.
    """

    loss: Made
    metric: Made
    saved_loss: Made
    saved_metric: Made


def fitting(activation: str, units: int | None) -> Fitting:
    """Return what fits an output.

    Args:
        activation: What it comes out of; whatever is not listed here is taken for a softmax.
        units: How many numbers it gives for an image.
    """
    if activation == "linear" and units == 1:
        return _YES_OR_NO_LOGIT
    return _FITTING.get(activation, _CLASSES)


class Crossentropy(keras.losses.Loss):  # type: ignore[misc]  # Keras has no types
    """Cross-entropy with one-hot rows or with integers, whichever the labels of a batch are."""

    def __init__(self, *, from_logits: bool) -> None:
        """Choose what the outputs are.

        Args:
            from_logits: Whether they are logits, which a softmax would make probabilities of.
        """
        # Keras makes labels numbers of the loss's type first, and bfloat16 has no 257.
        super().__init__(name="crossentropy", dtype="float32")
        self._settings = {"from_logits": from_logits}

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return the loss for each image.

        Args:
            y_true: Labels of shape (N, classes), or (N,) or (N, 1).
            y_pred: Outputs of shape (N, classes).
        """
        return _by_labels(y_true, y_pred, _LOSSES, self._settings)


def accuracy(labels: Tensor, outputs: Tensor) -> Tensor:
    """Return for each image whether the likeliest class is the right one; shapes as for the loss."""
    return _by_labels(labels, outputs, _ACCURACIES, {})


class Accuracy(keras.metrics.MeanMetricWrapper):  # type: ignore[misc]
    """The share of images whose likeliest class is the right one."""

    def __init__(self) -> None:
        """Start counting."""
        super().__init__(fn=accuracy, name="accuracy")
        # By this, callbacks that are to stop at the best know which way it lies.
        self._direction = "up"


def record_as(model: keras.Model, loss: Any, metrics: Any) -> None:  # noqa: ANN401 - as Keras takes them
    """Let a compiled model, once saved, name other losses and metrics than those that it is trained with.

    Args:
        model: The model.
        loss: What ``compile`` would take.
        metrics: The same.
    """
    model._compile_config.config.update(loss=loss, metrics=metrics)


_LOSSES: Sequence[Callable[..., Tensor]] = (
    keras.losses.sparse_categorical_crossentropy,
    keras.losses.categorical_crossentropy,
    keras.losses.binary_crossentropy,
)
_ACCURACIES: Sequence[Callable[..., Tensor]] = (
    keras.metrics.sparse_categorical_accuracy,
    keras.metrics.categorical_accuracy,
    keras.metrics.binary_accuracy,
)


def _by_labels(
    labels: Tensor, outputs: Tensor, choices: Sequence[Callable[..., Tensor]], settings: Mapping[str, Any]
) -> Tensor:
    """Compute by the choice for integers, for one-hot rows or for a single output, as Keras chooses."""
    integers, rows, single = (partial(choice, **settings) for choice in choices)
    if outputs.shape[-1] == 1:
        return single(keras.ops.reshape(labels, (-1, 1)), outputs)
    rank = labels.shape.rank if hasattr(labels.shape, "rank") else len(labels.shape)
    if rank is None or (rank == len(outputs.shape) and labels.shape[-1] is None):
        return _by_width(labels, outputs, integers, rows)
    are_integers = rank < len(outputs.shape) or labels.shape[-1] == 1
    return (integers if are_integers else rows)(labels, outputs)


def _by_width(
    labels: Tensor, outputs: Tensor, integers: Callable[..., Tensor], rows: Callable[..., Tensor]
) -> Tensor:
    """Compute where TensorFlow has drawn one graph for labels of several shapes, which it does for one dtype.

    How wide they are is known when it runs. Labels of a wrong width make it not a number.
    """
    images, classes = keras.ops.shape(outputs)
    table = keras.ops.cast(keras.ops.reshape(labels, (images, -1)), outputs.dtype)
    width = keras.ops.shape(table)[1]
    right = keras.ops.where(keras.ops.equal(width, classes), 1.0, float("nan"))
    # A reshape to the full shape is what TensorFlow would take for a promise, and leave out.
    padded = keras.ops.concatenate([table, keras.ops.zeros_like(outputs)], axis=1)[:, :classes]
    return keras.ops.cond(
        keras.ops.equal(width, 1),
        lambda: integers(table[:, 0], outputs),
        lambda: rows(padded * keras.ops.cast(right, outputs.dtype), outputs),
    )


_CLASSES = Fitting(
    loss=partial(Crossentropy, from_logits=False),
    metric=Accuracy,
    saved_loss=lambda: "crossentropy",
    saved_metric=lambda: "accuracy",
)
_binary = keras.losses.BinaryCrossentropy
_yes_or_no = partial(keras.metrics.BinaryAccuracy, threshold=0.0)
_YES_OR_NO_LOGIT = Fitting(
    loss=partial(_binary, from_logits=True),
    metric=_yes_or_no,
    saved_loss=partial(_binary, from_logits=True),
    saved_metric=_yes_or_no,
)
_FITTING: Mapping[str, Fitting] = {
    "softmax": _CLASSES,
    "sigmoid": Fitting(
        loss=_binary,
        metric=keras.metrics.BinaryAccuracy,
        saved_loss=_binary,
        saved_metric=keras.metrics.BinaryAccuracy,
    ),
    "linear": Fitting(
        loss=partial(Crossentropy, from_logits=True),
        metric=Accuracy,
        # None of Keras' own takes both kinds of labels for logits: an opened model takes integers.
        saved_loss=partial(keras.losses.SparseCategoricalCrossentropy, from_logits=True),
        saved_metric=lambda: "accuracy",
    ),
}
"""By the activation of the output."""
