"""Saved models open with Keras alone, in both of its formats."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import keras
import numpy as np
import pytest

import zoo
from tests.support.forgetting import forget
from tests.support.shares import NETWORKS
from zoo.networks import heads as head
from zoo.practice.values import images

ENDINGS = (".keras", ".h5")

MODELS = {
    "three heads": ("googlenet", {"num_classes": 10, "include_preprocessing": True}),
    "one head": ("resnet50", {"num_classes": 2, "input_shape": (64, 64, 3), "include_preprocessing": True}),
    "not compiled": ("googlenet", {"num_classes": 0, "data_format": "channels_first"}),
}
"""Compiled and not, with one output and three; what networks are drawn of, test_families looks at."""

REOPEN = """
import pathlib, sys
import keras, numpy
for path in map(pathlib.Path, sys.argv[1:]):
    model = keras.saving.load_model(path)
    weights = model.get_weights()
    total = sum(float(numpy.abs(array).sum(dtype="f8")) for array in weights)
    loss = model.get_compile_config()["loss"] if getattr(model, "optimizer", None) else None
    said = (model.compiled, loss, len(weights), total, len(model.outputs))
    path.with_name(path.name + ".txt").write_text(repr(said))
    given = path.with_suffix(".images.npy")
    if given.exists():
        outputs = model(numpy.load(given))
        listed = outputs if isinstance(outputs, list) else [outputs]
        numpy.savez(path.with_name(path.name + ".npz"), *listed)
    keras.backend.clear_session()
assert not [name for name in sys.modules if name.split(".")[0] in ("zoo", "converters")]
"""


def told(model: keras.Model) -> str:
    """Return what a model that is opened again should be."""
    weights = model.get_weights()
    total = sum(float(np.abs(array).sum(dtype="f8")) for array in weights)
    loss = model.get_compile_config()["loss"] if model.compiled else None
    return repr((model.compiled, loss, len(weights), total, len(model.outputs)))


def given_by(model: keras.Model, image: np.ndarray) -> list[np.ndarray]:
    """Return all that a model gives for an image."""
    outputs = model(image)
    return [np.asarray(output) for output in (outputs if isinstance(outputs, list) else [outputs])]


class Shelf:
    """Saved models, one practice image for each, and what the model made of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.models: dict[str, keras.Model] = {}
        self.told: dict[str, str] = {}
        self.expected: dict[str, list[np.ndarray]] = {}

    def put(self, key: str, model: keras.Model, endings: Iterable[str] = ENDINGS, *, runs: bool) -> None:
        """Save a model, and if it ``runs`` what it predicts."""
        for ending in endings:
            model.save(self.folder / f"{key}{ending}")
        self.told[key] = told(model)
        if not runs:
            return
        channels_first = model.input_shape[1] == 3
        side = model.input_shape[2]
        image = images(model.name)[:1, :, :side, :side]
        image = image if channels_first else image.transpose(0, 2, 3, 1)
        np.save(self.folder / f"{key}.images.npy", image)
        self.expected[key] = given_by(model, image)

    def reopen(self) -> None:
        """Open all of them in a new process that imports Keras alone, and run them."""
        paths = [str(path) for path in sorted(self.folder.iterdir()) if path.suffix in ENDINGS]
        subprocess.run([sys.executable, "-I", "-c", REOPEN, *paths], check=True, cwd=self.folder)

    def check(self, key: str, ending: str) -> None:
        """Compare what an opened model is and gives with what the saved one was and gave, to the bit."""
        assert (self.folder / f"{key}{ending}.txt").read_text() == self.told[key]
        if key in self.expected:
            outputs, found = self.expected[key], self.found(key, ending)
            assert len(found) == len(outputs)
            assert all(np.array_equal(*pair) for pair in zip(found, outputs, strict=True))

    def found(self, key: str, ending: str) -> list[np.ndarray]:
        """Return what an opened model gave."""
        with np.load(self.folder / f"{key}{ending}.npz") as file:
            return [file[name] for name in file.files]


@pytest.fixture(scope="module")
def shelf(practice_file, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """Return a shelf with all ``MODELS``, opened again."""
    keras.utils.set_random_seed(12)
    shelf = Shelf(tmp_path_factory.mktemp("saved"))
    for key, (name, arguments) in MODELS.items():
        model = shelf.models[key] = zoo.load(name, weights=practice_file(name), **arguments)
        shelf.put(key, model, runs=model.compiled)
    shelf.reopen()
    yield shelf
    forget()


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("key", MODELS)
def test_a_model_opens_without_this_package_from_either_format(key, ending, shelf):
    """In a new process that imports Keras alone: compiled as before, with the same weights and outputs."""
    shelf.check(key, ending)


def test_a_saved_model_takes_raw_pixels_where_this_package_is_not(shelf):
    """Opened by Keras alone, it gives for raw pixels what the plain model gives for prepared ones."""
    model, raw = shelf.models["one head"], np.load(shelf.folder / "one head.images.npy")
    plain = zoo.load("resnet50", weights=None, num_classes=2, input_shape=(64, 64, 3), compile=False)
    plain.set_weights(model.get_weights())
    expected = np.asarray(plain(zoo.preprocess_input("resnet50", raw)))
    for ending in ENDINGS:
        assert np.abs(shelf.found("one head", ending)[0] - expected).max() < 1e-6


@pytest.mark.long
def test_every_network_opens_without_this_package(practice_file, tmp_path):
    """All networks, and two with their channels first, predict what they predicted before."""
    orders = [(name, "channels_last") for name in NETWORKS]
    orders += [(name, "channels_first") for name in ("googlenet", "resnet50")]
    shelf = Shelf(tmp_path)
    for name, order in orders:
        model = zoo.load(name, num_classes=10, weights=practice_file(name), data_format=order)
        shelf.put(f"{name} {order}", model, [".keras"], runs=True)
        forget()
    shelf.reopen()
    for name, order in orders:
        shelf.check(f"{name} {order}", ".keras")


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


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_opened_model_normalises_and_turns_colours_as_before(ending, shelf, tmp_path):
    """What no layer of Keras' own does by itself is the same to the bit: GoogLeNet's normalisation, BGR."""
    image = np.random.default_rng(2).uniform(0, 255, (1, 224, 224, 3)).astype("f4")
    model = shelf.models["three heads"]
    part = keras.Model(model.input, model.get_layer("conv2__norm2").output)
    part.save(tmp_path / f"part{ending}")
    opened = keras.saving.load_model(tmp_path / f"part{ending}")
    assert np.array_equal(opened(image), part(image))
