"""What every test stands on: a cache of its own, no network but loopback, practice files written once."""

from __future__ import annotations

import os
import shutil
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.command import Command
from tests.support.guard import loopback_only
from zoo.practice.files import write_published
from zoo.registry.records import Layout

# Before anything imports TensorFlow: no chatter, and the processor alone: tolerances are set to its rounding.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
# Channels-first convolutions need oneDNN on a processor, which TensorFlow leaves off on some of them.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

PracticeFile = Callable[..., Path]

# All eleven Theano files together are 2.19e9 bytes.
_DISK_LIMIT = 2_300_000_000


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test an empty cache and the shipped registry alone, and patience to none."""
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "zoo-home"))
    for name in ("ZOO_REGISTRY", "ZOO_SHARED", "ZOO_MIRROR", "ZOO_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ZOO_RETRY_SECONDS", "0")  # nothing is waited for, unless a test says so


@pytest.fixture(autouse=True, scope="session")
def _loopback_only() -> Iterator[None]:
    """Keep every test on this machine."""
    with loopback_only():
        yield


@pytest.fixture
def zoo(capsys: pytest.CaptureFixture[str]) -> Command:
    """Return the command line, run in this process."""
    return Command(capsys)


class _PracticeFiles:
    """Practice files on disk, the least recently asked for deleted when they take too much room."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths: OrderedDict[tuple[str, Layout], Path] = OrderedDict()

    def __call__(self, name: str, form: Layout = "th") -> Path:
        """Return the file, written now if it is not there; stays until a later call needs the room."""
        key = (name, form)
        if key not in self._paths:
            path = self._folder / f"{name}_{form}.h5"
            write_published(name, path, form)
            self._paths[key] = path
        self._paths.move_to_end(key)
        self._make_room()
        return self._paths[key]

    def _make_room(self) -> None:
        while len(self._paths) > 1 and self._bytes() > _DISK_LIMIT:
            _, oldest = self._paths.popitem(last=False)
            oldest.unlink()

    def _bytes(self) -> int:
        return sum(path.stat().st_size for path in self._paths.values())


@pytest.fixture(scope="session")
def practice_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PracticeFile]:
    """Return ``practice_file(name, form="th")``: the path of a published practice file, to be read only.

    Ask for the path in each test anew: an older file may have been deleted to make room.
    """
    folder = tmp_path_factory.mktemp("practice")
    yield _PracticeFiles(folder)
    shutil.rmtree(folder)
