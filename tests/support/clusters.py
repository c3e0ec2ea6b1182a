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
    told, local = folder / "scheduler.json", str(folder / "scratch")
    here = ("--host", "127.0.0.1", "--no-dashboard")
    with ExitStack() as stack:
        stack.enter_context(running("dask_scheduler", *here, "--port", "0", "--scheduler-file", str(told)))
        waited_for(told)
        for _ in range(2):
            worker = ("dask_worker", *here, "--nthreads", "1", "--local-directory", local)
            stack.enter_context(running(*worker, "--scheduler-file", str(told)))
        yield json.loads(told.read_text("utf-8"))["address"].replace("tcp://", "dask://")
