"""The array functions, against their definitions and against each other."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from converters.kernels import (
    kernel_shape_first,
    kernel_shape_last,
    rotate,
    rows_to_channels_first,
    rows_to_channels_last,
    to_channels_first,
    to_channels_last,
)

SIZES = st.integers(1, 4)
KERNELS = st.lists(SIZES, min_size=3, max_size=5).map(tuple)
SEGMENTS = st.lists(st.lists(SIZES, min_size=1, max_size=4).map(tuple), min_size=1, max_size=3).map(tuple)


def counted(shape):
    """Return an array whose values are all different."""
    return np.arange(math.prod(shape), dtype=np.float32).reshape(shape)


def test_a_kernel_moves_from_oihw_to_hwio():
    """Every value is found where the definition puts it."""
    kernel = counted((2, 3, 4, 5))
    moved = to_channels_last(kernel)
    assert moved.shape == kernel_shape_last(kernel.shape) == (4, 5, 3, 2)
    assert all(moved[h, w, i, o] == kernel[o, i, h, w] for o, i, h, w in np.ndindex(kernel.shape))


def test_a_kernel_is_rotated_in_space_alone():
    """The rotation reverses height and width, and leaves inputs and outputs where they are."""
    kernel = counted((2, 3, 4, 5))
    turned = rotate(kernel, (2, 3))
    assert all(turned[o, i, h, w] == kernel[o, i, 3 - h, 4 - w] for o, i, h, w in np.ndindex(kernel.shape))


def test_rows_move_from_chw_to_hwc():
    """The row of channel c at height h and width w goes to its place with the channels last."""
    matrix = counted((2 * 3 * 4 + 2, 5))
    moved = rows_to_channels_last(matrix, ((2, 3, 4), (2,)))
    for c, h, w in np.ndindex(2, 3, 4):
        np.testing.assert_array_equal(moved[(h * 4 + w) * 2 + c], matrix[(c * 3 + h) * 4 + w])
    np.testing.assert_array_equal(moved[24:], matrix[24:])


def test_a_vector_has_rows_too():
    """A normalisation behind a Flatten has one value for each of its inputs."""
    np.testing.assert_array_equal(rows_to_channels_last(np.arange(4), ((2, 2, 1),)), [0, 2, 1, 3])


@given(KERNELS)
def test_moving_axes_is_undone_by_moving_them_back(shape):
    """There and back is the same kernel, for one, two and three dimensions, either way round."""
    kernel = counted(shape)
    assert to_channels_last(kernel).shape == kernel_shape_last(shape)
    assert to_channels_first(kernel).shape == kernel_shape_first(shape)
    np.testing.assert_array_equal(to_channels_first(to_channels_last(kernel)), kernel)
    np.testing.assert_array_equal(to_channels_last(to_channels_first(kernel)), kernel)


@given(KERNELS)
def test_rotating_twice_changes_nothing_and_commutes_with_moving(shape):
    """Layout and kernels are two axes: the order in which they change makes no difference."""
    kernel, rank = counted(shape), len(shape)
    first, last = tuple(range(2, rank)), tuple(range(rank - 2))
    np.testing.assert_array_equal(rotate(rotate(kernel, first), first), kernel)
    np.testing.assert_array_equal(
        rotate(to_channels_last(kernel), last), to_channels_last(rotate(kernel, first))
    )


@given(SEGMENTS, SIZES)
def test_moving_rows_is_undone_by_moving_them_back(rows, units):
    """There and back is the same matrix, and on the way no row is lost."""
    matrix = counted((sum(map(math.prod, rows)), units))
    moved = rows_to_channels_last(matrix, rows)
    np.testing.assert_array_equal(np.sort(moved, axis=0), matrix)
    np.testing.assert_array_equal(rows_to_channels_first(moved, rows), matrix)


@given(st.lists(SIZES, min_size=2, max_size=4).map(tuple), st.integers(0, 2**32 - 1))
def test_moved_rows_give_the_same_product_with_the_moved_map(shape, seed):
    """A dense layer computes the same from the map in the other order."""
    rng = np.random.default_rng(seed)
    image, matrix = rng.standard_normal(shape), rng.standard_normal((math.prod(shape), 3))
    moved = rows_to_channels_last(matrix, (shape,))
    np.testing.assert_allclose(np.moveaxis(image, 0, -1).ravel() @ moved, image.ravel() @ matrix, atol=1e-12)
