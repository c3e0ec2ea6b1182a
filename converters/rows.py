"""The order of the rows of a matrix that follows a flattened feature map, as text and as numbers.

``512x7x7`` is one map of 512 channels, 7 high and 7 wide. ``4x4x5+6`` is such a map and six more values
behind it, as a concatenation of a flattened map with a vector gives.
"""

from __future__ import annotations

import math
import re

from converters.errors import ArgumentError
from converters.layouts import Rows
from converters.limits import clipped

_ROWS = re.compile(r"[1-9]\d*(?:x[1-9]\d*)*(?:\+[1-9]\d*(?:x[1-9]\d*)*)*")


def parse_rows(text: str) -> Rows:
    """Return the rows that a text such as ``512x7x7`` or ``4x4x5+6`` means.

    Raises:
        ArgumentError: If the text has another form.
    """
    if not _ROWS.fullmatch(text):
        raise ArgumentError(f"a feature map is written CxHxW, for instance 512x7x7, not {clipped(text)}")
    return tuple(tuple(int(number) for number in segment.split("x")) for segment in text.split("+"))


def rows_text(rows: Rows) -> str:
    """Return rows as :func:`parse_rows` reads them."""
    return "+".join("x".join(map(str, segment)) for segment in rows)


def row_count(rows: Rows) -> int:
    """Return the number of rows."""
    return sum(math.prod(segment) for segment in rows)
