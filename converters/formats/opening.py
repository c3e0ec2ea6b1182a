"""Opening a file of any format that is read."""

from __future__ import annotations

import os
from pathlib import Path

from converters.boundary import guarded
from converters.formats.table import FORMATS
from converters.hdf5.reader import open_hdf5, open_regular
from converters.hdf5.source import Source, Stamp
from converters.limits import Limits

HEAD = 4096
"""How many bytes of a file tell its format."""
# Imported here and not when a file is open: no other file is opened while one is read.
_READERS = tuple(dict.fromkeys(found.load() for found in FORMATS.values() if found.reads))
_PLAIN = tuple(dict.fromkeys(found.load() for found in FORMATS.values() if found.plain and found.reads))


def open_untrusted(
    path: str | os.PathLike[str], *, limits: Limits | None = None, known: Stamp | None = None
) -> Source:
    """Open a weights file for reading, or say plainly why it is none or breaks which rule.

    Args:
        path: A file of one of :data:`converters.formats.table.FORMATS`.
        limits: Caps; by default those of the environment.
        known: What was found when the file was opened before; if it is still the same HDF5 file, unchanged
            since, its metadata is not read again.

    Returns:
        The open file, read-only; close it, or use it as a context manager.

    Raises:
        FileFormatError: If there is no such file, or it is of no format that is read, or it is cut short or
            damaged, or anything in it breaks a rule.
    """
    file, caps = Path(path), limits or Limits.from_environment()
    stream = open_regular(file)
    try:
        head = os.pread(stream.fileno(), HEAD, 0)
        for reader in _READERS:
            if reader.recognise(head):
                with guarded(file, limits=caps):
                    source: Source = reader.read(file, stream, caps, known)
                return source
        return open_hdf5(file, stream, limits=caps, known=known)  # which says what it is instead
    except BaseException:
        stream.close()
        raise


def is_plain(head: bytes) -> bool:
    """Return whether a file that begins so (:data:`HEAD` bytes) is a container of plain arrays."""
    return any(module.recognise(head) for module in _PLAIN)
