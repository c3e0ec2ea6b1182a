"""Folders for files on their way: removed in the end, and swept after a process that was killed."""

from __future__ import annotations

import functools
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from converters.writing.files import is_left, whose

_FOLDER = re.compile(r"zoo-(?P<process>[1-9][0-9]{0,8})-(?P<where>[0-9a-f]{8})-.+")


@contextmanager
def passing_folder() -> Iterator[Path]:
    """Give an empty folder, for as long as it is needed, where temporary files lie (``TMPDIR``)."""
    sweep(tempfile.gettempdir())
    with tempfile.TemporaryDirectory(prefix=f"zoo-{whose()}-") as folder:
        yield Path(folder)


@functools.lru_cache(1)
def sweep(folder: str) -> None:
    """Remove what processes that were killed have left of such folders; once in a process."""
    for path in Path(folder).iterdir():
        found = _FOLDER.fullmatch(path.name)
        if found and path.is_dir() and is_left(path, int(found["process"]), found["where"]):
            shutil.rmtree(path, ignore_errors=True)  # another process is at it, or it is somebody else's
