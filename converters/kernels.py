"""The array functions of a conversion. Pure: shapes in, shapes out, no files and no names."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from converters.layouts import Rows, Shape

Values = np.ndarray[Any, np.dtype[Any]]


def to_channels_last(kernel: Values) -> Values:
    """Move a convolution kernel's axes from th to tf order.

    Args:
        kernel: (O, I, S...), with one to three spatial axes S.

    Returns:
        A view of shape (S..., I, O).
    """
    return kernel.transpose(*range(2, kernel.ndim), 1, 0)


def to_channels_first(kernel: Values) -> Values:
    """Move a convolution kernel's axes from tf to th order.

    Args:
        kernel: (S..., I, O).

    Returns:
        A view of shape (O, I, S...).
    """
    return kernel.transpose(kernel.ndim - 1, kernel.ndim - 2, *range(kernel.ndim - 2))


def rotate(kernel: Values, axes: tuple[int, ...]) -> Values:
    """Rotate a convolution kernel by 180 degrees: reverse each of its spatial axes.

    Args:
        kernel: An array of any shape.
        axes: Its spatial axes.

    Returns:
        A view of the same shape.
    """
    return np.flip(kernel, axes)


def rows_to_channels_last(matrix: Values, rows: Rows) -> Values:
    """Reorder rows from (C, S...) to (S..., C), segment by segment.

    Args:
        matrix: (R, ...), R the rows of all segments together.
        rows: The shape of each flattened map, channels first; a segment (n,) stays as it is.

    Returns:
        A new array of the same shape.
    """
    return _reorder(matrix, rows, to_last=True)


def rows_to_channels_first(matrix: Values, rows: Rows) -> Values:
    """Reorder rows from (S..., C) to (C, S...), segment by segment: the inverse of the other direction.

    Args:
        matrix: (R, ...), R the rows of all segments together.
        rows: The shape of each flattened map, written channels first here too.

    Returns:
        A new array of the same shape.
    """
    return _reorder(matrix, rows, to_last=False)


def _reorder(matrix: Values, rows: Rows, *, to_last: bool) -> Values:
    result = np.empty_like(matrix)
    start = 0
    for segment in rows:
        stop = start + math.prod(segment)
        stored = segment if to_last else (*segment[1:], segment[0])
        ends = (0, len(segment) - 1) if to_last else (len(segment) - 1, 0)
        moved = np.moveaxis(matrix[start:stop].reshape(*stored, *matrix.shape[1:]), *ends)
        result[start:stop].reshape(moved.shape)[...] = moved
        start = stop
    return result


def kernel_shape_last(shape: Shape) -> Shape:
    """Return the shape (S..., I, O) that a kernel of shape (O, I, S...) has in tf order."""
    return (*shape[2:], shape[1], shape[0])


def kernel_shape_first(shape: Shape) -> Shape:
    """Return the shape (O, I, S...) that a kernel of shape (S..., I, O) has in th order."""
    return (shape[-1], shape[-2], *shape[:-2])
