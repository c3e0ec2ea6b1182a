"""A disk that is full, fails, or goes away: one clear line, and what has come is kept."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.downloads import BODY, SIZE, FakeClock, fetch, left_in
from tests.support.raw_host import Call, RawHost, head, honest, whole
from zoo.errors import CacheError
from zoo.storage import space
from zoo.storage.space import check_space


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of partials."""
    return tmp_path / "partial"


def with_free(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    """Let every disk have so many bytes free."""
    usage = type(shutil.disk_usage("/"))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 10**12 - free, free))


@pytest.mark.parametrize(("converts", "needed"), [(False, SIZE), (True, 2 * SIZE)])
def test_space_is_looked_for_before_the_first_byte(
    folder: Path, monkeypatch: pytest.MonkeyPatch, converts: bool, needed: int
) -> None:
    """For the file, and for its converted copy if there will be one."""
    with_free(monkeypatch, needed - 1)
    with RawHost(whole) as host, pytest.raises(CacheError) as caught:
        fetch(host.url, folder, converts=converts)
    parts = "0.0 MB to fetch" + (" and 0.0 MB to convert" if converts else "")
    assert str(caught.value) == (
        f"{folder}: the disk is too full: {parts} are needed, 0.0 MB are free; make room, or let ZOO_HOME"
        " name a folder on another disk"
    )
    assert list(folder.iterdir()) == []
    with_free(monkeypatch, needed)
    with RawHost(whole) as host:
        assert fetch(host.url, folder, converts=converts)[0] == BODY


def test_only_what_is_missing_needs_space(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has come before is on the disk already."""

    def most(call: Call) -> None:
        call.send(head(), BODY[:-10])

    with RawHost(most, honest) as host:
        with pytest.raises(Exception, match="the connection ended after"):
            fetch(host.url, folder)
        with_free(monkeypatch, 10)
        assert fetch(host.url, folder)[0] == BODY


def test_sizes_are_told_in_megabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What needs how much, and what there is."""
    with_free(monkeypatch, 500_000_000)
    check_space(tmp_path, fetch=500_000_000)
    with pytest.raises(CacheError, match=r"553\.5 MB to fetch are needed, 500\.0 MB are free"):
        check_space(tmp_path, fetch=553_479_920, convert=0)


FAILING = [
    (errno.ENOSPC, "make room or let ZOO_HOME name a folder on another disk"),
    (errno.EIO, "the disk or its connection is failing: ZOO_HOME names the folder to use"),
    (errno.EROFS, "ZOO_HOME names the folder to use"),
    (errno.EDQUOT, "make room or let ZOO_HOME name a folder on another disk"),
    (errno.ESTALE, "the folder was removed or unmounted meanwhile: run the same command again"),
]


@pytest.mark.parametrize(("number", "advice"), FAILING, ids=[errno.errorcode[case[0]] for case in FAILING])
def test_a_disk_that_fails_in_the_middle_keeps_what_came(
    folder: Path, monkeypatch: pytest.MonkeyPatch, number: int, advice: str
) -> None:
    """The second write fails; the first is there when the disk is well again."""
    calls = []
    write = os.write

    def failing(descriptor: int, data: bytes) -> int:
        if len(data) not in (SIZE, SIZE - 1000):
            return write(descriptor, data)  # a lock or a record, not the file
        calls.append(1)
        if len(calls) == 1:
            return write(descriptor, data[:1000])  # as much as there is room for
        raise OSError(number, os.strerror(number))

    with RawHost(honest) as host:
        with monkeypatch.context() as patch, pytest.raises(CacheError) as caught:
            patch.setattr(os, "write", failing)
            fetch(host.url, folder)
        assert str(caught.value) == (
            f"{folder}: cannot be written: {os.strerror(number)}; {advice}; the 1000 bytes that have come are"
            " kept, and the same command goes on from there"
        )
        assert left_in(folder) == [BODY[:1000]]
        body, got = fetch(host.url, folder)
    assert (body, got.resumed_at) == (BODY, 1000)


def test_a_folder_that_cannot_be_written_at_all(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read-only file system says so at the first folder that is made."""

    def refuse(path: Path, *args: object, **options: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with RawHost(whole) as host, pytest.raises(CacheError) as caught:
        fetch(host.url, folder)
    assert str(caught.value).startswith(f"{folder}: cannot be written: Read-only file system; ")
    assert host.calls == []


@pytest.mark.parametrize("when", ["before the file has come", "once it has"])
def test_a_folder_that_is_removed_meanwhile(folder: Path, when: str) -> None:
    """The bytes have no name any more; that is said, and the next call works."""

    def removing(call: Call) -> None:
        call.send(head(), BODY[:1000])
        while not any(path.stat().st_size == 1000 for path in folder.glob("*/data")):
            pass  # until the client has written what was sent
        shutil.rmtree(folder)
        call.send(BODY[1000:])

    def remove() -> None:
        shutil.rmtree(folder)
        raise CacheError("gone")

    with RawHost(removing if when.startswith("before") else whole, whole) as host:
        with pytest.raises(CacheError) as caught:
            fetch(host.url, folder, clock=FakeClock(step=1), then=remove)
        if when.startswith("before"):
            assert str(caught.value) == (
                f"{folder}: cannot be written: No such file or directory; the folder was removed or unmounted"
                " meanwhile: run the same command again"
            )
        assert fetch(host.url, folder)[0] == BODY


PROGRAM = """
import resource, signal, sys
from pathlib import Path
from tests.support.downloads import fetch
from zoo.errors import CacheError
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    fetch(sys.argv[1], Path(sys.argv[2]))
except CacheError as error:
    print(error)
    sys.exit(1)
"""


def test_a_file_that_may_not_grow(folder: Path) -> None:
    """A real bound of the system, in a process of its own; what fitted is kept for one without it."""
    with RawHost(honest) as host:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, host.url, str(folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (1, "")
        assert done.stdout == (
            f"{folder}: cannot be written: File too large; {space.ADVICE[errno.EFBIG]}; the 1000 bytes"
            " that have come are kept, and the same command goes on from there\n"
        )
        body, got = fetch(host.url, folder)
    assert (body, got.resumed_at) == (BODY, 1000)


def test_everything_is_synced_before_it_is_handed_over(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file, and then the folder that names it."""
    synced: list[str] = []
    fsync = os.fsync

    def noting(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name.partition("~")[0])
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    seen: list[list[str]] = []
    with RawHost(whole) as host:
        fetch(host.url, folder, then=lambda: seen.append(list(synced)))
    assert seen[0][-2] == "data"
    assert seen[0][-1].startswith("it-")
