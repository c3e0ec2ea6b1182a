"""cuDNN's recurrent layers: in another dialect they are plain ones that compute the same."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

from converters import convert_file, inspect_file, plan_file
from converters.compare import compare_files
from converters.errors import ConversionError
from tests.support.weight_files import arrays, counted, write_named

GATES = {"CuDNNLSTM": "ifco", "CuDNNGRU": "zrh"}
SIZES = [(5, 3), (2, 4), (4, 4), (1, 3), (300, 128)]
STEPS = 4


def drawn(kind, inputs, units):
    """Return a layer's arrays as Keras 2.2.4 keeps them, in the order of its attributes."""
    rng, gates = np.random.default_rng(inputs * 1000 + units), len(GATES[kind])
    shapes = {
        "kernel": (inputs, gates * units),
        "recurrent_kernel": (units, gates * units),
        "bias": (2 * gates * units,),
    }
    return {
        role: (0.6 / max(shape[0], 2) ** 0.5 * rng.standard_normal(shape)).astype("float32")
        for role, shape in shapes.items()
    }


def written(path, kind, layer, found, **attributes):
    """Write a file of Keras 2 with such a layer."""
    named = {f"{layer}/{role}:0": values for role, values in found.items()}
    told = {"backend": "tensorflow", "keras_version": "2.2.4", **attributes}
    return write_named(path, {layer: named}, **told)


def sigmoid(x):
    """The logistic function."""
    return 1 / (1 + np.exp(-x))


def of_cudnn(kind, found, x):
    """Compute a layer's last output as cuDNN does: for each gate W x + R h + b_W + b_R, in float64.

    What Keras gives cuDNN of each gate is its share of the kernel with the values one after the other, which
    cuDNN takes for a matrix of (units, inputs). Source: _canonical_to_params() in
    keras/layers/cudnn_recurrent.py, Keras 2.2.4; the formulas are those of NVIDIA's cudnnRNNMode_t.
    """
    gates, units = GATES[kind], found["recurrent_kernel"].shape[0]
    each = {
        role: np.split(found[role].astype("f8"), len(gates), -1) for role in ("kernel", "recurrent_kernel")
    }
    w = {g: k.flatten().reshape(units, -1) for g, k in zip(gates, each["kernel"], strict=True)}
    r = {g: k.flatten().reshape(units, -1) for g, k in zip(gates, each["recurrent_kernel"], strict=True)}
    biases = np.split(found["bias"].astype("f8"), 2 * len(gates))
    bw, br = (dict(zip(gates, half, strict=True)) for half in (biases[: len(gates)], biases[len(gates) :]))
    h = c = np.zeros(units)
    for step in x:
        into = {g: w[g] @ step + bw[g] for g in gates}
        back = {g: r[g] @ h + br[g] for g in gates}
        if kind == "CuDNNLSTM":
            i, f, o = (sigmoid(into[g] + back[g]) for g in "ifo")
            c = f * c + i * np.tanh(into["c"] + back["c"])
            h = o * np.tanh(c)
        else:
            z, reset = sigmoid(into["z"] + back["z"]), sigmoid(into["r"] + back["r"])
            h = (1 - z) * np.tanh(into["h"] + reset * back["h"]) + z * h
    return h


def of_keras(kind, kernel, recurrent, bias, x):
    """Compute the same as LSTM and GRU (reset_after) do.

    Source: LSTMCell.call() and GRUCell.call() in keras/layers/recurrent.py, Keras 2.2.4.
    """
    units = recurrent.shape[0]
    kernel, recurrent, bias = (values.astype("f8") for values in (kernel, recurrent, bias))
    h = c = np.zeros(units)
    for step in x:
        if kind == "CuDNNLSTM":
            i, f, g, o = np.split(step @ kernel + h @ recurrent + bias, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        else:
            zx, rx, hx = np.split(step @ kernel + bias[0], 3)
            zh, rh, hh = np.split(h @ recurrent + bias[1], 3)
            z, reset = sigmoid(zx + zh), sigmoid(rx + rh)
            h = z * h + (1 - z) * np.tanh(hx + reset * hh)
    return h


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("to", ["keras2", "keras3", "npz"])
def test_a_plain_layer_computes_what_cudnn_does(kind, sizes, to, tmp_path):
    """Whatever the sizes of inputs and units; the proof names the sum, and nothing else that was computed."""
    found = drawn(kind, *sizes)
    source = written(tmp_path / "old.h5", kind, "memory", found)
    done = convert_file(source, tmp_path / ("new.npz" if to == "npz" else "new.h5"), to=to)
    kernel, recurrent, bias = (values for _, values in read(done.target, to))
    assert (kernel.shape, recurrent.shape) == (found["kernel"].shape, found["recurrent_kernel"].shape)
    gates = len(GATES[kind]) * sizes[1]
    assert bias.shape == ((gates,) if kind == "CuDNNLSTM" else (2, gates))
    x = np.random.default_rng(1).uniform(-1, 1, (STEPS, sizes[0]))
    wanted = of_cudnn(kind, found, x)
    assert np.abs(wanted).max() > 0.05
    np.testing.assert_allclose(of_keras(kind, kernel, recurrent, bias, x), wanted, atol=1e-6)
    computed = [path for path in done.record.proof.recomputed if "bias" in path or path.endswith("/2")]
    assert len(done.record.proof.recomputed) == len(computed) == (kind == "CuDNNLSTM")


def read(path, to):
    """Return kernel, recurrent kernel and bias of a converted file, with their names."""
    if to == "npz":
        with np.load(path) as data:
            return [(name, data[f"memory/{name}"]) for name in ("kernel", "recurrent_kernel", "bias")]
    found = arrays(path)
    order = {"kernel:0": 0, "recurrent_kernel:0": 1, "bias:0": 2}
    return sorted(found.items(), key=lambda item: order.get(item[0].rpartition("/")[2], item[0]))


@pytest.mark.parametrize("kind", GATES)
def test_small_numbers_come_out_as_keras_2_itself_has_them(kind, tmp_path):
    """What _convert_rnn_weights() in Keras 2.2.4 (keras/engine/saving.py) makes of 0, 1, 2 was recorded."""
    gates = len(GATES[kind])
    found = {
        "kernel": counted(3, 2 * gates),
        "recurrent_kernel": counted(2, 2 * gates),
        "bias": counted(4 * gates),
    }
    source = written(tmp_path / "old.h5", kind, "memory", found)
    new = convert_file(source, tmp_path / "new.npz", to="npz").target
    for (name, values), wanted in zip(read(new, "npz"), RECORDED[kind], strict=True):
        np.testing.assert_array_equal(values, wanted, err_msg=name)


RECORDED = {
    "CuDNNLSTM": (
        [[0, 9, 2, 11, 4, 13, 6, 15], [1, 16, 3, 18, 5, 20, 7, 22], [8, 17, 10, 19, 12, 21, 14, 23]],
        [[0, 8, 2, 10, 4, 12, 6, 14], [1, 9, 3, 11, 5, 13, 7, 15]],
        [8, 10, 12, 14, 16, 18, 20, 22],
    ),
    "CuDNNGRU": (
        [[0, 7, 2, 9, 4, 11], [1, 12, 3, 14, 5, 16], [6, 13, 8, 15, 10, 17]],
        [[0, 6, 2, 8, 4, 10], [1, 7, 3, 9, 5, 11]],
        [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]],
    ),
}


def test_keras_1_has_an_lstm_but_no_gru_with_two_biases(tmp_path):
    """Each gate comes into arrays of its own, the biases added; a CuDNNGRU is refused by name."""
    found = drawn("CuDNNLSTM", 5, 3)
    source = written(tmp_path / "lstm.h5", "CuDNNLSTM", "memory", found)
    packed = dict(read(convert_file(source, tmp_path / "two.npz", to="npz").target, "npz"))
    old = convert_file(source, tmp_path / "one.h5", to="keras1", from_layout="tf", to_layout="tf").target
    for role, letter in (("kernel", "W"), ("recurrent_kernel", "U"), ("bias", "b")):
        gates = [arrays(old)[f"memory/memory_{letter}_{gate}:0"] for gate in "ifco"]
        np.testing.assert_array_equal(np.concatenate(gates, -1), packed[role])
    gru = written(tmp_path / "gru.h5", "CuDNNGRU", "memory", drawn("CuDNNGRU", 5, 3))
    with pytest.raises(ConversionError, match=r"layer 'memory' \(GRU\) was built with reset_after, which"):
        plan_file(gru, to="keras1", from_layout="tf")


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("name", ["memory", "cu_dnn{}_1", "{}_1"])
def test_the_bias_tells_which_class_wrote_it(kind, name, tmp_path):
    """As in Keras 2, which loads either into the other: neither the layer's name nor a word is needed."""
    native = kind.removeprefix("CuDNN")
    layer = name.format(native.lower())
    source = written(tmp_path / "old.h5", kind, layer, drawn(kind, 5, 3))
    (described,) = inspect_file(source).description.layers
    assert described.kind == described.parts[0].kind == kind
    plan = plan_file(source, to="keras2", layers={layer: native})
    assert {output.kind for output in plan.outputs} == {native}
    how = {"LSTM": ", its two biases added", "GRU": " with reset_after"}[native]
    assert plan.typed_notes == (
        f"1 {kind} ({layer!r} first): written as {native}{how}; its activations are tanh and sigmoid, as"
        " cuDNN's are",
    )
    # Keras 2 keeps the layer's name: it is taken for what it has become.
    new = convert_file(source, tmp_path / "new.h5", to="keras2").target
    assert inspect_file(new).description.layers[0].kind == native


def test_both_ways_of_a_bidirectional_are_plain_too(tmp_path):
    """The layers inside are found by their arrays, as the one around them is."""
    ways = {way: drawn("CuDNNLSTM", 5 + at, 3) for at, way in enumerate(("forward", "backward"))}
    layers = {
        "bidirectional_1": {
            f"bidirectional_1/{way}_cu_dnnlstm_1/{role}:0": values
            for way, found in ways.items()
            for role, values in found.items()
        }
    }
    source = write_named(tmp_path / "old.h5", layers, backend="tensorflow", keras_version="2.2.4")
    new = arrays(convert_file(source, tmp_path / "new.weights.h5", to="keras3").target)
    x = np.random.default_rng(1).uniform(-1, 1, (STEPS, 6))
    for at, (way, found) in enumerate(ways.items()):
        own = [new[f"layers/bidirectional/{way}_layer/cell/vars/{number}"] for number in range(3)]
        steps = x[:, : 5 + at]
        np.testing.assert_allclose(
            of_keras("CuDNNLSTM", *own, steps), of_cudnn("CuDNNLSTM", found, steps), atol=1e-6
        )


@pytest.mark.parametrize("kind", GATES)
def test_another_layout_leaves_cudnn_s_arrays_alone(kind, tmp_path):
    """In their own dialect they are read by the class that wrote them; only the convolution is turned."""
    named = {f"memory/{role}:0": values for role, values in drawn(kind, 5, 3).items()}
    convolution = {"conv/kernel:0": counted(3, 3, 2, 4), "conv/bias:0": counted(4)}
    layers = {"memory": named, "conv": convolution}
    source = write_named(tmp_path / "old.h5", layers, backend="theano", keras_version="2.2.4")
    new = convert_file(source, tmp_path / "new.h5", direction="th-to-tf").target
    before, after = arrays(source), arrays(new)
    for name, values in before.items():
        assert np.array_equal(values, after[name]) == (not name.endswith("conv/kernel:0"))


def test_rows_behind_a_flattened_map_are_refused(tmp_path):
    """Their values lie in cuDNN's order: in a plain layer they would move."""
    named = {f"memory/{role}:0": values for role, values in drawn("CuDNNLSTM", 24, 3).items()}
    layers = {"conv": {"conv/kernel:0": counted(3, 3, 2, 4), "conv/bias:0": counted(4)}, "memory": named}
    source = write_named(tmp_path / "old.h5", layers, backend="tensorflow", keras_version="2.1.6")
    with pytest.raises(ConversionError, match="--flatten memory=4x2x3 or --flatten memory=none"):
        plan_file(source, direction="th-to-tf")
    with pytest.raises(ConversionError) as refused:
        plan_file(source, direction="th-to-tf", flatten={"memory": (4, 2, 3)})
    assert str(refused.value) == (
        f"{source}: layer 'memory' (CuDNNLSTM) is behind a flattened map: cuDNN's rows are not moved;"
        " say --to keras2 first, which makes it a plain layer"
    )


@pytest.mark.parametrize("kind", GATES)
def test_a_file_is_compared_with_what_became_of_it(kind, tmp_path):
    """In the form of the plain layer, which both can have."""
    source = written(tmp_path / "old.h5", kind, "memory", drawn(kind, 5, 3))
    assert compare_files(source, source).equal
    new = convert_file(source, tmp_path / "new.h5", to="keras2").target
    assert compare_files(source, new).equal
    with h5py.File(new, "r+") as file:
        file["memory/memory/bias:0"][...] += 1
    assert not compare_files(source, new).equal


def test_a_container_names_the_plain_kinds(tmp_path):
    """The description in an .npz file is of the arrays that it holds."""
    source = written(tmp_path / "old.h5", "CuDNNGRU", "memory", drawn("CuDNNGRU", 5, 3))
    with np.load(convert_file(source, tmp_path / "new.npz", to="npz").target) as data:
        (layer,) = json.loads(data["zoo"].item())["description"]["layers"]
    assert layer["kind"] == "GRU"
    assert {array["kind"] for array in layer["arrays"]} == {"GRU"}
