"""A learning rate of its own for each group of layers."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest

from zoo.errors import ArgumentError, UnknownNameError
from zoo.finetuning.optimizer import GroupedSGD, factors_by_layer

X = np.random.default_rng(0).normal(size=(8, 5)).astype(np.float32)
Y = np.arange(8) % 3


def network():
    """Return two dense layers that always start the same."""
    layers = [
        keras.layers.Dense(
            4, activation="tanh", name="low", kernel_initializer=keras.initializers.HeNormal(1)
        ),
        keras.layers.Dense(
            3, activation="softmax", name="high", kernel_initializer=keras.initializers.HeNormal(2)
        ),
    ]
    return keras.Sequential([keras.Input((5,)), *layers])


def trained(optimizer, steps=3):
    """Return the weights by layer after some steps on one batch."""
    model = network()
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy")
    model.fit(X, Y, batch_size=8, epochs=steps, shuffle=False, verbose=0)
    return {layer.name: layer.get_weights() for layer in model.layers}


def sgd(rate=0.1, **options):
    """Return the recipe of the tutorials."""
    return keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, **options)


def test_without_factors_it_is_sgd():
    """To the bit."""
    one, other = trained(GroupedSGD(0.1, momentum=0.9, nesterov=True)), trained(sgd())
    for name in one:
        for a, b in zip(one[name], other[name], strict=True):
            assert np.array_equal(a, b)


def test_a_factor_multiplies_the_learning_rate_of_its_layer():
    """One step of a layer with factor 10 is the step that SGD takes at ten times the learning rate."""
    grouped = trained(GroupedSGD(0.01, momentum=0.9, nesterov=True, factors={"high": 10.0}), steps=1)
    slow, fast = trained(sgd(0.01), steps=1), trained(sgd(0.1), steps=1)
    for a, b in zip(grouped["low"], slow["low"], strict=True):
        assert np.array_equal(a, b)
    for a, b in zip(grouped["high"], fast["high"], strict=True):
        assert np.allclose(a, b, atol=1e-7)


def test_a_factor_of_zero_keeps_a_layer():
    """It stays what it was for all steps, with momentum too."""
    found = trained(GroupedSGD(0.1, momentum=0.9, nesterov=True, factors={"low": 0.0}))
    for a, b in zip(found["low"], network().get_layer("low").get_weights(), strict=True):
        assert np.array_equal(a, b)
    assert not np.array_equal(found["high"][0], network().get_layer("high").get_weights()[0])


def test_it_is_saved_and_goes_on_where_it_was(tmp_path):
    """A model with it opens again with its factors and its momentum: the next steps are the same."""
    model = network()
    model.compile(
        optimizer=GroupedSGD(0.1, momentum=0.9, nesterov=True, factors={"high": 5.0}),
        loss="sparse_categorical_crossentropy",
    )
    model.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    opened = keras.saving.load_model(tmp_path / "model.keras")
    assert opened.optimizer.factors == {"high": 5.0}
    for one in (model, opened):
        one.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), opened.get_weights(), strict=True):
        assert np.array_equal(a, b)


def test_its_configuration_is_of_plain_numbers():
    """Whatever numbers it was given: a configuration becomes JSON."""
    config = GroupedSGD(0.1, factors={"high": np.float32(0.5)}).get_config()
    assert json.loads(json.dumps(config))["factors"] == {"high": 0.5}


def test_it_takes_schedules():
    """Factors multiply whatever the schedule says."""
    schedule = keras.optimizers.schedules.ExponentialDecay(0.01, 1, 0.5)
    grouped = trained(GroupedSGD(schedule, factors={"high": 10.0}), steps=2)
    fast = keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    assert np.allclose(
        grouped["high"][1] - 0, trained(keras.optimizers.SGD(fast), steps=1)["high"][1], atol=0.05
    )


LAYERS = ["conv1", "res5a_branch1", "res5b_branch1", "fc__new", "fc1000"]


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (None, {}),
        ({"head": 10}, {"fc1000": 10.0}),
        ({"head": np.float32(0.5), "conv1": np.int64(3)}, {"fc1000": 0.5, "conv1": 3.0}),
        ({"backbone": 0.1}, dict.fromkeys(LAYERS[:-1], 0.1)),
        ({"res5*": 0.5}, {"res5a_branch1": 0.5, "res5b_branch1": 0.5}),
        ({"fc/new": 3}, {"fc__new": 3.0}),
        ({"backbone": 0.1, "conv1": 0}, dict.fromkeys(LAYERS[:-1], 0.1) | {"conv1": 0.0}),
    ],
)
def test_groups_become_layers(groups, expected):
    """Head, backbone, names and patterns; the later ones win."""
    assert factors_by_layer(groups, LAYERS, ["fc1000"]) == expected


@pytest.mark.parametrize("factor", [-1, "10", True, np.True_, float("inf"), float("nan"), np.float32(-1)])
def test_factors_are_numbers_from_zero(factor):
    """Anything else is refused with the group's name."""
    with pytest.raises(ArgumentError) as caught:
        factors_by_layer({"head": factor}, LAYERS, ["fc1000"])
    assert str(caught.value) == f"learning-rate factor head={factor!r}: must be a number from 0"


def test_an_unknown_group_is_refused():
    """The nearest layer is offered."""
    with pytest.raises(UnknownNameError) as caught:
        factors_by_layer({"conv2": 2}, LAYERS, ["fc1000"])
    assert str(caught.value) == (
        "learning-rate factor 'conv2': there is no such layer; must be head, backbone, a layer's name or a "
        "pattern like 'res5*'; did you mean conv1?"
    )
