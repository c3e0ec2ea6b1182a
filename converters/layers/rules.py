"""What may happen to an array when the layout, the kernels or the dialect changes, and where its axes lie.

Which array of which kind of layer follows which rule stands in :data:`converters.layers.table.KINDS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Literal

from converters.arrays.form import Layout

Dialect = Literal["keras0", "keras1", "keras2", "keras3", "plain", "foreign"]
"""Which version of Keras a file's names and groups are of; ``plain``: ``layer/role`` with Keras 3's axes;
``foreign``: the axes of Caffe and PyTorch, which are the same."""


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


# Where the axes of an array lie: in Keras 0 and 1 with channels first, the same with channels last, from
# Keras 2 on, and in Caffe and PyTorch. O outputs, I inputs, M multiplier, C channels, * the spatial axes, 1
# an axis of one element.
AXES: Mapping[Rule, tuple[str, str, str, str]] = {
    Rule.CONVOLUTION: ("OI*", "*IO", "*IO", "OI*"),
    Rule.TRANSPOSED: ("OI*", "*IO", "*OI", "IO*"),
    Rule.DEPTHWISE: ("MI*", "*IM", "*IM", "IM*"),
    Rule.CONVOLUTION_1D: ("*1IO", "*1IO", "*IO", "OI*"),
}
# What Keras up to 1.0.8 has instead, in either layout.
OLD_1D_AXES = "OI*1"
_MAP_AXES: Mapping[Layout, str] = {"th": "C*", "tf": "*C"}
_ROTATED = frozenset({Rule.CONVOLUTION, Rule.CONVOLUTION_1D, Rule.TRANSPOSED})
_OLD = ("keras0", "keras1")
FOREIGN: Dialect = "foreign"


def is_rotated(rule: Rule) -> bool:
    """Return whether an array of this rule is a kernel that Theano's true convolution needs turned."""
    return rule in _ROTATED


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
    first, last, new, foreign = AXES[rule]
    old = first if layout == "th" else last
    return _named(old if dialect in _OLD else foreign if dialect == FOREIGN else new, rank - 2)


def _named(letters: str, spatial: int) -> tuple[str, ...]:
    names: list[str] = []
    for letter in letters:
        names += [f"s{number}" for number in range(spatial)] if letter == "*" else [letter]
    return tuple(names)


def old_1d_axes() -> tuple[str, ...]:
    """Return the names of the axes of a 1-D kernel of Keras up to 1.0.8."""
    return _named(OLD_1D_AXES, 1)
