"""The configuration inside a whole-model file: what flows where, and how it reads in another layout.

A configuration names every layer and what it is connected to, so the shape of every feature map can be
followed from the inputs. That settles which rows were flattened from which map, and which numbers of the
configuration are axes that move with the layout. What cannot be followed is left out, never guessed.

Sources: the get_config() and get_output_shape_for() (Keras 1) or compute_output_shape() (Keras 2) methods of
    the layers
in Keras 1.2.2 and 2.2.4, and conv_output_length() of keras/utils/conv_utils.py.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from converters.arrays.form import Layout, Rows, Shape
from converters.arrays.rows import Flattened
from converters.boundary import paced
from converters.errors import ConversionError
from converters.layers.kinds import kind_of_class
from converters.limits import Limits, load_json

_ORDERS: Mapping[Layout, tuple[str, str]] = {"th": ("th", "channels_first"), "tf": ("tf", "channels_last")}
_ORDER_KEYS = ("dim_ordering", "data_format")
# What a layer's configuration sets: JSON of any form.
Setting: TypeAlias = Any
Config = dict[str, Any]
_MAP_RANKS = {"2D": 3, "3D": 4}


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
class _Step:
    """One use of a layer: what comes in; the network's layout; the ranks that its maps have."""

    node: _Node
    inputs: tuple[Feature, ...]
    layout: Layout
    ranks: frozenset[int]

    @property
    def first(self) -> Feature:
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
    for step in _flow(config, layout):
        rows = _rows_of(step)
        if rows is not None and found.setdefault(step.node.name, rows) != rows:
            doubtful.add(step.node.name)
    return {name: rows for name, rows in found.items() if name not in doubtful}


def _rows_of(step: _Step) -> Flattened | None:
    """Return what the rows of a layer are, or None if it has none."""
    if step.node.kind == "LocallyConnected2D":
        window = _window(step)
        return None if window is None else Flattened(rows=window, source="model_config")
    if step.node.kind in _WITH_ROWS and not step.maps:
        return Flattened(rows=step.first.rows, source="model_config", reshaped=step.first.reshaped)
    if step.node.kind in ("BatchNormalization", "Scale"):
        return Flattened(rows=None, source="model_config")
    return None


# Layers that have one row, or one value, for each of their inputs; wrappers have those of what they wrap.
_WITH_ROWS = frozenset(
    {
        *("Dense", "BatchNormalization", "Scale", "MaxoutDense", "Highway", "PReLU"),
        *("SimpleRNN", "LSTM", "GRU", "CuDNNLSTM", "CuDNNGRU", "Bidirectional", "TimeDistributed"),
    }
)


def _window(step: _Step) -> Rows | None:
    """Return what each place of a locally connected layer sees, channels first; None if it is not said."""
    if len(step.first.shape) != _MAP_RANKS["2D"]:
        return None
    channels, _ = step.split(step.first.shape)
    sizes = step.get("kernel_size") or [step.get("nb_row"), step.get("nb_col")]
    window = (channels, *(sizes if isinstance(sizes, list) else [sizes, sizes]))
    return None if None in window else (tuple(map(int, window)),)


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
    ranks = _map_ranks(config)
    steps: dict[str, _Step] = {}
    for step in _flow(config, source):
        steps.setdefault(step.node.name, step)
    for entry in paced(entries(config)):
        if isinstance(entry.get("config"), dict):
            _convert_entry(entry, steps, ranks, source=source, target=target, where=where)
    return json.dumps(config)


def _convert_entry(
    entry: dict[str, Any],
    steps: Mapping[str, _Step],
    ranks: frozenset[int],
    *,
    source: Layout,
    target: Layout,
    where: str,
) -> None:
    config = entry["config"]
    name, kind = str(config.get("name", entry.get("name", ""))), kind_of_class(str(entry["class_name"]))
    if not kind.endswith("1D"):
        for key in _ORDER_KEYS:
            if config.get(key) in _ORDERS[source]:
                config[key] = _ORDERS[target][_ORDERS[source].index(config[key])]
    for key in ("batch_input_shape", "batch_shape"):
        shape = config.get(key)
        if isinstance(shape, list) and len(shape) - 1 in ranks:
            config[key] = [shape[0], *_moved(shape[1:], source)]
    if kind == "ConvLSTM2D" or (kind == "TimeDistributed" and _wraps_maps(config)):
        raise ConversionError(_cannot(where, name, kind, "it works on a sequence of feature maps"))
    if _makes_map(kind, config, ranks):
        raise ConversionError(_cannot(where, name, kind, "it makes a feature map of what is none"))
    step = steps.get(name)
    if step is None and kind in _AXES | _UNWRITABLE and ranks:
        raise ConversionError(_cannot(where, name, kind, "what flows into it cannot be followed"))
    if step is None or not step.maps:
        return
    if kind in _UNWRITABLE or config.get("activation") in ("softmax", "log_softmax"):
        raise ConversionError(_cannot(where, name, kind, "it works on the axes of a feature map"))
    key = _AXIS_KEYS.get(kind, "axis")
    if kind in _AXES and config.get("mode", "concat") in _AXIS_MODES and config.get(key) is not None:
        axes, rank = config[key], len(step.first.shape) + 1
        listed = axes if isinstance(axes, list) else [axes]
        if not all(-rank <= axis < rank for axis in listed):
            raise ConversionError(_cannot(where, name, kind, f"it has no {key} {axes}"))
        moved = [_moved_axis(axis, rank, source) for axis in listed]
        config[key] = moved if isinstance(axes, list) else moved[0]


# Layers whose axis moves, and the modes in which it counts (BatchNormalization has modes of its own in Keras
# 1).
_AXES = frozenset({"BatchNormalization", "Scale", "Concatenate", "Merge", "Softmax", "PReLU", "SReLU"})
_AXIS_KEYS = {"Merge": "concat_axis", "PReLU": "shared_axes", "SReLU": "shared_axes"}
_AXIS_MODES = ("concat", 0, 1, 2)
# Layers that name axes in ways that mean something else, or nothing, in the other layout.
_UNWRITABLE = frozenset({"Permute", "Reshape", "RepeatVector", "Lambda", "Dense", "Dot", "TimeDistributed"})


def _makes_map(kind: str, config: Mapping[str, Any], ranks: frozenset[int]) -> bool:
    """Return whether a Reshape gives feature maps: its shape, and the columns before it, would move."""
    shape = config.get("target_shape", config.get("dims"))
    return kind == "Reshape" and isinstance(shape, list) and len(shape) in ranks


def _wraps_maps(config: Mapping[str, Any]) -> bool:
    """Return whether a wrapper may hold a layer that works on feature maps."""
    inner = kind_of_class(str((config.get("layer") or {}).get("class_name")))
    return inner[-2:] in _MAP_RANKS or inner in ("Flatten", "BatchNormalization", "Model", "Sequential")


def _cannot(where: str, name: str, kind: str, why: str) -> str:
    text = f"{where}: layer {name!r} ({kind}) cannot be written down in the other layout: {why}"
    return f"{text}; save the weights alone (save_weights) and convert that file"


def _moved(shape: Sequence[Any], source: Layout) -> list[Any]:
    return [*shape[1:], shape[0]] if source == "th" else [shape[-1], *shape[:-1]]


def _moved_axis(axis: int, rank: int, source: Layout) -> int:
    """Return where an axis of a batch of maps goes; 0 is the batch."""
    return [0, *_moved(range(1, rank), source)].index(axis % rank)


def load_config(text: str, where: str, limits: Limits | None = None) -> Any:  # noqa: ANN401 - any JSON
    """Read the JSON of a configuration; tuples, which some versions of tf.keras write as mappings, as lists.

    Args:
        text: The JSON.
        where: The file and what of it holds the text, for messages.
        limits: Caps; the environment's by default.

    Raises:
        FileFormatError: As :func:`converters.limits.load_json`.
    """
    return load_json(text, where, limits, read=_without_tuples)


def _without_tuples(found: Config) -> Config | list[Any]:
    items = found.get("items")
    return items if found.get("class_name") == "__tuple__" and isinstance(items, list) else found


def entries(config: object) -> Iterator[Config]:
    """Yield all in a configuration that has a class: layers, those of nested models too, and their parts."""
    if isinstance(config, dict):
        if "class_name" in config:
            yield config
        for value in config.values():
            yield from entries(value)
    elif isinstance(config, list):
        for value in config:
            yield from entries(value)


def named_entries(config: object) -> Iterator[tuple[str, Config, Config]]:
    """Yield name, entry and settings of all in a configuration that have a class and a name of their own."""
    for entry in entries(config):
        own = entry.get("config")
        if isinstance(own, dict) and isinstance(own.get("name"), str):
            yield own["name"], entry, own


def layers_of(entry: Mapping[str, Any]) -> list[Any]:
    """Return a model's layers, which its entry lists under ``layers`` or as its configuration itself.

    Returns:
        Nothing where what is listed are no layers: classes of the user's own may list what they like.
    """
    inner = entry.get("config")
    layers = inner.get("layers") if isinstance(inner, Mapping) else inner
    return layers if isinstance(layers, list) and all(map(is_layer, layers)) else []


def is_layer(value: Setting) -> bool:
    """Return whether a value has the form of a layer: a class, and settings or layers."""
    return isinstance(value, dict) and "class_name" in value and isinstance(value.get("config"), dict | list)


def _map_ranks(config: object) -> frozenset[int]:
    """Return the ranks (without the batch) of a model's feature maps: 3 if it has 2-D layers, 4 for 3-D."""
    endings = {str(entry["class_name"])[-2:] for entry in entries(config)}
    return frozenset(rank for ending, rank in _MAP_RANKS.items() if ending in endings)


def _flow(config: Mapping[str, Any], layout: Layout) -> Iterator[_Step]:
    """Yield every use of a layer whose inputs can be followed, from the inputs on.

    Each use waits for its inputs alone, so the work grows with the number of connections.
    """
    ranks = _map_ranks(config)
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
            step = _Step(node=nodes[use], inputs=inputs, layout=layout, ranks=ranks)
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


def _followed(step: _Step) -> Feature | None:
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
    name = str(config.get("name") or entry.get("name") or "")
    return _Node(name=name, kind=kind_of_class(str(entry.get("class_name"))), config=config, uses=uses)


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


def _output(step: _Step) -> Feature:
    """Return what a layer gives.

    Raises:
        _UnknownError: If that cannot be told.
    """
    kind = step.node.kind
    if kind == "InputLayer":
        return Feature(shape=tuple(step.need("batch_input_shape")[1:]))
    if not step.inputs:
        raise _UnknownError
    if kind in _UNCHANGED:
        return step.first
    if kind not in _OUTPUTS or not step.first.shape:
        raise _UnknownError
    if kind[-2:] in _MAP_RANKS and len(step.first.shape) != _MAP_RANKS[kind[-2:]]:
        raise _UnknownError
    _check_order(step)
    return _OUTPUTS[kind](step)


def follows(kind: str) -> bool:
    """Return whether what a layer of a kind gives can be told from its configuration."""
    return kind in _OUTPUTS or kind in _UNCHANGED or kind == "InputLayer"


def _check_order(step: _Step) -> None:
    """Raise for a layer that works in the other order than its network."""
    if step.node.kind != "Flatten" and not step.node.kind.endswith("1D"):
        orders = [step.node.config[key] for key in _ORDER_KEYS if step.node.config.get(key)]
        if any(order not in (*_ORDERS[step.layout], "default") for order in orders):
            raise _UnknownError


_UNCHANGED = frozenset(
    {
        *("Activation", "BatchNormalization", "Scale", "Dropout", "SpatialDropout2D", "SpatialDropout3D"),
        *("LeakyReLU", "PReLU", "ELU", "ReLU", "ThresholdedReLU", "SReLU", "ParametricSoftplus", "Softmax"),
        *(
            "GaussianNoise",
            "GaussianDropout",
            "AlphaDropout",
            "ActivityRegularization",
            "Masking",
            "LRN",
            "LRN2D",
        ),
    }
)


def _convolution(step: _Step) -> Feature:
    _, space = step.split(step.first.shape)
    filters = step.need("filters", "nb_filter")
    kernel = step.get("kernel_size") or [
        step.node.config[key]
        for key in ("nb_row", "nb_col", "kernel_dim1", "kernel_dim2", "kernel_dim3")
        if key in step.node.config
    ]
    dilation = step.get("dilation_rate", "atrous_rate") or 1
    return step.joined(filters, _windows(step, space, _each(kernel, space), _each(dilation, space)))


def _pooling(step: _Step) -> Feature:
    channels, space = step.split(step.first.shape)
    return step.joined(channels, _windows(step, space, _each(step.need("pool_size"), space), _each(1, space)))


def _windows(
    step: _Step, space: tuple[int | None, ...], sizes: Shape, dilation: Shape
) -> tuple[int | None, ...]:
    padding = str(step.need("padding", "border_mode"))
    default = sizes if "Pooling" in step.node.kind else 1
    strides = step.get("strides", "subsample") or default
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


def _padding(step: _Step) -> Feature:
    return _bordered(step, step.need("padding"), 1)


def _cropping(step: _Step) -> Feature:
    return _bordered(step, step.need("cropping"), -1)


def _bordered(step: _Step, border: Setting, sign: int) -> Feature:
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


def _upsampling(step: _Step) -> Feature:
    channels, space = step.split(step.first.shape)
    factors = _each(step.need("size"), space)
    return step.joined(channels, tuple(n and n * factor for n, factor in zip(space, factors, strict=True)))


def _global(step: _Step) -> Feature:
    channels, _ = step.split(step.first.shape) if step.maps else (step.first.shape[-1], ())
    return Feature(shape=(channels,))


def _sequence(step: _Step) -> Feature:
    """Return what a 1-D layer gives: its length is of no interest, since a sequence's rows never move."""
    filters = step.need("filters", "nb_filter") if step.node.kind.startswith("Conv") else step.first.shape[-1]
    return Feature(shape=(None, filters))


def _flattened(step: _Step) -> Feature:
    """Return what a Flatten gives, which takes values as they lie if it is told another order than its own.

    One that is told the order of its network, as from Keras 2.2 on, puts the channels last by itself there;
    one that is told nothing is of an older version, where every Flatten takes values as they lie.
    """
    told = step.node.config.get("data_format")
    other = bool(told) and told != _ORDERS[step.layout][1]
    if other and step.maps and step.layout == "tf":
        raise _UnknownError
    return _as_vector(step, reshaped=other)


def _as_vector(step: _Step, *, reshaped: bool) -> Feature:
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


def _reshaped(step: _Step) -> Feature:
    """Return what a Reshape gives where that is a vector: then it takes values as they lie."""
    if len(step.need("target_shape", "dims")) != 1:
        raise _UnknownError
    return _as_vector(step, reshaped=True)


def _dense(step: _Step) -> Feature:
    if step.maps:
        raise _UnknownError
    return Feature(shape=(*step.first.shape[:-1], step.need("units", "output_dim")))


def _recurrent(step: _Step) -> Feature:
    """Return what a recurrent layer gives: a vector, or one for each step."""
    return _in_time(step, step.need("units", "output_dim"), bool(step.get("return_sequences")))


def _in_time(step: _Step, units: int, sequences: bool) -> Feature:
    return Feature(shape=(step.first.shape[0], units) if sequences else (units,))


def _two_ways(step: _Step) -> Feature:
    """Return what a Bidirectional gives: both results side by side, or added and so on."""
    inner = _inner(step)
    sides = 2 if step.get("merge_mode") == "concat" else 1
    units = sides * int(inner.need("units", "output_dim"))
    return _in_time(step, units, bool(inner.get("return_sequences")))


def _inner(step: _Step) -> _Step:
    """Return the use of a wrapper as one of the layer in it."""
    return replace(step, node=replace(_node(step.need("layer"), ()), name=step.node.name))


def _timewise(step: _Step) -> Feature:
    """Return what a TimeDistributed gives: what its layer makes of each step."""
    once = tuple(replace(feature, shape=feature.shape[1:]) for feature in step.inputs)
    result = _output(replace(_inner(step), inputs=once))
    return replace(result, shape=(step.first.shape[0], *result.shape))


def _embedded(step: _Step) -> Feature:
    return Feature(shape=(*step.first.shape, step.need("output_dim")))


def _merged(step: _Step) -> Feature:
    """Return the result of adding, multiplying and so on: of the shape of each input."""
    first = step.first
    if any(feature != first for feature in step.inputs):
        raise _UnknownError
    return first


def _concatenated(step: _Step) -> Feature:
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


def _merge(step: _Step) -> Feature:
    """Return what Keras 1's Merge gives."""
    mode = step.get("mode")
    if mode == "concat":
        return _concatenated(step)
    if mode in ("sum", "mul", "ave", "max"):
        return _merged(step)
    raise _UnknownError


_OUTPUTS: Mapping[str, Callable[[_Step], Feature]] = {
    **dict.fromkeys(("Conv1D", "Conv1DTranspose", "MaxPooling1D", "AveragePooling1D"), _sequence),
    **dict.fromkeys(("ZeroPadding1D", "UpSampling1D", "Cropping1D"), _sequence),
    **dict.fromkeys(("Conv2DTranspose", "Conv3DTranspose"), _dense),
    **dict.fromkeys(("Conv2D", "Conv3D", "SeparableConv2D", "LocallyConnected2D"), _convolution),
    "TimeDistributedDense": _dense,
    "TimeDistributed": _timewise,
    "Bidirectional": _two_ways,
    **dict.fromkeys(("SimpleRNN", "LSTM", "GRU", "CuDNNLSTM", "CuDNNGRU"), _recurrent),
    "Embedding": _embedded,
    "MaxoutDense": _dense,
    **dict.fromkeys(("MaxPooling2D", "MaxPooling3D", "AveragePooling2D", "AveragePooling3D"), _pooling),
    **dict.fromkeys((f"GlobalMaxPooling{rank}D" for rank in (1, 2, 3)), _global),
    **dict.fromkeys((f"GlobalAveragePooling{rank}D" for rank in (1, 2, 3)), _global),
    **dict.fromkeys(("ZeroPadding2D", "ZeroPadding3D"), _padding),
    **dict.fromkeys(("Cropping2D", "Cropping3D"), _cropping),
    **dict.fromkeys(("UpSampling2D", "UpSampling3D"), _upsampling),
    "Flatten": _flattened,
    "Reshape": _reshaped,
    "Dense": _dense,
    **dict.fromkeys(("Add", "Multiply", "Average", "Maximum", "Minimum", "Subtract"), _merged),
    "Concatenate": _concatenated,
    "Merge": _merge,
}
