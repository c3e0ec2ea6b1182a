"""Whether there are rules for every layer, and what is said where there are none."""

from __future__ import annotations

from dataclasses import replace

from converters.errors import ConversionError
from converters.formats.description import Description
from converters.layers.infer import infer_kind
from converters.layers.model import Layer, Part, as_other, two_ways
from converters.layers.rules import Rule
from converters.layers.table import (
    KINDS,
    OTHER,
    RULES,
    WAYS,
    is_recurrent,
    rules_of,
    space_of,
)
from converters.planning.request import Request, kind_by_rules
from converters.planning.structures import Match


def check_kinds(description: Description, match: Match | None) -> None:
    """Raise for the first layer whose kind has no rule, or whose arrays are not those of its kind.

    Raises:
        ConversionError: With the layer, its arrays, and what is known.
    """
    pairs = match.by_layer() if match else {}
    for layer in description.weighted:
        for part in layer.parts:
            if not _has_rules(part, kind_by_rules(part, pairs.get(layer.name)), description.dialect):
                raise ConversionError(_refusal(description, part))
    check_maps(description)


def _has_rules(part: Part, kind: str, dialect: str) -> bool:
    """Return whether there is a rule for each array of a layer."""
    if kind == OTHER:
        return True
    rules = rules_of(kind)
    unknown = any(array.role not in rules for array in part.arrays)
    repeated = len({array.full_role for array in part.arrays}) < len(part.arrays)
    rank = part.arrays[0].rank
    ranks = KINDS[kind].ranks if kind in KINDS else None
    odd = (ranks is not None and rank not in ranks) or not _is_recurrent(part, kind, dialect)
    return not (unknown or repeated or odd)


def with_others(request: Request) -> Description:
    """Return a file with the kind Other for every layer without a rule, for what is not to be moved."""
    description = request.description
    pairs = request.match.by_layer() if request.match else {}

    def settled(layer: Layer) -> Layer:
        fits = [
            _has_rules(part, kind_by_rules(part, pairs.get(layer.name)), description.dialect)
            for part in layer.parts
        ]
        if all(fits):
            return layer
        if layer.kind is None:
            whole = Part(name=layer.name, kind=None, arrays=layer.arrays)
            return replace(layer, parts=(as_other(whole),), kind=OTHER)
        parts = tuple(part if fit else as_other(part) for part, fit in zip(layer.parts, fits, strict=True))
        return replace(layer, parts=parts, kind=OTHER if len(parts) == 1 else layer.kind)

    return replace(description, layers=tuple(map(settled, description.layers)))


def _is_recurrent(part: Part, kind: str, dialect: str) -> bool:
    """Return whether the arrays of a recurrent layer fit each other; True for any other layer."""
    if not is_recurrent(kind):
        return True
    return infer_kind({array.full_role: array.shape for array in part.arrays}, dialect) == kind


def check_maps(description: Description) -> None:
    """Raise for a map of four axes that may be a sequence of maps: where its channels lie cannot be told."""
    if any(space_of(part.kind) > 2 for part in description.parts):
        return
    for part in description.parts:
        for array in part.arrays:
            rule = rules_of(part.kind).get(str(array.role))
            if rule is Rule.MAP and len(array.shape) > 3:
                text = f"layer {part.name!r} ({part.kind}) has {array.name} {array.shape}, and nothing is 3-D"
                raise ConversionError(f"{description.path}: {text}: a sequence of maps is not converted")


def _refusal(description: Description, part: Part) -> str:
    shapes = ", ".join(f"{array.name} {array.shape}" for array in part.arrays)
    known = ", ".join(RULES)
    what = f"is of kind {part.kind}" if part.kind else "is of a kind that its arrays do not tell"
    if part.kind in RULES:
        what = f"should be of kind {part.kind}, but its arrays are not"
    hint = f"say --layer {part.name}={OTHER} to carry its arrays as they are, or {_like(description, part)}"
    return f"{description.path}: layer {part.name!r} {what} ({shapes}); {hint}; there are rules for {known}"


def _like(description: Description, part: Part) -> str:
    """Return how to say the kind of a layer: by the kind that its arrays fit, if they fit one."""
    if part.kind is None and two_ways(part.arrays):
        return f"--layer {part.name}={WAYS} if it has two directions"
    roles = {array.full_role: array.shape for array in part.arrays}
    told = part.kind is not None and len(roles) == len(part.arrays)
    kind = infer_kind(roles, description.dialect) if told else None
    if kind is None or kind == part.kind:
        return f"--layer {part.name}=KIND for what it is"
    return f"--layer {part.name}={kind} if it works as a {kind} does"
