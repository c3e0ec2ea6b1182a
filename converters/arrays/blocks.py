"""Copying and comparing arrays of any size, block by block, in whatever order they lie in.

What a conversion does to an array is told by pairs of views: an array that is transposed, reversed or cut
into segments is still one memory map looked at in another way, so a block of it can be moved by itself.
Where nothing is computed, values are moved and compared as bits, never as numbers: the payload of a NaN or
the sign of a zero must not change either.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from converters.arrays.form import Shape
from converters.arrays.moves import Piece, Values

BLOCK = 1 << 18
"""Bytes of a block: it and its twin fit into a core's own cache with room to spare."""
PART = 1 << 25
"""Bytes that are handed to a thread at a time."""
ALIGNMENT = 64
"""Bytes: the longest vector registers of processors, and so where TensorFlow's own tensors start."""
_RUN = 128
"""Values of the target that should lie side by side in a block: fewer waste what each line of the cache and
each page of memory brings along, more need more lines than the innermost cache has."""
_READ = 384
"""Values of the source that should where it is copied: it may be a map of a file, where a processor reads
ahead within a run. Two arrays that are compared are both read, and ``_RUN`` values of each are enough."""
_LINE = 64
"""Bytes of a line of the cache."""
_GATHERED = 1 << 14
"""Bytes of a block that is worth another copy where axes change places."""
_WAY = 4096
"""Bytes after which the innermost cache has the same few lines once more."""
_CLOSE = 8
"""Places in the cache that are too few for what is read across."""
_WRITTEN = 1 << 14
"""Bytes that should at least be written to a file at a time; of a matrix that is turned, as many times as
values are read at a time are held in memory until then."""


def aligned_empty(shape: Shape, dtype: np.dtype[Any]) -> Values:
    """Return an uninitialised array that frameworks can take as it is: it starts at a multiple of 64 bytes.

    Args:
        shape: Its shape.
        dtype: Its type, a plain number.
    """
    size = math.prod(shape) * dtype.itemsize
    room = np.empty(size + ALIGNMENT, np.uint8)
    start = -room.ctypes.data % ALIGNMENT
    return room[start : start + size].view(dtype).reshape(shape)


def bits(values: Values) -> Values:
    """Return a view of an array as unsigned integers, or as plain bytes where no integer has the size."""
    size = values.dtype.itemsize
    return values.view(f"u{size}" if size in (1, 2, 4, 8) else f"V{size}")


def parts(piece: Piece, limit: int = PART) -> Iterator[Piece]:
    """Cut a piece into several of at most so many bytes.

    The cut goes through the longest axis that is innermost on neither side, so that what lies side by side
    stays together.

    Args:
        piece: The piece.
        limit: Bytes of the largest part.
    """
    shape = piece.target.shape
    if piece.target.nbytes <= limit or max(shape, default=1) < 2:
        yield piece
        return
    inner = {_by_stride(view)[0] for view in (piece.target, piece.source)}
    axes = [axis for axis in range(len(shape)) if axis not in inner and shape[axis] > 1]
    axis = max(axes or range(len(shape)), key=shape.__getitem__)
    middle = shape[axis] // 2
    for half in (slice(None, middle), slice(middle, None)):
        yield from parts(piece.at((*(slice(None),) * axis, half)), limit)


def copy(piece: Piece) -> None:
    """Carry a piece out in memory, block by block."""
    for block in _blocks(piece, _RUN, _READ):
        _copy_at_once(block)


def store(piece: Piece, handle: int, base: int) -> None:
    """Carry a piece out in a file: put blocks together in memory and write them, or what lies so already.

    Writing through a map of the file would need no memory, but costs a page fault for every page of it, which
    is up to five times as slow.

    Args:
        piece: Its target is a view of a map of the file, and is not touched. Its axes are in the order in
            which the file holds them.
        handle: The file, open for writing.
        base: The address of the map.

    Raises:
        OSError: If the disk is full, or fails.
    """
    if _is_one_run(piece):
        _write_all(handle, piece.source, piece.target.__array_interface__["data"][0] - base)
        return
    buffer = np.empty(0, piece.target.dtype)
    for block in _blocks(piece, _WRITTEN // piece.target.dtype.itemsize, _READ):
        if buffer.size < block.target.size:
            buffer = np.empty(block.target.size, piece.target.dtype)
        made = buffer[: block.target.size].reshape(block.target.shape)
        copy(block.onto(made))
        start = block.target.__array_interface__["data"][0] - base
        outer = _outer_axes(block.target)
        for index in np.ndindex(block.target.shape[:outer]):
            skipped = sum(at * step for at, step in zip(index, block.target.strides, strict=False))
            _write_all(handle, made[index], start + skipped)


def _is_one_run(piece: Piece) -> bool:
    """Return whether all values are moved as they lie."""
    whole = piece.source.flags.c_contiguous and piece.target.flags.c_contiguous
    return piece.function is None and whole and piece.source.shape == piece.target.shape


def differing(piece: Piece) -> int:
    """Return how many values of a piece's target are not, bit for bit, what its source makes them."""
    found, missing = 0, piece.target.size
    for block in _blocks(piece, _RUN, _RUN):
        found += _differing_at_once(block)
        missing -= block.target.size
    # A proof must not rest on the blocks being all there are.
    return found + missing


def _copy_at_once(piece: Piece) -> None:
    if piece.function is not None:
        piece.compute(piece.target)
        return
    target, source = bits(piece.target), bits(piece.source)
    np.copyto(target, _at_hand(target, source))


def _at_hand(target: Values, source: Values) -> Values:
    """Return a block's source, from memory where it can be read in the target's order, if that is another.

    Rows of a large matrix are many bytes apart, often a power of two, and those then share the same few lines
    of a processor's caches: read across them, each value costs three times what two copies along them do.
    Other rows are read across as they lie: there a second copy costs more than it saves, and most where rows
    are short.
    """
    across, near = _by_stride(target)[:1], _by_stride(source)
    # A single value without axes, such as an optimizer's count of steps, has no order.
    if target.nbytes < _GATHERED or across == near[:1]:
        return source
    if math.gcd(source.strides[across[0]], _WAY) * _CLOSE < _WAY:
        return source
    order = [*(axis for axis in range(source.ndim) if axis not in near), *near[::-1]]
    lying, row = source.transpose(order), order.index(*across) + 1
    gathered = _apart(lying.shape[:row], lying.shape[row:], source.dtype)
    np.copyto(gathered, lying)
    return gathered.transpose(np.argsort(order))


def _apart(outer: Shape, row: Shape, dtype: np.dtype[Any]) -> Values:
    """Return an uninitialised array with room between its rows, so that no power of two parts them.

    Args:
        outer: How many rows it has, along each axis.
        row: The shape of a row, which lies side by side.
        dtype: Its type.
    """
    count, room = math.prod(row), -(-_LINE // dtype.itemsize)
    return np.empty((*outer, count + room), dtype)[..., :count].reshape(*outer, *row)


def _differing_at_once(piece: Piece) -> int:
    target = bits(piece.target)
    if piece.function is None:
        return int(np.count_nonzero(target != _at_hand(target, bits(piece.source))))
    wanted = np.empty(piece.target.shape, piece.target.dtype)
    piece.compute(wanted)
    return int(np.count_nonzero(target != bits(wanted)))


def _write_all(handle: int, values: Values, offset: int) -> None:
    rest = memoryview(values.reshape(-1).view("u1").data)
    while rest:
        written = os.pwrite(handle, rest, offset)
        rest, offset = rest[written:], offset + written


def _outer_axes(view: Values) -> int:
    """Return how many of a view's axes lie outside of what it has in one piece."""
    size = view.dtype.itemsize
    for axis in range(view.ndim - 1, -1, -1):
        if view.shape[axis] > 1 and view.strides[axis] != size:
            return axis + 1
        size *= view.shape[axis]
    return 0


def _blocks(piece: Piece, run: int, read: int) -> Iterator[Piece]:
    shape = piece.target.shape
    if piece.target.nbytes <= BLOCK:
        yield piece
        return
    sizes = _block_shape(piece, run, read)
    for position in np.ndindex(*(-(-size // step) for size, step in zip(shape, sizes, strict=True))):
        yield piece.at(
            tuple(slice(at * step, (at + 1) * step) for at, step in zip(position, sizes, strict=True))
        )


def _block_shape(piece: Piece, run: int, read: int) -> Shape:
    """Return a block's shape: first what lies side by side in either array, then as much as there is room.

    A transposed copy reads with one stride and writes with another. Either side loads whole cache lines and
    pages, so a block has to use what it loads on both.

    Args:
        piece: What is cut into blocks.
        run: How many values of the target should lie side by side.
        read: How many of the source should.
    """
    shape, inner = piece.target.shape, _by_stride(piece.target)
    sizes = [1] * len(shape)
    _grow(sizes, shape, inner, run, evenly=True)
    _grow(sizes, shape, _by_stride(piece.source), read)
    room = BLOCK // (piece.target.dtype.itemsize * math.prod(sizes))
    for axis in inner:
        times = max(min(-(-shape[axis] // sizes[axis]), room), 1)
        sizes[axis] *= times
        room //= times
    return tuple(sizes)


def _grow(sizes: list[int], shape: Shape, axes: Sequence[int], run: int, *, evenly: bool = False) -> None:
    """Make a block about so many values long, along the axes in this order.

    Args:
        sizes: Its shape, which is changed.
        shape: Of what it is cut from.
        axes: The axes.
        run: How many values.
        evenly: Whether an axis is cut into equal pieces, so that no short one is left over.
    """
    for axis in axes:
        length = -(-shape[axis] // max(round(shape[axis] / run), 1)) if evenly else min(shape[axis], run)
        sizes[axis] = max(sizes[axis], length)
        run = -(-run // sizes[axis])


def _by_stride(view: Values) -> list[int]:
    """Return the axes of a view, the one whose values lie nearest to each other first."""
    axes = [axis for axis in range(view.ndim) if view.shape[axis] > 1] or list(range(view.ndim))
    return sorted(axes, key=lambda axis: abs(view.strides[axis]))
