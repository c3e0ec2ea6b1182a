"""Several things at once: in order, no more than allowed, and ended by a Ctrl-C."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from zoo.cli import jobs
from zoo.cli.jobs import Stoppable, Stopped, run_jobs
from zoo.progress.protocol import Silence


def test_results_come_in_the_order_of_the_tasks() -> None:
    """Whichever is done first."""
    second_done = threading.Event()

    def first() -> int:
        assert second_done.wait(10)
        return 1

    def second() -> int:
        second_done.set()
        return 2

    assert [future.result() for future in run_jobs([first, second], 2, threading.Event())] == [1, 2]


@pytest.mark.parametrize("count", [1, 3])
def test_no_more_than_allowed_at_once(count: int) -> None:
    """As many as allowed meet, one more never does."""
    guard, running, most = threading.Lock(), 0, 0
    meeting = threading.Barrier(count, timeout=10)

    def task() -> None:
        nonlocal running, most
        with guard:
            running += 1
            most = max(most, running)
        meeting.wait()
        with guard:
            running -= 1

    run_jobs([task] * (2 * count), count, threading.Event())
    assert most == count


def test_an_error_is_kept_for_whoever_asks() -> None:
    """It ends neither the thread nor the other tasks."""

    def divide(by: int) -> float:
        return 1 / by

    failed, fine = run_jobs([partial(divide, 0), partial(divide, 1)], 1, threading.Event())
    assert isinstance(failed.exception(), ZeroDivisionError)
    assert fine.result() == 1.0


def test_ctrl_c_ends_what_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each thread stops where it reports on its progress, and what was not begun never is."""
    stop, begun, ended, another = (threading.Event() for _ in range(4))
    join = threading.Thread.join

    def interrupt(self: threading.Thread, timeout: float | None = None) -> None:
        if timeout is None:
            assert begun.wait(10)
            raise KeyboardInterrupt
        join(self, timeout)

    def download() -> None:
        progress = Stoppable(Silence(), stop)
        progress.start(1, "fetching")
        begun.set()
        assert stop.wait(10)
        try:
            progress.advance(1)
        finally:
            ended.set()

    monkeypatch.setattr(jobs.Thread, "join", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_jobs([download, another.set], 1, stop)
    assert ended.is_set()
    assert not another.is_set()


def test_a_stopped_progress_says_so_at_each_step() -> None:
    """Whatever a thread tells next; that a step is over can still be told."""
    stop = threading.Event()
    progress = Stoppable(Silence(), stop)
    progress.start(1, "fetching")
    stop.set()
    with pytest.raises(Stopped):
        progress.advance(1)
    with pytest.raises(Stopped):
        progress.start(1, "converting")
    progress.done()
