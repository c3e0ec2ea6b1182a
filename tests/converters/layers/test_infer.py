"""Which layers arrays belong to, by their shapes alone, with names or without."""

from __future__ import annotations

import pytest

from converters.layers.infer import infer_kind, numbered_layers
from converters.layers.table import KINDS

LSTM = [(4, 5), (5, 5), (5,)] * 4


@pytest.mark.parametrize(
    ("shapes", "dialect", "kind"),
    [
        ({"kernel": (8, 3, 5, 5), "bias": (8,)}, "keras1", "Conv2D"),
        ({"kernel": (5, 5, 3, 8), "bias": (8,)}, "keras1", "Conv2D"),
        ({"kernel": (5, 5, 3, 8), "bias": (8,)}, "keras2", "Conv2D"),
        ({"kernel": (2, 3, 3, 2, 4), "bias": (4,)}, "keras2", "Conv3D"),
        ({"kernel": (3, 4, 5), "bias": (5,)}, "keras2", "Conv1D"),
        ({"kernel": (3, 4, 5), "bias": (5,)}, "keras1", None),
        ({"kernel": (3, 5, 4, 3), "bias": (4,)}, "keras2", "Conv2DTranspose"),
        ({"kernel": (4, 3, 3, 5), "bias": (3,)}, "keras1", None),
        ({"kernel": (15, 12, 4), "bias": (3, 5, 4)}, "keras2", "LocallyConnected2D"),
        ({"kernel": (4, 5), "bias": (5,)}, "keras1", "Dense"),
        ({"kernel": (4, 5)}, "keras1", "Dense"),
        ({"kernel": (4, 5), "bias": (4,)}, "keras1", None),
        ({"embeddings": (9, 5)}, "keras2", "Embedding"),
        (
            {"gamma": (4,), "beta": (4,), "moving_mean": (4,), "moving_variance": (4,)},
            "keras1",
            "BatchNormalization",
        ),
        ({"moving_mean": (4,), "moving_variance": (4,)}, "keras2", "BatchNormalization"),
        ({"gamma": (4,), "beta": (4,)}, "keras1", "Scale"),
        ({"gamma": (4, 1, 1), "beta": (4, 1, 1)}, "keras1", None),
        ({"kernel": (4, 5), "gamma": (5,)}, "keras1", None),
        ({"kernel": (5, 4, 3, 1), "bias": (5,)}, "keras1", None),
        ({"kernel": (3, 1, 4, 5), "bias": (5,)}, "keras1", None),
        ({"kernel": (5, 4, 1, 1), "bias": (5,)}, "keras1", "Conv2D"),
        ({"kernel": (3, 4, 5)}, "keras2", None),
        ({"kernel": (15, 12, 4), "bias": (3, 5, 4)}, "keras1", "LocallyConnected2D"),
        ({"kernel": (5, 12, 4), "bias": (5, 4)}, "keras2", "LocallyConnected1D"),
        ({"kernel": (5, 12, 4), "bias": (5, 4)}, "keras1", None),
        ({"kernel": (3, 5, 6), "bias": (3, 6)}, "keras0", "MaxoutDense"),
        ({"kernel": (4, 20), "recurrent_kernel": (5, 20), "bias": (20,)}, "keras2", "LSTM"),
        ({"kernel": (4, 15), "recurrent_kernel": (5, 15), "bias": (2, 15)}, "keras2", "GRU"),
        ({"kernel": (4, 5), "recurrent_kernel": (5, 5)}, "keras1", "SimpleRNN"),
        ({"kernel": (4, 10), "recurrent_kernel": (5, 10)}, "keras2", None),
        ({"kernel": (4, 20), "recurrent_kernel": (5, 20), "bias": (40,)}, "keras2", "CuDNNLSTM"),
        ({"kernel": (4, 15), "recurrent_kernel": (5, 15), "bias": (30,)}, "keras2", "CuDNNGRU"),
        ({"kernel": (4, 5), "recurrent_kernel": (5, 5), "bias": (10,)}, "keras2", None),
        ({"kernel": (3, 3, 2, 12), "recurrent_kernel": (3, 3, 3, 12)}, "keras2", "ConvLSTM2D"),
        ({f"kernel_{gate}": (4, 5) for gate in "ifco"}, "keras1", "LSTM"),
        ({f"kernel_{gate}": (3, 2, 3, 2) for gate in "ifco"}, "keras1", "ConvLSTM2D"),
        ({f"kernel_{gate}": (4, 5) for gate in "zrh"}, "keras1", "GRU"),
        ({f"kernel_{gate}": (4, 5) for gate in "zr"}, "keras1", None),
        ({"alpha": (4, 7, 8)}, "keras1", "PReLU"),
        ({"alpha": (4, 7, 8), "beta": (4, 7, 8)}, "keras1", "ParametricSoftplus"),
        ({"depthwise_kernel": (3, 3, 2, 2)}, "keras2", "DepthwiseConv2D"),
        ({"depthwise_kernel": (3, 3, 2, 2), "pointwise_kernel": (1, 1, 4, 5)}, "keras2", "SeparableConv2D"),
        ({"depthwise_kernel": (3, 2, 2), "pointwise_kernel": (1, 4, 5)}, "keras2", None),
    ],
)
def test_arrays_tell_the_kind_where_they_can(shapes, dialect, kind):
    """Roles, ranks and the bias' length decide; whatever does not fit is of no known kind."""
    assert infer_kind(shapes, dialect) == kind


@pytest.mark.parametrize("kind", [kind for kind, record in KINDS.items() if record.told_by_roles])
def test_roles_tell_each_kind_of_which_the_table_says_so(kind):
    """No other kind in the table takes its arrays."""
    record = KINDS[kind]
    shape = (4,) * (record.ranks or (3,))[0]
    assert infer_kind(dict.fromkeys(record.arrays, shape), "keras2") == kind


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
