"""What happens to each array of each kind of layer when the layout, the kernels or the dialect changes.

This is the one table to extend for another kind of layer: a rule for each role, and where its axes lie. A
kind that is not in :data:`RULES` is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Literal

from converters.arrays.form import Layout

Dialect = Literal["keras0", "keras1", "keras2", "keras3", "plain"]
"""Which version of Keras a file's names and groups are of; ``plain``: ``layer/role`` with Keras 3's axes."""


class Rule(Enum):
    """What a conversion does to an array; :data:`AXES` says where the axes of each lie."""

    CONVOLUTION = "convolution"
    """Kernel over two or three dimensions: axes move with the layout (not from Keras 2 on), it is rotated."""
    CONVOLUTION_1D = "1-D convolution"
    """Kernel over one dimension: 1-D layers have no layout; it is rotated."""
    TRANSPOSED = "transposed convolution"
    """The same as CONVOLUTION, but from Keras 2 on with the outputs before the inputs."""
    DEPTHWISE = "depthwise convolution"
    """Axes move with the layout in Keras 1; never rotated."""
    MAP = "map"
    """One value for each place of a feature map: axes move with the layout in every version."""
    ROWS = "rows"
    """One row (or value) per input: rows move with the layout where the input is a flattened feature map."""
    FEATURE_ROWS = "rows of each feature"
    """The same along the second axis."""
    WINDOWS = "windows"
    """(places, C x window, filters): the second axis holds flattened windows of a feature map."""
    PLACES = "places"
    """(rows, columns, filters); channels first, its values are used as if (filters, rows, columns)."""
    DEVIATION = "deviation"
    """ROWS for what is a standard deviation up to Keras 1.0.6, and a variance from 1.0.7 on."""
    CUDNN_KERNEL = "cuDNN kernel"
    """Gates side by side, the values of each counted (units, inputs): in another dialect (inputs, units)."""
    CUDNN_BIAS = "cuDNN bias"
    """One vector of two biases for each gate, the input's and the recurrent one."""
    KEEP = "keep"
    """Never touched."""


_RECURRENT = {"kernel": Rule.ROWS, "recurrent_kernel": Rule.KEEP, "bias": Rule.KEEP}
_KERNEL = {"kernel": Rule.CONVOLUTION, "bias": Rule.KEEP}
_CUDNN = {"kernel": Rule.CUDNN_KERNEL, "recurrent_kernel": Rule.CUDNN_KERNEL, "bias": Rule.CUDNN_BIAS}

# Kind -> role -> rule; the roles in the order in which Keras 2 and 3 keep them. Sources, in Keras 0.3.3,
# 1.0.7, 1.0.8, 1.2.2, 2.0.5 and 2.2.4: keras/backend/theano_backend.py (conv1d, conv2d, conv3d, deconv2d and
# conv2d_transpose hand their kernels to Theano's true convolution in every version and in both orders;
# depthwise_conv2d, separable_conv1d and separable_conv2d rotate them first; local_conv1d and local_conv2d
# multiply), the build() and call() methods under keras/layers for the axes, and Flatten in
# keras/layers/core.py for the rows.
RULES: Mapping[str, Mapping[str, Rule]] = {
    # Keras 1 stores (L,1,I,O), up to 1.0.8 (O,I,L,1), Keras 2 (L,I,O): in either layout the same.
    "Conv1D": {"kernel": Rule.CONVOLUTION_1D, "bias": Rule.KEEP},
    # Keras 0 and 1: th (O,I,H,W), tf (H,W,I,O). Keras 2: (H,W,I,O) in both. Atrous ones are the same.
    "Conv2D": _KERNEL,
    # Keras 1: th (O,I,D,H,W), tf (D,H,W,I,O). Keras 2: (D,H,W,I,O) in both.
    "Conv3D": _KERNEL,
    # Keras 1 as Conv2D (it swaps the axes when it runs). Keras 2: (H,W,O,I) in both.
    "Conv2DTranspose": {"kernel": Rule.TRANSPOSED, "bias": Rule.KEEP},
    "Conv3DTranspose": {"kernel": Rule.TRANSPOSED, "bias": Rule.KEEP},
    # (L,I,M), and (1,I*M,O): Keras 2 on.
    "SeparableConv1D": {"depthwise_kernel": Rule.KEEP, "pointwise_kernel": Rule.KEEP, "bias": Rule.KEEP},
    # Keras 1: th (M,I,H,W), (O,I*M,1,1), tf (H,W,I,M), (1,1,I*M,O), on TensorFlow alone. Keras 2: the latter.
    "SeparableConv2D": {
        "depthwise_kernel": Rule.DEPTHWISE,
        "pointwise_kernel": Rule.CONVOLUTION,
        "bias": Rule.KEEP,
    },
    # (H,W,I,M): Keras 2 on.
    "DepthwiseConv2D": {"depthwise_kernel": Rule.DEPTHWISE, "bias": Rule.KEEP},
    # (places, L*I, O) and (places, O) everywhere.
    "LocallyConnected1D": {"kernel": Rule.KEEP, "bias": Rule.KEEP},
    # (places, I*H*W, O): windows flattened in the layout's own order; (rows, columns, O).
    "LocallyConnected2D": {"kernel": Rule.WINDOWS, "bias": Rule.PLACES},
    # (inputs, units) everywhere.
    "Dense": {"kernel": Rule.ROWS, "bias": Rule.KEEP},
    # Keras 1 has a layer of its own for what later is a plain Dense; it works on a sequence, never on a
    # flattened map.
    "TimeDistributedDense": {"kernel": Rule.KEEP, "bias": Rule.KEEP},
    # (features, inputs, units), (features, units).
    "MaxoutDense": {"kernel": Rule.FEATURE_ROWS, "bias": Rule.KEEP},
    # (units, units) twice, (units,) twice, in the order of 1.2.2; 0.3.3 has each matrix before its bias.
    "Highway": {"kernel": Rule.KEEP, "carry_kernel": Rule.KEEP, "bias": Rule.KEEP, "carry_bias": Rule.KEEP},
    # Vectors along the channels, or along what was flattened if the layer follows a Flatten.
    "BatchNormalization": {
        "gamma": Rule.ROWS,
        "beta": Rule.ROWS,
        "moving_mean": Rule.ROWS,
        "moving_variance": Rule.DEVIATION,
    },
    # The Caffe layer that published networks define for themselves, beside a BatchNormalization.
    "Scale": {"gamma": Rule.ROWS, "beta": Rule.ROWS},
    # The shape of what comes in: (C,H,W) or (H,W,C), with ones along shared axes.
    "PReLU": {"alpha": Rule.MAP},
    "ParametricSoftplus": {"alpha": Rule.MAP, "beta": Rule.MAP},
    "SReLU": {"t_left": Rule.MAP, "a_left": Rule.MAP, "t_right": Rule.MAP, "a_right": Rule.MAP},
    # (words, units) everywhere: Keras 1 calls the matrix W, Keras 2 embeddings.
    "Embedding": {"embeddings": Rule.KEEP},
    # (inputs, gates*units), (units, gates*units), (gates*units,), the gates as GATES has them; Keras 0 and 1
    # keep one array per gate unless consume_less is "gpu". GRU's bias is (2, gates*units) with reset_after.
    "SimpleRNN": _RECURRENT,
    "LSTM": _RECURRENT,
    "GRU": _RECURRENT,
    # The same shapes with other values in them, and a bias of (2*gates*units,); the activations are always
    # tanh and sigmoid. Source: _convert_rnn_weights() in keras/engine/saving.py, Keras 2.2.4.
    "CuDNNLSTM": _CUDNN,
    "CuDNNGRU": _CUDNN,
    # Kernels as Conv2D's, gates along the outputs.
    "ConvLSTM2D": {"kernel": Rule.CONVOLUTION, "recurrent_kernel": Rule.CONVOLUTION, "bias": Rule.KEEP},
}

# What cuDNN's layers become in another dialect: a GRU with reset_after.
NATIVE: Mapping[str, str] = {"CuDNNLSTM": "LSTM", "CuDNNGRU": "GRU"}
# A layer of which nothing is known: its arrays are carried as they are. Nobody but the user calls a layer so
# where anything moves.
OTHER = "Other"

# The order of the gates in a packed array, from Keras 1's consume_less="gpu" to Keras 3.
GATES: Mapping[str, str] = {"LSTM": "ifco", "GRU": "zrh", "ConvLSTM2D": "ifco"}
# The order in which Keras 0 and 1 keep one array after the other.
OLD_GATES: Mapping[str, str] = {"LSTM": "icfo", "GRU": "zrh", "ConvLSTM2D": "icfo"}

# Where the axes of an array lie: in Keras 0 and 1 with channels first, the same with channels last, and from
# Keras 2 on. O outputs, I inputs, M multiplier, C channels, * the spatial axes, 1 an axis of one element.
AXES: Mapping[Rule, tuple[str, str, str]] = {
    Rule.CONVOLUTION: ("OI*", "*IO", "*IO"),
    Rule.TRANSPOSED: ("OI*", "*IO", "*OI"),
    Rule.DEPTHWISE: ("MI*", "*IM", "*IM"),
    Rule.CONVOLUTION_1D: ("*1IO", "*1IO", "*IO"),
}
# What Keras up to 1.0.8 has instead, in either layout.
OLD_1D_AXES = "OI*1"
_MAP_AXES: Mapping[Layout, str] = {"th": "C*", "tf": "*C"}
_ROTATED = frozenset({Rule.CONVOLUTION, Rule.CONVOLUTION_1D, Rule.TRANSPOSED})
_OLD = ("keras0", "keras1")


def is_rotated(rule: Rule) -> bool:
    """Return whether an array of this rule is a kernel that Theano's true convolution needs turned."""
    return rule in _ROTATED


def base_role(kind: str, role: str) -> str:
    """Return a role without its gate (``kernel`` of an LSTM's ``kernel_i``)."""
    return role if role in RULES[kind] else role.rpartition("_")[0]


def rule_of(kind: str, role: str) -> Rule:
    """Return the rule of an array by its layer's kind and its role, with its gate or without."""
    return Rule.KEEP if kind == OTHER else RULES[kind][base_role(kind, role)]


def axes_of(rule: Rule, rank: int, dialect: str, layout: Layout) -> tuple[str, ...] | None:
    """Return the names of an array's axes where some of them move, or None where none does.

    Args:
        rule: The array's rule.
        rank: How many axes it has from Keras 2 on.
        dialect: The dialect that it is stored in.
        layout: The layout that it is stored in.

    Returns:
        Names such as ``("O", "I", "s0", "s1")``; the spatial axes are those that begin with s.
    """
    if rule is Rule.MAP:
        return _named(_MAP_AXES[layout], rank - 1) if rank > 2 else None
    if rule not in AXES:
        return None
    first, last, new = AXES[rule]
    old = first if layout == "th" else last
    return _named(old if dialect in _OLD else new, rank - 2)


def _named(letters: str, spatial: int) -> tuple[str, ...]:
    names: list[str] = []
    for letter in letters:
        names += [f"s{number}" for number in range(spatial)] if letter == "*" else [letter]
    return tuple(names)


def old_1d_axes() -> tuple[str, ...]:
    """Return the names of the axes of a 1-D kernel of Keras up to 1.0.8."""
    return _named(OLD_1D_AXES, 1)
