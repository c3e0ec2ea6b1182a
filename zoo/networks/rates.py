"""Rates of dropout, checked where no framework is imported yet."""

from __future__ import annotations

from zoo.errors import ArgumentError
from zoo.numbers import is_real


def check_dropout(rate: float) -> None:
    """Check a rate of dropout.

    Raises:
        ArgumentError: It is none.
    """
    if not is_real(rate) or not 0 <= rate < 1:
        raise ArgumentError(f"dropout={rate!r}: must be a number from 0 up to, but not including, 1")
