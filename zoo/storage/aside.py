"""Folders for files on their way: removed in the end, and swept after a process that was killed."""

from __future__ import annotations

import functools
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from converters.writing.files import age_of, is_over, whose

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
        if found is None or not path.is_dir():
            continue
        if is_over(int(found["process"]), found["where"], functools.partial(age_of, path)):
            shutil.rmtree(path, ignore_errors=True)  # another process is at it, or it is somebody else's
