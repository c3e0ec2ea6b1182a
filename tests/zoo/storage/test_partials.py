"""A partial has one owner at a time, by rename alone; old ones are swept, living ones never."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from zoo.errors import CacheError, ChecksumError, StructureMismatchError
from zoo.storage import partials
from zoo.storage.partials import About, Partial, claimed, key_of, scratch, sweep

ABOUT = About(url="https://a.example/x", etag='"v1"', total=10)
DAY = 24 * 3600.0


class BrokenOffError(Exception):
    """Ends a download."""


def leave(folder: Path, key: str = "key", content: bytes = b"12345") -> None:
    """Leave a partial behind that was given back."""
    with pytest.raises(BrokenOffError), claimed(folder, key, time.time()) as partial:
        partial.begin(ABOUT)
        partial.data.write_bytes(content)
        raise BrokenOffError


def abandon(folder: Path, key: str = "key", content: bytes = b"12345", *, ending: str = "") -> Path:
    """Leave a partial behind whose owner is dead."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    owner = f"{partials._place()}-{process.pid}-{partials._start_of(process.pid)}"
    process.wait()
    return own_by(folder, owner, key, content, ending=ending)


def own_by(
    folder: Path, owner: str, key: str = "key", content: bytes = b"12345", *, ending: str = ""
) -> Path:
    """Make a partial that somebody owns."""
    path = folder / f"{key}~{owner}~0123456789abcdef{ending}"
    path.mkdir(parents=True)
    partial = Partial(folder=path)
    partial.begin(ABOUT)
    partial.data.write_bytes(content)
    return path


def test_what_was_given_back_is_taken_over(tmp_path: Path) -> None:
    """With its bytes, what they are, and their digest."""
    leave(tmp_path)
    assert [path.name.split("~")[1] for path in tmp_path.iterdir()] == ["free"]
    with claimed(tmp_path, "key", time.time()) as partial:
        assert partial.data.read_bytes() == b"12345"
        assert partial.about is not None
        assert (partial.about.etag, partial.about.bytes, partial.size) == ('"v1"', 5, 5)
        assert str(os.getpid()) in partial.folder.name
    assert list(tmp_path.iterdir()) == []


def test_another_key_is_another_file(tmp_path: Path) -> None:
    """Neither a longer nor a shorter one is taken."""
    leave(tmp_path, "key-2")
    with claimed(tmp_path, "key", time.time()) as partial:
        assert partial.size == 0
    assert len(list(tmp_path.iterdir())) == 1


def test_the_one_with_the_most_bytes_is_taken(tmp_path: Path) -> None:
    """Where two were left, because locks did nothing."""
    abandon(tmp_path, content=b"1234567")
    leave(tmp_path, "other", b"123456789")
    next(tmp_path.glob("other~*")).rename(tmp_path / "key~free~00ff")
    with claimed(tmp_path, "key", time.time()) as partial:
        assert partial.size == 9


def test_what_a_living_process_owns_is_not_taken(tmp_path: Path) -> None:
    """Neither by this process, though it is its own, nor by sweeping it however old it looks."""
    with claimed(tmp_path, "key", time.time()) as first:
        first.begin(ABOUT)
        with claimed(tmp_path, "key", time.time()) as second:
            assert second.folder != first.folder
            assert sweep(tmp_path, now=time.time() + 100 * DAY) == []
        assert first.data.exists()


def test_what_a_dead_process_of_this_machine_owned_is_taken(tmp_path: Path) -> None:
    """Killed in the middle: what it wrote is what is read."""
    abandon(tmp_path)
    with claimed(tmp_path, "key", time.time()) as partial:
        assert partial.size == 5
        assert len(list(tmp_path.iterdir())) == 1


def test_a_process_number_that_was_given_again_is_not_the_owner(tmp_path: Path) -> None:
    """This process has the number, but did not start when the owner did."""
    own_by(tmp_path, f"{partials._place()}-{os.getpid()}-1")
    with claimed(tmp_path, "key", time.time()) as partial:
        assert partial.size == 5


def test_what_another_machine_owns_is_left_alone_until_it_is_old(tmp_path: Path) -> None:
    """Nobody here can tell whether its owner still writes."""
    path = own_by(tmp_path, "0123456789ab-1-1")
    with claimed(tmp_path, "key", time.time()) as partial:
        assert partial.size == 0
    assert path.exists()
    assert sweep(tmp_path, now=time.time() + 6 * DAY) == []
    removed = sweep(tmp_path, now=time.time() + 8 * DAY)
    assert [(one, size > 5) for one, size in removed] == [(path, True)]
    assert list(tmp_path.iterdir()) == []


def test_sweeping_can_be_tried_out(tmp_path: Path) -> None:
    """What would be removed is told and stays; other files are none of its business."""
    leave(tmp_path)
    (tmp_path / "it.lock").touch()
    (tmp_path / "a~b").mkdir()
    assert len(sweep(tmp_path, now=time.time() + 8 * DAY, dry_run=True)) == 1
    assert len(list(tmp_path.iterdir())) == 3
    assert len(sweep(tmp_path, now=time.time() + 1, max_age=0)) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a~b", "it.lock"]
    assert sweep(tmp_path / "nowhere", now=0) == []


def test_scratch_of_the_dead_is_swept_at_once(tmp_path: Path) -> None:
    """A conversion that was killed is of no use to anybody; one that runs is left alone."""
    abandon(tmp_path, ending="~scratch")
    with scratch(tmp_path, "stem", time.time()) as path:
        path.write_bytes(b"1")
        assert [one for one in tmp_path.iterdir()] == [path.parent]
        assert sweep(tmp_path, now=time.time() + 100 * DAY) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verdict", [ChecksumError, StructureMismatchError])
def test_wrong_bytes_are_not_kept(tmp_path: Path, verdict: type[Exception]) -> None:
    """Errors about the content end its partial."""
    with pytest.raises(verdict), claimed(tmp_path, "key", time.time()) as partial:
        partial.begin(ABOUT)
        partial.data.write_bytes(b"12345")
        raise verdict
    assert list(tmp_path.iterdir()) == []


def test_only_one_of_many_gets_a_partial(tmp_path: Path) -> None:
    """Sixteen threads at once for one partial: one has its bytes, nobody fails."""
    leave(tmp_path)
    start, sizes = threading.Barrier(16), []

    def take() -> None:
        start.wait()
        with claimed(tmp_path, "key", time.time()) as partial:
            sizes.append(partial.size)
            start.wait()

    threads = [threading.Thread(target=take) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(sizes) == [0] * 15 + [5]


def test_keys_are_readable_and_tell_addresses_apart() -> None:
    """No character of an address becomes part of a path."""
    one, two = (
        key_of("class_indexes/imagenet~x", "https://a/1"),
        key_of("class_indexes/imagenet~x", "https://a/2"),
    )
    assert one.startswith("class_indexes_imagenet_x-")
    assert one != two
    assert "/" not in one + two
    assert len(key_of("x" * 500, "https://a/1")) < 120


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """One line, with the way out."""
    (tmp_path / "file").touch()
    with pytest.raises(CacheError) as caught, claimed(tmp_path / "file" / "partial", "key", 0.0):
        pass
    assert str(caught.value).startswith(f"{tmp_path / 'file' / 'partial'}: cannot be written: ")
    assert "ZOO_HOME" in str(caught.value)


@pytest.fixture
def _mac(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take /proc away, and put a folder before all others in which commands are looked for."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    monkeypatch.setattr(partials, "_text", lambda path: None)
    partials._place.cache_clear()
    yield
    partials._place.cache_clear()


def _sysctl(folder: Path, body: str) -> None:
    script = folder / "bin" / "sysctl"
    script.write_text(f"#!/bin/sh\n{body}\n", "utf-8")
    script.chmod(0o755)


@pytest.mark.usefixtures("_mac")
def test_without_proc_a_start_of_the_machine_is_told_by_sysctl(tmp_path: Path) -> None:
    """As on macOS; what a dead process of the same start owned is taken there too."""
    _sysctl(tmp_path, 'test "$*" = "-n kern.bootsessionuuid" && echo "${BOOT:-11-22}"')
    assert partials._boot() == "11-22"
    folder = tmp_path / "partials"
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    own_by(folder, f"{partials._place()}-{process.pid}-0")
    with claimed(folder, "key", time.time()) as partial:
        assert partial.size == 5


@pytest.mark.usefixtures("_mac")
@pytest.mark.parametrize("body", ["exit 1", "echo"])
def test_where_nothing_tells_one_start_from_another_nobody_is_taken_for_dead(
    tmp_path: Path, body: str
) -> None:
    """What a process wrote before the power went may not be on the disk."""
    _sysctl(tmp_path, body)
    assert partials._boot() is None
    before = partials._place()
    assert before == partials._place()
    partials._place.cache_clear()
    assert partials._place() != before


@pytest.mark.usefixtures("_mac")
def test_without_proc_a_process_that_runs_keeps_what_is_its_own(tmp_path: Path) -> None:
    """Its number is all that can be asked for."""
    _sysctl(tmp_path, "echo 11-22")
    folder = tmp_path / "partials"
    path = own_by(folder, f"{partials._place()}-{os.getpid()}-0")
    with claimed(folder, "key", time.time()) as partial:
        assert partial.size == 0
    assert path.exists()
