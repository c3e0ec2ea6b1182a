"""What a conversion will do to each array, worked out from names and shapes before any value is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from converters.arrays.form import Form
from converters.arrays.planned import Output, PlannedArray
from converters.arrays.rows import Flattened
from converters.errors import counted, in_python
from converters.formats.description import Description
from converters.layers.network import Network
from converters.planning.facts import (
    Fact,
)
from converters.planning.running_std import parts_with_deviations


@dataclass(frozen=True, kw_only=True)
class Texts:
    """What becomes of the texts of a file that tell its layout and its kernels.

    Attributes:
        attributes: The root's attributes that change.
        backends: The ``backend`` attribute by kernels, for the new file's record.
        configs: The ``model_config`` by layout, for the same.
    """

    attributes: Mapping[str, str]
    backends: Mapping[str, str]
    configs: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A conversion, array by array, and how each fact behind it was learned.

    Attributes:
        description: The file.
        layout: Its layout, and who told it.
        kernels: How its kernels are stored, and who told it.
        target: What it becomes.
        arrays: Every array in the file's order.
        flatten: What the rows of layers are, by the file's names, as far as that is known.
        structure: The name of the structure that the file holds, or None.
        network: What is known of the network, for the new file's record.
        to: The dialect or container that it becomes, or None: it stays in its own.
        outputs: If it becomes another, every array of the new file in its order.
        folded: The batch normalisations of the new file that a ``Scale`` layer is folded into, each with that
            layer's name; None if there are none.
        typed_notes: What the user should know, one sentence each, in the words of the command line; what had
            to be taken for granted is a :class:`converters.errors.Doubt`, which users of Python are warned
            of.
        scaled: The recurrent layers whose gates are multiplied by 1.2, for today's hard sigmoid.
        texts: What becomes of the file's texts, where that was worked out already.
    """

    description: Description
    layout: Fact
    kernels: Fact
    target: Form
    arrays: tuple[PlannedArray, ...]
    flatten: Mapping[str, Flattened]
    structure: str | None
    network: Network
    to: str | None = None
    outputs: tuple[Output, ...] = ()
    folded: Mapping[str, str] | None = None
    typed_notes: tuple[str, ...] = field(default=(), repr=False)
    scaled: tuple[str, ...] = ()
    texts: Texts | None = field(default=None, repr=False, compare=False)

    @property
    def path(self) -> Path:
        """The file to convert."""
        return self.description.path

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know, one sentence each, in the words of Python."""
        return tuple(map(in_python, self.typed_notes))

    @property
    def with_deviations(self) -> bool:
        """Whether there are arrays that hold standard deviations in files of old versions."""
        return bool(parts_with_deviations(self.description))

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

    def __repr__(self) -> str:
        """Return what becomes of the file in one line; each attribute can be looked at."""
        moved = f"{len(self.changed):,} of {counted(len(self.arrays), 'array')} {_change(self)}"
        return f"<{self.path}: {self.source} to {self.target}, {moved}>"

    def __str__(self) -> str:
        """Return the plan as a table for people: one line for each array that changes."""
        return "\n".join(_lines(self, self.notes))

    def as_typed(self) -> str:
        """Return the same in the words of the command line."""
        return "\n".join(_lines(self, self.typed_notes))

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as plain values that JSON can hold."""
        return {
            "path": str(self.path),
            "dialect": self.description.called,
            "keras_version": self.description.keras_version,
            "source": {
                "layout": self.layout.value,
                "layout_from": self.layout.source,
                "kernels": self.kernels.value,
                "kernels_from": self.kernels.source,
            },
            "target": {"layout": self.target.layout, "kernels": self.target.kernels},
            "to": self.to or self.description.called,
            "structure": self.structure,
            "flatten": _flatten_dict(self),
            "arrays": [_array_dict(array) for array in self.arrays],
            "outputs": [_output_dict(output) for output in self.outputs],
            "changed": len(self.changed),
            "bytes": self.nbytes,
            "notes": list(self.typed_notes),
            **({"scaled": list(self.scaled)} if self.scaled else {}),
        }


def _flatten_dict(plan: Plan) -> dict[str, Any]:
    return {
        name: {"rows": found.text, "from": found.source}
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
    } | ({"function": output.function} if output.function else {})


def _share_dict(path: str, start: int | None, stop: int | None) -> dict[str, Any]:
    return {"path": path} if start is None else {"path": path, "start": start, "stop": stop}


def _change(plan: Plan) -> str:
    return "changes" if len(plan.changed) == 1 else "change"


def _lines(plan: Plan, notes: Iterable[str]) -> list[str]:
    description = plan.description
    version = f", Keras {description.keras_version}" if description.keras_version else ""
    lines = [
        f"{plan.path} ({description.called}{version})",
        f"  from    layout {plan.layout}, kernels {plan.kernels}",
        f"  to      {plan.target}{f', {plan.to}' if plan.to else ''}",
    ]
    lines += [f"  holds   {plan.structure}"] if plan.structure else []
    lines += [
        f"  flatten {name}={found.text} ({found.source})"
        for name, found in plan.flatten.items()
        if found.rows is not None
    ]
    lines += [f"  note    {note}" for note in notes]
    lines.append(
        f"  arrays  {len(plan.arrays)} ({plan.nbytes:,} bytes), {len(plan.changed)} of them {_change(plan)}"
    )
    if plan.outputs:
        lines.append(
            f"  becomes {counted(len(plan.outputs), 'array')} ({sum(o.nbytes for o in plan.outputs):,} bytes)"
        )
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


def plan_digest(plan: Plan) -> str:
    """Return the SHA-256 of a plan: of all that :meth:`Plan.as_dict` says but the file's path, as JSON.

    Two files of the same layers that are converted in the same way have the same one, wherever they lie.
    """
    said = {name: value for name, value in plan.as_dict().items() if name != "path"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
