"""A training step and feature extraction, beside the same network of ``keras.applications``.

Both in one process, in turn, on the same images. Values do not matter to the time, so they are random.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.timing import Comparison, alternate_calls

ROUNDS = 5
STEPS = {"resnet101": "ResNet101", "densenet121": "DenseNet121"}
FEATURES = {
    "resnet50": ("ResNet50", 1 / 1.1),
    "resnet101": ("ResNet101", None),
    "densenet121": ("DenseNet121", None),
    "inception_v3": ("InceptionV3", None),
    "vgg16": ("VGG16", None),
}
"""The peer's name, and the ratio of seconds that is claimed: 1.1 times its images per second."""

TRAINING_BATCH = 8
FEATURES_BATCH = 16


def compare() -> Iterator[Comparison]:
    """Compare seconds per step and per batch."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for name, peer in STEPS.items():
        yield _training(name, peer)
    for name, (peer, at_most) in FEATURES.items():
        yield _features(name, peer, at_most)


def _training(name: str, peer: str) -> Comparison:
    import keras

    import zoo
    from zoo.networks.heads import compile_for_finetuning

    ours = zoo.load(name, weights=None)
    theirs = getattr(keras.applications, peer)(weights=None)
    compile_for_finetuning(theirs)
    images = _images(TRAINING_BATCH, ours.input_shape)
    labels = np.arange(TRAINING_BATCH)
    steps = [_call(model.train_on_batch, images, labels) for model in (ours, theirs)]
    claim = f"training step of {name}, {TRAINING_BATCH} images / keras.applications.{peer}"
    compared = alternate_calls(claim, *steps, rounds=ROUNDS, at_most=1.05)
    keras.backend.clear_session()
    return compared


def _features(name: str, peer: str, at_most: float | None) -> Comparison:
    import keras

    import zoo

    fused = zoo.fuse(zoo.load(name, weights=None, num_classes=0, pooling="avg"))
    theirs = getattr(keras.applications, peer)(weights=None, include_top=False, pooling="avg")
    images = _images(FEATURES_BATCH, fused.input_shape)
    calls = [_call(model.predict_on_batch, images) for model in (fused, theirs)]
    claim = f"features of {FEATURES_BATCH} images, {name} fused / keras.applications.{peer}"
    compared = alternate_calls(claim, *calls, rounds=ROUNDS, at_most=at_most)
    keras.backend.clear_session()
    return compared


def _images(count: int, shape: tuple[int | None, ...]) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 1, (count, *map(int, shape[1:]))).astype(np.float32)


def _call(function: Callable[..., object], *arguments: object) -> Callable[[], object]:
    return lambda: function(*arguments)
