"""Layers of which nothing is known: carried as they are where nothing moves, or where the user says so."""

from __future__ import annotations

import json
import zipfile

import h5py
import keras
import numpy as np
import pytest

from converters import convert_file, plan_file
from converters.compare import compare_files
from converters.errors import ConversionError, UnknownFlattenError
from converters.formats.dialects import describe
from converters.planning.structures import load_structure
from tests.support.command import Command
from tests.support.weight_files import arrays, counted, fill_named, keras1, write_empty, write_named

CARRIED = "no rule is known for 'mine': the arrays are carried as they are"
# A layer of one's own whose names tell something, nothing, or the same thing twice.
OWN = {
    "keras1": {"mine_Q": counted(2, 3, 4), "mine_W": counted(5, 2), "mine_z:0": counted(3)},
    "keras2": {
        "mine/query:0": counted(2, 3, 4),
        "mine/inner/kernel:0": counted(5, 2),
        "mine/other/kernel:0": counted(5, 2) + 1,
    },
}


def of_dialect(dialect):
    """Return a file's layers: a convolution, one of one's own, a dense layer that is behind no map."""
    if dialect == "keras1":
        return {**keras1(conv=(6, 3, 3, 5)), "mine": OWN["keras1"], **keras1(fc=(6, 2))}
    return {
        "conv": {"conv/kernel:0": counted(3, 5, 3, 6), "conv/bias:0": counted(6)},
        "mine": OWN["keras2"],
        "fc": {"fc/kernel:0": counted(6, 2), "fc/bias:0": counted(2)},
    }


@pytest.fixture(params=list(OWN))
def dialect(request):
    """Return who wrote the file."""
    return request.param


@pytest.fixture
def source(dialect, tmp_path):
    """Return such a file, in th form."""
    told = {"backend": "theano", "keras_version": "2.2.4"} if dialect == "keras2" else {}
    return write_named(tmp_path / "old.h5", of_dialect(dialect), **told)


def own(dialect):
    """Return the arrays of the layer of one's own in the file's order."""
    return list(OWN[dialect].values())


@pytest.mark.parametrize("to", ["npz", "safetensors"])
def test_a_plain_container_takes_what_nothing_is_known_of(source, dialect, to, tmp_path):
    """Where layout and kernels stay: under names of its own, each once, and said so by the layer's name."""
    form = {"from_layout": "th", "to_layout": "th", "to_kernels": "th"}
    done = convert_file(source, tmp_path / f"new.{to}", to=to, flatten={"fc": None}, **form)
    assert CARRIED in done.plan.typed_notes
    carried = [output for output in done.plan.outputs if output.layer == "mine"]
    expected = {"keras1": ["Q", "W", "z"], "keras2": ["query", "inner/kernel", "other/kernel"]}[dialect]
    assert [output.name for output in carried] == [f"mine/{name}" for name in expected]
    assert {output.kind for output in carried} == {"Other"}
    if to == "npz":
        with np.load(done.target) as data:
            for output, values in zip(carried, own(dialect), strict=True):
                np.testing.assert_array_equal(data[output.name], values)


MOVED = [
    {"direction": "th-to-tf"},
    {"to_layout": "th", "to_kernels": "tf"},
    {"to": "npz"},
    {"to": "safetensors", "to_layout": "th", "to_kernels": "tf"},
    {"to": "keras1", "to_layout": "th", "to_kernels": "th"},
    {"to": "keras2", "to_layout": "th", "to_kernels": "th"},
    {"to": "keras3"},
]


@pytest.mark.parametrize("facts", MOVED, ids=lambda facts: "-".join(facts.values()))
def test_where_anything_moves_only_the_user_says_other(source, dialect, facts, tmp_path):
    """Layout, kernels, or the dialect: refused by the layer's name, with what to say; then the rest moves."""
    facts = {"from_layout": "th", **facts}
    with pytest.raises(ConversionError, match=r"layer 'mine' .*; say --layer mine=Other to carry its arrays"):
        plan_file(source, **facts)
    done = convert_file(source, tmp_path / "new", layers={"mine": "Other"}, flatten={"fc": None}, **facts)
    assert CARRIED in done.plan.typed_notes
    assert not any(array.changes for array in done.plan.arrays if array.layer == "mine")
    assert any(array.changes for array in done.plan.arrays) or facts.get("to") in ("keras1", "keras2")
    if facts.get("to") in (None, "keras1", "keras2", "keras3"):
        new = [layer for layer in describe(done.target).layers if layer.name == "mine"]
        found = [arrays(done.target)[array.path] for layer in new for array in layer.arrays]
        for values, wanted in zip(found, own(dialect), strict=True):
            np.testing.assert_array_equal(values, wanted)


@pytest.mark.parametrize("to", ["keras1", "keras2"])
def test_own_names_are_kept_in_their_own_dialect(source, dialect, to, tmp_path):
    """And made by the dialect's way of naming in another."""
    done = convert_file(
        source,
        tmp_path / "new.h5",
        to=to,
        from_layout="th",
        to_layout="th",
        to_kernels="th",
        layers={"mine": "Other"},
        flatten={"fc": None},
    )
    expected = {
        ("keras1", "keras1"): list(OWN["keras1"]),
        ("keras2", "keras2"): list(OWN["keras2"]),
        ("keras1", "keras2"): ["mine/Q:0", "mine/W:0", "mine/z:0"],
        ("keras2", "keras1"): ["mine_query", "mine_inner/kernel", "mine_other/kernel"],
    }
    assert [o.name for o in done.plan.outputs if o.layer == "mine"] == expected[dialect, to]


def test_a_file_is_compared_with_itself(source, tmp_path, capsys):
    """Nothing has to be known for that; a value that differs is found."""
    comparison = compare_files(source, source)
    assert [layer.status for layer in comparison.layers] == ["equal"] * 3
    assert Command(capsys)("diff", source, source)[0] == 0
    with h5py.File(source, "r") as old, h5py.File(tmp_path / "other.h5", "w") as new:
        for name in old:
            old.copy(name, new)
        new.attrs.update(old.attrs)
        new["mine"][next(iter(new["mine"].attrs["weight_names"])).decode()][0] += 1
    comparison = compare_files(source, tmp_path / "other.h5")
    assert {layer.name: layer.status for layer in comparison.layers} == {
        "conv": "equal",
        "mine": "different",
        "fc": "equal",
    }


def test_two_forms_are_not_compared_without_a_word(source, tmp_path):
    """Whether such a layer's arrays would have to move is for the user to say."""
    layers = {"mine": "Other"}
    new = convert_file(
        source, tmp_path / "new.h5", direction="th-to-tf", layers=layers, flatten={"fc": None}
    ).target
    with h5py.File(new, "r+") as file:
        del file.attrs["zoo_network"]  # where the user's word is kept
    with pytest.raises(ConversionError, match="say --layer mine=Other"):
        compare_files(source, new)
    assert compare_files(source, new, layers=layers, flatten={"fc": None}).equal


def test_a_layer_behind_an_unknown_one_may_be_behind_a_map(tmp_path):
    """The unknown one may be a convolution: the rows that follow it are asked for, not passed over."""
    layers = {"mine": {"mine_Q": counted(5, 3, 3, 3)}, **keras1(fc=(20, 2), out=(2, 2))}
    source = write_named(tmp_path / "old.h5", layers)
    said = {"direction": "th-to-tf", "layers": {"mine": "Other"}}
    asked = "--flatten fc=CHANNELSxHEIGHTxWIDTH or --flatten fc=none"
    with pytest.raises(UnknownFlattenError, match=asked) as refused:
        plan_file(source, **said)
    assert "--flatten out" not in str(refused.value)
    plan = plan_file(source, flatten={"fc": (5, 2, 2)}, **said)
    assert [array.layer for array in plan.changed] == ["fc"]


@pytest.mark.parametrize(
    ("name", "said", "group"),
    [
        ("mine", "Other(SpatialGlue)", "spatial_glue"),
        ("spatial_glue_2", "Other", "spatial_glue"),
        ("mine", "Other", "mine"),
        # Under this name it would take the place of the network's own dense layer.
        ("dense_2", "Other", "other"),
    ],
)
def test_keras_3_finds_such_a_layer_by_its_class(name, said, group, tmp_path):
    """As the user says it, or as an automatic name does; never under the name of a class of Keras."""
    layers = {name: {f"{name}/q:0": counted(2, 3)}, "dense_1": {"dense_1/kernel:0": counted(2, 3)}}
    source = write_named(tmp_path / "old.h5", layers, backend="tensorflow", keras_version="2.2.4")
    plan = plan_file(source, to="keras3", from_layout="tf", layers={name: said}, flatten={"dense_1": None})
    assert [output.target_path for output in plan.outputs] == [
        f"layers/{group}/vars/0",
        "layers/dense/vars/0",
    ]


class SpatialGlue(keras.layers.Layer):
    """A layer of one's own."""

    def build(self, shape):
        """Create its arrays."""
        self.first = self.add_weight(shape=(shape[-1], 3), name="first")
        self.second = self.add_weight(shape=(3,), name="second")

    def call(self, x):
        """Return what it computes."""
        return keras.ops.matmul(x, self.first) + self.second


def test_keras_3_reads_such_a_layer(tmp_path):
    """The file of a network with layers of one's own, which are numbered as all are."""
    layers = {
        "dense_1": {"dense_1/kernel:0": counted(4, 5), "dense_1/bias:0": counted(5)},
        "a": {"a/first:0": counted(5, 3), "a/second:0": counted(3)},
        "b": {"b/first:0": counted(3, 3) + 1, "b/second:0": counted(3) + 2},
    }
    source = write_named(tmp_path / "old.h5", layers, backend="tensorflow", keras_version="2.2.4")
    told = {"a": "Other(SpatialGlue)", "b": "Other(SpatialGlue)"}
    new = convert_file(source, tmp_path / "new.weights.h5", to="keras3", from_layout="tf", layers=told).target
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5), SpatialGlue(), SpatialGlue()])
    model.load_weights(new)
    wanted = [values for found in layers.values() for values in found.values()]
    for values, expected in zip(model.get_weights(), wanted, strict=True):
        np.testing.assert_array_equal(values, expected)


DENSE = {"kernel": counted(4, 3), "bias": counted(3)}


def entry(class_name, name, **more):
    """Return a layer's entry in a configuration."""
    return {"class_name": class_name, "config": {"name": name, "trainable": True}, **more}


def whole_model(path, *entries, layers, version="2.2.4"):
    """Write a whole model of Keras 1 or 2."""
    config = {"class_name": "Sequential", "config": {"name": "net", "layers": list(entries)}}
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = version
        if not version.startswith("1"):
            file.attrs["backend"] = "tensorflow"
        fill_named(file.create_group("model_weights"), layers)
    return path


def archive(path, *entries, groups):
    """Write a .keras file: groups maps a group's name to the layer's name, or None if it is not in there."""
    config = {"class_name": "Sequential", "config": {"name": "net", "layers": list(entries)}}
    with h5py.File(path.with_suffix(".inner"), "w") as file:
        for group, name in groups.items():
            variables = file.create_group(f"layers/{group}/vars")
            for number, values in enumerate(DENSE.values()):
                variables.create_dataset(str(number), data=values)
            if name:
                variables.attrs["name"] = name
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("config.json", json.dumps(config))
        made.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        made.write(path.with_suffix(".inner"), "model.weights.h5")
    return path


def look_alike(form, path):
    """Return a whole model with a dense layer of somebody else's, and the kind that it is to be called."""
    named = {"head": {f"head/{role}:0": values for role, values in DENSE.items()}}
    if form == "keras1":
        old = {"head": {"head_W": DENSE["kernel"], "head_b": DENSE["bias"]}}
        return whole_model(path, entry("QDense", "head"), layers=old, version="1.2.2"), "QDense"
    if form == "keras2":
        return whole_model(path, entry("QDense", "head"), layers=named), "QDense"
    if form == "registered":
        return whole_model(path, entry("Custom>Dense", "head"), layers=named), "Custom>Dense"
    own = {"module": "qkeras.qlayers", "registered_name": "QDense"}
    if form == "keras3":
        return archive(path, entry("QDense", "head", **own), groups={"q_dense": "head"}), "QDense"
    if form == "keras3 without names":
        found = entry("QDense", "q_dense_4", **own)
        return archive(path, found, groups={"q_dense": None}), "QDense"
    found = entry("Dense", "head", module="mine", registered_name="Custom>Dense")
    return archive(path, found, groups={"dense": "head"}), "Custom>Dense"


FORMS = ["keras1", "keras2", "registered", "keras3", "keras3 without names", "keras3 registered"]


@pytest.mark.parametrize("form", FORMS)
def test_a_whole_model_s_class_counts_more_than_its_arrays(form, tmp_path):
    """They fit a Dense, and what the class does with them nobody knows: the user says that it is one."""
    source, kind = look_alike(form, tmp_path / ("old.keras" if "keras3" in form else "old.h5"))
    said = {"to": "keras2", "to_layout": "tf", "from_layout": "tf"}
    layer = "q_dense" if form == "keras3 without names" else "head"
    with pytest.raises(ConversionError) as refused:
        plan_file(source, **said)
    text = f"layer '{layer}' is of kind {kind} ("
    assert str(refused.value).startswith(f"{source}: {text}")
    assert f"; say --layer {layer}=Other to carry its arrays as they are, or" in str(refused.value)
    if "keras3" not in form:
        assert f"--layer {layer}=Dense if it works as a Dense does" in str(refused.value)
    for own_kind in ("Dense", "Other"):
        done = convert_file(
            source, tmp_path / f"{own_kind}.h5", layers={layer: own_kind}, flatten=None, **said
        )
        assert {output.kind for output in done.plan.outputs} == {own_kind}
        assert sorted(map(np.shape, arrays(done.target).values())) == [(3,), (4, 3)]


def test_a_structure_s_names_do_not_make_a_class_another(tmp_path):
    """VGG-16 with one layer of another class is no VGG-16, though all names and shapes are there."""
    structure = load_structure("vgg16_blocks")
    path = write_empty(tmp_path / "old.h5", structure, layout="tf", style="keras2")
    classes = {"Conv2D": "Conv2D", "Dense": "Dense"}
    entries = [
        entry("QConv2D" if layer.name == "block3_conv2" else classes.get(layer.kind, "Flatten"), layer.name)
        for layer in structure.weighted
    ]
    config = {"class_name": "Sequential", "config": {"name": "net", "layers": entries}}
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"], file.attrs["backend"] = "2.2.4", "tensorflow"
    with pytest.raises(ConversionError, match=r"layer 'block3_conv2' is of kind QConv2D \("):
        plan_file(path, to="keras3", from_layout="tf")


@pytest.mark.parametrize("package", ["", "Custom>", "zoo>"])
def test_classes_that_only_users_can_have_are_known(package, tmp_path):
    """Scale is a class of the published networks' own, and classes without weights never matter."""
    vectors = {"scale/gamma:0": counted(4), "scale/beta:0": counted(4)}
    entries = [entry("LRN", "lrn"), entry("MyNoise", "noise"), entry(f"{package}Scale", "scale")]
    source = whole_model(tmp_path / "old.h5", *entries, layers={"lrn": {}, "noise": {}, "scale": vectors})
    plan = plan_file(source, to="keras3", from_layout="tf")
    assert {output.kind for output in plan.outputs} == {"Scale"}


def test_one_s_own_layer_in_a_wrapper_is_refused_and_carried(tmp_path):
    """The class inside is believed as well."""
    wrapper = entry("TimeDistributed", "td")
    wrapper["config"]["layer"] = entry("QDense", "inside")
    layers = {"td": {f"td/{role}:0": values for role, values in DENSE.items()}}
    source = whole_model(tmp_path / "old.h5", wrapper, layers=layers)
    with pytest.raises(ConversionError, match=r"layer 'td' is of kind QDense \("):
        plan_file(source, to="keras3", from_layout="tf")
    plan = plan_file(source, to="keras3", from_layout="tf", layers={"td": "TimeDistributed(Other)"})
    assert [output.target_path for output in plan.outputs] == [
        f"layers/time_distributed/layer/vars/{number}" for number in range(2)
    ]
