"""What flows where in a model's configuration.

A configuration names every layer and what it is connected to, so the shape of every feature map can be
followed from the inputs. That settles which rows were flattened from which map. What cannot be followed is
left out, never guessed.

Sources: the get_config() and get_output_shape_for() (Keras 1) or compute_output_shape() (Keras 2) methods of
the layers in Keras 1.2.2 and 2.2.4, and conv_output_length() of keras/utils/conv_utils.py.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from converters.arrays.form import Layout, Rows, Shape
from converters.arrays.rows import Flattened
from converters.boundary import paced
from converters.layers.config import (
    AROUND_ONE,
    MAP_RANKS,
    ORDER_KEYS,
    ORDERS,
    Setting,
    layers_of,
    map_ranks,
    name_of_entry,
)
from converters.layers.names import kind_of_class
from converters.layers.table import Gives, PerInput, flow_of, holds, per_input


@dataclass(frozen=True, kw_only=True)
class Feature:
    """What flows from one layer to the next, for one image of the batch.

    Attributes:
        shape: Its sizes, None where a size is open.
        rows: For a vector, the maps that were flattened into it, channels first; None if there were none.
        reshaped: Whether the values were taken as they lie, by a Reshape or a Flatten of another order.
    """

    shape: tuple[int | None, ...]
    rows: Rows | None = None
    reshaped: bool = False


# A layer's name, and which of its uses.
_Use = tuple[str, int]


@dataclass(frozen=True, kw_only=True)
class _Node:
    """One layer of a configuration, with the layers that feed it in each of its uses."""

    name: str
    kind: str
    config: Mapping[str, Any]
    uses: tuple[tuple[_Use, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One use of a layer: what comes in; the network's layout; the ranks that its maps have."""

    node: _Node
    inputs: tuple[Feature, ...]
    layout: Layout
    ranks: frozenset[int]

    @property
    def first(self) -> Feature:
        """The first of what comes in."""
        return self.inputs[0]

    @property
    def maps(self) -> bool:
        """Whether a feature map comes in."""
        return any(len(feature.shape) in self.ranks for feature in self.inputs)

    def get(self, *keys: str) -> Setting:
        """Return the first setting that the configuration has, under the name of either version."""
        return next((self.node.config[key] for key in keys if self.node.config.get(key) is not None), None)

    def need(self, *keys: str) -> Setting:
        """Return the same, or raise if there is none."""
        found = self.get(*keys)
        if found is None:
            raise _UnknownError
        return found

    def split(self, shape: tuple[int | None, ...]) -> tuple[int | None, tuple[int | None, ...]]:
        """Return the channels and the space of a map's shape."""
        return (shape[0], shape[1:]) if self.layout == "th" else (shape[-1], shape[:-1])

    def joined(self, channels: int | None, space: tuple[int | None, ...]) -> Feature:
        """Return a map of so many channels and such a space, in the network's layout."""
        return Feature(shape=(channels, *space) if self.layout == "th" else (*space, channels))


class _UnknownError(Exception):
    """A layer's output cannot be followed."""


def flattened_inputs(config: Mapping[str, Any], layout: Layout) -> dict[str, Flattened]:
    """Return what the rows of dense and normalisation layers were flattened from, where it can be followed.

    Args:
        config: A model's configuration.
        layout: The layout that it is in.

    Returns:
        The facts by layer.
    """
    found: dict[str, Flattened] = {}
    doubtful: set[str] = set()
    for step in flow(config, layout):
        rows = _rows_of(step)
        if rows is not None and found.setdefault(step.node.name, rows) != rows:
            doubtful.add(step.node.name)
    return {name: rows for name, rows in found.items() if name not in doubtful}


def _rows_of(step: Step) -> Flattened | None:
    """Return what the rows of a layer are, or None if it has none."""
    kind, has = step.node.kind, per_input(step.node.kind)
    if has is PerInput.WINDOW:
        window = _window(step)
        return None if window is None else Flattened(rows=window, source="model_config")
    if not step.maps and (has in _WITH_ROWS or holds(kind) in AROUND_ONE):
        return Flattened(rows=step.first.rows, source="model_config", reshaped=step.first.reshaped)
    return Flattened(rows=None, source="model_config") if has is PerInput.CHANNEL else None


# What has one row, or one value, for each input; wrappers have those of what they wrap.
_WITH_ROWS = frozenset({PerInput.ROW, PerInput.ROW_AND_OUTPUT, PerInput.CHANNEL, PerInput.VALUE})


def _window(step: Step) -> Rows | None:
    """Return what each place of a locally connected layer sees, channels first; None if it is not said."""
    if len(step.first.shape) != MAP_RANKS["2D"]:
        return None
    channels, _ = step.split(step.first.shape)
    sizes = step.get("kernel_size") or [step.get("nb_row"), step.get("nb_col")]
    window = (channels, *(sizes if isinstance(sizes, list) else [sizes, sizes]))
    return None if None in window else (tuple(map(int, window)),)


def flow(config: Mapping[str, Any], layout: Layout) -> Iterator[Step]:
    """Yield every use of a layer whose inputs can be followed, from the inputs on.

    Each use waits for its inputs alone, so the work grows with the number of connections.
    """
    ranks = map_ranks(config)
    known: dict[_Use, Feature] = {}
    missing: dict[_Use, int] = {}
    fed: defaultdict[_Use, list[_Use]] = defaultdict(list)
    nodes = {(node.name, number): node for node in _nodes(config) for number in range(len(node.uses))}
    for use, node in nodes.items():
        sources = set(node.uses[use[1]])
        missing[use] = len(sources)
        for source in sources:
            fed[source].append(use)
    ready = [use for use, count in missing.items() if not count]
    places = {use: place for place, use in enumerate(nodes)}
    while ready:
        following: list[_Use] = []
        for use in paced(ready):
            inputs = tuple(known[source] for source in nodes[use].uses[use[1]])
            step = Step(node=nodes[use], inputs=inputs, layout=layout, ranks=ranks)
            if inputs:
                yield step
            if (output := _followed(step)) is not None:
                known[use] = output
                following += _now_ready(fed[use], missing)
        # In the order of the configuration, as far as what feeds what allows.
        ready = sorted(following, key=places.__getitem__)


def _now_ready(uses: Sequence[_Use], missing: dict[_Use, int]) -> Iterator[_Use]:
    """Count one input of each use as known, and yield those that waited for nothing else."""
    for use in uses:
        missing[use] -= 1
        if not missing[use]:
            yield use


def _followed(step: Step) -> Feature | None:
    """Return what a layer gives, or None if that cannot be told: then nothing behind it can be followed."""
    try:
        return _bounded(_output(step))
    except _UnknownError:
        return None


# No network's maps have more axes or values, or are joined from more parts; a crafted configuration's could
# double with every layer.
_MOST_AXES = 32


_MOST_PARTS = 256


_LARGEST = 1 << 62


def _bounded(feature: Feature) -> Feature:
    if len(feature.shape) > _MOST_AXES or len(feature.rows or ()) > _MOST_PARTS:
        raise _UnknownError
    if any(size is not None and not 0 < size < _LARGEST for size in feature.shape):
        raise _UnknownError
    return feature


def _nodes(config: Mapping[str, Any]) -> list[_Node]:
    layers = layers_of(config)
    if config.get("class_name") == "Sequential":
        return _chain(layers)
    return [_node(entry, tuple(map(_sources, entry.get("inbound_nodes") or [[]]))) for entry in layers]


def _node(entry: Mapping[str, Any], uses: tuple[tuple[_Use, ...], ...]) -> _Node:
    # An older model within a model is a list of layers.
    config = entry["config"] if isinstance(entry["config"], Mapping) else {}
    return _Node(
        name=name_of_entry(entry) or "",
        kind=kind_of_class(str(entry.get("class_name"))),
        config=config,
        uses=uses,
    )


def _chain(layers: Sequence[Mapping[str, Any]]) -> list[_Node]:
    """Return a Sequential's layers; its first one brings its input's shape along."""
    if not layers:
        return []
    nodes = [_Node(name="", kind="InputLayer", config=_node(layers[0], ()).config, uses=((),))]
    for place, entry in enumerate(layers):
        node = _node(entry, (((nodes[-1].name, 0),),))
        # No name that is read holds a control character.
        nodes.append(node if node.name else replace(node, name=f"\0{place}"))
    return nodes


def _sources(use: object) -> tuple[_Use, ...]:
    """Return the layers, and which use of each, that feed one use; what Keras 3 writes leads nowhere."""
    if isinstance(use, list) and all(
        isinstance(source, list) and len(source) >= 3 and isinstance(source[0], str) for source in use
    ):
        return tuple((source[0], int(source[1])) for source in use)
    return (("", -1),)


def _output(step: Step) -> Feature:
    """Return what a layer gives.

    Raises:
        _UnknownError: If that cannot be told.
    """
    kind = step.node.kind
    gives = flow_of(kind).gives
    if gives is Gives.SOURCE:
        return Feature(shape=tuple(step.need("batch_input_shape", "batch_shape")[1:]))
    if not step.inputs:
        raise _UnknownError
    if gives is Gives.INPUT:
        return step.first
    if gives not in _OUTPUTS or not step.first.shape:
        raise _UnknownError
    if kind[-2:] in MAP_RANKS and len(step.first.shape) != MAP_RANKS[kind[-2:]]:
        raise _UnknownError
    _check_order(step)
    return _OUTPUTS[gives](step)


def follows(kind: str) -> bool:
    """Return whether what a layer of a kind gives can be told from its configuration."""
    return flow_of(kind).gives is not Gives.UNKNOWN


def has_order(kind: str) -> bool:
    """Return whether the order that a configuration tells is that of the maps that come in.

    1-D layers have a data_format of their own, and Flatten's says how it works, not what it is given.
    """
    return not kind.endswith("1D") and flow_of(kind).gives is not Gives.FLATTENED


def _check_order(step: Step) -> None:
    """Raise for a layer that works in the other order than its network."""
    if has_order(step.node.kind):
        orders = [step.node.config[key] for key in ORDER_KEYS if step.node.config.get(key)]
        if any(order not in (*ORDERS[step.layout], "default") for order in orders):
            raise _UnknownError


def _convolution(step: Step) -> Feature:
    _, space = step.split(step.first.shape)
    filters = step.need("filters", "nb_filter")
    kernel = step.get("kernel_size") or [
        step.node.config[key]
        for key in ("nb_row", "nb_col", "kernel_dim1", "kernel_dim2", "kernel_dim3")
        if key in step.node.config
    ]
    dilation = step.get("dilation_rate", "atrous_rate") or 1
    sizes = _windows(step, space, _each(kernel, space), dilation=_each(dilation, space), strides=1)
    return step.joined(filters, sizes)


def _pooling(step: Step) -> Feature:
    channels, space = step.split(step.first.shape)
    pools = _each(step.need("pool_size"), space)
    sizes = _windows(step, space, pools, dilation=_each(1, space), strides=pools)
    return step.joined(channels, sizes)


def _windows(
    step: Step, space: tuple[int | None, ...], sizes: Shape, *, dilation: Shape, strides: Setting
) -> tuple[int | None, ...]:
    """Return the sizes of what windows give; ``strides`` are those of a layer that is told none."""
    padding = str(step.need("padding", "border_mode"))
    strides = step.get("strides", "subsample") or strides
    result: list[int | None] = []
    for length, size, stride, rate in zip(space, sizes, _each(strides, space), dilation, strict=True):
        reach = size + (size - 1) * (rate - 1)
        grown = {"same": 0, "causal": 0, "valid": 1 - reach, "full": reach - 1}.get(padding)
        if grown is None:
            raise _UnknownError
        result.append(None if length is None else -(-(length + grown) // stride))
    return tuple(result)


def _each(value: Setting, space: Sequence[Any]) -> Shape:
    values = tuple(value) if isinstance(value, list | tuple) else (value,) * len(space)
    if len(values) != len(space) or not all(isinstance(number, int | float) for number in values):
        raise _UnknownError
    return tuple(int(number) for number in values)


def _padding(step: Step) -> Feature:
    return _bordered(step, step.need("padding"), 1)


def _cropping(step: Step) -> Feature:
    return _bordered(step, step.need("cropping"), -1)


def _bordered(step: Step, border: Setting, sign: int) -> Feature:
    """Return a map with a border on or off: n, (n, m), ((n, n), (m, m)), or in Keras 1 (n, n, m, m)."""
    channels, space = step.split(step.first.shape)
    if isinstance(border, list) and len(border) == 2 * len(space):
        border = [border[at : at + 2] for at in range(0, len(border), 2)]
    sides = border if isinstance(border, list) else [border] * len(space)
    if len(sides) != len(space) or not all(isinstance(side, int | list) for side in sides):
        raise _UnknownError
    totals = [sum(side) if isinstance(side, list) else 2 * int(side) for side in sides]
    return step.joined(
        channels, tuple(n and n + sign * total for n, total in zip(space, totals, strict=True))
    )


def _upsampling(step: Step) -> Feature:
    channels, space = step.split(step.first.shape)
    factors = _each(step.need("size"), space)
    return step.joined(channels, tuple(n and n * factor for n, factor in zip(space, factors, strict=True)))


def _global(step: Step) -> Feature:
    channels, _ = step.split(step.first.shape) if step.maps else (step.first.shape[-1], ())
    return Feature(shape=(channels,))


def _sequence(step: Step) -> Feature:
    """Return what a 1-D layer gives: its length is of no interest, since a sequence's rows never move."""
    return Feature(shape=(None, step.first.shape[-1]))


def _filters(step: Step) -> Feature:
    """Return what a 1-D convolution gives."""
    return Feature(shape=(None, step.need("filters", "nb_filter")))


def _flattened(step: Step) -> Feature:
    """Return what a Flatten gives, which takes values as they lie if it is told another order than its own.

    One that is told the order of its network, as from Keras 2.2 on, puts the channels last by itself there;
    one that is told nothing is of an older version, where every Flatten takes values as they lie.
    """
    told = step.node.config.get("data_format")
    other = bool(told) and told != ORDERS[step.layout][1]
    if other and step.maps and step.layout == "tf":
        raise _UnknownError
    return _as_vector(step, reshaped=other)


def _as_vector(step: Step, *, reshaped: bool) -> Feature:
    shape = step.first.shape
    size = None if None in shape else math.prod(n for n in shape if n is not None)
    if not step.maps:
        return Feature(shape=(size,))
    if size is None:
        raise _UnknownError
    channels, space = step.split(shape)
    if set(space) == {1}:
        return Feature(shape=(size,))
    rows = (tuple(n for n in (channels, *space) if n is not None),)
    return Feature(shape=(size,), rows=rows, reshaped=reshaped)


def _reshaped(step: Step) -> Feature:
    """Return what a Reshape gives where that is a vector: then it takes values as they lie."""
    if len(step.need("target_shape", "dims")) != 1:
        raise _UnknownError
    return _as_vector(step, reshaped=True)


def _dense(step: Step) -> Feature:
    if step.maps:
        raise _UnknownError
    return Feature(shape=(*step.first.shape[:-1], step.need("units", "output_dim")))


def _recurrent(step: Step) -> Feature:
    """Return what a recurrent layer gives: a vector, or one for each step."""
    return _in_time(step, step.need("units", "output_dim"), bool(step.get("return_sequences")))


def _in_time(step: Step, units: int, sequences: bool) -> Feature:
    return Feature(shape=(step.first.shape[0], units) if sequences else (units,))


def _two_ways(step: Step) -> Feature:
    """Return what a Bidirectional gives: both results side by side, or added and so on."""
    inner = _inner(step)
    sides = 2 if step.get("merge_mode") == "concat" else 1
    units = sides * int(inner.need("units", "output_dim"))
    return _in_time(step, units, bool(inner.get("return_sequences")))


def _inner(step: Step) -> Step:
    """Return the use of a wrapper as one of the layer in it."""
    return replace(step, node=replace(_node(step.need("layer"), ()), name=step.node.name))


def _timewise(step: Step) -> Feature:
    """Return what a TimeDistributed gives: what its layer makes of each step."""
    once = tuple(replace(feature, shape=feature.shape[1:]) for feature in step.inputs)
    result = _output(replace(_inner(step), inputs=once))
    return replace(result, shape=(step.first.shape[0], *result.shape))


def _embedded(step: Step) -> Feature:
    return Feature(shape=(*step.first.shape, step.need("output_dim")))


def _merged(step: Step) -> Feature:
    """Return the result of adding, multiplying and so on: of the shape of each input."""
    first = step.first
    if any(feature != first for feature in step.inputs):
        raise _UnknownError
    return first


def _concatenated(step: Step) -> Feature:
    rank, said = len(step.first.shape) + 1, step.need("axis", "concat_axis")
    axis = -1 if isinstance(said, list) else int(said) % rank - 1
    if axis < 0 or any(len(feature.shape) != rank - 1 for feature in step.inputs):
        raise _UnknownError
    sizes = [feature.shape[axis] for feature in step.inputs]
    total = None if None in sizes else sum(size for size in sizes if size is not None)
    shape = (*step.first.shape[:axis], total, *step.first.shape[axis + 1 :])
    if rank != 2:
        return Feature(shape=shape)
    return Feature(shape=shape, rows=_joined_rows(step.inputs), reshaped=_joined_order(step.inputs))


def _joined_rows(vectors: Sequence[Feature]) -> Rows | None:
    """Return the rows of several vectors one behind the other: maps as they were, the rest as numbers."""
    if all(vector.rows is None for vector in vectors):
        return None
    rows: list[Shape] = []
    for vector in vectors:
        if vector.rows is None and vector.shape[0] is None:
            raise _UnknownError
        rows += vector.rows or ((int(vector.shape[0] or 0),),)
    return tuple(rows)


def _joined_order(vectors: Sequence[Feature]) -> bool:
    """Return whether the values of all maps were taken as they lie; False if those of none were."""
    orders = {vector.reshaped for vector in vectors if vector.rows}
    if len(orders) > 1:
        raise _UnknownError
    return orders == {True}


def _merge(step: Step) -> Feature:
    """Return what Keras 1's Merge gives."""
    mode = step.get("mode")
    if mode == "concat":
        return _concatenated(step)
    if mode in ("sum", "mul", "ave", "max"):
        return _merged(step)
    raise _UnknownError


def _untold(_: Step) -> Feature:
    raise _UnknownError


_OUTPUTS: Mapping[Gives, Callable[[Step], Feature]] = {
    Gives.CONVOLUTION: _convolution,
    Gives.POOLING: _pooling,
    Gives.CHANNELS: _global,
    Gives.PADDING: _padding,
    Gives.CROPPING: _cropping,
    Gives.UPSAMPLING: _upsampling,
    Gives.SEQUENCE: _sequence,
    Gives.FILTERS: _filters,
    Gives.FLATTENED: _flattened,
    Gives.RESHAPED: _reshaped,
    Gives.UNITS: _dense,
    Gives.RECURRENT: _recurrent,
    Gives.EMBEDDED: _embedded,
    Gives.STEPS: _timewise,
    Gives.WAYS: _two_ways,
    Gives.MERGED: _merged,
    Gives.JOINED: _concatenated,
    Gives.MERGE: _merge,
    Gives.UNTOLD: _untold,
}
