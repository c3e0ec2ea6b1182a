"""The order of the rows of a matrix that follows a flattened feature map, as text and as numbers.

``512x7x7`` is one map of 512 channels, 7 high and 7 wide. ``4x4x5+6`` is such a map and six more values
behind it, as a concatenation of a flattened map with a vector gives. ``512x7x7:reshape`` is a map whose
values a ``Reshape`` took as they lie, in the network's own layout; a ``Flatten`` does so too up to Keras 2.1,
and puts the channels last by itself from 2.2 on. ``none`` is said of rows that come from no map.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from converters.arrays.form import Rows
from converters.errors import ArgumentError
from converters.limits import clipped

_ROWS = re.compile(r"[1-9]\d*(?:x[1-9]\d*)*(?:\+[1-9]\d*(?:x[1-9]\d*)*)*")
_RESHAPE = ":reshape"
_NONE = "none"


@dataclass(frozen=True, kw_only=True)
class Flattened:
    """What a layer's rows are: a fact about the network, whatever form its file is in.

    Attributes:
        rows: The flattened maps in the order of the rows, channels first; None if no map was flattened.
        source: Who told: ``user``, ``record``, ``structure``, ``model_config``, ``inputs`` (a file of
            Caffe says whose outputs a layer takes) or ``order``; two facts are the same whoever told them.
        reshaped: Whether the values were taken as they lie in every version of Keras, as by a Reshape.
    """

    rows: Rows | None
    source: str = field(compare=False)
    reshaped: bool = False

    @property
    def text(self) -> str:
        """The fact as :func:`parse_flattened` reads it."""
        if self.rows is None:
            return _NONE
        return rows_text(self.rows) + (_RESHAPE if self.reshaped else "")


def parse_flattened(text: str, source: str) -> Flattened:
    """Return what a text such as ``512x7x7``, ``4x4x5+6``, ``512x7x7:reshape`` or ``none`` says of rows.

    Args:
        text: The text.
        source: Who said it.

    Raises:
        ArgumentError: If the text has another form.
    """
    if text.lower() == _NONE:
        return Flattened(rows=None, source=source)
    plain = text.removesuffix(_RESHAPE)
    return Flattened(rows=parse_rows(plain), source=source, reshaped=plain != text)


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
