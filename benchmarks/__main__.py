"""``python -m benchmarks [NAME ...]``: run benchmarks, all by default, and print one line for each claim."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType

from benchmarks import (
    conversion,
    download,
    features,
    loading,
    page,
    photos,
    registry,
    stack,
    start_up,
    strategies,
    training,
    upgrade,
)
from benchmarks.places import places

BENCHMARKS = {
    "start_up": start_up,
    "registry": registry,
    "download": download,
    "conversion": conversion,
    "upgrade": upgrade,
    "loading": loading,
    "stack": stack,
    "training": training,
    "features": features,
    "photos": photos,
    "strategies": strategies,
}
"""What there is to run, by the name to ask for it; what has an environment of its own runs by name alone."""

PLACED = frozenset({"download", "conversion", "upgrade"})
"""Those whose figures depend on what they write to: run on the disk and in memory."""


def main() -> None:
    """Run the benchmarks one after another; nothing else should be running."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; default: all")
    parser.add_argument("--in", dest="folder", help="where to write; default: on the disk and in memory")
    parser.add_argument("--write", action="store_true", help="write the tables of docs/benchmarks.md")
    given = parser.parse_args()
    for name in given.names or BENCHMARKS:
        module = BENCHMARKS.get(name) or import_module(f"benchmarks.{name}")
        where = places(given.folder) if name in PLACED else {}
        results = list(_printed(module, where))
        if given.write:
            page.write(name, results, getattr(module, "COLUMNS", page.COLUMNS), where)


def _printed(module: ModuleType, where: Mapping[str, Path]) -> Iterator[page.Result]:
    """Yield what a benchmark yields, and print it at once."""
    for arguments in [(folder, place) for place, folder in where.items()] or [()]:
        for result in module.compare(*arguments):
            print(result, flush=True)
            yield result


if __name__ == "__main__":
    main()
