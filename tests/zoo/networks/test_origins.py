"""What the authors published: the Keras files' values, in the graphs that they were trained with."""

from __future__ import annotations

import shutil
from dataclasses import replace

import keras
import numpy as np
import pytest
import yaml

import zoo
from converters.formats.dialects import describe
from converters.formats.opening import open_untrusted
from converters.hdf5.metadata import datasets_of
from tests.origins_page import hosts_of
from tests.support.long import long_but
from tests.support.shares import NETWORKS, ORIGINS, STAND_INS
from zoo.errors import ArgumentError, RegistryError, StructureMismatchError
from zoo.fetching.verification import check_structure
from zoo.networks.families.drawing import Pen
from zoo.networks.families.resnet import _namer, _stem
from zoo.networks.weights import choose_weights
from zoo.practice import files
from zoo.registry import load_registry
from zoo.registry.digests import hash_file
from zoo.storage.cache import Cache, Item


def test_every_network_has_an_origin():
    """Files of Caffe, but for the Inceptions: their authors published TensorFlow's, which others ported."""
    inceptions = {name for name, one in NETWORKS.items() if one.family.startswith("inception")}
    assert set(ORIGINS) == set(NETWORKS) - inceptions
    assert {network.name for _, network in STAND_INS.values()} == set(NETWORKS)


@pytest.mark.parametrize("stand_in", STAND_INS)
def test_what_is_said_of_an_origin_names_a_set_and_somebody(stand_in):
    """Its set is that of Keras files of the same graph, and it has files with a digest."""
    said, network = STAND_INS[stand_in]
    assert said.same_values_as in network.weights_sets
    assert network.graph_for(said.name).name == network.graph_for(said.same_values_as).name
    assert said.stated_by
    held = [file for file in network.weights if file.set == said.name]
    assert held
    known = {"caffemodel": ("sha256", "sha384", "sha1"), "pytorch": ("sha256", "sha256-prefix8")}
    assert all(digest.algorithm in known[file.format] for file in held for digest in file.digests)
    assert all(file.digests and len(file.urls) > 0 for file in held)


ONE_HOST = {("inception_v3", "imagenet"), ("resnet50", "imagenet-0.1")}
"""Weights sets on one host alone: the author of one trained it in Keras and published nothing else; the other
was replaced after six days, and nobody states whether its values are those of what it was replaced by."""

KERAS_SETS = [
    (name, weights_set)
    for name, network in NETWORKS.items()
    for weights_set in network.weights_sets
    if any(file.format is None and file.set == weights_set for file in network.weights)
]


@pytest.mark.parametrize(("name", "weights_set"), KERAS_SETS)
def test_every_set_has_sources_on_two_independent_hosts(name, weights_set):
    """What one of them loses is to be had from another, if only from the file that it was converted from."""
    network = NETWORKS[name]
    sets = {weights_set, *(said.name for said in network.origins_of(weights_set))}
    hosts = hosts_of(file for file in network.weights if file.set in sets)
    assert (len(hosts) < 2) == ((name, weights_set) in ONE_HOST), hosts


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


@pytest.mark.parametrize("name", long_but(["googlenet"], ALIKE))
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


def offset_of(path, layer, role):
    """Return where the values of an array lie in a file of PyTorch."""
    layers = {one.name: one for one in describe(path).layers}
    with open_untrusted(path) as source:
        return datasets_of(source.tree)[layers[layer].array(role).path].offset


INCEPTIONS = {name: one for name, one in STAND_INS.items() if one[1].family.startswith("inception")}

SLOPES = "gamma of 1 left out"
RULES = {
    "imagenet-2017-pytorch": {SLOPES: 94, "dropped class 0": 1},
    "imagenet-pytorch": {},
    "imagenet-2.1-pytorch": {SLOPES: 149},
}
"""How many layers are equal after which rule, by the weights set of an Inception's origin."""


@pytest.mark.parametrize(
    "stand_in", long_but(["inception_v3 imagenet-2017-pytorch"], INCEPTIONS), ids=lambda name: name
)
def test_an_inception_s_origin_stands_in_and_proves_it(stand_in, tmp_path, monkeypatch):
    """Without any host: the copy has the Keras file's values, in each form; a flipped bit is named."""
    said, network = INCEPTIONS[stand_in]
    record = next(file for file in network.weights if file.set == said.same_values_as and file.top)
    keras_file = tmp_path / "keras.h5"
    files.write(record, network, keras_file)
    in_cache(tmp_path, monkeypatch, network, said.name)
    origin = zoo.fetch(next(file.id for file in network.weights if file.set == said.name))
    proof = zoo.prove(keras_file, origin=origin, from_kernels=record.kernels)
    assert proof.proven
    assert {rule: len(names) for rule, names in proof.rules.items()} == RULES[said.name]
    for backend in ("th", "tf"):
        copy = zoo.fetch(network.name, backend=backend, weights=said.same_values_as)
        assert copy.parent == tmp_path / "home" / network.name
        assert zoo.prove(copy, origin=keras_file).proven
    damaged = tmp_path / "damaged.pth"
    shutil.copy(origin, damaged)
    name = next(layer.name for layer in describe(origin).layers if layer.kind == "Dense")
    at = offset_of(damaged, name, "bias")
    with damaged.open("r+b") as stream:
        stream.seek(at + 4 * 7)
        (lowest,) = stream.read(1)
        stream.seek(at + 4 * 7)
        stream.write(bytes([lowest ^ 1]))
    proof = zoo.prove(keras_file, origin=damaged, from_kernels=record.kernels)
    assert str(proof).startswith(f"not proven, 1 layer different ({network.default_graph.heads[0].layer}): ")


@pytest.mark.parametrize("stand_in", ["inception_v3 imagenet-2017-pytorch"])
def test_a_slope_that_is_not_one_is_refused(stand_in, tmp_path):
    """It cannot be left out, and folding it would round: the layer is named, and its value."""
    said, network = INCEPTIONS[stand_in]
    record = next(file for file in network.weights if file.set == said.name)
    files.write(record, network, tmp_path / "file.pth")
    description = describe(tmp_path / "file.pth")
    slope = next(
        layer.array("gamma") for layer in description.layers if layer.name == "Mixed_5b.branch1x1.bn"
    )
    with open_untrusted(tmp_path / "file.pth") as source:
        offset = datasets_of(source.tree)[slope.path].offset
    with (tmp_path / "file.pth").open("r+b") as stream:
        stream.seek(offset + 4 * 7)
        stream.write(np.float32(1.25).tobytes())
    with pytest.raises(StructureMismatchError) as caught:
        check_structure(network, record, tmp_path / "file.pth", "file.pth")
    reason = "gamma is 1.25 for output 7, and not 1; it cannot be left out"
    place = "'batch_normalization_6' of inception_v3_2017 has no gamma"
    assert str(caught.value) == f"file.pth: layer 'Mixed_5b.branch1x1.bn': {reason}, and {place}"
    with pytest.raises(ArgumentError, match="holds no network that zoo knows"):
        zoo.prove(tmp_path / "file.pth", origin=tmp_path / "file.pth")


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
