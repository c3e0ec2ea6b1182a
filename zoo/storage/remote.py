"""Files elsewhere: whatever fsspec reaches by a URL, in a bucket (``s3://``, ``gs://``) or by ``https://``."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zoo.errors import ArgumentError, CacheError, DataError
from zoo.extras import how_to_install


def is_remote(place: object) -> bool:
    """Tell whether a file or folder is named by a URL."""
    return isinstance(place, str) and "://" in place


def filesystem(place: str) -> tuple[Any, str]:
    """Return fsspec's file system that a URL is of, and the path there.

    Raises:
        ArgumentError: Nothing that is installed can reach it.
    """
    try:
        from fsspec.core import url_to_fs

        system, path = url_to_fs(place)
    except (ImportError, ValueError) as error:
        advice = f"{how_to_install('mirror')} brings s3://"
        raise ArgumentError(f"{place}: cannot be reached: {error}; {advice}") from error
    return system, path


def storage_errors() -> tuple[type[BaseException], ...]:
    """Return what the libraries behind fsspec raise: OSError, and what botocore has of its own."""
    botocore: Any = sys.modules.get("botocore.exceptions")
    own = (botocore.BotoCoreError, botocore.ClientError) if botocore else ()
    return (OSError, *own)


@contextmanager
def asking(place: str) -> Iterator[None]:
    """Turn what the libraries behind fsspec say into one clear line.

    Raises:
        FileNotFoundError: There is no such file.
        CacheError: In place of their other errors.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except storage_errors() as error:
        raise CacheError(f"{place}: cannot be read: {str(error) or type(error).__name__}") from error


@contextmanager
def brought(place: str) -> Iterator[Path]:
    """Give a local file, under the name that a URL ends in, for as long as it is needed; a path is one.

    Raises:
        ArgumentError: Nothing that is installed can reach it.
        DataError: There is no such file.
        CacheError: It cannot be read.
    """
    if not is_remote(place):
        yield Path(place)
        return
    system, path = filesystem(place)
    with tempfile.TemporaryDirectory(prefix="zoo-") as folder:
        local = Path(folder) / (os.path.basename(path) or "file")  # noqa: PTH119 - of a URL
        try:
            with asking(place):
                system.get_file(path, str(local))
        except FileNotFoundError as error:
            raise DataError(f"{place}: there is no such file") from error
        yield local


def files_below(place: str) -> Iterator[tuple[str, str, str]]:
    """Yield the visible files below a folder that is named by a URL, in the order of their names.

    Yields:
        The URL of each, its name within the folder, and what changes when it does.

    Raises:
        DataError: There is no such folder.
        CacheError: It cannot be listed.
    """
    system, root = filesystem(place.rstrip("/"))
    with _listing(place):
        for folder, folders, files in system.walk(root, detail=True):
            for name in [name for name in folders if name.startswith(".")]:
                del folders[name]
            inner = str(folder).removeprefix(root).strip("/")
            for name in sorted(name for name in files if name and not name.startswith(".")):
                within = f"{inner}/{name}" if inner else name
                yield f"{place.rstrip('/')}/{within}", within, _state(files[name])


@contextmanager
def _listing(place: str) -> Iterator[None]:
    try:
        with asking(place):
            yield
    except FileNotFoundError as error:
        raise DataError(f"{place}: there is no such folder") from error


def _state(facts: dict[str, Any]) -> str:
    told = (facts.get(key) for key in ("ETag", "etag", "size", "LastModified", "mtime", "updated"))
    return " ".join(str(one) for one in told if one is not None)
