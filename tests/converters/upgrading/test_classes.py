"""Classes of which there is no sample: each layer computes what is written out with NumPy here."""

from __future__ import annotations

import numpy as np
import pytest

from converters import plan_upgrade
from converters.upgrading.classes import NAME_IT, UPGRADES
from converters.upgrading.computing.layer import HINT
from tests.support.upgrading import MERGES, chain, functional, layer, opened, write_model

SEQUENCE, MAP, VOLUME = (6, 3), (4, 6, 3), (4, 4, 6, 2)


def hard(x):
    """Return the hard sigmoid of Keras 1 and 2."""
    return np.clip(0.2 * x + 0.5, 0, 1)


def windows(x, count, pick):
    """Return what windows of two along the first axes of space give, without padding."""
    for axis in range(1, count + 1):
        shape = (*x.shape[:axis], x.shape[axis] // 2, 2, *x.shape[axis + 1 :])
        x = pick(x.reshape(shape), axis + 1)
    return x


def stretched(x, count):
    """Return each value twice along the first axes of space."""
    for axis in range(1, count + 1):
        x = x.repeat(2, axis)
    return x


def around(x, count):
    """Return values with one zero in front and two behind along the first axes of space."""
    return np.pad(x, [(0, 0), *[(1, 2)] * count, (0, 0)])


def softmax(x, axis=-1):
    """Return what adds up to one along an axis."""
    powers = np.exp(x - x.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


SHAPES = (SEQUENCE, MAP, VOLUME)
PADDED = {"padding": "valid", "strides": None}
CASES = [
    ("LeakyReLU", {"alpha": {"type": "ndarray", "value": 0.25}}, MAP, lambda x: np.where(x > 0, x, x / 4)),
    ("ELU", {"alpha": 0.5}, MAP, lambda x: np.where(x > 0, x, 0.5 * np.expm1(x))),
    ("ThresholdedReLU", {"theta": 0.5}, MAP, lambda x: np.where(x > 0.5, x, 0)),
    ("ReLU", {"max_value": 1.0, "negative_slope": 0.5, "threshold": 0.25}, MAP,
     lambda x: np.where(x >= 0.25, np.minimum(x, 1), 0.5 * (x - 0.25))),
    ("Softmax", {"axis": 2}, MAP, lambda x: softmax(x, 2)),
    ("Activation", {"activation": "hard_sigmoid"}, MAP, hard),
    ("Activation", {"activation": "leaky_relu"}, MAP, lambda x: np.where(x > 0, x, 0.2 * x)),
    ("Activation", {"activation": "softmax"}, SEQUENCE, softmax),
    ("Dropout", {"rate": 0.5, "noise_shape": None, "seed": None}, MAP, lambda x: x),
    ("AlphaDropout", {"rate": 0.5, "noise_shape": None, "seed": None}, MAP, lambda x: x),
    ("GaussianDropout", {"rate": 0.5}, MAP, lambda x: x),
    ("GaussianNoise", {"stddev": 0.5}, MAP, lambda x: x),
    ("ActivityRegularization", {"l1": 0.1, "l2": 0.1}, MAP, lambda x: x),
    ("RepeatVector", {"n": 4}, (5,), lambda x: np.repeat(x[:, None], 4, 1)),
    ("Permute", {"dims": [3, 1, 2]}, MAP, lambda x: x.transpose(0, 3, 1, 2)),
    ("Reshape", {"target_shape": [3, -1, 2]}, MAP, lambda x: x.reshape(-1, 3, 12, 2)),
    ("Masking", {"mask_value": 9.0}, SEQUENCE, lambda x: x),
    *[
        case
        for count, shape in enumerate(SHAPES, 1)
        for case in (
            (f"SpatialDropout{count}D", {"rate": 0.5, "noise_shape": None}, shape, lambda x: x),
            (f"MaxPooling{count}D", {"pool_size": [2] * count, **PADDED}, shape,
             lambda x, count=count: windows(x, count, np.max)),
            (f"AveragePooling{count}D", {"pool_size": [2] * count, **PADDED}, shape,
             lambda x, count=count: windows(x, count, np.mean)),
            (f"GlobalMaxPooling{count}D", {}, shape,
             lambda x, count=count: x.max(tuple(range(1, count + 1)))),
            (f"GlobalAveragePooling{count}D", {}, shape,
             lambda x, count=count: x.mean(tuple(range(1, count + 1)))),
            (f"UpSampling{count}D", {"size": [2] * count if count > 1 else 2}, shape,
             lambda x, count=count: stretched(x, count)),
            (f"ZeroPadding{count}D", {"padding": [[1, 2]] * count if count > 1 else [1, 2]}, shape,
             lambda x, count=count: around(x, count)),
            (f"Cropping{count}D", {"cropping": [[1, 2]] * count if count > 1 else [1, 2]}, shape,
             lambda x, count=count: x[(slice(None), *[slice(1, -2)] * count)]),
        )
    ],
]  # fmt: skip
"""Class, settings, the shape of what comes in, and what goes out."""


@pytest.mark.parametrize(("class_name", "settings", "shape", "wanted"), CASES)
def test_a_layer_computes_what_it_did(class_name, settings, shape, wanted, tmp_path):
    """In Keras 2 on TensorFlow; said to be channels last where it has an order."""
    if class_name[-2:] in ("2D", "3D"):
        settings = {**settings, "data_format": "channels_last"}
    config = chain(layer(class_name, **settings), shape=shape)
    model = opened(write_model(tmp_path / "old.h5", config), tmp_path / "new.keras")
    x = np.random.default_rng(0).uniform(-2, 2, (2, *shape)).astype("float32")
    result = np.asarray(model(x))
    assert result.shape == wanted(x).shape
    assert np.abs(result - wanted(x)).max() < 1e-5


@pytest.mark.parametrize(
    ("class_name", "settings", "shape", "wanted"), [c for c in CASES if c[0][-2:] == "2D"]
)
def test_a_layer_on_maps_does_so_channels_first(class_name, settings, shape, wanted, tmp_path):
    """As it came in, and turned."""
    config = chain(layer(class_name, **settings, data_format="channels_first"), shape=(shape[2], *shape[:2]))
    x = np.random.default_rng(0).uniform(-2, 2, (2, *shape)).astype("float32")
    path = write_model(tmp_path / "old.h5", config)
    turned = opened(path, tmp_path / "turned.keras", data_format="channels_last")
    assert np.abs(np.asarray(turned(x)) - wanted(x)).max() < 1e-5
    model = opened(path, tmp_path / "new.keras")
    result = np.asarray(model(np.moveaxis(x, -1, 1)))
    if result.ndim == 4:
        result = np.moveaxis(result, 1, -1)
    assert np.abs(result - wanted(x)).max() < 1e-5


@pytest.mark.parametrize("class_name", MERGES)
def test_two_inputs_become_one(class_name, tmp_path):
    """Of vectors."""
    inputs = [[layer("InputLayer", name, batch_input_shape=[None, 4])] for name in "ab"]
    config = functional([*inputs, [layer(class_name, "both"), ["a", "b"]]], "ab", ["both"])
    model = opened(write_model(tmp_path / "old.h5", config), tmp_path / "new.keras")
    a, b = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    assert np.abs(np.asarray(model([a, b])) - MERGES[class_name](a, b)).max() < 1e-6


@pytest.mark.parametrize("mode", ["sum", "mul", "ave", "max"])
def test_the_modes_of_an_old_merge(mode, tmp_path):
    """Each is a layer of its own today."""
    inputs = [[layer("InputLayer", name, batch_input_shape=[None, 4])] for name in "ab"]
    config = functional(
        [*inputs, [layer("Merge", "both", mode=mode, concat_axis=-1), ["a", "b"]]], "ab", ["both"]
    )
    model = opened(write_model(tmp_path / "old.h5", config, version="1.2.2"), tmp_path / "new.keras")
    a, b = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    wanted = dict(zip(["sum", "mul", "ave", "max"], ["Add", "Multiply", "Average", "Maximum"], strict=True))
    assert np.abs(np.asarray(model([a, b])) - MERGES[wanted[mode]](a, b)).max() < 1e-6


def weights(*shapes):
    """Return arrays of random values."""
    chance = np.random.default_rng(1)
    return [chance.normal(size=shape).astype("float32") for shape in shapes]


@pytest.mark.parametrize(("shape", "axis"), [((5,), -1), ((3, 4, 6), 1), ((4, 6, 3), -1), ((4, 6, 3), 2)])
def test_a_normalization_by_the_batch_at_hand(shape, axis, tmp_path):
    """Whichever axis it keeps, and when predictions are asked for, too."""
    settings = {"mode": 2, "axis": axis, "epsilon": 0.25, "momentum": 0.9}
    gamma, beta, mean, spread = weights(*[(((0, *shape)[axis]),)] * 4)
    arrays = {"layer": dict(zip(("layer_gamma", "layer_beta", "layer_running_mean", "layer_running_std"),
                                (gamma, beta, mean, spread), strict=True))}  # fmt: skip
    path = write_model(
        tmp_path / "old.h5",
        chain(layer("BatchNormalization", **settings), shape=shape),
        arrays,
        version="1.2.2",
    )
    model = opened(path, tmp_path / "new.keras", backend="tensorflow")
    x = np.random.default_rng(1).normal(size=(4, *shape)).astype("float32")
    rest = tuple(place for place in range(x.ndim) if place != axis % x.ndim)
    own = [-1 if place == axis % x.ndim else 1 for place in range(x.ndim)]
    centred = x - x.mean(rest, keepdims=True)
    wanted = centred / np.sqrt((centred**2).mean(rest, keepdims=True) + 0.25)
    np.testing.assert_allclose(
        model.predict(x, verbose=0), wanted * gamma.reshape(own) + beta.reshape(own), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("use_bias", [True, False])
def test_a_dense_layer_with_the_older_hard_sigmoid(use_bias, tmp_path):
    """Its arrays are multiplied by 1.2."""
    kernel, bias = weights((3, 4), (4,))
    arrays = {"layer/kernel:0": kernel} | ({"layer/bias:0": bias} if use_bias else {})
    config = chain(layer("Dense", units=4, activation="hard_sigmoid", use_bias=use_bias), shape=(3,))
    model = opened(write_model(tmp_path / "old.h5", config, {"layer": arrays}), tmp_path / "new.keras")
    x = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    assert np.abs(np.asarray(model(x)) - hard(x @ kernel + bias * use_bias)).max() < 1e-6


GRU = {"units": 2, "return_sequences": True, "recurrent_activation": "sigmoid"}


@pytest.mark.parametrize(
    ("own", "gates"),
    [("hard_sigmoid", "sigmoid"), ("hard_sigmoid", "hard_sigmoid"), ("tanh", "hard_sigmoid")],
)
def test_a_gru_with_the_older_hard_sigmoid(own, gates, tmp_path):
    """Each gate that goes through it is scaled, the last by its own activation."""
    kernel, recurrent, bias = weights((3, 6), (2, 6), (6,))
    arrays = {"layer/kernel:0": kernel, "layer/recurrent_kernel:0": recurrent, "layer/bias:0": bias}
    settings = {**GRU, "activation": own, "recurrent_activation": gates}
    path = write_model(
        tmp_path / "old.h5", chain(layer("GRU", **settings), shape=SEQUENCE), {"layer": arrays}
    )
    x = np.random.default_rng(0).normal(size=(2, *SEQUENCE)).astype("float32")
    functions = {"hard_sigmoid": hard, "tanh": np.tanh, "sigmoid": lambda z: 1 / (1 + np.exp(-z))}
    state, steps = np.zeros((2, 2)), []
    for step in x.swapaxes(0, 1):
        given = step @ kernel + bias
        z, r = (functions[gates](given[:, at : at + 2] + state @ recurrent[:, at : at + 2]) for at in (0, 2))
        new = functions[own](given[:, 4:] + (r * state) @ recurrent[:, 4:])
        state = z * state + (1 - z) * new
        steps.append(state)
    result = np.asarray(opened(path, tmp_path / "new.keras")(x))
    assert np.abs(result - np.stack(steps, 1)).max() < 1e-5


REFUSED = [
    (layer("LSTM", units=2, activation="hard_sigmoid", recurrent_activation="sigmoid"), SEQUENCE,
     "its activation is hard_sigmoid, which its state goes through: no scaling gives that"),
    (layer("Lambda", function=["code", None, None], function_type="lambda"), SEQUENCE,
     f"it holds code, which is never run: its code is in no form that is known; {HINT}"),
    (layer("MyLayer"), SEQUENCE, f"its class is none of Keras' own that is known here; {NAME_IT}"),
    (layer("../../etc/passwd"), SEQUENCE, f"its class is none of Keras' own that is known here; {NAME_IT}"),
    (layer("Activation", activation="my_own"), SEQUENCE,
     f"its activation 'my_own' is none that Keras had; {NAME_IT}"),
    (layer("Dropout", rate=0.5, what=3), SEQUENCE, "its setting 'what' (3) has no place"),
    (layer("Dropout", rate=0.5, noise_shape=[8, 1, 1]), SEQUENCE, "its setting noise_shape is a list of 3"),
    (layer("Dropout", rate=0.5, noise_shape=[None, 1]), SEQUENCE, "its setting noise_shape is a list of 2"),
    (layer("UpSampling2D", size=[2, 2], interpolation="bilinear", data_format="channels_last"), MAP,
     "its interpolation is 'bilinear'"),
    (layer("Permute", dims=[1, 1, 2]), MAP, "its dims [1, 1, 2] do not name each of 3 axes once"),
    (layer("Cropping2D", cropping=[[4, 4], [1, 1]], data_format="channels_last"), MAP,
     "it would give a result of shape (None, -4, 4, 3)"),
    (layer("Dense", units=4), SEQUENCE, "the weights have no arrays for it"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("entry", "shape", "why"), REFUSED, ids=[entry["class_name"] for entry, *_ in REFUSED]
)
def test_what_has_no_place_is_refused(entry, shape, why, tmp_path):
    """By layer, class and reason."""
    plan = plan_upgrade(write_model(tmp_path / "old.h5", chain(entry, shape=shape)))
    assert [str(refusal) for refusal in plan.refusals] == [f"layer 'layer' ({entry['class_name']}): {why}"]


def test_an_order_left_at_its_default_says_nothing(tmp_path):
    """It is the model's; where nothing tells that one, the layer is refused, and nothing is guessed."""
    settings = {"pool_size": [2, 2], "strides": None, "border_mode": "valid", "dim_ordering": "default"}
    path = write_model(
        tmp_path / "old.h5", chain(layer("MaxPooling2D", **settings), shape=MAP), version="1.2.2"
    )
    (refusal,) = plan_upgrade(path, backend="tensorflow").refusals
    assert refusal.why == "nothing says in which order its maps are"


def test_all_that_stands_in_the_way_is_listed(tmp_path):
    """Not only the first of it; what depends on it is not looked at."""
    inputs = [[layer("InputLayer", name, batch_input_shape=[None, 4])] for name in "ab"]
    nodes = [
        *inputs,
        [layer("One", "one"), ["a"]],
        [layer("Two", "two"), ["b"]],
        [layer("Add", "both"), ["one", "two"]],
    ]
    plan = plan_upgrade(write_model(tmp_path / "old.h5", functional(nodes, "ab", ["both"])))
    assert [refusal.layer for refusal in plan.refusals] == ["one", "two"]


def test_a_dropout_of_whole_samples_stays_one(tmp_path):
    """As EfficientNet drops its branches: in training, all of a sample is dropped, or none of it."""
    entry = layer("Dropout", rate=0.5, noise_shape=[None, 1, 1, 1], seed=None)
    path = write_model(tmp_path / "old.h5", chain(entry, shape=MAP), version="2.6.0")
    model = opened(path, tmp_path / "new.keras")
    x = np.ones((64, *MAP), "float32")
    np.testing.assert_array_equal(np.asarray(model(x, training=False)), x)
    found = np.asarray(model(x, training=True)).reshape(64, -1)
    assert set(map(tuple, np.unique(found, axis=0)[:, [0, -1]])) == {(0, 0), (2, 2)}
    assert (found == found[:, :1]).all()


def test_every_class_has_a_record_under_each_of_its_names():
    """Those of the older versions beside today's."""
    assert {"Convolution2D", "Conv2D", "Deconvolution2D", "Merge", "TimeDistributedDense"} <= set(UPGRADES)


def test_a_model_within_a_model_may_have_one_layer_with_arrays(tmp_path):
    """Then the file does not say which; and it may be used several times."""
    kernel = weights((4, 4))[0]
    dense = layer("Dense", "dense", units=4, activation="tanh", use_bias=False)
    inner = functional(
        [[layer("InputLayer", "x", batch_input_shape=[None, 4])], [dense, ["x"]]], ["x"], ["dense"]
    )
    inner["config"]["name"] = "inner"
    nodes = [
        [layer("InputLayer", "in", batch_input_shape=[None, 4])],
        [inner, ["in"], [("inner", 1, 0)]],
        [layer("Add", "sum"), [("inner", 1, 0), ("inner", 2, 0)]],
    ]
    arrays = {"inner": {"dense/kernel:0": kernel}}
    path = write_model(tmp_path / "old.h5", functional(nodes, ["in"], ["sum"]), arrays)
    x = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    once = np.tanh(x @ kernel)
    result = np.asarray(opened(path, tmp_path / "new.keras")(x))
    assert np.abs(result - (once + np.tanh(once @ kernel))).max() < 1e-6


@pytest.mark.parametrize("version", ["2.2.4", "2.4.0"])
def test_bilinear_values_are_taken_as_today_from_a_version_on(version, tmp_path):
    """Before, they were taken at other places: such a layer is refused."""
    entry = layer("UpSampling2D", size=[2, 2], interpolation="bilinear", data_format="channels_last")
    plan = plan_upgrade(write_model(tmp_path / "old.h5", chain(entry, shape=MAP), version=version))
    assert bool(plan.refusals) == (version == "2.2.4")


def test_a_type_other_than_float32_is_refused(tmp_path):
    """It would be another computation."""
    policy = {"class_name": "Policy", "config": {"name": "float16"}}
    for said, name in (("float64", "float64"), (policy, "float16")):
        path = write_model(
            tmp_path / "old.h5", chain(layer("Activation", activation="relu", dtype=said), shape=(4,))
        )
        (refusal,) = plan_upgrade(path).refusals
        assert refusal.why == f"its type is {name!r}: only float32 is carried over"


@pytest.mark.parametrize(("pool", "stride"), [(2, 2), (2, 1), (3, 2), (5, 3)])
def test_theano_pools_with_windows_that_reach_beyond_both_sides(pool, stride, tmp_path):
    """The first window begins as far before the maps as Theano pads; what is beyond counts for nothing."""
    settings = {"pool_size": [pool, pool], "strides": [stride, stride], "padding": "same"}
    config = chain(layer("MaxPooling2D", **settings, data_format="channels_last"), shape=(7, 8, 2))
    model = opened(write_model(tmp_path / "old.h5", config, backend="theano"), tmp_path / "new.keras")
    x = np.random.default_rng(0).normal(size=(2, 7, 8, 2)).astype("float32") - 3
    front = pool - 2 if pool > 2 and pool % 2 else pool - 1
    around = np.pad(x, [(0, 0), (front, pool), (front, pool), (0, 0)], constant_values=-np.inf)
    rows, columns = ([at * stride for at in range(-(-size // stride))] for size in (7, 8))
    wanted = [[around[:, r : r + pool, c : c + pool].max((1, 2)) for c in columns] for r in rows]
    assert np.array_equal(np.asarray(model(x)), np.stack([np.stack(row, 1) for row in wanted], 1))


OWN_NAMES = (
    ("Custom>Dropout", {"rate": 0.5}, "2.15.0"),
    ("mine>Permute", {"dims": [1]}, "2.2.4-tf"),
    ("LayerNormalization", {"axis": -1, "center": False, "scale": False}, "2.2.4"),
    ("UnitNormalization", {"axis": -1}, "1.2.2"),
)


@pytest.mark.parametrize(("class_name", "settings", "version"), OWN_NAMES)
def test_a_class_of_somebodys_own_is_not_taken_for_that_of_the_same_name(
    class_name, settings, version, tmp_path
):
    """Registered in a package, or of a name that Keras had only later."""
    config = chain(layer(class_name, **settings), shape=(4,))
    (refusal,) = plan_upgrade(write_model(tmp_path / "old.h5", config, version=version)).refusals
    assert refusal.why == f"its class is none of Keras' own that is known here; {NAME_IT}"


def test_a_model_that_is_used_on_several_sizes_is_refused(tmp_path):
    """As a layer is: its inputs are of the first size, and Keras would not open it with another."""
    source = layer("InputLayer", "map", batch_input_shape=[None, None, None, 3])
    largest = layer("GlobalMaxPooling2D", "largest", data_format="channels_last")
    inner = functional([[source], [largest, ["map"]]], ["map"], ["largest"])
    inner["config"]["name"] = "inner"
    maps = [
        [layer("InputLayer", name, batch_input_shape=[None, size, size, 3])]
        for name, size in (("a", 8), ("b", 4))
    ]
    config = functional([*maps, [inner, ["a"], ["b"]]], "ab", ["inner"])
    (refusal,) = plan_upgrade(write_model(tmp_path / "old.h5", config)).refusals
    assert refusal.why == "it is used on inputs of several sizes, for which it would be drawn differently"
