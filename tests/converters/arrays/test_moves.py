"""Pieces and permutations, against their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters.arrays.moves import (
    FUNCTIONS,
    UNDONE_BY,
    Piece,
    kernel_shape_first,
    moved_pieces,
    permutation,
    row_pieces,
)

SIZES = st.integers(1, 4)
SEGMENTS = st.lists(st.lists(SIZES, min_size=1, max_size=4).map(tuple), min_size=1, max_size=3).map(tuple)


def counted(*shape):
    """Return an array whose values are all different."""
    return np.arange(math.prod(shape), dtype=np.float32).reshape(shape)


def filled(shape, pieces):
    """Return an array that pieces fill, each value of it."""
    result = np.full(shape, np.nan, np.float32)
    for piece in pieces(result):
        assert np.shares_memory(piece.target, result)
        piece.copy()
    assert not np.isnan(result).any()
    return result


def moved(source, **steps):
    """Return what moving axes makes of an array."""
    shape = steps.pop("shape", steps["after"])
    return filled(shape, lambda target: moved_pieces(target, source, **steps))


def test_a_kernel_moves_from_oihw_to_hwio_and_turns():
    """Every value is found where the definition puts it."""
    kernel = counted(2, 3, 4, 5)
    found = moved(kernel, before=kernel.shape, order=(2, 3, 1, 0), after=(4, 5, 3, 2), rotate=(0, 1))
    assert all(found[3 - h, 4 - w, i, o] == kernel[o, i, h, w] for o, i, h, w in np.ndindex(kernel.shape))
    assert kernel_shape_first(found.shape) == kernel.shape


def test_values_may_be_counted_anew_before_and_after():
    """What is stored as (R, C, F) and used as (F, R, C), there and back."""
    stored = counted(3, 5, 4)
    used = stored.reshape(4, 3, 5)
    last = moved(stored, before=(4, 3, 5), order=(1, 2, 0), after=(3, 5, 4), rotate=())
    assert all(last[r, c, f] == used[f, r, c] for f, r, c in np.ndindex(used.shape))
    first = moved(last, before=last.shape, order=(2, 0, 1), after=(4, 3, 5), rotate=(), shape=(3, 5, 4))
    np.testing.assert_array_equal(first, stored)


def test_rows_move_from_chw_to_hwc():
    """The row of channel c at height h and width w goes to its place with the channels last."""
    matrix = counted(2 * 3 * 4 + 2, 5)
    rows = ((2, 3, 4), (2,))
    found = filled(matrix.shape, lambda target: row_pieces(target, matrix, rows, to_last=True))
    for c, h, w in np.ndindex(2, 3, 4):
        np.testing.assert_array_equal(found[(h * 4 + w) * 2 + c], matrix[(c * 3 + h) * 4 + w])
    np.testing.assert_array_equal(found[24:], matrix[24:])


def test_rows_may_lie_along_another_axis():
    """As in a layer with several features, or with a kernel of its own at each place."""
    array = counted(3, 4, 2)
    found = filled(array.shape, lambda target: row_pieces(target, array, ((2, 2, 1),), to_last=True, axis=1))
    np.testing.assert_array_equal(found, array[:, [0, 2, 1, 3]])


@given(SEGMENTS, st.integers(0, 1))
def test_rows_come_back(rows, axis):
    """Moving the channels last and first again changes nothing, whatever the segments."""
    count = sum(math.prod(segment) for segment in rows)
    array = counted(count, 3) if axis == 0 else counted(2, count, 3)
    last = filled(array.shape, lambda target: row_pieces(target, array, rows, to_last=True, axis=axis))
    back = filled(array.shape, lambda target: row_pieces(target, last, rows, to_last=False, axis=axis))
    np.testing.assert_array_equal(back, array)


def test_a_piece_may_compute_and_leads_back():
    """The function goes over each value; reversed, the piece undoes it."""
    source, target = np.array([0.5, 2.0]), np.zeros(2)
    piece = Piece(target=target, source=source, function="square")
    piece.copy()
    assert target.tolist() == [0.25, 4.0]
    source[:] = 0
    piece.reversed().copy()
    assert source.tolist() == [0.5, 2.0]
    assert set(FUNCTIONS) > set(UNDONE_BY) == set(UNDONE_BY.values())


@pytest.mark.parametrize(
    ("source", "target", "order"),
    [
        ("OIHW", "HWIO", (2, 3, 1, 0)),
        ("OIHW", "HWOI", (2, 3, 0, 1)),
        ("OIL1", "LIO", (3, 2, 1, 0)),
        ("L1IO", "LIO", (1, 0, 2, 3)),
        ("LIO", "L1IO", (0, 1, 2)),
        ("OIL1", "L1IO", (2, 3, 1, 0)),
    ],
)
def test_axes_are_found_by_name(source, target, order):
    """An axis of one element that the new array lacks comes first, where it is left out."""
    assert permutation(source, target) == order
