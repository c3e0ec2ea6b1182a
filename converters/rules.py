"""What happens to each array of each kind of layer when the layout or the kernels change.

This is the one table to extend for another kind of layer: its class names, the names Keras numbers it by, and
a rule for each role. A kind that is not in :data:`RULES` is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum

from converters.layouts import Shape


class Rule(Enum):
    """What a conversion does to an array."""

    CONVOLUTION = "convolution"
    """Kernel over two or three dimensions: axes move with the layout (not in Keras 2), and it is rotated."""
    CONVOLUTION_1D = "1-D convolution"
    """Kernel over one dimension: axes stay, since 1-D layers have no layout, and it is rotated."""
    ROWS = "rows"
    """One row (or value) per input: rows move with the layout where the input is a flattened feature map."""
    KEEP = "keep"
    """Never touched."""


# Kind -> role -> rule. Sources: keras/backend/theano_backend.py of 0.3.3, 1.2.2 and 2.2.4 (conv1d, conv2d and
# conv3d hand their kernels to Theano's true convolution in every version and in both orders), the build()
# methods in keras/layers/convolutional.py for the axes, and keras/layers/core.py (Flatten) for the rows.
RULES: Mapping[str, Mapping[str, Rule]] = {
    # Keras 1 stores (L,1,I,O), up to 1.0.8 (O,I,L,1), Keras 2 (L,I,O): in either layout the same.
    "Conv1D": {"kernel": Rule.CONVOLUTION_1D, "bias": Rule.KEEP},
    # Keras 0 and 1: th (O,I,H,W), tf (H,W,I,O). Keras 2: (H,W,I,O) in both.
    "Conv2D": {"kernel": Rule.CONVOLUTION, "bias": Rule.KEEP},
    # Keras 1: th (O,I,D,H,W), tf (D,H,W,I,O). Keras 2: (D,H,W,I,O) in both.
    "Conv3D": {"kernel": Rule.CONVOLUTION, "bias": Rule.KEEP},
    # (inputs, units) everywhere.
    "Dense": {"kernel": Rule.ROWS, "bias": Rule.KEEP},
    # Vectors along the channels, or along what was flattened if the layer follows a Flatten.
    "BatchNormalization": {
        "gamma": Rule.ROWS,
        "beta": Rule.ROWS,
        "moving_mean": Rule.ROWS,
        "moving_variance": Rule.ROWS,
    },
    # The Caffe layer that published networks define for themselves, beside a BatchNormalization.
    "Scale": {"gamma": Rule.ROWS, "beta": Rule.ROWS},
    # (words, units) everywhere: Keras 1 calls the matrix W, Keras 2 embeddings.
    "Embedding": {"kernel": Rule.KEEP, "embeddings": Rule.KEEP},
    # Keras 1 has a layer of its own for what later is a plain Dense; it works on a sequence, never on a
    # flattened map.
    "TimeDistributedDense": {"kernel": Rule.KEEP, "bias": Rule.KEEP},
}

# Class names of Keras 0 and 1 for what Keras 2 calls otherwise.
_ALIASES = {
    "Convolution1D": "Conv1D",
    "AtrousConvolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "AtrousConvolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "Deconvolution2D": "Conv2DTranspose",
    "SeparableConvolution2D": "SeparableConv2D",
    "Functional": "Model",
}

# Classes whose automatic names tell the kind: lower case with a number in Keras 1 (convolution2d_1), snake
# case with or without one in Keras 2 (conv2d_1). Those with weights that RULES lacks are here to be refused
# by their names.
_CLASSES = (
    *(
        "Dense",
        "Conv1D",
        "Conv2D",
        "Conv3D",
        "BatchNormalization",
        "Scale",
        "Embedding",
        "TimeDistributedDense",
    ),
    *_ALIASES,
    *("Conv2DTranspose", "Conv3DTranspose", "SeparableConv1D", "SeparableConv2D", "DepthwiseConv2D"),
    *("LocallyConnected1D", "LocallyConnected2D", "PReLU", "SReLU", "ParametricSoftplus"),
    *("SimpleRNN", "LSTM", "GRU", "ConvLSTM2D", "CuDNNLSTM", "CuDNNGRU", "Bidirectional", "TimeDistributed"),
    *("Highway", "MaxoutDense", "Sequential", "Model"),
    *(
        "InputLayer",
        "Activation",
        "Dropout",
        "Flatten",
        "Reshape",
        "Permute",
        "RepeatVector",
        "Merge",
        "Lambda",
    ),
    *(
        "MaxPooling1D",
        "MaxPooling2D",
        "MaxPooling3D",
        "AveragePooling1D",
        "AveragePooling2D",
        "AveragePooling3D",
    ),
    *("GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalAveragePooling1D", "GlobalAveragePooling2D"),
    *("ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D", "Cropping1D", "Cropping2D", "Cropping3D"),
    *("UpSampling1D", "UpSampling2D", "UpSampling3D", "Add", "Concatenate", "Multiply", "Average", "Maximum"),
)
_NUMBERED = re.compile(r"(.+?)_(\d+)")


def kind_of_class(name: str) -> str:
    """Return the kind of a class: its name in Keras 2's words (``Conv2D`` for ``AtrousConvolution2D``)."""
    return _ALIASES.get(name, name)


def snake_case(name: str) -> str:
    """Return a class name as Keras 2 makes a layer's name of it (``p_re_lu`` of ``PReLU``)."""
    partly = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", partly).lower()


def _automatic_names() -> dict[str, str]:
    names = {}
    for name in _CLASSES:
        names[name.lower()] = names[snake_case(name)] = kind_of_class(name)
    return names


_BY_NAME = _automatic_names()


def automatic_stem(name: str) -> str | None:
    """Return what is numbered in a name that Keras gave by itself (``convolution2d`` of ``convolution2d_7``).

    Returns:
        None if the name is no automatic one.
    """
    found = _NUMBERED.fullmatch(name)
    return found.group(1) if found and found.group(1) in _BY_NAME else None


def kind_of_name(name: str) -> str | None:
    """Return the kind that an automatic name tells, or None for a name that somebody chose."""
    stem = automatic_stem(name)
    return _BY_NAME[stem] if stem else None


def infer_kind(shapes: Mapping[str | None, Shape], count: int, dialect: str) -> str | None:
    """Return the kind of a layer that only its arrays tell, or None.

    Args:
        shapes: The shape of each array by its role.
        count: The number of arrays; more than there are roles means that roles repeat.
        dialect: The file's dialect.
    """
    roles = set(shapes)
    if None in roles or len(roles) != count:
        return None
    if roles == {"embeddings"}:
        return "Embedding"
    if roles <= {"kernel", "bias"} and "kernel" in roles:
        return _kernel_kind(shapes["kernel"], shapes.get("bias"), dialect)
    if not roles <= set(RULES["BatchNormalization"]) or any(len(shape) != 1 for shape in shapes.values()):
        return None
    return "BatchNormalization" if {"moving_mean", "moving_variance"} <= roles else "Scale"


def _kernel_kind(kernel: Shape, bias: Shape | None, dialect: str) -> str | None:
    # A kernel of rank three is a 1-D convolution in Keras 2 only; elsewhere it is a locally connected layer
    # or the like.
    ranks = {2: "Dense", 4: "Conv2D", 5: "Conv3D"} | ({3: "Conv1D"} if dialect == "keras2" else {})
    kind = ranks.get(len(kernel))
    if kind is None or bias is None:
        return kind
    # Outputs lie first in (O,I,H,W) and last everywhere else; a transposed kernel has them elsewhere.
    ends = {kernel[-1]} | ({kernel[0]} if dialect != "keras2" and len(kernel) > 3 else set())
    return kind if len(bias) == 1 and bias[0] in ends else None
