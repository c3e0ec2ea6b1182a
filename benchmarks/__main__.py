"""``python -m benchmarks [NAME ...]``: run benchmarks, all by default, and print one line for each claim."""

from __future__ import annotations

import sys
from importlib import import_module

from benchmarks import (
    conversion,
    download,
    features,
    loading,
    registry,
    start_up,
    strategies,
    training,
    upgrade,
)

BENCHMARKS = {
    "start_up": start_up,
    "registry": registry,
    "download": download,
    "conversion": conversion,
    "upgrade": upgrade,
    "loading": loading,
    "training": training,
    "features": features,
    "strategies": strategies,
}
"""What there is to run, by the name to ask for it; what has an environment of its own runs by name alone."""


def main() -> None:
    """Run the benchmarks one after another; nothing else should be running."""
    for name in sys.argv[1:] or BENCHMARKS:
        module = BENCHMARKS.get(name) or import_module(f"benchmarks.{name}")
        for line in module.compare():
            print(line, flush=True)


main()
