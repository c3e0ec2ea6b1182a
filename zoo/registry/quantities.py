"""Numbers as people write them: ``30M`` parameters, ``4.5M``, ``100 MB``."""

from __future__ import annotations

import re
from collections.abc import Mapping

from zoo.numbers import is_real

_WRITTEN = r"(?P<number>[0-9][0-9_,]*(?:\.[0-9]+)?|\.[0-9]+) ?(?P<unit>[A-Za-z%]*)"

COUNTS: Mapping[str, int] = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "g": 10**9}
"""What may stand behind a number of things."""

MEGABYTES: Mapping[str, int] = {
    "": 10**6,
    "b": 1,
    "k": 10**3,
    "kb": 10**3,
    "m": 10**6,
    "mb": 10**6,
    "g": 10**9,
    "gb": 10**9,
}
"""What may stand behind a size; a bare number is one of megabytes, as lists print them."""

PER_CENT: Mapping[str, int] = {"": 1, "%": 1}
"""What may stand behind a share in per cent."""


def quantity(given: object, units: Mapping[str, int]) -> float | None:
    """Return a number that is not negative; ``None`` if it is none.

    Args:
        given: A number, or its text: digits, with ``_`` or ``,`` between them if wanted, and a unit.
        units: What each unit, in lower case, is in the number that is returned.
    """
    if is_real(given):
        return given * units[""] if given >= 0 else None
    found = re.fullmatch(_WRITTEN, given.strip()) if isinstance(given, str) else None
    if found is None or found["unit"].lower() not in units:
        return None
    from fractions import Fraction  # only who filters pays for this import

    return float(Fraction(re.sub("[_,]", "", found["number"])) * units[found["unit"].lower()])
