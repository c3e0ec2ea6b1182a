"""Writing small files so that nobody ever sees half of one, and telling plainly why a folder cannot be used.

Nothing here relies on locks: a file is written under a name of its own and appears under its final name in
one step, by rename or by hard link. Both are atomic on network file systems too, where locks may do nothing.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from converters.writing.disk import wait_for_disk
from zoo.errors import CacheError
from zoo.registry.digests import pieces

HOME_ADVICE = "ZOO_HOME names the folder to use"

_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES)
"""How file systems without hard links refuse one."""


@contextmanager
def writing(path: Path, advice: str = HOME_ADVICE) -> Iterator[None]:
    """Turn what the operating system says into one clear line.

    Args:
        path: What is being written.
        advice: What to do when that fails.

    Raises:
        CacheError: In place of any OSError.
    """
    try:
        yield
    except OSError as error:
        raise CacheError(f"{path}: cannot be written: {error.strerror or error}; {advice}") from error


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what the operating system says into one clear line.

    Args:
        path: What is being read.

    Raises:
        CacheError: In place of any OSError.
    """
    try:
        yield
    except OSError as error:
        raise CacheError(f"{path}: cannot be read: {error.strerror or error}") from error


def make_folder(folder: Path) -> None:
    """Make a folder, with all above it, so that it is still there after a power cut.

    Raises:
        OSError: It cannot be made.
    """
    missing = [one for one in (folder, *folder.parents) if not one.is_dir()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in reversed(missing):
        sync_folder(made.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the disk knows the names in a folder.

    Raises:
        OSError: The disk does not take them.
    """
    _sync(folder)


def sync_file(path: Path) -> None:
    """Wait until the disk has a file's content.

    Raises:
        OSError: The disk does not take it.
    """
    _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        wait_for_disk(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: Path, temporary: Path | None = None) -> Iterator[Path]:
    """Give the name to write a file under; at the end it is synced and gets its own, in place of what has it.

    Whatever is raised, the file that was there stays, and nothing is left under the other name.

    Args:
        path: The file; its folder is made if it is missing.
        temporary: The other name, in the same folder, where no two can write at once and what a process that
            was killed leaves is to be written over; by default one that nobody else has.

    Raises:
        OSError: It cannot be written.
    """
    with _aside(path, temporary) as name:
        yield name
        sync_file(name)
        name.replace(path)
    sync_folder(path.parent)


def replace(path: Path, data: bytes) -> None:
    """Write a file, in place of the one that may be there; readers see the old one or the new one.

    Raises:
        OSError: It cannot be written; the old one stays.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def create(path: Path, data: bytes) -> bool:
    """Write a file unless there is one; of several who try at once exactly one succeeds.

    On a file system without hard links the last one does.

    Returns:
        Whether it was written.

    Raises:
        OSError: It cannot be written.
    """
    with _aside(path) as temporary:
        temporary.write_bytes(data)
        sync_file(temporary)
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            if path.exists():
                return False
            temporary.replace(path)
    sync_folder(path.parent)
    return True


@contextmanager
def _aside(path: Path, temporary: Path | None = None) -> Iterator[Path]:
    """Give a name beside a file's, under which nothing is left in the end.

    Raises:
        OSError: Whatever was raised; with the file's name where it told none, as of a disk that is full.
    """
    make_folder(path.parent)
    temporary = temporary or path.with_name(f".{path.name}-{os.urandom(8).hex()}.part")
    try:
        yield temporary
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def link(source: Path, target: Path) -> None:
    """Give a file another name, or where file systems have no second names, copy it.

    Raises:
        CacheError: One of the two cannot be read or written.
    """
    with writing(target):
        try:
            target.hardlink_to(source)
        except OSError as error:
            if error.errno not in (*_NO_LINKS, errno.EXDEV):
                raise
            copy(source, target, lambda piece: None)


def copy(source: Path, target: Path, note: Callable[[bytes], object]) -> None:
    """Copy a file to a name that nothing has, and wait until the disk has it.

    Args:
        source: The file.
        target: The copy.
        note: Called with each piece that was copied.

    Raises:
        OSError: One of the two cannot be read or written.
    """
    with source.open("rb") as reader, target.open("xb") as writer:
        for piece in pieces(reader.read):
            writer.write(piece)
            note(piece)
    sync_file(target)
