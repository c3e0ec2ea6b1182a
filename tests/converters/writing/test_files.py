"""New files are written to the disk while they are made, and what fails there is told."""

from __future__ import annotations

import errno
import os
import threading

import pytest

from converters.errors import ConversionError
from converters.writing import files


def test_a_disk_that_fails_once_is_heard(tmp_path, monkeypatch):
    """It tells whoever flushes first, and that is not who waits at the end."""
    flushed, real = threading.Event(), os.fsync

    def once(handle):
        if not flushed.is_set():
            flushed.set()
            raise OSError(errno.EIO, "Input/output error")
        real(handle)

    monkeypatch.setattr(files, "_PAUSE", 0.001)
    monkeypatch.setattr(files.os, "fsync", once)
    target = tmp_path / "new.h5"
    with pytest.raises(ConversionError) as error, files.new_file(tmp_path / "old.h5", target) as temporary:
        temporary.write_bytes(b"half")
        assert flushed.wait(60)
    assert str(error.value) == f"{target}: cannot be written ([Errno 5] Input/output error)"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.EFBIG, "Unable to extend file\n, filename = 'x.part'"), "[Errno 27] File too large"),
        (RuntimeError("Can't close\n, address = 1"), "Can't close"),
    ],
    ids=["a full disk", "no number"],
)
def test_what_hdf5_says_is_told_in_one_line(error, told, tmp_path):
    """It says it over several, with its own file's name."""
    target = tmp_path / "new.h5"
    with pytest.raises(ConversionError) as refused, files.new_file(tmp_path / "old.h5", target):
        raise error
    assert str(refused.value) == f"{target}: cannot be written ({told})"


def test_a_file_is_flushed_while_it_is_made(tmp_path, monkeypatch):
    """And no thread is left when it is done, nor when it failed."""
    monkeypatch.setattr(files, "_PAUSE", 0.001)
    before, flushed, real = threading.active_count(), threading.Event(), os.fsync
    monkeypatch.setattr(files.os, "fsync", lambda handle: (real(handle), flushed.set()))
    with files.new_file(tmp_path / "old.h5", tmp_path / "new.h5") as temporary:
        temporary.write_bytes(b"all")
        assert flushed.wait(60)
    assert (tmp_path / "new.h5").read_bytes() == b"all"
    with pytest.raises(KeyboardInterrupt), files.new_file(tmp_path / "old.h5", tmp_path / "other.h5"):
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["new.h5"]
    assert threading.active_count() == before
