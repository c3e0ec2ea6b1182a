"""Products of two values, sample by sample, and what is divided by its length."""

from __future__ import annotations

from typing import Any

from converters.limits import shown
from converters.upgrading.drawing import Value, straight
from converters.upgrading.settings import sizes
from converters.upgrading.use import Use

EPSILON = 1e-7
"""What K.epsilon() is unless somebody set it: keras/backend/common.py."""


def dot(use: Use, first: Value, second: Value, axes: tuple[int, int], *, suffix: str = "") -> Value:
    """Draw a product of two values, summed along one axis of each.

    Vectors and matrices alone: of more axes TensorFlow multiplied the last two, Theano all that are left, in
    batch_dot() of keras/backend, Keras 1.0 to 2.2.
    """
    if max(first.rank, second.rank) > 2 or min(first.rank, second.rank) < 1:
        raise use.refuse("it multiplies what is no vector and no matrix")
    if any(not 0 < axis <= value.rank for axis, value in zip(axes, (first, second), strict=True)):
        raise use.refuse(f"its axes {list(axes)} are none of the values'")
    sizes_ = {first.shape[axes[0]], second.shape[axes[1]]} - {None}
    if len(sizes_) > 1:
        raise use.refuse(f"the axes {list(axes)} that it sums along are of several sizes")
    rank = max(first.rank + second.rank - 2, 1)
    settings = {"axes": list(axes), "normalize": False}
    return use.draw("Dot", settings, first, second, suffix=suffix, axes=straight(rank))


def l2_normalized(use: Use, value: Value, axis: int, *, suffix: str, floor: float | None = None) -> Value:
    """Draw x / sqrt(max(sum of x^2 along an axis, e)): l2_normalize() of keras/backend.

    Args:
        use: The use of the layer.
        value: What comes in.
        axis: The axis, counted with the batch's.
        suffix: What is put behind the layer's name.
        floor: e; by default what the backend and the version had for it.
    """
    least = _floor(use) if floor is None else floor
    along = {"axis": axis, "keepdims": True}
    square = use.draw("Multiply", {}, value, value, suffix=f"{suffix}_square")
    length = use.draw("Sum", along, square, suffix=f"{suffix}_sum", axes=value.axes)
    if least:
        length = use.draw("ops.Maximum", {}, length, suffix=f"{suffix}_positive", call={"x2": least})
    root = use.draw("Sqrt", {}, length, suffix=f"{suffix}_length")
    return use.draw("Divide", {}, value, root, suffix=suffix, axes=value.axes)


def _floor(use: Use) -> float:
    """Return e: of theano_backend.py, Keras 1.2, 2.0.5 and 2.0.8 to 2.3.1, and of tf.nn.l2_normalize."""
    if not use.origin.theano:
        return 1e-12
    if use.origin.version < (2,):
        return 0.0
    if (2, 0, 5) < use.origin.version < (2, 0, 8):
        raise use.refuse("which lengths this version took for zero is not known")
    return 1e-12 if use.origin.version <= (2, 0, 5) else EPSILON


def axes_of(use: Use, said: Any) -> tuple[int, int]:  # noqa: ANN401 - any JSON
    """Return the axis of each of two values that a layer sums along, from the front."""
    found = sizes(said, 2)
    if found is None or len(use.values) != 2:
        raise use.refuse(f"{len(use.values)} values feed it, and it sums along {shown(said)}")
    if min(found) < 0 and use.origin.keras1 and use.origin.version < (1, 1):
        raise use.refuse("which axes are meant by negative ones is not known in this version")
    ranks = [value.rank + 1 for value in use.values]
    first, second = (axis + rank if axis < 0 else axis for axis, rank in zip(found, ranks, strict=True))
    return first, second


def dotted(use: Use) -> Value:
    """Draw a Dot, or a Merge of mode ``dot``."""
    return _multiplied(use, normalize=bool(use.said["normalize"]))


def merged(use: Use) -> Value:
    """Draw a Merge of mode ``dot``."""
    return _multiplied(use, normalize=False)


def _multiplied(use: Use, *, normalize: bool) -> Value:
    axes = axes_of(use, use.said["axes"])
    first, second = _both(use)
    if normalize:
        use.tell("both values divided by their lengths, and their product")
        first = l2_normalized(use, first, axes[0], suffix="_first")
        second = l2_normalized(use, second, axes[1], suffix="_second")
    return dot(use, first, second, axes)


def cosine(use: Use) -> Value:
    """Draw a Merge of mode ``cos``: the product of a and b over max(sqrt(a a * b b), epsilon), (N, 1, 1)."""
    axes = axes_of(use, use.said["axes"])
    first, second = _both(use)
    if first.rank != 1 or second.rank != 1:
        raise use.refuse("it compares what is no vector")
    use.tell("the product of both over the root of that of each with itself")
    ones = dot(use, first, first, (axes[0], axes[0]), suffix="_first")
    others = dot(use, second, second, (axes[1], axes[1]), suffix="_second")
    square = use.draw("Multiply", {}, ones, others, suffix="_square")
    root = use.draw("Sqrt", {}, square, suffix="_root")
    length = use.draw("ops.Maximum", {}, root, suffix="_length", call={"x2": EPSILON})
    product = dot(use, first, second, axes, suffix="_product")
    quotient = use.draw("Divide", {}, product, length, suffix="_quotient", axes=(0,))
    return use.draw("Reshape", {"target_shape": [1, 1]}, quotient, axes=(0, 1))


def _both(use: Use) -> tuple[Value, Value]:
    """Return what comes in as it stood in the old network."""
    if any(value.masked for value in use.values):
        raise use.refuse("masked steps flow into it")
    if use.timewise is not None:
        raise use.refuse("it lies in a TimeDistributed")
    first, second = map(use.straight, use.values)
    return first, second
