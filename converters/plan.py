"""What a conversion will do to each array, worked out from names and shapes before any value is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters.boundary import guarded, paced
from converters.dialects import Description
from converters.errors import ConversionError, UnknownFlattenError
from converters.facts import Fact, learn_kernels, learn_layout
from converters.flatten import Flattened, flattened_layers, flattens_last
from converters.kinds import infer_kind
from converters.layouts import Form, Kernels, Layout, Rows
from converters.outputs import planned_outputs
from converters.parts import Part
from converters.placing import Ends, place
from converters.planned import Output, PlannedArray
from converters.rows import rows_text
from converters.rules import GATES, RULES, Rule, base_role, is_rotated
from converters.structures import Match, MatchedLayer

# What else a file can be made: the dialects of Keras, and two containers of plain arrays.
TARGETS = ("keras1", "keras2", "keras3", "safetensors", "npz")


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
        to: The dialect or container that it becomes, or None: it stays in its own.
        outputs: If it becomes another, every array of the new file in its order.
        notes: What the user should know, one sentence each.
    """

    description: Description
    layout: Fact
    kernels: Fact
    target: Form
    arrays: tuple[PlannedArray, ...]
    flatten: Mapping[str, Flattened] | None
    structure: str | None
    to: str | None = None
    outputs: tuple[Output, ...] = ()
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

    @property
    def kept_flatten(self) -> dict[str, Rows] | None:
        """What the new file's record says of rows: those that a later change of layout moves.

        From Keras 2.2 on, rows have the channels last in either layout; only windows do not.
        """
        if self.flatten is None:
            return None
        stay = self.to is not None and self.to != "keras1"
        windows = {
            part.name
            for part in self.description.parts
            if RULES.get(str(part.kind), {}).get("kernel") is Rule.WINDOWS
        }
        return {
            name: found.rows
            for name, found in self.flatten.items()
            if found.rows is not None and (not stay or name in windows)
        }

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
            "to": self.to or self.description.dialect,
            "structure": self.structure,
            "flatten": _flatten_dict(self),
            "arrays": [_array_dict(array) for array in self.arrays],
            "outputs": [_output_dict(output) for output in self.outputs],
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
    to: str | None = None,
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
        to: One of :data:`TARGETS`, or None for the dialect that the file is in.

    Raises:
        ConversionError: If a layer is of a kind without a rule or without a place in the new dialect, or
            nothing tells the layout.
        UnknownFlattenError: If a dense layer may follow a flattened map of unknown shape.
    """
    request = _Request(description=description, target=target, to=to, flatten=flatten, match=match)
    with guarded(description.path):
        layout = learn_layout(
            description, user=from_layout, registry_form=registry_form, expected=expected, match=match
        )
        kernel = learn_kernels(description, layout, user=from_kernels, registry_form=registry_form)
        check_kinds(description, match)
        if layout is None or kernel is None:
            return _without_layout(request, kernel)
        return _plan(request, layout, kernel)


@dataclass(frozen=True, kw_only=True)
class _Request:
    """What is to be planned, but for what the file is."""

    description: Description
    target: Form
    to: str | None
    flatten: Mapping[str, Rows | None] | None
    match: Match | None


def _without_layout(request: _Request, kernel: Fact | None) -> Plan:
    """Plan for a file whose layout nothing tells: possible only where it makes no difference."""
    target = request.target
    assumed = Fact(value=target.layout, source="assumed: nothing in the file depends on it")
    kernel = kernel or Fact(value=target.kernels, source=assumed.source)
    plan = _plan(request, assumed, kernel)
    other = Fact(value="tf" if target.layout == "th" else "th", source="assumed")
    path = request.description.path
    question = f"{path}: nothing in the file tells its layout; say --from-layout th or --from-layout tf"
    try:
        changed = _plan(request, other, kernel)
    except UnknownFlattenError as error:
        raise ConversionError(question) from error
    rules = [RULES[array.kind][base_role(array.kind, array.role)] for array in plan.arrays]
    kernels_matter = kernel.source == assumed.source and any(map(is_rotated, rules))
    if changed.arrays != plan.arrays or kernels_matter:
        raise ConversionError(question)
    return plan


def _plan(request: _Request, layout: Fact, kernel: Fact) -> Plan:
    description = request.description
    source = Form(layout=layout.value, kernels=kernel.value)
    ends = _ends(request, source)
    known: Mapping[str, Flattened] | None = None
    if ends.moves:
        known = flattened_layers(
            description,
            source.layout,
            user=request.flatten,
            match=request.match,
            moved_by_version=not ends.rows_move,
        )
    pairs = request.match.by_layer() if request.match else {}
    by_path = {
        array.path: place(
            array,
            part,
            layer=layer.name,
            ends=ends,
            kind=_kind(part, pairs.get(layer.name)),
            flattened=(known or {}).get(part.name),
            pair=pairs.get(layer.name),
        )
        for layer in paced(description.weighted)
        for part in layer.parts
        for array in part.arrays
    }
    arrays = tuple(by_path[array.path] for layer in description.weighted for array in layer.arrays)
    return Plan(
        description=description,
        layout=layout,
        kernels=kernel,
        target=request.target,
        arrays=arrays,
        flatten=known,
        structure=request.match.structure.name if request.match else None,
        to=request.to,
        outputs=planned_outputs(description, by_path, request.to) if request.to else (),
        notes=_notes(request, source, kernel, by_path),
    )


def _ends(request: _Request, source: Form) -> Ends:
    """Return what the file is and becomes, as far as the rules ask for it."""
    description, target = request.description, request.target
    dialect = {"safetensors": "keras3", "npz": "keras3"}.get(request.to or "", request.to)
    last = source.layout == "tf" or flattens_last(description)
    new_last = flattens_last(description) if dialect is None else dialect in ("keras2", "keras3")
    return Ends(
        path=description.path,
        source=source,
        target=target,
        dialect=description.dialect,
        new_dialect=dialect or description.dialect,
        rows_last=last,
        new_rows_last=target.layout == "tf" or new_last,
        squares=_squares(description, dialect),
    )


def holds_deviations(description: Description) -> bool:
    """Return whether ``running_std`` is a standard deviation: up to Keras 1.0.6, as far as is known."""
    if description.dialect == "keras0":
        return True
    return description.dialect == "keras1" and bool(description.version) and description.version <= (1, 0, 6)


def _squares(description: Description, dialect: str | None) -> bool:
    """Return whether deviations become variances: not where the new file says of itself that it is as old."""
    if not holds_deviations(description):
        return False
    return dialect is not None or (description.dialect == "keras1" and description.version_said)


def _kind(part: Part, pair: MatchedLayer | None) -> str:
    """Return the kind whose rules a layer follows: the structure's word, then the file's."""
    return pair.expected.kind if pair else str(part.kind)


# How many axes the first array of a layer may have, where the arrays' names alone do not tell.
_RANKS: Mapping[str, tuple[int, ...]] = {
    "Dense": (2,),
    "Conv1D": (3, 4),
    "Conv2D": (4,),
    "Conv3D": (5,),
    "Conv2DTranspose": (4,),
    "Conv3DTranspose": (5,),
    "SeparableConv1D": (3,),
    "SeparableConv2D": (4,),
    "DepthwiseConv2D": (4,),
    "LocallyConnected1D": (3,),
    "LocallyConnected2D": (3,),
    "MaxoutDense": (3,),
    "Highway": (2,),
    "BatchNormalization": (1,),
    "Scale": (1,),
    "Embedding": (2,),
    "TimeDistributedDense": (2,),
    "SimpleRNN": (2,),
    "LSTM": (2,),
    "GRU": (2,),
    "ConvLSTM2D": (4,),
}


def check_kinds(description: Description, match: Match | None) -> None:
    """Raise for the first layer whose kind has no rule, or whose arrays are not those of its kind.

    Raises:
        ConversionError: With the layer, its arrays, and what is known.
    """
    pairs = match.by_layer() if match else {}
    for layer in description.weighted:
        for part in layer.parts:
            kind = _kind(part, pairs.get(layer.name))
            rules = RULES.get(kind, {})
            unknown = any(array.role not in rules for array in part.arrays)
            repeated = len({array.full_role for array in part.arrays}) < len(part.arrays)
            rank = len(part.arrays[0].shape)
            odd = rank not in _RANKS.get(kind, (rank,)) or not _is_recurrent(part, kind, description.dialect)
            if unknown or repeated or odd:
                raise ConversionError(_refusal(description, part))
    _check_maps(description)


def _is_recurrent(part: Part, kind: str, dialect: str) -> bool:
    """Return whether the arrays of a recurrent layer fit each other; True for any other layer."""
    if kind not in ("SimpleRNN", *GATES):
        return True
    return infer_kind({array.full_role: array.shape for array in part.arrays}, dialect) == kind


def _check_maps(description: Description) -> None:
    """Raise for a map of four axes that may be a sequence of maps: where its channels lie cannot be told."""
    if any(str(part.kind).startswith("Conv3D") for part in description.parts):
        return
    for part in description.parts:
        for array in part.arrays:
            rule = RULES.get(str(part.kind), {}).get(str(array.role))
            if rule is Rule.MAP and len(array.shape) > 3:
                text = f"layer {part.name!r} ({part.kind}) has {array.name} {array.shape}, and nothing is 3-D"
                raise ConversionError(f"{description.path}: {text}: a sequence of maps is not converted")


def _refusal(description: Description, part: Part) -> str:
    shapes = ", ".join(f"{array.name} {array.shape}" for array in part.arrays)
    known = ", ".join(RULES)
    what = f"is of kind {part.kind}" if part.kind else "is of a kind that its arrays do not tell"
    if part.kind in RULES:
        what = f"should be of kind {part.kind}, but its arrays are not"
    hint = "" if part.kind else f"; say which it is with --layer {part.name}=KIND"
    return f"{description.path}: layer {part.name!r} {what} ({shapes}){hint}; there are rules for {known}"


def _notes(
    request: _Request, source: Form, kernel: Fact, by_path: Mapping[str, PlannedArray]
) -> tuple[str, ...]:
    description = request.description
    notes = []
    if kernel.source == "assumed":
        notes.append(f"nothing tells how the kernels are stored: taken to match the layout ({kernel.value})")
    if description.optimizer and request.to is None:
        notes.append("optimizer_weights are copied as they are: what they hold belongs to the source's form")
    if request.to is not None and description.whole_model:
        notes.append("the weights alone are written: the model's configuration stays behind")
    if source.layout != request.target.layout:
        notes += _reshape_notes(description)
    return (*notes, *_deviation_notes(request, by_path), *_doubt_notes(request))


def _deviation_notes(request: _Request, by_path: Mapping[str, PlannedArray]) -> list[str]:
    description = request.description
    vectors = [
        part
        for part in description.parts
        for role, rule in RULES.get(str(part.kind), {}).items()
        if rule is Rule.DEVIATION and part.array(role)
    ]
    squared = sum(array.function == "square" for array in by_path.values())
    if squared:
        return [
            f"{squared} running_std are standard deviations (Keras up to 1.0.6): squared, to be variances"
        ]
    if vectors and description.dialect == "keras1" and not description.version:
        text = f"running_std ({len(vectors)} layers, {vectors[0].name!r} first) is taken for a variance"
        return [f"{text}, as from Keras 1.0.7 on; if an older one wrote the file, say --keras-version 1.0.6"]
    return []


# Kinds that another kind shares its arrays with, so that shapes cannot tell one from the other.
_DOUBTFUL = {"Conv2D": "Conv2DTranspose", "Conv3D": "Conv3DTranspose"}


def _doubt_notes(request: _Request) -> list[str]:
    """Return what was taken for granted where two kinds look alike that the new dialect tells apart."""
    description = request.description
    if request.to is None or description.dialect not in ("keras0", "keras1") or request.match:
        return []
    doubtful = [part for part in description.parts if part.kind in _DOUBTFUL and part.inferred]
    if not doubtful:
        return []
    first = doubtful[0]
    text = f"{len(doubtful)} layers ({first.name!r} first) are taken for {first.kind} by their shapes"
    return [f"{text}; if one is transposed, say --layer NAME={_DOUBTFUL[str(first.kind)]}"]


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


def _output_dict(output: Output) -> dict[str, Any]:
    return {
        "layer": output.layer,
        "name": output.name,
        "path": output.target_path,
        "shape": list(output.target_shape),
        "from": [_share_dict(share.array.path, share.start, share.stop) for share in output.shares],
    }


def _share_dict(path: str, start: int | None, stop: int | None) -> dict[str, Any]:
    return {"path": path} if start is None else {"path": path, "start": start, "stop": stop}


def _lines(plan: Plan) -> list[str]:
    description = plan.description
    version = f", Keras {description.keras_version}" if description.keras_version else ""
    lines = [
        f"{plan.path} ({description.dialect}{version})",
        f"  from    layout {plan.layout}, kernels {plan.kernels}",
        f"  to      {plan.target}{f', {plan.to}' if plan.to else ''}",
    ]
    lines += [f"  holds   {plan.structure}"] if plan.structure else []
    moved = {name: found for name, found in (plan.flatten or {}).items() if found.rows is not None}
    lines += [
        f"  flatten {name}={rows_text(found.rows or ())} ({found.source})" for name, found in moved.items()
    ]
    lines += [f"  note    {note}" for note in plan.notes]
    lines.append(f"  arrays  {len(plan.arrays)} ({plan.nbytes:,} bytes), {len(plan.changed)} of them change")
    if plan.outputs:
        lines.append(f"  becomes {len(plan.outputs)} arrays ({sum(o.nbytes for o in plan.outputs):,} bytes)")
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
