"""Training a new softmax on features that are computed once, beside running the frozen backbone every epoch.

Both on the same handwritten digits, in one process, in turn, for as many epochs. The peer is what Keras'
``fit`` does with a frozen backbone. Values do not matter to the time, so weights are random.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.timing import Comparison, Run, comparison, take_turns

NETWORK = "resnet50"
PICTURES = 400
SIDE = 64  # pixels
EPOCHS = 10
BATCH = 16
ROUNDS = 3


def compare() -> Iterator[Comparison]:
    """Compare the two, and features that lie in the cache from a run before."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from zoo.practice.digits import digits

    images, labels = digits(PICTURES, side=SIDE)
    with TemporaryDirectory() as folder:
        ways = {
            "once": _ours(images, labels, cache=False),
            "kept": _ours(images, labels, cache=Path(folder)),
            "every epoch": _keras(images, labels),
        }
        runs = take_turns({name: partial(_timed, way) for name, way in ways.items()}, rounds=ROUNDS)
    what = f"{EPOCHS} epochs of the strategy head, {NETWORK}, {PICTURES} images of {SIDE} pixels"
    peer = "fit with a frozen backbone"
    yield comparison(f"{what} / {peer}", runs["once"], runs["every epoch"])
    yield comparison(f"{what}, features in the cache / {peer}", runs["kept"], runs["every epoch"])


def _timed(way: Callable[[], object]) -> Run:
    start = time.perf_counter()
    way()
    return Run(seconds=time.perf_counter() - start, peak_bytes=0)


def _ours(images: np.ndarray, labels: np.ndarray, *, cache: bool | Path) -> Callable[[], object]:
    import keras

    import zoo
    from zoo.finetuning import head

    keras.utils.set_random_seed(0)
    model = zoo.load(NETWORK, num_classes=10, weights=None, input_shape=(SIDE, SIDE, 3))
    parts = _parts(images, labels)
    options = {"epochs": EPOCHS, "patience": EPOCHS, "batch_size": BATCH, "cache": cache}
    return lambda: head(model, *parts, **options)


def _keras(images: np.ndarray, labels: np.ndarray) -> Callable[[], object]:
    import zoo

    model = zoo.load(NETWORK, num_classes=10, weights=None, input_shape=(SIDE, SIDE, 3), freeze="backbone")
    train, valid = ((zoo.preprocess_input(NETWORK, some), their) for some, their in _parts(images, labels))
    return lambda: model.fit(*train, validation_data=valid, epochs=EPOCHS, batch_size=BATCH, verbose=0)


def _parts(images: np.ndarray, labels: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    held_out = PICTURES // 5
    return (images[held_out:], labels[held_out:]), (images[:held_out], labels[:held_out])
