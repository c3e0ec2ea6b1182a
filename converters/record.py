"""What a conversion writes into the new file, so that the next one need not be told.

All of it lies in attributes of the file's root, each of them text:

=======================  ==================================================================================
``zoo_layout``           ``th`` or ``tf``: the order of the file's axes
``zoo_kernels``          ``th`` or ``tf``: how its convolution kernels are stored
``zoo_source_sha256``    SHA-256 of the file that was converted, in hex
``zoo_source_layout``    what that file was
``zoo_source_kernels``   the same for its kernels
``zoo_converter``        the converter and its version
``zoo_flatten``          JSON: the layers that follow a flattened feature map, and its shape (``"512x7x7"``);
                         all others do not. Only there if a conversion has had to know it
``zoo_source_backend``   the ``backend`` attribute of the source, if the conversion changed it
``zoo_source_config``    the ``model_config`` of the source, if undoing the change would not give it back
=======================  ==================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from converters.errors import FileFormatError
from converters.hdf5 import Node
from converters.layouts import Form, Rows
from converters.rows import parse_rows, rows_text

PREFIX = "zoo_"
VERSION = "0.1.0"
CONVERTER = f"keras-weight-zoo {VERSION}"


@dataclass(frozen=True, kw_only=True)
class ConversionRecord:
    """What a conversion left in a file; the fields are the attributes in the module's table."""

    form: Form
    source: Form
    source_sha256: str
    converter: str = CONVERTER
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
            "zoo_converter": self.converter,
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
            flatten=_flatten(top.text("zoo_flatten")),
            source_backend=top.text("zoo_source_backend"),
            source_config=top.text("zoo_source_config"),
        )
    except (ValueError, AttributeError) as error:
        raise FileFormatError(
            f"{top.file}: the record of an earlier conversion is damaged ({error})"
        ) from error


def _axis(top: Node, name: str) -> Literal["th", "tf"]:
    value = top.text(name)
    if value in ("th", "tf"):
        return "th" if value == "th" else "tf"
    raise ValueError(f"{name} is {value!r}")


def _flatten(text: str | None) -> dict[str, Rows] | None:
    if text is None:
        return None
    return {str(name): parse_rows(str(value)) for name, value in json.loads(text).items()}
