"""Photographs in files: ``zoo features`` and ``zoo finetune``, beside what Keras has for a folder of them.

All are whole processes, from the start to what they write. Both sides run the same network with the same
weights, practice values in a file of the published form; Keras reads the folder with
``image_dataset_from_directory``, cropped and resized as it does that. ``ZOO_PHOTOS`` says how many of them
there are.

Each runs once: with 2,000 photographs any of them takes over a minute on two cores. So do two of the peer's
epochs of ``fit``, which are measured; each further one, of the same batches and the same graph, is taken to
last as long as the second. The group takes ten minutes.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from benchmarks.timing import Comparison, Run, comparison, run, take_turns

NETWORK = "resnet50"
PICTURES = int(os.environ.get("ZOO_PHOTOS", "2000"))
SIZE = (500, 375)  # pixels, width and height
SIDE = 224  # pixels, what the network takes
CHECKED = 32
EPOCHS = 10
MEASURED = 2  # of the peer's epochs

_READ = """
import sys
import keras, numpy as np, zoo
folder, weights, out = sys.argv[1:]
def read(**options):
    return keras.utils.image_dataset_from_directory(
        folder, image_size=(224, 224), batch_size=32, crop_to_aspect_ratio=True, verbose=False, **options
    )
"""
_PREDICT = f"""{_READ}
model = zoo.load("{NETWORK}", weights=weights, num_classes=0, pooling="avg", include_preprocessing=True)
np.savez(out, features=model.predict(read(labels=None, shuffle=False), verbose=0))
"""
_FIT = f"""import time
start = time.perf_counter()
{_READ}
class Clock(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.begun = time.perf_counter()
    def on_epoch_end(self, epoch, logs=None):
        self.seconds = time.perf_counter() - self.begun
clock = Clock()
train, valid = read(validation_split=0.2, subset="both", seed=0)
model = zoo.load("{NETWORK}", weights=weights, num_classes=2, freeze="backbone", include_preprocessing=True)
model.fit(train, validation_data=valid, epochs={MEASURED}, verbose=0, callbacks=[clock])
model.save(out + ".keras")
print(time.perf_counter() - start + {EPOCHS - MEASURED} * clock.seconds)
"""


def compare() -> Iterator[Comparison]:
    """Compare the features, then the strategies that train on them, with Keras' way."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from zoo.practice.files import write_published

    with TemporaryDirectory() as name:
        folder = Path(name)
        photos, weights = folder / "photos", folder / "weights.h5"
        write_photos(photos, PICTURES)
        write_published(NETWORK, weights)
        yield from _features(folder, photos, weights)
        yield from _strategies(folder, photos, weights)


def write_photos(folder: Path, count: int) -> None:
    """Write JPEG files of two classes: colours that flow into each other, and fine grain on them."""
    draw = np.random.default_rng(0)
    for number in range(count):
        coarse, fine = (draw.integers(0, 256, size, np.uint8) for size in ((12, 16, 3), (94, 125, 3)))
        layers = [Image.fromarray(values).resize(SIZE, Image.Resampling.BICUBIC) for values in (coarse, fine)]
        path = folder / ("even", "odd")[number % 2] / f"{number:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.blend(*layers, 0.2).save(path, quality=90)


def _features(folder: Path, photos: Path, weights: Path) -> Iterator[Comparison]:
    out = folder / "features.npz"
    ours = ("features", NETWORK, photos, "--weights", weights, "--out")
    ways = {
        "fused": partial(_zoo, folder, *ours, out, "--fused"),
        "zoo": partial(_zoo, folder, *ours, folder / "unfused.npz"),
        "keras": partial(_python, _PREDICT, photos, weights, folder / "others.npz"),
    }
    runs = take_turns(ways, rounds=1, uncounted=0)
    peer = "image_dataset_from_directory and predict"
    what = f"of {PICTURES:,} photographs, {NETWORK}"
    yield comparison(f"zoo features --fused {what} / {peer}", runs["fused"], runs["keras"], 1 / 1.3)
    yield comparison(f"zoo features {what} / {peer}", runs["zoo"], runs["keras"])
    yield _alike(out, weights)


def _alike(out: Path, weights: Path) -> Comparison:
    """Compare features with what the network predicts from equal pixels."""
    import zoo
    from zoo.networks.fitting import Frame
    from zoo.networks.images import read_picture

    model = zoo.load(NETWORK, weights=weights, num_classes=0, pooling="avg", include_preprocessing=True)
    with np.load(out) as found:
        files, features = found["files"][:CHECKED], found["features"][:CHECKED]
    frame = Frame(height=SIDE, width=SIDE)
    pixels = np.stack([frame.of(read_picture(file)) for file in files])
    expected = model.predict(pixels, verbose=0)
    furthest = float(np.abs(features - expected).max())
    return Comparison(
        claim="deviation of the fused features from predict on the same pixels / 1e-5 of the largest",
        ours=(1e5 * furthest,),
        theirs=(float(np.abs(expected).max()),),
        at_most=1.0,
        unit="e-5",
    )


def _strategies(folder: Path, photos: Path, weights: Path) -> Iterator[Comparison]:
    def strategy(name: str) -> Run:
        shutil.rmtree(folder / "run", ignore_errors=True)
        training = ("--epochs", EPOCHS, "--patience", EPOCHS) if name == "head" else ()
        given = ("--strategy", name, "--weights", weights, "--out", folder / "run", *training)
        return _zoo(folder, "finetune", NETWORK, photos, *given)

    ways = {name: partial(strategy, name) for name in ("head", "svm")}
    ways["keras"] = partial(_python, _FIT, photos, weights, folder / "model", told=True)
    runs = take_turns(ways, rounds=1, uncounted=0)
    for name in ("head", "svm"):
        claim = f"zoo finetune --strategy {name}, {PICTURES:,} photographs, {NETWORK}"
        peer = f"{EPOCHS} epochs of fit with a frozen backbone, {MEASURED} of them measured"
        yield comparison(f"{claim} / {peer}", runs[name], runs["keras"], 1 / 3)


def _zoo(folder: Path, *arguments: object) -> Run:
    """Run the command with an empty cache, so that no features of before are found."""
    home = folder / "home"
    shutil.rmtree(home, ignore_errors=True)
    return run(("env", f"ZOO_HOME={home}", sys.executable, "-m", "zoo", *map(str, arguments)))


def _python(program: str, *arguments: Path, told: bool = False) -> Run:
    return run((sys.executable, "-c", program, *map(str, arguments)), told=told)
