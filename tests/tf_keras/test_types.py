"""Models that compute with fewer bits, as tf-keras computes them. Run by ``make test-tf-keras``."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tf_keras

from converters import upgrade_file
from tests.tf_keras.models import MAP, SEQUENCE, WORDS, Chain, filled, given, make, multi_head

pytestmark = pytest.mark.filterwarnings("ignore")

MODELS = {
    "dense": Chain(SEQUENCE, make("Dense", 4, activation="hard_sigmoid"), make("Dense", 3)),
    "maps": Chain(
        MAP,
        make("Conv2D", 4, 3),
        make("BatchNormalization"),
        make("Flatten"),
        make("Dense", 3, dtype="float32"),
    ),
    "steps": Chain(WORDS, make("Embedding", 9, 3), make("LSTM", 4, return_sequences=True), make("GRU", 3)),
    "ways": Chain(SEQUENCE, lambda: tf_keras.layers.Bidirectional(tf_keras.layers.LSTM(3))),
    "normal": Chain(SEQUENCE, make("LayerNormalization")),
    "attention": multi_head(2, 3),
}


@pytest.fixture
def policy():
    """Let layers compute with float16 for a test."""
    tf_keras.mixed_precision.set_global_policy("mixed_float16")
    yield "mixed_float16"
    tf_keras.mixed_precision.set_global_policy("float32")


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("form", ["h5", "keras"])
def test_a_policy_is_carried_over(name, form, policy, tmp_path):
    """Results are of the same type, and the same to its precision."""
    model = filled(MODELS[name].functional())
    model.save(tmp_path / f"old.{form}")
    done = upgrade_file(tmp_path / f"old.{form}", tmp_path / "new.keras")
    assert any(policy in note for note in done.upgrade.notes)
    inputs = given(model)
    wanted = np.asarray(model(inputs, training=False))
    result = np.asarray(keras.models.load_model(tmp_path / "new.keras")(inputs, training=False))
    assert result.dtype == wanted.dtype
    difference = np.abs(result.astype("float32") - wanted.astype("float32"))
    assert difference.max() < 4e-3 * np.abs(wanted.astype("float32")).max()
