"""Every network on another backend of Keras, against the same expected numbers.

Run by ``make test-backends``, once with ``KERAS_BACKEND=jax`` and once with ``torch``; not part of the
ordinary run, which has TensorFlow alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import keras
import numpy as np
import pytest

import zoo
from tests.support.goldens import check, first_image
from tests.support.shares import NETWORKS


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Free what Keras holds of the last model."""
    yield
    keras.backend.clear_session()


def test_this_is_another_backend():
    """Keras runs on what the environment asked for, and that is not TensorFlow."""
    assert keras.backend.backend() == os.environ["KERAS_BACKEND"] != "tensorflow"


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_a_theano_file_read_as_it_is(network, practice_file):
    """Read directly from the Theano file, the network computes what it computed in Theano."""
    check(network, practice_file(network.name))


def test_a_saved_model_with_its_preprocessing(practice_file, tmp_path):
    """Saved and opened again it computes the same from raw pixels as the plain model from prepared ones."""
    path = practice_file("googlenet")
    plain = zoo.load("googlenet", weights=path, aux_heads=False, compile=False)
    model = zoo.load("googlenet", weights=path, aux_heads=False, include_preprocessing=True, compile=False)
    model.save(tmp_path / "model.keras")
    raw = np.random.default_rng(3).integers(0, 256, (1, 224, 224, 3)).astype(np.float32)
    expected, computed = (
        keras.ops.convert_to_numpy(one(images))
        for one, images in (
            (plain, zoo.preprocess_input("googlenet", raw)),
            (keras.saving.load_model(tmp_path / "model.keras"), raw),
        )
    )
    assert np.abs(computed - expected).max() < 1e-5 * np.abs(expected).max()


def test_a_fused_network(practice_file):
    """Folded batch normalisation computes the same here too."""
    model = zoo.load("resnet50", weights=practice_file("resnet50"), compile=False)
    image = first_image("resnet50", "channels_last")
    expected, computed = (keras.ops.convert_to_numpy(one(image)) for one in (model, zoo.fuse(model)))
    assert np.abs(computed - expected).max() < 1e-5 * np.abs(expected).max()


def test_a_fresh_head_trains():
    """One step changes the new head and leaves what is frozen."""
    model = zoo.load("resnet50", weights=None, num_classes=3, input_shape=(32, 32, 3), freeze="backbone")
    first, last = model.get_layer("conv1"), model.get_layer("fc1000")
    before = [first.get_weights()[0].copy(), last.get_weights()[0].copy()]
    noise = np.random.default_rng(2).normal(0, 50, (2, 32, 32, 3)).astype(np.float32)
    model.fit(noise, np.array([0, 2]), verbose=0)
    assert np.array_equal(first.get_weights()[0], before[0])
    assert not np.array_equal(last.get_weights()[0], before[1])
