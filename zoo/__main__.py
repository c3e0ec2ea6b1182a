"""``zoo`` and ``python -m zoo``: the command line, in a process of its own."""

from __future__ import annotations

import gc
import sys
from typing import Final

OBJECTS: Final = 10_000
"""New objects after which garbage is looked for; Python's own 700 make it look hundreds of times as a command
starts, through all that was imported by then, which stays."""


def main() -> int:
    """Run the command of the process's arguments and return its exit code."""
    gc.set_threshold(OBJECTS)
    from zoo.cli import main as command

    try:
        return command()
    finally:
        # As it ends, the interpreter looks for garbage among the objects of all modules, which takes a tenth
        # of what it took to import them; nobody waits for what it would find.
        gc.freeze()


if __name__ == "__main__":
    sys.exit(main())
