"""What a conversion writes into the new file, so that the next one need not be told.

All of it lies in attributes of the file's root, each of them text:

=======================  ==================================================================================
``zoo_layout``           ``th`` or ``tf``: the order of the file's axes
``zoo_kernels``          ``th`` or ``tf``: how its convolution kernels are stored
``zoo_source_sha256``    SHA-256 of the file that was converted, in hex
``zoo_source_layout``    what that file was
``zoo_source_kernels``   the same for its kernels
``zoo_source_dialect``   who had written it, if the new file is in another dialect
``zoo_converter``        the converter and its version
``zoo_plan_sha256``      SHA-256 of the plan that was carried out (see :func:`plan_digest`), in hex
``zoo_verified``         JSON: how many arrays and values of the new file were read back and gave the source
                         again, and which had to be computed anew for that. Only there if that was done
``zoo_flatten``          JSON: the layers that follow a flattened feature map, and its shape (``"512x7x7"``);
                         all others do not. Only there if a conversion has had to know it
``zoo_source_backend``   the ``backend`` attribute of the source, if the conversion changed it
``zoo_source_config``    the ``model_config`` of the source, if undoing the change would not give it back
=======================  ==================================================================================
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from converters.errors import FileFormatError
from converters.hdf5 import Node
from converters.layouts import Form, Rows
from converters.limits import clipped, load_json
from converters.rows import parse_rows, rows_text

if TYPE_CHECKING:
    from converters.plan import Plan

PREFIX = "zoo_"
VERSION = "0.1.0"
CONVERTER = f"keras-weight-zoo {VERSION}"


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What was compared.

    Attributes:
        arrays: The arrays of the new file, all of them.
        values: The values in them.
        recomputed: The paths of those that arithmetic made, which was done again.
    """

    arrays: int
    values: int
    recomputed: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return one sentence for people."""
        text = f"{self.arrays:,} arrays, {self.values:,} values: the new file gives the source again"
        moved = "bit for bit" if not self.recomputed else "bit for bit but for what was computed anew"
        listed = f" ({', '.join(self.recomputed)})" if self.recomputed else ""
        return f"{text}, {moved}{listed}"

    def as_dict(self) -> dict[str, Any]:
        """Return the proof as plain values that JSON can hold."""
        return {"arrays": self.arrays, "values": self.values, "recomputed": list(self.recomputed)}


@dataclass(frozen=True, kw_only=True)
class ConversionRecord:
    """What a conversion left in a file; the fields are the attributes in the module's table."""

    form: Form
    source: Form
    source_sha256: str
    converter: str = CONVERTER
    plan_sha256: str | None = None
    proof: Proof | None = None
    source_dialect: str | None = None
    flatten: Mapping[str, Rows] | None = None
    source_backend: str | None = None
    source_config: str | None = None

    def attributes(self) -> dict[str, str]:
        """Return the record as the attributes that hold it."""
        values = {
            "zoo_layout": self.form.layout,
            "zoo_kernels": self.form.kernels,
            "zoo_source_sha256": self.source_sha256,
            "zoo_source_layout": self.source.layout,
            "zoo_source_kernels": self.source.kernels,
            "zoo_source_dialect": self.source_dialect,
            "zoo_converter": self.converter,
            "zoo_plan_sha256": self.plan_sha256,
            "zoo_verified": json.dumps(self.proof.as_dict()) if self.proof else None,
            "zoo_source_backend": self.source_backend,
            "zoo_source_config": self.source_config,
        }
        if self.flatten is not None:
            values["zoo_flatten"] = json.dumps({name: rows_text(rows) for name, rows in self.flatten.items()})
        return {name: value for name, value in values.items() if value is not None}


def read_record(top: Node) -> ConversionRecord | None:
    """Read the record of a file, or None if no conversion wrote it.

    Args:
        top: The file's root.

    Raises:
        FileFormatError: If there is a record but it cannot be understood.
    """
    if top.attribute("zoo_layout") is None and top.attribute("zoo_kernels") is None:
        return None
    try:
        return ConversionRecord(
            form=Form(layout=_axis(top, "zoo_layout"), kernels=_axis(top, "zoo_kernels")),
            source=Form(layout=_axis(top, "zoo_source_layout"), kernels=_axis(top, "zoo_source_kernels")),
            source_sha256=top.text("zoo_source_sha256") or "",
            converter=top.text("zoo_converter") or "",
            plan_sha256=top.text("zoo_plan_sha256"),
            proof=_proof(top.text("zoo_verified")),
            source_dialect=top.text("zoo_source_dialect"),
            flatten=_flatten(top.text("zoo_flatten")),
            source_backend=top.text("zoo_source_backend"),
            source_config=top.text("zoo_source_config"),
        )
    except (FileFormatError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise FileFormatError(
            f"{top.file}: the record of an earlier conversion is damaged ({error})"
        ) from error


def _axis(top: Node, name: str) -> Literal["th", "tf"]:
    value = top.text(name)
    if value in ("th", "tf"):
        return "th" if value == "th" else "tf"
    raise ValueError(f"{name} is {clipped(str(value))}")


def _flatten(text: str | None) -> dict[str, Rows] | None:
    if text is None:
        return None
    return {str(name): parse_rows(str(value)) for name, value in load_json(text, "zoo_flatten").items()}


def _proof(text: str | None) -> Proof | None:
    if text is None:
        return None
    found = load_json(text, "zoo_verified")
    recomputed = tuple(str(path) for path in found["recomputed"])
    return Proof(arrays=int(found["arrays"]), values=int(found["values"]), recomputed=recomputed)


def plan_digest(plan: Plan) -> str:
    """Return the SHA-256 of a plan: of all that :meth:`Plan.as_dict` says but the file's path, as JSON.

    Two files of the same layers that are converted in the same way have the same one, wherever they lie.
    """
    said = {name: value for name, value in plan.as_dict().items() if name != "path"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
