"""Unpacking compressed or chunked values in another process, where a crash or a hang costs nothing.

The HDF5 library never runs on an untrusted file in the user's process. It runs in a child that can open no
file at all (the one it reads is handed to it open), may take only so much memory and time, writes nothing,
and hands back bytes of a number that is known beforehand. What it says is an answer or a refusal; what it
does otherwise (crash, loop, die) becomes a refusal too.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters.hdf5.metadata import DatasetInfo
from converters.limits import Limits, printable

if TYPE_CHECKING:
    import subprocess

ANSWER, REFUSAL = b"+", b"-"
HEAD = struct.Struct("<cQ")
_LONGEST_REFUSAL = 2000
# The child has the parent's search path and nothing of its own start-up files, user's site or environment.
_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from converters.hdf5.sandbox_child import main; main(json.loads(sys.argv[2]))"
)
# One thread is enough and keeps memory low; plug-ins of the HDF5 library are not looked for.
_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "HDF5_PLUGIN_PRELOAD": "::",
    "HDF5_PLUGIN_PATH": os.devnull,
    "HDF5_USE_FILE_LOCKING": "FALSE",
}
# Where libraries are found that do not come with h5py, as on clusters: needed before anything untrusted is.
_KEPT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


class SandboxError(Exception):
    """Why a block could not be decompressed, in words that follow the dataset's name."""


class Sandbox:
    """A process that decompresses blocks of one file's datasets; started when the first is asked for."""

    def __init__(
        self,
        handle: int,
        start: int,
        size: int,
        limits: Limits,
        *,
        program: str = _PROGRAM,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take an open file.

        Args:
            handle: File descriptor.
            start: Where the file begins; more than 0 within an archive.
            size: Its bytes.
            limits: Caps; ``seconds`` for each block, ``memory_bytes`` and ``ratio`` are watched here.
            program: What the child runs.
            clock: What time it is, in seconds.
        """
        self._file = {"handle": handle, "start": start, "size": size}
        self._limits = limits
        self._program = program
        self._clock = clock
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def rows(self, dataset: DatasetInfo, begin: int, end: int) -> bytes:
        """Return the bytes of some rows (positions on the first axis) of a dataset; all of a scalar.

        Raises:
            SandboxError: If the child refuses, or crashes, or takes too long.
        """
        count = dataset.nbytes
        if dataset.shape and dataset.shape[0]:
            count = count // dataset.shape[0] * (end - begin)
        request = {
            "path": dataset.path,
            "shape": dataset.shape,
            "dtype": dataset.type.code,
            "chunks": dataset.chunks,
            "filters": [step.id for step in dataset.filters],
            "begin": begin,
            "end": end,
        }
        with self._lock:
            try:
                return self._ask(json.dumps(request).encode() + b"\n", count)
            except SandboxError:
                self.close()
                raise

    def close(self) -> None:
        """End the child."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()
            child.wait()

    def _ask(self, request: bytes, count: int) -> bytes:
        if self._child is None:
            self._child = self._started()
        child = self._child
        if child.stdin is None or child.stdout is None:
            raise SandboxError("cannot be decompressed: the process that does has no pipes")
        end = self._clock() + self._limits.seconds
        try:
            child.stdin.write(request)
            child.stdin.flush()
        except BrokenPipeError:
            raise SandboxError(self._death(child)) from None
        word, length = HEAD.unpack(self._receive(child, HEAD.size, end))
        if word == REFUSAL:
            text = self._receive(child, min(length, _LONGEST_REFUSAL), end).decode("utf-8", "replace")
            raise SandboxError(f"cannot be read ({printable(text)})")
        if word != ANSWER or length != count:
            raise SandboxError(f"cannot be read ({length} bytes came where {count} were due)")
        return self._receive(child, count, end)

    def _started(self) -> subprocess.Popen[bytes]:
        # Imported here because most files are read without a child.
        import subprocess

        settings: dict[str, Any] = {
            **self._file,
            "seconds": self._limits.seconds,
            "memory": self._limits.memory_bytes,
            "ratio": self._limits.ratio,
        }
        path = [str(Path(entry).absolute()) for entry in sys.path]
        command = [sys.executable, "-E", "-s", "-S", "-B", "-c", self._program, json.dumps(path)]
        return subprocess.Popen(
            [*command, json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=(self._file["handle"],),
            cwd="/",
            env=_ENVIRONMENT | {name: os.environ[name] for name in _KEPT if name in os.environ},
        )

    def _receive(self, child: subprocess.Popen[bytes], count: int, end: float) -> bytes:
        """Return bytes from the child, all of them before the time is over."""
        import select

        assert child.stdout is not None
        handle, data = child.stdout.fileno(), bytearray()
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        while len(data) < count:
            left = end - self._clock()
            if left <= 0 or not poll.poll(left * 1000):
                raise SandboxError(f"takes longer than {self._limits.seconds:g} s to read (limit seconds)")
            piece = os.read(handle, min(count - len(data), 1 << 20))
            if not piece:
                raise SandboxError(self._death(child))
            data += piece
        return bytes(data)

    def _death(self, child: subprocess.Popen[bytes]) -> str:
        code = child.wait()
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return f"cannot be read (the process that decompresses it {how})"
