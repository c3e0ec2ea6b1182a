"""Batches as Keras takes them: through ``tf.data`` on TensorFlow, and on its other backends without it.

On JAX a batch may be shared out among devices, and these among processes (:mod:`zoo.finetuning.hosts`). Each
process reads the rows of its own share alone. A batch to learn from that cannot be shared out equally is
there several times over, so often that it can: no mean over its rows changes by that, be it the loss or a
statistic of batch normalisation. A batch to judge by is filled up with rows that count for nothing.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from zoo.finetuning.batches import Batches, runs_on_tensorflow
from zoo.finetuning.hosts import share
from zoo.surgery.tensors import Tensor

_Batch = tuple[NDArray[Any], ...]


def fed(batches: Batches, *, judged: bool = False) -> Any:  # noqa: ANN401 - whatever Keras takes
    """Return (inputs, labels, weights), batch by batch, as Keras' ``fit`` and ``evaluate`` take them.

    Args:
        batches: The batches; each pass over what is returned is one epoch.
        judged: As for :meth:`~zoo.finetuning.batches.Batches.dataset`.
    """
    return batches.dataset(judged=judged) if runs_on_tensorflow() else _Feed(batches, judged=judged)


def fed_sizes(batches: Batches) -> NDArray[np.int64]:
    """Return how many rows each batch has as :func:`fed` gives it to learn from, shape (batches,)."""
    return batches.filled_sizes if runs_on_tensorflow() else _copied(batches.sizes, batches.replicas)


def counted_sizes(batches: Batches) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return how many rows of each batch an accuracy counts, and how many of them are different ones.

    Returns:
        Shape (batches,) each; rows of images that could not be read count for nothing.
    """
    starts = np.arange(0, len(batches.labels), batches.batch_size)
    once = np.add.reduceat(batches.counts[batches.order].astype(np.int64), starts)
    return (once if runs_on_tensorflow() else once * (fed_sizes(batches) // batches.sizes)), once


def _copied(sizes: NDArray[np.int64], replicas: int) -> NDArray[np.int64]:
    """Return the least common multiples of sizes and a number of devices."""
    return np.lcm(sizes, replicas)


@dataclass(frozen=True, kw_only=True)
class _Part:
    """This process' part of a batch.

    Attributes:
        indices: Which rows, (n,).
        numbers: Their places in the epoch, (n,).
        counts: Whether each counts, (n,).
    """

    indices: NDArray[np.int64]
    numbers: NDArray[np.int64]
    counts: NDArray[np.bool_]


class _Feed(keras.utils.PyDataset):  # type: ignore[misc]
    """The shares of one process, in their order."""

    def __init__(self, batches: Batches, *, judged: bool) -> None:
        super().__init__()
        self._batches, self._judged = batches, judged
        self._coming: Iterator[_Batch] = iter(())

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, place: int) -> _Batch:
        if place == 0:
            self._coming = _shares(self._batches, judged=self._judged)
        return next(self._coming)


def _shares(batches: Batches, *, judged: bool) -> Iterator[_Batch]:
    """Return inputs, labels and weights of this process, batch by batch."""
    rows = batches.filled_to * len(batches) if judged else 0
    larger = rows / len(batches.labels) if judged else 1.0
    parts = list(_parts(batches, is_filled=judged))
    reads = batches.read_ahead([part.indices for part in parts])
    for part, (inputs, labels, weights) in zip(parts, reads, strict=True):
        weighed = (weights * part.counts * larger).astype(np.float32)
        yield _prepared(batches, inputs, part), labels.astype(np.int32), weighed


def _parts(batches: Batches, *, is_filled: bool) -> Iterator[_Part]:
    order, own = batches.order, share()
    totals = _copied(batches.sizes, batches.replicas)
    for place, size in enumerate(batches.sizes.tolist()):
        start = place * batches.batch_size
        taken = own.of(np.arange(batches.filled_to if is_filled else totals[place]))
        yield _Part(
            indices=order[start : start + size][taken % size],
            numbers=start + taken % size,
            counts=(taken < size) | (not is_filled),
        )


def _prepared(batches: Batches, rows: NDArray[Any], part: _Part) -> NDArray[Any]:
    """Return what the model takes, computed on this process' processor: its devices are for all together."""
    with _processor():
        found: NDArray[Any] = keras.ops.convert_to_numpy(batches.prepare(rows, batches.keys(part.numbers)))
    return found


def _processor() -> AbstractContextManager[Any]:
    if keras.backend.backend() != "jax":
        return nullcontext()
    import jax

    context: AbstractContextManager[Any] = jax.default_device(jax.local_devices(backend="cpu")[0])
    return context


def outputs_of(
    model: keras.Model, batches: Batches, done: Callable[[int], object] = lambda count: None
) -> NDArray[np.float32]:
    """Return what a model gives for all rows, in their order; every process gets all of it.

    Args:
        model: Gives one output.
        batches: Their order is that of the rows.
        done: Called with 1 after each batch.

    Returns:
        Shape (N, outputs), float32.
    """
    step = _on_devices(model) if keras.backend.backend() == "jax" else model.predict_on_batch
    found = []
    for size, (inputs, *_) in zip(batches.sizes, _shares(batches, judged=True), strict=True):
        found.append(np.asarray(step(inputs), np.float32)[:size])
        done(1)
    return np.concatenate(found)


def _on_devices(model: keras.Model) -> Callable[[NDArray[Any]], Tensor]:
    """Return a function from a share of a batch to what the model makes of the whole batch, on JAX."""
    kinds = (model.trainable_variables, model.non_trainable_variables)
    values = [[variable.value for variable in kind] for kind in kinds]
    forward = _FORWARD.get(model) or _FORWARD.setdefault(model, _compiled(model))
    distribution = keras.distribution.distribution()
    if distribution is None:
        return lambda inputs: forward(*values, inputs)
    import jax

    def run(inputs: NDArray[Any]) -> Tensor:
        layout = distribution.get_data_layout(inputs.shape).backend_layout
        return forward(*values, jax.make_array_from_process_local_data(layout, inputs))

    return run


_FORWARD: weakref.WeakKeyDictionary[keras.Model, Callable[..., Tensor]] = weakref.WeakKeyDictionary()
"""By model, as long as there is one: what JAX compiled of it."""


def _compiled(model: keras.Model) -> Callable[..., Tensor]:
    import jax

    distribution = keras.distribution.distribution()
    mesh = None if distribution is None else distribution.device_mesh
    everywhere = None if mesh is None else keras.distribution.TensorLayout([], mesh).backend_layout
    compiled: Callable[..., Tensor] = jax.jit(
        functools.partial(_forward, weakref.ref(model)), out_shardings=everywhere
    )
    return compiled


def _forward(model: Callable[[], Any], trainable: Tensor, others: Tensor, inputs: Tensor) -> Tensor:
    return model().stateless_call(trainable, others, inputs, training=False)[0]
