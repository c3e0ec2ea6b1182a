"""Which layers follow a flattened feature map, and of what shape: a fact about the network.

The first of these that tells is believed: the user, the record of an earlier conversion, the structure that
the file holds, the configuration of a whole model, the inputs that a file of Caffe names, and what the order
of the layers proves. Whatever is left may follow a flattened map or not, which no shape can tell. Whether
rows move, and so whether it has to be known, is a matter of the two ends of a conversion, never of who told
it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import cast

from converters.arrays.form import Layout, Rows, Shape
from converters.arrays.rows import Flattened, parse_flattened, row_count
from converters.errors import ArgumentError, checked_texts, counted
from converters.formats.description import Description
from converters.layers.following import flattened_inputs
from converters.layers.model import Part, plain_name
from converters.layers.rules import Rule, axes_of
from converters.layers.table import GATES, OTHER, PerInput, per_input, rules_of, space_of
from converters.planning.structures import Match

Flatten = Mapping[str, Shape | Rows | str | None]
"""What a user says of rows: the (C, H, W) of a layer's map, several of them, a text, or None for no map."""


def parse_flatten(texts: Sequence[str]) -> dict[str, Rows | str | None]:
    """Return what ``--flatten`` arguments mean.

    Args:
        texts: Each ``LAYER=CxHxW``, or ``LAYER=none`` for a layer that follows no flattened map; a
            concatenation of a flattened map with 6 other values is ``LAYER=CxHxW+6``, and a map that a
            Reshape has made a vector of is ``LAYER=CxHxW:reshape``, which is returned as this text. In
            ``LAYER``, ``*`` stands for any characters: ``*=none`` is said of all that nothing else tells of.

    Raises:
        ArgumentError: If a text has another form.

    Examples:
        >>> import converters
        >>> converters.parse_flatten(["fc1=512x7x7", "fc2=none"])
        {'fc1': ((512, 7, 7),), 'fc2': None}
    """
    parsed: dict[str, Rows | str | None] = {}
    for text in checked_texts(texts, "texts"):
        layer, equals, value = text.rpartition("=")
        if not equals or not layer:
            raise ArgumentError(f"--flatten takes LAYER=CxHxW or LAYER=none, not {text!r}")
        said = parse_flattened(value, "user")
        parsed[layer] = said.text if said.reshaped else said.rows
    return parsed


def said_flattened(flatten: Flatten) -> dict[str, Flattened]:
    """Return what a user says of rows, by layer.

    Raises:
        ArgumentError: If something is neither a shape, nor several, nor a text, nor None.
    """
    return {layer: _said(layer, value) for layer, value in flatten.items()}


def _said(layer: str, value: Shape | Rows | str | None) -> Flattened:
    if value is None:
        return Flattened(rows=None, source="user")
    if isinstance(value, str):
        return parse_flattened(value, "user")
    segments: tuple[object, ...] = tuple(value) if isinstance(value, tuple | list) else ()
    if not any(isinstance(segment, tuple | list) for segment in segments):
        segments = (segments,)
    sizes = [size for segment in segments if isinstance(segment, tuple | list) for size in segment or (0,)]
    if len(sizes) < len(segments) or not all(isinstance(size, Integral) and int(size) > 0 for size in sizes):
        raise ArgumentError(f"flatten of {layer!r} must be (channels, height, width) or None, not {value!r}")
    rows = cast(Rows, tuple(tuple(map(int, segment)) for segment in cast(Rows, segments)))
    return Flattened(rows=rows, source="user")


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """A layer with rows of which nobody tells whether they come from a flattened map.

    Attributes:
        part: The layer.
        rows: How many it has.
        channels: The channels of the convolution before it, 0 if that is not known.
    """

    part: Part
    rows: int
    channels: int

    @property
    def windows(self) -> bool:
        """Whether they are those of the windows of a locally connected layer."""
        return has_windows(self.part)


def learn_flattened(
    description: Description,
    layout: Layout,
    *,
    user: Mapping[str, Flattened] | None = None,
    match: Match | None = None,
) -> tuple[dict[str, Flattened], list[Unknown]]:
    """Return what the rows of layers are, as far as anything tells, and the layers of which nothing does.

    Args:
        description: The file.
        layout: Its layout.
        user: What the user says, by layer or by a pattern.
        match: The structure that the file holds.

    Raises:
        ArgumentError: If the user names a layer that the file lacks or that has no rows, or a shape that does
            not fit its rows.
    """
    called, said = _called(description), user or {}
    patterns = {name: said[name] for name in said if _ANY in name and plain_name(name) not in called}
    names = {name: said[name] for name in said if name not in patterns}
    told, unknown = _learnt(description, layout, names, match)
    by_patterns = _by_patterns(patterns, unknown)
    return _learnt(description, layout, names | by_patterns, match) if by_patterns else (told, unknown)


def _learnt(
    description: Description, layout: Layout, user: Mapping[str, Flattened], match: Match | None
) -> tuple[dict[str, Flattened], list[Unknown]]:
    by_user = _by_user(description, user)
    told: dict[str, Flattened] = {}
    for source in (
        by_user,
        _by_record(description),
        _by_match(match),
        _by_config(description, layout),
        _by_inputs(description),
    ):
        told = {**source, **told}
    counts = _row_counts(description)
    told = {name: found for name, found in told.items() if name in by_user or _fits(found, counts[name])}
    unknown = _by_order(description, layout, told)
    told = _with_vectors(description, told)
    return told, [*unknown, *_vectors_left(description, layout, told)]


_ANY = "*"


def _fits_pattern(name: str, pattern: str) -> bool:
    """Tell whether a pattern stands for a layer's name: no character of it but ``*`` is special."""
    regular = ".*".join(map(re.escape, plain_name(pattern).split(_ANY)))
    return re.fullmatch(regular, plain_name(name), re.DOTALL) is not None


def _by_patterns(patterns: Mapping[str, Flattened], unknown: Sequence[Unknown]) -> dict[str, Flattened]:
    """Return what the first pattern that fits says of each layer of which nothing else tells.

    A window of a map is never none.
    """
    told = {}
    for left in unknown:
        fitting = (said for pattern, said in patterns.items() if _fits_pattern(left.part.name, pattern))
        said = next(fitting, None)
        if said is not None and not (left.windows and said.rows is None):
            told[left.part.name] = said
    return told


def _row_counts(description: Description) -> defaultdict[str, set[int]]:
    """Return how many rows the layers of a name have; of another name there are none."""
    counts: defaultdict[str, set[int]] = defaultdict(set)
    for part in description.parts:
        if _has_rows(part):
            counts[part.name].add(_row_count_of(part))
    return counts


def _fits(found: Flattened, counts: Collection[int]) -> bool:
    """Return whether a map has as many values as a layer has rows; one that has not tells nothing."""
    return found.rows is None or counts == {row_count(found.rows)}


def question(description: Description, unknown: Sequence[Unknown]) -> str:
    """Return what has to be asked about layers of which nobody tells; the message says what would fit."""
    lines = [f"{description.path}: it cannot be told from the file what is in front of"]
    for left in unknown:
        after = f", after a convolution with {counted(left.channels, 'channel')}" if left.channels else ""
        what = "values in each window of a map" if left.windows else "rows"
        lines.append(f"  {left.part.name} ({left.rows} {what}{after}): {_offer(left)}")
    matrices = sum(not left.windows for left in unknown)
    return "\n".join([*lines, *_ADVICE, *([_AT_ONCE] if matrices > 1 else [])])


_ADVICE = (
    "Rows that come from a flattened feature map move with the layout. Give the map's channels, height and",
    "width (those shown are only one possibility), or none if nothing is flattened there, or only the output",
    "of a 1-D convolution.",
)
_AT_ONCE = "If nothing is flattened in front of any of them, say so at once: --flatten '*=none'."


def _offer(left: Unknown) -> str:
    name, rows, channels = left.part.name, left.rows, left.channels
    none = "" if left.windows else f"--flatten {name}=none"
    joint = f" or {none}" if none else ""
    if not channels:
        place = " of its window" if left.windows else ""
        return f"--flatten {name}=CHANNELSxHEIGHTxWIDTH{place}{joint}"
    if rows % channels:
        return f"no map of {channels} channels fits; {none}"
    area = rows // channels
    height = next(side for side in range(int(area**0.5), 0, -1) if area % side == 0)
    return f"--flatten {name}={channels}x{height}x{area // height}{joint}"


def flattens_last(description: Description) -> bool:
    """Return whether Flatten puts the channels last by itself: by default from Keras 2.2, and in tf.keras."""
    new = description.version >= (2, 2) or (description.keras_version or "").endswith("-tf")
    return description.dialect in ("keras3", "plain") or (description.dialect == "keras2" and new)


def has_windows(part: Part) -> bool:
    """Return whether a layer's kernel holds flattened windows of a feature map."""
    return per_input(part.kind) is PerInput.WINDOW


def _has_rows(part: Part) -> bool:
    return per_input(part.kind) is not PerInput.NOTHING


def _has_rows_of_kernel(part: Part) -> bool:
    return per_input(part.kind) in (PerInput.ROW, PerInput.ROW_AND_OUTPUT)


def _has_matrix(part: Part) -> bool:
    """Return whether a layer has a kernel with a row for each input."""
    return _has_rows_of_kernel(part) and part.array("kernel") is not None


def _makes_maps(part: Part) -> bool:
    """Return whether a layer gives feature maps, not only sequences."""
    return space_of(part.kind) > 1


def _rows_axis(part: Part) -> int:
    rule = rules_of(part.kind).get("kernel")
    return 1 if rule in (Rule.WINDOWS, Rule.FEATURE_ROWS) else 0


def _row_count_of(part: Part) -> int:
    """Return how many inputs a layer's arrays say that it has."""
    array = part.array("kernel") or part.arrays[0]
    return array.flat[1 if array.turned else _rows_axis(part)]


def _called(description: Description) -> dict[str, Part]:
    """Return the layers that a user can name."""
    parts = {plain_name(layer.name): part for layer in description.weighted for part in layer.parts[:1]}
    return parts | {plain_name(part.name): part for part in description.parts}


def _by_user(description: Description, user: Mapping[str, Flattened]) -> dict[str, Flattened]:
    parts = _called(description)
    told = {}
    for name, said in user.items():
        if plain_name(name) not in parts:
            raise ArgumentError(
                f"{description.path}: flatten names {name!r}, but no layer with weights has that name"
            )
        part = parts[plain_name(name)]
        _check_said(description, part, said)
        told[part.name] = said
    return told


def _check_said(description: Description, part: Part, said: Flattened) -> None:
    """Raise unless what the user says of a layer may be so."""
    if said.rows is None:
        return
    name = f"{description.path}: layer {part.name!r}"
    if not _has_rows(part):
        raise ArgumentError(f"{name} is of kind {part.kind}, which has no rows: flatten says nothing of it")
    if (has := _row_count_of(part)) != row_count(said.rows):
        text = f"flatten {said.text} (user) gives {counted(row_count(said.rows), 'row')}"
        raise ArgumentError(f"{name} has {counted(has, 'row')}, but {text}")
    if said.reshaped and has_windows(part):
        raise ArgumentError(f"{name} has windows, which nothing reshapes; say flatten without ':reshape'")


def _by_record(description: Description) -> dict[str, Flattened]:
    network = description.record.network if description.record else None
    layers = network.by_name() if network else {}
    return {
        part.name: facts.flattened
        for layer in layers.values()
        for facts in layer.parts
        for part in _parts_of(description, layer.name, facts.name)
        if facts.flattened is not None
    }


def _parts_of(description: Description, layer: str, name: str) -> list[Part]:
    return [part for part in description.parts_by_layer.get(layer, ()) if part.name == name]


def _by_match(match: Match | None) -> dict[str, Flattened]:
    if match is None:
        return {}
    return {
        pair.layer.name: Flattened(
            rows=(pair.expected.flatten,) if pair.expected.flatten else None, source="structure"
        )
        for pair in match.layers
    }


def _by_config(description: Description, layout: Layout) -> dict[str, Flattened]:
    if description.model_config is None:
        return {}
    inputs = flattened_inputs(description.model_config, layout)
    found = {}
    for layer in description.weighted:
        for part in layer.parts:
            name = part.name if part.name in inputs else layer.name
            if name in inputs:
                found[part.name] = inputs[name]
    return found


def _by_inputs(description: Description) -> dict[str, Flattened]:
    """Return the layers that take what never was a map, as a file of Caffe says."""
    inputs = description.inputs or {}
    names = (part.name for part in description.parts if _has_rows(part))
    return {name: Flattened(rows=None, source="inputs") for name in names if inputs.get(name, 0) is None}


_FEWEST = 4
"""Rows that a map of two channels and two places gives: fewer come from none whose rows could move."""


def _by_order(description: Description, layout: Layout, told: dict[str, Flattened]) -> list[Unknown]:
    """Add what the order of the layers proves, and return the rest.

    A matrix after convolutions has rows of its own if it has as many as the vector before it has values, or
    as the convolution before it has channels. Both may happen by chance: if a layer before it, which is or
    may be behind a flattened map, has as many rows, both may be fed by that map; and if the channels of
    another convolution fit into the rows, the map may be that one's.
    """
    order = _Order(description=description, layout=layout)
    before: Part | None = None
    for part in description.parts:
        if part.direction == "backward" and before is not None:
            # Both layers of a Bidirectional have the same inputs.
            if before.name in told:
                told.setdefault(part.name, told[before.name])
            continue
        before = part
        if order.asks(part, told.get(part.name)):
            order.unknown.append(order.as_unknown(part))
        elif _has_matrix(part):
            told.setdefault(part.name, Flattened(rows=None, source="order"))
        order.pass_by(part, told.get(part.name))
    return order.unknown


class _Order:
    """What is known at a layer from those before it."""

    def __init__(self, *, description: Description, layout: Layout) -> None:
        self._description = description
        self._layout = layout
        self._maps = any(_makes_maps(part) or part.kind == OTHER for part in description.parts)
        self._channels: list[int] = []
        self._units: set[int] = set()
        self._flattened: set[int] = set()
        self.unknown: list[Unknown] = []

    def asks(self, part: Part, said: Flattened | None) -> bool:
        """Return whether a layer may or may not follow a flattened map."""
        if said is not None:
            return False
        if has_windows(part):
            return True
        return _has_matrix(part) and self._may_follow_map(part)

    def _may_follow_map(self, part: Part) -> bool:
        rows = _row_count_of(part)
        if rows < _FEWEST or not self._maps:
            return False
        inputs_are_told = self._description.inputs is not None
        if inputs_are_told or not self._description.ordered or rows in self._flattened:
            return True
        if not self._channels or rows in self._units or rows < min(self._channels):
            return False
        return rows != self._channels[-1] or any(
            channels > 1 and rows > channels and rows % channels == 0 for channels in self._channels
        )

    def as_unknown(self, part: Part) -> Unknown:
        channels = self._channels[-1] if self._channels and self._description.ordered else 0
        if self._description.inputs is not None:
            channels = self._description.inputs.get(part.name) or 0
        return Unknown(part=part, rows=_row_count_of(part), channels=channels)

    def pass_by(self, part: Part, said: Flattened | None) -> None:
        """Go on to the next layer."""
        if _makes_maps(part):
            self._channels.append(_channels(part, self._description, self._layout))
            self._units = set()
        elif part.kind == OTHER:
            # It may give a map of any number of channels: whatever has rows behind it is asked for.
            self._channels.append(0)
            self._units = set()
        elif _has_matrix(part):
            if said is None or said.rows is not None:
                self._flattened.add(_row_count_of(part))
            self._units = _units(part)


def _vectors_left(description: Description, layout: Layout, told: Mapping[str, Flattened]) -> list[Unknown]:
    """Return activations with one value for each input that fit neither the layer before nor the one behind.

    One with a value for all of them fits anything. Where they are behind a convolution, they are behind a
    Flatten too.
    """
    left = []
    sizes: set[int] = set()
    channels = 0
    for part in description.parts:
        if _makes_maps(part):
            channels = _channels(part, description, layout)
            sizes = {channels}
        elif _has_matrix(part):
            sizes |= _units(part)
        elif channels and part.name not in told and _values(part) not in (None, 1, *sizes):
            left.append(Unknown(part=part, rows=_row_count_of(part), channels=channels))
    return left


def _values(part: Part) -> int | None:
    """Return how many values an activation has, one for each of its inputs; None for any other layer."""
    shape = part.arrays[0].shape
    return shape[0] if per_input(part.kind) is PerInput.VALUE and len(shape) == 1 else None


def _channels(part: Part, description: Description, layout: Layout) -> int:
    """Return the channels that a convolution gives."""
    gates = len(GATES.get(str(part.kind), "-"))
    if bias := part.array("bias"):
        return bias.shape[-1] // (gates if bias.gate is None else 1)
    kernel = part.array("pointwise_kernel") or part.arrays[0]
    rule = rules_of(part.kind).get(str(kernel.role), Rule.KEEP)
    axes = axes_of(rule, len(kernel.shape), description.dialect, layout) or ()
    if rule is Rule.DEPTHWISE:
        return kernel.shape[axes.index("I")] * kernel.shape[axes.index("M")]
    return kernel.shape[axes.index("O") if axes else -1]


def _units(part: Part) -> set[int]:
    """Return the sizes of the vectors that a layer may give: a Bidirectional joins two of them."""
    recurrent = part.array("recurrent_kernel")
    if recurrent is not None:
        return {recurrent.shape[0], 2 * recurrent.shape[0]}
    kernel = part.array("kernel")
    return set() if kernel is None else {kernel.shape[0 if kernel.turned else -1]}


def _with_vectors(description: Description, told: dict[str, Flattened]) -> dict[str, Flattened]:
    """Add the layers between a Flatten and a dense layer that have a value for each row: they are rows."""
    result = dict(told)
    waiting: list[Part] = []
    for part in description.parts:
        if all(len(array.shape) == 1 for array in part.arrays):
            waiting.append(part)
        elif _has_rows_of_kernel(part):
            result.update(_vectors_before(part, waiting, told))
            waiting = []
        else:
            waiting = []
    return result


def _vectors_before(dense: Part, waiting: list[Part], told: Mapping[str, Flattened]) -> dict[str, Flattened]:
    found = told.get(dense.name)
    if found is None or found.rows is None:
        return {}
    rows = row_count(found.rows)
    return {
        part.name: found
        for part in waiting
        if part.name not in told and part.arrays[0].shape[0] == rows and len(found.rows[0]) > 1
    }
