"""What tf.keras has beside the layers of Keras 2: files of tf-keras and Keras 2.12, and configurations."""

from __future__ import annotations

import copy
import io
import json
import random
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from converters import plan_upgrade, upgrade_file
from converters.errors import ConversionError, FileFormatError, ZooError
from converters.upgrading.tf_operations import OPERATIONS
from converters.upgrading.today import TODAY
from tests.support.upgrading import chain, functional, layer, opened, write_model

DATA = Path(__file__).parents[2] / "data" / "tf_keras"
FILES = sorted(path.name for path in DATA.glob("*.*") if path.suffix in (".h5", ".keras"))


def distance(path, name):
    """Return how far a new file is from what tf-keras recorded, relative to the largest output."""
    import keras
    import tensorflow as tf

    with np.load(DATA / f"{Path(name).stem}.npz") as data:
        inputs, outputs = ([data[key] for key in sorted(data) if key[0] == end] for end in "xy")
    inputs = [tf.constant(array) if array.dtype.kind == "S" else array for array in inputs]
    given = keras.models.load_model(path)(inputs if len(inputs) > 1 else inputs[0], training=False)
    given = given if isinstance(given, list | tuple) else [given]
    pairs = zip(map(np.asarray, given), outputs, strict=True)
    return max(float(np.abs(value - wanted).max() / np.abs(wanted).max()) for value, wanted in pairs)


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_tf_keras_gives_what_was_recorded(name, tmp_path):
    """Whatever its layers are called: an archive calls groups after classes, and numbers them."""
    done = upgrade_file(DATA / name, tmp_path / "new.keras")
    assert distance(done.target, name) < 1e-5
    used = [source for output in done.upgrade.outputs for source in output.sources]
    assert len(used) == len(set(used))


def test_a_file_is_what_it_holds(tmp_path):
    """HDF5 that is called .keras is read as HDF5, and its new file lies beside it."""
    path = Path(shutil.copy(DATA / "renamed.h5", tmp_path / "old.keras"))
    done = upgrade_file(path)
    assert done.target == tmp_path / "old_new.keras"
    assert distance(done.target, "renamed.h5") < 1e-5


def test_a_layer_that_says_its_shape_may_lie_in_a_wrapper(tmp_path):
    """Then it says that of each step."""
    kernel = np.random.default_rng(0).normal(size=(4, 3, 2)).astype("float32")
    inner = layer("EinsumDense", "inner", equation="abc,cde->abde", output_shape=[None, 3, 2], bias_axes=None)
    last = np.random.default_rng(2).normal(size=(180, 2)).astype("float32")
    outer, dense = (
        layer("TimeDistributed", "outer", layer=inner),
        layer("Dense", "last", units=2, use_bias=False),
    )
    config = chain(outer, layer("Flatten", "flat"), dense, shape=(5, 6, 4))
    arrays = {"outer": {"outer/kernel:0": kernel}, "last": {"last/kernel:0": last}}
    model = opened(write_model(tmp_path / "old.h5", config, arrays, version="2.15.0"), tmp_path / "new.keras")
    x = np.random.default_rng(1).normal(size=(2, 5, 6, 4)).astype("float32")
    wanted = np.einsum("atbc,cde->atbde", x, kernel).reshape(2, -1) @ last
    assert np.abs(np.asarray(model(x)) - wanted).max() < 1e-4


def rewritten(name, path, change, *, without=()):
    """Write an archive anew with its configuration changed, and without some members."""
    with zipfile.ZipFile(DATA / name) as old, zipfile.ZipFile(path, "w") as new:
        for info in old.infolist():
            if info.filename in without:
                continue
            data = old.read(info)
            if info.filename == "config.json":
                config = json.loads(data)
                change(config)
                data = json.dumps(config).encode()
            new.writestr(info.filename, data)
    return path


def test_words_that_are_not_in_the_file_are_refused(tmp_path):
    """No lookup opens without its vocabulary."""
    asset = "assets/layers/text_vectorization/vocabulary.txt"
    path = rewritten("words.keras", tmp_path / "old.keras", lambda config: None, without=[asset])
    (refusal,) = plan_upgrade(path).refusals
    assert refusal.why == "its vocabulary was learnt, and is not in the file"


def test_words_are_not_read_beyond_a_limit(tmp_path, monkeypatch):
    """Those of all layers together."""
    asset = "assets/layers/text_vectorization/vocabulary.txt"
    path = rewritten("words.keras", tmp_path / "old.keras", lambda config: None, without=[asset])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(asset, "word\n" * 1000)
    monkeypatch.setenv("ZOO_LIMITS", "header_bytes=4000")
    with pytest.raises(FileFormatError) as error:
        plan_upgrade(path)
    said = "the words of its layers take 5000 bytes; more than 4000 are not read (limit header_bytes)"
    assert str(error.value) == f"{path}: {said}"


def test_an_archive_whose_layers_stand_in_another_order_is_refused(tmp_path):
    """Each array has to have the shape that its layer's settings ask for."""

    def change(config):
        layers = config["config"]["layers"]
        layers[1]["config"]["units"] = 5

    (refusal,) = plan_upgrade(rewritten("renamed.keras", tmp_path / "old.keras", change)).refusals
    assert refusal.why == "its array (4, 4) should be (4, 5)"


def test_keras_3_itself_needs_no_upgrade(tmp_path):
    """Its archives are opened as they are."""
    path = tmp_path / "old.keras"
    with zipfile.ZipFile(DATA / "renamed.keras") as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, data.replace(b"2.21.0", b"3.15.1") if name == "metadata.json" else data)
    with pytest.raises(ConversionError) as error:
        plan_upgrade(path)
    assert str(error.value) == (
        f"{path}: Keras 3 wrote it: it is opened as it is, with compile=False where a loss is not found"
    )


# Operations

SHAPE = (6, 4)


def of_operations(*calls, inputs=("x", "y"), shape=SHAPE, dtype="float32"):
    """Return a Functional of operations, each a symbol, its first argument and the others by name."""
    nodes = [[layer("InputLayer", name, batch_input_shape=[None, *shape], dtype=dtype)] for name in inputs]
    config = functional(nodes, inputs, [f"op{at}" for at in range(len(calls))])
    for at, (symbol, first, named) in enumerate(calls):
        settings = {"name": f"op{at}", "trainable": True, "dtype": "float32", "function": symbol}
        kind = "SlicingOpLambda" if symbol.endswith("getitem") else "TFOpLambda"
        several = isinstance(first, list) and isinstance(first[0], list)
        entries = [[*entry, named] for entry in (first if several else [first])]
        use = entries if several else entries[0]
        entry = {"class_name": kind, "config": settings, "name": f"op{at}", "inbound_nodes": [use]}
        config["config"]["layers"].append(entry)
    return config


FOUR = np.array([1, 2, 3, 4])
X, Y = ["x", 0, 0], ["y", 0, 0]
ALL = {"start": None, "stop": None, "step": None}


def number(value):
    """Return a first argument that is a number."""
    return ["_CONSTANT_VALUE", -1, value]


def softmax(x, axis=-1):
    """Return what adds up to one along an axis."""
    powers = np.exp(x - x.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


MEANT = [
    ("__operators__.add", X, {"y": 1.5, "name": None}, lambda x, y: x + 1.5),
    ("__operators__.add", X, {"y": Y}, lambda x, y: x + y),
    ("math.add", X, {"y": 2}, lambda x, y: x + 2),
    ("math.add", X, {"y": [1.0, 2.0, 3.0, 4.0]}, lambda x, y: x + FOUR),
    ("math.subtract", number(2), {"y": X}, lambda x, y: 2 - x),
    ("math.subtract", number(2.5), {"y": X}, lambda x, y: 2.5 - x),
    ("math.subtract", X, {"y": Y}, lambda x, y: x - y),
    ("math.subtract", X, {"y": 3}, lambda x, y: x - 3),
    ("math.multiply", X, {"y": [[1.0, 2.0, 3.0, 4.0]]}, lambda x, y: x * FOUR),
    ("math.multiply", X, {"y": Y}, lambda x, y: x * y),
    ("math.multiply", number(3), {"y": X}, lambda x, y: x * 3),
    ("math.truediv", X, {"y": Y}, lambda x, y: x / y),
    ("math.truediv", X, {"y": 3}, lambda x, y: x / 3),
    ("math.divide", X, {"y": [1.0, 2.0, 4.0, 8.0]}, lambda x, y: x / [1, 2, 4, 8]),
    ("math.truediv", number(3), {"y": Y}, lambda x, y: 3 / y),
    ("math.pow", X, {"y": 2}, lambda x, y: x**2),
    ("math.pow", X, {"y": 3}, lambda x, y: x**3),
    ("math.maximum", X, {"y": 0.25}, lambda x, y: np.maximum(x, 0.25)),
    ("math.minimum", number(0.25), {"y": X}, lambda x, y: np.minimum(x, 0.25)),
    ("math.squared_difference", X, {"y": Y}, lambda x, y: (x - y) ** 2),
    ("math.add_n", [X, Y], {}, lambda x, y: x + y),
    ("clip_by_value", X, {"clip_value_min": -0.5, "clip_value_max": 0.5}, lambda x, y: np.clip(x, -0.5, 0.5)),
    ("math.abs", X, {"name": None}, lambda x, y: np.abs(x)),
    ("math.rsqrt", Y, {}, lambda x, y: 1 / np.sqrt(y)),
    ("math.erf", X, {}, None),
    ("nn.softmax", X, {"axis": 1}, lambda x, y: softmax(x, 1)),
    ("nn.leaky_relu", X, {}, lambda x, y: np.where(x > 0, x, 0.2 * x)),
    ("nn.bias_add", X, {"bias": [1.0, 2.0, 3.0, 4.0]}, lambda x, y: x + FOUR),
    ("math.reduce_mean", X, {"axis": -1, "keepdims": True}, lambda x, y: x.mean(-1, keepdims=True)),
    ("math.reduce_max", X, {"axis": [1, 2]}, lambda x, y: x.max((1, 2))),
    ("math.reduce_std", X, {"axis": 1}, lambda x, y: x.std(1)),
    ("math.argmax", X, {"axis": 2}, lambda x, y: x.argmax(2)),
    ("norm", X, {"axis": 2}, lambda x, y: np.sqrt((x**2).sum(2))),
    ("math.cumsum", X, {"axis": 1}, lambda x, y: x.cumsum(1)),
    ("reshape", X, {"shape": [-1, 3, 8]}, lambda x, y: x.reshape(-1, 3, 8)),
    ("expand_dims", X, {"axis": -1}, lambda x, y: x[..., None]),
    ("transpose", X, {"perm": [0, 2, 1]}, lambda x, y: x.transpose(0, 2, 1)),
    ("concat", [X, Y], {"axis": -1}, lambda x, y: np.concatenate([x, y], -1)),
    ("stack", [X, Y], {"axis": 1}, lambda x, y: np.stack([x, y], 1)),
    ("tile", X, {"multiples": [1, 2, 1]}, lambda x, y: np.tile(x, (1, 2, 1))),
    ("pad", X, {"paddings": [[0, 0], [1, 2], [0, 0]]}, lambda x, y: np.pad(x, [(0, 0), (1, 2), (0, 0)])),
    ("linalg.matmul", X, {"b": Y, "transpose_b": True}, lambda x, y: x @ y.transpose(0, 2, 1)),
    ("math.greater", X, {"y": Y}, lambda x, y: x > y),
    ("math.less", number(0.25), {"y": X}, lambda x, y: x > 0.25),
    ("cast", X, {"dtype": "int32"}, lambda x, y: x.astype("int32")),
    ("__operators__.getitem", X, {"slice_spec": [ALL, -1]}, lambda x, y: x[:, -1]),
    ("__operators__.getitem", X, {"slice_spec": [{"class_name": "__ellipsis__"}, None]},
     lambda x, y: x[..., None]),
    ("__operators__.getitem", X,
     {"slice_spec": [ALL, {"start": 5, "stop": 0, "step": -2}, {"start": 1, "stop": None, "step": None}]},
     lambda x, y: x[:, 5:0:-2, 1:]),
]  # fmt: skip


def test_operations_compute_what_they_did(tmp_path):
    """All in one model, each one of its outputs, of the shape that was worked out."""
    config = of_operations(*(call[:3] for call in MEANT))
    path = write_model(tmp_path / "old.h5", config, version="2.15.0")
    model = opened(path, tmp_path / "new.keras")
    x, y = np.random.default_rng(0).uniform(0.1, 2, (2, 3, *SHAPE)).astype("float32")
    x -= 1
    for (symbol, *_, wanted), result in zip(MEANT, model([x, y]), strict=True):
        if wanted is None:
            continue
        expected = wanted(x.astype("float64"), y.astype("float64"))
        assert np.shape(result) == expected.shape, symbol
        assert np.abs(np.asarray(result, "float64") - expected).max() < 1e-5, symbol


NOT_MEANT = [
    ("nn.conv2d", X, {"filters": [[1.0]]},
     "'tf.nn.conv2d' has nothing of today's that is known to mean the same"),
    ("math.add", X, {"y": [[1.0, 2.0], [3.0, 4.0]]}, "math.add: its argument y is an array of several axes"),
    ("math.add", X, {"y": [1.0, 2.0]}, "math.add: it has 2 numbers for 4 channels"),
    ("math.add", X, {}, "math.add: the file does not say its argument y"),
    ("math.add", X, {"y": 1.0, "z": 2}, "math.add: its argument 'z' has no place"),
    ("math.add", X, {"y": "one"}, "math.add: its argument y is 'one', not a number"),
    ("math.divide", X, {"y": [1.0, 0.0, 1.0, 1.0]}, "math.divide: it divides by zero"),
    ("math.floormod", number(2), {"y": X}, "math.floormod: its first argument is a number"),
    ("einsum", number("ab,bc->ac"), {}, "einsum: the file does not say what it is called with"),
    ("math.reduce_sum", X, {}, "math.reduce_sum: it works across the batch"),
    ("math.reduce_sum", X, {"axis": 0}, "math.reduce_sum: it works across the batch"),
    ("math.reduce_sum", X, {"axis": 3}, "math.reduce_sum: its axis 3 is none of 3"),
    ("math.argmax", X, {}, "math.argmax: it works across the batch"),
    ("concat", [X, Y], {"axis": 0}, "concat: it works across the batch"),
    ("transpose", X, {"perm": [1, 0, 2]}, "transpose: it works across the batch"),
    ("reshape", X, {"shape": [-1, 4]},
     "reshape: whether its shape a list of 2 keeps the batch apart is not told"),
    ("reshape", X, {"shape": [-1, 3, -5]},
     "reshape: whether its shape a list of 3 keeps the batch apart is not told"),
    ("reshape", X, {"shape": [Y, 24]}, "reshape: its shape is no list of numbers"),
    ("squeeze", X, {"axis": 1}, "squeeze: it leaves out an axis that has not one element"),
    ("expand_dims", X, {"axis": 0}, "expand_dims: its axis is 0"),
    ("tile", X, {"multiples": [2, 1, 1]}, "tile: it works across the batch"),
    ("pad", X, {"paddings": [[0, 0], [1, 1], [0, 0]], "mode": "REFLECT"},
     "pad: its argument mode is 'REFLECT'"),
    ("pad", X, {"paddings": [[0, 0], [0, 0], [1, 1]]}, "pad: it pads the batch, or the channels"),
    ("cast", X, {"dtype": "float16"},
     "cast: its argument dtype is 'float16': only float32, int32, int64, bool are carried over"),
    ("linalg.matmul", X, {"b": Y, "adjoint_b": True}, "linalg.matmul: its argument adjoint_b is True"),
    ("__operators__.getitem", X, {"slice_spec": [0]}, "__operators__.getitem: it works across the batch"),
    ("split", X, {"num_or_size_splits": 5, "axis": 1}, "split: its parts are 5 of 6"),
    ("__operators__.getitem", X, {"slice_spec": [ALL, {**ALL, "start": 6}]},
     "__operators__.getitem: it leaves nothing of an axis"),
    ("__operators__.getitem", X, {"slice_spec": [ALL, 6]}, "__operators__.getitem: it takes place 6 of 6"),
    ("__operators__.getitem", X, {"slice_spec": [ALL, {**ALL, "stop": Y}]},
     "__operators__.getitem: its places are not numbers"),
    ("__operators__.getitem", X, {"slice_spec": [ALL] * 4},
     "__operators__.getitem: it names more axes than there are"),
]  # fmt: skip


@pytest.mark.parametrize(("symbol", "first", "named", "why"), NOT_MEANT)
def test_an_operation_without_a_meaning_today_is_refused(symbol, first, named, why, tmp_path):
    """By its name and its argument."""
    path = write_model(tmp_path / "old.h5", of_operations((symbol, first, named)), version="2.15.0")
    (refusal,) = plan_upgrade(path).refusals
    assert refusal.why == why


def test_parts_of_a_split_that_nobody_takes_are_left_out(tmp_path):
    """A model gives what its outputs need."""
    config = of_operations(("split", X, {"num_or_size_splits": [1, 3, 2], "axis": 1}), inputs=("x",))
    config["config"]["output_layers"] = [["op0", 0, 1]]
    model = opened(write_model(tmp_path / "old.h5", config, version="2.15.0"), tmp_path / "new.keras")
    x = np.random.default_rng(0).normal(size=(2, *SHAPE)).astype("float32")
    assert np.array_equal(np.asarray(model(x)), x[:, 1:4])
    assert [layer.name for layer in model.operations] == ["x", "op0_part_1"]


def test_each_operation_that_is_drawn_is_one_of_todays():
    """And its table says in which module it lies."""
    assert {"TFOpLambda", "SlicingOpLambda"}.isdisjoint(TODAY)
    assert len(OPERATIONS) > 80
    assert all(found.needs <= len(found.takes) for found in OPERATIONS.values())


def test_operations_of_keras_are_where_their_names_say():
    """In the module that a configuration names."""
    import keras

    for name, found in TODAY.items():
        if found.registered:
            module = keras.src.ops
            for part in found.module.removeprefix("keras.src.ops.").split("."):
                module = getattr(module, part)
            assert getattr(module, found.registered).__name__ == found.registered, name


OLD = {"node_def": "...", "name": "op"}


def test_a_graph_of_tensorflow_is_refused(tmp_path):
    """What older versions kept as TensorFlow's own description of an operation."""
    path = write_model(
        tmp_path / "old.h5", chain(layer("TensorFlowOpLayer", **OLD), shape=(4,)), version="2.3.0"
    )
    (refusal,) = plan_upgrade(path).refusals
    assert refusal.why == "it holds a part of a graph of TensorFlow, which nothing of today's takes"


MIXED = {"class_name": "Policy", "config": {"name": "mixed_float16"}}


def test_a_policy_stays_and_is_said(tmp_path):
    """Arrays are float32, and layers compute with fewer bits, as they did."""
    kernel = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    dense = layer("Dense", "first", units=3, use_bias=False, dtype=MIXED)
    config = chain(dense, layer("Activation", "last", activation="softmax", dtype="float32"), shape=(4,))
    path = write_model(tmp_path / "old.h5", config, {"first": {"first/kernel:0": kernel}}, version="2.15.0")
    model = opened(path, tmp_path / "new.keras")
    x = np.random.default_rng(1).normal(size=(2, 4)).astype("float32")
    assert [layer.compute_dtype for layer in model.layers] == ["float16", "float32"]
    wanted = softmax((x.astype("float16") @ kernel.astype("float16")).astype("float32"))
    assert np.abs(np.asarray(model(x)) - wanted).max() < 1e-3
    assert plan_upgrade(path).notes == (
        "layers compute with mixed_float16 as they did, whose rounding may differ (the first is 'first')",
    )


def test_a_layer_in_a_wrapper_has_a_policy_of_its_own(tmp_path):
    """And the wrapper its own."""
    cell = {"class_name": "GRUCell", "config": {"name": "cell", "units": 3, "dtype": MIXED}}
    gates = {"activation": "tanh", "recurrent_activation": "sigmoid"}
    shapes = {"kernel": (2, 9), "recurrent_kernel": (3, 9), "bias": (9,)}
    arrays = {
        f"ways/{way}_inner/{role}:0": np.zeros(shape, "float32")
        for way in ("forward", "backward")
        for role, shape in shapes.items()
    }
    for inner in (layer("GRU", "inner", units=3, dtype=MIXED, **gates), layer("RNN", "inner", cell=cell)):
        around = layer("Bidirectional", "ways", layer=inner, merge_mode="sum", dtype="float32")
        config = chain(around, shape=(4, 2))
        plan = plan_upgrade(write_model(tmp_path / "old.h5", config, {"ways": arrays}, version="2.15.0"))
        drawn = plan.drawing.layers["ways"].settings
        within = drawn["layer"]["config"]
        types = (drawn["dtype"], within.get("cell", {"config": within})["config"]["dtype"])
        assert types == ("float32", "mixed_float16")


def test_whole_numbers_that_operations_hand_on_are_not_computed_with(tmp_path):
    """A mean of them was a whole number, too."""
    config = of_operations(
        ("__operators__.getitem", X, {"slice_spec": [ALL, {**ALL, "stop": 2}]}), inputs="x", dtype="int32"
    )
    code = layer("Lambda", "mean", function=["code", None, None], function_type="lambda")
    config["config"]["layers"].append({**code, "name": "mean", "inbound_nodes": [[["op0", 0, 0, {}]]]})
    config["config"]["output_layers"] = [["mean", 0, 0]]
    path = write_model(tmp_path / "old.h5", config, version="2.15.0")
    (refusal,) = plan_upgrade(path, lambdas={"mean": "mean"}).refusals
    assert "whole numbers come in" in refusal.why


# Configurations from anybody

ODD = (
    None,
    -1,
    0,
    1 << 60,
    0.5,
    "x",
    [],
    {},
    True,
    [1, 2, 3],
    [["x", 0, 0]],
    {"class_name": "X", "config": []},
)


def leaves(value, path=()):
    """Yield the paths of all values of a configuration that hold no others, and of some that do."""
    if isinstance(value, dict | list):
        if path and random.Random(str(path)).random() < 0.2:
            yield path
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from leaves(value[key], (*path, key))
    else:
        yield path


def changed(config, path, odd):
    """Return a configuration with one value changed."""
    config = copy.deepcopy(config)
    inner = config
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = odd
    return config


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".keras")])
def test_odd_configurations_are_upgraded_or_refused_in_our_words(name, tmp_path):
    """Whatever stands in the place of a setting, a call or a layer."""
    with zipfile.ZipFile(DATA / name) as old:
        members = {info.filename: old.read(info) for info in old.infolist()}
    config = json.loads(members["config.json"])
    chance = random.Random(name)
    paths = [path for path in leaves(config) if "initializer" not in str(path)]
    for at in range(40):
        odd = changed(config, chance.choice(paths), chance.choice(ODD))
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as new:
            for member, held in {**members, "config.json": json.dumps(odd).encode()}.items():
                new.writestr(member, held)
        path = tmp_path / f"{at}.keras"
        path.write_bytes(data.getvalue())
        try:
            plan_upgrade(path)
        except ZooError as error:
            assert "please report" not in str(error), odd
