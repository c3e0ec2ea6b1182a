"""What load accepts and refuses, and which file it reads; what comes out is tested elsewhere."""

from __future__ import annotations

import gc
import hashlib
import re
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

import converters
import zoo
from converters.arrays.blocks import aligned_empty
from converters.planning.structures import Structure, load_structure
from tests.support.forgetting import forget
from tests.support.outlines import outline, without_values
from tests.support.weight_files import BY_NAMES_IN_PYTHON, write_empty, write_empty_numbered
from zoo import practice
from zoo.errors import ArgumentError, FileFormatError, StructureMismatchError, UnknownNameError
from zoo.networks.heads import compile_for_finetuning
from zoo.networks.made_variables import named_alike, tensor_of
from zoo.practice.files import write
from zoo.practice.server import not_found
from zoo.registry import load_registry

NETWORKS = load_registry(()).architectures


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Free what Keras holds of the last model."""
    yield
    forget()


def changed(structure: Structure, name: str, **arrays: tuple[int, ...]) -> Structure:
    """Return a structure in which some arrays of one layer have another shape."""
    layers = [
        replace(layer, arrays={**layer.arrays, **arrays}) if layer.name == name else layer
        for layer in structure.layers
    ]
    return replace(structure, layers=tuple(layers))


def message(error: type[Exception], name: str, **arguments) -> str:
    """Return what load says when it refuses."""
    with pytest.raises(error) as caught:
        zoo.load(name, **arguments)
    return str(caught.value)


# Arguments that are wrong by themselves.


@pytest.mark.parametrize("value", [True, -1, 2.0, "10", (10,)])
def test_num_classes_that_is_no_count(value):
    """The message says what is allowed."""
    assert message(ArgumentError, "resnet50", num_classes=value) == (
        f"num_classes={value!r}: must be None (the published head), 0 (no head) or a number of classes from 1"
    )


def test_num_classes_may_be_a_number_of_numpy():
    """The largest label plus one, as NumPy gives it, is a count."""
    model = outline("resnet50", num_classes=np.int64(4), input_shape=(32, 32, 3))
    assert model.output_shape == (None, 4)


def test_a_softmax_of_one_output():
    """It would never learn; the message says what would."""
    assert message(ArgumentError, "resnet50", num_classes=1) == (
        "num_classes=1: the softmax of one output is 1 whatever goes in; activation='sigmoid' is for one"
        " output, num_classes=2 for two classes"
    )


@pytest.mark.parametrize(
    ("classes", "activation", "expected"),
    [
        (5, "relu", "activation='relu': must be 'softmax', 'sigmoid', 'linear' or None"),
        (5, 1, "activation=1: must be 'softmax', 'sigmoid', 'linear' or None"),
        (0, None, "activation=None: num_classes=0 leaves no classifier that could end in it"),
        (
            None,
            "sigmoid",
            "activation='sigmoid': the published head was trained with a softmax; num_classes=N puts a fresh"
            " one on",
        ),
    ],
)
def test_activations_that_a_head_cannot_have(classes, activation, expected):
    """Before anything is fetched."""
    assert message(ArgumentError, "vgg16", num_classes=classes, activation=activation) == expected


@pytest.mark.parametrize(
    ("activation", "loss", "metric"),
    [
        ("sigmoid", "BinaryCrossentropy", "BinaryAccuracy"),
        (None, "SparseCategoricalCrossentropy", "accuracy"),
    ],
)
def test_every_head_has_the_activation_and_the_loss_that_fits(activation, loss, metric):
    """GoogLeNet has three, whose softmax is a layer of its own."""
    model = outline("googlenet", num_classes=3, activation=activation)
    compile_for_finetuning(model)
    name = activation or "linear"
    assert [model.get_layer(one).activation.__name__ for one in model.output_names] == [name] * 3
    said = model.get_compile_config()
    assert {entry["class_name"] for entry in said["loss"].values()} == {loss}
    shown = [
        entry if isinstance(entry, str) else entry["class_name"] for (entry,) in said["metrics"].values()
    ]
    assert shown == [metric] * 3


def test_logits_of_the_published_head():
    """What its softmax would be taken of."""
    model = outline("resnet50", input_shape=(32, 32, 3), activation=None)
    assert model.layers[-1].activation is keras.activations.linear


@pytest.mark.parametrize(("classes", "pooling"), [(None, "avg"), (5, "max"), (0, "mean"), (0, True)])
def test_pooling_where_it_means_nothing(classes, pooling):
    """Pooling is for a model without a head, and has two values."""
    assert message(ArgumentError, "vgg16", num_classes=classes, pooling=pooling, weights=None) == (
        f"pooling={pooling!r}: must be None, or with num_classes=0 'avg' or 'max'"
    )


@pytest.mark.parametrize("value", [-0.1, 1, 1.5, True, "0.5", None])
def test_dropout_that_is_no_rate(value):
    """A rate lies from 0 up to 1."""
    assert message(ArgumentError, "vgg16", dropout=value, weights=None) == (
        f"dropout={value!r}: must be a number from 0 up to, but not including, 1"
    )


def test_dropout_without_a_head():
    """Where there is no classifier there is nothing to put dropout before."""
    assert message(ArgumentError, "vgg16", num_classes=0, dropout=0.5, weights=None) == (
        "dropout=0.5: num_classes=0 leaves no classifier to put it before"
    )


def test_aux_heads_that_is_no_flag():
    """A count of heads is not what is asked for."""
    assert message(ArgumentError, "googlenet", aux_heads=0) == "aux_heads=0: must be True or False"


def test_data_format_that_is_none():
    """The layouts of weights files are not orders of channels."""
    assert message(ArgumentError, "vgg16", data_format="th") == (
        "data_format='th': must be 'channels_first', 'channels_last' or None (Keras' own setting)"
    )


@pytest.mark.parametrize(
    "shape",
    [(224, 224), (3, 224, 224), (224.0, 224, 3), (224, 224, None), (224, 224, 0), 224, "224x224"],
)
def test_input_shape_that_is_none(shape):
    """Two sides and channels, in the model's order."""
    assert message(ArgumentError, "resnet50", input_shape=shape, data_format="channels_last") == (
        f"input_shape={shape!r}: must be (H, W, 3), H and W integers, or None for any, and 3 may be another"
        " number of channels; data_format='channels_first' is for the other order of axes"
    )


def test_input_shape_in_the_other_order():
    """With channels first the channels come first."""
    assert message(ArgumentError, "resnet50", input_shape=(64, 64, 3), data_format="channels_first") == (
        "input_shape=(64, 64, 3): must be (3, H, W) with channels_first, H and W integers, or None for any,"
        " and 3 may be another number of channels; data_format='channels_last' is for the other order of axes"
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_images_that_are_too_small(name):
    """One pixel less than the registry's minimum is refused, with the minimum."""
    size = NETWORKS[name].input.min_size
    assert message(ArgumentError, name, input_shape=(400, size - 1, 3), num_classes=0) == (
        f"input_shape=(400, {size - 1}, 3): {name} takes images from ({size}, {size}, 3) upwards"
    )


@pytest.mark.parametrize(
    ("name", "classes", "expected"),
    [
        (
            "vgg16",
            10,
            "input_shape=(192, 256, 3): vgg16: its dense layers take 224x224 images only;"
            " num_classes=0 leaves them out and takes any size from 32x32",
        ),
        (
            "googlenet",
            None,
            "input_shape=(192, 256, 3): googlenet: its auxiliary heads take 224x224 images only;"
            " aux_heads=False leaves them out and takes any size from 32x32",
        ),
    ],
)
def test_other_sizes_before_dense_layers(name, classes, expected):
    """Dense layers behind a flattened map refuse other sizes before anything is fetched."""
    assert message(ArgumentError, name, num_classes=classes, input_shape=(192, 256, 3)) == expected


@pytest.mark.parametrize(
    ("name", "arguments", "shape"),
    [
        ("resnet50", {"num_classes": 7}, (None, 7)),
        ("resnet50", {"num_classes": 0}, (None, 3, 5, 2048)),
        ("resnet50", {"num_classes": 0, "data_format": "channels_first"}, (None, 2048, 3, 5)),
        ("resnet50", {"num_classes": 0, "pooling": "avg"}, (None, 2048)),
        ("vgg16", {"num_classes": 0}, (None, 3, 5, 512)),
        ("vgg16", {"num_classes": 0, "pooling": "max"}, (None, 512)),
        ("googlenet", {"aux_heads": False}, (None, 1000)),
        ("googlenet", {"num_classes": 0}, (None, 3, 5, 1024)),
        ("densenet121", {"num_classes": 2}, (None, 2)),
    ],
)
def test_other_sizes_pool_globally(name, arguments, shape):
    """Images of 96x160 go through all but dense layers behind a flattened map."""
    size = (3, 96, 160) if arguments.get("data_format") else (96, 160, 3)
    model = outline(name, input_shape=size, **arguments)
    assert model.output_shape == shape


@pytest.mark.parametrize("setting", ["channels_first", "channels_last"])
def test_data_format_none_is_the_setting_of_keras(setting):
    """Without a word from the caller the model has the order that Keras is set to."""
    before = keras.config.image_data_format()
    keras.config.set_image_data_format(setting)
    try:
        model = outline("resnet50", num_classes=2)
    finally:
        keras.config.set_image_data_format(before)
    expected = (None, 3, 224, 224) if setting == "channels_first" else (None, 224, 224, 3)
    assert model.input_shape == expected


# What is compiled, and what starts at random.


def test_compile_can_be_left_out():
    """With compile=False there is no optimiser, and without a head neither."""
    small = {"weights": None, "aux_heads": False, "input_shape": (32, 32, 3)}
    with without_values():
        assert not zoo.load("googlenet", **small, compile=False).compiled
        assert not zoo.load("googlenet", **small, num_classes=0).compiled
    assert zoo.load("googlenet", **small).compiled


def test_random_weights_are_random_and_saved_as_such():
    """Kernels come from Glorot's uniform distribution, and a copy from the configuration starts there too."""
    small = {"aux_heads": False, "input_shape": (32, 32, 3)}
    model = zoo.load("googlenet", weights=None, num_classes=3, **small, compile=False)
    copy = keras.models.clone_model(model)
    for one in (model, copy):
        kernels = [layer.kernel.numpy() for layer in one.layers if hasattr(layer, "kernel_initializer")]
        for kernel in kernels:
            area = np.prod(kernel.shape[:-2])
            limit = np.sqrt(6 / (area * (kernel.shape[-2] + kernel.shape[-1])))
            assert 0.9 * limit < np.abs(kernel).max() <= limit * 1.0001
    assert not np.array_equal(first_kernel(model), first_kernel(copy))


# Names of sets and paths.


@pytest.mark.parametrize("weights", ["", 5, b"x.h5", True])
def test_what_is_neither_path_nor_name(weights):
    """The message says what weights may be."""
    assert message(ArgumentError, "vgg16", weights=weights) == (
        f"weights={weights!r}: must be a weights set's name, the path of a file or None"
    )


def test_a_weights_set_that_is_none():
    """The sets there are, and the nearest one."""
    assert message(UnknownNameError, "resnet50", weights="imagnet") == (
        "weights='imagnet': resnet50 has the weights sets imagenet, imagenet-0.1, imagenet-caffe,"
        " torchvision, torchvision-v2, or None for random weights; did you mean imagenet?"
    )


def test_a_file_that_looks_like_a_set(tmp_path, monkeypatch):
    """A file of that name is pointed out."""
    monkeypatch.chdir(tmp_path)
    Path("mine").touch()
    text = message(UnknownNameError, "vgg16", weights="mine")
    assert text.endswith("; for the file of that name here, write weights='./mine'")


def test_an_architecture_that_is_none():
    """The nearest names come from the registry."""
    assert "resnet50" in message(UnknownNameError, "resnet5")


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        (
            "imagenet",
            "kernels='th': is for files given by their path;"
            " the registry tells it for the weights set 'imagenet'",
        ),
        (None, "kernels='th': weights=None reads no file whose kernels could be told"),
    ],
)
def test_kernels_where_they_are_known(weights, expected):
    """Kernels are told for files alone."""
    assert message(ArgumentError, "vgg16", weights=weights, kernels="th") == expected


def test_kernels_that_are_none():
    """There are two kinds."""
    assert (
        message(ArgumentError, "vgg16", kernels="flipped") == "kernels='flipped': must be 'th', 'tf' or None"
    )


# Files that do not hold the network.


def test_a_file_that_is_none(tmp_path):
    """A path that leads nowhere is named."""
    assert str(tmp_path / "none.h5") in message(FileFormatError, "vgg16", weights=tmp_path / "none.h5")


def test_a_layer_too_few(tmp_path):
    """The missing layer is named with its shapes."""
    structure = load_structure("resnet50").without(["bn3c_branch2b"])
    path = write_empty(tmp_path / "few.h5", structure)
    assert message(StructureMismatchError, "resnet50", weights=path) == (
        f"{path}: not the layers of resnet50: layer 'bn3c_branch2b' is missing"
        " (gamma (128,), beta (128,), moving_mean (128,), moving_variance (128,))"
    )


def test_a_layer_too_many(tmp_path):
    """The layer that does not belong there is named with its shapes."""
    structure = load_structure("densenet121")
    extra = replace(structure.weighted[3], name="conv9")
    path = write_empty(tmp_path / "many.h5", replace(structure, layers=(*structure.layers, extra)))
    text = message(StructureMismatchError, "densenet121", weights=path)
    assert text.startswith(f"{path}: not the layers of densenet121: layer 'conv9' (")
    assert text.endswith("does not belong there")


def test_a_layer_of_another_shape(tmp_path):
    """Both shapes are named, for a kernel in either layout."""
    structure = changed(load_structure("googlenet"), "inception_4c/5x5", kernel=(5, 5, 24, 65))
    path = write_empty(tmp_path / "shape.h5", structure)
    assert message(StructureMismatchError, "googlenet", weights=path) == (
        f"{path}: not the layers of googlenet: layer 'inception_4c/5x5': kernel has shape (65, 24, 5, 5),"
        " expected (5, 5, 24, 64) (tf) or (64, 24, 5, 5) (th)"
    )


@pytest.mark.parametrize("dialect", ["keras0", "keras1"])
def test_another_network_of_the_family(tmp_path, dialect):
    """VGG-19's file is not VGG-16's; the message is about the structure that comes nearest."""
    writer = write_empty_numbered if dialect == "keras0" else write_empty
    path = writer(tmp_path / "vgg19.h5", load_structure("vgg19"))
    text = message(StructureMismatchError, "vgg16", weights=path)
    assert re.match(rf"{re.escape(str(path))}: not the layers of vgg16: layer '\w+'", text)


def test_the_nearest_of_several_graphs_is_named(tmp_path):
    """A damaged file of 2017 is compared with the graph of 2017, not with that of 2016."""
    structure = changed(load_structure("inception_v3_2017"), "batch_normalization_9", beta=(63,))
    path = write_empty(tmp_path / "v3.h5", structure, layout="tf")
    assert message(StructureMismatchError, "inception_v3", weights=path) == (
        f"{path}: not the layers of inception_v3_2017: layer 'batch_normalization_9': beta has shape (63,),"
        " expected (64,)"
    )


@pytest.mark.parametrize(
    "graph", [pytest.param("inception_v4", marks=pytest.mark.long), "inception_v4_noscale"]
)
def test_the_graph_is_told_by_the_file(tmp_path, graph):
    """A file with a gamma is of release 2.0, one without is of 2.1; each gets its own model."""
    path = write_empty(tmp_path / "v4.h5", load_structure(graph), layout="tf")
    model = zoo.load("inception_v4", weights=path, num_classes=2, input_shape=(75, 75, 3))
    gammas = {layer.scale for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)}
    assert gammas == {graph == "inception_v4"}


# Files without the top.


def test_a_file_without_its_top_keeps_no_head(tmp_path):
    """The published head cannot be had from it; the message says what can."""
    path = write_empty(tmp_path / "notop.h5", load_structure("resnet50").without(["fc1000"]))
    assert message(StructureMismatchError, "resnet50", weights=path) == (
        f"{path}: has no top, layer 'fc1000' (kernel (2048, 1000), bias (1000,)) is missing;"
        " num_classes=N puts a fresh classifier on, num_classes=0 none"
    )


@pytest.mark.parametrize(("classes", "shape"), [(4, (None, 4)), (0, (None, 1, 1, 2048))])
def test_a_file_without_its_top_takes_a_fresh_one_or_none(tmp_path, classes, shape):
    """All that is below the classifier is in the file."""
    path = write_empty(tmp_path / "notop.h5", load_structure("resnet50").without(["fc1000"]))
    assert (
        zoo.load("resnet50", weights=path, num_classes=classes, input_shape=(32, 32, 3)).output_shape == shape
    )


@pytest.mark.parametrize("style", ["vgg16", "vgg16_blocks"])
def test_vgg_without_its_top_takes_no_head(tmp_path, style):
    """Its dense layers would be random beside pretrained ones, which is refused."""
    structure = load_structure(style)
    top = [layer.name for layer in structure.weighted[-3:]]
    path = write_empty(tmp_path / "notop.h5", structure.without(top))
    assert message(StructureMismatchError, "vgg16", weights=path, num_classes=10) == (
        f"{path}: has no top, layer 'dense_1' (kernel (25088, 4096), bias (4096,)) is missing;"
        " num_classes=0 leaves off all that would have random weights"
    )
    model = zoo.load("vgg16", weights=path, num_classes=0, input_shape=(32, 32, 3))
    assert model.output_shape == (None, 1, 1, 512)


# Which values are read.


def first_kernel(model: keras.Model) -> np.ndarray:
    """Return the kernel of the first convolution."""
    return next(layer for layer in model.layers if layer.weights).kernel.numpy()


def test_kernels_of_a_file_are_what_the_user_says(practice_file, tmp_path):
    """A file in tf layout with Theano's kernels: as its names tell, with a warning, or as is said."""
    path, mixed = practice_file("googlenet"), tmp_path / "tf_dim_ordering_th_kernels.h5"
    converters.convert_file(path, mixed, to_layout="tf", to_kernels="th")
    with h5py.File(mixed, "r+") as file:
        for key in list(file.attrs):
            if key.startswith("zoo_"):
                del file.attrs[key]  # nothing in the file tells now
    expected = first_kernel(zoo.load("googlenet", weights=path, num_classes=0))
    assert np.array_equal(
        first_kernel(zoo.load("googlenet", weights=mixed, num_classes=0, kernels="th")), expected
    )
    turned = zoo.load("googlenet", weights=mixed, num_classes=0, kernels="tf")
    assert np.array_equal(first_kernel(turned), expected[::-1, ::-1])
    with pytest.warns(zoo.ConversionWarning) as warned:
        named = zoo.load("googlenet", weights=str(mixed), num_classes=0)
    assert np.array_equal(first_kernel(named), expected)
    told = f"{mixed}: {BY_NAMES_IN_PYTHON.replace('from_kernels', 'kernels')}"
    assert [(str(one.message), one.filename) for one in warned] == [(told, __file__)]


@pytest.fixture(scope="module")
def vgg(practice_file) -> tuple[list[str], list[np.ndarray]]:
    """Return the names of VGG-16's layers below its dense ones, and their arrays, from its Theano file."""
    model = zoo.load("vgg16", weights=practice_file("vgg16"), num_classes=0)
    return [layer.name for layer in model.layers], model.get_weights()


@pytest.mark.parametrize(
    "identifier",
    [
        "vgg16-th-gist",
        pytest.param("vgg16-tf-top-v0.1", marks=pytest.mark.long),
        "vgg16-tf-notop-v0.1",
        "vgg16-th-notop-v0.1",
    ],
)
def test_every_dialect_of_a_network_has_the_same_values(identifier, vgg, tmp_path):
    """Keras 0.x without names, Keras 1 with others, with and without the top: one network."""
    network = NETWORKS["vgg16"]
    path = tmp_path / f"{identifier}.h5"
    write(next(file for file in network.weights if file.id == identifier), network, path)
    model = zoo.load("vgg16", weights=path, num_classes=0)
    names, expected = vgg
    assert [layer.name for layer in model.layers] == names
    for own, other in zip(model.weights, expected, strict=True):
        assert np.array_equal(own, other)


# Whose memory the values are in.


def test_values_live_as_long_as_the_model_and_no_longer():
    """TensorFlow takes the array itself: it is kept while a variable needs it, and given back after that."""
    values = aligned_empty((64, 1000), np.dtype(np.float32))
    values[...] = expected = np.random.default_rng(1).normal(size=values.shape).astype(np.float32)
    watched = weakref.ref(values)
    variable = keras.Variable(tensor_of(values, "float32"))
    del values
    gc.collect()
    assert watched() is not None
    assert np.array_equal(variable.numpy(), expected)
    variable.assign_add(np.ones_like(expected))
    assert np.array_equal(variable.numpy(), expected + 1)
    del variable
    gc.collect()
    assert watched() is None


def test_values_that_lie_anywhere_are_taken_too():
    """An array that starts between two multiples of 64 bytes, as folded ones may."""
    values = aligned_empty((7, 5), np.dtype(np.float32)).reshape(-1)[1:31].reshape(6, 5)
    values[...] = expected = np.arange(30, dtype=np.float32).reshape(6, 5)
    assert values.ctypes.data % 64
    tensor = tensor_of(values, "float32")
    values[...] = -1
    assert np.array_equal(tensor, expected)


def test_variables_are_named_alike_for_tensorflow_alone():
    """Their own names and paths stay, and afterwards all is as it was."""

    def made() -> keras.Variable:
        with keras.name_scope("layer"):
            return keras.Variable([1.0, 2.0], name="kernel")

    with named_alike():
        inside, other = made(), made()
    after = made()
    assert inside.value.name == other.value.name == "variable:0"
    assert after.value.name == "layer/kernel:0"
    assert {one.path for one in (inside, other, after)} == {"layer/kernel"}
    other.assign([3.0, 4.0])
    assert inside.numpy().tolist() == [1.0, 2.0]


def test_models_of_one_file_share_nothing(practice_file):
    """Training one leaves the other, the file, and arrays that were taken out before as they were."""
    path = practice_file("googlenet")
    digest = hashlib.sha256(path.read_bytes()).digest()
    small = {"aux_heads": False, "input_shape": (32, 32, 3)}
    trained, other = (zoo.load("googlenet", weights=path, **small) for _ in range(2))
    before, taken = [one.numpy() for one in other.weights], [one.numpy() for one in trained.weights]
    expected = [array.copy() for array in taken]
    trained.run_eagerly = True
    noise = np.random.default_rng(2).normal(0, 50, (2, 32, 32, 3)).astype(np.float32)
    trained.fit(noise, np.argmin(trained(noise), axis=1), verbose=0)
    for array, own, kept, untouched in zip(trained.weights, taken, expected, other.weights, strict=True):
        assert np.array_equal(own, kept), array.path
        assert np.array_equal(untouched, kept), array.path
    assert any(not np.array_equal(one, kept) for one, kept in zip(trained.weights, expected, strict=True))
    assert all(np.array_equal(one, kept) for one, kept in zip(before, expected, strict=True))
    assert hashlib.sha256(path.read_bytes()).digest() == digest
    # TensorFlow's names, of which all have the same, are nobody's: paths tell variables apart.
    assert len({one.path for one in other.weights}) == len(other.weights)


# Weights sets, from a server.


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of a practice zoo with a few small files."""
    path = tmp_path_factory.mktemp("zoo")
    ids = ["googlenet-th", "densenet121-th-flyyufelix", "densenet121-tf-flyyufelix", "vgg16-tf-notop-v0.1"]
    practice.build(path, ids=ids)
    return path


@pytest.fixture
def served(folder, monkeypatch) -> Iterator[practice.PracticeZoo]:
    """Serve that folder, and nothing else."""
    with practice.serve(folder) as running:
        monkeypatch.setenv("ZOO_REGISTRY", str(running.registry))
        yield running


def cached(tmp_path: Path) -> list[str]:
    """Return the names of the weights files in the cache, without the digests in them."""
    return sorted(
        re.sub("practice-|-[0-9a-f]{16}", "", path.name) for path in tmp_path.glob("zoo-home/*/*.h5")
    )


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("googlenet", {}, ["googlenet-th.h5"]),
        pytest.param(
            "densenet121", {"num_classes": 2}, ["densenet121-tf-flyyufelix.h5"], marks=pytest.mark.long
        ),
        ("vgg16", {"num_classes": 0}, ["vgg16-tf-notop-v0.1.h5"]),
    ],
)
def test_a_weights_set_is_fetched_once_and_never_converted(name, arguments, expected, served, tmp_path):
    """TensorFlow's file where there is one, else Theano's as it is; no top where none is needed."""
    first = zoo.load(name, **arguments, weights="imagenet")
    assert cached(tmp_path) == expected
    served.server.answer = lambda request: not_found()
    second = zoo.load(name, **arguments)
    assert np.array_equal(first.weights[0], second.weights[0])
    assert np.abs(first.weights[0]).max() > 0


def test_nothing_is_fetched_before_the_arguments_are_right(served, tmp_path):
    """A wrong layer to freeze and a wrong size come to light with an empty cache."""
    message(UnknownNameError, "googlenet", freeze="nowhere")
    message(ArgumentError, "googlenet", input_shape=(64, 64, 3))
    assert cached(tmp_path) == []
