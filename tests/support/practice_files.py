"""Practice files that all processes of a run share: each is written once, and all go in the end."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from zoo.practice.files import write_published
from zoo.registry.records import Layout


@contextmanager
def shared_by_the_run(base: Path, worker: str | None) -> Iterator[Path]:
    """Give a folder that all processes of a run see, deleted by the last that leaves it.

    Args:
        base: The process' own folder for temporary files.
        worker: Its name among the workers of the run; ``None`` where it is the only process.
    """
    folder = (base.parent if worker else base) / "practice"
    users, own = folder / "users", worker or "alone"
    lock = FileLock(f"{folder}.lock")
    with lock:
        users.mkdir(parents=True, exist_ok=True)
        (users / own).touch()
    yield folder
    with lock:
        (users / own).unlink()
        if not list(users.iterdir()):
            shutil.rmtree(folder)


class PracticeFiles:
    """Published practice files in a folder, written when they are first asked for.

    All eleven Theano files together are 2.19e9 bytes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, name: str, form: Layout = "th") -> Path:
        """Return the file, which stays as long as the run."""
        path = self._folder / f"{name}_{form}.h5"
        with FileLock(f"{path}.lock"):
            if not path.exists():
                part = path.with_suffix(".part")
                write_published(name, part, form)
                part.rename(path)
        return path
