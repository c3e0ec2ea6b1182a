"""Which layers follow a flattened feature map, and of what shape: only there do rows move with the layout.

The first of these that tells is believed: the user, the record of an earlier conversion, the structure that
the file holds, the configuration of a whole model, and what the order of the layers proves. Whatever is left
may follow a flattened map or not, which no shape can tell, and is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from converters.dialects import Description, Layer
from converters.errors import ArgumentError, UnknownFlattenError
from converters.layouts import Layout, Rows
from converters.model_config import flattened_inputs
from converters.rows import parse_rows, row_count, rows_text
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
) -> dict[str, Flattened]:
    """Return what the rows of every dense and normalisation layer are, for a change of layout.

    Args:
        description: The file.
        layout: Its layout.
        user: What the user says, by layer.
        match: The structure that the file holds.

    Raises:
        ArgumentError: If the user names a layer that the file lacks, or a shape that does not fit its rows.
        UnknownFlattenError: If a dense layer is left of which nobody tells; the message says what would fit.
    """
    by_user = _by_user(description, user or {})
    _check_rows(description, by_user)
    by_config = _by_config(description, layout)
    sources: tuple[dict[str, Flattened], ...]
    if _flattens_last(description):
        # Here a user's map does not say that its rows move: only the file and its record can.
        sources = (_by_record(description), by_config, _by_version(description))
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


def _by_user(description: Description, user: Mapping[str, Rows | None]) -> dict[str, Flattened]:
    names = {plain_name(layer.name): layer.name for layer in description.weighted}
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
    return {
        layer.name: Flattened(rows=known.get(layer.name), source="record") for layer in description.weighted
    }


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
    return {name: Flattened(rows=rows, source="model_config") for name, rows in inputs.items()}


def _flattens_last(description: Description) -> bool:
    """Return whether Flatten puts the channels last by itself: by default from Keras 2.2, and in tf.keras."""
    new = description.version >= (2, 2) or (description.keras_version or "").endswith("-tf")
    return description.dialect == "keras2" and new


def _by_version(description: Description) -> dict[str, Flattened]:
    return {layer.name: Flattened(rows=None, source="keras version") for layer in description.weighted}


def _by_order(
    description: Description, layout: Layout, told: dict[str, Flattened]
) -> list[tuple[Layer, int, int]]:
    """Add what the order of the layers proves, and return the rest: layer, rows, channels before it."""
    channels: list[int] = []
    units: int | None = None
    left = []
    for layer in description.weighted:
        kernel = layer.array("kernel")
        if kernel is not None and layer.kind in ("Conv2D", "Conv3D"):
            first = layout == "th" and description.dialect != "keras2"
            channels.append(kernel.shape[0 if first else -1])
            units = None
        elif kernel is not None and layer.kind == "Dense":
            rows = kernel.shape[0]
            if (
                layer.name not in told
                and channels
                and rows not in (units, channels[-1])
                and rows >= min(channels)
            ):
                left.append((layer, rows, channels[-1]))
            else:
                told.setdefault(layer.name, Flattened(rows=None, source="order"))
            units = kernel.shape[-1]
    return left


def _check_rows(description: Description, told: Mapping[str, Flattened]) -> None:
    for layer in description.weighted:
        found = told.get(layer.name)
        if found is None or found.rows is None:
            continue
        has = (layer.array("kernel") or layer.arrays[0]).shape[0]
        if row_count(found.rows) != has:
            text = f"flatten {rows_text(found.rows)} ({found.source}) gives {row_count(found.rows)} rows"
            raise ArgumentError(f"{description.path}: layer {layer.name!r} has {has} rows, but {text}")


def _with_vectors(description: Description, told: dict[str, Flattened]) -> dict[str, Flattened]:
    """Add the normalisation layers between a Flatten and a dense layer: their vectors are rows."""
    result = dict(told)
    waiting: list[Layer] = []
    for layer in description.weighted:
        if layer.kind in ("BatchNormalization", "Scale"):
            waiting.append(layer)
        elif layer.kind == "Dense":
            result.update(_vectors_before(layer, waiting, told))
            waiting = []
        else:
            waiting = []
    return result


def _vectors_before(
    dense: Layer, waiting: list[Layer], told: Mapping[str, Flattened]
) -> dict[str, Flattened]:
    found = told.get(dense.name)
    if found is None or found.rows is None:
        return {}
    rows = row_count(found.rows)
    return {
        layer.name: found
        for layer in waiting
        if layer.name not in told and layer.arrays[0].shape[0] == rows and len(found.rows[0]) > 1
    }


_ADVICE = (
    "Rows that come from a flattened feature map move with the layout. Give the map's channels, height and",
    "width (those shown are only one possibility), or none if nothing is flattened there, or only the output",
    "of a 1-D convolution.",
)


def _question(description: Description, left: list[tuple[Layer, int, int]]) -> str:
    lines = [f"{description.path}: it cannot be told from the file what is in front of"]
    for layer, rows, channels in left:
        what = f"{layer.name} ({rows} rows, after a convolution with {channels} channels)"
        lines.append(f"  {what}: {_offer(layer, rows, channels)}")
    return "\n".join([*lines, *_ADVICE])


def _offer(layer: Layer, rows: int, channels: int) -> str:
    none = f"--flatten {layer.name}=none"
    if rows % channels:
        return f"no map of {channels} channels fits; {none}"
    area = rows // channels
    height = next(side for side in range(int(area**0.5), 0, -1) if area % side == 0)
    return f"--flatten {layer.name}={channels}x{height}x{area // height} or {none}"
