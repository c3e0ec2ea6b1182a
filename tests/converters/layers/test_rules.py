"""The table: what is rotated, and where the axes of each array lie."""

from __future__ import annotations

import pytest

from converters.layers.rules import AXES, GATES, OLD_GATES, RULES, Rule, axes_of, is_rotated, old_1d_axes


def test_only_convolutions_are_rotated():
    """Theano's backend rotates depthwise kernels itself, and locally connected layers multiply."""
    rotated = {
        (kind, role) for kind, rules in RULES.items() for role, rule in rules.items() if is_rotated(rule)
    }
    assert rotated == {
        *((f"Conv{rank}D", "kernel") for rank in (1, 2, 3)),
        *((f"Conv{rank}DTranspose", "kernel") for rank in (2, 3)),
        ("SeparableConv2D", "pointwise_kernel"),
        ("ConvLSTM2D", "kernel"),
        ("ConvLSTM2D", "recurrent_kernel"),
    }


@pytest.mark.parametrize(
    ("rule", "rank", "dialect", "layout", "axes"),
    [
        (Rule.CONVOLUTION, 4, "keras0", "th", "O I s0 s1"),
        (Rule.CONVOLUTION, 4, "keras1", "tf", "s0 s1 I O"),
        (Rule.CONVOLUTION, 5, "keras2", "th", "s0 s1 s2 I O"),
        (Rule.TRANSPOSED, 4, "keras1", "th", "O I s0 s1"),
        (Rule.TRANSPOSED, 4, "keras3", "tf", "s0 s1 O I"),
        (Rule.DEPTHWISE, 4, "keras1", "th", "M I s0 s1"),
        (Rule.CONVOLUTION_1D, 3, "keras1", "th", "s0 1 I O"),
        (Rule.CONVOLUTION_1D, 3, "keras2", "th", "s0 I O"),
        (Rule.MAP, 3, "keras2", "th", "C s0 s1"),
        (Rule.MAP, 4, "keras1", "tf", "s0 s1 s2 C"),
    ],
)
def test_axes_lie_where_the_versions_put_them(rule, rank, dialect, layout, axes):
    """Only maps have a layout from Keras 2 on."""
    assert axes_of(rule, rank, dialect, layout) == tuple(axes.split())


def test_what_has_no_axes_that_move():
    """Vectors and sequences of a map's kind, and all other rules."""
    assert axes_of(Rule.MAP, 2, "keras2", "th") is axes_of(Rule.KEEP, 4, "keras1", "th") is None
    assert old_1d_axes() == ("O", "I", "s0", "1")


def test_gates_are_the_same_in_another_order():
    """Keras 0 and 1 keep the same gates one after the other, LSTM's in an order of their own."""
    assert {kind: sorted(gates) for kind, gates in GATES.items()} == {
        kind: sorted(gates) for kind, gates in OLD_GATES.items()
    }
    assert (GATES["LSTM"], OLD_GATES["LSTM"], GATES["GRU"]) == ("ifco", "icfo", "zrh")
    assert all(rule in AXES or axes_of(rule, 2, "keras1", "th") is None for rule in Rule)
