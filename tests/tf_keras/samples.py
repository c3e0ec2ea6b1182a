"""The files of tf-keras that the ordinary tests read, with what it computed.

``python -m tests.tf_keras.samples`` writes them, in the environment of ``make test-tf-keras``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers

from tests.tf_keras.models import CELLS, TEXTS, Chain, adapted, filled, given, make, nested, of_cells, renamed

DATA = Path(__file__).parents[1] / "data" / "tf_keras"


def operations():
    """Return a model of operations, one behind the other and side by side."""
    first, second = layers.Input((6, 4)), layers.Input((6, 4))
    value = tf.concat([first * 2 - 1.5, tf.nn.relu(second)], axis=-1)[:, 1:, ::2]
    score = tf.nn.softmax(tf.matmul(value, value, transpose_b=True) / 3.0, axis=-1)
    value = layers.Dense(4, name="last")(tf.matmul(score, value))
    ends = [tf.reduce_mean(value, axis=[1, 2], keepdims=True), tf.where(value > 0, value, 0.5 - value)]
    return tf_keras.Model([first, second], [tf.squeeze(ends[0], 2), tf.reshape(ends[1], (-1, 20))])


def pictures():
    """Return a model that prepares pictures, and one layer behind that."""
    learnt = adapted("Normalization", np.random.default_rng(5).normal(size=(9, 4, 4, 3)).astype("float32"))
    names = (make("Resizing", 6, 7), make("Rescaling", 1 / 127.5, offset=-1.0), make("RandomFlip"), learnt)
    chain = Chain((8, 9, 3), *names, make("SeparableConv2D", 2, 3), make("BatchNormalization", scale=False))
    return chain.functional()


def words():
    """Return a model that looks up the words of a text."""
    learnt = adapted("TextVectorization", TEXTS, output_sequence_length=5)
    return Chain((1,), learnt, make("Embedding", 12, 3), make("Flatten"), dtype="string").sequential()


def cells():
    """Return a model of recurrent layers of cells, one of which goes both ways."""
    both = lambda: layers.Bidirectional(layers.RNN([layers.GRUCell(2), layers.GRUCell(3)]))  # noqa: E731
    return Chain((5, 4), of_cells(*CELLS, return_sequences=True), both).sequential()


def older():
    """Return the model of keras212.keras, which Keras 2.12.0 on TensorFlow 2.12.1 wrote itself."""
    first, second = layers.Input((5, 4)), layers.Input((5, 4))
    value = layers.MultiHeadAttention(2, 3)(layers.Dense(4)(first), second)
    value = layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)])(value * 2.0 + first)
    inner = tf_keras.Sequential([layers.Dense(3), layers.BatchNormalization(scale=False)])
    return tf_keras.Model([first, second], layers.Dense(2)(inner(value)))


SAMPLES = {
    "cells": cells,
    "nested": nested,
    "operations": operations,
    "pictures": pictures,
    "renamed": renamed,
    "words": words,
}
FORMS = {name: ("h5", "keras") for name in SAMPLES} | {"words": ("keras",)}


def write(name):
    """Write a sample."""
    model = filled(SAMPLES[name]())
    for form in FORMS[name]:
        model.save(DATA / f"{name}.{form}")
    inputs = given(model)
    listed = inputs if isinstance(inputs, list) else [inputs]
    results = model(inputs, training=False)
    arrays = {
        f"x{number}": np.asarray(array).astype("S" if array.dtype == tf.string else None)
        for number, array in enumerate(listed)
    }
    ends = results if isinstance(results, list) else [results]
    np.savez_compressed(DATA / f"{name}.npz", **arrays, **{f"y{at}": end for at, end in enumerate(ends)})


if __name__ == "__main__":
    DATA.mkdir(exist_ok=True)
    for sample in SAMPLES:
        write(sample)
