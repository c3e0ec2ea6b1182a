"""Reading what each version of Keras wrote."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

from converters.errors import FileFormatError
from converters.formats import dialects
from converters.formats.dialects import describe
from converters.formats.opening import open_untrusted
from converters.layers.names import naming_of
from tests.support import caffe_files
from tests.support.caffe_files import Layer
from tests.support.paths import DIALECTS
from tests.support.weight_files import counted, fill_named, keras1, names, write_named, write_numbered

DATA = DIALECTS


def summary(path):
    """Return the weighted layers as name, kind, roles and shapes."""
    return [
        (layer.name, layer.kind, [(a.role, a.shape) for a in layer.arrays])
        for layer in describe(path).weighted
    ]


def test_a_keras_1_file_is_described():
    """Names, kinds, roles and shapes, in the file's order, weightless layers included."""
    found = describe(DATA / "keras122_theano_th" / "conv2d_flatten_dense_dense.weights.h5")
    assert (found.dialect, found.keras_version, found.backend, found.root) == ("keras1", None, None, "")
    assert (found.whole_model, found.optimizer, found.model_config, found.record) == (
        False,
        False,
        None,
        None,
    )
    assert [(layer.name, layer.kind) for layer in found.layers] == [
        ("convolution2d_1", "Conv2D"),
        ("maxpooling2d_1", "MaxPooling2D"),
        ("flatten_1", "Flatten"),
        ("dense_1", "Dense"),
        ("dense_2", "Dense"),
    ]
    kernel = found.layers[0].arrays[0]
    assert (kernel.name, kernel.role, kernel.shape) == ("convolution2d_1_W", "kernel", (6, 3, 3, 5))
    assert (kernel.path, kernel.dtype) == ("convolution2d_1/convolution2d_1_W", np.dtype("<f4"))
    assert found.parameters == 6 * 3 * 15 + 6 + 72 * 7 + 7 + 7 * 5 + 5
    assert (
        found.nbytes == (DATA / "keras122_theano_th" / "conv2d_flatten_dense_dense.weights.h5").stat().st_size
    )


def test_a_whole_model_is_described():
    """The weights lie under model_weights, and the configuration tells the kinds."""
    found = describe(DATA / "keras122_theano_th" / "compiled_adam_one_step.model.h5")
    assert (found.dialect, found.keras_version, found.version) == ("keras1", "1.2.2", (1, 2, 2))
    assert (found.root, found.whole_model, found.optimizer) == ("model_weights", True, True)
    assert json.loads(found.config_text) == found.model_config
    assert found.weighted[0].arrays[0].path == "model_weights/convolution2d_1/convolution2d_1_W"


def test_a_keras_2_file_is_described():
    """The backend and the version are attributes, arrays are called kernel and bias."""
    found = describe(DATA / "keras205_theano_cf" / "slash_names.weights.h5")
    assert (found.dialect, found.keras_version, found.backend) == ("keras2", "2.0.5", "theano")
    assert [(a.name, a.role) for a in found.weighted[1].arrays] == [
        ("block1/conv/bn/gamma", "gamma"),
        ("block1/conv/bn/beta", "beta"),
        ("block1/conv/bn/moving_mean", "moving_mean"),
        ("block1/conv/bn/moving_variance", "moving_variance"),
    ]


def test_a_keras_0_file_is_described_by_rank_and_number():
    """Nothing has a name there: kernels, biases and normalisations are told by their ranks."""
    four = [("gamma", (4,)), ("beta", (4,)), ("moving_mean", (4,)), ("moving_variance", (4,))]
    assert summary(DATA / "keras033_theano_th" / "vgg_like_bn.weights.h5") == [
        ("layer_1", "Conv2D", [("kernel", (4, 3, 3, 3)), ("bias", (4,))]),
        ("layer_2", "BatchNormalization", four),
        ("layer_4", "Conv2D", [("kernel", (4, 4, 3, 3)), ("bias", (4,))]),
        ("layer_7", "Conv2D", [("kernel", (6, 4, 3, 5)), ("bias", (6,))]),
        ("layer_10", "Dense", [("kernel", (96, 8)), ("bias", (8,))]),
        ("layer_12", "Dense", [("kernel", (8, 5)), ("bias", (5,))]),
    ]


def test_layers_of_keras_0_are_in_the_order_of_their_numbers(tmp_path):
    """layer_10 comes after layer_9, though not in the alphabet."""
    path = write_numbered(tmp_path / "weights.h5", [[counted(2, 2), counted(2)] for _ in range(12)])
    assert [layer.name for layer in describe(path).layers] == [f"layer_{number}" for number in range(12)]


def test_a_keras_0_graph_is_cut_into_its_layers():
    """All arrays lie in one group; each matrix begins a layer."""
    assert summary(DATA / "keras033_theano_th" / "graph.weights.h5") == [
        ("graph/param_0", "Conv2D", [("kernel", (4, 3, 3, 3)), ("bias", (4,))]),
        ("graph/param_2", "Dense", [("kernel", (80, 3)), ("bias", (3,))]),
        ("graph/param_4", "Dense", [("kernel", (80, 3)), ("bias", (3,))]),
    ]


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("conv1_W", "kernel"),
        ("conv1_W:0", "kernel"),
        ("block1_conv1_W_1:0", "kernel"),
        ("conv1/kernel:0", "kernel"),
        ("conv1_1/kernel_1:0", "kernel"),
        ("conv1/7x7_s2_b", "bias"),
        ("bn_running_mean", "moving_mean"),
        ("bn_running_std:0", "moving_variance"),
        ("bn/moving_variance:0", "moving_variance"),
        ("embedding_1/embeddings", "embeddings"),
        ("lstm_1_W_i", "kernel"),
        ("lstm_1/recurrent_kernel:0", "recurrent_kernel"),
        ("separable_conv2d_1/depthwise_kernel:0", "depthwise_kernel"),
        ("highway_1_W_carry", "carry_kernel"),
        ("prelu_1_alphas", "alpha"),
        ("lstm_1_W_x", None),
        ("param_0", None),
    ],
)
def test_the_role_of_an_array_is_in_its_name(name, role):
    """Both spellings, with what TensorFlow adds; anything else tells nothing."""
    assert naming_of(name).role == role


@pytest.mark.parametrize(
    ("name", "owner", "gate"),
    [
        ("conv1/7x7_s2_b", "conv1/7x7_s2", None),
        ("forward_lstm_1_U_f", "forward_lstm_1", "f"),
        ("highway_1_b_carry", "highway_1", None),
        ("bidirectional_1/backward_lstm_1/kernel:0", "bidirectional_1/backward_lstm_1", None),
        ("bidirectional/forward_lstm/lstm_cell_4/bias:0", "bidirectional/forward_lstm", None),
        ("gru/gru_cell/kernel", "gru", None),
        ("W", "", None),
    ],
)
def test_the_layer_and_the_gate_are_in_an_array_s_name(name, owner, gate):
    """What tf.keras puts between a layer and its arrays is left out."""
    assert (naming_of(name).owner, naming_of(name).gate) == (owner, gate)


def test_chunked_names_are_read_as_one_list(tmp_path):
    """Keras 2 splits lists that are too long for one attribute."""
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        fill_named(file, {"a": {"a/kernel:0": counted(2, 3), "a/bias:0": counted(3)}, "b": {}, "c": {}})
        del file.attrs["layer_names"], file["a"].attrs["weight_names"]
        file.attrs["layer_names0"], file.attrs["layer_names1"] = names(["a", "b"]), names(["c"])
        file["a"].attrs["weight_names0"], file["a"].attrs["weight_names1"] = (
            names(["a/kernel:0"]),
            names(["a/bias:0"]),
        )
    found = describe(path)
    assert [layer.name for layer in found.layers] == ["a", "b", "c"]
    assert [array.role for array in found.layers[0].arrays] == ["kernel", "bias"]
    assert found.dialect == "keras2"


def test_kinds_come_from_the_configuration_before_the_names(tmp_path):
    """A dense layer that somebody called convolution2d_1 stays one in a whole model."""
    config = {
        "class_name": "Sequential",
        "config": [{"class_name": "Dense", "config": {"name": "convolution2d_1"}}],
    }
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        fill_named(file.create_group("model_weights"), keras1(convolution2d_1=(4, 3)))
        file.attrs["model_config"] = json.dumps(config)
    assert describe(path).layers[0].kind == "Dense"


def test_a_file_without_layers_is_no_weights_file(tmp_path):
    """Other HDF5 files are told apart."""
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["spectra/values"] = counted(3)
    with pytest.raises(FileFormatError) as refused:
        describe(path)
    text = "not a Keras weights file: it has neither layer_names nor nb_layers (it holds 'spectra')"
    assert str(refused.value) == f"{path}: {text}"


def test_what_is_listed_must_be_there(tmp_path):
    """A layer or array that is only a name is reported with its path."""
    path = write_named(tmp_path / "weights.h5", keras1(conv=(2, 3, 1, 1), dense=(4, 2)))
    with h5py.File(path, "r+") as file:
        del file["conv/conv_b"]
    with pytest.raises(FileFormatError, match=r"weights.h5: 'conv/conv_b' is missing$"):
        describe(path)
    with h5py.File(path, "r+") as file:
        del file["conv"]
    with pytest.raises(FileFormatError, match=r"weights.h5: 'conv' is missing$"):
        describe(path)


def test_doubled_names_and_missing_lists_are_refused(tmp_path):
    """A file that contradicts itself is not guessed at."""
    path = write_named(tmp_path / "weights.h5", keras1(conv=(2, 3, 1, 1)))
    with h5py.File(path, "r+") as file:
        file.attrs["layer_names"] = names(["conv", "conv"])
    with pytest.raises(FileFormatError, match=r"layer 'conv' is listed twice$"):
        describe(path)
    with h5py.File(path, "r+") as file:
        file.attrs["layer_names"] = names(["conv"])
        del file["conv"].attrs["weight_names"]
    with pytest.raises(FileFormatError, match=r"layer 'conv' has no attribute 'weight_names'$"):
        describe(path)


def test_a_damaged_configuration_or_record_is_refused(tmp_path):
    """Neither is read over."""
    path = write_named(tmp_path / "weights.h5", keras1(conv=(2, 3, 1, 1)), model_config="{")
    with pytest.raises(FileFormatError, match="attribute 'model_config' is not JSON"):
        describe(path)
    path = write_named(tmp_path / "weights.h5", keras1(conv=(2, 3, 1, 1)), zoo_layout="xy")
    with pytest.raises(
        FileFormatError, match=r"the record of an earlier conversion is damaged \(zoo_layout is 'xy'\)$"
    ):
        describe(path)


def test_what_a_file_was_trained_in_is_read_once_until_it_changes(tmp_path, monkeypatch):
    """Whoever draws, fills and feeds a network asks; the file's metadata are read for the first of them."""
    read = []

    def opened(path):
        read.append(path)
        return open_untrusted(path)

    monkeypatch.setattr(dialects, "open_untrusted", opened)
    path = tmp_path / "net.caffemodel"
    assert dialects.trained_in(path) is None
    path.write_bytes(caffe_files.network([Layer("fc", "InnerProduct", [np.ones((2, 3), "f4")])]))
    assert [dialects.trained_in(path) for _ in range(3)] == ["caffemodel"] * 3
    assert read == [path]
    path.write_bytes(b"no weights")
    assert dialects.trained_in(path) is None
    assert read == [path, path]


@pytest.mark.parametrize("scope", ["", "network/"])
def test_what_is_said_of_a_layer_is_said_of_no_other_of_its_own(scope, tmp_path):
    """A number behind a name that arrays have is the layer's, unless it lies within another."""
    arrays = {
        "fc": {f"{scope}fc/kernel:0": np.zeros((1, 4, 5), "f4")},
        "fc_1": {f"{scope}fc_1/kernel:0": np.zeros((5, 3), "f4")},
        "inner": {"fc_2/kernel:0": np.zeros((1, 3, 3), "f4"), "end/kernel:0": np.zeros((3, 2), "f4")},
    }
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in arrays]
        for name, held in arrays.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = [one.encode() for one in held]
            for one, values in held.items():
                group[one] = values
    found = describe(path, layers={"fc": "Conv1D"})
    kinds = {layer.name: [part.kind for part in layer.parts] for layer in found.layers}
    assert kinds == {"fc": ["Conv1D"], "fc_1": ["Dense"], "inner": ["Conv1D", "Dense"]}
