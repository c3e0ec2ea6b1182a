"""What makes the arrays of two files of one network equal that are not: a rule of a converter, by its name.

A network that was moved from one framework to another may read the channels of an image in another order, may
be given images on another scale, and may have lost a class that stands for none. Each of these is seen in the
values of its first or its last layer alone, and each is taken to be so only if every bit is right afterwards.
All arrays are in tf form: kernels (H, W, I, O), matrices (I, O).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from converters.arrays.form import Shape
from converters.arrays.moves import Values

CHANNELS = "order of input channels"
SCALE = "folded scale of the input"
CLASS_0 = "dropped class 0"

_DIGITS = 9
"""As many as tell any two values of float32 apart."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Rewritten:
    """Two arrays as a rule has them.

    Attributes:
        first: That of the first file.
        second: That of the second.
        rules: The names of the rules.
        words: What was done, for the layer's line.
    """

    first: Values
    second: Values
    rules: tuple[str, ...]
    words: tuple[str, ...]


def input_rewrites(first: Values, second: Values) -> Iterator[Rewritten]:
    """Yield the kernels of a network's first convolution as each rule has them, the simplest rule first.

    A rule that changes nothing, or that the values do not tell, is left out.

    Args:
        first: A kernel (H, W, I, O).
        second: Another one of the same shape.
    """
    as_is = Rewritten(first=first, second=second, rules=(), words=())
    turned = replace(
        as_is, second=second[..., ::-1, :], rules=(CHANNELS,), words=("input channels reversed",)
    )
    orders = (as_is, turned) if second.shape[-2] > 1 else (as_is,)
    yield from orders[1:]
    for order in orders:
        for one, other, said in _scaled(order.first, order.second):
            rules, words = (*order.rules, SCALE), (*order.words, said)
            yield Rewritten(first=one, second=other, rules=rules, words=words)


def without_class(first: Mapping[str, Shape], second: Mapping[str, Shape]) -> tuple[bool, bool] | None:
    """Return in which of two classifiers class 0 must be dropped for both to have the same; None in neither.

    Args:
        first: The shapes of a classifier's arrays by role, the classes along the last axis.
        second: Those of another one.
    """
    if first.keys() != second.keys():
        return None
    for more, fewer, found in ((first, second, (True, False)), (second, first, (False, True))):
        if all(shape and shape == (*fewer[role][:-1], fewer[role][-1] + 1) for role, shape in more.items()):
            return found
    return None


def _scaled(first: Values, second: Values) -> Iterator[tuple[Values, Values, str]]:
    """Yield kernels of which one is multiplied by what makes it the other: one factor, or one a channel."""
    if first.dtype != second.dtype or first.dtype.kind != "f":
        return
    channels = second.shape[-2]
    for parts in dict.fromkeys((1, channels)):
        for swapped in (False, True):
            whole, fraction = (first, second) if swapped else (second, first)
            pairs = zip(_parts(fraction, parts), _parts(whole, parts), strict=True)
            factors = [_factor(one, other) for one, other in pairs]
            known = [factor for factor in factors if factor is not None]
            if len(known) != parts:
                continue
            product = times(whole, known)
            if not _keeps(whole, product):
                continue
            said = f"times {', '.join(f'{factor:.{_DIGITS}g}' for factor in known)}"
            if swapped:
                yield product, second, f"the first file's {said}"
            else:
                yield first, product, f"the second file's {said}"


def _keeps(whole: Values, product: Values) -> bool:
    """Return whether a product has a value wherever there was one: what became nothing is lost."""
    return np.array_equal(whole == 0, product == 0) and np.array_equal(
        np.isfinite(whole), np.isfinite(product)
    )


def _parts(kernel: Values, count: int) -> list[Values]:
    """Return a kernel as one, or by its input channels."""
    return [kernel] if count == 1 else [kernel[..., channel, :] for channel in range(count)]


def times(kernel: Values, factors: list[float]) -> Values:
    """Return a kernel multiplied by one factor or by one for each input channel, rounded once.

    Args:
        kernel: A kernel (H, W, I, O).
        factors: The factors.
    """
    wide = np.asarray(factors, "f8")[:, np.newaxis]
    with np.errstate(over="ignore", invalid="ignore"):
        product: Values = (kernel.astype("f8") * wide).astype(kernel.dtype)
    return product


def _factor(fraction: Values, whole: Values) -> float | None:
    """Return the positive number other than 1 that most values are multiplied by, if enough values tell it.

    Each pair of values bounds the factor from both sides, as far as rounding leaves it open; the factor lies
    between the bounds of as many pairs as any number does.
    """
    filter_size = math.prod(whole.shape[:-1])
    one, other = fraction.reshape(-1), whole.reshape(-1)
    told = (one != 0) & (np.sign(one) == np.sign(other)) & np.isfinite(one) & np.isfinite(other)
    one, other = np.abs(one[told]), np.abs(other[told])
    if not len(one):
        return None
    wide, tiny = one.astype("f8"), other.astype("f8")
    low = (wide + np.nextafter(one, one.dtype.type(0)).astype("f8")) / 2 / tiny
    high = (wide + np.nextafter(one, one.dtype.type(np.inf)).astype("f8")) / 2 / tiny
    starts, ends = np.sort(low), np.sort(high)
    covering = np.arange(1, len(starts) + 1) - np.searchsorted(ends, starts, side="left")
    start = starts[int(np.argmax(covering))]
    agreeing = (low <= start) & (start <= high)
    # Fewer different values than a filter has are no proof: any number is the multiple of another.
    if len(np.unique(other[agreeing])) < filter_size:
        return None
    factor = _shortest(start, float(np.min(high[agreeing])))
    return None if factor == 1 else factor


def _shortest(low: float, high: float) -> float:
    """Return the number of the fewest digits between two bounds, as it is or as float32 has it."""
    middle = (low + high) / 2
    if low <= 1 <= high:
        return 1.0
    for digits in range(1, 17):
        short = float(f"{middle:.{digits}g}")
        for candidate in (short, float(np.float32(short))):
            if low <= candidate <= high:
                return candidate
    return middle
