"""``python -m benchmarks``: run every benchmark and print one line for each claim."""

from __future__ import annotations

from benchmarks import conversion, download, start_up


def main() -> None:
    """Run the benchmarks one after another; nothing else should be running."""
    for benchmark in (start_up, download, conversion):
        for comparison in benchmark.compare():
            print(comparison)


main()
