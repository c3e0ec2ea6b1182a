"""How long it takes to upgrade a whole model of 553 MB, beside copying the file and opening it in tf-keras.

The file is VGG-16 as Keras 1 saved it on Theano: channels first, so that every kernel is rotated and
transposed on the way. tf-keras does not open models of Keras 1, so it opens the same network as Keras 2 saved
it, with as many bytes. All are whole processes, and what writes a file is followed by a sync of it. Once on
the disk that temporary files lie on, and once in memory, where nobody waits for a disk.

tf-keras is taken from the environment that ``make test-tf-keras`` sets up, or that of the Python which
``ZOO_TF_KERAS`` names; without either, that comparison is left out and said to be.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from benchmarks.timing import Comparison, Run, comparison, run, take_turns

ROUNDS = 3
BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""VGG-16: the filters of each block and its number of convolutions."""
_OPENING = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tf_keras
tf_keras.models.load_model(sys.argv[1], compile=False)
"""


def compare(parent: Path, place: str) -> Iterator[Comparison | str]:
    """Compare upgrades with ``cp`` and with tf-keras.

    Args:
        parent: Folder to write to.
        place: What the figures say of it.
    """
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        yield from _compared(Path(folder), place)


def _compared(folder: Path, place: str) -> Iterator[Comparison | str]:
    old, newer, new = folder / "keras1.h5", folder / "keras2.h5", folder / "new.keras"
    write_vgg(old, keras1=True)
    write_vgg(newer, keras1=False)
    python = _tf_keras()
    ways = {
        "cp": partial(_shell, f"cp {old} {new} && sync {new}", new),
        "zoo": partial(_shell, f"{_zoo(old, new)} && sync {new}", new),
        "zoo, Keras 2": partial(_shell, f"{_zoo(newer, new)} && sync {new}", new),
        "zoo, not verified": partial(_shell, f"{_zoo(old, new)} --no-verify && sync {new}", new),
    }
    if python is not None:
        ways["tf-keras"] = partial(run, [str(python), "-c", _OPENING, str(newer)])
    runs = take_turns(ways, rounds=ROUNDS)
    # In memory a copy takes less than a Python that imports NumPy: that ratio is told, not claimed.
    limit = 3.0 if place != "in memory" else None
    yield comparison(f"zoo upgrade VGG-16, {place} / cp", runs["zoo"], runs["cp"], limit)
    yield comparison(f"zoo upgrade --no-verify VGG-16, {place} / cp", runs["zoo, not verified"], runs["cp"])
    yield comparison(f"zoo upgrade VGG-16 of Keras 2, {place} / cp", runs["zoo, Keras 2"], runs["cp"], limit)
    if python is None:
        yield f"zoo upgrade VGG-16, {place} / opening it in tf-keras: not run, there is no tf-keras"
        return
    claim = f"{place} / opening that of Keras 2 in tf-keras"
    yield comparison(f"zoo upgrade VGG-16 of Keras 1, {claim}", runs["zoo"], runs["tf-keras"], 0.2)
    yield comparison(f"zoo upgrade VGG-16 of Keras 2, {claim}", runs["zoo, Keras 2"], runs["tf-keras"], 0.2)


def _tf_keras() -> Path | None:
    """Return a Python that has tf-keras."""
    said = os.environ.get("ZOO_TF_KERAS")
    python = Path(said) if said else Path(".venv-tf-keras/bin/python")
    return python if python.exists() else None


def _zoo(old: Path, new: Path) -> str:
    return f"{sys.executable} -m zoo upgrade {old} {new}"


def _shell(command: str, new: Path) -> Run:
    new.unlink(missing_ok=True)
    return run(["sh", "-c", command])


def write_vgg(path: Path, *, keras1: bool) -> None:
    """Write VGG-16 as a whole model, without Keras, with values that are drawn by a rule.

    Args:
        path: The file.
        keras1: Whether as Keras 1.2.2 saved it on Theano, channels first; else as Keras 2.2.4 did on
            TensorFlow.
    """
    block = np.random.default_rng(16).standard_normal(1 << 22, dtype="f4") * np.float32(0.01)
    layers = list(_layers(keras1=keras1))
    entries = [{"class_name": name, "config": settings} for name, settings, _ in layers]
    config = {
        "class_name": "Sequential",
        "config": entries if keras1 else {"name": "vgg16", "layers": entries},
    }
    said = {"keras_version": "1.2.2" if keras1 else "2.2.4", "model_config": json.dumps(config)}
    with h5py.File(path, "w") as file:
        for name, text in (said if keras1 else {**said, "backend": "tensorflow"}).items():
            file.attrs[name] = np.bytes_(text.encode())
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [settings["name"].encode() for _, settings, _ in layers]
        for _, settings, shapes in layers:
            _fill(weights.create_group(settings["name"]), shapes, block)
    os.sync()


def _fill(group: h5py.Group, shapes: Mapping[str, tuple[int, ...]], block: np.ndarray) -> None:
    group.attrs["weight_names"] = [name.encode() for name in shapes]
    for name, shape in shapes.items():
        group.create_dataset(name, data=np.resize(block, shape))


def _layers(*, keras1: bool) -> Iterator[tuple[str, dict[str, Any], dict[str, tuple[int, ...]]]]:
    """Yield class, settings and arrays of each layer."""
    channels, number = 3, 0
    for filters, count in BLOCKS:
        for _ in range(count):
            number += 1
            yield _convolution(f"conv_{number}", channels, filters, keras1=keras1)
            channels = filters
        order = {"dim_ordering": "th", "border_mode": "valid"}
        newer = {"data_format": "channels_last", "padding": "valid"}
        size = {"pool_size": [2, 2], "strides": [2, 2]}
        yield "MaxPooling2D", {"name": f"pool_{number}", **size, **(order if keras1 else newer)}, {}
    yield "Flatten", {"name": "flatten"}, {}
    for name, inputs, units, activation in (
        ("fc1", 25088, 4096, "relu"),
        ("fc2", 4096, 4096, "relu"),
        ("predictions", 4096, 1000, "softmax"),
    ):
        size = {"output_dim": units, "bias": True} if keras1 else {"units": units, "use_bias": True}
        arrays = _arrays(name, (inputs, units), units, keras1=keras1)
        yield "Dense", {"name": name, "activation": activation, **size}, arrays


def _convolution(
    name: str, channels: int, filters: int, *, keras1: bool
) -> tuple[str, dict[str, Any], dict[str, tuple[int, ...]]]:
    settings: dict[str, Any] = {"name": name, "activation": "relu"}
    if keras1:
        settings |= {"nb_filter": filters, "nb_row": 3, "nb_col": 3, "border_mode": "same", "bias": True}
        settings |= {"subsample": [1, 1], "dim_ordering": "th"}
        shape, first = (filters, channels, 3, 3), [None, 3, 224, 224]
    else:
        settings |= {"filters": filters, "kernel_size": [3, 3], "padding": "same", "use_bias": True}
        settings |= {"strides": [1, 1], "data_format": "channels_last", "dilation_rate": [1, 1]}
        shape, first = (3, 3, channels, filters), [None, 224, 224, 3]
    settings |= {"batch_input_shape": first} if channels == 3 else {}
    return "Convolution2D" if keras1 else "Conv2D", settings, _arrays(name, shape, filters, keras1=keras1)


def _arrays(name: str, shape: tuple[int, ...], units: int, *, keras1: bool) -> dict[str, tuple[int, ...]]:
    if keras1:
        return {f"{name}_W": shape, f"{name}_b": (units,)}
    return {f"{name}/kernel:0": shape, f"{name}/bias:0": (units,)}
