"""What a conversion will do to each array, worked out from names and shapes before any value is read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from converters import kernels
from converters.dialects import Array, Description, Layer
from converters.errors import ConversionError, UnknownFlattenError
from converters.facts import Fact, learn_kernels, learn_layout
from converters.flatten import Flattened, flattened_layers
from converters.layouts import Form, Kernels, Layout, Rows, Shape
from converters.rows import rows_text
from converters.rules import RULES, Rule
from converters.structures import Match, MatchedLayer


@dataclass(frozen=True, kw_only=True)
class PlannedArray:
    """One array, and what becomes of it.

    Attributes:
        layer: The file's layer.
        kind: The layer's kind.
        name: The array's name in the file.
        role: What it is to its layer.
        path: The dataset's path.
        shape: Its shape in the file.
        target_shape: Its shape afterwards.
        dtype: Its type, which stays.
        move_axes: ``"last"`` or ``"first"`` if the axes of a kernel move there, else None.
        rotate: The axes (of the target shape) along which the kernel is reversed; empty if it is not.
        rows: The flattened maps whose rows move, or None.
        rows_to: ``"last"`` or ``"first"``: where the channels of the rows move, if they do.
        structure_layer: The published name of the layer, if the file holds a known structure.
        structure_index: The layer's place among the structure's weighted layers.
    """

    layer: str
    kind: str
    name: str
    role: str
    path: str
    shape: Shape
    target_shape: Shape
    dtype: np.dtype[Any]
    move_axes: str | None = None
    rotate: tuple[int, ...] = ()
    rows: Rows | None = None
    rows_to: str | None = None
    structure_layer: str | None = None
    structure_index: int | None = None

    @property
    def nbytes(self) -> int:
        """The bytes that its values take."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def changes(self) -> bool:
        """Whether any value moves."""
        return bool(self.move_axes or self.rotate or self.rows)

    @property
    def actions(self) -> tuple[str, ...]:
        """What happens, in words; empty if the array stays as it is."""
        words = []
        if self.move_axes:
            words.append(f"channels {self.move_axes}")
        if self.rotate:
            words.append("rotate by 180 degrees")
        if self.rows:
            words.append(f"rows of {rows_text(self.rows)} to channels {self.rows_to}")
        return tuple(words)

    def moved(self, sizes: Shape) -> Shape:
        """Return one number for each axis in the order that the axes have afterwards."""
        return _target_shape(tuple(sizes), self.move_axes)

    def apply(self, values: kernels.Values) -> kernels.Values:
        """Return the array as it will be, contiguous in memory.

        Args:
            values: The array as it is in the file.
        """
        if self.rows and self.rows_to == "last":
            return kernels.rows_to_channels_last(values, self.rows)
        if self.rows:
            return kernels.rows_to_channels_first(values, self.rows)
        if self.move_axes == "last":
            values = kernels.to_channels_last(values)
        elif self.move_axes == "first":
            values = kernels.to_channels_first(values)
        return np.ascontiguousarray(kernels.rotate(values, self.rotate) if self.rotate else values)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A conversion, array by array, and how each fact behind it was learned.

    Attributes:
        description: The file.
        layout: Its layout, and who told it.
        kernels: How its kernels are stored, and who told it.
        target: What it becomes.
        arrays: Every array in the file's order.
        flatten: The layers whose rows come from a flattened map, by the file's names; None if the conversion
            does not have to know.
        structure: The name of the structure that the file holds, or None.
        notes: What the user should know, one sentence each.
    """

    description: Description
    layout: Fact
    kernels: Fact
    target: Form
    arrays: tuple[PlannedArray, ...]
    flatten: Mapping[str, Flattened] | None
    structure: str | None
    notes: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """The file to convert."""
        return self.description.path

    @property
    def source(self) -> Form:
        """What the file is."""
        return Form(layout=self.layout.value, kernels=self.kernels.value)

    @property
    def changed(self) -> tuple[PlannedArray, ...]:
        """The arrays in which anything moves."""
        return tuple(array for array in self.arrays if array.changes)

    @property
    def nbytes(self) -> int:
        """The bytes of all arrays."""
        return sum(array.nbytes for array in self.arrays)

    def __str__(self) -> str:
        """Return the plan as a table for people: one line for each array that changes."""
        return "\n".join(_lines(self))

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as plain values that JSON can hold."""
        return {
            "path": str(self.path),
            "dialect": self.description.dialect,
            "keras_version": self.description.keras_version,
            "source": {
                "layout": self.layout.value,
                "layout_from": self.layout.source,
                "kernels": self.kernels.value,
                "kernels_from": self.kernels.source,
            },
            "target": {"layout": self.target.layout, "kernels": self.target.kernels},
            "structure": self.structure,
            "flatten": _flatten_dict(self),
            "arrays": [_array_dict(array) for array in self.arrays],
            "changed": len(self.changed),
            "bytes": self.nbytes,
            "notes": list(self.notes),
        }


def make_plan(
    description: Description,
    *,
    target: Form,
    from_layout: Layout | None = None,
    from_kernels: Kernels | None = None,
    registry_form: Form | None = None,
    expected: Form | None = None,
    flatten: Mapping[str, Rows | None] | None = None,
    match: Match | None = None,
) -> Plan:
    """Work out a conversion.

    Args:
        description: The file.
        target: What it is to become.
        from_layout: The file's layout, if the user says it.
        from_kernels: How its kernels are stored, if the user says it.
        registry_form: What the registry says the file is.
        expected: Where the user's direction starts from; a hint that anything more certain overrules.
        flatten: What the user says of rows: layer -> ((C, H, W),), or None for a layer without a flattened
            map.
        match: The structure that the file holds, if it is known.

    Raises:
        ConversionError: If a layer is of a kind without a rule, or nothing tells the layout.
        UnknownFlattenError: If a dense layer may follow a flattened map of unknown shape.
    """
    layout = learn_layout(
        description, user=from_layout, registry_form=registry_form, expected=expected, match=match
    )
    kernel = learn_kernels(description, layout, user=from_kernels, registry_form=registry_form)
    _check_kinds(description, match)
    if layout is None or kernel is None:
        return _without_layout(description, target, kernel, flatten, match)
    return _plan(description, layout, kernel, target, flatten=flatten, match=match)


def _without_layout(
    description: Description,
    target: Form,
    kernel: Fact | None,
    flatten: Mapping[str, Rows | None] | None,
    match: Match | None,
) -> Plan:
    """Plan for a file whose layout nothing tells: possible only where it makes no difference."""
    assumed = Fact(value=target.layout, source="assumed: nothing in the file depends on it")
    kernel = kernel or Fact(value=target.kernels, source=assumed.source)
    plan = _plan(description, assumed, kernel, target, flatten=flatten, match=match)
    other = Fact(value="tf" if target.layout == "th" else "th", source="assumed")
    question = (
        f"{description.path}: nothing in the file tells its layout; say --from-layout th or --from-layout tf"
    )
    try:
        changed = _plan(description, other, kernel, target, flatten=flatten, match=match)
    except UnknownFlattenError as error:
        raise ConversionError(question) from error
    kernels_matter = kernel.source == assumed.source and any(
        RULES[array.kind].get(array.role) in (Rule.CONVOLUTION, Rule.CONVOLUTION_1D) for array in plan.arrays
    )
    if changed.arrays != plan.arrays or kernels_matter:
        raise ConversionError(question)
    return plan


def _plan(
    description: Description,
    layout: Fact,
    kernel: Fact,
    target: Form,
    *,
    flatten: Mapping[str, Rows | None] | None,
    match: Match | None,
) -> Plan:
    source = Form(layout=layout.value, kernels=kernel.value)
    known: Mapping[str, Flattened] | None = None
    if source.layout != target.layout:
        known = flattened_layers(description, source.layout, user=flatten, match=match)
    pairs = match.by_layer() if match else {}
    arrays = [
        _planned(
            description,
            layer,
            array,
            source=source,
            target=target,
            flattened=(known or {}).get(layer.name),
            pair=pairs.get(layer.name),
        )
        for layer in description.weighted
        for array in layer.arrays
    ]
    return Plan(
        description=description,
        layout=layout,
        kernels=kernel,
        target=target,
        arrays=tuple(arrays),
        flatten=known,
        structure=match.structure.name if match else None,
        notes=_notes(description, source, target, kernel),
    )


def _planned(
    description: Description,
    layer: Layer,
    array: Array,
    *,
    source: Form,
    target: Form,
    flattened: Flattened | None,
    pair: MatchedLayer | None,
) -> PlannedArray:
    kind = rule_kind(layer, pair)
    rule = RULES[kind][str(array.role)]
    moves = source.layout != target.layout
    ends = "last" if target.layout == "tf" else "first"
    axes = ends if moves and rule is Rule.CONVOLUTION and description.dialect != "keras2" else None
    rows = flattened.rows if moves and flattened and rule is Rule.ROWS else None
    shape = _target_shape(array.shape, axes)
    rotates = source.kernels != target.kernels
    first = description.dialect != "keras2" and target.layout == "th"
    spatial = (
        _spatial_axes(rule, array, layer, channels_first=first, path=description.path) if rotates else ()
    )
    return PlannedArray(
        layer=layer.name,
        kind=kind,
        name=array.name,
        role=str(array.role),
        path=array.path,
        shape=array.shape,
        target_shape=shape,
        dtype=array.dtype,
        move_axes=axes,
        rotate=tuple(axis for axis in spatial if shape[axis] > 1),
        rows=rows,
        rows_to=ends if rows else None,
        structure_layer=pair.expected.name if pair else None,
        structure_index=pair.index if pair else None,
    )


def _target_shape(shape: Shape, axes: str | None) -> Shape:
    if axes == "last":
        return kernels.kernel_shape_last(shape)
    return kernels.kernel_shape_first(shape) if axes == "first" else shape


def _spatial_axes(
    rule: Rule, array: Array, layer: Layer, *, channels_first: bool, path: Path
) -> tuple[int, ...]:
    """Return the axes of the planned array along which a convolution runs."""
    rank = len(array.shape)
    if rule is Rule.CONVOLUTION:
        return tuple(range(2, rank)) if channels_first else tuple(range(rank - 2))
    if rule is Rule.CONVOLUTION_1D:
        return (_length_axis(array.shape, layer.array("bias"), layer, path),)
    return ()


def _length_axis(shape: Shape, bias: Array | None, layer: Layer, path: Path) -> int:
    """Return the length's axis: Keras 1 has (O, I, L, 1) or (L, 1, I, O), Keras 2 (L, I, O)."""
    if len(shape) == 3:
        return 0
    outputs = bias.shape[0] if bias else None
    old = shape[3] == 1 and outputs in (None, shape[0])
    new = shape[1] == 1 and outputs in (None, shape[3])
    if old == new:
        text = f"the kernel {shape} of layer {layer.name!r} is neither clearly (O, I, L, 1) nor (L, 1, I, O)"
        raise ConversionError(f"{path}: {text}, as Keras 1 writes 1-D convolutions")
    return 2 if old else 0


def rule_kind(layer: Layer, pair: MatchedLayer | None) -> str:
    """Return the kind whose rules a layer follows: the structure's word, then the file's.

    Raises:
        KeyError: Never for a layer that a plan was made for.
    """
    return pair.expected.kind if pair else str(layer.kind)


_RANKS: Mapping[str, tuple[int, ...]] = {
    "Dense": (2,),
    "Conv1D": (3, 4),
    "Conv2D": (4,),
    "Conv3D": (5,),
    "BatchNormalization": (1,),
    "Scale": (1,),
    "Embedding": (2,),
    "TimeDistributedDense": (2,),
}


def _check_kinds(description: Description, match: Match | None) -> None:
    """Raise for the first layer whose kind has no rule, or whose arrays are not those of its kind."""
    pairs = match.by_layer() if match else {}
    for layer in description.weighted:
        kind = rule_kind(layer, pairs.get(layer.name))
        rules = RULES.get(kind, {})
        first = layer.arrays[0]
        unknown = [array for array in layer.arrays if array.role not in rules]
        repeated = len({array.role for array in layer.arrays}) < len(layer.arrays)
        if unknown or repeated or len(first.shape) not in _RANKS[kind]:
            raise ConversionError(_refusal(description, layer))


def _refusal(description: Description, layer: Layer) -> str:
    shapes = ", ".join(f"{array.name} {array.shape}" for array in layer.arrays)
    what = f"is of kind {layer.kind}" if layer.kind else "is of a kind that its arrays do not tell"
    if layer.kind in RULES:
        what = f"should be of kind {layer.kind}, but its arrays are not"
    known = ", ".join(RULES)
    return f"{description.path}: layer {layer.name!r} {what} ({shapes}); there are rules for {known}"


def _notes(description: Description, source: Form, target: Form, kernel: Fact) -> tuple[str, ...]:
    notes = []
    if kernel.source == "assumed":
        notes.append(f"nothing tells how the kernels are stored: taken to match the layout ({kernel.value})")
    if description.optimizer:
        notes.append("optimizer_weights are copied as they are: what they hold belongs to the source's form")
    if source.layout != target.layout:
        notes += _reshape_notes(description)
    return tuple(notes)


def _reshape_notes(description: Description) -> list[str]:
    notes = []
    dense: str | None = None
    for layer in description.layers:
        if layer.kind == "Dense":
            dense = layer.name
        elif layer.kind in ("Reshape", "Permute") and dense:
            notes.append(
                f"{dense!r} is followed by {layer.name!r}: if a feature map is made of it, it is not moved"
            )
            dense = None
    return notes


def _flatten_dict(plan: Plan) -> dict[str, Any] | None:
    if plan.flatten is None:
        return None
    return {
        name: {"rows": rows_text(found.rows), "from": found.source}
        for name, found in plan.flatten.items()
        if found.rows is not None
    }


def _array_dict(array: PlannedArray) -> dict[str, Any]:
    return {
        "layer": array.layer,
        "kind": array.kind,
        "name": array.name,
        "role": array.role,
        "path": array.path,
        "shape": list(array.shape),
        "target_shape": list(array.target_shape),
        "dtype": str(array.dtype),
        "actions": list(array.actions),
    }


def _lines(plan: Plan) -> list[str]:
    description = plan.description
    version = f", Keras {description.keras_version}" if description.keras_version else ""
    lines = [
        f"{plan.path} ({description.dialect}{version})",
        f"  from    layout {plan.layout}, kernels {plan.kernels}",
        f"  to      {plan.target}",
    ]
    lines += [f"  holds   {plan.structure}"] if plan.structure else []
    moved = {name: found for name, found in (plan.flatten or {}).items() if found.rows is not None}
    lines += [
        f"  flatten {name}={rows_text(found.rows or ())} ({found.source})" for name, found in moved.items()
    ]
    lines += [f"  note    {note}" for note in plan.notes]
    lines.append(f"  arrays  {len(plan.arrays)} ({plan.nbytes:,} bytes), {len(plan.changed)} of them change")
    return lines + _table([_row(array) for array in plan.changed])


def _row(array: PlannedArray) -> tuple[str, ...]:
    same = array.shape == array.target_shape
    shape = f"{array.shape}" if same else f"{array.shape} -> {array.target_shape}"
    return (array.layer, array.role, shape, ", ".join(array.actions))


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    if not rows:
        return []
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [
        "  " + "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]])
        for row in rows
    ]
