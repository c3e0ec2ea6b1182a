"""Arrays without names: which layers they are."""

from __future__ import annotations

import pytest

from converters.layers.roles import keras1_suffix, numbered_layers

LSTM = [(4, 5), (5, 5), (5,)] * 4


def kinds(shapes, *, several):
    """Return the kind of each layer, with the number of its arrays."""
    return [(kind, len(places)) for kind, places in numbered_layers(shapes, several=several)]


@pytest.mark.parametrize(
    ("shapes", "kind"),
    [
        (LSTM, "LSTM"),
        (LSTM[:9], "GRU"),
        (LSTM[:3], "SimpleRNN"),
        ([(6, 6), (6,), (6, 6), (6,)], "Highway"),
        ([(4,)] * 4, "BatchNormalization"),
        ([(8, 3, 3, 3), (8,)], "Conv2D"),
        ([(3, 3, 3, 8), (8,)], "Conv2D"),
        ([(8, 3, 3, 1), (8,)], None),
        ([(8, 3, 1, 1), (8,)], "Conv2D"),
        ([(3, 5, 6), (3, 6)], "MaxoutDense"),
        ([(4, 5), (5,)], "Dense"),
        ([(4, 6, 7)], "PReLU"),
        ([(11, 4)], "Embedding"),
    ],
)
def test_ranks_and_sizes_tell_a_layer_of_keras_0(shapes, kind):
    """All arrays belong to one layer."""
    assert kinds(shapes, several=False) == [(kind, len(shapes))]


def test_several_layers_are_cut_apart():
    """A Graph's arrays lie in one group; two square dense layers are no Highway there."""
    shapes = [(4, 3, 3, 3), (4,), *[(4,)] * 4, (11, 4), *LSTM, (6, 6), (6,), (6, 6), (6,)]
    assert kinds(shapes, several=True) == [
        *(("Conv2D", 2), ("BatchNormalization", 4), ("Embedding", 1), ("LSTM", 12)),
        *(("Dense", 2), ("Dense", 2)),
    ]


def test_what_fits_no_kind_is_left():
    """Four maps of one shape are no four layers, and nothing behind them is guessed at."""
    assert kinds([(4, 3), (3,), *[(4, 6, 7)] * 4], several=False) == [("Dense", 2), (None, 0)]


def test_gates_lie_in_the_old_order():
    """i, c, f, o, each with its matrix, its recurrent matrix and its bias."""
    ((_, places),) = numbered_layers(LSTM, several=False)
    assert [gate for _, gate in places[::3]] == list("icfo")
    assert places[:3] == (("kernel", "i"), ("recurrent_kernel", "i"), ("bias", "i"))


@pytest.mark.parametrize(
    ("kind", "role", "gate", "suffix"),
    [
        ("Dense", "kernel", None, "_W"),
        ("LSTM", "recurrent_kernel", "f", "_U_f"),
        ("Embedding", "embeddings", None, "_W"),
        ("BatchNormalization", "beta", None, "_beta"),
        ("ParametricSoftplus", "beta", None, "_betas"),
        ("PReLU", "alpha", None, "_alphas"),
        ("BatchNormalization", "moving_variance", None, "_running_std"),
        ("Highway", "carry_bias", None, "_b_carry"),
    ],
)
def test_names_of_keras_1(kind, role, gate, suffix):
    """What stands behind a layer's name."""
    assert keras1_suffix(kind, role, gate) == suffix
