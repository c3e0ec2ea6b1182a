"""``python -m benchmarks [NAME ...]``: run benchmarks, all by default, and print one line for each claim."""

from __future__ import annotations

import sys

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
"""What there is to run, by the name to ask for it."""


def main() -> None:
    """Run the benchmarks one after another; nothing else should be running."""
    for name in sys.argv[1:] or BENCHMARKS:
        for line in BENCHMARKS[name].compare():
            print(line, flush=True)


main()
