"""Where benchmarks write their files: on a disk, and in memory, where nobody waits for one."""

from __future__ import annotations

import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")
_IN_MEMORY = frozenset({"tmpfs", "ramfs"})


def places(asked: str | None) -> dict[str, Path]:
    """Return folders to write to, by what the figures say of them.

    Args:
        asked: A folder; ``None``: that of temporary files, and memory where there is such a folder.
    """
    if asked is not None:
        return {_called(Path(asked)): Path(asked)}
    usual = Path(tempfile.gettempdir())
    return {_called(usual): usual} | ({"in memory": _MEMORY} if _MEMORY.is_dir() else {})


def file_system(folder: Path) -> str:
    """Return the type of the file system that a folder lies on."""
    lines = Path("/proc/mounts").read_text("utf-8").splitlines()
    mounts = {Path(line.split()[1]): line.split()[2] for line in lines}
    above = (folder.resolve(), *folder.resolve().parents)
    return next(mounts[one] for one in above if one in mounts)


def _called(folder: Path) -> str:
    return "in memory" if file_system(folder) in _IN_MEMORY else "on the disk"
