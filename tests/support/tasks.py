"""Tasks that processes of their own can be given: functions at the top of a module."""

from __future__ import annotations

import os
import signal
from pathlib import Path


def doubled(number: int) -> int:
    """Return twice a number; 13 is refused."""
    if number == 13:
        raise ValueError("13 is refused")
    return 2 * number


def killed_once(trace: str) -> str:
    """Kill this process unless that was done before, and return what the file then says."""
    path = Path(trace)
    if not path.exists():
        path.write_text("killed once", "utf-8")
        os.kill(os.getpid(), signal.SIGKILL)
    return path.read_text("utf-8")


def killed_always(trace: str) -> None:
    """Leave a mark and kill this process."""
    with Path(trace).open("a", encoding="utf-8") as file:
        file.write("x")
    os.kill(os.getpid(), signal.SIGKILL)
