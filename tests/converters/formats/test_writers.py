"""Files in other dialects: what they hold, and that those who read them agree."""

from __future__ import annotations

import json
import zipfile

import h5py
import keras
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from converters import convert_file, inspect_file
from converters.errors import ConversionError
from converters.formats.dialects import describe
from tests.support.dialect_samples import DATA, told
from tests.support.weight_files import arrays, counted, write_named, write_numbered

LSTM = "keras122_theano_th/lstm_consume_cpu"


@pytest.fixture
def lstm(tmp_path):
    """The arrays of a recurrent layer of Keras 1 by gate, in a file of their own."""
    found = arrays(DATA / f"{LSTM}.weights.h5")
    return {name.rpartition("/")[2].removeprefix("lstm_1_"): values for name, values in found.items()}


def converted(sample, path, to, **changes):
    """Convert a sample's weights, and return the new file."""
    return convert_file(DATA / f"{sample}.weights.h5", path, to=to, **{**told(sample), **changes}).target


def test_twelve_arrays_of_keras_1_become_three(lstm, tmp_path):
    """In the order i, f, c, o, whatever order they lay in."""
    found = arrays(converted(LSTM, tmp_path / "new.h5", "keras2"))
    assert list(found) == [f"lstm_1/lstm_1/{role}:0" for role in ("bias", "kernel", "recurrent_kernel")]
    for role, letter in (("kernel", "W"), ("recurrent_kernel", "U"), ("bias", "b")):
        packed = np.concatenate([lstm[f"{letter}_{gate}"] for gate in "ifco"], -1)
        np.testing.assert_array_equal(found[f"lstm_1/lstm_1/{role}:0"], packed)


@pytest.mark.parametrize("sample", [LSTM, "keras122_theano_th/convlstm2d", "keras122_theano_th/bigru_sum"])
@pytest.mark.parametrize("between", ["keras2", "keras3"])
def test_gates_come_apart_again(sample, between, tmp_path):
    """From Keras 1 to a later one and back: every bit in its place, under its name where that is kept."""
    new = converted(sample, tmp_path / "new.h5", between)
    back = convert_file(
        new, tmp_path / "back.h5", to="keras1", from_layout="tf", to_layout="th", to_kernels="th"
    )
    before = [values for _, values in sorted_names(DATA / f"{sample}.weights.h5")]
    after = [values for _, values in sorted_names(back.target)]
    assert len(before) == len(after)
    for old, found in zip(before, after, strict=True):
        np.testing.assert_array_equal(found, old)


def sorted_names(path):
    """Return arrays in the order that the attributes list them."""
    found = arrays(path)
    return [(array.name, found[array.path]) for layer in describe(path).layers for array in layer.arrays]


def test_a_keras_1_file_has_the_names_and_the_order_of_its_time(tmp_path):
    """As 1.2.2 wrote them, one array per gate, and no attributes but the names and the record."""
    source = converted(LSTM, tmp_path / "two.h5", "keras2")
    path = convert_file(source, tmp_path / "one.h5", to="keras1", to_layout="th", to_kernels="th").target
    with h5py.File(DATA / f"{LSTM}.weights.h5") as old, h5py.File(path) as new:
        assert new["lstm_1"].attrs["weight_names"].tolist() == old["lstm_1"].attrs["weight_names"].tolist()
        assert new.attrs["layer_names"].tolist() == [b"lstm_1"]
        assert [name for name in new.attrs if not name.startswith("zoo_")] == ["layer_names"]


def test_keras_reads_what_is_written_for_keras_2(tmp_path):
    """Today's Keras loads an .h5 of that dialect in the order of its layers."""
    path = converted("keras122_theano_th/conv2d_flatten_dense_dense", tmp_path / "new.h5", "keras2")
    model = keras.Sequential(
        [
            keras.Input((8, 12, 3)),
            keras.layers.Conv2D(6, (3, 5)),
            keras.layers.MaxPooling2D(2),
            keras.layers.Flatten(),
            keras.layers.Dense(7),
            keras.layers.Dense(5),
        ]
    )
    model.load_weights(path)
    kernel = arrays(path)["convolution2d_1/convolution2d_1/kernel:0"]
    np.testing.assert_array_equal(model.layers[0].get_weights()[0], kernel)
    with h5py.File(path) as file:
        assert (file.attrs["backend"], file.attrs["keras_version"]) == (b"tensorflow", b"2.2.4")


def test_a_nested_model_lists_what_is_trained_first(tmp_path):
    """As Keras 2 does, with the inner layers' own names."""
    path = converted("keras122_theano_th/nested_sequential", tmp_path / "new.h5", "keras2")
    with h5py.File(path) as file:
        listed = [name.decode() for name in file["inner_seq"].attrs["weight_names"]]
    assert listed == [
        *("ic1/kernel:0", "ic1/bias:0", "ibn/gamma:0", "ibn/beta:0", "ic2/kernel:0", "ic2/bias:0"),
        *("ibn/moving_mean:0", "ibn/moving_variance:0"),
    ]


def test_names_beyond_one_attribute_are_cut_up(tmp_path):
    """HDF5 keeps no longer list, and Keras 1 could not read several."""
    layers = {f"{number:04d}{'x' * 60}": {} for number in range(2000)}
    layers["d"] = {"d/kernel:0": counted(2, 2)}
    path = tmp_path / "many.h5"
    with h5py.File(path, "w") as file:
        listed = np.array([name.encode() for name in layers])
        file.attrs["layer_names0"], file.attrs["layer_names1"] = listed[:1000], listed[1000:]
        for part in range(2):
            file.attrs[f"layer_names{part}"] = np.array_split(listed, 3)[part]
        file.attrs["layer_names2"] = np.array_split(listed, 3)[2]
        for name, own in layers.items():
            file.create_group(name).attrs["weight_names"] = np.array([key.encode() for key in own])
        file["d"]["d/kernel:0"] = layers["d"]["d/kernel:0"]
    new = convert_file(path, tmp_path / "new.h5", to="keras2").target
    assert [layer.name for layer in describe(new).layers] == list(layers)
    with pytest.raises(ConversionError, match="2001 names are more than Keras 1 can keep in one attribute"):
        convert_file(path, tmp_path / "old.h5", to="keras1", from_layout="tf", from_kernels="tf")


def test_keras_3_keeps_arrays_by_class_and_number(tmp_path):
    """Bidirectional, time distributed and recurrent layers have their inner groups."""
    found = arrays(converted("keras122_theano_th/bilstm_concat", tmp_path / "new.weights.h5", "keras3"))
    assert sorted(found) == [
        *(
            f"layers/bidirectional/{way}_layer/cell/vars/{n}"
            for way in ("backward", "forward")
            for n in range(3)
        ),
        *(f"layers/time_distributed/layer/vars/{n}" for n in range(2)),
    ]


def test_what_is_written_for_keras_3_is_read_again(tmp_path):
    """Kinds by the groups, names by their attribute, arrays by number."""
    new = converted("keras107_theano_th/functional_slash", tmp_path / "new.weights.h5", "keras3")
    found = describe(new)
    assert found.dialect == "keras3"
    assert [(layer.name, layer.kind, [a.role for a in layer.arrays]) for layer in found.weighted] == [
        ("conv/a", "Conv2D", ["kernel", "bias"]),
        ("conv/b", "Conv2D", ["kernel", "bias"]),
        ("fc", "Dense", ["kernel", "bias"]),
    ]
    record = inspect_file(new).description.record
    assert (str(record.form), str(record.source), record.source_dialect) == (
        "layout tf, kernels tf",
        "layout th, kernels th",
        "keras1",
    )


def test_a_keras_archive_is_read(tmp_path):
    """The weights inside a .keras file, with kinds and names out of its configuration."""
    model = keras.Sequential(
        [keras.Input((5, 4)), keras.layers.LSTM(3, name="r"), keras.layers.Dense(2, name="d")]
    )
    model.save(tmp_path / "model.keras")
    new = convert_file(tmp_path / "model.keras", tmp_path / "new.h5", to="keras2").target
    found = arrays(new)
    for name, values in zip(
        ("kernel", "recurrent_kernel", "bias"), model.layers[0].get_weights(), strict=True
    ):
        np.testing.assert_array_equal(found[f"r/r/{name}:0"], values)
    np.testing.assert_array_equal(found["d/d/kernel:0"], model.layers[1].get_weights()[0])


def test_safetensors_are_read_by_their_own_package(tmp_path):
    """Plain arrays under layer/role; the description and the record are in the metadata."""
    path = converted("keras122_theano_th/bn_mode0_axis1", tmp_path / "new.safetensors", "safetensors")
    same = arrays(converted("keras122_theano_th/bn_mode0_axis1", tmp_path / "new.h5", "keras2"))
    found = load_file(path)
    assert set(found) == {name.partition("/")[2].removesuffix(":0") for name in same}
    for name, values in same.items():
        np.testing.assert_array_equal(found[name.partition("/")[2].removesuffix(":0")], values)
    with safe_open(path, "np") as file:
        metadata = file.metadata()
    description = json.loads(metadata["description"])
    assert (description["dialect"], description["layout"], description["kernels"]) == ("keras1", "tf", "tf")
    assert [(layer["name"], layer["kind"]) for layer in description["layers"]] == [
        ("convolution2d_1", "Conv2D"),
        ("batchnormalization_1", "BatchNormalization"),
        ("activation_1", "Activation"),
    ]
    assert description["layers"][0]["arrays"][1] == {
        "name": "convolution2d_1/bias",
        "kind": "Conv2D",
        "role": "bias",
    }
    assert metadata["zoo_source_layout"] == "th"


def test_npz_files_are_read_by_numpy(tmp_path):
    """Every checksum right, every array in place, and the description as one more text."""
    path = converted("keras224_theano_cf/separable_conv2d", tmp_path / "new.npz", "npz")
    assert zipfile.ZipFile(path).testzip() is None
    same = arrays(converted("keras224_theano_cf/separable_conv2d", tmp_path / "new.h5", "keras2"))
    with np.load(path) as found:
        assert set(found) == {
            "zoo",
            *(f"separable_conv2d_1/{role}" for role in ("depthwise_kernel", "pointwise_kernel", "bias")),
        }
        for name, values in same.items():
            np.testing.assert_array_equal(found[name.partition("/")[2].removesuffix(":0")], values)
        told_again = json.loads(str(found["zoo"]))
    assert told_again["record"]["zoo_source_dialect"] == "keras2"
    assert told_again["description"]["layers"][0]["kind"] == "SeparableConv2D"


def deviations(tmp_path):
    """Return a file of Keras 1 with a batch normalisation, and one of Keras 0.x."""
    vectors = [counted(4) + 1, counted(4), counted(4), counted(4) + 2]
    roles = ("gamma", "beta", "running_mean", "running_std")
    named = {f"bn_{role}": values for role, values in zip(roles, vectors, strict=True)}
    one = write_named(tmp_path / "one.h5", {"bn": named})
    return one, write_numbered(tmp_path / "zero.h5", [vectors]), vectors[3]


def test_a_deviation_becomes_a_variance_where_the_version_says_so(tmp_path):
    """Keras 0.x always, Keras 1 if the user names 1.0.6 or older; else it is one, and that is noted."""
    one, zero, stored = deviations(tmp_path)
    results = {}
    for name, source, version in (("new", one, None), ("old", one, "1.0.6"), ("older", zero, None)):
        done = convert_file(source, tmp_path / f"{name}.weights.h5", to="keras3", keras_version=version)
        results[name] = arrays(done.target)["layers/batch_normalization/vars/3"]
        assert any("standard deviation" in note for note in done.plan.typed_notes) == (name != "new")
        assert any("--keras-version 1.0.6" in note for note in done.plan.typed_notes) == (name == "new")
        assert (done.record.proof.recomputed != ()) == (name != "new")
    np.testing.assert_array_equal(results["new"], stored)
    np.testing.assert_array_equal(results["old"], stored**2)
    np.testing.assert_array_equal(results["older"], stored**2)


def test_a_deviation_stays_one_in_its_own_dialect(tmp_path):
    """Keras 0.x reads it as one; a Keras 1 file that does not say its version is made as new ones are."""
    one, zero, stored = deviations(tmp_path)
    forms = {"from_layout": "th", "from_kernels": "th", "to_layout": "tf", "to_kernels": "tf"}
    stays = convert_file(zero, tmp_path / "zero_tf.h5", **forms)
    np.testing.assert_array_equal(arrays(stays.target)["layer_0/param_3"], stored)
    squared = convert_file(one, tmp_path / "one_tf.h5", keras_version="1.0.5", **forms)
    np.testing.assert_array_equal(arrays(squared.target)["bn/bn_running_std"], stored**2)


@pytest.mark.parametrize(
    ("layers", "why"),
    [
        (
            {"depthwise_conv2d_1": {"depthwise_conv2d_1/depthwise_kernel:0": counted(3, 3, 2, 1)}},
            "layer 'depthwise_conv2d_1' (DepthwiseConv2D) is of a kind that Keras 1 lacks",
        ),
        (
            {
                "gru_1": {
                    "gru_1/kernel:0": counted(2, 9),
                    "gru_1/recurrent_kernel:0": counted(3, 9),
                    "gru_1/bias:0": counted(2, 9),
                }
            },
            "layer 'gru_1' (GRU) was built with reset_after, which Keras 1 lacks",
        ),
        (
            {
                "bn": {
                    "bn/gamma:0": counted(2),
                    "bn/moving_mean:0": counted(2),
                    "bn/moving_variance:0": counted(2),
                }
            },
            "layer 'bn' (BatchNormalization) has no beta, which Keras 1 cannot be without",
        ),
    ],
)
def test_what_keras_1_lacks_is_refused_by_name(layers, why, tmp_path):
    """Before anything is written."""
    path = write_named(tmp_path / "two.h5", layers, backend="tensorflow", keras_version="2.2.4")
    with pytest.raises(ConversionError) as refused:
        convert_file(path, tmp_path / "one.h5", to="keras1", from_layout="tf")
    assert str(refused.value) == f"{path}: {why}"
    assert not (tmp_path / "one.h5").exists()


def test_a_layer_that_lacks_a_gate_is_refused(tmp_path):
    """Nothing is packed that is not whole."""
    gates = {f"lstm_1_W_{gate}": counted(2, 3) for gate in "ico"}
    path = write_named(tmp_path / "one.h5", {"lstm_1": gates})
    with pytest.raises(
        ConversionError, match=r"layer 'lstm_1' should be of kind LSTM, but its arrays are not \("
    ):
        convert_file(path, tmp_path / "two.h5", to="keras2")


@pytest.mark.parametrize(
    ("to", "name"),
    [
        ("keras1", "one_keras1_th.h5"),
        ("keras3", "one.weights.h5"),
        ("safetensors", "one.safetensors"),
        ("npz", "one.npz"),
    ],
)
def test_the_new_file_has_its_dialect_s_ending(to, name, tmp_path):
    """Beside the old one, if nobody says where."""
    one, _, _ = deviations(tmp_path)
    assert convert_file(one, to=to, from_layout="th").target == tmp_path / name


def test_keras_3_has_one_form_only(tmp_path):
    """Within Keras 3's own dialect there is nothing to convert, and rotated kernels would be wrong there."""
    new = converted("keras107_theano_th/functional_slash", tmp_path / "new.weights.h5", "keras3")
    with pytest.raises(ConversionError) as caught:
        convert_file(new, tmp_path / "other.h5", direction="tf-to-th")
    assert str(caught.value) == (
        f"{new}: Keras 3 stores arrays alike in both layouts and rotates no kernels, so nothing is to"
        " convert; --to (to=) writes them as another dialect"
    )
    assert not (tmp_path / "other.h5").exists()
