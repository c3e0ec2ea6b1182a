"""Copying and comparing blocks: every value once, every bit as it was, whatever the order of the axes."""

from __future__ import annotations

import mmap
import tempfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converters.arrays import blocks
from converters.arrays.moves import Piece

DTYPES = ("<f2", "<f4", ">f4", "<f8", "<i8", "|u1", "<f16")


@st.composite
def pieces(draw, axes=0):
    """Draw a piece whose source is transposed and partly reversed, and has so many axes or more."""
    shape = tuple(draw(st.lists(st.integers(1, 9), min_size=axes, max_size=4)))
    order = tuple(draw(st.permutations(range(len(shape)))))
    steps = [slice(None, None, draw(st.sampled_from((1, -1)))) for _ in shape]
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    count = int(np.prod(shape)) * dtype.itemsize
    source = np.random.default_rng(count).integers(0, 256, count, dtype="u1").view(dtype).reshape(shape)
    moved = source.transpose(order)[..., *steps]
    return Piece(target=np.zeros(moved.shape, dtype), source=moved)


def cutting(**more):
    """Draw how arrays are cut, in bytes and values, for arrays of a few hundred of them."""
    limits = {
        "BLOCK": (16, 600),
        "_RUN": (1, 40),
        "_READ": (1, 40),
        "_GATHERED": (1, 200),
        "_WAY": (1, 64),
        **more,
    }
    return st.fixed_dictionaries({name: st.integers(*limit) for name, limit in limits.items()})


def cut(patch, limits):
    """Cut as it was drawn."""
    for name, value in limits.items():
        patch.setattr(blocks, name, value)


@settings(max_examples=150)
@given(piece=pieces(), limits=cutting())
def test_blocks_copy_every_bit_once(piece, limits):
    """Blocks of any size make the same array as NumPy does at once, NaNs with their payloads included."""
    with pytest.MonkeyPatch.context() as patch:
        cut(patch, limits)
        blocks.copy(piece)
        assert blocks.differing(piece) == blocks.differing(piece.reversed()) == 0
    assert piece.target.tobytes() == piece.source.tobytes()


@settings(max_examples=100)
@given(piece=pieces(), limit=st.integers(1, 300), data=st.data())
def test_parts_are_the_whole(piece, limit, data):
    """A piece cut into parts holds every value in exactly one of them, and none is larger than it may be."""
    found = list(blocks.parts(piece, limit))
    assert sum(part.target.size for part in found) == piece.target.size
    assert all(part.target.nbytes <= limit or part.target.size == 1 for part in found)
    for part in found:
        blocks.copy(part)
    assert piece.target.tobytes() == piece.source.tobytes()
    index = tuple(data.draw(st.integers(0, size - 1)) for size in piece.target.shape)
    raw = blocks.bits(piece.target)
    raw[index] = bytes(16) if raw.dtype.kind == "V" else raw[index] ^ raw.dtype.type(1)
    changed = piece.target.tobytes() != piece.source.tobytes()
    assert blocks.differing(piece) == changed


@settings(max_examples=150)
@given(piece=pieces(axes=1), limits=cutting(_WRITTEN=(16, 600)), beside=st.sampled_from([(0, 0), (2, 1)]))
def test_blocks_are_stored_where_they_belong(piece, limits, beside):
    """A file gets what a copy in memory would have put there, and nothing beside it is touched."""
    shape, dtype = piece.target.shape, piece.target.dtype
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryFile() as file:
        cut(patch, limits)
        # The target is a slice of a larger array, or all of one, that begins somewhere in the file.
        whole = (*shape[:-1], shape[-1] + sum(beside))
        start, count = 7, int(np.prod(whole)) * dtype.itemsize
        file.write(bytes([85]) * (start + count + 5))
        file.flush()
        room = np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), "u1")
        place = (..., slice(beside[0], beside[0] + shape[-1]))
        target = room[start : start + count].view(dtype).reshape(whole)[place]
        stored = Piece(target=target, source=piece.source)
        blocks.store(stored, file.fileno(), room.__array_interface__["data"][0])
        assert blocks.differing(stored) == 0
        around = np.full(start + count + 5, 85, "u1")
        expected = around[start : start + count].view(dtype).reshape(whole)
        expected[place] = piece.source
        assert room.tobytes() == around.tobytes()


@pytest.mark.parametrize("shape", [(), (1,), (1, 1), (0,), (3, 0, 2)], ids=str)
@pytest.mark.parametrize("dtype", ["<f4", "V3", "<f16"])
def test_an_array_of_one_value_or_of_none_lies_in_no_order(shape, dtype):
    """What has no axis along which values lie, a scalar above all, is copied as all others are."""
    source = np.frombuffer(bytes(range(1, 17)), "u1")[: np.dtype(dtype).itemsize].view(dtype)
    source = np.broadcast_to(source.reshape(()), shape)
    piece = Piece(target=np.zeros(shape, dtype), source=source)
    for part in blocks.parts(piece):
        blocks.copy(part)
    assert piece.target.tobytes() == source.tobytes()
    assert blocks.differing(piece) == 0


def test_arithmetic_is_done_block_by_block(monkeypatch):
    """A function of the values is applied on the way, and compared by doing it again."""
    monkeypatch.setattr(blocks, "BLOCK", 64)
    source = np.arange(300, dtype="f4").reshape(20, 15)
    piece = Piece(target=np.empty((15, 20), "f4"), source=source.T, function="square")
    blocks.copy(piece)
    np.testing.assert_array_equal(piece.target, source.T**2)
    assert blocks.differing(piece) == 0
    piece.target[3, 4] += 1
    assert blocks.differing(piece) == 1


@pytest.mark.parametrize(
    ("shape", "order"),
    [
        ((4096, 512, 3, 3), (2, 3, 1, 0)),
        ((3, 3, 512, 4096), (3, 2, 0, 1)),
        ((512, 7, 7, 4096), (1, 2, 0, 3)),
        ((50_000_000,), (0,)),
        ((1, 1, 9000, 9000), (3, 2, 0, 1)),
    ],
)
def test_blocks_are_long_on_both_sides(shape, order):
    """A block of a large array is no larger than a cache and reads and writes at least a whole line."""
    base = np.lib.stride_tricks.as_strided(np.zeros(1, "f4"), shape, np.cumprod((4, *shape[:0:-1]))[::-1])
    target_shape = tuple(shape[axis] for axis in order)
    target = np.lib.stride_tricks.as_strided(
        np.zeros(1, "f4"), target_shape, np.cumprod((4, *target_shape[:0:-1]))[::-1]
    )
    piece = Piece(target=target, source=base.transpose(order))
    sizes = blocks._block_shape(piece, blocks._RUN, blocks._READ)
    assert blocks.BLOCK // 8 <= np.prod(sizes) * 4 <= 2 * blocks.BLOCK
    assert all(_run(view, sizes) >= 64 for view in (piece.target, piece.source))


@pytest.mark.parametrize(
    ("shape", "order"),
    [((3, 3, 512, 512), (3, 2, 0, 1)), ((3, 3, 500, 64), (3, 2, 0, 1)), ((5000, 800), (1, 0))],
)
def test_no_short_rest_is_left_to_be_written(shape, order):
    """A file is written in pieces of about one length, most often a whole row of the target at once."""
    source = np.broadcast_to(np.float32(0), shape).transpose(order)
    target = np.lib.stride_tricks.as_strided(
        np.zeros(1, "f4"), source.shape, np.cumprod((4, *source.shape[:0:-1]))[::-1]
    )
    run = blocks._WRITTEN // 4
    cut = blocks._block_shape(Piece(target=target, source=source), run, blocks._READ)
    assert all(size % length == 0 for size, length in zip(target.shape[1:], cut[1:], strict=True))


def _run(view, sizes):
    """Return how many bytes of a block lie side by side in a view."""
    run = view.dtype.itemsize
    for axis in sorted(range(view.ndim), key=lambda axis: view.strides[axis]):
        if view.shape[axis] > 1 and view.strides[axis] > run:
            break
        run *= sizes[axis]
    return run


@pytest.mark.parametrize(
    ("shape", "order", "gathered"),
    [
        ((4096, 4096), (1, 0), True),
        ((512, 512, 3, 3), (2, 3, 1, 0), True),
        ((4096, 1000), (1, 0), False),
        ((100_000, 2), (1, 0), False),
        ((20_000, 1, 3, 3), (2, 3, 0, 1), False),
        ((300, 4096), (0, 1), False),
    ],
    ids=str,
)
def test_rows_are_gathered_where_they_share_lines_of_the_cache(shape, order, gathered):
    """Others are read as they lie: with room between each, rows of two values took six times as long."""
    source = np.zeros(shape, "f4").transpose(order)
    block = next(
        blocks._blocks(Piece(target=np.empty(source.shape, "f4"), source=source), blocks._RUN, blocks._READ)
    )
    assert (blocks._at_hand(block.target, block.source) is not block.source) == gathered


@given(st.integers(1, 40), st.integers(1, 3000))
def test_a_sum_of_two_arrays_is_made_and_proved(rows, columns):
    """Each part of it has its share of both; what is not their sum is found."""
    one = np.arange(rows * columns, dtype="float32").reshape(rows, columns)
    piece = Piece(target=np.empty_like(one), source=one, others=(one[::-1],), function="sum")
    for part in blocks.parts(piece, 1 << 12):
        blocks.copy(part)
    np.testing.assert_array_equal(piece.target, one + one[::-1])
    assert blocks.differing(piece) == 0
    piece.target[-1, -1] += 1
    assert blocks.differing(piece) == 1
