"""Regularizers, constraints and initializers: carried over with the arrays that they work on, or named."""

from __future__ import annotations

import numpy as np
import pytest

from converters import plan_upgrade
from tests.support.upgrading import chain, config_of, layer, opened, write_model

MAP = (3, 5, 6)
L1L2 = {"l1": 0.25, "l2": 0.5}


def one(name, old):
    """Return a regularizer or a constraint as Keras 1 writes it, or as Keras 2 does."""
    settings = {"max_value": "m"} if old else {"m": "max_value"}
    return lambda **said: (
        {"name": name, **said}
        if old
        else {
            "class_name": name,
            "config": {settings.get(key, key): value for key, value in said.items()},
        }
    )


def arrays(*shapes):
    """Return arrays of random values."""
    chance = np.random.default_rng(3)
    return [chance.normal(size=shape).astype("float32") for shape in shapes]


def convolution(version, shape, axes):
    """Return a layer with all that works on its arrays, and its kernel in Keras 1 or 2's order."""
    old = version == "1.2.2"
    norm = one("MaxNorm", old)(m=0.75, axis=axes)
    kernel, bias = arrays(shape, (4,))
    if old:
        sizes = {"nb_filter": 4, "nb_row": 2, "nb_col": 3, "border_mode": "valid", "dim_ordering": "th"}
        works = {"W_regularizer": one("WeightRegularizer", old)(**L1L2), "W_constraint": norm}
        named = {"layer_W": kernel, "layer_b": bias}
        more = {"b_constraint": {"name": "NonNeg"}, "init": "he_normal"}
    else:
        sizes = {"filters": 4, "kernel_size": [2, 3], "padding": "valid", "data_format": "channels_first"}
        works = {"kernel_regularizer": one("L1L2", old)(**L1L2), "kernel_constraint": norm}
        named = {"layer/kernel": kernel, "layer/bias": bias}
        more = {"bias_constraint": one("NonNeg", old)(), "kernel_initializer": one("HeNormal", old)(seed=3)}
    return layer("Convolution2D" if old else "Conv2D", **sizes, **works, **more), {"layer": named}, kernel


@pytest.mark.parametrize(
    ("version", "shape", "axes", "moved"),
    [
        ("1.2.2", (4, 3, 2, 3), [1, 2, 3], [0, 1, 2]),
        ("1.2.2", (4, 3, 2, 3), 0, 3),
        ("2.2.4", (2, 3, 3, 4), [0, 1, 2], [0, 1, 2]),
        ("2.2.4", (2, 3, 3, 4), -1, 3),
    ],
)
def test_what_works_on_a_kernel_moves_with_it(version, shape, axes, moved, tmp_path):
    """Its penalty is the old array's, and its norms run over the values that they ran over."""
    entry, named, kernel = convolution(version, shape, axes)
    path = write_model(tmp_path / "old.h5", chain(entry, shape=MAP), named, version=version, backend="theano")
    plan = plan_upgrade(path)
    assert [found.without for found in plan.layers] == [()]
    drawn = next(
        found["config"] for found in config_of(plan)["config"]["layers"] if found["config"]["name"] == "layer"
    )
    assert drawn["kernel_constraint"]["config"] == {"max_value": 0.75, "axis": moved}
    assert drawn["kernel_initializer"]["class_name"] == "HeNormal"
    new = opened(path, tmp_path / "new.keras").get_layer("layer")
    wanted = 0.25 * np.abs(kernel).sum() + 0.5 * np.square(kernel).sum()
    assert abs(float(new.kernel_regularizer(new.kernel)) - wanted) < 1e-4
    norms = np.sqrt(np.square(kernel).sum(tuple(np.atleast_1d(axes)), keepdims=True))
    limited = kernel * np.clip(norms, 0, 0.75) / (1e-7 + norms)
    if version == "1.2.2":
        limited = limited.transpose(2, 3, 1, 0)
    assert np.abs(np.asarray(new.kernel_constraint(new.kernel)) - limited[::-1, ::-1]).max() < 1e-6
    assert np.asarray(new.bias_constraint(new.bias)).min() >= 0


def gates(*, packed, norm=None):
    """Return an LSTM of Keras 1, whose arrays are packed today, with a penalty on them."""
    shapes = {"W": (3, 2), "U": (2, 2), "b": (2,)}
    named = {
        f"layer_{name}_{gate}": values
        for gate in "icfo"
        for name, values in zip(shapes, arrays(*shapes.values()), strict=True)
    }
    settings = {"output_dim": 2, "activation": "tanh", "inner_activation": packed, "return_sequences": False}
    works = {"W_regularizer": one("L1L2Regularizer", True)(**L1L2), "W_constraint": norm}
    return layer("LSTM", **settings, **works, consume_less="cpu"), {"layer": named}


NOT_THE_SAME = {
    "arrays that are multiplied": (*gates(packed="hard_sigmoid"), "1.2.2", ("W_regularizer",)),
    "a norm over gates that are packed": (
        *gates(packed="sigmoid", norm={"name": "UnitNorm", "axis": 1}),
        "1.2.2",
        ("W_constraint",),
    ),
    "a norm over each gate": (*gates(packed="sigmoid", norm={"name": "UnitNorm", "axis": 0}), "1.2.2", ()),
    "a price of what it gives": (
        layer("Activation", activation="relu", activity_regularizer=one("L1L2", False)(**L1L2)),
        {},
        "2.2.4",
        ("activity_regularizer",),
    ),
    "one of somebody's own": (
        layer("Activation", activation="relu", activity_regularizer={"class_name": "My", "config": {}}),
        {},
        "2.4.0",
        ("activity_regularizer",),
    ),
    "a setting that today's has not": (
        layer(
            "Embedding",
            input_dim=3,
            output_dim=2,
            embeddings_regularizer={"class_name": "L2", "config": {"l2": 0.1, "what": 3}},
        ),
        {"layer": {"layer/embeddings": arrays((3, 2))[0]}},
        "2.4.0",
        ("embeddings_regularizer",),
    ),
    "the price of tf.keras": (
        layer("Activation", activation="relu", activity_regularizer=one("L1L2", False)(**L1L2)),
        {},
        "2.4.0",
        (),
    ),
    "prices of a layer that only has prices": (
        layer("ActivityRegularization", **L1L2),
        {},
        "2.2.4",
        ("l1", "l2"),
    ),
}


@pytest.mark.parametrize("name", NOT_THE_SAME)
def test_what_would_not_be_the_same_is_left_out_and_named(name, tmp_path):
    """By layer; the model is upgraded all the same."""
    entry, named, version, without = NOT_THE_SAME[name]
    shape = (4,) if entry["class_name"] == "Embedding" else (4, 3)
    plan = plan_upgrade(write_model(tmp_path / "old.h5", chain(entry, shape=shape), named, version=version))
    assert not plan.refusals
    assert [found.without for found in plan.layers] == [without]
    notes = [note for note in plan.notes if ": without " in note]
    assert notes == ([f"layer: without {', '.join(without)}"] if without else [])


def test_the_price_of_tf_keras_is_that_of_today(tmp_path):
    """For each image, whatever the batch."""
    entry = layer("Activation", activation="relu", activity_regularizer=one("L1L2", False)(**L1L2))
    path = write_model(tmp_path / "old.h5", chain(entry, shape=(4,)), version="2.4.0")
    model = opened(path, tmp_path / "new.keras")
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    given = np.asarray(model(x))
    assert abs(float(model.losses[0]) - (0.25 * given.sum() + 0.5 * np.square(given).sum()) / 5) < 1e-5


def test_both_ways_of_a_recurrent_layer_keep_what_works_on_them(tmp_path):
    """What is left out is named, by the layer within."""
    works = {
        "kernel_regularizer": one("L1L2", False)(**L1L2),
        "recurrent_constraint": {"class_name": "My", "config": {}},
    }
    inner = layer("SimpleRNN", "inner", units=2, activation="tanh", **works)
    named = {
        f"layer/{way}_inner/{role}": values
        for way in ("forward", "backward")
        for role, values in zip(
            ("kernel", "recurrent_kernel", "bias"), arrays((3, 2), (2, 2), (2,)), strict=True
        )
    }
    entry = layer("Bidirectional", layer=inner, merge_mode="concat")
    path = write_model(tmp_path / "old.h5", chain(entry, shape=(4, 3)), {"layer": named})
    plan = plan_upgrade(path)
    assert [note for note in plan.notes if "without" in note] == ["inner: without recurrent_constraint"]
    new = opened(path, tmp_path / "new.keras").get_layer("layer")
    for cell in (new.forward_layer.cell, new.backward_layer.cell):
        assert cell.kernel_regularizer.get_config() == L1L2
