"""What works on a layer's arrays in training alone: regularizers, constraints and initializers.

They are carried over where today's layer is the old one and an array of it holds the same values, wherever
these lie: penalties add up over all values, and the axes of a norm move with those of the array. Where values
are multiplied, or an array is one of a composition, they would be others: they are left out, and named.

Sources: keras/regularizers.py, constraints.py and initializers.py (initializations.py) of Keras 1.2.2 and
2.2.4; keras/src/regularizers, constraints and initializers of Keras 3.15; _handle_activity_regularization()
in keras/engine/base_layer.py, Keras 2.15, and __call__() in keras/src/layers/layer.py, Keras 3.15.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from converters.arrays.planned import Output, PlannedArray
from converters.layers.config import Setting
from converters.layers.names import kind_of_class
from converters.upgrading.drawing import Values
from converters.upgrading.graph import Node
from converters.upgrading.named import Known, is_amount, is_number, one_of, or_none, plain, today_of

ARRAYS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("Dense", "Conv1D", "Conv2D", "Conv3D"), ("kernel", "bias")),
    **dict.fromkeys(("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"), ("kernel", "bias")),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), ("depthwise", "pointwise", "bias")),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), ("depthwise", "bias")),
    **dict.fromkeys(("SimpleRNN", "LSTM", "GRU"), ("kernel", "recurrent", "bias")),
    **dict.fromkeys(("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"), ("kernel", "recurrent", "bias")),
    "Embedding": ("embeddings",),
    **dict.fromkeys(("BatchNormalization", "LayerNormalization", "GroupNormalization"), ("gamma", "beta")),
    "EinsumDense": ("kernel", "bias"),
    "PReLU": ("alpha",),
}
"""The classes of today's layers that have such settings, and what their arrays are called in them."""
_OLD_NAMES: Mapping[str, tuple[str, ...]] = {
    "kernel": ("kernel", "W"),
    "recurrent": ("recurrent", "U"),
    "bias": ("bias", "b"),
    "embeddings": ("embeddings", "W"),
}
_OLD_INITIALIZERS = {"kernel": "init", "embeddings": "init", "recurrent": "inner_init"}
"""What they were called in Keras 1."""
_SAME_CLASS = {"CuDNNLSTM": "LSTM", "CuDNNGRU": "GRU", "TimeDistributedDense": "Dense"}
WORKS_IN_TRAINING = re.compile(r".*_(regularizer|constraint)")
"""The settings that are looked at here and are told of if they are left out."""

_PENALTY = {"l1": is_amount, "l2": is_amount}
REGULARIZERS: Mapping[str, Known] = {
    **dict.fromkeys(
        ("l1l2", "l1l2regularizer", "weightregularizer", "activityregularizer"),
        Known(today="L1L2", settings=_PENALTY),
    ),
    "l1": Known(today="L1", settings={"l1": is_number}),
    "l2": Known(today="L2", settings={"l2": is_number}),
    "orthogonalregularizer": Known(
        today="OrthogonalRegularizer", settings={"factor": is_number, "mode": one_of("rows", "columns")}
    ),
}
"""All add up over an array's values, or, the last, over pairs of the rows or the columns of one."""


def _is_axes(value: Setting) -> bool:
    listed = value if isinstance(value, list) else [value]
    return all(type(axis) is int for axis in listed)


_NORM = {"axis": _is_axes}
CONSTRAINTS: Mapping[str, Known] = {
    "maxnorm": Known(today="MaxNorm", settings={"max_value": is_number, **_NORM}, renamed={"m": "max_value"}),
    "nonneg": Known(today="NonNeg"),
    "unitnorm": Known(today="UnitNorm", settings=_NORM),
    "minmaxnorm": Known(
        today="MinMaxNorm",
        settings={**dict.fromkeys(("min_value", "max_value", "rate"), is_number), **_NORM},
        renamed={"low": "min_value", "high": "max_value"},
    ),
}

_SEED = {"seed": or_none(lambda value: type(value) is int and abs(value) < 1 << 31)}
_SCALING = Known(
    today="VarianceScaling",
    settings={
        "scale": lambda value: is_number(value) and value > 0,
        "mode": one_of("fan_in", "fan_out", "fan_avg"),
        "distribution": one_of("uniform", "truncated_normal", "untruncated_normal"),
        **_SEED,
    },
    replaced={("distribution", "normal"): "truncated_normal"},
)
_NORMAL = {"mean": is_number, "stddev": is_number, **_SEED}
_SCALED = ("GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal", "LecunUniform", "LecunNormal")
INITIALIZERS: Mapping[str, Known] = {
    **{name.lower(): Known(today=name, settings=_SEED) for name in _SCALED},
    **dict.fromkeys(("zeros", "zero"), Known(today="Zeros")),
    **dict.fromkeys(("ones", "one"), Known(today="Ones")),
    "constant": Known(today="Constant", settings={"value": is_number}),
    **dict.fromkeys(("randomnormal", "normal"), Known(today="RandomNormal", settings=_NORMAL)),
    "truncatednormal": Known(today="TruncatedNormal", settings=_NORMAL),
    **dict.fromkeys(
        ("randomuniform", "uniform"),
        Known(
            today="RandomUniform",
            settings={"minval": is_number, "maxval": is_number, **_SEED},
        ),
    ),
    "variancescaling": _SCALING,
    "orthogonal": Known(today="Orthogonal", settings={"gain": is_number, **_SEED}),
}
"""What new arrays would begin as; an identity is left out, since it fits some shapes alone."""


def kept(
    node: Node, class_name: str, arrays: Mapping[str, Values]
) -> Iterator[tuple[tuple[str, ...], str, Any]]:
    """Yield what is carried over of a layer: its old names, today's name, and today's setting.

    Args:
        node: The old layer.
        class_name: Today's layer.
        arrays: Its arrays, by their paths below its group.
    """
    kind = kind_of_class(node.class_name)
    if _SAME_CLASS.get(kind, kind) != class_name:
        return
    found = {values.role.removesuffix("_kernel"): values for values in map(_moved, arrays.values()) if values}
    for name in ARRAYS.get(class_name, ()):
        if name not in found:
            continue
        old = _OLD_NAMES.get(name, (name,))
        for what, read in (("regularizer", _regularizer), ("constraint", _constraint)):
            keys = tuple(f"{one}_{what}" for one in old)
            setting = read(_said(node, keys), found[name])
            if setting is not None:
                yield keys, f"{name}_{what}", setting
        keys = (f"{name}_initializer", _OLD_INITIALIZERS.get(name, f"{name}_init"))
        setting = today_of(_said(node, keys), INITIALIZERS, "keras.initializers")
        if setting is not None:
            yield keys, f"{name}_initializer", setting


def _said(node: Node, keys: Sequence[str]) -> Setting:
    return next((node.settings[key] for key in keys if node.settings.get(key) is not None), None)


def _moved(values: Values) -> Output | None:
    """Return an array if its values are the old ones, in whatever order, and no others."""
    return values if isinstance(values, Output) and values.exact else None


def _regularizer(value: Setting, array: Output) -> dict[str, Any] | None:
    found = today_of(value, REGULARIZERS, "keras.regularizers")
    if found is not None and found["class_name"] == "OrthogonalRegularizer":
        moved = any(share.array.order or share.array.gates for share in array.shares)
        return None if moved or len(array.shares) > 1 or len(array.target_shape) != 2 else found
    return found


def _constraint(value: Setting, array: Output) -> dict[str, Any] | None:
    found = today_of(value, CONSTRAINTS, "keras.constraints")
    known = CONSTRAINTS.get(plain(found["class_name"])) if found else None
    if found is None or known is None or "axis" not in known.settings:
        return found
    axes = moved_axes(found["config"].get("axis", 0), array)
    return None if axes is None else {**found, "config": {**found["config"], "axis": axes}}


def moved_axes(axis: Setting, array: Output) -> int | list[int] | None:
    """Return where the axes of a norm lie in the new array.

    Args:
        axis: The axis or the axes in the old one.
        array: What becomes of it.

    Returns:
        None if the norm runs over more, or less, than it did: along the axis on which gates are packed, or in
        an array whose values are counted otherwise.
    """
    found = [_moved_axes(axis if isinstance(axis, list) else [axis], share.array) for share in array.shares]
    last = len(array.target_shape) - 1
    if any(axes is None or axes != found[0] for axes in found):
        return None
    axes = found[0] or []
    if len(found) > 1 and last in axes:
        return None
    return axes[0] if len(axes) == 1 and not isinstance(axis, list) else axes


def _moved_axes(axes: Sequence[int], array: PlannedArray) -> list[int] | None:
    rank = len(array.shape)
    if array.before is not None or array.gates or any(not -rank <= axis < rank for axis in axes):
        return None
    own = sorted({axis % rank for axis in axes})
    if array.order is None:
        return own if array.shape == array.target_shape else None
    spare = len(array.order) - len(array.target_shape)
    return sorted(place - spare for axis in own if (place := array.order.index(axis)) >= spare)


def activity(node: Node) -> Mapping[str, float] | None:
    """Return the penalties on what a layer gives, if it has such as today's Keras has; None if it has others.

    Returns:
        Nothing where there is no regularizer, or one that adds nothing.
    """
    value = node.settings.get("activity_regularizer")
    if value is None:
        return {}
    found = today_of(value, REGULARIZERS, "keras.regularizers")
    if found is None or not set(found["config"]) <= set(_PENALTY):
        return None
    return {name: amount for name, amount in found["config"].items() if amount}
