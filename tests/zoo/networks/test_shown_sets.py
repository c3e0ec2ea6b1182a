"""Models that were saved: of which weights set their graph and images are."""

from __future__ import annotations

import json
from dataclasses import replace

import keras
import numpy as np
import pytest

import zoo
from tests.support.shares import NETWORKS
from zoo.finetuning.backbone import recipe_for
from zoo.networks import shown_sets
from zoo.networks.loading import Wish, draw
from zoo.networks.shown_sets import layers_as_json, recipes_shown, set_shown
from zoo.networks.weights import as_trained, graphs_of, set_for
from zoo.registry import get_registry
from zoo.surgery.notes import note_recipe, noted_recipe
from zoo.surgery.prefix import draw_preprocessing

SIDE = 64
NAMES = {
    "resnet50": ("imagenet", "imagenet-caffe", "torchvision"),
    "densenet121": ("imagenet", "torchvision"),
}
SETS = [(name, weights) for name, sets in NAMES.items() for weights in sets]
WISH = Wish(height=SIDE, width=SIDE, channels=3, data_format="channels_last", classes=0)


@pytest.fixture(scope="module")
def drawn():
    """Return a function that draws a network without its head as a weights set's graph, each once."""
    made = {}

    def drawn(name, weights):
        if (name, weights) not in made:
            network = NETWORKS[name]
            made[name, weights] = draw(network, network.graph_for(weights), WISH)
        return made[name, weights]

    return drawn


def told(model):
    """Return the layers of a model as a file would have them."""
    return layers_as_json((layer.name, type(layer).__name__, layer.get_config()) for layer in model.layers)


@pytest.mark.parametrize(("name", "weights"), SETS)
def test_a_graph_shows_the_recipes_of_its_sets(drawn, name, weights):
    """All that were drawn as this one, and none of those that were not."""
    network = NETWORKS[name]
    graph = network.graph_for(weights)
    alike = [one for one in network.weights_sets if network.graph_for(one) == graph]
    expected = dict.fromkeys(network.with_images_of(one).preprocessing for one in alike)
    assert recipes_shown(network, told(drawn(name, weights))) == tuple(expected)


def test_what_shows_nothing_is_the_networks_own():
    """Another epsilon, and no layer at all."""
    network = NETWORKS["resnet50"]
    assert recipes_shown(network, [("bn", "BatchNormalization", {"epsilon": 0.5})]) == (network.recipe,)
    assert recipes_shown(network, []) == (network.recipe,)


@pytest.mark.parametrize("odd", [None, [], {}, "x", [[1], [2, 3]], 10**400, [10**400] * 3])
def test_settings_of_another_kind_show_nothing(odd, tmp_path, monkeypatch):
    """A file can hold anything."""
    network = NETWORKS["resnet50"]
    prepared = ("preprocessing", "Rescaling", {"scale": odd, "offset": odd})
    others = [("bn", "BatchNormalization", {"epsilon": odd}), ("pool1_zeropadding", "x", {"padding": odd})]
    monkeypatch.setattr(shown_sets, "_layers_in", lambda path: [prepared, *others])
    assert set_shown(network, tmp_path / "x") is None
    monkeypatch.setattr(shown_sets, "_layers_in", lambda path: [prepared])
    assert set_shown(network, tmp_path / "x") == "imagenet"


def test_a_saved_model_is_loaded_as_it_was_drawn(drawn, tmp_path):
    """By its path, as the graph of torchvision's set: it computes what it did, and is fed as it was."""
    model = drawn("resnet50", "torchvision")
    path = tmp_path / "mine.keras"
    model.save(path)
    images = np.random.default_rng(0).normal(size=(1, SIDE, SIDE, 3)).astype(np.float32)
    again = zoo.load("resnet50", weights=path, num_classes=0, input_shape=(SIDE, SIDE, 3))
    assert again.get_layer("res3a_branch2b").strides == (2, 2)
    assert np.array_equal(again(images), model(images))
    assert noted_recipe(again) == "torch"


def test_the_order_of_a_registry_tells_nothing(tmp_path):
    """An overlay may list the authors' own file first: its set has a graph of its own all the same."""
    network = NETWORKS["densenet121"]
    authors = [file for file in network.weights if file.set == "imagenet-caffe"]
    others = [file for file in network.weights if file.set != "imagenet-caffe"]
    network = replace(network, weights=(*authors, *others))
    path = saved(tmp_path / "mine.keras")
    assert set_shown(network, path) == set_for(network, path) == "imagenet-caffe"
    assert [one.batch_norm_epsilon for one in graphs_of(network, path)] == [1e-5]


def test_a_model_that_was_copied_is_fed_as_before(drawn):
    """What Keras copies by its graph, what was fused here by what was noted; what may be another is said."""
    resnet = drawn("resnet50", "torchvision")
    assert noted_recipe(resnet) is None
    assert recipe_for(resnet, "auto").name == "torch"
    densenet = drawn("densenet121", "torchvision")
    note_recipe(densenet, get_registry().preprocessing["torch"])
    assert recipe_for(zoo.fuse(densenet), "auto").name == "torch"


def test_what_no_graph_tells_is_said(drawn, caplog):
    """Two sets were drawn alike and fed otherwise."""
    network = NETWORKS["densenet121"]
    model = draw(network, network.graph_for("torchvision"), WISH)
    assert recipe_for(model, "auto") == network.recipe
    assert caplog.messages == [
        "model 'densenet121' does not tell what its weights were trained with: the preprocessing is taken to "
        "be caffe_x0.017; preprocessing= says another, torch"
    ]


def saved(path, recipe=None):
    """Write a model with an epsilon that Caffe's and torchvision's DenseNet share; return its path."""
    images = x = keras.Input((8, 8, 3))
    if recipe is not None:
        x = draw_preprocessing(images, get_registry().preprocessing[recipe], 3)
    x = keras.layers.BatchNormalization(epsilon=1e-5, name="conv1_bn")(x)
    keras.Model(images, x).save(path)
    return path


@pytest.mark.parametrize("recipe", ["torch", "caffe_x0.017"])
def test_the_record_of_a_run_and_a_layer_tell_the_recipe(tmp_path, recipe):
    """Of a model in a run's folder ``run.json`` does; else what prepares the images in the model."""
    network = NETWORKS["densenet121"]
    sets = {"torch": "torchvision", "caffe_x0.017": "imagenet-caffe"}
    inside = saved(tmp_path / "inside.keras", recipe)
    beside = saved(tmp_path / "model.keras")
    (tmp_path / "run.json").write_text(json.dumps({"format": 1, "preprocessing": recipe}))
    for path in (inside, beside):
        assert set_shown(network, path) == sets[recipe]
        assert as_trained(network, path).preprocessing.name == recipe
        assert graphs_of(network, path) == (network.graph_for(sets[recipe]),)


@pytest.mark.parametrize("record", ["", "[]", '{"format": 99}', '{"preprocessing": "included"}'])
def test_a_record_that_tells_nothing_is_passed_over(tmp_path, record):
    """Damaged, of a later version, or of a model that does it itself."""
    path = saved(tmp_path / "model.keras")
    (tmp_path / "run.json").write_text(record)
    assert set_shown(NETWORKS["densenet121"], path) == "imagenet-caffe"


def test_a_file_that_is_none_is_passed_over(tmp_path):
    """Whoever reads its weights says what is wrong with it."""
    path = tmp_path / "mine.keras"
    path.write_bytes(b"nothing")
    assert set_shown(NETWORKS["densenet121"], path) is None
    assert set_shown(NETWORKS["densenet121"], tmp_path / "nowhere.h5") is None
