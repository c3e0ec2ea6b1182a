"""Today's layers, as far as they are drawn here: the module of each class, and what shape it gives.

Shapes are those of a batch, channels last, None where a size is open. They are
written into the new configuration, and tell whoever draws the next layer what flows into it.

Sources: compute_output_shape() of the layers under keras/src/layers, Keras 3.15, and
compute_conv_output_shape() and compute_pooling_output_shape() of keras/src/ops/operation_utils.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Sizes = tuple[int | None, ...]
Settings = Mapping[str, Any]
"""Shape of a batch; configuration of a layer."""
_Shape = Callable[[Settings, Sequence[Sizes]], Sizes]
Version = tuple[int, int, int]
OLDEST: Version = (3, 4, 0)
"""The first version of Keras that opens the form that files are written in: its inputs and outputs alone
stand without a list around them. ``make test-oldest-keras`` opens all samples with it."""


@dataclass(frozen=True, kw_only=True)
class Today:
    """A class of today's Keras.

    Attributes:
        shape: What it gives, by its configuration and the shapes of what comes in.
        module: The module that a configuration names for it.
        registered: What a configuration calls an operation; None for a layer.
        passes_mask: Whether a mask of what comes in is one of what it gives.
        further: What it gives besides.
        apart: Whether several inputs are handed to it each by itself, not as a list.
        since: The first version of Keras that opens a file with it.
    """

    shape: _Shape
    module: str = "keras.layers"
    registered: str | None = None
    passes_mask: bool = False
    further: Callable[[Settings, Sequence[Sizes]], Sequence[Sizes]] = lambda config, shapes: ()
    apart: bool = False
    since: Version = OLDEST


def _same(_: Settings, shapes: Sequence[Sizes]) -> Sizes:
    return shapes[0]


def window(size: int | None, *, reach: int, stride: int, padding: str) -> int | None:
    """Return how many places a window has along one axis."""
    if size is None:
        return None
    return -(-size // stride) if padding in ("same", "causal") else (size - reach) // stride + 1


def _windows(config: Settings, space: Sizes, sizes: Sequence[int]) -> Sizes:
    rates = config.get("dilation_rate") or [1] * len(sizes)
    strides = config.get("strides") or [1] * len(sizes)
    return tuple(
        window(n, reach=(k - 1) * r + 1, stride=s, padding=config["padding"])
        for n, k, s, r in zip(space, sizes, strides, rates, strict=True)
    )


def _convolved(config: Settings, shapes: Sequence[Sizes]) -> Sizes:
    channels, space = shapes[0][-1], shapes[0][1:-1]
    filters = config.get("filters")
    if filters is None:  # a depthwise one
        filters = None if channels is None else channels * config["depth_multiplier"]
    return (shapes[0][0], *_windows(config, space, config["kernel_size"]), filters)


def _transposed(config: Settings, shapes: Sequence[Sizes]) -> Sizes:
    space = shapes[0][1:-1]
    sizes = [
        None if n is None else n * s + (max(k - s, 0) if config["padding"] == "valid" else 0)
        for n, k, s in zip(space, config["kernel_size"], config["strides"], strict=True)
    ]
    return (shapes[0][0], *sizes, config["filters"])


def _pooled(config: Settings, shapes: Sequence[Sizes]) -> Sizes:
    channels, space = shapes[0][-1], shapes[0][1:-1]
    return (shapes[0][0], *_windows(config, space, config["pool_size"]), channels)


def _channels(config: Settings, shapes: Sequence[Sizes]) -> Sizes:
    kept = (1,) * (len(shapes[0]) - 2) if config.get("keepdims") else ()
    return (shapes[0][0], *kept, shapes[0][-1])


def _bordered(sign: int, key: str) -> _Shape:
    def shape(config: Settings, shapes: Sequence[Sizes]) -> Sizes:
        channels, space = shapes[0][-1], shapes[0][1:-1]
        sides = config[key] if isinstance(config[key][0], list | tuple) else [config[key]]
        sizes = [None if n is None else n + sign * sum(side) for n, side in zip(space, sides, strict=True)]
        return (shapes[0][0], *sizes, channels)

    return shape


def _enlarged(config: Settings, shapes: Sequence[Sizes]) -> Sizes:
    channels, space = shapes[0][-1], shapes[0][1:-1]
    factors = config["size"] if isinstance(config["size"], list | tuple) else [config["size"]]
    sizes = [None if n is None else n * factor for n, factor in zip(space, factors, strict=True)]
    return (shapes[0][0], *sizes, channels)


def _units(config: Settings, shapes: Sequence[Sizes]) -> Sizes:
    return (*shapes[0][:-1], config["units"])


def _told(config: Settings, shapes: Sequence[Sizes]) -> Sizes:
    """Return what an EinsumDense gives, which says it itself."""
    return (shapes[0][0], *config["output_shape"])


def _attended(_: Settings, shapes: Sequence[Sizes]) -> Sizes:
    return (*shapes[0][:-1], shapes[1][-1])


def _multi_attended(config: Settings, shapes: Sequence[Sizes]) -> Sizes:
    said = config["output_shape"]
    sizes = said if isinstance(said, list) else shapes[0][-1:] if said is None else [said]
    return (*shapes[0][:-1], *sizes)


PREPROCESSING = (
    *("Resizing", "CenterCrop", "RandomFlip", "RandomRotation", "RandomZoom"),
    *("RandomTranslation", "RandomContrast", "RandomBrightness", "Discretization", "Hashing"),
    *("HashedCrossing", "CategoryEncoding", "StringLookup", "IntegerLookup", "TextVectorization"),
)
"""Layers of which whoever draws them says what they give, or that give what comes in."""


def _embedded(config: Settings, shapes: Sequence[Sizes]) -> Sizes:
    return (*shapes[0], config["output_dim"])


def _stepwise(config: Settings, shapes: Sequence[Sizes]) -> Sizes:
    batch, steps = shapes[0][:2]
    return (batch, steps, config["units"]) if config["return_sequences"] else (batch, config["units"])


def _mapwise(config: Settings, shapes: Sequence[Sizes]) -> Sizes:
    batch, steps = shapes[0][:2]
    once = _convolved({**config, "dilation_rate": None}, [(batch, *shapes[0][2:])])
    return (batch, steps, *once[1:]) if config["return_sequences"] else once


def _two_ways(config: Settings, shapes: Sequence[Sizes]) -> Sizes:
    once = _stepwise(config["layer"]["config"], shapes)
    return (*once[:-1], 2 * config["layer"]["config"]["units"]) if config["merge_mode"] == "concat" else once


STATES: Mapping[str, int] = {
    "SimpleRNN": 1,
    "GRU": 1,
    "LSTM": 2,
    "ConvLSTM1D": 2,
    "ConvLSTM2D": 2,
    "ConvLSTM3D": 2,
}
"""How many states a recurrent layer keeps."""


def _states(class_name: str) -> Callable[[Settings, Sequence[Sizes]], Sequence[Sizes]]:
    """Return what gives the shapes of the states that a recurrent layer gives besides, if it is to."""

    def shapes(config: Settings, coming: Sequence[Sizes]) -> Sequence[Sizes]:
        if not config.get("return_state"):
            return ()
        last = {**config, "return_sequences": False}
        return (TODAY[class_name].shape(last, coming),) * STATES[class_name]

    return shapes


def _both_states(config: Settings, shapes: Sequence[Sizes]) -> Sequence[Sizes]:
    inner = config["layer"]
    apart = (_stepwise(inner["config"], shapes),) if config["merge_mode"] is None else ()
    states = tuple(_states(inner["class_name"])(inner["config"], shapes))
    return (*apart, *states, *states)


def _timewise(config: Settings, shapes: Sequence[Sizes]) -> Sizes:
    batch, steps = shapes[0][:2]
    inner = config["layer"]
    once = TODAY[inner["class_name"]].shape(inner["config"], [(batch, *shapes[0][2:])])
    return (batch, steps, *once[1:])


def _flattened(_: Settings, shapes: Sequence[Sizes]) -> Sizes:
    return (shapes[0][0], product(shapes[0][1:]))


def product(sizes: Sequence[int | None]) -> int | None:
    """Return the product of sizes, or None if one is open."""
    known = [size for size in sizes if size is not None]
    return math.prod(known) if len(known) == len(sizes) else None


def _reshaped(config: Settings, shapes: Sequence[Sizes]) -> Sizes:
    target, count = config["target_shape"], product(shapes[0][1:])
    rest = math.prod(size for size in target if size != -1)
    free = None if count is None or not rest else count // rest
    return (shapes[0][0], *(free if size == -1 else size for size in target))


def _permuted(config: Settings, shapes: Sequence[Sizes]) -> Sizes:
    return (shapes[0][0], *(shapes[0][axis] for axis in config["dims"]))


def _repeated(config: Settings, shapes: Sequence[Sizes]) -> Sizes:
    return (shapes[0][0], config["n"], shapes[0][-1])


def _merged(_: Settings, shapes: Sequence[Sizes]) -> Sizes:
    return merged_shape(shapes)


def merged_shape(shapes: Sequence[Sizes]) -> Sizes:
    """Return the shape of an element-wise result, whose axes of one element are stretched."""
    stretched = [
        max((size for size in sizes if size is not None), default=None) for sizes in zip(*shapes, strict=True)
    ]
    known = [any(size is not None and size != 1 for size in sizes) for sizes in zip(*shapes, strict=True)]
    open_ = [any(size is None for size in sizes) for sizes in zip(*shapes, strict=True)]
    return tuple(
        size if told or not free else None for size, told, free in zip(stretched, known, open_, strict=True)
    )


def _concatenated(config: Settings, shapes: Sequence[Sizes]) -> Sizes:
    axis = config["axis"] % len(shapes[0])
    sizes = [shape[axis] for shape in shapes]
    total = None if None in sizes else sum(size for size in sizes if size is not None)
    return (*shapes[0][:axis], total, *shapes[0][axis + 1 :])


def _padded(config: Settings, shapes: Sequence[Sizes]) -> Sizes:
    return tuple(
        None if n is None else n + sum(side) for n, side in zip(shapes[0], config["pad_width"], strict=True)
    )


def _reduced(config: Settings, shapes: Sequence[Sizes]) -> Sizes:
    """Return the shape of what is summed, or the like, along axes."""
    axis, shape = config["axis"], shapes[0]
    along = {one % len(shape) for one in (axis if isinstance(axis, list) else [axis])}
    kept = bool(config["keepdims"])
    return tuple(
        1 if place in along else size for place, size in enumerate(shape) if kept or place not in along
    )


def _dotted(config: Settings, shapes: Sequence[Sizes]) -> Sizes:
    left, right = (
        tuple(size for place, size in enumerate(shape) if place != axis)
        for shape, axis in zip(shapes, config["axes"], strict=True)
    )
    rest = (*left, *right[1:])
    return rest if len(rest) > 1 else (*rest, 1)


def _expanded(config: Settings, shapes: Sequence[Sizes]) -> Sizes:
    place = config["axis"]
    return (*shapes[0][:place], 1, *shapes[0][place:])


def _squeezed(config: Settings, shapes: Sequence[Sizes]) -> Sizes:
    place = config["axis"]
    return (*shapes[0][:place], *shapes[0][place + 1 :])


def _operation(shape: _Shape, name: str, module: str = "numpy", *, since: Version = (3, 11, 0)) -> Today:
    """Return an operation; those that have arguments take a name, as ours have one, from 3.11 on."""
    return Today(shape=shape, module=f"keras.src.ops.{module}", registered=name, since=since)


OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "numpy": (
        *("Absolute", "Add", "Argmax", "Ceil", "Cos", "Cumsum", "Divide", "Equal", "Expm1", "Floor"),
        *("FloorDivide", "GetItem", "Greater", "GreaterEqual", "Less", "LessEqual", "Log", "Log1p"),
        *("LogicalAnd", "LogicalNot", "LogicalOr", "Matmul", "Max", "Maximum", "Mean", "Min", "Minimum"),
        *("Mod", "Multiply", "Negative", "NotEqual", "Power", "Prod", "Reciprocal", "Sign", "Sin", "Sqrt"),
        *("Std", "Subtract", "Sum", "Tile", "Var", "Where"),
    ),
    "nn": ("Gelu",),
    "math": ("Erf", "Rsqrt"),
    "core": ("Cast", "StopGradient"),
}
"""Operations of which whoever draws them says what they give, by the module that they lie in."""
WITH_SETTINGS = frozenset(
    ("Argmax", "Cast", "Cumsum", "Gelu", "Max", "Mean", "Min", "Prod", "Std", "Sum", "Tile", "Var")
)
"""Those with settings."""
NAMED, PLAIN = (3, 11, 0), (3, 6, 0)
"""The versions from which on operations open that have settings, and that have none.

Before 3.11 an operation with settings takes no name. Those without were tried in 3.6 and 3.3: all open in the
one, none in the other.
"""


def _input(config: Settings, _: Sequence[Sizes]) -> Sizes:
    return tuple(config["batch_shape"])


def _all(shape: _Shape, *names: str, passes_mask: bool = False) -> dict[str, Today]:
    return dict.fromkeys(names, Today(shape=shape, passes_mask=passes_mask))


TODAY: Mapping[str, Today] = {
    **_all(_input, "InputLayer"),
    **_all(_convolved, "Conv1D", "Conv2D", "Conv3D", "SeparableConv1D", "SeparableConv2D"),
    **_all(_convolved, "DepthwiseConv1D", "DepthwiseConv2D"),
    **_all(_transposed, "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"),
    **_all(_pooled, "MaxPooling1D", "MaxPooling2D", "MaxPooling3D"),
    **_all(_pooled, "AveragePooling1D", "AveragePooling2D", "AveragePooling3D"),
    **_all(_channels, "GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D"),
    **_all(_channels, "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D"),
    **_all(_bordered(1, "padding"), "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D"),
    **_all(_bordered(-1, "cropping"), "Cropping1D", "Cropping2D", "Cropping3D"),
    **_all(_enlarged, "UpSampling1D", "UpSampling2D", "UpSampling3D"),
    **_all(_units, "Dense", passes_mask=True),
    **_all(_told, "EinsumDense"),
    **_all(_embedded, "Embedding"),
    **{name: Today(shape=_stepwise, further=_states(name)) for name in ("SimpleRNN", "LSTM", "GRU")},
    **{
        name: Today(shape=_mapwise, further=_states(name))
        for name in ("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D")
    },
    "Bidirectional": Today(shape=_two_ways, further=_both_states),
    **_all(_told, "RNN", "StackedRNNCells", "LSTMCell", "GRUCell", "SimpleRNNCell"),
    **_all(_same, "LayerNormalization", "GroupNormalization", "UnitNormalization", passes_mask=True),
    **_all(_same, "Normalization", "Identity", passes_mask=True),
    **_all(_attended, "Attention", "AdditiveAttention"),
    "MultiHeadAttention": Today(shape=_multi_attended, apart=True),
    **_all(_same, *PREPROCESSING),
    **_all(_timewise, "TimeDistributed", passes_mask=True),
    **_all(_flattened, "Flatten"),
    **_all(_reshaped, "Reshape"),
    **_all(_permuted, "Permute"),
    **_all(_repeated, "RepeatVector"),
    **_all(_merged, "Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"),
    **_all(_concatenated, "Concatenate"),
    **_all(_dotted, "Dot"),
    **_all(_same, "BatchNormalization", "Activation", "Dropout", "Masking", passes_mask=True),
    **_all(_same, "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", passes_mask=True),
    **_all(
        _same, "GaussianDropout", "GaussianNoise", "AlphaDropout", "ActivityRegularization", passes_mask=True
    ),
    **_all(_same, "LeakyReLU", "ELU", "ReLU", "PReLU", "Softmax", passes_mask=True),
    **_all(_same, "Rescaling", passes_mask=True),
    "NotEqual": _operation(_same, "NotEqual"),
    "Any": _operation(_reduced, "Any"),
    "Flip": _operation(_same, "Flip"),
    "Pad": _operation(_padded, "Pad"),
    **{name: _operation(_reduced, name) for name in ("Sum", "Mean", "Max", "Min", "Prod")},
    **{name: _operation(_same, name) for name in ("Absolute", "Sign", "Reciprocal", "Power")},
    "ExpandDims": _operation(_expanded, "ExpandDims"),
    **{name: _operation(_squeezed, name) for name in ("Squeeze", "Take")},
    "Sqrt": _operation(_same, "Sqrt", since=OLDEST),
    "Log": _operation(_same, "Log", since=OLDEST),
    "Divide": _operation(_merged, "Divide", since=OLDEST),
    **{
        f"ops.{name}": _operation(_same, name, module, since=NAMED if name in WITH_SETTINGS else PLAIN)
        for module, names in OPERATIONS.items()
        for name in names
    },
    **{f"ops.{name}": _operation(_merged, name) for name in ("Add", "Subtract", "Multiply")},
    **{f"ops.{name}": _operation(_merged, name) for name in ("Maximum", "Minimum")},
    "ops.Concatenate": _operation(_concatenated, "Concatenate"),
}
"""The classes that are drawn; the last are operations, which a configuration names by a private module.

An operation has the name of its class, or that behind ``ops.`` where a layer has the same.
"""


def since(class_name: str, settings: Settings) -> Version:
    """Return the first version of Keras that opens a layer, and the one in it if it is a wrapper."""
    inner = settings.get("layer")
    within = since(inner["class_name"], inner["config"]) if isinstance(inner, Mapping) else OLDEST
    return max(TODAY[class_name].since if class_name in TODAY else OLDEST, within)


def _kernel(config: Settings, *ends: int | None) -> Sizes:
    return (*config["kernel_size"], *ends)


def _times(size: int | None, count: int) -> int | None:
    return None if size is None else size * count


def _depthwise(config: Settings, shape: Sizes) -> tuple[Sizes, ...]:
    channels, each = shape[-1], config["depth_multiplier"]
    return _kernel(config, channels, each), (_times(channels, each),)


def _separable(config: Settings, shape: Sizes) -> tuple[Sizes, ...]:
    channels, each, filters = shape[-1], config["depth_multiplier"], config["filters"]
    ones = (1,) * len(config["kernel_size"])
    return _kernel(config, channels, each), (*ones, _times(channels, each), filters), (filters,)


def _gated(gates: int) -> Callable[[Settings, Sizes], tuple[Sizes, ...]]:
    def shapes(config: Settings, shape: Sizes) -> tuple[Sizes, ...]:
        width = gates * config["units"]
        bias = (2, width) if config.get("reset_after") else (width,)
        return (shape[-1], width), (config["units"], width), bias

    return shapes


def _both(config: Settings, shape: Sizes) -> tuple[Sizes, ...]:
    inner = config["layer"]
    if inner["class_name"] not in ARRAYS:
        return ()  # of cells, which are looked at one by one
    once = ARRAYS[inner["class_name"]](inner["config"], shape)
    once = once if inner["config"]["use_bias"] else once[:-1]
    return (*once, *once)


def _mapped_gates(config: Settings, shape: Sizes) -> tuple[Sizes, ...]:
    width = 4 * config["filters"]
    return _kernel(config, shape[-1], width), _kernel(config, config["filters"], width), (width,)


def _convolving(config: Settings, shape: Sizes) -> tuple[Sizes, ...]:
    channels = None if shape[-1] is None else shape[-1] // config.get("groups", 1)
    return _kernel(config, channels, config["filters"]), (config["filters"],)


def _normalizing(config: Settings, shape: Sizes) -> tuple[Sizes, ...]:
    axes = config["axis"] if isinstance(config["axis"], list) else [config["axis"]]
    return (tuple(shape[axis] for axis in axes),) * 2


def _normal(config: Settings, shape: Sizes) -> tuple[Sizes, ...]:
    return (*_normalizing(config, shape), ())


def _attending(config: Settings, shape: Sizes) -> tuple[Sizes, ...]:
    return ((), ())


def _adding(config: Settings, shape: Sizes) -> tuple[Sizes, ...]:
    return ((shape[-1],),)


def _transposing(config: Settings, shape: Sizes) -> tuple[Sizes, ...]:
    return _kernel(config, config["filters"], shape[-1]), (config["filters"],)


ARRAYS: Mapping[str, Callable[[Settings, Sizes], tuple[Sizes, ...]]] = {
    "Dense": lambda config, shape: ((shape[-1], config["units"]), (config["units"],)),
    "Embedding": lambda config, shape: ((config["input_dim"], config["output_dim"]),),
    "BatchNormalization": lambda config, shape: ((shape[config["axis"]],),) * 4,
    **dict.fromkeys(("Conv1D", "Conv2D", "Conv3D"), _convolving),
    **dict.fromkeys(("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"), _transposing),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), _separable),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), _depthwise),
    **dict.fromkeys(("LayerNormalization", "GroupNormalization"), _normalizing),
    "Normalization": _normal,
    "Attention": _attending,
    "AdditiveAttention": _adding,
    "SimpleRNN": _gated(1),
    "LSTM": _gated(4),
    "GRU": _gated(3),
    "Bidirectional": _both,
    **dict.fromkeys(("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"), _mapped_gates),
}
"""The shapes of a layer's arrays in their order, by its configuration and the shape of what comes in."""
