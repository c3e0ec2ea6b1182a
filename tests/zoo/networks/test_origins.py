"""What the authors published: the Keras files' values, in the graphs that they were trained with."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
import yaml

import zoo
from tests.support.long import long_but
from tests.support.shares import NETWORKS, ORIGINS
from zoo.errors import RegistryError
from zoo.networks.families.drawing import Pen
from zoo.networks.families.resnet import _namer, _stem
from zoo.networks.loading import Wish, draw
from zoo.networks.weights import choose_weights
from zoo.practice import files
from zoo.registry import load_registry
from zoo.registry.digests import hash_file
from zoo.storage.cache import Cache, Item


def test_nine_networks_have_an_origin():
    """All but the Inceptions, whose authors published TensorFlow's own files."""
    assert set(ORIGINS) == {name for name, one in NETWORKS.items() if not one.family.startswith("inception")}


@pytest.mark.parametrize("name", ORIGINS)
def test_what_is_said_of_an_origin_names_a_set_and_somebody(name):
    """Its set is that of Keras files of the same graph, and it has files with a digest."""
    said, network = ORIGINS[name]
    assert said.same_values_as in network.weights_sets
    assert said.stated_by
    held = [file for file in network.weights if file.set == said.name]
    assert held
    assert all(digest.algorithm in ("sha256", "sha384", "sha1") for file in held for digest in file.digests)
    assert all(file.digests and len(file.urls) > 0 for file in held)


@pytest.mark.parametrize("name", ORIGINS)
def test_a_set_says_what_graph_it_was_trained_with(name):
    """Caffe's epsilon, and its pooling in a ResNet; all else is as in the Keras files' graph."""
    said, network = ORIGINS[name]
    own, keras_graph = network.graph_for(said.name), network.graph_for("imagenet")
    assert keras_graph == network.default_graph
    changed = {"pool_ceil": True} if network.family == "resnet" else {}
    assert own.config == {**keras_graph.config, **changed}
    assert own.batch_norm_epsilon == (None if keras_graph.batch_norm_epsilon is None else 1e-5)
    assert choose_weights(network, said.name)[0] == own


@pytest.mark.parametrize(
    ("weights", "side", "epsilon"), [("imagenet", 55, 1e-3), ("imagenet-caffe", 56, 1e-5)]
)
def test_a_resnet_s_first_pooling_is_that_of_its_set(weights, side, epsilon):
    """56 x 56 maps in Caffe, 55 x 55 in the Keras network, and another epsilon."""
    network = NETWORKS["resnet50"]
    model = draw(network, network.graph_for(weights), Wish(height=224, width=224, classes=0))
    pools = [layer for layer in model.layers if isinstance(layer, keras.layers.MaxPooling2D)]
    assert [pool.output.shape for pool in pools] == [(None, side, side, 64)]
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert {layer.epsilon for layer in norms} == {epsilon}


@pytest.mark.parametrize("side", [32, 33, 34, 35, 37])
def test_windows_that_are_cut_off_count_as_in_caffe(side):
    """Against Caffe's rule, window by window (pooling_layer.cpp:91-118): ceil, and what there is of it."""
    pen = Pen(data_format="channels_last", epsilon=1e-5)
    images = keras.Input((side, side, 3))
    maps = _stem(pen, _namer("caffe"), images, {"conv_bias": True, "pool_ceil": True, "pool_pad": False})
    model = keras.Model(images, maps)
    before = keras.Model(images, model.get_layer("conv1_relu").output)
    batch = np.random.default_rng(side).normal(size=(1, side, side, 3)).astype("f4")
    x, found = np.asarray(before(batch)), np.asarray(model(batch))
    count = -(-(x.shape[1] - 3) // 2) + 1
    assert found.shape == (1, count, count, 64)
    for row in range(count):
        for column in range(count):
            window = x[0, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
            assert np.array_equal(found[0, row, column], window.max((0, 1)))


def in_cache(folder, monkeypatch, network, weights):
    """Put the practice twin of a set's file into an empty cache; nothing is asked of any host."""
    file = next(file for file in network.weights if file.set == weights)
    files.write(file, network, folder / file.filename)
    monkeypatch.setenv("ZOO_HOME", str(folder / "home"))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    of_weights = Item.of_weights  # what is kept here has none of the published digests
    monkeypatch.setattr(Item, "of_weights", lambda *args: replace(of_weights(*args), digests=(), bytes=None))
    cache, item = Cache(folder / "home"), Item.of_weights(network.name, file)
    digests = hash_file(folder / file.filename, ["sha256"])
    cache.check_seen(item, digests["sha256"], "practice")
    cache.keep(folder / file.filename, item, digests=digests, url="practice")


# The practice file of ResNet-50 has biases in layers that have none in Caffe's.
ALIKE = [name for name in ORIGINS if name != "resnet50"]


@pytest.mark.parametrize("name", long_but(["googlenet", "densenet121"], ALIKE))
def test_the_authors_file_fills_the_network_as_the_keras_file_does(
    name, tmp_path, monkeypatch, practice_file
):
    """Every array bit for bit, by the set's name and as the stand-in of what was converted from it."""
    network = NETWORKS[name]
    in_cache(tmp_path, monkeypatch, network, "imagenet-caffe")
    own = zoo.load(name, weights="imagenet-caffe")
    expected = zoo.load(name, weights=practice_file(name), kernels="th")
    assert [variable.path for variable in own.weights] == [variable.path for variable in expected.weights]
    for one, other in zip(own.weights, expected.weights, strict=True):
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes(), one.path
    stands_in = zoo.load(name, num_classes=0)
    kept = {variable.path: variable for variable in expected.weights}
    for one in stands_in.weights:
        assert np.asarray(one).tobytes() == np.asarray(kept[one.path]).tobytes(), one.path


def test_a_set_that_stands_for_itself_is_a_mistake(tmp_path):
    """And so is one of which nobody says so."""
    overlay = tmp_path / "own.yaml"
    for said, reason in (
        ("{same_values_as: imagenet-caffe}", "sets.imagenet-caffe.same_values_as: is the set itself"),
        (
            "{stated_by: null}",
            "sets.imagenet-caffe.stated_by: is missing: same_values_as needs somebody who says so",
        ),
        ("{config: {pool_cell: true}}", "sets.imagenet-caffe.config.pool_cell"),
    ):
        overlay.write_text(f"architectures: {{resnet50: {{sets: {{imagenet-caffe: {said}}}}}}}\n")
        with pytest.raises(RegistryError) as caught:
            load_registry([overlay])
        assert f"own.yaml:1: architectures.resnet50.{reason}" in str(caught.value)


SHA256 = {
    "googlenet-th": "0" * 64,
    "googlenet-caffe": "6f7101e3a2183738a7125a0c5021ba82a1feb4228c5ca0924d991b6daf6f6fad",
}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"origin": "googlenet-caffe-2"}, "origin: 'googlenet-caffe-2' is no file of a weights set that has"),
        ({"origin": "googlenet-th"}, "origin: 'googlenet-th' is no file of a weights set that has"),
        ({"origin": "vgg16-caffe"}, "origin: 'vgg16-caffe' is no file of a weights set that has"),
        (
            {"origin_sha256": "1" * 64},
            "origin_sha256: is not the published sha256 of googlenet-caffe, " + SHA256["googlenet-caffe"],
        ),
        ({"sha256": "1"}, "sha256: '1' must be 64 hexadecimal digits in lower case"),
        ({"by": None}, "by: null is not text"),
        ({"proven": "yes"}, "proven: 'yes' is not true or false"),
    ],
)
def test_a_proof_that_is_stated_names_the_authors_file(changes, reason, tmp_path):
    """And somebody who says so; and contradicts no digest that was published."""
    proof = {
        "origin": "googlenet-caffe",
        "sha256": SHA256["googlenet-th"],
        "origin_sha256": SHA256["googlenet-caffe"],
        "proven": True,
        "by": "Jane Doe",
        "date": "2026-01-01",
    }
    overlay = tmp_path / "own.yaml"

    def registry(**said):
        entry = {"weights": {"googlenet-th": {"proofs": [{**proof, **said}]}}}
        overlay.write_text(yaml.safe_dump({"architectures": {"googlenet": entry}}))
        return load_registry([overlay])

    (stated,) = registry().files["googlenet-th"][1].proofs
    told = f"equal to googlenet-caffe (sha256:{SHA256['googlenet-caffe']})"
    assert str(stated) == f"2026-01-01, by Jane Doe: {told}"
    with pytest.raises(RegistryError) as caught:
        registry(**changes)
    assert f"architectures.googlenet.weights.googlenet-th.proofs[0].{reason}" in str(caught.value)
