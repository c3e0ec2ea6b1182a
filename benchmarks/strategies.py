"""What each strategy reaches from the command line on the offline stand-in: the README's table.

Practice values and handwritten digits: the figures show that every strategy learns, and how long it takes,
not what published weights reach on photographs.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from zoo.finetuning.schedule import STRATEGIES

AT_MOST = 120.0  # seconds
COLUMNS = ("strategy", "accuracy", "seconds", "aim")


def compare() -> Iterator[str]:
    """Run each strategy once."""
    with TemporaryDirectory() as folder:
        stand_in = (sys.executable, "-m", "zoo.practice.stand_in", folder)
        printed = _output(stand_in, Path(folder))
        *command, _, _ = shlex.split(printed)
        for strategy in STRATEGIES:
            yield _row(strategy, command, Path(folder))


def _row(strategy: str, command: Sequence[str], folder: Path) -> str:
    out = folder / f"run-{strategy}"
    start = time.perf_counter()
    result = json.loads(
        _output((sys.executable, "-m", *command, "--strategy", strategy, "--out", str(out), "--json"), folder)
    )
    seconds = time.perf_counter() - start
    missed = "" if seconds <= AT_MOST else ", missed"
    return f"| `{strategy}` | {result['accuracy']:.1%} | {seconds:.0f} | {AT_MOST:.0f}{missed} |"


def _output(command: Sequence[str], home: Path) -> str:
    environment = os.environ | {"ZOO_HOME": str(home / "home"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return done.stdout
