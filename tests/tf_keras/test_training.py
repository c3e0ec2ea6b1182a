"""Models of tf.keras that are trained on: five steps there, then five more on both sides with the same data.

No bias stands before a normalisation: its gradient is nothing but rounding, which optimizers that divide by
the size of gradients make large.
"""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tf_keras
from tf_keras import layers

from converters import upgrade_file

# What tf-keras says of the format that these files are in.
pytestmark = pytest.mark.filterwarnings("ignore")
NEW, OLD = tf_keras.optimizers, tf_keras.optimizers.legacy
OPTIMIZERS = {
    "SGD": lambda: NEW.SGD(0.05),
    "SGD, clipped": lambda: NEW.SGD(0.05, clipnorm=0.1),
    "momentum": lambda: NEW.SGD(0.05, momentum=0.9),
    "Nesterov": lambda: NEW.SGD(0.05, momentum=0.9, nesterov=True),
    "RMSprop": lambda: NEW.RMSprop(0.01),
    "RMSprop, centred": lambda: NEW.RMSprop(0.01, momentum=0.5, centered=True),
    "Adam": lambda: NEW.Adam(0.01),
    "Adam with maxima": lambda: NEW.Adam(0.01, amsgrad=True),
    "Adam by a schedule": lambda: NEW.Adam(NEW.schedules.ExponentialDecay(0.01, 3, 0.5)),
    "AdamW": lambda: NEW.AdamW(0.01),
    "Adamax": lambda: NEW.Adamax(0.01),
    "Nadam": lambda: NEW.Nadam(0.01),
    "Adagrad": lambda: NEW.Adagrad(0.1),
    "Adadelta": lambda: NEW.Adadelta(1.0),
    "old SGD with decay": lambda: OLD.SGD(0.05, decay=0.1),
    "old momentum": lambda: OLD.SGD(0.05, momentum=0.9),
    "old Nesterov": lambda: OLD.SGD(0.05, momentum=0.9, nesterov=True),
    "old RMSprop, centred": lambda: OLD.RMSprop(0.01, momentum=0.5, centered=True),
    "old Adam with decay": lambda: OLD.Adam(0.01, decay=0.1),
    "old Adam with maxima": lambda: OLD.Adam(0.01, amsgrad=True),
    "old Adam, clipped": lambda: OLD.Adam(0.01, global_clipnorm=0.1),
    "old Adamax": lambda: OLD.Adamax(0.01),
    "old Adagrad": lambda: OLD.Adagrad(0.1),
    "old Adadelta": lambda: OLD.Adadelta(1.0),
}
OTHER_RULE = {
    "old Nadam": (lambda: OLD.Nadam(0.01), "grows by another schedule today", 0.05),
    # Where gradients are small, 1e-7 beside a root of 1e-5 is one part in a hundred.
    "old RMSprop": (lambda: OLD.RMSprop(0.01), "stands under the root today", 2e-3),
}
"""With what is said of it, and how far arrays may be from each other."""


def network():
    """Return a model of frozen, nested and wrapped layers, with regularizers and constraints."""
    inner = tf_keras.Sequential(
        [layers.Input((4,)), layers.Dense(5, activation="tanh"), layers.Dense(4, trainable=False)]
    )
    end = source = layers.Input((6, 5, 2))
    for make in (
        layers.Conv2D(4, 3, use_bias=False, kernel_regularizer="l2", kernel_constraint="max_norm"),
        layers.BatchNormalization(gamma_regularizer="l1"),
        layers.PReLU(),
        layers.TimeDistributed(layers.Dense(3, trainable=False)),
        layers.TimeDistributed(layers.Flatten()),
        layers.Bidirectional(layers.LSTM(2, return_sequences=True, recurrent_regularizer="l2")),
        layers.Bidirectional(layers.LSTM(2, return_sequences=True), trainable=False),
        layers.GRU(4, activity_regularizer="l2"),
        inner,
        layers.Dense(3, activation="softmax", name="a_name_that_comes_first"),
    ):
        end = make(end)
    return tf_keras.Model(source, end)


def trained(make):
    """Return a model that has been trained for five steps, and what to train it with."""
    chance = np.random.default_rng(0)
    x = chance.normal(size=(16, 6, 5, 2)).astype("f4")
    y = np.eye(3, dtype="f4")[chance.integers(0, 3, 16)]
    tf_keras.utils.set_random_seed(1)
    model = network()
    # Compiled, tf-keras' Nadam multiplies its momenta once for each array, and not once for each step.
    model.compile(make(), "categorical_crossentropy", metrics=["accuracy"], run_eagerly=make is _NADAM)
    for _ in range(5):
        model.train_on_batch(x, y)
    return model, x, y


_NADAM = OPTIMIZERS["Nadam"]


def after(model, other, x, y):
    """Return how far two models' arrays are from each other after five steps more, and their losses."""
    losses = [[float(one.train_on_batch(x, y)[0]) for _ in range(5)] for one in (model, other)]
    pairs = zip(model.trainable_variables, other.trainable_variables, strict=True)
    distance = max(float(np.abs(np.asarray(old) - np.asarray(new)).max()) for old, new in pairs)
    return distance, float(np.abs(np.subtract(*losses)).max())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_model_goes_on_being_trained(name, tmp_path):
    """Its arrays become the same within 1e-5, and its losses are the same."""
    model, x, y = trained(OPTIMIZERS[name])
    model.save(tmp_path / "old.h5")
    upgrade_file(tmp_path / "old.h5", tmp_path / "new.keras")
    new = keras.models.load_model(tmp_path / "new.keras")
    assert int(new.optimizer.iterations) == 5
    assert max(after(model, new, x, y)) < 1e-5


@pytest.mark.parametrize("name", ["Adam", "momentum"])
def test_a_model_of_an_archive_goes_on_being_trained(name, tmp_path):
    """Where groups are read by the alphabet, slots are told by the order of layers."""
    model, x, y = trained(OPTIMIZERS[name])
    model.save(tmp_path / "old.keras")
    upgrade_file(tmp_path / "old.keras", tmp_path / "new.keras")
    new = keras.models.load_model(tmp_path / "new.keras")
    assert max(after(model, new, x, y)) < 1e-5


@pytest.mark.parametrize("name", ["sgd", "rmsprop", "adam", "adamax", "adagrad", "adadelta", "adamw"])
def test_an_optimizer_that_an_archive_names_alone_goes_on(name, tmp_path):
    """With the usual settings of its class, which is all that tf.keras finds there, too."""
    model, x, y = trained(lambda: name)
    model.save(tmp_path / "old.keras")
    upgrade_file(tmp_path / "old.keras", tmp_path / "new.keras")
    new = keras.models.load_model(tmp_path / "new.keras")
    assert max(after(model, new, x, y)) < 1e-5


def attending():
    """Return a model that attends to its own steps."""
    source = layers.Input((5, 6))
    value = layers.AdditiveAttention()([layers.MultiHeadAttention(2, 3)(source, source), source])
    return tf_keras.Model(source, layers.Dense(3, activation="softmax")(layers.Flatten()(value)))


def ending(shape, *made):
    """Return what makes a chain of layers that ends in three classes."""
    return lambda: tf_keras.Sequential(
        [
            layers.Input(shape),
            *(make() for make in made),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )


def learnt():
    """Return a normalisation that knows its data."""
    found = layers.Normalization()
    found.adapt(np.random.default_rng(5).normal(size=(9, 5, 6)).astype("f4"))
    return found


OF_ITS_OWN = {
    "attention": attending,
    "LayerNormalization": ending((5, 6), layers.LayerNormalization),
    "GroupNormalization": ending((5, 6), lambda: layers.GroupNormalization(3)),
    "Normalization": ending((5, 6), learnt),
    "EinsumDense": ending((5, 6), lambda: layers.EinsumDense("abc,cd->abd", (5, 4), bias_axes="d")),
    "cells": ending((5, 6), lambda: layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)])),
    "cells both ways": ending((5, 6), lambda: layers.Bidirectional(layers.RNN(layers.GRUCell(3)))),
    "Conv1DTranspose": ending((5, 6), lambda: layers.Conv1DTranspose(3, 2)),
    "DepthwiseConv1D": ending((5, 6), lambda: layers.DepthwiseConv1D(2)),
    "ConvLSTM1D": ending((3, 5, 6), lambda: layers.ConvLSTM1D(2, 2, recurrent_activation="sigmoid")),
}


@pytest.mark.parametrize("form", ["h5", "keras"])
@pytest.mark.parametrize("name", OF_ITS_OWN)
def test_layers_of_tf_keras_alone_go_on_being_trained(name, form, tmp_path):
    """Their slots are found as those of all others are."""
    tf_keras.utils.set_random_seed(1)
    model, chance = OF_ITS_OWN[name](), np.random.default_rng(0)
    x = chance.normal(size=(8, *model.input_shape[1:])).astype("f4")
    y = np.eye(3, dtype="f4")[chance.integers(0, 3, 8)]
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    for _ in range(5):
        model.train_on_batch(x, y)
    model.save(tmp_path / f"old.{form}")
    upgrade_file(tmp_path / f"old.{form}", tmp_path / "new.keras")
    new = keras.models.load_model(tmp_path / "new.keras")
    assert int(new.optimizer.iterations) == 5
    assert max(after(model, new, x, y)) < 1e-5


def test_an_archive_without_a_state_begins_anew(tmp_path):
    """As tf-keras writes it for an optimizer of before 2.11; that is said."""
    model, *_ = trained(OPTIMIZERS["old Adam with decay"])
    model.save(tmp_path / "old.keras")
    done = upgrade_file(tmp_path / "old.keras", tmp_path / "new.keras")
    note = "the state of its optimizer is left out: the archive holds none; it begins anew"
    assert note in done.upgrade.notes
    assert int(keras.models.load_model(tmp_path / "new.keras").optimizer.iterations) == 0


@pytest.mark.parametrize("name", OTHER_RULE)
def test_an_optimizer_of_another_rule_goes_on_nearby(name, tmp_path):
    """With its slots; that its rule is another is said."""
    make, said, within = OTHER_RULE[name]
    model, x, y = trained(make)
    model.save(tmp_path / "old.h5")
    done = upgrade_file(tmp_path / "old.h5", tmp_path / "new.keras")
    assert [note for note in done.upgrade.notes if said in note]
    new = keras.models.load_model(tmp_path / "new.keras")
    distance, losses = after(model, new, x, y)
    assert max(distance, losses) < within
