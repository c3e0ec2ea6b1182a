"""Many ask for the same file: one fetches it, the others wait and get it; without locks nobody is harmed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.downloads import FakeClock, Recorder
from tests.support.world import DRIVE, RELEASE, World
from zoo.fetching.fetcher import Fetched, Fetcher
from zoo.storage import locks
from zoo.storage.locks import Lock, one_at_a_time
from zoo.storage.partials import About, claimed, progress_of_others


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Return a world whose server runs."""
    world = World(tmp_path)
    with world.server:
        yield world


def without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every lock be granted at once, as on a file system that has none."""
    monkeypatch.setattr(Lock, "take", lambda lock: True)
    monkeypatch.setattr(Lock, "release", lambda lock: None)


def at_once(count: int, work: Callable[[], Fetched]) -> list[Fetched]:
    """Do the same in so many threads at once; every one must succeed."""
    start, found = threading.Barrier(count), []

    def run() -> None:
        start.wait()
        found.append(work())

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == count
    return found


@pytest.mark.parametrize("backend", ["th", "tf"])
def test_of_many_threads_one_fetches(world: World, backend: str) -> None:
    """Eight threads, one download and one conversion; all get the same path."""
    network = world.network(world.published("th", DRIVE))
    found = at_once(8, lambda: Fetcher(world.cache).resolve(network, backend=backend))
    assert len({one.path for one in found}) == 1
    assert world.asked() == ["/uc"]
    assert found[0].converted == (backend == "tf")
    assert [name for name in world.kept() if "~" in name] == []


@pytest.mark.parametrize("backend", ["th", "tf"])
def test_without_locks_all_get_the_right_file(
    world: World, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    """They may fetch it several times; the file is whole, and no partial is left."""
    without_locks(monkeypatch)
    network = world.network(world.published("th", DRIVE))
    found = at_once(8, lambda: Fetcher(world.cache).resolve(network, backend=backend))
    assert len({one.path for one in found}) == 1
    if backend == "th":
        assert found[0].path.read_bytes() == world.th.read_bytes()
    assert 1 <= len(world.asked()) <= 8
    assert [name for name in world.kept() if "~" in name] == []
    assert world.resolve(world.published("th", DRIVE), backend=backend).path == found[0].path


def test_who_waits_sees_how_far_the_other_is(tmp_path: Path) -> None:
    """The other's partial grows; when it lets go the wait is over."""
    recorder, clock = Recorder(), FakeClock()
    lock = Lock(tmp_path / "it.lock")
    assert lock.take()
    with claimed(tmp_path, "it-0123456789ab", 0.0) as partial:
        partial.begin(About(url="https://a.example/x"))

        def go_on() -> None:
            with partial.data.open("ab") as file:
                file.write(b"12345")
            if len(clock.waits) == 3:
                lock.release()

        clock.on_sleep = go_on
        with one_at_a_time(
            tmp_path / "it.lock",
            clock=clock,
            progress=recorder,
            what="fetching it",
            total=20,
            so_far=lambda: progress_of_others(tmp_path, "it"),
        ):
            recorder.events.append(("mine",))
    assert recorder.events == [
        ("start", 20, "waiting for another process: fetching it"),
        *[("advance", 5)] * 3,
        ("done",),
        ("mine",),
    ]
    assert clock.waits == [locks.POLL_S] * 3


def test_who_need_not_wait_says_nothing(tmp_path: Path) -> None:
    """A free lock is no step."""
    recorder = Recorder()
    for _ in range(2):
        with one_at_a_time(
            tmp_path / "new" / "it.lock",
            clock=FakeClock(),
            progress=recorder,
            what="",
            total=None,
            so_far=lambda: 0,
        ):
            pass
    assert recorder.events == []


@pytest.mark.parametrize("error", [OSError(38, "Function not implemented"), NotImplementedError()])
def test_a_file_system_without_locks_is_no_obstacle(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """The lock is refused, the file comes."""

    def refuse(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    assert world.resolve(world.published("tf", RELEASE)).path.read_bytes() == world.tf.read_bytes()


def test_who_waited_for_a_failure_tries_for_itself(world: World) -> None:
    """The first one's source fails, then it is well: the second one gets the file."""
    failed: list[int] = []

    def once(server, request, answer):
        if request.host == "content" and not failed:
            failed.append(1)
            return type(answer)(status=500, headers={"Content-Length": "0"})
        return answer

    world.server.fault = once
    network = world.network(world.published("tf", RELEASE))
    results: list[object] = []

    def run() -> None:
        try:
            results.append(Fetcher(world.cache).resolve(network).path.read_bytes())
        except Exception as error:
            results.append(type(error).__name__)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, results)) == sorted([str(world.tf.read_bytes()), "NoSourceError"])
