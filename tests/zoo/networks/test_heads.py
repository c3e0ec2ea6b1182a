"""Fresh heads on every network: what is read, what is trained, what is frozen, what is saved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

import zoo
from converters.planning.structures import load_structure
from tests.support.channels_first import turn_convolutions
from tests.support.forgetting import forget
from tests.support.long import long_but
from tests.support.outlines import outline
from tests.support.shares import NETWORKS
from zoo.errors import ArgumentError, UnknownNameError
from zoo.networks import heads as head
from zoo.registry.records import Architecture

CLASSES = 10

ROLES = {
    "W": "kernel",
    "b": "bias",
    "gamma": "gamma",
    "beta": "beta",
    "running_mean": "moving_mean",
    "running_std": "moving_variance",
}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Start from the same random numbers."""
    keras.utils.set_random_seed(12)


def small(network: Architecture) -> tuple[int, int, int] | None:
    """Return small images that a network takes with its head, ``None`` for the published ones.

    Not the smallest: two images of one pixel each leave batch normalisation without a gradient.
    """
    flattens = any(layer.flatten for layer in load_structure(network.default_graph.structures[0]).layers)
    side = max(network.input.min_size, 64)
    return None if flattens else (side, side, 3)


def stored(path: Path, network: Architecture) -> dict[str, dict[str, np.ndarray]]:
    """Read a Theano file by hand: arrays by layer and role, as TensorFlow takes them, Scale layers folded."""
    structure = load_structure(network.default_graph.structures[0])
    arrays: dict[str, dict[str, np.ndarray]] = {}
    with h5py.File(path) as file:
        for layer in structure.weighted:
            group = file[layer.name]
            arrays[layer.name] = {
                ROLES[name.decode().removeprefix(f"{layer.name}_")]: group[name.decode()][()]
                for name in group.attrs["weight_names"]
            }
            kernel = arrays[layer.name].get("kernel")
            if kernel is not None and kernel.ndim == 4:
                arrays[layer.name]["kernel"] = kernel[:, :, ::-1, ::-1].transpose(2, 3, 1, 0)
            if layer.flatten:
                rows = kernel.reshape(*layer.flatten, -1).transpose(1, 2, 0, 3)
                arrays[layer.name]["kernel"] = rows.reshape(kernel.shape)
    for name in [layer.name for layer in structure.weighted if layer.kind == "Scale"]:
        scale, norm = arrays.pop(name), arrays[name.replace("scale", "bn")]
        norm["beta"] = scale["gamma"] * norm["beta"] + scale["beta"]
        norm["gamma"] = scale["gamma"] * norm["gamma"]
    return arrays


def snapshot(model: keras.Model) -> dict[str, list[np.ndarray]]:
    """Return a copy of the weights of each layer that has any."""
    return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}


def same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    """Tell whether two lists of arrays are equal bit for bit."""
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def awaken(model: keras.Model) -> None:
    """Set all offsets of batch normalisation to zero; those of practice files silence training."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.beta.assign(np.zeros(layer.beta.shape))


def labels(model: keras.Model, noise: np.ndarray, *, one_hot: bool):
    """Return labels for each output: the class that it finds least probable, so that there is much to learn.

    Practice values make outputs so sure that a label which happens to be right would teach nothing.
    """
    outputs = model(noise)
    chosen = [np.argmin(output, axis=1) for output in (outputs if isinstance(outputs, list) else [outputs])]
    if one_hot:
        chosen = [np.eye(CLASSES, dtype=np.float32)[classes] for classes in chosen]
    return chosen if len(chosen) > 1 else chosen[0]


def fit_one_step(model: keras.Model, *, one_hot: bool) -> dict[str, list[float]]:
    """Train on two random images, without the minutes that compiling a large graph takes."""
    head.compile_for_finetuning(model)
    model.run_eagerly = True
    noise = np.random.default_rng(11).normal(0, 50, (2, *model.input_shape[1:])).astype(np.float32)
    return model.fit(noise, labels(model, noise, one_hot=one_hot), batch_size=2, verbose=0).history


@dataclass(frozen=True)
class Headed:
    """A network with fresh heads, the first half of its layers frozen.

    Attributes:
        network: The network.
        path: The file that it was read from.
        model: The model.
        frozen: Names of the layers with weights in that half.
    """

    network: Architecture
    path: Path
    model: keras.Model
    frozen: set[str]


@pytest.fixture(scope="module")
def headed(request: pytest.FixtureRequest, practice_file) -> Iterator[Headed]:
    """Return a network with fresh heads, read from its practice file once for all tests of it."""
    keras.utils.set_random_seed(12)
    network = NETWORKS[request.param]
    path = practice_file(network.name)
    published = load_structure(network.default_graph.structures[0]).layers
    half = len(published) // 2
    model = zoo.load(network.name, num_classes=CLASSES, weights=path, input_shape=small(network), freeze=half)
    weighted = {layer.name for layer in model.layers if layer.weights}
    frozen = {layer.name.replace("/", "__") for layer in published[:half]} & weighted
    yield Headed(network, path, model, frozen)
    forget()


def on(*ordinary: str) -> pytest.MarkDecorator:
    """Let a test have each network as ``headed``, those that are not named long."""
    return pytest.mark.parametrize("headed", long_but(ordinary, NETWORKS), indirect=True, scope="module")


@on("vgg16", "googlenet", "resnet50")
def test_a_fresh_head_on_every_network(headed):
    """The backbone is the file's to the bit."""
    model, heads = headed.model, headed.network.default_graph.heads
    assert [tuple(output.shape) for output in model.outputs] == [(None, CLASSES)] * len(heads)
    assert model.output_names == [entry.name for entry in heads]
    own = {entry.layer.replace("/", "__") for entry in heads}
    expected = stored(headed.path, headed.network)
    weighted = {layer.name: layer for layer in model.layers if layer.weights}
    assert set(weighted) == {name.replace("/", "__") for name in expected}
    for name, arrays in expected.items():
        layer = weighted[name.replace("/", "__")]
        if layer.name in own:
            kernel, bias = layer.get_weights()
            assert kernel.shape == (arrays["kernel"].shape[0], CLASSES)
            assert kernel.std() > 0.01
            assert not bias.any()
            continue
        assert [variable.name for variable in layer.weights] == list(arrays)
        assert same(layer.get_weights(), list(arrays.values()))
    assert headed.frozen
    assert {layer.name for layer in weighted.values() if not layer.trainable} == headed.frozen


def check_step(headed: Headed, *, one_hot: bool) -> None:
    """Train one step: what is frozen stays, and all else changes."""
    awaken(headed.model)
    before = snapshot(headed.model)
    history = fit_one_step(headed.model, one_hot=one_hot)
    assert all(np.isfinite(values).all() for values in history.values())
    unchanged = {name for name, arrays in snapshot(headed.model).items() if same(arrays, before[name])}
    assert unchanged == headed.frozen


@on("resnet50")
def test_a_step_changes_what_is_trained_and_nothing_else(headed):
    """With one-hot labels."""
    check_step(headed, one_hot=True)


@on("googlenet")
def test_a_step_with_integers_changes_the_same(headed):
    """The loss takes either."""
    check_step(headed, one_hot=False)


@pytest.mark.long  # test_saving asks it of a small model in each run
def test_fit_takes_labels_in_every_form(practice_file):
    """GoogLeNet's three outputs take a list or a dict of labels, one-hot or integers."""
    model = zoo.load("googlenet", num_classes=CLASSES, weights=practice_file("googlenet"), freeze="backbone")
    noise = np.random.default_rng(2).normal(0, 50, (2, 224, 224, 3)).astype(np.float32)
    for one_hot in (True, False):
        listed = labels(model, noise, one_hot=one_hot)
        by_name = dict(zip(model.output_names, listed, strict=True))
        head.compile_for_finetuning(model)  # as load did: metrics are settled by the first labels
        model.run_eagerly = True
        for given in (listed, by_name):
            history = model.fit(noise, given, batch_size=2, verbose=0).history
            losses = [history[f"loss{number}_loss"][0] for number in (1, 2, 3)]
            assert {f"loss{number}_accuracy" for number in (1, 2, 3)} <= set(history)
            # All three count the same.
            assert history["loss"][0] == pytest.approx(sum(losses), rel=1e-5)
    forget()


@pytest.mark.long
@pytest.mark.parametrize("eager", [True, False])
def test_channels_first_trains_too(eager, monkeypatch):
    """One step in channels-first order, compiled or not, changes the first kernel."""
    turn_convolutions(monkeypatch)
    model = zoo.load(
        "resnet50", num_classes=CLASSES, weights=None, input_shape=(3, 64, 64), data_format="channels_first"
    )
    model.run_eagerly = eager
    before = snapshot(model)
    noise = np.random.default_rng(2).normal(0, 50, (2, 3, 64, 64)).astype(np.float32)
    model.fit(noise, labels(model, noise, one_hot=False), batch_size=2, verbose=0)
    assert not same(snapshot(model)["conv1"][:1], before["conv1"][:1])
    forget()


def test_compiled_as_the_tutorials_do():
    """SGD with a step of 1e-3 and Nesterov momentum 0.9, cross-entropy, accuracy."""
    model = zoo.load("googlenet", num_classes=3, weights=None, input_shape=(32, 32, 3), aux_heads=False)
    optimizer = model.optimizer
    assert type(optimizer).__name__ == "SGD"
    assert float(optimizer.learning_rate) == pytest.approx(1e-3)
    assert (optimizer.momentum, optimizer.nesterov) == (0.9, True)
    assert model.get_compile_config()["loss"] == ["crossentropy"]
    assert model.get_compile_config()["metrics"] == ["accuracy"]


def test_frozen_batch_normalisation_works_as_in_inference():
    """With everything frozen, training mode and inference mode give the same features."""
    model = zoo.load("resnet50", num_classes=2, weights=None, input_shape=(32, 32, 3), freeze="backbone")
    noise = np.random.default_rng(4).normal(0, 50, (2, 32, 32, 3)).astype(np.float32)
    assert np.array_equal(model(noise, training=True), model(noise, training=False))


def frozen_names(model: keras.Model) -> list[str]:
    """Return the names of the layers with weights that are not trained, in the model's order."""
    return [layer.name for layer in model.layers if layer.weights and not layer.trainable]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (None, []),
        (0, []),
        (2, []),  # input, padding
        (10, ["conv1", "bn_conv1", "res2a_branch2a", "bn2a_branch2a", "res2a_branch2b"]),
        ("maxpooling2d_1", ["conv1", "bn_conv1"]),
        ("bn_conv1", ["conv1", "bn_conv1"]),
    ],
)
def test_freeze_counts_the_published_list(where, expected):
    """The first ten entries of ResNet-50 are input, padding, two weighted layers and so on."""
    model = outline("resnet50", num_classes=2, input_shape=(32, 32, 3), freeze=where)
    assert frozen_names(model) == expected


@pytest.mark.parametrize("where", ["inception_3a/1x1", "inception_3a__1x1", 16])
def test_freeze_takes_either_way_to_write_a_name(where):
    """A slash and two underlines are the same; the order is that of the published list."""
    model = outline("googlenet", num_classes=2, freeze=where)
    assert frozen_names(model) == [
        "conv1__7x7_s2",
        "conv2__3x3_reduce",
        "conv2__3x3",
        "inception_3a__3x3_reduce",
        "inception_3a__5x5_reduce",
        "inception_3a__1x1",
    ]


@pytest.mark.parametrize("where", ["block2_pool", "block2_conv2", "maxpooling2d_2", "convolution2d_4", 10])
def test_freeze_takes_names_of_other_structures(where):
    """VGG's layers have two sets of names; either stops at the same convolution."""
    model = outline("vgg16", num_classes=0, input_shape=(32, 32, 3), freeze=where)
    assert frozen_names(model) == [f"convolution2d_{number}" for number in (1, 2, 3, 4)]


def test_freeze_takes_a_scale_layer_for_the_batch_normalisation_it_is_part_of():
    """Up to scale2a_branch2a is up to the batch normalisation that it was folded into."""
    model = outline("resnet101", num_classes=2, input_shape=(32, 32, 3), freeze="scale2a_branch2a")
    assert frozen_names(model) == ["conv1", "bn_conv1", "res2a_branch2a", "bn2a_branch2a"]


@pytest.mark.parametrize(
    ("name", "shape", "own"),
    [
        ("densenet121", (32, 32, 3), ["fc6"]),
        ("resnet50", (32, 32, 3), ["fc1000"]),
        ("googlenet", None, ["loss1__classifier", "loss2__classifier", "loss3__classifier"]),
    ],
)
def test_the_backbone_is_all_but_the_heads(name, shape, own):
    """With the backbone frozen only the replaced dense layers are trained."""
    model = outline(name, num_classes=2, input_shape=shape, freeze="backbone")
    assert [layer.name for layer in model.layers if layer.weights and layer.trainable] == own


@pytest.mark.parametrize("where", [178, -1, True, 2.0, (3,)])
def test_freeze_refuses_what_is_no_number_of_layers(where):
    """The message says how many layers there are and what else is allowed."""
    with pytest.raises(ArgumentError) as caught:
        zoo.load("resnet50", weights=None, freeze=where)
    assert str(caught.value) == (
        f"freeze={where!r}: must be a number of layers from 0 to 177, a layer's name, 'backbone' or None"
        " (resnet50 has 177 layers)"
    )


def test_freeze_names_the_nearest_layer():
    """An unknown name is answered with the one that was probably meant."""
    with pytest.raises(UnknownNameError) as caught:
        zoo.load("vgg16", weights=None, freeze="block4_pol")
    assert str(caught.value) == "freeze='block4_pol': vgg16 has no such layer; did you mean block4_pool?"


@pytest.mark.parametrize(
    ("name", "dropout", "rates"),
    [
        ("resnet50", 0.0, {}),
        ("resnet50", 0.3, {"dropout": 0.3}),
        ("inception_v4", 0.0, {"dropout_1": 0.2}),
        ("inception_v4", 0.3, {"dropout_1": 0.3}),
        ("googlenet", 0.0, {"dropout_1": 0.7, "dropout_2": 0.7, "dropout_3": 0.4}),
        ("googlenet", 0.3, {"dropout_1": 0.3, "dropout_2": 0.3, "dropout_3": 0.3}),
        ("vgg16", 0.3, {"dropout_1": 0.5, "dropout_2": 0.3}),
    ],
)
def test_dropout_before_each_classifier(name, dropout, rates):
    """A rate above 0 replaces the published one right before the dense layer, or adds a layer there."""
    model = outline(name, num_classes=2, dropout=dropout)
    found = {layer.name: layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)}
    assert found == rates
