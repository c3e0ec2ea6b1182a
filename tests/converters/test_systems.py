"""Where it cannot work it says so in one line; what macOS lacks is taken away here, and nothing is lost."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import subprocess
import sys

import numpy as np
import pytest

from converters.hdf5 import sandbox_child
from converters.version import WINDOWS, check_system
from converters.writing import disk, files

PRETENDED = "import runpy, sys; sys.platform = 'win32'; "
STARTS = {
    "import zoo": ("import zoo", f"ImportError: {WINDOWS}"),
    "import converters": ("import converters", f"ImportError: {WINDOWS}"),
    "from zoo.errors": ("from zoo.errors import ZooError", f"ImportError: {WINDOWS}"),
    "zoo list": (
        "sys.argv = ['C:\\\\Python\\\\Scripts\\\\zoo.exe', 'list']; from zoo.cli import main",
        WINDOWS,
    ),
    "python -m zoo": ("sys.argv = ['-m', 'list']; runpy.run_module('zoo')", WINDOWS),
}


@pytest.mark.parametrize("start", STARTS)
def test_windows_is_refused_in_one_line(start: str) -> None:
    """The command prints that line alone; an import raises it."""
    code, said = STARTS[start]
    run = subprocess.run(
        [sys.executable, "-c", PRETENDED + code], capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    lines = run.stderr.splitlines()
    assert lines[-1] == said
    assert len(lines) == 1 or said.startswith("ImportError")


@pytest.mark.parametrize("system", ["linux", "darwin", "freebsd14", "cygwin"])
def test_other_systems_are_not_refused(system: str) -> None:
    """Whatever has what POSIX describes may do."""
    check_system(system, "zoo")


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what the disk was asked for, on a system that has F_FULLFSYNC."""
    asked: list[str] = []
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", lambda handle, what: asked.append(f"fcntl {what}"))
    monkeypatch.setattr(os, "fsync", lambda handle: asked.append("fsync"))
    return asked


def test_the_disk_of_a_mac_is_waited_for(flushed: list[str], tmp_path) -> None:
    """There fsync alone leaves what was written in the drive's cache."""
    files.sync(tmp_path)
    assert flushed == ["fcntl 51"]


@pytest.mark.parametrize("number", [errno.ENOTSUP, errno.EINVAL, errno.ENOTTY])
def test_a_file_system_that_does_not_know_it_is_asked_in_the_old_way(
    number: int, flushed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As network shares are."""

    def refuse(handle: int, what: int) -> None:
        raise OSError(number, "")

    monkeypatch.setattr(fcntl, "fcntl", refuse)
    disk.wait_for_disk(0)
    assert flushed == ["fsync"]


def test_what_a_disk_says_of_itself_is_not_passed_over(
    flushed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error is told once, so asking again in another way would hide it."""

    def fail(handle: int, what: int) -> None:
        raise OSError(errno.EIO, "")

    monkeypatch.setattr(fcntl, "fcntl", fail)
    with pytest.raises(OSError, match=str(errno.EIO)):
        disk.wait_for_disk(0)
    assert flushed == []


def test_the_disk_begins_early_and_nobody_waits(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told which bytes, and a file system that takes no advice does no harm."""
    told: list[tuple[int, int, int, int]] = []
    monkeypatch.setattr(os, "POSIX_FADV_DONTNEED", 4, raising=False)
    monkeypatch.setattr(os, "posix_fadvise", lambda *said: told.append(said), raising=False)
    disk.begin_writing(7, 100, 20)
    assert told == [(7, 100, 20, 4)]

    def refuse(*said: int) -> None:
        raise OSError(errno.ENOSYS, "")

    monkeypatch.setattr(os, "posix_fadvise", refuse)
    disk.begin_writing(7, 100, 20)
    monkeypatch.delattr(os, "posix_fadvise")
    disk.begin_writing(7, 100, 20)


@pytest.mark.parametrize("count", [0, 1, (1 << 20) - 1, (2 << 20) + 5])
def test_room_is_made_sure_of_without_posix_fallocate(
    count: int, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every byte is written: a file with holes would end the process where the disk is full."""
    monkeypatch.delattr(os, "posix_fallocate")
    with (tmp_path / "room").open("w+b") as file:
        disk.reserve(file.fileno(), count)
        state = os.fstat(file.fileno())
        assert state.st_size == count
        assert state.st_blocks * 512 >= count
    assert not any((tmp_path / "room").read_bytes())


def test_scratch_space_is_made_without_posix_fallocate(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It can be written to and read back."""
    monkeypatch.delattr(os, "posix_fallocate")
    monkeypatch.setattr(files, "_IN_MEMORY", 10)
    space = files.scratch(5000, tmp_path)
    space[:] = np.arange(5000) % 251
    assert space[4999] == 4999 % 251


@pytest.mark.parametrize(
    ("most", "set_to"),
    [
        (resource.RLIM_INFINITY, (100, resource.RLIM_INFINITY)),
        (1000, (100, 1000)),
        (60, (60, 60)),
    ],
)
def test_a_limit_of_the_machine_is_never_raised(
    most: int, set_to: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only root may: under ``ulimit -v`` or ``ulimit -t`` nothing would be unpacked."""
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (most, most))
    monkeypatch.setattr(resource, "setrlimit", lambda kind, pair: given.append(pair))
    sandbox_child._limit(resource.RLIMIT_AS, 100)
    assert given == [set_to]
