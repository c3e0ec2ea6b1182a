"""Saved models open with Keras alone, in both of its formats."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import keras
import numpy as np
import pytest

import zoo
from tests.support.forgetting import forget
from zoo.networks import heads as head

SMALL = {"input_shape": (64, 64, 3)}

MODELS = {
    "three heads": ("googlenet", {"num_classes": 3, "include_preprocessing": True}),
    "one head": ("resnet50", {"num_classes": 2, **SMALL, "include_preprocessing": True}),
    "not compiled": (
        "googlenet",
        {"num_classes": 0, "input_shape": (3, 64, 64), "data_format": "channels_first"},
    ),
}
"""Compiled and not, with one output and three; what networks are drawn of, test_architectures looks at."""

REOPEN = """
import pathlib, sys
import keras, numpy
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    if path.suffix in (".keras", ".h5"):
        model = keras.saving.load_model(path)
        weights = model.get_weights()
        total = sum(float(numpy.abs(array).sum(dtype="f8")) for array in weights)
        loss = model.get_compile_config()["loss"] if getattr(model, "optimizer", None) else None
        said = (model.compiled, loss, len(weights), total, len(model.outputs))
        path.with_name(path.name + ".txt").write_text(repr(said))
        keras.backend.clear_session()
assert not [name for name in sys.modules if name.split(".")[0] in ("zoo", "converters")]
"""


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Free what Keras holds of the last model."""
    yield
    forget()


def told(model: keras.Model) -> str:
    """Return what a model that is opened again should be."""
    weights = model.get_weights()
    total = sum(float(np.abs(array).sum(dtype="f8")) for array in weights)
    loss = model.get_compile_config()["loss"] if model.compiled else None
    return repr((model.compiled, loss, len(weights), total, len(model.outputs)))


def test_a_model_opens_without_this_package_from_either_format(tmp_path):
    """In a new process that imports Keras alone: compiled as before, with the same weights and outputs."""
    expected = {}
    for key, (name, arguments) in MODELS.items():
        model = zoo.load(name, weights=None, **arguments)
        for ending in (".keras", ".h5"):
            model.save(tmp_path / f"{key}{ending}")
            expected[f"{key}{ending}"] = told(model)
        keras.backend.clear_session()
    subprocess.run([sys.executable, "-I", "-c", REOPEN, str(tmp_path)], check=True, capture_output=True)
    found = {path.name.removesuffix(".txt"): path.read_text() for path in tmp_path.glob("*.txt")}
    assert found == expected


@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("one_hot", [False, True])
def test_an_opened_model_trains_on_labels_in_every_form(tmp_path, ending, outputs, one_hot):
    """The loss of the opened model takes integers and one-hot rows, as that of the saved one does."""
    inputs = keras.Input((4,))
    drawn = [keras.layers.Dense(3, activation="softmax", name=f"head_{n}")(inputs) for n in range(outputs)]
    model = keras.Model(inputs, drawn if outputs > 1 else drawn[0])
    head.compile_for_finetuning(model)
    path = tmp_path / f"model{ending}"
    images, classes = np.random.default_rng(1).normal(size=(6, 4)).astype("f4"), np.array([0, 1, 2, 2, 1, 0])
    labels = np.eye(3, dtype="f4")[classes] if one_hot else classes
    model.optimizer.build(model.trainable_variables)
    model.run_eagerly = True
    model.save(path)
    opened = keras.saving.load_model(path)
    opened.run_eagerly = True
    given = [labels] * outputs if outputs > 1 else labels
    losses = [one.evaluate(images, given, verbose=0)[0] for one in (model, opened)]
    assert losses[0] == losses[1]
    before = opened.get_weights()
    if ending == ".h5":
        # Keras builds the optimizer of a functional model from a .h5 file for no variables, whoever saved it.
        head.compile_for_finetuning(opened)
        opened.run_eagerly = True
    opened.fit(images, given, verbose=0)
    assert not any(np.array_equal(a, b) for a, b in zip(before, opened.get_weights(), strict=True))


def test_an_opened_model_normalises_and_turns_colours_as_before(tmp_path):
    """What no layer of Keras' own does by itself is the same to the bit: GoogLeNet's normalisation, BGR."""
    image = np.random.default_rng(2).uniform(0, 255, (1, 224, 224, 3)).astype("f4")
    model = zoo.load("googlenet", weights=None, num_classes=2, include_preprocessing=True)
    part = keras.Model(model.input, model.get_layer("conv2__norm2").output)
    for ending in (".keras", ".h5"):
        part.save(tmp_path / f"part{ending}")
        opened = keras.saving.load_model(tmp_path / f"part{ending}")
        assert np.array_equal(opened(image), part(image))
