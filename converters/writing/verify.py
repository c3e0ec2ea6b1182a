"""The proof of a conversion: the new file, read back, gives the source again.

Whatever was moved is moved back and compared with the source bit for bit. Where a rule does arithmetic there
is no exact way back, so it is done again and its result compared; the proof names those arrays.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from pathlib import Path

from converters.arrays import blocks
from converters.arrays.moves import Values
from converters.errors import ConversionError
from converters.formats.opening import open_untrusted
from converters.formats.record import Proof
from converters.hdf5.metadata import DatasetInfo, datasets_of
from converters.hdf5.source import Source
from converters.writing.copying import Task, in_parts, source_values, values_of
from converters.writing.files import read_only_bytes


def verify_file(
    tasks: Iterable[Task], source: Source, path: Path, target: Path, pool: Executor, *, hdf5: bool = True
) -> Proof:
    """Read a new file back and compare it with what it was made of.

    Args:
        tasks: The arrays that were filled.
        source: The old file.
        path: The new file, under the name that it has now.
        target: The name that it is to have, for messages.
        pool: The threads that compare.
        hdf5: Whether the new file can be read as an untrusted HDF5 file; otherwise its arrays are looked up
            where they were put.

    Raises:
        ConversionError: If an array differs; the message names it.
        FileFormatError: If the new file cannot be read.
    """
    tasks = list(tasks)
    if not hdf5:
        room = read_only_bytes(path)
        _compare_all(tasks, source, lambda task: _placed(task, room), target, pool)
    else:
        with open_untrusted(path) as new:
            written = datasets_of(new.tree)
            _compare_all(tasks, source, lambda task: _read_back(task, new, written, target), target, pool)
    return Proof(
        arrays=len(tasks),
        values=sum(math.prod(task.array.target_shape) for task in tasks),
        recomputed=tuple(task.array.target_path for task in tasks if not task.array.exact),
    )


def _placed(task: Task, room: Values) -> Values:
    assert task.place is not None
    return task.place.of(room)


def _read_back(task: Task, new: Source, written: Mapping[str, DatasetInfo], target: Path) -> Values:
    dataset = written.get(task.array.target_path)
    if dataset is None:
        raise ConversionError(f"{target}: {_name(task)} is missing; {_ADVICE}")
    if dataset.shape != task.array.target_shape or dataset.dtype != task.array.dtype:
        text = f"is {dataset.shape} {dataset.dtype} instead of {task.array.target_shape} {task.array.dtype}"
        raise ConversionError(f"{target}: {_name(task)} {text}; {_ADVICE}")
    return values_of(new, dataset, target.parent)


def _compare_all(
    tasks: Iterable[Task], source: Source, read: Callable[[Task], Values], target: Path, pool: Executor
) -> None:
    known = datasets_of(source.tree)
    for task in tasks:
        if task.nbytes:
            values = source_values(task.array, source, known, target.parent)
            _compare(task, values, read(task), target, pool)


def _compare(task: Task, sources: Mapping[str, Values], values: Values, target: Path, pool: Executor) -> None:
    array = task.array
    pieces = list(array.pieces(sources, values))
    back = [piece.reversed() for piece in pieces] if array.exact else pieces
    wrong = (
        sum(in_parts(pool, blocks.differing, back)) + values.size - sum(piece.target.size for piece in back)
    )
    if wrong:
        text = f"{wrong:,} of {values.size:,} values are not those of the source"
        raise ConversionError(f"{target}: {_name(task)}: {text}; {_ADVICE}")


_ADVICE = "no new file was made: try again, and if it happens again check the disk and the memory"


def _name(task: Task) -> str:
    array = task.array
    return f"layer {array.layer!r}, array {array.name!r}" if array.layer else f"dataset {array.name!r}"
