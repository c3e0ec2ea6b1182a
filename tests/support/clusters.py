"""A Dask scheduler and its workers on loopback, as processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.paths import ROOT

_HERE = ("--host", "127.0.0.1", "--no-dashboard")


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command of Dask's, and end it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", f"distributed.cli.{arguments[0]}", *arguments[1:]]
    with subprocess.Popen(command, env=environment) as one:
        try:
            yield one
        finally:
            one.terminate()


def waited_for(path: Path) -> None:
    """Wait until a file is there."""
    end = time.monotonic() + 60
    while not (path.exists() and path.read_text("utf-8")):
        assert time.monotonic() < end, f"{path} does not come"
        time.sleep(0.05)


@contextmanager
def dask_cluster(folder: Path) -> Iterator[str]:
    """Give the address of a scheduler with two workers of one thread, which write to a folder."""
    local = str(folder / "scratch")
    with dask_scheduler(folder / "scheduler.json") as address, ExitStack() as stack:
        for _ in range(2):
            worker = ("dask_worker", *_HERE, "--nthreads", "1", "--local-directory", local)
            stack.enter_context(running(*worker, address.replace("dask://", "tcp://")))
        yield address


@contextmanager
def dask_scheduler(told: Path) -> Iterator[str]:
    """Give the address of a scheduler without workers, which writes to a file what it is."""
    with running("dask_scheduler", *_HERE, "--port", "0", "--scheduler-file", str(told)):
        waited_for(told)
        yield json.loads(told.read_text("utf-8"))["address"].replace("tcp://", "dask://")
