"""Kinds of layers: what classes, automatic names and arrays tell of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from converters.arrays.form import Shape
from converters.errors import ArgumentError
from converters.layers.rules import GATES, NATIVE, OTHER, RULES

# Class names of Keras 0, 1 and 3 for what Keras 2 calls otherwise.
_ALIASES = {
    "Convolution1D": "Conv1D",
    "AtrousConvolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "AtrousConvolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "Convolution2DTranspose": "Conv2DTranspose",
    "Deconvolution2D": "Conv2DTranspose",
    "Deconvolution3D": "Conv3DTranspose",
    "SeparableConvolution1D": "SeparableConv1D",
    "SeparableConvolution2D": "SeparableConv2D",
    "Functional": "Model",
}

# Layers around other layers: what their arrays are is the inner layers' matter.
WRAPPERS = ("TimeDistributed", "Bidirectional", "Model", "Sequential")
MODELS = ("Model", "Sequential")

# Kinds that today's Keras has no layer for: only a class of the user's own can have their names.
_OWN_CLASSES = frozenset(
    {
        *("LocallyConnected1D", "LocallyConnected2D", "Highway", "MaxoutDense", "SReLU"),
        *("ParametricSoftplus", "Scale"),
    }
)
_KERAS_MODULES = ("keras", "tf_keras", "tensorflow")
# A recurrent layer that either class of Keras 2 reads and writes: the bias tells whose the arrays are.
_EITHER = {**NATIVE, **{native: kind for kind, native in NATIVE.items()}}

# Classes whose automatic names tell the kind: lower case with a number in Keras 1 (convolution2d_1), snake
# case with or without one in Keras 2 (conv2d_1). Those with weights that RULES lacks are here to be refused
# by their names.
_CLASSES = (
    *RULES,
    *_ALIASES,
    *WRAPPERS,
    *("Conv1DTranspose", "DepthwiseConv1D", "ConvLSTM1D", "ConvLSTM3D"),
    *("LayerNormalization", "GroupNormalization", "MultiHeadAttention", "EinsumDense"),
    *("InputLayer", "Activation", "Dropout", "Flatten", "Reshape", "Permute", "RepeatVector"),
    *("Merge", "Lambda", "MaxPooling1D", "MaxPooling2D", "MaxPooling3D"),
    *("AveragePooling1D", "AveragePooling2D", "AveragePooling3D"),
    *("GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalAveragePooling1D", "GlobalAveragePooling2D"),
    *("ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D", "Cropping1D", "Cropping2D", "Cropping3D"),
    *("UpSampling1D", "UpSampling2D", "UpSampling3D", "Add", "Concatenate", "Multiply", "Average", "Maximum"),
)
_KNOWN = frozenset({*_CLASSES, OTHER})
_NUMBERED = re.compile(r"(.+?)_(\d+)")
_SAID = re.compile(r"(\w+)(?:\((\w+)\))?")


def kind_of_class(name: str) -> str:
    """Return the kind of a class: its name in Keras 2's words (``Conv2D`` for ``AtrousConvolution2D``)."""
    return _ALIASES.get(name, name)


def kind_of_entry(entry: Mapping[str, Any]) -> str:
    """Return the kind of a layer by its entry in a model's configuration.

    A class that is not Keras' own is a kind of its own, under the name that it is registered by
    (``Custom>Dense``), whatever Keras has under the same name.

    Args:
        entry: With ``class_name``, and from Keras 3 on ``module`` and ``registered_name``.
    """
    name = str(entry["class_name"])
    own = name.rpartition(">")[2]
    module = entry.get("module")
    foreign = own != name or (isinstance(module, str) and module.partition(".")[0] not in _KERAS_MODULES)
    if not foreign or own in _OWN_CLASSES:
        return kind_of_class(own)
    return own if kind_of_class(own) not in _KNOWN else str(entry.get("registered_name") or f"Custom>{own}")


def snake_case(name: str) -> str:
    """Return a class name as Keras 2 makes a layer's name of it (``p_re_lu`` of ``PReLU``)."""
    partly = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", partly).lower()


def snake_case3(name: str) -> str:
    """Return a class name as Keras 3 makes a group's name of it (``conv_lstm2d`` of ``ConvLSTM2D``)."""
    partly = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", partly).lower()


def _automatic_names() -> dict[str, str]:
    names = {}
    for name in _CLASSES:
        names[name.lower()] = names[snake_case(name)] = names[snake_case3(name)] = kind_of_class(name)
    return names


_BY_NAME = _automatic_names()


def automatic_stem(name: str) -> str | None:
    """Return what is numbered in a name that Keras gave by itself (``convolution2d`` of ``convolution2d_7``).

    Returns:
        None if the name is no automatic one. The first layer of a class has no number in tf.keras and Keras 3
        (``conv2d``, then ``conv2d_1``), so the bare name counts like a numbered one.
    """
    found = _NUMBERED.fullmatch(name)
    stem = found.group(1) if found else name
    return stem if stem in _BY_NAME else None


def kind_of_name(name: str) -> str | None:
    """Return the kind that an automatic name tells, or None for a name that somebody chose."""
    stem = automatic_stem(name)
    return _BY_NAME[stem] if stem else None


def kind_of_group(name: str) -> str | None:
    """Return the kind that the name of a group in a file of Keras 3 tells (``conv2d``, ``conv2d_1``)."""
    return kind_of_name(name)


def is_kind(name: str) -> bool:
    """Return whether a kind is one that this package knows, with weights or without."""
    return name in _KNOWN


def stem_of(name: str) -> str:
    """Return a name without the number behind it (``q_dense`` of ``q_dense_3``)."""
    found = _NUMBERED.fullmatch(name)
    return found.group(1) if found else name


def parse_layers(texts: Sequence[str]) -> dict[str, str]:
    """Return what ``--layer`` arguments mean.

    Args:
        texts: Each ``NAME=KIND``, for instance ``up1=Conv2DTranspose`` or ``td=TimeDistributed(Dense)``.

    Raises:
        ArgumentError: If a text has another form.

    Examples:
        >>> import converters
        >>> converters.parse_layers(["up1=Conv2DTranspose", "td=TimeDistributed(Dense)"])
        {'up1': 'Conv2DTranspose', 'td': 'TimeDistributed(Dense)'}
    """
    parsed: dict[str, str] = {}
    for text in texts:
        name, equals, kind = text.rpartition("=")
        if not equals or not name or not kind:
            raise ArgumentError(f"--layer takes NAME=KIND, for instance up1=Conv2DTranspose, not {text!r}")
        parsed[name] = kind
    return parsed


def split_kind(text: str, layer: str) -> tuple[str, str | None]:
    """Return a kind that a user gave, and the kind inside it (``TimeDistributed(Dense)``).

    Args:
        text: What the user said.
        layer: The layer, for the message.

    Returns:
        For a layer of kind ``Other``, its class is the second.

    Raises:
        ArgumentError: If there is no such kind.
    """
    found = _SAID.fullmatch(text)
    if found and found.group(1) == OTHER:
        return OTHER, found.group(2)
    kinds = tuple(kind_of_class(part) for part in found.groups() if part) if found else ()
    known = (*RULES, *WRAPPERS, OTHER)
    if not kinds or any(kind not in known for kind in kinds) or (len(kinds) > 1 and kinds[0] in RULES):
        raise ArgumentError(f"layer {layer!r}: {text!r} is not a known kind; known are {', '.join(known)}")
    return kinds[0], kinds[1] if len(kinds) > 1 else None


def infer_kind(shapes: Mapping[str, Shape], dialect: str) -> str | None:
    """Return the kind of a layer that only its arrays tell, or None.

    Args:
        shapes: The shape of each array by its role, with its gate if it has one (``kernel_i``).
        dialect: The file's dialect.
    """
    roles = set(shapes)
    if kind := _gated_kind(shapes):
        return kind
    for kind, (needed, allowed) in _BY_ROLES.items():
        if needed <= roles <= allowed:
            return kind if _fits(kind, shapes) else None
    if {"kernel", "recurrent_kernel"} <= roles <= {"kernel", "recurrent_kernel", "bias"}:
        return _packed_kind(shapes["recurrent_kernel"], shapes.get("bias"))
    if "kernel" in roles and roles <= {"kernel", "bias"}:
        return _kernel_kind(shapes["kernel"], shapes.get("bias"), dialect)
    return None


def by_bias(kind: str, shapes: Mapping[str, Shape], dialect: str) -> str:
    """Return the kind of a layer whose class is known: of LSTM and CuDNNLSTM, that of its bias.

    Keras 2 loads the arrays of either into the other, and goes by the bias too.

    Args:
        kind: The layer's kind, as its class, its name or the user tells it.
        shapes: See :func:`infer_kind`.
        dialect: The file's dialect.
    """
    found = infer_kind(shapes, dialect) if kind in _EITHER else None
    return found if found == _EITHER.get(kind) and found else kind


def _kinds_by_roles() -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """Return the roles that a layer must have, and may have, to be of a kind, the first that fits first."""
    biased = {"SeparableConv2D", "DepthwiseConv2D"}
    kinds = ("Embedding", "Highway", "PReLU", "ParametricSoftplus", "SReLU", "SeparableConv2D")
    found = {
        kind: (frozenset(RULES[kind]) - ({"bias"} if kind in biased else set()), frozenset(RULES[kind]))
        for kind in (*kinds, "DepthwiseConv2D")
    }
    vectors = frozenset(RULES["BatchNormalization"])
    found["BatchNormalization"] = (frozenset({"moving_mean", "moving_variance"}), vectors)
    found["Scale"] = (frozenset({"gamma"}), frozenset({"gamma", "beta"}))
    return found


_BY_ROLES = _kinds_by_roles()
_VECTORS = ("BatchNormalization", "Scale")


def _fits(kind: str, shapes: Mapping[str, Shape]) -> bool:
    if kind in _VECTORS:
        return all(len(shape) == 1 for shape in shapes.values())
    return kind != "SeparableConv2D" or len(shapes["depthwise_kernel"]) == 4


def _gated_kind(shapes: Mapping[str, Shape]) -> str | None:
    gates = {role.rpartition("_")[2] for role in shapes if role.startswith(("kernel_", "recurrent_kernel_"))}
    rank = max((len(shape) for shape in shapes.values()), default=0)
    if gates == set(GATES["LSTM"]):
        return {2: "LSTM", 4: "ConvLSTM2D"}.get(rank)
    return "GRU" if gates == set(GATES["GRU"]) and rank == 2 else None


def _packed_kind(recurrent: Shape, bias: Shape | None) -> str | None:
    units = recurrent[-2] if len(recurrent) > 1 else 0
    times = recurrent[-1] // units if units and recurrent[-1] % units == 0 else 0
    # cuDNN's layers have the same kernels and twice the biases in one vector, reset_after in two rows.
    if bias == (2 * recurrent[-1],):
        return {(2, 3): "CuDNNGRU", (2, 4): "CuDNNLSTM"}.get((len(recurrent), times))
    if bias not in (None, recurrent[-1:], (2, recurrent[-1])):
        return None
    return {
        (2, 1): "SimpleRNN",
        (2, 3): "GRU",
        (2, 4): "LSTM",
        (4, 4): "ConvLSTM2D",
    }.get((len(recurrent), times))


def _kernel_kind(kernel: Shape, bias: Shape | None, dialect: str) -> str | None:
    rank = len(kernel)
    if rank == 3:
        return _rank_3_kind(kernel, bias, dialect)
    kind = {2: "Dense", 4: "Conv2D", 5: "Conv3D"}.get(rank)
    if kind is None or bias is None:
        return kind
    if len(bias) != 1:
        return None
    # Outputs lie first in (O,I,H,W) and last everywhere else; a transposed kernel has them second to last.
    old = dialect in ("keras0", "keras1")
    if old and may_be_1d(kernel, bias):
        return None
    if bias[0] in {kernel[-1]} | ({kernel[0]} if old and rank > 3 else set()):
        return kind
    return f"{kind}Transpose" if rank > 3 and not old and bias[0] == kernel[-2] else None


def may_be_1d(kernel: Shape, bias: Shape) -> bool:
    """Return whether a kernel of Keras 0 or 1 may be a 1-D convolution's: (O,I,L,1) or (L,1,I,O)."""
    if len(kernel) != 4 or len(bias) != 1:
        return False
    first = kernel[3] == 1 and kernel[2] > 1 and bias[0] == kernel[0]
    return first or (kernel[1] == 1 and kernel[0] > 1 and bias[0] == kernel[3])


def _rank_3_kind(kernel: Shape, bias: Shape | None, dialect: str) -> str | None:
    """Return the kind of a kernel of rank three, which its bias tells: 1-D, locally connected, or maxout."""
    if bias is None:
        return None
    if len(bias) == 1 and dialect not in ("keras0", "keras1"):
        return "Conv1D" if bias[0] == kernel[-1] else None
    if len(bias) == 3 and bias[-1] == kernel[-1] and bias[0] * bias[1] == kernel[0]:
        return "LocallyConnected2D"
    if bias != (kernel[0], kernel[-1]):
        return None
    # In Keras 1 the same shapes may be either of two kinds.
    return {"keras0": "MaxoutDense", "keras1": None}.get(dialect, "LocallyConnected1D")
