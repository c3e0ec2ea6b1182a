"""Whose an array is where its name says it otherwise: Bidirectional layers, models that are classes."""

from __future__ import annotations

import re

import h5py
import numpy as np
import pytest

from converters import convert_file, inspect_file
from converters.errors import ConversionError
from converters.formats.dialects import describe
from converters.layers.table import WRAPPERS
from tests.support.dialect_samples import DATA, SAMPLES
from tests.support.weight_files import arrays, counted, rewritten, write_named

TWO_WAYS = [
    f"{sample}.{what}.h5"
    for sample in SAMPLES
    if sample.startswith("keras2") and sample.endswith("/bilstm")
    for what in ("weights", "model")
]
LSTM = {"kernel": (4, 20), "recurrent_kernel": (5, 20), "bias": (20,)}
GRU = {"kernel": (4, 9), "recurrent_kernel": (3, 9), "bias": (9,)}
RNN = {"kernel": (4, 3), "recurrent_kernel": (3, 3)}


def as_in_2_0_4(name):
    """Return what Keras 2.0.0 to 2.0.4 called an array of a Bidirectional on TensorFlow."""
    first = re.sub(r"/forward_\w+/(\w+)", r"/\1:0", name)
    return re.sub(r"/backward_\w+/(\w+)", r"/\1_1:0", first)


def both_ways(owner, shapes):
    """Return a Bidirectional's arrays by those names."""
    return {
        f"{owner}/{role}{ending}:0": counted(*shape) + number
        for number, ending in enumerate(("", "_1"))
        for role, shape in shapes.items()
    }


@pytest.mark.parametrize("to", ["keras1", "keras2", "keras3", "npz"])
@pytest.mark.parametrize("sample", TWO_WAYS)
def test_a_bidirectional_of_keras_2_0_4_is_that_of_2_0_5(sample, to, tmp_path):
    """The same arrays come out in the same order, whatever becomes of them."""
    facts = {"to": to, "from_layout": "tf", "to_layout": "tf", "to_kernels": "tf"}
    if sample.endswith("model.h5"):
        facts |= {"from_layout": None}
    if "_cf/" in sample and sample.endswith("weights.h5"):
        facts |= {"from_layout": "th"}
    source = DATA / sample
    old = rewritten(source, tmp_path / "old.h5", as_in_2_0_4)
    assert "bidirectional_1/kernel_1:0" in "".join(arrays(old))
    (both,) = (layer for layer in describe(old).layers if layer.name == "bidirectional_1")
    assert (both.kind, [(part.direction, part.kind) for part in both.parts]) == (
        "Bidirectional",
        [("forward", "LSTM"), ("backward", "LSTM")],
    )
    made = [
        arrays_in_order(convert_file(path, tmp_path / f"{path.name}.new", **facts).target)
        for path in (source, old)
    ]
    assert len(made[0]) == len(made[1])
    for one, other in zip(*made, strict=True):
        np.testing.assert_array_equal(one, other)


def arrays_in_order(path):
    """Return the arrays of a file in its order."""
    if path.read_bytes()[:2] == b"PK":
        with np.load(path) as data:
            return [data[name] for name in data if name != "zoo"]
    layers = inspect_file(path).description.weighted
    with h5py.File(path, "r") as file:
        return [file[array.path][()] for layer in layers for array in layer.arrays]


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
@pytest.mark.parametrize(
    ("layer", "owner", "said"),
    [
        ("bidirectional_1", "bidirectional_1", {}),
        ("mine", "mine", {"mine": "Bidirectional"}),
        ("model_1", "bidirectional_3", {}),
        ("sequential_2", "bidirectional_3", {}),
    ],
)
def test_both_ways_are_found_wherever_they_are(layer, owner, said, kind, tmp_path):
    """By an automatic name, by the user's word, alone or beside others within a model."""
    held = both_ways(owner, {"LSTM": LSTM, "GRU": GRU, "SimpleRNN": RNN}[kind])
    alone = write_named(tmp_path / "alone.h5", {layer: held}, keras_version="2.0.3")
    (found,) = describe(alone, layers=said).layers
    assert [(part.direction, part.kind) for part in found.parts] == [("forward", kind), ("backward", kind)]
    assert [array.name for part in found.parts for array in part.arrays] == list(held)
    if layer != owner:
        dense = {"dense_1/kernel:0": counted(4, 3), "dense_1/bias:0": counted(3)}
        beside = write_named(tmp_path / "beside.h5", {layer: dense | held}, keras_version="2.0.3")
        assert [part.kind for part in describe(beside).parts] == ["Dense", kind, kind]


def test_two_ways_that_nothing_tells_are_asked_about(tmp_path):
    """Two layers of recurrent cells may have such names too; the hint is one that helps."""
    path = write_named(tmp_path / "weights.h5", {"mine": both_ways("mine", LSTM)}, keras_version="2.0.3")
    with pytest.raises(ConversionError, match="or --layer mine=Bidirectional if it has two directions; "):
        convert_file(path, tmp_path / "new.h5", to="keras3")
    convert_file(path, tmp_path / "new.h5", to="keras3", layers={"mine": "Bidirectional"})
    assert [name for name in arrays(tmp_path / "new.h5") if "backward" in name]


PLAIN = {
    "conv2d": {"kernel": (3, 3, 2, 4), "bias": (4,)},
    "conv2d_1": {"kernel": (3, 3, 4, 6), "bias": (6,)},
    "fc": {"kernel": (4, 3), "bias": (3,)},
    "norm": {"gamma": (3,), "beta": (3,), "moving_mean": (3,), "moving_variance": (3,)},
    "lstm/lstm_cell": LSTM,
    "gru_1": GRU,
}


@pytest.mark.parametrize("before", ["le_net/", "outer/le_net/"])
@pytest.mark.parametrize("to", ["keras2", "keras3", "npz"])
def test_a_layer_of_a_model_that_is_a_class_is_a_plain_one(before, to, tmp_path):
    """The last parts of an array's name say whose it is; the rest is the model's name."""
    made, kinds = [], []
    for prefix in ("", before):
        layers = {
            name.partition("/")[0]: {
                f"{prefix}{name}/{role}:0": counted(*shape) for role, shape in own.items()
            }
            for name, own in PLAIN.items()
        }
        path = write_named(tmp_path / "old.h5", layers, keras_version="2.4.0", backend="tensorflow")
        kinds.append([layer.kind for layer in describe(path).layers])
        convert_file(path, tmp_path / "new", to=to, from_layout="tf", flatten={"fc": None}, force=True)
        made.append(arrays_in_order(tmp_path / "new"))
    assert kinds[0] == kinds[1] == ["Conv2D", "Conv2D", "Dense", "BatchNormalization", "LSTM", "GRU"]
    for one, other in zip(*made, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("to", ["keras2", "keras3", "npz"])
def test_a_name_that_a_graph_had_already_is_the_layers_own(to, tmp_path):
    """TensorFlow 1 numbers it, whoever named the layer; a layer within another keeps being asked about."""
    made = []
    own_names = {f"my_{name.partition('/')[0]}": own for name, own in PLAIN.items()}
    for again in ("", "_4"):
        layers = {
            name: {f"{name}{again}/{role}:0": counted(*shape) for role, shape in own.items()}
            for name, own in own_names.items()
        }
        path = write_named(tmp_path / "old.h5", layers, keras_version="2.2.0", backend="tensorflow")
        convert_file(path, tmp_path / "new", to=to, from_layout="tf", flatten={"my_fc": None}, force=True)
        made.append(arrays_in_order(tmp_path / "new"))
    for one, other in zip(*made, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_does_not_match_is_offered_as_what_its_arrays_are(tmp_path):
    """A layer of its own, or the only one within another: the user knows."""
    arrays_of_it = {"conv/kernel:0": counted(3, 3, 2, 4), "conv/bias:0": counted(4)}
    path = write_named(tmp_path / "old.h5", {"block": arrays_of_it}, keras_version="2.4.0")
    with pytest.raises(ConversionError) as refused:
        convert_file(path, tmp_path / "new.h5", to="keras3", from_layout="tf", from_kernels="tf")
    why = "holds arrays of others ('conv'), which Keras 3 keeps by the kind of what holds them"
    advice = "say --layer block=Conv2D if they are its own, else --layer block=KIND, one of"
    assert str(refused.value) == f"{path}: layer 'block' (None) {why}; {advice} {', '.join(WRAPPERS)}"
    for said in ("Conv2D", "Sequential"):
        facts = {"from_layout": "tf", "from_kernels": "tf", "layers": {"block": said}}
        convert_file(path, tmp_path / "new.h5", to="keras3", force=True, **facts)
        assert any(name.startswith("layers/conv2d/") for name in arrays(tmp_path / "new.h5")) == (
            said == "Conv2D"
        )
