"""Checkpoints of a user's own: what of their classifiers is read, left out and said, in every format."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest

import converters
import zoo
from converters.planning.structures import load_structure
from tests.support.forgetting import forget
from tests.support.weight_files import write_empty
from zoo.errors import ArgumentError, StructureMismatchError

SMALL = {"aux_heads": False, "input_shape": (32, 32, 3), "compile": False}
FORMATS = ("mine.keras", "mine.h5", "mine.weights.h5", "mine.npz", "mine.safetensors", "mine_th.npz")
HEAD = "the head in the file ('loss3/classifier', 17 classes)"


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Free what Keras holds of the last model."""
    yield
    forget()


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[np.ndarray]]:
    """Return a folder with a model of 17 classes in every format, and the model's arrays."""
    folder = tmp_path_factory.mktemp("mine")
    keras.utils.set_random_seed(3)
    model = zoo.load("googlenet", weights=None, num_classes=17, **SMALL)
    for name in FORMATS[:2]:
        model.save(folder / name)
    model.save_weights(folder / FORMATS[2])
    for name in FORMATS[3:5]:
        converters.convert_file(folder / FORMATS[0], folder / name, to=name.partition(".")[2])
    converters.convert_file(folder / "mine.npz", folder / FORMATS[5], direction="tf-to-th", to="npz")
    return folder, model.get_weights()


def told(warned) -> list[str]:
    """Return what was said of heads."""
    return [str(one.message) for one in warned if "head" in str(one.message)]


@pytest.mark.parametrize("name", FORMATS)
def test_the_backbone_goes_under_a_new_head(name, mine):
    """All below the classifier to the bit; what is left out is said, with both numbers of classes."""
    folder, arrays = mine
    with pytest.warns(zoo.ConversionWarning) as warned:
        model = zoo.load("googlenet", num_classes=5, weights=folder / name, **SMALL)
    assert told(warned) == [f"{folder / name}: {HEAD} is left out: a fresh one of 5 is put on"]
    assert model.output_shape == (None, 5)
    assert all(map(np.array_equal, model.get_weights()[:-2], arrays[:-2]))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "mine.npz" else pytest.mark.long) for name in FORMATS]
)
def test_without_a_number_the_head_is_the_files(name, mine):
    """It is read too, and that it is not the published one is said."""
    folder, arrays = mine
    with pytest.warns(zoo.ConversionWarning) as warned:
        model = zoo.load("googlenet", weights=folder / name, **SMALL)
    assert told(warned) == [
        f"{folder / name}: {HEAD} is taken over, with activation='softmax'; num_classes=N leaves it out and"
        " puts a fresh one on"
    ]
    assert all(map(np.array_equal, model.get_weights(), arrays))


def test_an_activation_that_the_file_contradicts(mine):
    """A whole model says what its head ends in; weights alone do not."""
    folder, _ = mine
    with pytest.raises(ArgumentError) as caught:
        zoo.load("googlenet", weights=folder / "mine.keras", activation="sigmoid", **SMALL)
    assert str(caught.value) == (
        f"activation='sigmoid': {folder / 'mine.keras'}: the head in the file ends in softmax; say"
        " activation='softmax'"
    )
    model = zoo.load("googlenet", weights=folder / "mine.npz", activation=None, **SMALL)
    assert model.layers[-1].activation is keras.activations.linear


def other(path: Path) -> Path:
    """Write a model with two dense layers of its own on the body of a network."""
    body = zoo.load("googlenet", weights=None, num_classes=0, pooling="avg", **SMALL)
    x = keras.layers.Dense(8, "relu", name="hidden")(body.output)
    keras.Model(body.input, keras.layers.Dense(3, "softmax", name="last")(x)).save(path)
    return path


def test_a_head_of_other_layers(tmp_path):
    """It can be left out, named, but not taken over."""
    path = other(tmp_path / "other.keras")
    own = "the head in the file ('hidden', 'last', 3 classes)"
    with pytest.warns(zoo.ConversionWarning) as warned:
        model = zoo.load("googlenet", num_classes=5, weights=path, **SMALL)
    assert told(warned) == [f"{path}: {own} is left out: a fresh one of 5 is put on"]
    assert model.output_shape == (None, 5)
    with pytest.raises(StructureMismatchError) as caught:
        zoo.load("googlenet", weights=path, **SMALL)
    assert str(caught.value) == (
        f"{path}: {own} has other layers than the published one; num_classes=N leaves it out and puts a fresh"
        " classifier on, num_classes=0 none"
    )


def test_one_output_is_no_softmax(tmp_path):
    """What it ends in has to be said."""
    structure = load_structure("resnet50")
    layers = [
        layer
        if layer.name != "fc1000"
        else type(layer)(name="fc1000", kind="Dense", arrays={"kernel": (2048, 1), "bias": (1,)})
        for layer in structure.layers
    ]
    path = write_empty(tmp_path / "one.h5", type(structure)(structure.name, 0, tuple(layers)), layout="tf")
    with pytest.raises(ArgumentError) as caught:
        zoo.load("resnet50", weights=path)
    assert str(caught.value) == (
        f"activation='softmax': {path}: the head in the file has one output, whose softmax is 1 whatever goes"
        " in; say 'sigmoid', or None for logits"
    )


def test_a_file_without_auxiliary_heads(tmp_path):
    """GoogLeNet saved with its last head alone is read as such; with all three it lacks some."""
    structure = load_structure("googlenet")
    names = [layer.name for layer in structure.weighted if layer.name.startswith(("loss1/", "loss2/"))]
    path = write_empty(tmp_path / "main.h5", structure.without(names))
    model = zoo.load("googlenet", weights=path, aux_heads=False, input_shape=(32, 32, 3), compile=False)
    assert model.output_shape == (None, 1000)
    with pytest.raises(StructureMismatchError) as caught:
        zoo.load("googlenet", weights=path)
    assert str(caught.value).endswith("of an auxiliary head is missing; aux_heads=False leaves these out")
