"""Which layers follow a flattened feature map, and of what shape: only there do rows move with the layout.

The first of these that tells is believed: the user, the record of an earlier conversion, the structure that
the file holds, the configuration of a whole model, and what the order of the layers proves. Whatever is left
may follow a flattened map or not, which no shape can tell, and is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from converters.dialects import Description
from converters.errors import ArgumentError, ConversionError, UnknownFlattenError
from converters.layouts import Layout, Rows
from converters.model_config import flattened_inputs
from converters.parts import Part
from converters.rows import parse_rows, row_count, rows_text
from converters.rules import NATIVE, OTHER, RULES, Rule
from converters.structures import Match, plain_name


@dataclass(frozen=True, kw_only=True)
class Flattened:
    """What a layer's rows are.

    Attributes:
        rows: The flattened maps in the order of the rows, channels first; None if no map was flattened.
        source: Who told: ``user``, ``record``, ``structure``, ``model_config``, ``keras version`` or
            ``order``.
    """

    rows: Rows | None
    source: str


def parse_flatten(texts: list[str] | tuple[str, ...]) -> dict[str, Rows | None]:
    """Return what ``--flatten`` arguments mean.

    Args:
        texts: Each ``LAYER=CxHxW``, or ``LAYER=none`` for a layer that follows no flattened map; a
            concatenation of a flattened map with 6 other values is ``LAYER=CxHxW+6``.

    Raises:
        ArgumentError: If a text has another form.
    """
    parsed: dict[str, Rows | None] = {}
    for text in texts:
        layer, equals, value = text.rpartition("=")
        if not equals or not layer:
            raise ArgumentError(f"--flatten takes LAYER=CxHxW or LAYER=none, not {text!r}")
        parsed[layer] = None if value.lower() == "none" else parse_rows(value)
    return parsed


def flattened_layers(
    description: Description,
    layout: Layout,
    *,
    user: Mapping[str, Rows | None] | None = None,
    match: Match | None = None,
    moved_by_version: bool = True,
) -> dict[str, Flattened]:
    """Return what the rows of every layer with rows are, for a conversion that may move them.

    Args:
        description: The file.
        layout: Its layout.
        user: What the user says, by layer.
        match: The structure that the file holds.
        moved_by_version: Whether rows stay in a file of a version whose Flatten puts the channels last by
            itself. False if the new file's version does not.

    Raises:
        ArgumentError: If the user names a layer that the file lacks, or a shape that does not fit its rows.
        UnknownFlattenError: If a layer is left of which nobody tells; the message says what would fit.
    """
    by_user = _by_user(description, user or {})
    _check_rows(description, by_user)
    by_config = _by_config(description, layout)
    sources: tuple[dict[str, Flattened], ...]
    if flattens_last(description) and moved_by_version:
        # Here a user's map does not say that its rows move: only the file and its record can. Windows of a
        # locally connected layer are no matter of Flatten.
        windows = {part.name for part in description.parts if _has_windows(part)}
        said = {name: found for name, found in by_user.items() if name in windows}
        sources = (said, _by_record(description), by_config, _by_version(description, windows))
    elif flattens_last(description):
        sources = (by_user, _by_record(description))
    else:
        sources = (by_user, _by_record(description), _by_match(match), by_config)
    told: dict[str, Flattened] = {}
    for source in sources:
        told = {**source, **told}
    left = _by_order(description, layout, told)
    _check_rows(description, told)
    if left:
        raise UnknownFlattenError(_question(description, left))
    return _with_vectors(description, told)


def _has_windows(part: Part) -> bool:
    return RULES.get(str(part.kind), {}).get("kernel") is Rule.WINDOWS


def _rows_axis(part: Part) -> int:
    rule = RULES.get(str(part.kind), {}).get("kernel")
    return 1 if rule in (Rule.WINDOWS, Rule.FEATURE_ROWS) else 0


def _row_count_of(part: Part) -> int:
    """Return how many inputs a layer's arrays say that it has."""
    return (part.array("kernel") or part.arrays[0]).shape[_rows_axis(part)]


def _by_user(description: Description, user: Mapping[str, Rows | None]) -> dict[str, Flattened]:
    names = {plain_name(layer.name): part.name for layer in description.weighted for part in layer.parts[:1]}
    names |= {plain_name(part.name): part.name for part in description.parts}
    told = {}
    for name, rows in user.items():
        if plain_name(name) not in names:
            raise ArgumentError(
                f"{description.path}: flatten names {name!r}, but no layer with weights has that name"
            )
        told[names[plain_name(name)]] = Flattened(rows=rows, source="user")
    return told


def _by_record(description: Description) -> dict[str, Flattened]:
    if description.record is None or description.record.flatten is None:
        return {}
    known = description.record.flatten
    return {part.name: Flattened(rows=known.get(part.name), source="record") for part in description.parts}


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
                found[part.name] = Flattened(rows=inputs[name], source="model_config")
    return found


def flattens_last(description: Description) -> bool:
    """Return whether Flatten puts the channels last by itself: by default from Keras 2.2, and in tf.keras."""
    new = description.version >= (2, 2) or (description.keras_version or "").endswith("-tf")
    return description.dialect == "keras3" or (description.dialect == "keras2" and new)


def _by_version(description: Description, but: Collection[str]) -> dict[str, Flattened]:
    return {
        part.name: Flattened(rows=None, source="keras version")
        for part in description.parts
        if part.name not in but
    }


_CONVOLUTIONS = frozenset(
    {
        *("Conv2D", "Conv3D", "Conv2DTranspose", "Conv3DTranspose", "SeparableConv2D", "DepthwiseConv2D"),
        *("ConvLSTM2D", "LocallyConnected2D"),
    }
)
# Layers whose kernels have one row for each input.
_WITH_ROWS = frozenset({"Dense", "MaxoutDense", "Highway", "SimpleRNN", "LSTM", "GRU", *NATIVE})


def _by_order(
    description: Description, layout: Layout, told: dict[str, Flattened]
) -> list[tuple[Part, int, int]]:
    """Add what the order of the layers proves, and return the rest: layer, rows, channels before it."""
    channels: list[int] = []
    units: set[int] = set()
    left = []
    before: Part | None = None
    for part in description.parts:
        kernel = part.array("kernel")
        if part.direction == "backward" and before is not None:
            # Both layers of a Bidirectional have the same inputs.
            if before.name in told:
                told.setdefault(part.name, told[before.name])
            continue
        before = part
        if _has_windows(part) and part.name not in told:
            left.append((part, _row_count_of(part), channels[-1] if channels else 0))
        if part.kind in _CONVOLUTIONS:
            channels.append(_channels(part, description, layout))
            units = set()
        elif part.kind == OTHER:
            # It may give a map of any number of channels: whatever has rows behind it is asked for.
            channels.append(0)
            units = set()
        elif kernel is not None and part.kind in _WITH_ROWS:
            rows = _row_count_of(part)
            if (
                part.name not in told
                and channels
                and rows not in (*units, channels[-1])
                and rows >= min(channels)
            ):
                left.append((part, rows, channels[-1]))
            else:
                told.setdefault(part.name, Flattened(rows=None, source="order"))
            units = _units(part)
    return left


def _channels(part: Part, description: Description, layout: Layout) -> int:
    """Return the channels that a convolution gives."""
    if bias := part.array("bias"):
        gates = 4 if part.kind == "ConvLSTM2D" and bias.gate is None else 1
        return bias.shape[-1] // gates
    kernel = part.array("pointwise_kernel") or part.arrays[0]
    first = layout == "th" and description.dialect in ("keras0", "keras1") and not _has_windows(part)
    if part.kind == "DepthwiseConv2D":
        return kernel.shape[-1] * kernel.shape[-2]
    transposed = str(part.kind).endswith("Transpose") and description.dialect in ("keras2", "keras3")
    return kernel.shape[0 if first else -2 if transposed else -1]


def _units(part: Part) -> set[int]:
    """Return the sizes of the vectors that a layer may give: a Bidirectional joins two of them."""
    recurrent = part.array("recurrent_kernel")
    if recurrent is not None:
        return {recurrent.shape[0], 2 * recurrent.shape[0]}
    kernel = part.array("kernel")
    return set() if kernel is None else {kernel.shape[-1]}


def _check_rows(description: Description, told: Mapping[str, Flattened]) -> None:
    for part in description.parts:
        found = told.get(part.name)
        if found is None or found.rows is None:
            continue
        has = _row_count_of(part)
        if row_count(found.rows) != has:
            text = f"flatten {rows_text(found.rows)} ({found.source}) gives {row_count(found.rows)} rows"
            raise ArgumentError(f"{description.path}: layer {part.name!r} has {has} rows, but {text}")
        if part.kind == "Highway":
            text = (
                "is a Highway behind a flattened map: it gives its inputs on, so its rows cannot move alone"
            )
            raise ConversionError(f"{description.path}: layer {part.name!r} {text}")


def _with_vectors(description: Description, told: dict[str, Flattened]) -> dict[str, Flattened]:
    """Add the layers between a Flatten and a dense layer that have a value for each row: they are rows."""
    result = dict(told)
    waiting: list[Part] = []
    for part in description.parts:
        if all(len(array.shape) == 1 for array in part.arrays):
            waiting.append(part)
        elif part.kind in _WITH_ROWS:
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


_ADVICE = (
    "Rows that come from a flattened feature map move with the layout. Give the map's channels, height and",
    "width (those shown are only one possibility), or none if nothing is flattened there, or only the output",
    "of a 1-D convolution.",
)


def _question(description: Description, left: list[tuple[Part, int, int]]) -> str:
    lines = [f"{description.path}: it cannot be told from the file what is in front of"]
    for part, rows, channels in left:
        after = f", after a convolution with {channels} channels" if channels else ""
        what = "in each window of a map" if _has_windows(part) else "rows"
        count = f"{rows} values {what}" if _has_windows(part) else f"{rows} {what}"
        lines.append(f"  {part.name} ({count}{after}): {_offer(part, rows, channels)}")
    return "\n".join([*lines, *_ADVICE])


def _offer(part: Part, rows: int, channels: int) -> str:
    none = "" if _has_windows(part) else f"--flatten {part.name}=none"
    joint = f" or {none}" if none else ""
    if not channels:
        what = " of its window" if _has_windows(part) else ""
        return f"--flatten {part.name}=CHANNELSxHEIGHTxWIDTH{what}{joint}"
    if rows % channels:
        return f"no map of {channels} channels fits; {none}"
    area = rows // channels
    height = next(side for side in range(int(area**0.5), 0, -1) if area % side == 0)
    return f"--flatten {part.name}={channels}x{height}x{area // height}{joint}"
