"""What is to be planned, and by which rules a layer's arrays go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from converters.arrays.form import Form
from converters.arrays.planned import PlannedArray
from converters.arrays.rows import Flattened
from converters.formats.description import Description
from converters.layers.model import Part
from converters.layers.names import is_kind
from converters.layers.rules import is_rotated
from converters.layers.table import (
    KINDS,
    OTHER,
    rule_of,
)
from converters.planning.structures import Match, MatchedLayer


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be planned, but for what the file is."""

    description: Description
    target: Form
    to: str | None
    flatten: Mapping[str, Flattened]
    match: Match | None
    fold: bool
    lenient: bool
    scale: bool
    published: bool
    joined: Mapping[str, str]


def kind_by_rules(part: Part, pair: MatchedLayer | None) -> str:
    """Return the kind whose rules a layer follows: the structure's word, then the file's.

    A class of somebody's own is believed all the same: that its arrays are those of the structure's layer
    does not make it one.
    """
    foreign = part.kind is not None and (part.kind == OTHER or not is_kind(part.kind))
    return pair.expected.kind if pair and not foreign else str(part.kind)


def alike(kind: str | None) -> str | None:
    """Return the kind whose arrays look the same in Keras 0 and 1, so that shapes cannot tell which it is."""
    found = KINDS.get(str(kind))
    return found.alike if found else None


def holds_kernels(arrays: Iterable[PlannedArray]) -> bool:
    """Return whether there are kernels among the arrays that Theano and TensorFlow store otherwise."""
    return any(is_rotated(rule_of(array.kind, array.role)) for array in arrays)
