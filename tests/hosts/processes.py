"""Processes that train together on loopback, started and stopped by the tests."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tests.support.paths import ROOT

SECONDS = 300
"""After which a test gives up on a process."""
QUICKLY_COMPILED = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
"""The networks are small: to compile them well takes longer than they run."""


LOUD = "TF_CPP_MIN_LOG_LEVEL"
"""Who sets it hears what frameworks write about themselves, as the other tests do."""
SHARED: dict[str, str] = {}
"""What the environment of all processes has besides."""


@dataclass(frozen=True)
class Ended:
    """What came of a process."""

    code: int
    out: str
    err: str


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def environment() -> dict[str, str]:
    """Return the environment of a process: Keras on JAX, as pytest was started with it."""
    others = {name: value for name, value in os.environ.items() if name != LOUD}
    return {**others, "XLA_FLAGS": QUICKLY_COMPILED, "PYTHONPATH": str(ROOT), **SHARED}


@contextmanager
def started(commands: Sequence[Sequence[str]]) -> Iterator[list[subprocess.Popen[str]]]:
    """Start processes; whichever are left at the end are killed."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    running = [
        subprocess.Popen([sys.executable, *command], cwd=ROOT, env=environment(), **pipes)
        for command in commands
    ]
    try:
        yield running
    finally:
        for process in running:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.communicate()


def ended(process: subprocess.Popen[str], *, seconds: float = SECONDS) -> Ended:
    """Wait for a process; one that takes too long is an error."""
    out, err = process.communicate(timeout=seconds)
    return Ended(process.returncode, out, err)


def run(commands: Sequence[Sequence[str]]) -> list[Ended]:
    """Start processes, and wait for all of them."""
    with started(commands) as running:
        return [ended(process) for process in running]


def together(command: Sequence[str], count: int = 2) -> list[list[str]]:
    """Return a command as each process of a group is given it, on a coordinator of its own."""
    where = ["--coordinator", f"127.0.0.1:{free_port()}", "--processes", str(count)]
    return [[*command, *where, "--process", str(number)] for number in range(count)]
