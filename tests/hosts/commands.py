"""``zoo`` as a process that tells, when it ends, what it changed in a folder, its first argument."""

from __future__ import annotations

import atexit
import os
import sys
from typing import Any

from zoo.cli import main

CHANGES = ("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.utime", "shutil.rmtree")
WROTE = "wrote: "


def watch(folder: str) -> list[str]:
    """Return a list that the paths in a folder are added to as they are changed."""
    changed: list[str] = []

    def hear(event: str, given: tuple[Any, ...]) -> None:
        path = str(given[0]) if given else ""
        is_write = event == "open" and isinstance(given[2], int) and given[2] & (os.O_WRONLY | os.O_RDWR)
        if path.startswith(folder) and (event in CHANGES or is_write):
            changed.append(path)

    sys.addaudithook(hear)
    return changed


if __name__ == "__main__":
    changed = watch(sys.argv[1])
    error = sys.stderr
    atexit.register(lambda: error.write(f"{WROTE}{len(changed)}\n"))
    sys.exit(main(sys.argv[2:]))
