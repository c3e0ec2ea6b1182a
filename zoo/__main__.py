"""``zoo`` and ``python -m zoo``: the command line, in a process of its own."""

from __future__ import annotations

import gc
import sys

from zoo.cli import main as command


def main() -> int:
    """Run the command of the process's arguments and return its exit code."""
    try:
        return command()
    finally:
        # As it ends, the interpreter looks for garbage among the objects of all modules, which takes a tenth of
        # what it took to import them; nobody waits for what it would find.
        gc.freeze()


if __name__ == "__main__":
    sys.exit(main())
