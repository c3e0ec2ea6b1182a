"""Features on disk: kept by what they are of, never those of an image that was not seen, never too many."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest

from zoo.finetuning import shelves
from zoo.finetuning.shelves import looked_up, shelf_path, trim

ROWS = np.arange(24, dtype=np.float32).reshape(6, 4)
NAMES = [f"image {place}" for place in range(6)]


class Computer:
    """Gives rows of a table and takes down which."""

    def __init__(self, unsure=(), start=0):
        self.asked = []
        self.unsure = unsure
        self.rows = ROWS[start:]

    def __call__(self, places):
        """Return rows; those of images that it is unsure of are zero."""
        self.asked += places.tolist()
        sure = np.array([place not in self.unsure for place in places], np.bool_)
        return self.rows[places] * sure[:, np.newaxis], sure


def test_rows_are_computed_once(tmp_path):
    """The second time none is asked for."""
    shelf = shelf_path(tmp_path, "net", "0" * 64)
    compute = Computer()
    assert np.array_equal(looked_up(shelf, NAMES[:4], compute), ROWS[:4])
    assert np.array_equal(looked_up(shelf, NAMES, compute), ROWS)
    assert compute.asked == [0, 1, 2, 3, 4, 5]
    first, second = sorted((path.name for path in tmp_path.iterdir()), key=len)
    assert first == "net-0000000000000000.npz"
    assert re.fullmatch(r"net-0{16}\.[0-9a-f]{8}\.npz", second)


def count_bytes(monkeypatch):
    """Return a list to which each file that is written adds its size."""
    written = []
    save = np.savez

    def counted(file, **arrays):
        save(file, **arrays)
        written.append(file.tell())

    monkeypatch.setattr(np, "savez", counted)
    return written


@pytest.mark.parametrize("at_once", [True, False])
def test_bytes_are_written_once(tmp_path, monkeypatch, at_once):
    """For twice as many images twice as many bytes, in one look-up of many pieces or in many of one."""
    monkeypatch.setattr(shelves, "PIECE", 10)
    written = count_bytes(monkeypatch)

    def total(count):
        written.clear()
        shelf = shelf_path(tmp_path / str(count), "net", "0" * 64)
        names = [f"{place:064d}" for place in range(count)]
        for end in [count] if at_once else range(10, count + 1, 10):
            looked_up(
                shelf, names[:end], lambda places: (np.ones((len(places), 8)), np.ones(len(places), bool))
            )
        return sum(written)

    pieces = [total(count) for count in (100, 200, 400)]
    assert len(written) == 40
    assert pieces == [100 // 10 * written[0], 200 // 10 * written[0], 400 // 10 * written[0]]


def test_a_shelf_of_before_is_read(tmp_path):
    """One file with all rows; what is added goes beside it and leaves it as it is."""
    shelf = shelf_path(tmp_path, "net", "0" * 64)
    np.savez(shelf, digests=np.array(NAMES[:4]), features=ROWS[:4])
    before, compute = shelf.read_bytes(), Computer()
    assert np.array_equal(looked_up(shelf, NAMES, compute), ROWS)
    assert compute.asked == [4, 5]
    assert shelf.read_bytes() == before
    assert np.array_equal(looked_up(shelf, NAMES, compute), ROWS)
    assert compute.asked == [4, 5]


@pytest.mark.parametrize("damaged", [0, 1, 2])
@pytest.mark.parametrize("left", [0, 1, 100])
def test_of_a_damaged_file_its_own_rows_are_lost_alone(tmp_path, caplog, damaged, left):
    """They are computed again, written in its place, and then it is whole."""
    shelf = shelf_path(tmp_path, "net", "0" * 64)
    order = []
    for end in (2, 4, 6):
        looked_up(shelf, NAMES[:end], Computer())
        order += [path for path in tmp_path.iterdir() if path not in order]
    order[damaged].write_bytes(order[damaged].read_bytes()[:left])
    compute = Computer()
    assert np.array_equal(looked_up(shelf, NAMES, compute), ROWS)
    assert compute.asked == [2 * damaged, 2 * damaged + 1]
    assert [str(order[damaged]) in message for message in caplog.messages] == [True]
    assert sorted(tmp_path.iterdir()) == sorted(order)
    caplog.clear()
    assert np.array_equal(looked_up(shelf, NAMES, compute), ROWS)
    assert (len(compute.asked), caplog.messages) == (2, [])


def test_what_was_half_written_is_no_part_of_a_shelf(tmp_path, monkeypatch):
    """A write that breaks off leaves what was there, and nothing else."""
    shelf = shelf_path(tmp_path, "net", "0" * 64)
    looked_up(shelf, NAMES[:2], Computer())

    def broken(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", broken)
        with pytest.raises(OSError, match="No space left"):
            looked_up(shelf, NAMES, Computer())
    assert list(tmp_path.iterdir()) == [shelf]
    compute = Computer()
    looked_up(shelf, NAMES, compute)
    assert compute.asked == [2, 3, 4, 5]


def test_two_processes_add_to_a_shelf_without_losing_what_the_other_added(tmp_path):
    """Whatever one wrote while the other computed is there afterwards."""
    shelf = shelf_path(tmp_path, "net", "0" * 64)
    looked_up(shelf, NAMES[:1], Computer())

    def meanwhile(places):
        looked_up(shelf, [NAMES[0], *NAMES[4:]], lambda others: (ROWS[[4, 5]], np.ones(2, np.bool_)))
        return ROWS[places], np.ones(len(places), np.bool_)

    looked_up(shelf, NAMES[:4], meanwhile)
    compute = Computer()
    assert np.array_equal(looked_up(shelf, NAMES, compute), ROWS)
    assert compute.asked == []


def test_another_shelf_is_not_read(tmp_path):
    """Neither one whose name begins the same, nor one with signs that patterns have."""
    first = shelf_path(tmp_path, "n[a]t*", "0" * 64)
    looked_up(first, NAMES, Computer())
    looked_up(shelf_path(tmp_path, "nat", "0" * 64), NAMES[:3], Computer())
    compute = Computer()
    looked_up(first, NAMES, compute)
    looked_up(shelf_path(tmp_path, "nat", "0" * 64), NAMES[3:], Computer(start=3))
    assert compute.asked == []


def test_a_shelf_that_grows_beyond_its_room_is_written_over_once(tmp_path, monkeypatch):
    """Not for each piece: what is asked for is all that is left after the first time."""
    monkeypatch.setattr(shelves, "PIECE", 1)
    monkeypatch.setattr(shelves, "trim", lambda folder, limit: None)
    monkeypatch.setattr(shelves, "LIMIT", ROWS[:5].nbytes)
    shelf = shelf_path(tmp_path, "net", "0" * 64)
    looked_up(shelf, [f"other {place}" for place in range(4)], Computer())
    written = count_bytes(monkeypatch)
    looked_up(shelf, NAMES[:5], Computer())
    assert len(written) == 5
    assert max(written) < 2 * min(written)
    compute = Computer()
    looked_up(shelf, NAMES[:5], compute)
    assert compute.asked == []


def test_what_was_computed_before_an_interruption_is_kept(tmp_path, monkeypatch):
    """Of many images a piece at a time is put on the shelf."""
    monkeypatch.setattr(shelves, "PIECE", 2)
    shelf = shelf_path(tmp_path, "net", "0" * 64)
    compute = Computer()

    def interrupted(places):
        if len(compute.asked) == 4:
            raise KeyboardInterrupt
        return compute(places)

    with pytest.raises(KeyboardInterrupt):
        looked_up(shelf, NAMES, interrupted)
    rest = Computer()
    assert np.array_equal(looked_up(shelf, NAMES, rest), ROWS)
    assert (compute.asked, rest.asked) == ([0, 1, 2, 3], [4, 5])


@pytest.mark.parametrize("unsure", [(2,), (0, 1, 2, 3, 4, 5)])
def test_what_is_not_sure_is_given_and_not_kept(tmp_path, unsure):
    """An image that could not be read once is looked at again the next time."""
    shelf = shelf_path(tmp_path, "net", "0" * 64)
    found = looked_up(shelf, NAMES, Computer(unsure))
    assert not found[list(unsure)].any()
    compute = Computer()
    assert np.array_equal(looked_up(shelf, NAMES, compute), ROWS)
    assert compute.asked == list(unsure)


def test_of_two_copies_of_a_picture_the_sure_one_is_kept(tmp_path):
    """The other one's row is its own all the same."""
    shelf = shelf_path(tmp_path, "net", "0" * 64)
    names = ["same", "same"]
    assert np.array_equal(looked_up(shelf, names, Computer([1])), [ROWS[0], np.zeros(4)])
    compute = Computer()
    assert np.array_equal(looked_up(shelf, names, compute), [ROWS[0], ROWS[0]])
    assert compute.asked == []


def shelf_of(folder, number, size, age):
    """Make a shelf of some bytes that was used some seconds ago."""
    path = shelf_path(folder, "net", f"{number:016x}")
    path.write_bytes(b"x" * size)
    os.utime(path, (1e9 - age, 1e9 - age))
    return path


@pytest.mark.parametrize("ending", [".0123abcd", "-0123456789abcdef.part"])
def test_the_longest_unused_shelves_are_deleted(tmp_path, ending):
    """As many as are too many, half-written ones first; files that are no shelves stay."""
    for number, age in enumerate([10, 30, 20, 40]):
        shelf_of(tmp_path, number, 100, age)
    half = tmp_path / f".net-00000000000000aa.npz{ending}"
    half.write_bytes(b"x" * 100)
    os.utime(half, (1, 1))
    (tmp_path / "features.npz").write_bytes(b"x" * 1000)
    trim(tmp_path, 250)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["features.npz", "net-0000000000000000.npz", "net-0000000000000002.npz"]


def test_what_a_process_leaves_that_is_killed_as_it_writes_is_known(tmp_path, monkeypatch):
    """Under the name that is being written to, whatever it is, room is made as under those of shelves."""
    names = []

    def interrupted(file, **arrays):
        names.append(Path(file.name).name)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", interrupted)
        with pytest.raises(KeyboardInterrupt):
            looked_up(shelf_path(tmp_path, "net", "0" * 16), NAMES, Computer())
    assert list(tmp_path.iterdir()) == []
    (tmp_path / names[0]).write_bytes(b"half")
    trim(tmp_path, 0)
    assert list(tmp_path.iterdir()) == []


def test_a_shelf_that_is_read_is_used(tmp_path, monkeypatch):
    """It stays, and the one that was written later goes."""
    monkeypatch.setattr(shelves, "LIMIT", 2000)
    first, second, third = (shelf_path(tmp_path, "net", f"{number:016x}") for number in range(3))
    for shelf, age in ((first, 20), (second, 10)):
        looked_up(shelf, NAMES, Computer())
        os.utime(shelf, (1e9 - age, 1e9 - age))
    monkeypatch.setattr(shelves, "LIMIT", 2 * first.stat().st_size)
    looked_up(first, NAMES, Computer())
    looked_up(third, NAMES, Computer())
    assert sorted(tmp_path.iterdir()) == [first, third]


def test_a_shelf_that_would_take_too_much_keeps_what_was_asked_for_last(tmp_path, monkeypatch):
    """And nothing at all if that is too much too."""
    monkeypatch.setattr(shelves, "LIMIT", ROWS[:4].nbytes)
    monkeypatch.setattr(shelves, "trim", lambda folder, limit: None)
    shelf = shelf_path(tmp_path, "net", "0" * 64)
    looked_up(shelf, NAMES[:3], Computer())
    looked_up(shelf, NAMES[2:], Computer(start=2))
    compute = Computer()
    assert np.array_equal(looked_up(shelf, NAMES[2:], compute), ROWS[2:])
    assert compute.asked == []
    assert np.array_equal(looked_up(shelf, NAMES, compute), ROWS)
    assert compute.asked == [0, 1]
    with np.load(shelf) as file:
        assert file["digests"].tolist() == NAMES[2:]
