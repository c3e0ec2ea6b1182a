"""A new file that appears whole or not at all.

It is written under a temporary name in its own folder and gets its name only when it is on the disk. What was
under that name before stays until then, and what the file is made of is never written to.
"""

from __future__ import annotations

import functools
import hashlib
import mmap
import os
import re
import threading
import time
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from converters.arrays.mapped import stretches
from converters.arrays.moves import Values
from converters.errors import ConversionError
from converters.writing.disk import UNFINISHED, reserve, wait_for_disk

_IN_MEMORY = 1 << 24
"""Bytes up to which a scratch array lies in memory rather than in a file."""
_SUFFIX = ".part"
_TEMPORARY = re.compile(rf"\.(?P<name>.+){UNFINISHED}")
_ABANDONED = 24 * 60 * 60
"""Seconds after which a file is no longer written to; those that are made grow all the time."""
_PAUSE = 0.25
"""Seconds between one flush and the next: a small file is done before the first."""


@contextmanager
def new_file(source: Path, target: Path, *, force: bool = False) -> Iterator[Path]:
    """Reserve a temporary name beside a new file; at the end it is synced and gets its real name.

    If anything is raised, what is under the temporary name is removed.

    Args:
        source: What the new file is made of.
        target: The new file.
        force: Replace a file that has this name.

    Raises:
        ConversionError: If the target must not or cannot be written.
    """
    check_target(source, target, force=force)
    with _temporary(target) as temporary:
        try:
            with _flushing(temporary):
                yield temporary
            sync(temporary)
        except (OSError, RuntimeError, KeyError, ValueError) as error:
            raise ConversionError(f"{target}: cannot be written ({reason_of(error)})") from error
        check_target(source, target, force=force)
        temporary.replace(target)
        sync(target.parent)


def reason_of(error: Exception) -> str:
    """Return why a file could not be written, in one line.

    HDF5 tells what the system said with its own file, time and addresses, over several lines.
    """
    text, number = str(error), getattr(error, "errno", None)
    if "\n" not in text:
        return text
    return f"[Errno {number}] {os.strerror(number)}" if number else text.partition("\n")[0]


def check_target(source: Path, target: Path, *, force: bool) -> None:
    """Raise unless a new file may be written.

    Raises:
        ConversionError: If its folder is missing, or it is there already, or it is the source itself.
    """
    if not target.parent.is_dir():
        raise ConversionError(f"{target}: the folder {target.parent} does not exist")
    if target.exists() and source.exists() and target.samefile(source):
        raise ConversionError(f"{target}: is the source itself, which is never written to; give another name")
    if target.is_dir():
        raise ConversionError(f"{target}: is a folder; give the name of a file")
    if target.exists() and not target.is_file():
        raise ConversionError(f"{target}: is a device or a pipe, no file; give the name of a file")
    if os.path.lexists(target) and not force:
        raise ConversionError(f"{target}: exists already; use --force (force=True) to replace it")


def remove_leftovers(target: Path, process: int) -> None:
    """Remove what a process that was killed had written of a new file.

    Args:
        target: The new file.
        process: The process's number.
    """
    start = _start(target, process)
    for path in target.parent.iterdir():
        if path.name.startswith(start) and path.name.endswith(_SUFFIX):
            path.unlink(missing_ok=True)


def sweep(targets: Iterable[Path]) -> None:
    """Remove what processes of this machine that were killed had written of new files.

    What a process of another machine has left, or of one whose processes are not seen from here, is removed a
    day after it was last written to.

    Args:
        targets: The new files.
    """
    for folder, names in by_folder(str(target) for target in targets).items():
        for path in Path(folder).iterdir() if Path(folder).is_dir() else ():
            if is_left(path.name, names, functools.partial(age_of, path)):
                path.unlink(missing_ok=True)


def by_folder(paths: Iterable[str]) -> dict[str, set[str]]:
    """Return the names of files by the folders that they are in."""
    found: dict[str, set[str]] = {}
    for path in paths:
        folder, _, name = path.replace(os.sep, "/").rpartition("/")
        found.setdefault(folder, set()).add(name)
    return found


def is_left(name: str, of: Collection[str], age: Callable[[], float]) -> bool:
    """Tell whether a file is a temporary one of one of some new files, to which nobody writes any more.

    Args:
        name: Its name.
        of: The names of the new files.
        age: Returns how many seconds ago it was written to; only asked where that decides.
    """
    found = _TEMPORARY.fullmatch(name)
    return bool(found and found["name"] in of and is_over(int(found["process"]), found["where"], age))


def is_over(process: int, where: str | None, age: Callable[[], float]) -> bool:
    """Tell whether a process is no more that has made something for the time being.

    Args:
        process: Its number.
        where: What tells among which processes that number means one; None if nothing does.
        age: Returns how many seconds ago it did anything with that; asked of a process of another machine.
    """
    return not _runs(process) if where == _where() else age() > _ABANDONED


def age_of(path: Path) -> float:
    """Return how many seconds ago a file or a folder was written to; 0 if it is gone."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def temporary_name(name: str) -> str:
    """Return under what name this process writes a new file; nobody else does."""
    return f".{name}.{whose()}-{os.urandom(4).hex()}{_SUFFIX}"


def _runs(process: int) -> bool:
    if os.name != "posix":  # elsewhere asking would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def whose() -> str:
    """Return what names this process in the name of what it makes for the time being."""
    return f"{os.getpid()}-{_where()}"


@functools.cache
def _where() -> str:
    """Return what tells among which processes a number means one: those of this machine, or its container."""
    try:
        inner = str(Path("/proc/self/ns/pid").readlink())
    except OSError:  # no Linux
        inner = ""
    node = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
    return f"{zlib.crc32(f'{node} {inner}'.encode()):08x}"


def sync(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        wait_for_disk(handle)
    finally:
        os.close(handle)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex.

    Args:
        path: The file; it is mapped and not held.
    """
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        for block in stretches(stream.fileno(), 0, os.fstat(stream.fileno()).st_size):
            digest.update(block)
    return digest.hexdigest()


def read_only_bytes(path: Path) -> Values:
    """Map a file that is not empty for reading."""
    with path.open("rb") as stream:
        return np.frombuffer(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ), dtype="u1")


def scratch(count: int, folder: Path) -> Values:
    """Return so many bytes to work in: in memory if few, otherwise in a file without a name.

    Args:
        count: How many bytes.
        folder: Where the file lies while it is used.
    """
    if count <= _IN_MEMORY:
        return np.empty(count, dtype="u1")
    import tempfile  # only now: it brings along a good part of the standard library

    with tempfile.TemporaryFile(dir=folder) as file:
        reserve(file.fileno(), count)
        return np.frombuffer(mmap.mmap(file.fileno(), count), dtype="u1")


@contextmanager
def _flushing(path: Path) -> Iterator[None]:
    """Have the disk write a file while it is being made, so that there is less to wait for at the end.

    Raises:
        OSError: At the end, if the disk failed: it tells that once, and not whoever syncs the file later.
    """
    handle, finished = os.open(path, os.O_RDONLY), threading.Event()
    failures: list[OSError] = []

    def flush() -> None:
        while not failures and not finished.wait(_PAUSE):
            try:
                os.fsync(handle)
            except OSError as error:
                failures.append(error)

    thread = threading.Thread(target=flush, daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()
        os.close(handle)
    if failures:
        raise failures[0]


@contextmanager
def _temporary(target: Path) -> Iterator[Path]:
    path = target.with_name(temporary_name(target.name))
    try:
        path.touch(exist_ok=False)
    except OSError as error:
        raise ConversionError(f"{target}: cannot be written ({error.strerror})") from error
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _start(target: Path, process: int) -> str:
    return f".{target.name}.{process}-"
