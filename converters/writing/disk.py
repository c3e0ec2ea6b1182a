"""Waiting for the disk, so that what was written is still there after a power cut."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress

_REFUSED = (errno.ENOTSUP, errno.EINVAL, errno.ENOTTY)
"""How file systems that know nothing of it, networked ones among them, answer ``F_FULLFSYNC``."""
_PIECE = 1 << 20
UNFINISHED = r"\.(?P<process>[1-9][0-9]{0,8})(?:-(?P<where>[0-9a-f]{8}))?-[0-9a-f]{8}\.part"
"""How the name of a file ends that is being written: the process, where that number means one, and chance; in
0.1.0 it was not said where."""


def wait_for_disk(handle: int) -> None:
    """Wait until the disk has an open file's content, or an open folder's names.

    On macOS fsync leaves them in the drive's own cache, which a power cut empties; there F_FULLFSYNC is what
    waits for the disk (see fsync(2) of macOS).

    Raises:
        OSError: The disk does not take them.
    """
    all_the_way = getattr(fcntl, "F_FULLFSYNC", None)
    if all_the_way is not None:
        try:
            fcntl.fcntl(handle, all_the_way)
        except OSError as error:
            if error.errno not in _REFUSED:
                raise
        else:
            return
    os.fsync(handle)


def begin_writing(handle: int, start: int, count: int) -> None:
    """Have the disk begin with some bytes of an open file, and do not wait for it.

    Linux lets what was written lie in memory until much of it waits (``vm.dirty_background_ratio``, a tenth
    of it all) or half a minute has passed, so whoever waits for the disk at the end waits for all of it. To
    say that bytes are not needed starts the writing; only what the disk had before leaves memory
    (mm/fadvise.c of Linux, ``generic_fadvise``). Where there is no such call, the disk begins later.

    Args:
        handle: The file.
        start: The first of the bytes.
        count: How many.
    """
    advise = getattr(os, "posix_fadvise", None)
    if advise is not None:
        with suppress(OSError):  # it is an advice: a file system that takes none loses nothing
            advise(handle, start, count, os.POSIX_FADV_DONTNEED)


def reserve(handle: int, count: int) -> None:
    """Make an open file so many bytes long, all zero, with room on the disk for every one of them.

    A file that is only said to be that long has holes: writing into one through a map ends the process if the
    disk is full by then.

    Raises:
        OSError: The disk has not as much room.
    """
    allocate = getattr(os, "posix_fallocate", None)
    if allocate is not None:
        allocate(handle, 0, count)
        return
    zeros, written = bytes(min(count, _PIECE)), 0
    while written < count:
        written += os.pwrite(handle, zeros[: count - written], written)
