"""The array functions of a conversion. Pure: arrays and shapes in, views out, no files and no names.

A conversion is told as pieces: pairs of views of equal shape, one of the new array and one of the old.
Whoever copies each piece's source to its target, in blocks of any size, has carried out the conversion.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from converters.arrays.form import Rows, Shape

Values = np.ndarray[Any, np.dtype[Any]]


def _folded_slope(outer: Values, inner: Values, out: Values) -> None:
    np.copyto(out, outer.astype("f4") * inner.astype("f4"), casting="same_kind")


def _folded_offset(inner: Values, slope: Values, outer: Values, out: Values) -> None:
    product = slope.astype("f4") * inner.astype("f4")
    np.copyto(out, product + outer.astype("f4"), casting="same_kind")


HARD_SIGMOID_RATIO = 1.2
"""What makes Keras 3's hard sigmoid, x / 6 + 0.5, the older 0.2 x + 0.5: its argument grows by 0.2 * 6.

Sources: hard_sigmoid() in keras/backend/theano_backend.py and tensorflow_backend.py, Keras 1.2.2 and 2.2.4;
in keras/src/activations/activations.py, Keras 3.
"""


def _scaled(values: Values, out: Values) -> None:
    np.multiply(values, HARD_SIGMOID_RATIO, out=out)


def _widened(extra: float, values: Values, out: Values) -> None:
    wide = values.astype("f8")
    np.copyto(out, wide * (wide + 2 * extra), casting="same_kind")


def _widened_root(extra: float, values: Values, out: Values) -> None:
    wide = values.astype("f8")
    np.copyto(out, wide + 2 * extra * np.sqrt(wide), casting="same_kind")


SCALED = "times 1.2"
# Element-wise arithmetic by name, of as many arrays as each takes; what undoes those that can be is below.
FUNCTIONS: Mapping[str, Callable[..., object]] = {
    "square": np.square,
    "root": np.sqrt,
    "folded slope": _folded_slope,
    "folded offset": _folded_offset,
    "sum": np.add,
    SCALED: _scaled,
}
WIDENED = "deviations to variances, wider by"
WIDENED_ROOT = "variances wider, by their roots and"
# The same, each with a number behind its name: a deviation d, or the variance d^2, becomes (d + e)^2 - e^2.
_WITH_NUMBER: Mapping[str, Callable[..., object]] = {WIDENED: _widened, WIDENED_ROOT: _widened_root}


def function_of(name: str) -> Callable[..., object]:
    """Return arithmetic by its name, or by its name and a number."""
    start, _, number = name.rpartition(" ")
    return partial(_WITH_NUMBER[start], float(number)) if start in _WITH_NUMBER else FUNCTIONS[name]


UNDONE_BY: Mapping[str, str] = {"square": "root", "root": "square"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Piece:
    """One part of an array's conversion.

    Attributes:
        target: A view of the new array.
        source: A view of the old one, of the same shape.
        function: What happens to each value, by its name for :func:`function_of`; None: the bits are moved.
        others: More views of the same shape, for a function of several arrays.
    """

    target: Values
    source: Values
    function: str | None = None
    others: tuple[Values, ...] = ()

    def copy(self) -> None:
        """Carry the piece out at once."""
        if self.function is None:
            np.copyto(self.target, self.source)
        else:
            self.compute(self.target)

    def compute(self, out: Values) -> None:
        """Put what the function makes of the sources into an array of their shape."""
        function_of(str(self.function))(self.source, *self.others, out=out)

    def onto(self, target: Values) -> Piece:
        """Return the same piece with another target."""
        return replace(self, target=target)

    def at(self, index: tuple[slice, ...]) -> Piece:
        """Return a part of the piece, by an index into each of its arrays."""
        return replace(
            self,
            target=self.target[index],
            source=self.source[index],
            others=tuple(other[index] for other in self.others),
        )

    def reversed(self) -> Piece:
        """Return the piece that leads back, where what happens can be undone (:data:`UNDONE_BY`)."""
        function = None if self.function is None else UNDONE_BY[self.function]
        return Piece(target=self.source, source=self.target, function=function)


def moved_pieces(
    target: Values,
    source: Values,
    *,
    before: Shape,
    order: Shape,
    after: Shape,
    rotate: Shape,
    function: str | None = None,
) -> Iterator[Piece]:
    """Yield the one piece that moves and reverses axes.

    Args:
        target: The new array, contiguous.
        source: The old array, contiguous.
        before: The shape that the old values are taken to have.
        order: Which of those axes comes where.
        after: The shape of the result; the new array is filled through a view of this shape.
        rotate: The axes of the result that are reversed: all spatial ones of a kernel turn it by 180 degrees.
        function: What happens to each value besides.
    """
    moved = source.reshape(before).transpose(order)
    turned = np.flip(moved, rotate) if rotate else moved
    yield Piece(target=target.reshape(after), source=turned, function=function)


def gate_pieces(target: Values, source: Values, gates: int) -> Iterator[Piece]:
    """Yield one piece for each gate of a cuDNN layer's kernel: from (units, inputs) to (inputs, units).

    Gates lie side by side in the form of Keras' own layers, (inputs, units) each; but the values of each are
    counted as cuDNN has them. No view can show that order, so a gate is held in memory while it is moved.

    Args:
        target: The new array, (inputs, gates * units).
        source: The old one, of the same shape.
        gates: How many there are.
    """
    for old, new in zip(np.split(source, gates, -1), np.split(target, gates, -1), strict=True):
        inputs, units = old.shape
        yield Piece(target=new, source=np.ascontiguousarray(old).reshape(units, inputs).T)


def row_pieces(
    target: Values, source: Values, rows: Rows, *, to_last: bool, axis: int = 0, function: str | None = None
) -> Iterator[Piece]:
    """Yield one piece for each segment of rows, which moves its channels last, or first.

    Args:
        target: The new array.
        source: The old array, of the same shape.
        rows: The shape of each flattened map, channels first; a segment (n,) stays as it is.
        to_last: From (C, S...) to (S..., C), or the other way round.
        axis: The axis that the rows lie along.
        function: What happens to each value besides.
    """
    start = 0
    for segment in rows:
        stop = start + math.prod(segment)
        last = (*segment[1:], segment[0])
        ends = (axis, axis + len(segment) - 1)
        old = _segment(source, axis, start, stop, segment if to_last else last)
        new = _segment(target, axis, start, stop, last if to_last else segment)
        moved = np.moveaxis(old, *(ends if to_last else ends[::-1]))
        yield Piece(target=new, source=moved, function=function)
        start = stop


def _segment(array: Values, axis: int, start: int, stop: int, shape: Shape) -> Values:
    """Return a view of some rows in which they have the axes of the map that they were."""
    part = array[(slice(None),) * axis + (slice(start, stop),)]
    return part.reshape(*part.shape[:axis], *shape, *part.shape[axis + 1 :])


def permutation(source: Sequence[str], target: Sequence[str]) -> Shape:
    """Return which axis of an array comes where, by the names of the axes.

    Args:
        source: The names of the old axes; ``1`` is an axis of one element without a meaning.
        target: The names of the new ones.

    Returns:
        A permutation of the old axes; those named ``1`` come first if the new array has none.
    """
    spare = [at for at, name in enumerate(source) if name == "1" and "1" not in target]
    return (*spare, *(source.index(name) for name in target if name in source))


def kernel_shape_first(shape: Shape) -> Shape:
    """Return the shape (O, I, S...) that a kernel of shape (S..., I, O) has in th order."""
    return (shape[-1], shape[-2], *shape[:-2])
