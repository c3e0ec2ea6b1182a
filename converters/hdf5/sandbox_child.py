"""What runs in the child of :mod:`converters.hdf5.sandbox`: HDF5's library on a file nobody vouches for.

The limits are set before the library sees the file. After that no file can be opened, whatever the file says.
"""

from __future__ import annotations

import io
import json
import os
import resource
import sys
from pathlib import Path
from typing import Any, TypeAlias

import h5py
import numpy as np
from h5py import h5d, h5s

from converters.hdf5.sandbox import ANSWER, HEAD, REFUSAL

# Shuffle and fletcher32: steps that do not make a chunk smaller.
_NO_RATIO = frozenset({2, 3})
Buffer: TypeAlias = bytearray | memoryview


class _Window(io.RawIOBase):
    """A part of an open file, as a file of its own for the library; nothing is opened for it."""

    def __init__(self, handle: int, start: int, size: int) -> None:
        self._handle = handle
        self._start = start
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Buffer) -> int:  # type: ignore[override]
        view = memoryview(buffer).cast("B")
        data = os.pread(self._handle, max(min(len(view), self._size - self._at), 0), self._start + self._at)
        view[: len(data)] = data
        self._at += len(data)
        return len(data)


def main(settings: dict[str, Any]) -> None:
    """Answer requests, one line of JSON each, until there are no more.

    Args:
        settings: The open file and the limits, as :class:`converters.hdf5.sandbox.Sandbox` sends them.
    """
    answers = os.fdopen(os.dup(1), "wb")
    base = _lock_down()
    file: h5py.File | None = None
    for line in sys.stdin.buffer:
        request = json.loads(line)
        _grant(request, settings, base)
        try:
            if file is None:
                file = h5py.File(_Window(settings["handle"], settings["start"], settings["size"]), "r")
            data = _rows(file, request, settings["ratio"])
            answers.write(HEAD.pack(ANSWER, len(data)))
            answers.write(data)
        except (OSError, RuntimeError, ValueError, LookupError, TypeError, MemoryError) as error:
            text = " ".join(str(error).split()).encode() or type(error).__name__.encode()
            answers.write(HEAD.pack(REFUSAL, len(text)) + text)
        answers.flush()
    # Closing a damaged file can crash as reading it can; there is nothing to be tidied up.
    os._exit(0)


def _lock_down() -> int:
    """Let no file be opened or written from here on; return the address space in use, in bytes."""
    statm = Path("/proc/self/statm")
    pages = int(statm.read_text().split()[0]) if statm.exists() else 0
    for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
        resource.setrlimit(kind, (0, 0))
    return pages * resource.getpagesize()


def _grant(request: dict[str, Any], settings: dict[str, Any], base: int) -> None:
    """Allow the memory and the processor time that one block may take, and no more."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime + settings["seconds"]) + 1
    _limit(resource.RLIMIT_CPU, seconds)
    if base:
        item = int(request["dtype"][2:])
        chunk = int(np.prod(request["chunks"], dtype=object)) * item
        block = int(np.prod(request["shape"][1:], dtype=object)) * item * (request["end"] - request["begin"])
        memory = base + settings["memory"] + 3 * chunk + 2 * block
        _limit(resource.RLIMIT_AS, memory)


def _limit(kind: int, amount: int) -> None:
    """Set a limit that the next block may have raised, or the most that this process may have at all."""
    _, most = resource.getrlimit(kind)
    resource.setrlimit(kind, (amount if most == resource.RLIM_INFINITY else min(amount, most), most))


def _rows(file: h5py.File, request: dict[str, Any], ratio: int) -> bytes:
    dataset = h5d.open(file.id, request["path"].encode())
    _check(dataset, request, ratio)
    space, shape = dataset.get_space(), tuple(request["shape"])
    begin = (request["begin"], *[0] * (len(shape) - 1))
    count = (request["end"] - request["begin"], *shape[1:])
    space.select_hyperslab(begin, count)
    values = np.empty(count, dtype=dataset.dtype)
    dataset.read(h5s.create_simple(count), space, values)
    return values.tobytes()


def _check(dataset: h5d.DatasetID, request: dict[str, Any], ratio: int) -> None:
    """Raise unless the library sees the dataset that was described, and it stores what it declares.

    Raises:
        ValueError: With what differs.
    """
    plist = dataset.get_create_plist()
    if plist.get_layout() != h5d.CHUNKED:
        raise ValueError("it is not chunked, as it was described")
    steps = [plist.get_filter(number)[0] for number in range(plist.get_nfilters())]
    # The library takes truth values for numbers with names.
    kind = np.dtype("i1") if dataset.dtype == bool else dataset.dtype
    seen = [list(dataset.shape), kind.str, list(plist.get_chunk()), steps]
    told = [request["shape"], np.dtype(request["dtype"]).str, request["chunks"], request["filters"]]
    if seen != told:
        raise ValueError("it is not what it was described as")
    nbytes = int(np.prod(dataset.shape, dtype=object)) * dataset.dtype.itemsize
    stored = dataset.get_storage_size()
    most = stored * (ratio if set(steps) - _NO_RATIO else 1)
    if nbytes > most:
        raise ValueError(f"it declares {nbytes} bytes and stores {stored}, which is too few (limit ratio)")
