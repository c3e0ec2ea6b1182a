"""Where the time of ``zoo.load`` goes, by layer of the stack: what is ours and what is Keras' own.

Each network is loaded in fresh processes, in which Keras is imported first. The clock is that of the
processor, so that what else runs on the machine counts less.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.loading import CLAIMS, cached

ROUNDS = 3
PARTS = {
    "imports": "importing `zoo`",
    "recognised": "metadata read and checked, conversion planned",
    "arrays": "arrays read, turned, handed to TensorFlow",
    "variables": "Keras' variables made and assigned",
    "drawn": "Keras' layers and graph drawn",
    "rest": "all else",
}
COLUMNS = ("network", *PARTS.values(), "in all")

# Inclusive times, taken by functions that stand around those whose names are given; the difference is told.
_TIMED = """
import json, sys
from time import process_time as now
import keras
start = now()
import zoo, zoo.networks.loading
from zoo.networks import loading, weights
imports, spent = now() - start, {}

def timed(owner, name, key):
    call = getattr(owner, name)
    def around(*given, **named):
        begin = now()
        try:
            return call(*given, **named)
        finally:
            spent[key] = spent.get(key, 0.0) + now() - begin
    setattr(owner, name, around)

timed(weights, "_opened", "recognised")
timed(loading, "draw", "draw")
timed(keras.Layer, "add_weight", "add_weight")
given = loading._Given.__call__
def initial(self, layer, role):
    found = given(self, layer, role)
    def measured(*shape, **options):
        begin = now()
        try:
            return found(*shape, **options)
        finally:
            spent["arrays"] = spent.get("arrays", 0.0) + now() - begin
    return measured if callable(found) else found
loading._Given.__call__ = initial
zoo.load(sys.argv[1], compile=False)
whole = now() - start
print(json.dumps({
    "imports": imports,
    "recognised": spent["recognised"],
    "arrays": spent["arrays"],
    "variables": spent["add_weight"] - spent["arrays"],
    "drawn": spent["draw"] - spent["add_weight"],
    "rest": whole - imports - spent["recognised"] - spent["draw"],
}))
"""


def compare() -> Iterator[str]:
    """Yield a row for each network: seconds of processor time, medians."""
    with TemporaryDirectory() as folder, cached(Path(folder)):
        for name in CLAIMS:
            runs = [_parts(name) for _ in range(ROUNDS + 1)][1:]
            seconds = [median(one[part] for one in runs) for part in PARTS]
            whole = median(sum(one.values()) for one in runs)
            yield f"| `{name}` | {' | '.join(f'{one:.2f}' for one in (*seconds, whole))} |"


def _parts(name: str) -> dict[str, float]:
    command = (sys.executable, "-c", _TIMED, name)
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found
