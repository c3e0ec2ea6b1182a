"""Where the axes of an array lie by each rule."""

from __future__ import annotations

import pytest

from converters.layers.rules import AXES, Rule, axes_of, old_1d_axes


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
    assert all(rule in AXES or axes_of(rule, 2, "keras1", "th") is None for rule in Rule)
    assert axes_of(Rule.MAP, 2, "keras2", "th") is axes_of(Rule.KEEP, 4, "keras1", "th") is None
    assert old_1d_axes() == ("O", "I", "s0", "1")
