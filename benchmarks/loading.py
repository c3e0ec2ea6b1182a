"""``zoo.load`` with the weights in the cache, beside ``keras.applications`` and as many bytes.

Each measurement is a fresh process that imports Keras first. The peer builds the network and reads a file
that ``save_weights`` wrote. The values are practice values in files of the published form.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.timing import Comparison, alternate, last_number

ROUNDS = 3
CLAIMS = {
    "vgg16": ("VGG16", 0.5),
    "resnet101": ("ResNet101", 0.45),
    "densenet169": ("DenseNet169", 0.45),
    "inception_v3": ("InceptionV3", 0.75),
}
"""The peer's name for a network, and the ratio that is claimed."""

_OURS = """
import sys, time
import keras
start = time.perf_counter()
import zoo
zoo.load(sys.argv[1], compile=False)
print(time.perf_counter() - start)
"""

_THEIRS = """
import sys, time
import keras
start = time.perf_counter()
model = getattr(keras.applications, sys.argv[1])(weights=None)
model.load_weights(sys.argv[2])
print(time.perf_counter() - start)
"""

_SAVE = """
import sys
import keras
model = getattr(keras.applications, sys.argv[1])(weights=None)
model.save_weights(sys.argv[2])
print(0)
"""

# The most anonymous memory while loading, above what there is with Keras imported, in millions of bytes.
_MEMORY = """
import sys, threading
import keras

def anonymous():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon:"))

before, peak, done = anonymous(), 0, threading.Event()

def watch():
    global peak
    while not done.wait(0.002):
        peak = max(peak, anonymous())

watcher = threading.Thread(target=watch)
watcher.start()
import zoo
model = zoo.load(sys.argv[1], compile=False)
done.set()
watcher.join()
print((max(peak, anonymous()) - before) / 1e6)
"""


def compare() -> Iterator[Comparison]:
    """Compare times, and the memory with what is claimed for it."""
    with TemporaryDirectory() as folder, cached(Path(folder)):
        for name, (peer, at_most) in CLAIMS.items():
            saved = str(Path(folder) / "peer.weights.h5")
            last_number((sys.executable, "-c", _SAVE, peer, saved))
            ours = (sys.executable, "-c", _OURS, name)
            theirs = (sys.executable, "-c", _THEIRS, peer, saved)
            claim = f"zoo.load({name!r}) / keras.applications.{peer} and load_weights"
            yield alternate(claim, ours, theirs, rounds=ROUNDS, at_most=at_most, told=True)
            yield _memory(name)


def _memory(name: str) -> Comparison:
    from zoo.registry import architecture

    structure = architecture(name).default_graph.structures[0]
    from converters.planning.structures import load_structure

    allowed = 1.3 * 4e-6 * load_structure(structure).parameters + 100
    peak = last_number((sys.executable, "-c", _MEMORY, name))
    claim = f"anonymous memory of zoo.load({name!r}) at its peak / 1.3 times the weights and 100 MB"
    return Comparison(claim=claim, ours=(peak,), theirs=(allowed,), at_most=1.0, unit="MB")


@contextmanager
def cached(folder: Path) -> Iterator[None]:
    """Put practice files into a cache of their own, and let this process and its children use that."""
    from zoo import practice
    from zoo.fetching.fetcher import fetch

    before = {name: os.environ.get(name) for name in ("ZOO_HOME", "ZOO_REGISTRY", "TF_CPP_MIN_LOG_LEVEL")}
    os.environ |= {"ZOO_HOME": str(folder / "home"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    catalogues = []
    for name in CLAIMS:
        catalogues.append(str(practice.build(folder / name, [name], ("tf",))))
        os.environ["ZOO_REGISTRY"] = catalogues[-1]
        (written,) = (folder / name).glob("**/*.h5")
        fetch(name, from_file=written)
        written.unlink()
    os.environ["ZOO_REGISTRY"] = os.pathsep.join(catalogues)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
