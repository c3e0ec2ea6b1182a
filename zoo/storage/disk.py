"""Writing small files so that nobody ever sees half of one, and telling plainly why a folder cannot be used.

Nothing here relies on locks: a file is written under a name of its own and appears under its final name in
one step, by rename or by hard link. Both are atomic on network file systems too, where locks may do nothing.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo.errors import CacheError

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
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace(path: Path, data: bytes) -> None:
    """Write a file, in place of the one that may be there; readers see the old one or the new one.

    Raises:
        OSError: It cannot be written; the old one stays.
    """
    with _temporary(path, data) as temporary:
        temporary.replace(path)
    sync_folder(path.parent)


def create(path: Path, data: bytes) -> bool:
    """Write a file unless there is one; of several who try at once exactly one succeeds.

    On a file system without hard links the last one does.

    Returns:
        Whether it was written.

    Raises:
        OSError: It cannot be written.
    """
    with _temporary(path, data) as temporary:
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
def _temporary(path: Path, data: bytes) -> Iterator[Path]:
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(8)}.part")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
