"""torchvision's weights sets: their files, in the graphs and with the images that they were trained with."""

from __future__ import annotations

import re

import keras
import numpy as np
import pytest
from PIL import Image

import zoo
from converters import convert_file
from tests.support.long import long_but
from tests.support.shares import NETWORKS
from tests.zoo.networks.test_origins import in_cache
from zoo.errors import UnknownNameError
from zoo.fetching.fetcher import resolve
from zoo.finetuning.backbone import recipe_for
from zoo.finetuning.runs import own_recipe
from zoo.networks import predicting
from zoo.networks.loading import Wish, draw
from zoo.networks.predicting import centre
from zoo.networks.weights import as_trained, graphs_of
from zoo.practice import files
from zoo.registry import get_registry

SETS = {
    f"{name} {weights}": (network, weights)
    for name, network in NETWORKS.items()
    for weights in network.weights_sets
    if weights.startswith("torchvision")
}
HELD = {
    file.id: (network, file)
    for network in NETWORKS.values()
    for file in network.weights
    if file.format == "pytorch"
}
OF_RESNETS = {"pool_pad": True, "stride_in_3x3": True}


def test_eight_networks_have_sets_of_torchvision():
    """VGG, ResNet and DenseNet, the ResNets two; of one VGG its authors' convolutions besides."""
    assert list(SETS) == [
        *("vgg16 torchvision", "vgg16 torchvision-features", "vgg19 torchvision"),
        *("resnet50 torchvision", "resnet50 torchvision-v2", "resnet101 torchvision"),
        *("resnet101 torchvision-v2", "resnet152 torchvision", "resnet152 torchvision-v2"),
        *("densenet121 torchvision", "densenet161 torchvision", "densenet169 torchvision"),
    ]


@pytest.mark.parametrize("name", SETS)
def test_a_set_says_its_graph_and_its_images(name):
    """Numbers of the family that are not the Keras network's; recipe, sizes and error of its own."""
    network, weights = SETS[name]
    said, own = network.about(weights), network.graph_for(weights)
    assert own.config == {
        **network.default_graph.config,
        **(OF_RESNETS if network.family == "resnet" else {}),
    }
    assert own.batch_norm_epsilon == (None if network.family == "vgg" else 1e-5)
    assert said.preprocessing.name == ("torch_x255" if weights.endswith("features") else "torch")
    assert said.preprocessing.channel_order == "rgb"
    assert (said.resize, said.interpolation) == (232 if weights.endswith("v2") else 256, "bilinear")
    assert (said.accuracy is None) == weights.endswith("features")
    # Values that are said to be the same would stand in for those of the Keras files, whose images are BGR.
    assert said.same_values_as is None


@pytest.mark.parametrize("name", HELD)
def test_what_a_host_writes_into_a_name_is_checked(name):
    """And agrees with the whole digest, where somebody states that."""
    _, file = HELD[name]
    stated = {digest.algorithm: digest.value for digest in file.digests}
    written = re.search(r"-([0-9a-f]{8})\.pth$", file.filename)
    assert written is not None or file.filename == "model.safetensors"
    if written and "sha256-prefix8" not in stated:  # older files, whose whole digest is stated
        assert stated["sha256"].startswith(written[1])
    elif written:
        assert stated["sha256-prefix8"] == written[1]
        assert stated.get("sha256", written[1]).startswith(written[1])


EPSILONS = {"resnet50": 1e-3, "resnet101": 1.1e-5}
"""Of the Keras files' networks; Caffe and torchvision have another."""


@pytest.mark.parametrize(
    ("weights", "side", "strides"),
    [("imagenet", 55, {"2a", "1"}), ("imagenet-caffe", 56, {"2a", "1"}), ("torchvision", 56, {"2b", "1"})],
)
@pytest.mark.parametrize("name", long_but(["resnet50"], ["resnet50", "resnet101"]))
def test_a_resnet_is_the_one_of_its_set(name, weights, side, strides):
    """Where a stage has its stride, what the first pooling gives (56 x 56 maps in Caffe), and epsilon."""
    network = NETWORKS[name]
    model = draw(network, network.graph_for(weights), Wish(height=224, width=224, classes=0))
    pools = [layer for layer in model.layers if isinstance(layer, keras.layers.MaxPooling2D)]
    assert [pool.output.shape for pool in pools] == [(None, side, side, 64)]
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert {layer.epsilon for layer in norms} == {EPSILONS[name] if weights == "imagenet" else 1e-5}
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert {layer.name.split("branch")[-1] for layer in convolutions if layer.strides == (2, 2)} == {
        "conv1",
        *strides,
    }
    assert model.layers[-1].output.shape in ((None, 2048), (None, 7, 7, 2048))


def own(network, practice_file):
    """Return the network with the values of its practice file, in the Keras graph."""
    return zoo.load(network.name, weights=practice_file(network.name), kernels="th", compile=False)


def expected_of(variable, network, first):
    """Return what a practice file of PyTorch has of a variable of the Keras file's network."""
    values = np.asarray(variable)
    if variable.path == first:  # trained on RGB, as the Keras file on BGR
        return values[:, :, ::-1]
    is_bare = network.family == "resnet" and variable.path.endswith("/bias") and "fc" not in variable.path
    return np.zeros_like(values) if is_bare else values


@pytest.mark.parametrize("name", long_but(["resnet50 torchvision", "densenet121 torchvision"], SETS))
def test_a_set_is_loaded_by_its_name(name, tmp_path, monkeypatch, practice_file):
    """Each value of the file in the graph of its set, and a fresh head on it; nothing is asked of a host."""
    network, weights = SETS[name]
    in_cache(tmp_path, monkeypatch, network, weights)
    if weights.endswith("features"):
        model = zoo.load(network.name, weights=weights, num_classes=0, compile=False)
    else:
        model = zoo.load(network.name, weights=weights, compile=False)
    given = {variable.path: variable for variable in own(network, practice_file).weights}
    first = model.weights[0].path
    for variable in model.weights:
        values = expected_of(given[variable.path], network, first)
        assert np.asarray(variable).tobytes() == np.ascontiguousarray(values).tobytes(), variable.path
    if weights.endswith("features"):  # the dense layers of a VGG below its classifier are not there either
        return
    for one in (model, zoo.replace_head(model, 3)):
        assert recipe_for(one, "auto") == network.about(weights).preprocessing
    inside = zoo.load(network.name, weights=weights, num_classes=10, include_preprocessing=True)
    assert inside.output_shape == (None, 10)
    scale = inside.get_layer("preprocessing").scale
    assert np.ravel(scale).tolist() == list(network.about(weights).preprocessing.scale)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return ``written(id)``: the practice twin of a file, to be read only."""
    folder, made = tmp_path_factory.mktemp("torch"), {}

    def write(name):
        if name not in made:
            network, file = HELD[name]
            made[name] = folder / f"{name}-{file.filename}"
            files.write(file, network, made[name])
        return made[name]

    return write


@pytest.fixture(scope="module")
def of_densenet(written):
    """Return the values of the network that torchvision's DenseNet-121 fills, by their paths."""
    return values_of(zoo.load("densenet121", weights=written("densenet121-torchvision"), compile=False))


def values_of(model):
    """Return all that a model holds, by its path."""
    return {variable.path: np.asarray(variable) for variable in model.weights}


def same(one, other):
    """Return whether two models hold the same, bit for bit."""
    return one.keys() == other.keys() and all(one[path].tobytes() == other[path].tobytes() for path in one)


def test_a_set_is_converted_and_loaded_again(tmp_path, monkeypatch, of_densenet):
    """In the form that is asked for, once; what it was converted to is read as its set, too."""
    network = NETWORKS["densenet121"]
    in_cache(tmp_path, monkeypatch, network, "torchvision")
    for backend in ("tf", "th"):
        found = resolve("densenet121", backend=backend, weights="torchvision")
        assert (found.file.id, found.converted) == ("densenet121-torchvision", True)
        assert resolve("densenet121", backend=backend, weights="torchvision").path == found.path
        again = values_of(zoo.load("densenet121", weights=found.path, kernels=backend, compile=False))
        assert same(again, of_densenet), backend


@pytest.mark.parametrize("name", ["resnet50-torchvision", "resnet50-torchvision-2017", "resnet50-timm"])
def test_a_file_at_a_path_is_taken_for_one_of_its_format(name, written):
    """A ResNet of PyTorch's is v1.5 and is fed as one, in whatever container."""
    network, path = NETWORKS["resnet50"], written(name)
    assert graphs_of(network, path) == (network.graph_for("torchvision"),)
    assert as_trained(network, path).preprocessing.name == "torch"
    model = zoo.load("resnet50", weights=path, num_classes=10, compile=False)
    assert model.get_layer("res3a_branch2b").strides == (2, 2)
    assert recipe_for(model, "auto").name == "torch"


def test_without_a_file_a_resnet_is_that_of_keras():
    """Whose stages have their stride in the first convolution."""
    model = zoo.load("resnet50", weights=None, num_classes=0)
    assert model.get_layer("res3a_branch2a").strides == (2, 2)


@pytest.mark.parametrize("to", ["keras1", "keras2", "keras3", "safetensors", "npz"])
def test_a_converted_file_is_still_one_of_its_format(to, written, tmp_path):
    """Also after a second conversion: the record that each leaves says where the values come from."""
    network = NETWORKS["densenet121"]
    path = convert_file(written("densenet121-torchvision"), tmp_path / "one", to=to).target
    again = convert_file(path, tmp_path / "two.h5", to="keras1", to_layout="th", to_kernels="th").target
    for at in (path, again):
        assert as_trained(network, at).preprocessing.name == "torch"
        assert graphs_of(network, at) == (network.graph_for("torchvision"),)


def test_a_file_of_keras_is_taken_for_what_it_was(practice_file):
    """By its path: the network's own graph and recipe."""
    network, path = NETWORKS["densenet121"], practice_file("densenet121")
    assert graphs_of(network, path) == tuple(network.graphs.values())
    assert as_trained(network, path) == network


def test_containers_and_orders_hold_the_same(written, of_densenet):
    """The same values, whoever's names the layers have."""
    other = zoo.load("densenet121", weights=written("densenet121-timm"), compile=False)
    assert same(values_of(other), of_densenet)


@pytest.mark.parametrize("name", SETS)
def test_images_are_made_ready_as_for_the_set(name):
    """One number by hand: (255 - mean) * scale of red; the order of channels is RGB."""
    network, weights = SETS[name]
    red = np.full((1, 2, 2, 3), (255, 0, 0), np.uint8)
    found = zoo.preprocess_input(network.name, red, weights=weights)[0, 0, 0]
    means = (0.48235, 0.45882, 0.40784) if weights.endswith("features") else (0.485, 0.456, 0.406)
    scales = (1 / 255,) * 3 if weights.endswith("features") else (0.229, 0.224, 0.225)
    wanted = [(value - mean) / std for value, mean, std in zip((1, 0, 0), means, scales, strict=True)]
    assert found == pytest.approx(wanted, rel=1e-6)
    assert zoo.preprocess_input(network.name, red)[0, 0, 0] != pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize("name", SETS)
def test_prediction_and_training_take_the_images_of_the_set(name, monkeypatch):
    """Before a file is read: what is done to pictures, how large they are made, and what a run is told."""
    network, weights = SETS[name]
    said, trained = network.about(weights), as_trained(network, weights)
    monkeypatch.setattr(predicting, "load", lambda *_, **__: None)
    seer = predicting._from_network(network, 5, weights, None)
    assert seer.recipe == said.preprocessing
    rows = np.arange(said.resize, dtype=np.uint8)[:, None, None].repeat(300, axis=1).repeat(3, axis=2)
    begin = (said.resize - 224) // 2
    assert seer.fit(rows)[:, 0, 0].tolist() == list(range(begin, begin + 224))
    assert own_recipe(trained) == said.preprocessing
    assert own_recipe(as_trained(network, "imagenet")) is None


def test_no_recipe_is_made_up_for_a_set_that_is_not_there():
    """As in zoo.load."""
    with pytest.raises(UnknownNameError, match="resnet50 has no weights set 'torchvison'"):
        zoo.preprocess_input("resnet50", np.zeros((1, 2, 2, 3), np.uint8), weights="torchvison")


def test_a_picture_is_cut_out_as_for_the_error_of_the_set():
    """232 pixels on the shorter side and 224 of them, or 256 and 224."""
    rows = np.repeat(np.arange(232, dtype=np.uint8)[:, None, None], 300, axis=1).repeat(3, axis=2)
    assert centre(rows, 224, 224, 232)[:, 0, 0].tolist() == list(range(4, 228))
    assert centre(rows, 224, 224)[0, 0, 0] > 10


STATED = [
    (network, said) for network in NETWORKS.values() for said in network.sets.values() if said.interpolation
]


@pytest.mark.parametrize(("network", "said"), STATED, ids=lambda one: one.name)
def test_a_picture_is_scaled_by_the_filter_of_the_set(network, said, monkeypatch):
    """Bilinear for torchvision's, bicubic for TF-Slim's: what Pillow gives of either, to the bit."""
    monkeypatch.setattr(predicting, "load", lambda *_, **__: None)
    picture = np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8)
    side, scaled = network.input.height, (said.resize, said.resize)
    whole = Image.fromarray(picture).resize(scaled, Image.Resampling[said.interpolation.upper()])
    begin = (said.resize - side) // 2
    expected = np.asarray(whole)[begin : begin + side, begin : begin + side]
    found = predicting._from_network(network, 5, said.name, None).fit(picture)
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("call", [zoo.load, zoo.fetch])
@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_what_is_left_out_is_said_with_its_reason(call, name):
    """Torchvision's networks of the same name that are others."""
    reason = get_registry().architectures[name].left_out["torchvision"]
    with pytest.raises(UnknownNameError) as caught:
        call(name, weights="torchvision")
    assert f"; 'torchvision' is left out: {reason}" in str(caught.value)
