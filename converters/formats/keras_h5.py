"""The HDF5 files of every version of Keras as a format; which one wrote a file, its groups and names tell.

The writer is only imported when a file is written: it needs h5py, and reading does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import IO

from converters.formats.archive import first_member
from converters.formats.contents import Contents, Extents
from converters.hdf5.reader import Hdf5Source, is_hdf5, open_hdf5
from converters.hdf5.source import Stamp
from converters.limits import Limits


def recognise(head: bytes) -> bool:
    """Return whether a file begins as HDF5 does, and is no archive of such a file."""
    return is_hdf5(head) and first_member(head) is None


def read(path: Path, stream: IO[bytes], limits: Limits, known: Stamp | None) -> Hdf5Source:
    """Read the metadata of an open file; see :func:`converters.hdf5.reader.open_hdf5`."""
    return open_hdf5(path, stream, limits=limits, known=known)


def create(contents: Contents, path: Path, texts: Mapping[str, str]) -> Extents:
    """Make the new file; see :func:`converters.formats.keras_h5_writer.create`."""
    from converters.formats import keras_h5_writer

    return keras_h5_writer.create(contents, path, texts)


def finish(contents: Contents, path: Path, record: Mapping[str, str]) -> None:
    """Write the record; see :func:`converters.formats.keras_h5_writer.finish`."""
    from converters.formats import keras_h5_writer

    keras_h5_writer.finish(contents, path, record)
