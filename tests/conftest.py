"""What every test stands on: a cache of its own, no network but loopback, practice files written once."""

from __future__ import annotations

import functools
import gc
import os
import sys
import typing
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.command import Command
from tests.support.guard import loopback_only
from tests.support.practice_files import PracticeFiles, shared_by_the_run
from zoo.registry import compiled

# Before anything imports TensorFlow: no chatter, and the processor alone: tolerances are set to its rounding.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
# Channels-first convolutions need oneDNN on a processor, which TensorFlow leaves off on some of them.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
if "PYTEST_XDIST_WORKER" in os.environ:  # there is a process for each core already
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

# TensorFlow asks of everything whether it is a tensor, by a protocol whose attributes Python 3.11
# looks up anew each time: a fifth of drawing a network. Later ones keep them.
if sys.version_info < (3, 12):
    typing._get_protocol_attrs = functools.cache(typing._get_protocol_attrs)

# How long a test takes, and what it is given, says how busy the machine is, not what is wrong.
if find_spec("hypothesis"):  # environments of few libraries have no property tests
    import hypothesis

    hypothesis.settings.register_profile(
        "without clocks", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
    )
    hypothesis.settings.load_profile("without clocks")

# No compiled registry in a cache: that of whichever test first reads the registry would get one.
compiled.WORTH_BYTES = 1 << 40

PracticeFile = Callable[..., Path]


_LONGEST = (
    "zoo/networks/",
    "zoo/finetuning/",
    "zoo/surgery/",
    "zoo/practice/",
    "test_examples.py",
    "torture/",
)
"""What takes longest, below the folder of the tests: begun first, to end with short ones."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first; the order is the same in all processes of a run."""
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    path = item.path.relative_to(Path(__file__).parent).as_posix()
    ranks = [rank for rank, start in enumerate(_LONGEST) if path.startswith(start)]
    return ranks[0] if ranks else len(_LONGEST)


def pytest_collection_finish() -> None:
    """Let garbage be looked for among what tests make alone.

    What was imported is a million objects, and Keras has all of them looked through when it forgets a model.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test an empty cache and the shipped registry alone, and patience to none."""
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "zoo-home"))
    monkeypatch.setenv("ZOO_PLUGINS", "0")
    for name in ("ZOO_REGISTRY", "ZOO_SHARED", "ZOO_MIRROR", "ZOO_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ZOO_RETRY_SECONDS", "0")  # nothing is waited for, unless a test says so


@pytest.fixture(autouse=True, scope="session")
def _loopback_only() -> Iterator[None]:
    """Keep every test on this machine."""
    with loopback_only():
        yield


@pytest.fixture(autouse=True, scope="session")
def _no_power_cuts() -> Iterator[None]:
    """Let nothing wait for the disk, which is for power cuts alone; what is no open file is still refused."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: os.fstat(handle) and None)
        yield


@pytest.fixture
def zoo(capsys: pytest.CaptureFixture[str]) -> Command:
    """Return the command line, run in this process."""
    return Command(capsys)


@pytest.fixture(scope="module")
def s3() -> Iterator[None]:
    """Serve buckets on loopback, and let addresses that begin with ``s3://`` lead there."""
    from tests.support.buckets import bucket_server  # environments of few libraries have no such server

    with bucket_server():
        yield


@pytest.fixture(scope="session")
def practice_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PracticeFile]:
    """Return ``practice_file(name, form="th")``: the path of a published practice file, to be read only.

    Each is written once in a run, by the first of its processes that asks.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    with shared_by_the_run(tmp_path_factory.getbasetemp(), worker) as folder:
        yield PracticeFiles(folder)
