"""A family whose builder returns a whole Keras model is loaded as one whose builder draws.

Both draw the same three layers here, so that whatever is asked of them the same must come.
"""

from __future__ import annotations

import json
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from pkgutil import resolve_name
from types import ModuleType

import keras
import numpy as np
import pytest

import zoo
from converters.errors import FileFormatError
from converters.planning.structures import load_structure
from tests.support.weight_files import write_named
from zoo.errors import StructureMismatchError
from zoo.networks.families import FAMILIES, builder
from zoo.networks.families.drawing import Drawing, Neck
from zoo.networks.whole_models import opened_file
from zoo.registry import architecture, load_registry
from zoo.registry.families import Family
from zoo.registry.records import Architecture, Head, Input

SIDE, CLASSES = 12, 5
SHAPES = {
    "stem/conv": {"kernel": (3, 3, 3, 4), "bias": (4,)},
    "stem/bn": {role: (4,) for role in ("gamma", "beta", "moving_mean", "moving_variance")},
    "fc": {"kernel": (4, CLASSES), "bias": (CLASSES,)},
}
KINDS = {"stem/conv": "Conv2D", "stem/bn": "BatchNormalization", "fc": "Dense"}
SUFFIXES = {"kernel": "W", "bias": "b", "moving_mean": "running_mean", "moving_variance": "running_std"}


def drawn(pen, images, config, heads):
    """Draw the network with a pen."""
    x = pen.relu(pen.batch_norm(pen.conv(images, "stem/conv", 4, 3, strides=2), "stem/bn"), "stem/relu")
    necks = {}
    for head in heads:
        tensor = pen.global_average(x, "pool")
        necks[head] = Neck(tensor=tensor, dropout=config["dropout"], dropout_name="drop")
    return Drawing(features=x, necks=necks)


def whole(pen, images, config, heads):
    """Return the network as ``keras.applications`` would: with its classifier, or up to the feature map."""
    layers, order = keras.layers, {"data_format": pen.data_format}
    x = layers.Conv2D(4, 3, strides=2, name="stem__conv", **order)(images)
    x = layers.BatchNormalization(pen.channel_axis, epsilon=pen.epsilon, name="stem__bn")(x)
    x = layers.Activation("relu", name="stem__relu")(x)
    if heads:
        x = layers.GlobalAveragePooling2D(name="pool", **order)(x)
        x = layers.Dropout(config["dropout"], name="drop")(x)
        x = layers.Dense(CLASSES, activation="softmax", name="fc")(x)
    return keras.Model(images, x, name="made_elsewhere")


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Architecture:
    """Return the network of the family ``drawn``; that of ``whole`` differs in nothing else."""
    module = ModuleType("two_builders")
    module.drawn, module.whole = drawn, whole
    monkeypatch.setitem(sys.modules, "two_builders", module)
    for name in ("drawn", "whole"):
        monkeypatch.setitem(FAMILIES, name, Family(builder=f"two_builders:{name}", numbers={}))
    path = tmp_path / "structure.json"
    layers = [{"name": name, "kind": KINDS[name], "arrays": roles} for name, roles in SHAPES.items()]
    path.write_text(json.dumps({"name": str(path), "parameters": 0, "layers": layers}), encoding="utf-8")
    graph = replace(
        architecture("resnet50").default_graph,
        structures=(str(path),),
        config={"dropout": 0.25},
        heads=(Head(name="fc", layer="fc"),),
        top=("fc",),
    )
    return replace(
        architecture("resnet50"),
        name="two",
        family="drawn",
        input=Input(height=SIDE, width=SIDE, channels=3, min_size=4),
        classes=CLASSES,
        graphs={"published": graph},
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a weights file of the network, as Keras 1 wrote it."""
    rng = np.random.default_rng(0)
    layers = {
        name: {
            f"{name}_{SUFFIXES.get(role, role)}": rng.uniform(0.5, 1, shape).astype("f4")
            for role, shape in roles.items()
        }
        for name, roles in SHAPES.items()
    }
    return write_named(tmp_path / "weights.h5", layers)


WISHES = {
    "as published": {},
    "fresh classifier": {"num_classes": 3},
    "more dropout": {"num_classes": 3, "dropout": 0.5},
    "no classifier": {"num_classes": 0},
    "pooled": {"num_classes": 0, "pooling": "max"},
    "channels first": {"data_format": "channels_first"},
    "preprocessing inside": {"include_preprocessing": True},
    "backbone frozen": {"num_classes": 3, "freeze": "backbone"},
}


def told(model: keras.Model) -> list[tuple[object, ...]]:
    """Return what there is to say of a model without its values."""
    layers = [
        (layer.name, type(layer).__name__, layer.trainable, getattr(layer, "rate", None))
        for layer in model.layers
    ]
    return [(model.name, model.output_shape), *layers]


def values(model: keras.Model, wish: dict[str, object]) -> dict[str, np.ndarray]:
    """Return the arrays that a file gave, and what becomes of images where none else have a say."""
    fresh = {"fc"} if wish.get("num_classes") else set()
    found = {one.path: np.asarray(one) for one in model.weights if one.path.split("/")[0] not in fresh}
    if not fresh and "data_format" not in wish:
        images = np.random.default_rng(1).uniform(0, 255, (2, SIDE, SIDE, 3)).astype("f4")
        found["output"] = np.asarray(model(images))
    return found


@pytest.mark.filterwarnings("ignore::zoo.ConversionWarning")
@pytest.mark.parametrize("wish", WISHES.values(), ids=WISHES)
def test_a_whole_model_is_loaded_as_a_drawing_is(network, path, wish, monkeypatch) -> None:
    """Layers, names, values and what becomes of images are the same, whatever is asked for."""
    monkeypatch.setattr("zoo.networks.loading.architecture", lambda name: replace(network, family=name))
    drawing, model = (zoo.load(family, weights=path, **wish) for family in ("drawn", "whole"))
    assert told(drawing) == told(model)
    ours, theirs = values(drawing, wish), values(model, wish)
    assert list(ours) == list(theirs)
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_a_whole_model_starts_from_random_weights_too(network, monkeypatch) -> None:
    """Those that it was built with."""
    monkeypatch.setattr("zoo.networks.loading.architecture", lambda name: replace(network, family="whole"))
    model = zoo.load("two", weights=None)
    assert np.ptp(model.get_layer("stem__conv").get_weights()[0]) > 0


def test_a_whole_model_without_the_layer_of_its_head_is_refused(network, monkeypatch) -> None:
    """The registry says how the classifier is called."""
    graph = replace(network.default_graph, heads=(Head(name="fcs", layer="fcs"),), top=("fc",))
    changed = replace(network, family="whole", graphs={"published": graph})
    monkeypatch.setattr("zoo.networks.loading.architecture", lambda name: changed)
    with pytest.raises(StructureMismatchError) as caught:
        zoo.load("two", weights=None)
    assert str(caught.value) == ("model 'made_elsewhere' has no layer 'fcs' for its head; did you mean fc?")


@pytest.mark.parametrize("family", FAMILIES)
def test_the_record_of_a_family_says_whether_scale_layers_pair(family: str) -> None:
    """Where its structures have such layers, and nowhere else; and every family has a network."""
    networks = [one for one in load_registry(()).architectures.values() if one.family == family]
    graphs = [graph for network in networks for graph in network.graphs.values()]
    structures = [load_structure(name) for graph in graphs for name in graph.structures]
    assert structures
    held = any(structure.scales for structure in structures)
    assert FAMILIES[family].scales == ("by position" if held else None)


def test_scale_layers_of_a_family_that_has_none_are_an_error(practice_file, monkeypatch) -> None:
    """Without a word they would be left out, and all features be wrong."""
    record = replace(FAMILIES["densenet"], scales=None)
    monkeypatch.setitem(FAMILIES, "densenet", record)
    with pytest.raises(FileFormatError) as caught:
        zoo.load("densenet121", weights=practice_file("densenet121"))
    assert str(caught.value) == (
        "structure densenet121: layer 'conv1_scale' is a Scale layer, and the network's family has none; "
        "its record says how such layers pair"
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_a_record_names_a_builder(family: str) -> None:
    """Which is imported when it is asked for."""
    assert callable(builder(family))


@pytest.mark.parametrize("family", sorted(name for name, record in FAMILIES.items() if record.own_classes))
def test_a_class_that_an_h5_file_does_not_tell_the_place_of_is_said(family: str, tmp_path: Path) -> None:
    """With what opens it; a ``.keras`` file needs nothing."""
    for place in FAMILIES[family].own_classes:
        layer = resolve_name(place)
        model = keras.Sequential([keras.Input((2,)), layer(0.5, 2)])
        model.save(tmp_path / "model.keras")
        assert opened_file(tmp_path / "model.keras").output_shape == (None, 2)
        with warnings.catch_warnings(action="ignore"):
            model.save(tmp_path / "model.h5")
        with pytest.raises(FileFormatError) as caught:
            opened_file(tmp_path / "model.h5", "mine")
        given = {layer.__name__: layer}
        assert str(caught.value).startswith("mine: Keras cannot open it as a whole model: Unknown layer: ")
        assert str(caught.value).endswith(
            f"if it is of the family {family}, open it with custom_objects={{{layer.__name__!r}: "
            f"{layer.__module__}.{layer.__name__}}}, save it as .keras, take that"
        )
        assert keras.saving.load_model(tmp_path / "model.h5", custom_objects=given).output_shape == (None, 2)
