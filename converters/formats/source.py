"""Containers of plain arrays, safetensors and npz among them, as sources.

What is read here comes from nobody who vouches for it: names, counts, sizes and offsets are held against the
rules and the caps before any value is read.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from converters.arrays.form import Shape
from converters.errors import FileFormatError
from converters.formats.record import PREFIX
from converters.hdf5.metadata import AttributeInfo, DatasetInfo, GroupInfo, TypeInfo
from converters.hdf5.source import BLOCK, Source, Stamp, Values, identity_of, read_between
from converters.limits import Limits, clipped, name_fault, too_many

DESCRIPTION = "description"
"""The text in which a container of plain arrays says what they are."""


@dataclass(frozen=True, kw_only=True)
class PlainArray:
    """One array of a container of plain arrays.

    Attributes:
        name: Its name.
        shape: Its shape.
        dtype: The type that its values have when they are read.
        offset: Where its values begin in the file; None if they are compressed.
        bfloat16: Whether the file holds bfloat16, which NumPy lacks: read are float32 of the same values.
    """

    name: str
    shape: Shape
    dtype: np.dtype[Any]
    offset: int | None
    bfloat16: bool = False

    @property
    def stored(self) -> np.dtype[Any]:
        """The type of what lies in the file."""
        return np.dtype("<u2") if self.bfloat16 else self.dtype

    @property
    def place(self) -> int | None:
        """Where its values lie in the file as they are read; None if they are computed, or there are none."""
        return self.offset if math.prod(self.shape) and not self.bfloat16 else None

    @property
    def end(self) -> int:
        """Where its values end in the file; 0 for those that do not lie in it as they are."""
        return 0 if self.offset is None else self.offset + math.prod(self.shape) * self.stored.itemsize


def widened(values: Values) -> Values:
    """Return bfloat16, given as integers of two bytes, as float32: its upper half, the lower one is zeros."""
    wide: Values = (values.astype("<u4") << 16).view("<f4")
    return wide


class PlainSource(Source):
    """A container of plain arrays; a format whose arrays are compressed overrides :meth:`blocks`.

    Attributes:
        format: The name of its format.
        path: The file's name, for messages.
        limits: The caps that it was held against.
        tree: Its arrays, by their names; its attributes are the texts.
        texts: Always empty: there are none beside it.
    """

    def __init__(
        self,
        path: Path,
        stream: IO[bytes],
        limits: Limits,
        *,
        name: str,
        arrays: Iterable[PlainArray],
        texts: Mapping[str, object],
    ) -> None:
        """Take an open file.

        Args:
            path: Its name, for messages.
            stream: The file, open for reading bytes; it belongs to this object.
            limits: Caps.
            name: The name of its format.
            arrays: What it holds.
            texts: What it says of itself; the record of a conversion and the description, under
                :data:`DESCRIPTION`, are made the tree's attributes, all else is left out.

        Raises:
            FileFormatError: If the arrays or their names break a rule.
        """
        self.format = name
        super().__init__(path, stream, limits, texts={})
        listed = tuple(arrays)
        self._narrow = {array.name: array.offset for array in listed if array.bfloat16}
        children = {array.name: dataset_of(array) for array in listed}
        _check(path, listed, os.fstat(stream.fileno()).st_size, limits)
        attributes = {
            key: _attribute(key, text)
            for key, text in texts.items()
            if isinstance(text, str) and (key == DESCRIPTION or key.startswith(PREFIX))
        }
        self.tree = GroupInfo(path="", attributes=attributes, children=children)

    @property
    def stamp(self) -> Stamp:
        """What was found."""
        return Stamp(identity=identity_of(self._stream), tree=self.tree)

    def blocks(self, dataset: DatasetInfo, nbytes: int = BLOCK) -> Iterator[tuple[int, Values]]:
        """Yield an array in blocks of rows; arguments and errors are those of :meth:`Source.blocks`."""
        narrow = dataset.path in self._narrow
        offset = (self._narrow[dataset.path] if narrow else dataset.offset) or 0
        row = row_bytes(dataset) // 2 if narrow else row_bytes(dataset)
        for begin, end, shape in rows_of(dataset, nbytes):
            data = read_between(self.path, self._stream, offset + begin * row, offset + end * row)
            values = widened(np.frombuffer(data, "<u2")) if narrow else np.frombuffer(data, dataset.dtype)
            yield begin, values.reshape(shape)


def row_bytes(dataset: DatasetInfo) -> int:
    """Return the bytes of one step along an array's first axis; of an array without axes all."""
    return math.prod(dataset.shape[1:]) * dataset.type.size


def rows_of(dataset: DatasetInfo, nbytes: int) -> Iterator[tuple[int, int, Shape]]:
    """Yield where each block of an array begins and ends on the first axis, and the block's shape.

    Args:
        dataset: The array; one without axes counts as one row.
        nbytes: About how many bytes a block has.
    """
    if not dataset.shape:
        yield 0, 1, ()
        return
    step = max(nbytes // max(row_bytes(dataset), 1), 1)
    for begin in range(0, dataset.shape[0] if dataset.size else 0, step):
        end = min(begin + step, dataset.shape[0])
        yield begin, end, (end - begin, *dataset.shape[1:])


def dataset_of(array: PlainArray) -> DatasetInfo:
    """Return an array as a tree lists it."""
    code = array.dtype.str
    return DatasetInfo(
        path=array.name,
        attributes={},
        shape=array.shape,
        maxshape=array.shape,
        type=TypeInfo(
            kind="float" if code[1] == "f" else "integer",
            size=array.dtype.itemsize,
            order=">" if code[0] == ">" else "<",
            signed=code[1] != "u",
        ),
        layout="chunked" if array.offset is None or array.bfloat16 else "contiguous",
        offset=array.place,
    )


def _attribute(name: str, text: str) -> AttributeInfo:
    string = TypeInfo(kind="string", size=16, variable=True, cset=1)
    return AttributeInfo(name=name, type=string, shape=(), data=(text.encode("utf-8", "surrogatepass"),))


def _check(path: Path, arrays: Sequence[PlainArray], size: int, limits: Limits) -> None:
    """Raise for a name that is none, and for values that would lie outside of the file or be too many."""
    if len(arrays) > limits.objects:
        raise FileFormatError(f"{path}: more than {limits.objects} arrays (limit objects)")
    for array in arrays:
        name = array.name
        if fault := next(filter(None, (name_fault(part, limits) for part in name.split("/"))), None):
            raise FileFormatError(f"{path}: array {clipped(name)}: a part of its name {fault}")
        if array.end > size:
            raise FileFormatError(f"{path}: array {clipped(name)} lies outside of the file")
    total = sum(math.prod(array.shape) * array.dtype.itemsize for array in arrays)
    if total > (cap := limits.declared_bytes):
        raise FileFormatError(f"{path}: its arrays take {too_many(total, cap, 'declared_bytes')}")
