"""``last-layers`` by the name of any network: a registered whole model, one of a plug-in, one of ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import pytest

import zoo as library
from converters.errors import ZooError
from tests.support.plugins import forgotten, lay_out
from tests.support.small_network import SIDE, divided_digits, same, small_network
from zoo.finetuning import finetune, runs
from zoo.finetuning.pictures import Pictures

pytestmark = pytest.mark.usefixtures("untraced")

OPTIONS = {
    **{"strategy": "last-layers", "epochs": 2},
    **{"cache": False, "augmentation": False},
}


def within() -> keras.Model:
    """Return a small network whose layers lie in a model inside it, as a Sequential model."""
    inner = small_network()
    body = keras.Model(inner.input, inner.get_layer("flat").output, name="base")
    images = keras.Input((SIDE, SIDE, 3))
    classes = keras.layers.Dense(10, activation="softmax", name="classes")
    return keras.Sequential([images, body, classes], name="row")


WHOLE = {"functional": small_network, "within another": within}


def added(model: keras.Model, folder: Path) -> str:
    """Add a whole model to the registry, and return its name there."""
    model.save(folder / "mine.keras")
    library.register(folder / "mine.keras", "mine", preprocessing="inception")
    return "mine"


@pytest.fixture
def plugged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the name of a network that a package brings."""
    monkeypatch.delenv("ZOO_PLUGINS")
    monkeypatch.syspath_prepend(lay_out(tmp_path / "site"))
    with forgotten():
        yield "tinynet8"


def inner_weights(model: keras.Model) -> dict[str, Any]:
    """Return the weights of each layer, those inside others too."""
    found: dict[str, Any] = {}
    for layer in model.layers:
        found |= inner_weights(layer) if isinstance(layer, keras.Model) else weights_of_one(layer)
    return found


def weights_of_one(layer: keras.Layer) -> dict[str, Any]:
    """Return the weights of a layer that has any."""
    return {layer.name: layer.get_weights()} if layer.weights else {}


def few() -> dict[str, Pictures]:
    """Return images to train on and to validate with."""
    train, valid = divided_digits(60)
    return {"train": train, "valid": valid}


def learned(monkeypatch: pytest.MonkeyPatch, name: str, **options: Any) -> set[str]:
    """Return the layers of a network whose weights a run has changed."""
    before: dict[str, Any] = {}
    load = runs.load_classifier

    def loaded(*given: Any, **named: Any) -> keras.Model:
        model = load(*given, **named)
        before.update(inner_weights(model))
        return model

    monkeypatch.setattr(runs, "load_classifier", loaded)
    after = inner_weights(finetune(name, **few(), **OPTIONS, **options).model)
    assert before.keys() == after.keys()
    return {name for name, values in after.items() if not same(values, before[name])}


@pytest.mark.parametrize(
    ("kind", "last", "trained"),
    [
        ("functional", "second", {"second", "classes"}),
        ("functional", 2, {"classes"}),  # and the softmax
        ("within another", "second", {"second", "classes"}),
    ],
)
def test_a_registered_whole_model(monkeypatch, tmp_path, kind, last, trained):
    """Its own list of layers counts, that of models inside it too."""
    name = added(WHOLE[kind](), tmp_path)
    assert learned(monkeypatch, name, preprocessing="none", last=last) == trained


def test_a_network_of_a_plug_in(monkeypatch, plugged):
    """The published list counts."""
    assert learned(monkeypatch, plugged, weights=None, input_size=16, last="conv3") == {"conv3", "classes"}


WRONG = {
    "a name": ("secund", "last='secund': there is no such layer; did you mean second?"),
    "none": (0, "last=0: must be a number of layers from 1, a layer's name or None"),
    "too many": (99, "last=99: must be a number of layers from 1 to 10, a layer's name or None"),
}


@pytest.mark.parametrize(("last", "message"), WRONG.values(), ids=WRONG)
def test_layers_that_a_whole_model_has_not(tmp_path, last, message):
    """It is told before anything is written."""
    name = added(small_network(), tmp_path)
    with pytest.raises(ZooError) as caught:
        finetune(name, **few(), **OPTIONS, last=last, out=tmp_path / "run")
    assert str(caught.value) == message
    assert not (tmp_path / "run").exists()
