"""What is named runs tasks, and a process that is killed costs what it was doing and nothing else."""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from types import SimpleNamespace

import pytest

from tests.support.tasks import doubled, killed_always, killed_once
from zoo.errors import ArgumentError
from zoo.work.engines import ENGINES, engine
from zoo.work.processes import ATTEMPTS, WorkerError
from zoo.work.tasks import EngineError, outcomes


@pytest.mark.parametrize("cluster", ["", "local", "local:0", "local:two", "local:-1", "local:٣"])
def test_a_number_of_processes_is_said_as_it_should_be(cluster):
    """The message says how."""
    with pytest.raises(ArgumentError, match=r"must be local:N"), engine(cluster):
        pass


@pytest.mark.parametrize("cluster", ["ssh://host", "dask", "mpi:4", "LOCAL:2"])
def test_an_unknown_engine_is_refused(cluster):
    """With all that there are."""
    if cluster.partition(":")[0] in ENGINES:
        return
    with pytest.raises(ArgumentError) as caught, engine(cluster):
        pass
    expected = "must be local:N, dask://HOST:PORT or tls://HOST:PORT"
    assert str(caught.value) == f"cluster {cluster!r}: {expected}"


@pytest.mark.parametrize("cluster", ["dask://127.0.0.1:1", "tls://127.0.0.1:1"])
def test_dask_that_is_missing_is_named_with_what_brings_it(cluster, monkeypatch):
    """As for any extra; the cluster by the name that it was given."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ArgumentError) as caught, engine(cluster):
        pass
    assert str(caught.value) == (
        f"cluster {cluster!r}: Dask is missing; pip install 'distributed>=2024.8' brings it"
    )


def test_a_scheduler_that_does_not_answer_is_called_what_the_user_calls_it(monkeypatch):
    """In what Dask says of it, too."""

    def refused(address, **_):
        raise OSError(f"Timed out trying to connect to {address} after 30 s")

    monkeypatch.setitem(sys.modules, "distributed", SimpleNamespace(Client=refused))
    with pytest.raises(ArgumentError) as caught, engine("dask://host:8786"):
        pass
    said = "Timed out trying to connect to dask://host:8786 after 30 s"
    assert str(caught.value) == (
        f"cluster 'dask://host:8786': no Dask scheduler answers there ({said}); "
        "start one with `dask scheduler`"
    )


def test_processes_survive_what_kills_one(tmp_path):
    """It is run again elsewhere; what never ends well is given up; all others are as if nothing had been."""
    once, always = str(tmp_path / "once"), tmp_path / "always"
    with engine("local:2") as executor:
        again, never = executor.submit(killed_once, once), executor.submit(killed_always, str(always))
        numbers = [executor.submit(doubled, number) for number in range(8)]
        assert again.result() == "killed once"
        assert [one.result() for one in numbers] == [2 * number for number in range(8)]
        with pytest.raises(WorkerError, match=f"its process was killed {ATTEMPTS} times"):
            never.result()
    assert always.read_text("utf-8") == "x" * ATTEMPTS


def test_each_task_comes_with_what_became_of_it():
    """One that raises is alone in that."""
    with ThreadPoolExecutor(2) as executor:
        found = dict(outcomes(executor, doubled, range(20)))
    assert repr(found.pop(13)) == "ValueError('13 is refused')"
    assert found == {number: 2 * number for number in range(20) if number != 13}


def test_tasks_are_drawn_as_they_are_done():
    """However many there are, the executor has so many and no more."""
    drawn = []

    def endless():
        for number in range(10**9):
            drawn.append(number)
            yield number

    with ThreadPoolExecutor(2) as executor:
        results = outcomes(executor, abs, endless(), ahead=3)
        for count in range(1, 6):
            next(results)
            assert len(drawn) <= count + 3
        results.close()


def test_a_pool_that_broke_is_told_as_such(tmp_path):
    """A user's own pool cannot be made anew; what is done is kept."""
    with ProcessPoolExecutor(1, mp_context=get_context("forkserver")) as executor:
        for _ in range(2):  # what it was given, and what it is given afterwards
            with pytest.raises(EngineError) as caught:
                list(outcomes(executor, killed_always, [str(tmp_path / "trace")]))
            assert str(caught.value).startswith("the executor takes no more tasks (")
            assert str(caught.value).endswith("); what is done is kept: do the same again")


def test_what_is_not_needed_any_more_is_not_begun(tmp_path):
    """Who stops asking leaves the executor nothing to do."""
    with ThreadPoolExecutor(1) as executor:
        results = outcomes(executor, doubled, range(1000), ahead=100)
        next(results)
        results.close()
        assert executor.submit(doubled, 4).result() == 8
