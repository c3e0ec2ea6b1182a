"""How long the command line takes before it does anything."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from benchmarks.timing import Comparison, alternate

PEER = (sys.executable, "-c", "import yaml, rich.table")


def compare() -> Iterator[Comparison]:
    """Compare ``zoo list`` with importing the two libraries that it cannot do without."""
    zoo_list = (sys.executable, "-m", "zoo", "list")
    yield alternate("zoo list / python -c 'import yaml, rich.table'", zoo_list, PEER, rounds=20, at_most=1.8)
