"""How a model's configuration reads in another layout: which of its numbers are axes that move."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from converters.arrays.form import Layout
from converters.boundary import paced
from converters.errors import ConversionError
from converters.layers.config import (
    MAP_RANKS,
    ORDER_KEYS,
    ORDERS,
    entries,
    load_config,
    map_ranks,
    name_of_entry,
    wrapped,
)
from converters.layers.following import Step, flow
from converters.layers.names import kind_of_class
from converters.layers.table import Gives, Holds, Writable, flow_of, holds


def converted_config(text: str, source: Layout, target: Layout, where: str) -> tuple[str, str | None]:
    """Return a model's configuration in another layout.

    Args:
        text: The configuration, JSON.
        source: The layout that it is in.
        target: The layout wanted.
        where: The file, for messages.

    Returns:
        The new text; and the old one if the way back would not lead to it letter by letter, otherwise None.

    Raises:
        ConversionError: If a layer works along an axis in a way that cannot be written down in the other
            layout.
    """
    new = _converted(text, source, target, where)
    try:
        back: str | None = _converted(new, target, source, where)
    except ConversionError:
        back = None
    return new, None if back == text else text


def _converted(text: str, source: Layout, target: Layout, where: str) -> str:
    config = load_config(text, f"{where}: the configuration")
    ranks = map_ranks(config)
    steps: dict[str, Step] = {}
    for step in flow(config, source):
        steps.setdefault(step.node.name, step)
    for entry in paced(entries(config)):
        if isinstance(entry.get("config"), dict):
            _convert_entry(entry, steps, ranks, source=source, target=target, where=where)
    return json.dumps(config)


def _convert_entry(
    entry: dict[str, Any],
    steps: Mapping[str, Step],
    ranks: frozenset[int],
    *,
    source: Layout,
    target: Layout,
    where: str,
) -> None:
    config = entry["config"]
    name, kind = name_of_entry(entry) or "", kind_of_class(str(entry["class_name"]))
    step = steps.get(name)
    if (why := _unwritable(kind, config, step, ranks)) is not None:
        raise ConversionError(_cannot(where, name, kind, why))
    if not kind.endswith("1D"):
        for key in ORDER_KEYS:
            if config.get(key) in ORDERS[source]:
                config[key] = ORDERS[target][ORDERS[source].index(config[key])]
    for key in ("batch_input_shape", "batch_shape"):
        shape = config.get(key)
        if isinstance(shape, list) and len(shape) - 1 in ranks:
            config[key] = [shape[0], *_moved(shape[1:], source)]
    axis = flow_of(kind).axis
    if step is None or not step.maps or not axis or config.get(axis) is None:
        return
    if config.get("mode", "concat") in _AXIS_MODES:
        moved = _moved_axes(config[axis], len(step.first.shape) + 1, source)
        if moved is None:
            raise ConversionError(_cannot(where, name, kind, f"it has no {axis} {config[axis]}"))
        config[axis] = moved


# The modes in which an axis counts (BatchNormalization has modes of its own in Keras 1).
_AXIS_MODES = ("concat", 0, 1, 2)


def _unwritable(kind: str, config: Mapping[str, Any], step: Step | None, ranks: frozenset[int]) -> str | None:
    """Return why the other layout has no words for a layer; None if it has."""
    flow = flow_of(kind)
    never_on_maps = flow.writable is Writable.NOT_ON_MAPS
    if flow.writable is Writable.NEVER or (holds(kind) is Holds.LAYER and _wraps_maps(config)):
        return "it works on a sequence of feature maps"
    if _makes_map(kind, config, ranks):
        return "it makes a feature map of what is none"
    if step is None:
        return "what flows into it cannot be followed" if (flow.axis or never_on_maps) and ranks else None
    if step.maps and (never_on_maps or config.get("activation") in ("softmax", "log_softmax")):
        return "it works on the axes of a feature map"
    return None


def _makes_map(kind: str, config: Mapping[str, Any], ranks: frozenset[int]) -> bool:
    """Return whether a Reshape gives feature maps: its shape, and the columns before it, would move."""
    shape = config.get("target_shape", config.get("dims"))
    return flow_of(kind).gives is Gives.RESHAPED and isinstance(shape, list) and len(shape) in ranks


def _wraps_maps(config: Mapping[str, Any]) -> bool:
    """Return whether a wrapper may hold a layer that works on feature maps."""
    inner = kind_of_class(str((wrapped(config) or {}).get("class_name")))
    return inner[-2:] in MAP_RANKS or flow_of(inner).takes_maps


def _cannot(where: str, name: str, kind: str, why: str) -> str:
    text = f"{where}: layer {name!r} ({kind}) cannot be written down in the other layout: {why}"
    return f"{text}; --to keras1 or keras2 (to=) converts its weights alone"


def _moved(shape: Sequence[Any], source: Layout) -> list[Any]:
    return [*shape[1:], shape[0]] if source == "th" else [shape[-1], *shape[:-1]]


def _moved_axes(axes: int | list[int], rank: int, source: Layout) -> int | list[int] | None:
    """Return where one axis or several of a batch of maps go; None if it has not all of them."""
    listed = axes if isinstance(axes, list) else [axes]
    if not all(-rank <= axis < rank for axis in listed):
        return None
    moved = [_moved_axis(axis, rank, source) for axis in listed]
    return moved if isinstance(axes, list) else moved[0]


def _moved_axis(axis: int, rank: int, source: Layout) -> int:
    """Return where an axis of a batch of maps goes; 0 is the batch."""
    return [0, *_moved(range(1, rank), source)].index(axis % rank)
