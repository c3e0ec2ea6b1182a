"""Every network on a GPU: the expected numbers, a training step, and how many images a second.

Run by ``make test-gpu``; not part of the ordinary run. What TensorFloat-32 and mixed precision cost, and how
fast all is, is printed: no number of these is promised.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator, Mapping

import keras
import numpy as np
import pytest

import zoo
from benchmarks import training
from tests.gpu.precision import rounding
from tests.support.goldens import compare_all, difference, first_image, outputs_of
from tests.support.paths import NETWORK_DATA
from tests.support.shares import NETWORKS

ROUGHER = {
    "TF32": {"tf32": True},
    "mixed_float16": {"tf32": True, "policy": "mixed_float16"},
    "mixed_bfloat16": {"tf32": True, "policy": "mixed_bfloat16"},
}
CLASSES = 5
BATCH = 8


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Free what Keras holds of the last model."""
    yield
    keras.backend.clear_session()


def say(text: str) -> None:
    """Print a line of the report."""
    sys.stdout.write(f"{text}\n")


def computed(name: str, path: object, **how: object) -> Mapping[str, np.ndarray]:
    """Return what a network computes of its first practice image, in a precision."""
    with rounding(**how):
        model = zoo.load(name, weights=path, compile=False)
        found = outputs_of(model, NETWORKS[name], first_image(name, "channels_last"))
    return {key: np.asarray(value, np.float32) for key, value in found.items()}


@pytest.mark.parametrize("name", NETWORKS)
def test_float32_computes_what_theano_computed(name, practice_file):
    """Within the tolerance that holds on the processor."""
    compare_all(NETWORKS[name], computed(name, practice_file(name)))


@pytest.mark.parametrize("name", NETWORKS)
def test_what_less_precision_costs(name, practice_file):
    """The classes are those of float32; by how much logits and probabilities differ is printed."""
    expected = np.load(NETWORK_DATA / f"{name}.npz")
    for title, how in ROUGHER.items():
        found = computed(name, practice_file(name), **how)
        told = ", ".join(f"{key} {difference(found[key], expected[key]):.1e}" for key in ("logits", "probs"))
        say(f"{name} with {title}, largest difference by the largest value: {told}")
        assert found["probs"].argmax() == expected["probs"].argmax()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_training_step(name):
    """The loss is a number, and every layer that learns has changed; images a second are printed."""
    with rounding():
        start = time.perf_counter()
        model = zoo.load(name, weights=None, num_classes=CLASSES, aux_heads=False)
        say(f"{name}: drawn in {time.perf_counter() - start:.1f} s")
        shape = (BATCH, *model.input_shape[1:])
        images = np.random.default_rng(0).normal(0, 1, shape).astype(np.float32)
        labels = np.arange(BATCH) % CLASSES
        before = values(model)
        assert np.isfinite(model.train_on_batch(images, labels)).all()
        changed = [not np.array_equal(*pair) for pair in zip(before, values(model), strict=True)]
        assert sum(changed) > 0.9 * len(changed)
        learned = seconds_of(lambda: model.train_on_batch(images, labels))
        predicted = seconds_of(lambda: model.predict_on_batch(images))
        say(f"{name}: {BATCH / learned:.0f} images/s learned from, {BATCH / predicted:.0f} predicted")


def values(model: keras.Model) -> list[np.ndarray]:
    """Return a copy of all that a model may learn."""
    return [keras.ops.convert_to_numpy(variable).copy() for variable in model.trainable_variables]


def seconds_of(call) -> float:
    """Return the median of some calls, after one that is not counted."""
    call()
    found = []
    for _ in range(5):
        start = time.perf_counter()
        call()
        found.append(time.perf_counter() - start)
    return statistics.median(found)


def test_beside_keras_applications():
    """Seconds of steps and of features, in turn with Keras' own networks: printed."""
    with rounding(tf32=True):
        for compared in training.compare():
            say(str(compared))
