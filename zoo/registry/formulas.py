"""A recipe of preprocessing as people write it: ``(x / 255 - [0.485, ...]) / [0.229, ...]``.

The registry says ``(x - mean) * scale`` of all of them. Papers and code divide first, or last, so that no odd
numbers are left; of some ways to write the same this takes the one with the fewest digits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

_WHITE = 255.0
"""The largest value of an image."""

_EXACT = 1e-12
"""How far a short number may be from what it stands for, relatively: what rounding leaves of a division."""


def formula(mean: Sequence[float], scale: Sequence[float]) -> str:
    """Return ``(x - mean) * scale`` with the fewest digits, for an image x with values from 0 to 255.

    Args:
        mean: For each channel.
        scale: For each channel.
    """
    if not any(mean) and set(scale) == {1.0}:
        return "x as it is, from 0 to 255: any rescaling is inside the network"
    units = [1.0, _WHITE, *(1 / one for one in set(scale) if len(set(scale)) == 1)]
    return min((_divided_by(unit, mean, scale) for unit in units), key=_digits)


def _digits(text: str) -> int:
    return sum(sign.isdigit() for sign in text)


def _divided_by(unit: float, mean: Sequence[float], scale: Sequence[float]) -> str:
    """Return the formula that divides by a number before anything else."""
    image = "x" if unit == 1 else f"x / {_number(unit)}"
    less, times = [one / unit for one in mean], [one * unit for one in scale]
    centred = f"{image} - {_numbers(less)}" if any(less) else image
    if all(_is_nearly(one, 1) for one in times):
        return centred
    inner = f"({centred})" if any(less) else centred
    multiplied, divided = _numbers(times), _numbers([1 / one for one in times])
    return f"{inner} * {multiplied}" if len(multiplied) <= len(divided) else f"{inner} / {divided}"


def _numbers(values: Sequence[float]) -> str:
    """Return one number for all channels if it is the same, else a list of them."""
    texts = [_number(value) for value in values]
    return texts[0] if len(set(texts)) == 1 else f"[{', '.join(texts)}]"


def _number(value: float) -> str:
    short = f"{value:.6g}"
    return short if _is_nearly(float(short), value) else repr(value)


def _is_nearly(value: float, wanted: float) -> bool:
    return math.isclose(value, wanted, rel_tol=_EXACT)
