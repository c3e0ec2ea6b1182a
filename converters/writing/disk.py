"""Waiting for the disk, so that what was written is still there after a power cut."""

from __future__ import annotations

import errno
import fcntl
import os

_REFUSED = (errno.ENOTSUP, errno.EINVAL, errno.ENOTTY)
"""How file systems that know nothing of it, networked ones among them, answer ``F_FULLFSYNC``."""
_PIECE = 1 << 20


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
