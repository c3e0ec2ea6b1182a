"""Where each array of a layer lies in the old file and in the new one, and so what has to happen to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters.arrays.form import Form, Shape
from converters.arrays.moves import permutation
from converters.arrays.planned import PlannedArray
from converters.arrays.rows import Flattened
from converters.errors import ConversionError
from converters.formats.description import Description
from converters.layers.model import Array, Part
from converters.layers.rules import Rule, axes_of, is_rotated, old_1d_axes
from converters.layers.table import CUDNN, GATES, OTHER, Biases, rule_of, rules_of
from converters.planning.structures import MatchedLayer

Axes = tuple[str, ...]
_ROWS = (Rule.ROWS, Rule.DEVIATION, Rule.FEATURE_ROWS, Rule.WINDOWS)


@dataclass(frozen=True, kw_only=True)
class Ends:
    """What the file is, and what it becomes.

    Attributes:
        path: The file, for messages.
        source: Its form.
        target: The new form.
        dialect: Its dialect.
        new_dialect: The new dialect.
        flattens_last: Whether Flatten puts the channels last by itself in the version that wrote the file.
        new_flattens_last: The same of the version that reads the new file.
        squares: Whether standard deviations become variances.
        old_1d: Whether Keras 1 keeps 1-D kernels in its older form; None if the shapes have to tell.
        anew: Whether the new file is written by the rules of a dialect, be it the old one's.
    """

    path: Path
    source: Form
    target: Form
    dialect: str
    new_dialect: str
    flattens_last: bool
    new_flattens_last: bool
    squares: bool
    anew: bool
    old_1d: bool | None = None

    def rows_move(self, *, reshaped: bool = False) -> bool:
        """Return whether rows move that come from a flattened, or reshaped, map."""
        return self.rows_last(reshaped=reshaped) != self.new_rows_last(reshaped=reshaped)

    def rows_last(self, *, reshaped: bool) -> bool:
        """Return whether such rows have the channels last in the file."""
        return self.source.layout == "tf" or (self.flattens_last and not reshaped)

    def new_rows_last(self, *, reshaped: bool) -> bool:
        """Return whether such rows have the channels last in the new file."""
        return self.target.layout == "tf" or (self.new_flattens_last and not reshaped)

    @property
    def layout_moves(self) -> bool:
        """Whether the layout changes."""
        return self.source.layout != self.target.layout


def place(
    array: Array,
    part: Part,
    *,
    layer: str,
    ends: Ends,
    kind: str,
    flattened: Flattened | None,
    pair: MatchedLayer | None,
) -> PlannedArray:
    """Return what becomes of an array.

    Args:
        array: The array.
        part: The layer that it belongs to.
        layer: The file's layer.
        ends: What the file is and becomes.
        kind: The kind whose rules it follows.
        flattened: What its layer's rows are, if that is known and asked for.
        pair: The layer of a known structure that it is.

    Raises:
        ConversionError: If its shape is none that its rule allows.
    """
    rule = rule_of(kind, str(array.role))
    changes: dict[str, Any] = {"target_shape": array.shape}
    if rule in (Rule.CUDNN_KERNEL, Rule.CUDNN_BIAS):
        changes |= _cudnn(rule, array, part, flattened, ends)
    elif rule is Rule.PLACES:
        changes |= _places(array.shape, ends)
    elif rule in _ROWS or (rule is Rule.MAP and len(array.shape) == 1):
        turned = _turned(array, ends)
        # A convolution that is a matrix has a map behind it, not a flattened one.
        changes |= turned if "after" in turned else turned | _rows(rule, flattened, ends)
    else:
        changes |= _axes(rule, array, part, ends)
    return PlannedArray(
        layer=layer,
        kind=kind,
        name=array.name,
        role=array.full_role if kind != OTHER else str(array.role),
        path=array.path,
        shape=array.shape,
        dtype=array.dtype,
        structure_layer=pair.expected.name if pair else None,
        **changes,
    )


def _rows(rule: Rule, flattened: Flattened | None, ends: Ends) -> dict[str, Any]:
    function = {"function": "square"} if rule is Rule.DEVIATION and ends.squares else {}
    if flattened is None or flattened.rows is None:
        return function
    # Windows are flattened by the layer itself, as they lie in its layout.
    reshaped = flattened.reshaped or rule is Rule.WINDOWS
    if not ends.rows_move(reshaped=reshaped):
        return function
    to = "last" if ends.new_rows_last(reshaped=reshaped) else "first"
    axis = 1 if rule in (Rule.WINDOWS, Rule.FEATURE_ROWS) else 0
    return {**function, "rows": flattened.rows, "rows_to": to, "rows_axis": axis}


def _turned(array: Array, ends: Ends) -> dict[str, Any]:
    """Return how a matrix (O, I), or the kernel (O, C, H, W) of a convolution that is one, becomes (I, O)."""
    if not array.turned or ends.new_dialect == ends.dialect:
        return {}
    outputs, inputs = array.flat
    target, places = (inputs, outputs), tuple(range(2, len(array.shape)))
    if not places:
        return {"order": (1, 0), "target_shape": target}
    first = inputs > array.shape[1] and not ends.new_rows_last(reshaped=False)
    order = (1, *places, 0) if first else (*places, 1, 0)
    return {"order": order, "target_shape": target, "after": tuple(array.shape[axis] for axis in order)}


def _cudnn(rule: Rule, array: Array, part: Part, flattened: Flattened | None, ends: Ends) -> dict[str, Any]:
    """Return how an array of a cuDNN layer becomes one of Keras' own; in its own dialect it stays."""
    if flattened is not None and flattened.rows is not None and ends.rows_move(reshaped=flattened.reshaped):
        text = f"layer {part.name!r} ({part.kind}) is behind a flattened map: cuDNN's rows are not moved"
        raise ConversionError(f"{ends.path}: {text}; say --to keras2 first, which makes it a plain layer")
    if not ends.anew:
        return {}
    found = CUDNN[str(part.kind)]
    if rule is Rule.CUDNN_KERNEL:
        return {"gates": len(GATES[found.native])}
    halves = (2, array.shape[0] // 2)
    if found.biases is Biases.TWO_ROWS:
        return {"target_shape": halves}
    return {"target_shape": halves[1:], "before": halves, "function": "sum"}


def _places(shape: Shape, ends: Ends) -> dict[str, Any]:
    if not ends.layout_moves:
        return {}
    rows, columns, filters = shape
    first = (filters, rows, columns)
    if ends.target.layout == "tf":
        return {"before": first, "order": (1, 2, 0), "channels": "last"}
    return {"order": (2, 0, 1), "after": first, "channels": "first"}


def _axes(rule: Rule, array: Array, part: Part, ends: Ends) -> dict[str, Any]:
    source, target = _axis_names(rule, array, part, ends)
    if source is None or target is None:
        return {}
    order = permutation(source, target)
    moved = [source[axis] for axis in order]
    sizes = dict(zip(source, array.shape, strict=True)) | {"1": 1}
    shape = tuple(sizes[name] for name in target)
    after = tuple(sizes[name] for name in moved)
    rotates = is_rotated(rule) and ends.source.kernels != ends.target.kernels
    spatial = tuple(at for at, name in enumerate(moved) if name.startswith("s") and sizes[name] > 1)
    stays = order == tuple(range(len(order)))
    changed_layout = not stays and ends.dialect == ends.new_dialect
    return {
        "target_shape": shape,
        "order": None if stays else order,
        "after": after if after != shape else None,
        "channels": {"tf": "last", "th": "first"}[ends.target.layout] if changed_layout else None,
        "rotate": spatial if rotates else (),
    }


def _axis_names(rule: Rule, array: Array, part: Part, ends: Ends) -> tuple[Axes | None, Axes | None]:
    """Return the names of an array's axes in the old file and in the new one."""
    rank = 3 if rule is Rule.CONVOLUTION_1D else len(array.shape)
    source = axes_of(rule, rank, ends.dialect, ends.source.layout)
    target = axes_of(rule, rank, ends.new_dialect, ends.target.layout)
    if rule is Rule.CONVOLUTION_1D and len(array.shape) == 4 and _is_old_1d(array, part, ends):
        source = old_1d_axes()
        target = source if ends.dialect == ends.new_dialect else target
    elif rule is Rule.CONVOLUTION_1D and ends.old_1d and ends.new_dialect == "keras1":
        target = old_1d_axes()
    if source is not None and len(source) != len(array.shape):
        text = f"the {array.full_role} {array.shape} of layer {part.name!r} should have {len(source)} axes"
        raise ConversionError(f"{ends.path}: {text}")
    return source, target


def has_old_1d(description: Description, ends: Ends) -> bool:
    """Return whether a file keeps 1-D kernels in Keras 1's older form, or did before it was converted."""
    if ends.old_1d is not None or description.dialect != "keras1":
        return bool(ends.old_1d)
    kernels = [(part, part.array("kernel")) for part in description.parts if _is_1d(part)]
    return any(kernel is not None and _is_old_1d(kernel, part, ends) for part, kernel in kernels)


def _is_1d(part: Part) -> bool:
    return rules_of(part.kind).get("kernel") is Rule.CONVOLUTION_1D


def _is_old_1d(array: Array, part: Part, ends: Ends) -> bool:
    """Return whether a 1-D kernel of Keras 1 is (O, I, L, 1), as up to 1.0.8, not (L, 1, I, O)."""
    if ends.old_1d is not None:
        return ends.old_1d
    shape, bias = array.shape, part.array("bias")
    outputs = bias.shape[0] if bias else None
    old = shape[3] == 1 and outputs in (None, shape[0])
    new = shape[1] == 1 and outputs in (None, shape[3])
    if old == new:
        text = f"the kernel {shape} of layer {part.name!r} is neither clearly (O, I, L, 1) nor (L, 1, I, O)"
        raise ConversionError(f"{ends.path}: {text}, as Keras 1 writes 1-D convolutions")
    return old
