"""Filling a new file whose tree is laid out, and laying out the tree of a file in the same dialect.

Contiguous arrays go from a map of the old file to their places in the new one; those that are packed in
chunks go through h5py, a large one by way of a file without a name.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from h5py import h5d, h5g, h5s

from converters.arrays import blocks
from converters.arrays.form import Shape
from converters.arrays.moves import Piece, Values
from converters.arrays.planned import Made
from converters.errors import ConversionError
from converters.formats.contents import Extent
from converters.formats.record import PREFIX
from converters.hdf5.metadata import DatasetInfo, GroupInfo, datasets_of
from converters.hdf5.source import Source
from converters.hdf5.writer import create_dataset, write_attributes, write_text
from converters.planning.plan import Plan
from converters.writing.files import read_only_bytes, scratch

_INLINE = 1 << 22
"""Bytes below which a part is not worth handing to a thread."""
_SLAB = 1 << 24
"""Bytes that go through h5py at a time, if the chunks allow it."""


class Target(Made, Protocol):
    """What is planned for one array of the new file."""

    @property
    def layer(self) -> str:
        """The layer that it belongs to; empty if to none."""

    @property
    def name(self) -> str:
        """Its name in that layer."""

    @property
    def target_path(self) -> str:
        """Its path in the new file."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A dataset that no plan is about; it stays as it is."""

    path: str
    target_shape: Shape
    dtype: np.dtype[Any]
    exact: bool = True
    layer: str = ""

    @property
    def name(self) -> str:
        """Its path: it has no other name."""
        return self.path

    @property
    def sources(self) -> tuple[str, ...]:
        """The dataset itself."""
        return (self.path,)

    @property
    def source_shapes(self) -> tuple[Shape, ...]:
        """Its shape."""
        return (self.target_shape,)

    @property
    def target_path(self) -> str:
        """Where it was."""
        return self.path

    def pieces(self, sources: Mapping[str, Values], target: Values) -> Iterator[Piece]:
        """Yield the whole of it."""
        yield Piece(target=target.reshape(-1), source=sources[self.path].reshape(-1))


@dataclass(frozen=True, kw_only=True)
class Task:
    """An array to fill, and its place in the new file or else the dataset that has to write its values."""

    array: Target
    place: Extent | None = None
    dataset: h5d.DatasetID | None = None

    @property
    def nbytes(self) -> int:
        """The bytes of the new array."""
        return math.prod(self.array.target_shape) * self.array.dtype.itemsize

    @property
    def end(self) -> int:
        """Where the array's place in the new file ends; 0 if it has none of its own."""
        return self.place.offset + self.nbytes if self.place else 0


def values_of(source: Source, dataset: DatasetInfo, folder: Path) -> Values:
    """Return a dataset's values: a view of the mapped file if they lie there as they are.

    Args:
        source: The file.
        dataset: The dataset.
        folder: Where a large one is unpacked to.

    Raises:
        FileFormatError: If they cannot be read.
    """
    if dataset.offset is not None:
        return source.mapped(dataset)
    if not dataset.shape or dataset.nbytes <= _SLAB:
        return source.read(dataset)
    unpacked = scratch(dataset.nbytes, folder).view(dataset.dtype).reshape(dataset.shape)
    for start, block in source.blocks(dataset, _SLAB):
        unpacked[start : start + len(block)] = block
    return unpacked


def in_parts(pool: Executor, function: Callable[[Piece], Any], pieces: Iterable[Piece]) -> list[Any]:
    """Call a function for every part of some pieces, side by side where they are large.

    Args:
        pool: The threads.
        function: What to call.
        pieces: What to cut into parts.

    Returns:
        What the calls returned.
    """
    small, large = [], []
    for piece in pieces:
        for part in blocks.parts(piece):
            if part.target.nbytes < _INLINE:
                small.append(function(part))
            else:
                large.append(pool.submit(function, part))
    return small + [future.result() for future in large]


def fill(tasks: Iterable[Task], source: Source, path: Path, pool: Executor) -> Iterator[Task]:
    """Fill the arrays of a new file, one after another.

    Args:
        tasks: The arrays.
        source: The old file.
        path: The new file, in which there is a place for each of them.
        pool: The threads that copy.

    Yields:
        Each task that is done.

    Raises:
        ConversionError: If the file is no longer what was planned for.
        FileFormatError: If a source cannot be read.
    """
    tasks = list(tasks)
    with _Room(path, max((task.end for task in tasks), default=0)) as room:
        known = datasets_of(source.tree)
        for task in tasks:
            if task.nbytes:
                values = source_values(task.array, source, known, path.parent)
                if task.place is not None:
                    in_parts(pool, room.store, task.array.pieces(values, task.place.of(room.data)))
                elif task.dataset is not None:
                    _write(task.dataset, task.array, values, path.parent, pool)
            yield task


class _Room:
    """A file that is being filled: a map of it that tells where everything lies, and what writes there."""

    def __init__(self, path: Path, size: int) -> None:
        self._handle = os.open(path, os.O_RDWR)
        if os.fstat(self._handle).st_size < size:
            os.truncate(self._handle, size)
        self.data: Values = read_only_bytes(path) if size else np.empty(0, "u1")
        self._base = self.data.__array_interface__["data"][0]

    def __enter__(self) -> _Room:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)

    def store(self, piece: Piece) -> None:
        """Carry out a piece whose target is a view of the map."""
        blocks.store(piece, self._handle, self._base)


def source_values(
    array: Target, source: Source, known: Mapping[str, DatasetInfo], folder: Path
) -> dict[str, Values]:
    """Return the values of all datasets that an array is made of, by their paths.

    Args:
        array: The array.
        source: The old file.
        known: Its datasets.
        folder: Where large ones that are packed are unpacked to.

    Raises:
        ConversionError: If one is gone, or not what was planned for.
    """
    values = {}
    for path, shape in zip(array.sources, array.source_shapes, strict=True):
        dataset = known.get(path)
        if dataset is None:
            raise ConversionError(f"{source.path}: {path!r} is gone since the plan was made")
        _check_unchanged(source.path, dataset, shape, array.dtype)
        values[path] = values_of(source, dataset, folder)
    return values


def _check_unchanged(path: Path, dataset: DatasetInfo, shape: Shape, dtype: np.dtype[Any]) -> None:
    if dataset.shape != shape or dataset.dtype != dtype:
        raise ConversionError(f"{path}: {dataset.path!r} has changed since the plan was made")


def _write(
    dataset: h5d.DatasetID, array: Target, values: Mapping[str, Values], folder: Path, pool: Executor
) -> None:
    """Write an array that is stored in chunks, or within its header."""
    count = math.prod(array.target_shape) * array.dtype.itemsize
    target = scratch(count, folder).view(array.dtype).reshape(array.target_shape)
    in_parts(pool, blocks.copy, array.pieces(values, target))
    if not target.shape or count <= _SLAB:
        dataset.write(h5s.ALL, h5s.ALL, target)
        return
    for rows in _slabs(dataset, target):
        memory, space = h5s.create_simple(target[rows].shape), dataset.get_space()
        space.select_hyperslab((rows.start, *(0,) * (target.ndim - 1)), target[rows].shape)
        dataset.write(memory, space, target[rows])


def _slabs(dataset: h5d.DatasetID, values: Values) -> Iterator[slice]:
    """Yield rows that make up whole chunks, as many as there is room for."""
    height = dataset.get_create_plist().get_chunk()[0]
    step = max(_SLAB // max(values[:1].nbytes * height, 1), 1) * height
    for start in range(0, len(values), step):
        yield slice(start, min(start + step, len(values)))


class TreeCopier:
    """Lays out a copy of a file's tree, with the planned arrays in their new shapes."""

    def __init__(self, plan: Plan, texts: Mapping[str, str]) -> None:
        self._plan = plan
        self._texts = texts
        self._planned = {array.path: array for array in plan.arrays}
        self._tasks: list[Task] = []

    def lay_out(self, source: GroupInfo, target: h5g.GroupID) -> list[Task]:
        """Create everything that the source has, without the values of arrays.

        Args:
            source: The old file's root.
            target: The new file's root.

        Returns:
            The arrays that are to be filled.

        Raises:
            ConversionError: If the file is no longer what was planned for.
        """
        self._copy_group(source, target)
        if self._planned:
            missing = next(iter(self._planned))
            raise ConversionError(f"{self._plan.path}: {missing!r} is gone since the plan was made")
        return self._tasks

    def _copy_group(self, source: GroupInfo, target: h5g.GroupID) -> None:
        self._copy_attributes(source, target)
        for name, child in source.children.items():
            if isinstance(child, GroupInfo):
                self._copy_group(child, h5g.create(target, name.encode()))
            else:
                self._copy_dataset(child, target, name.encode())

    def _copy_attributes(self, source: GroupInfo, target: h5g.GroupID) -> None:
        texts = self._texts if source.path in ("", self._plan.description.root) else {}
        replaced = {name: text for name, text in texts.items() if name in source.attributes}
        left_out = frozenset(replaced)
        if not source.path:
            left_out |= {name for name in source.attributes if name.startswith(PREFIX)}
        write_attributes(target, source.attributes, left_out)
        for name, text in replaced.items():
            write_text(target, name, text, source.attributes[name])

    def _copy_dataset(self, dataset: DatasetInfo, target: h5g.GroupID, name: bytes) -> None:
        planned = self._planned.pop(dataset.path, None)
        if planned is None:
            kept = Kept(path=dataset.path, target_shape=dataset.shape, dtype=dataset.dtype)
            created = create_dataset(target, name, dataset)
            self._tasks.append(_task(kept, created))
        else:
            _check_unchanged(self._plan.path, dataset, planned.shape, planned.dtype)
            created = create_dataset(target, name, dataset, planned.target_shape, planned.moved)
            self._tasks.append(_task(planned, created))
        write_attributes(created, dataset.attributes)


def _task(array: Target, created: h5d.DatasetID) -> Task:
    offset = created.get_offset()
    if offset is None:
        return Task(array=array, dataset=created)
    return Task(array=array, place=Extent(offset=offset, shape=array.target_shape, dtype=array.dtype))
