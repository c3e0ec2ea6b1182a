"""Digests of models: the same for the same function, another for any other, whatever the names."""

from __future__ import annotations

import subprocess
import sys

import keras
import numpy as np
import pytest

from tests.support.paths import ROOT
from tests.support.small_network import small_network
from zoo.errors import ArgumentError
from zoo.finetuning.digests import digest_model
from zoo.surgery.tensors import operation

LAYERS = keras.layers


def drawn(seed):
    """Return an initialiser that draws the same every time."""
    return keras.initializers.GlorotUniform(seed=seed)


def network(
    *, scale=127.5, offset=1.0, swap=False, shared=False, axis=1, activation="relu", nested=1.0, inner=0.5
):
    """Return a model of layers, operations, constants and a model inside it, without names."""
    images = keras.Input((4, 4, 3))
    x = images / scale - np.array([offset, 0, 0], np.float32)
    x = LAYERS.Flatten()(x[:, axis:])
    dense = LAYERS.Dense(3, activation=activation, kernel_initializer=drawn(1))
    one = dense(x)
    other = dense(x) if shared else LAYERS.Dense(3, activation=activation, kernel_initializer=drawn(2))(x)
    pair = [other, one] if swap else [one, other]
    y = keras.ops.concatenate([LAYERS.Concatenate()(pair), one * nested], axis=1)
    inside = keras.Sequential([keras.Input((9,)), LAYERS.Dropout(0.5), LAYERS.Rescaling(inner)])
    return keras.Model(images, LAYERS.BatchNormalization()(inside(y)))


def value(**options):
    """Return the digest of a model that is drawn anew."""
    return digest_model(network(**options)).value


def test_the_same_model_drawn_twice_has_the_same_digest():
    """Keras has numbered the layers and tensors of the second one on."""
    one, other = network(), network()
    assert [layer.name for layer in one.layers] != [layer.name for layer in other.layers]
    assert digest_model(one) == digest_model(other)
    assert digest_model(one).untold == ()


@pytest.mark.long
def test_another_process_finds_the_same_digest():
    """Nothing in it depends on where things lie in memory, nor on how many models there were before."""
    code = "from tests.zoo.finetuning.test_digests import value; print(value())"
    root = ROOT
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True, cwd=root
    )
    assert done.stdout.split()[-1] == value()


@pytest.mark.parametrize(
    "change",
    [
        {"scale": 255.0},
        {"offset": 2.0},
        {"swap": True},
        {"shared": True},
        {"axis": 2},
        {"activation": "tanh"},
        {"nested": 2.0},
        {"inner": 0.25},
    ],
)
def test_another_function_has_another_digest(change):
    """Constants, their arrays, the order of inputs, sharing, slices, configurations, models inside."""
    assert value(**change) != value()


def test_one_weight_is_enough():
    """One bit of the moving statistics."""
    model = network()
    before = digest_model(model)
    norm = model.layers[-1]
    weights = norm.get_weights()
    weights[3][-1] = np.nextafter(weights[3][-1], np.float32(2))
    norm.set_weights(weights)
    assert digest_model(model) != before


def test_where_arrays_start_from_makes_no_difference():
    """Nor how they may change: what they are is in the digest, and Keras' words for the rest change."""
    model = small_network()
    before = digest_model(model)
    first = next(layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D))
    first.kernel_initializer = keras.initializers.TruncatedNormal(stddev=0.5)
    first.kernel_regularizer = keras.regularizers.L2(0.1)
    first.bias_constraint = keras.constraints.NonNeg()
    assert digest_model(model) == before


def test_what_is_trained_makes_no_difference():
    """Features of a frozen layer are those of one that is not."""
    model = network()
    before = digest_model(model)
    model.trainable = False
    assert digest_model(model) == before


def test_names_make_no_difference():
    """Those that were given neither."""
    one, other = small_network(), small_network()
    other.name = "other"
    other.get_layer("first").name = "renamed"
    assert digest_model(one) == digest_model(other)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float16"])
def test_the_type_of_numbers_is_part_of_it(policy):
    """Names of types are not names of layers; bfloat16, which NumPy does not know, can be written down."""

    def dense(dtype):
        x = keras.Input((3,))
        return keras.Model(x, LAYERS.Dense(2, kernel_initializer="ones", dtype=dtype)(x))

    assert digest_model(dense(policy)) == digest_model(dense(policy))
    assert digest_model(dense(policy)) != digest_model(dense("float32"))


def test_constants_of_bfloat16_can_be_written_down():
    """A variable of such numbers among the weights."""
    x = keras.Input((3,))
    model = keras.Model(x, LAYERS.Dense(2, kernel_initializer="ones", dtype="bfloat16")(x))
    assert digest_model(model).untold == ()


class Mute(LAYERS.Layer):
    """Multiplies by what it does not tell."""

    def __init__(self, *factors):
        super().__init__()
        self.factor = factors[0]

    def call(self, x):
        """Return the product."""
        return x * self.factor


def test_what_does_not_say_what_it_does_is_told():
    """Such models cannot be told from each other by the digest alone."""
    x = keras.Input((3,))
    digests = [digest_model(keras.Model(x, Mute(factor)(x))) for factor in (2.0, 3.0)]
    assert digests[0].untold == ("Mute",)
    assert digests[0] == digests[1]


def test_what_a_function_closes_over_is_part_of_it():
    """A Lambda layer writes itself down with it."""
    x = keras.Input((3,))
    found = {
        digest_model(keras.Model(x, LAYERS.Lambda(lambda x, by=by: x * by, output_shape=(3,))(x))).value
        for by in (2.0, 3.0)
    }
    assert len(found) == 2


def test_a_model_without_a_graph_is_refused():
    """The message says what is needed."""

    class Own(keras.Model):
        """A model that says in Python what it does."""

    with pytest.raises(ArgumentError) as caught:
        digest_model(Own(name="own"))
    assert str(caught.value) == (
        "model 'own' is a Own: only functional and Sequential models have a graph to work on"
    )


@pytest.mark.parametrize("function", [keras.ops.sqrt, keras.ops.rsqrt])
def test_an_operation_in_an_activation_has_no_name_either(function):
    """Keras numbers it anew each time: GoogLeNet, drawn twice in a process, is one network."""

    def drawn(inside):
        inputs = keras.Input((4,))
        return keras.Model(inputs, keras.layers.Activation(operation(inside))(inputs))

    assert digest_model(drawn(function)) == digest_model(drawn(function))
    assert digest_model(drawn(function)) != digest_model(drawn(keras.ops.square))
