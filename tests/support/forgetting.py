"""What Keras holds of models that nobody needs any longer."""

from __future__ import annotations

import gc
import resource
from pathlib import Path

import keras

_ENOUGH = 1 << 30
"""Bytes that a process may have grown by before its garbage is looked for, which takes long."""
_STATM = Path("/proc/self/statm")
_last = [0]


def forget() -> None:
    """Let Keras count its names and numbers anew; free what models left behind where that is much."""
    keras.utils.clear_session(free_memory=False)
    if _resident() - _last[0] > _ENOUGH:
        gc.collect()
        _last[0] = _resident()


def _resident() -> int:
    """Return the memory of this process in bytes; its highest where no more is told."""
    if _STATM.exists():
        return int(_STATM.read_text("ascii").split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
