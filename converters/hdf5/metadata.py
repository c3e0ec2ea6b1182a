"""What a file says about itself, as plain records: no handles, no values of datasets, nothing to look up.

The records are what :mod:`converters.hdf5.reader` hands on, once every one of its rules holds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

Shape = tuple[int, ...]
Kind = Literal["integer", "float", "string", "enum"]
Layout = Literal["contiguous", "chunked", "compact"]


@dataclass(frozen=True, kw_only=True)
class TypeInfo:
    """The type of a dataset or an attribute.

    Attributes:
        kind: Numbers, text, or numbers with names.
        size: Bytes of one element; of a variable-length string, bytes of what points to it.
        order: ``<`` or ``>``: the order of a number's bytes.
        signed: Whether an integer has a sign.
        padding: How a string is filled up: 0 ends with NUL, 1 with NULs, 2 with blanks.
        cset: How a string is encoded: 0 ASCII, 1 UTF-8.
        variable: Whether a string's length varies.
        members: Names and numbers of an enumeration.
    """

    kind: Kind
    size: int
    order: Literal["<", ">"] = "<"
    signed: bool = True
    padding: int = 0
    cset: int = 0
    variable: bool = False
    members: tuple[tuple[str, int], ...] = ()

    @property
    def code(self) -> str:
        """The type in NumPy's words, for instance ``<f4``; text is bytes."""
        if self.kind == "string":
            return f"S{self.size}"
        letter = "f" if self.kind == "float" else "i" if self.signed else "u"
        return f"{self.order}{letter}{self.size}"

    @property
    def is_plain(self) -> bool:
        """Whether it is made of numbers alone; truth values, as h5py names them, are numbers of one byte."""
        truth = self.size == 1 and sorted(self.members) == [("FALSE", 0), ("TRUE", 1)]
        return self.kind in ("integer", "float") or (self.kind == "enum" and truth)


@dataclass(frozen=True, kw_only=True)
class AttributeInfo:
    """One attribute, whole.

    Attributes:
        name: Its name.
        type: Its type.
        shape: Its shape; ``()`` for one value, None for none at all.
        data: Its bytes as they lie in the file, or one item for each string of varying length.
    """

    name: str
    type: TypeInfo
    shape: Shape | None
    data: bytes | tuple[bytes | None, ...] = field(repr=False)

    @cached_property
    def value(self) -> object:
        """Numbers, a str or lists of them; an empty list for nothing.

        Raises:
            UnicodeDecodeError: If text is not UTF-8.
        """
        if self.shape is None or 0 in self.shape:
            return []
        values = self._strings() if self.type.kind == "string" else self._numbers()
        return values[0] if self.shape == () else values

    def _numbers(self) -> list[Any]:
        assert isinstance(self.data, bytes)
        found: list[Any] = np.frombuffer(self.data, dtype=self.type.code).tolist()
        return found

    def _strings(self) -> list[Any]:
        if isinstance(self.data, tuple):
            return [(item or b"").decode() for item in self.data]
        size, data = self.type.size, self.data
        return [_unpadded(data[at : at + size], self.type.padding) for at in range(0, len(data), size)]


def _unpadded(item: bytes, padding: int) -> str:
    """Return a string of fixed length as h5py does: without what it is filled up with."""
    if padding == 2:
        item = item.rstrip(b" ")
    return (item.rstrip(b"\0") if padding == 1 else item.split(b"\0", 1)[0]).decode()


@dataclass(frozen=True, kw_only=True)
class FilterInfo:
    """One filter of a chunk's pipeline: its number and name in HDF5's list, flags and parameters."""

    id: int
    name: str
    flags: int
    values: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class DatasetInfo:
    """One dataset of numbers.

    Attributes:
        path: Its path in the file, without a leading ``/``.
        attributes: By name, in the file's order.
        shape: Its shape.
        maxshape: How far each axis may grow, None without an end.
        type: Its type.
        layout: How its values lie in the file.
        offset: Where a contiguous one begins, in bytes from the start of the file; None for other layouts and
            for a dataset without any value.
        data: The values of a compact one.
        chunks: The shape of the chunks.
        filters: The filter pipeline of its chunks.
        fill: The value of what was never written, or None.
    """

    path: str
    attributes: Mapping[str, AttributeInfo]
    shape: Shape
    maxshape: tuple[int | None, ...]
    type: TypeInfo
    layout: Layout
    offset: int | None = None
    data: bytes | None = field(default=None, repr=False)
    chunks: Shape | None = None
    filters: tuple[FilterInfo, ...] = ()
    fill: bytes | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        """Its type, for NumPy."""
        return np.dtype(self.type.code)

    @property
    def size(self) -> int:
        """The number of its values."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The bytes of its values when they are decompressed."""
        return self.size * self.type.size


@dataclass(frozen=True, kw_only=True)
class GroupInfo:
    """One group; the path of the root is empty, and children come in the file's order."""

    path: str
    attributes: Mapping[str, AttributeInfo]
    children: Mapping[str, GroupInfo | DatasetInfo]


def datasets_of(group: GroupInfo) -> dict[str, DatasetInfo]:
    """Return all datasets below a group by their paths."""
    found = {}
    for child in group.children.values():
        if isinstance(child, GroupInfo):
            found.update(datasets_of(child))
        else:
            found[child.path] = child
    return found
