"""Every network exported by Keras, to a SavedModel and to ONNX, gives what the model gives.

Run by ``make test-export`` in an environment of its own, with Keras on TensorFlow and then on PyTorch: what
writes and runs ONNX is needed nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import onnxruntime
import pytest

import zoo
from tests.support.shares import NETWORKS
from zoo.practice.values import images
from zoo.registry.parameters import parameters_of

pytestmark = pytest.mark.filterwarnings("ignore")  # Keras and tf2onnx use what NumPy and ONNX deprecate

Outputs = list[np.ndarray]


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Free what Keras holds of the last model."""
    yield
    keras.backend.clear_session()


def listed(outputs) -> Outputs:
    """Return all that a model gives, one output or several, as arrays."""
    return [
        keras.ops.convert_to_numpy(one)
        for one in (outputs if isinstance(outputs, (list, tuple)) else [outputs])
    ]


def by_tensorflow(path: Path, image: np.ndarray) -> Outputs:
    """Return what a SavedModel gives."""
    import tensorflow as tf

    opened = tf.saved_model.load(path)  # its variables live as long as it does
    return listed(opened.serve(image))


def by_onnx(path: Path, image: np.ndarray) -> Outputs:
    """Return what an ONNX file gives."""
    session = onnxruntime.InferenceSession(str(path))
    return listed(session.run(None, {session.get_inputs()[0].name: image}))


def check(model: keras.Model, image: np.ndarray, folder: Path, name: str, run: Callable) -> None:
    """Export a model, run what was written and compare, relative to the largest of an output."""
    path = folder / f"{model.name}.onnx" if name == "onnx" else folder / model.name
    expected = listed(model(image, training=False))  # before the export: on PyTorch Keras exports no other
    model.export(str(path), format=name, verbose=False)
    found = run(path, image)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert np.abs(one - other).max() <= 1e-5 * np.abs(other).max()


FORMATS = {"tf_saved_model": by_tensorflow, "onnx": by_onnx}

WRITTEN_ON = {"tensorflow": ("tf_saved_model", "onnx"), "torch": ("onnx",)}
"""What Keras writes, by its backend."""

LARGE = 100_000_000
"""Parameters, from which on ONNX is written on PyTorch only: with VGG's 138 million TensorFlow and tf2onnx
together wanted more than 18 GB of memory, PyTorch less than 4."""


def written() -> list[tuple[str, str]]:
    """Return each network, the smallest first, with each format that this backend writes it in."""
    backend = keras.backend.backend()
    sizes = {name: parameters_of(network) for name, network in NETWORKS.items()}
    too_large = {name for name, size in sizes.items() if backend == "tensorflow" and size > LARGE}
    return [
        (name, kind)
        for name in sorted(sizes, key=sizes.__getitem__)
        for kind in WRITTEN_ON[backend]
        if not (kind == "onnx" and name in too_large)
    ]


@pytest.mark.parametrize(("name", "kind"), written())
def test_every_network_computes_the_same_once_it_is_exported(name, kind, practice_file, tmp_path):
    """With preprocessing inside, from raw pixels, all heads; logits, as a softmax makes much of rounding."""
    arguments = {"include_preprocessing": True, "activation": None, "compile": False}
    model = zoo.load(name, weights=practice_file(name), **arguments)
    image = images(name)[:1].transpose(0, 2, 3, 1)
    check(model, image, tmp_path, kind, FORMATS[kind])


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras writes fixed sizes on PyTorch")
@pytest.mark.parametrize("kind", FORMATS)
def test_images_of_any_size_and_number(kind, tmp_path, practice_file):
    """Open sides stay open in both formats."""
    arguments = {"input_shape": (None, None, 3), "aux_heads": False, "compile": False}
    model = zoo.load("googlenet", weights=practice_file("googlenet"), **arguments)
    image = np.random.default_rng(1).normal(0, 50, (3, 96, 160, 3)).astype("f4")
    check(model, image, tmp_path, kind, FORMATS[kind])
