"""Optimizers, losses and metrics: what the old file says of them, and where the state of training goes."""

from __future__ import annotations

import io
import json
import zipfile

import h5py
import numpy as np
import pytest

from converters import plan_upgrade, upgrade_file
from converters.upgrading.optimizers import Writer, read_optimizer
from tests.support.paths import DIALECTS
from tests.support.upgrading import chain, functional, layer, opened, source_of, write_model

ADAM = {"lr": 0.5, "beta_1": 0.75, "beta_2": 0.875, "decay": 0.0, "epsilon": 0.25}
SHAPES = {"b": {"gamma": (4,), "beta": (4,)}, "a": {"kernel": (4, 3), "bias": (3,)}}
"""Two layers, of which the second comes first by its name."""
UNTRAINED = {"moving_mean": (4,), "moving_variance": (4,)}
COUNT = 4


def network(*, activation="linear", **frozen):
    """Return a Sequential of a normalisation and a dense layer."""
    return chain(
        layer("BatchNormalization", "b", axis=-1, epsilon=0.001, **frozen),
        layer("Dense", "a", units=3, activation=activation),
        shape=(4,),
    )


def slots(count):
    """Return arrays for so many slots: for each array of the file that is trained, in order."""
    shapes = [shape for roles in SHAPES.values() for shape in roles.values()]
    return [
        [np.full(shape, 10 * slot + place, "f4") for place, shape in enumerate(shapes)]
        for slot in range(count)
    ]


def written(path, optimizer, state, *, version="2.2.4", config=None, untrained=True, **told):
    """Write a whole model that is compiled.

    Args:
        path: The file.
        optimizer: Its optimizer's class and configuration.
        state: The optimizer's arrays, by name.
        version: The version of Keras.
        config: The model; by default :func:`network`.
        untrained: Whether its first layer has arrays that are not trained.
        told: Loss, metrics and so on.
    """
    chance = np.random.default_rng(0)
    arrays = {
        name: {
            f"{name}/{role}:0": chance.uniform(0.5, 1, shape).astype("f4") for role, shape in roles.items()
        }
        for name, roles in {
            "b": {**SHAPES["b"], **(UNTRAINED if untrained else {})},
            "a": SHAPES["a"],
        }.items()
    }
    write_model(path, config or network(), arrays, version=version)
    said = {"optimizer_config": optimizer, "loss": "mse", "metrics": None, **told}
    with h5py.File(path, "r+") as file:
        file.attrs["training_config"] = np.bytes_(json.dumps(said).encode())
        if state is not None:
            group = file.create_group("optimizer_weights")
            group.attrs["weight_names"] = [name.encode() for name in state]
            for name, values in state.items():
                group[name] = values
    return path


def state_of(path):
    """Return the optimizer's arrays in a new file, in their order."""
    with zipfile.ZipFile(path) as archive:
        data = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(data) as file:
        group = file["optimizer/vars"]
        return [np.asarray(group[str(number)]) for number in range(len(group))]


def old_state(writer, by_slot):
    """Return an optimizer's arrays as a version lists them: slot by slot, or array by array."""
    if writer == "anew":
        ordered = [values for pair in zip(*by_slot, strict=True) for values in pair]
        return {"iteration:0": np.int64(7), **{f"slot/{n}:0": values for n, values in enumerate(ordered)}}
    ordered = [values for slot in by_slot for values in slot]
    first = {"Adam/iterations": np.int64(7)} if writer == "2.2.4" else {"param_0": np.float32(7)}
    return {**first, **{f"param_{n}": values for n, values in enumerate(ordered, 1)}}


def by_name(slot):
    """Return a slot's arrays as versions up to 2.0.5 have them: a/bias, a/kernel, b/beta, b/gamma."""
    gamma, beta, kernel, bias = slot
    return [bias, kernel, beta, gamma]


@pytest.mark.parametrize("writer", ["1.2.2", "2.0.5", "2.2.4", "anew"])
def test_slots_go_to_the_arrays_that_they_are_of(writer, tmp_path):
    """Whether they are listed by names or layers, slot by slot or array by array."""
    by_slot = slots(2)
    listed = by_slot if writer in ("2.2.4", "anew") else [by_name(slot) for slot in by_slot]
    version = "2.15.0" if writer == "anew" else writer
    config = network()
    path = written(
        tmp_path / "old.h5",
        {"class_name": "Custom>Adam" if writer == "anew" else "Adam", "config": ADAM},
        old_state(writer, listed),
        version=version,
        config=config,
    )
    done = upgrade_file(path, tmp_path / "new.keras")
    steps, rate, *found = state_of(tmp_path / "new.keras")
    assert (int(steps), float(rate)) == (7, 0.5)
    wanted = [values for pair in zip(*by_slot, strict=True) for values in pair]
    assert all(np.array_equal(*pair) for pair in zip(found, wanted, strict=True))
    assert done.upgrade.notes == ("its optimizer Adam goes on after 7 steps",)


RULES = {
    "SGD": ({"momentum": 0.0, "nesterov": False}, 1, 0, {"momentum": 0.0}),
    "SGD with momentum": ({"momentum": 0.5, "nesterov": True}, 1, 1, {"momentum": 0.5, "nesterov": True}),
    "RMSprop": ({"rho": 0.5, "epsilon": 0.25}, 1, 1, {"rho": 0.5, "epsilon": 0.0625}),
    "Adagrad": ({"epsilon": 0.25}, 1, 1, {"epsilon": 0.0625, "initial_accumulator_value": 0.0}),
    "Adadelta": ({"rho": 0.5, "epsilon": 0.25}, 2, 2, {"rho": 0.5, "epsilon": 0.25}),
    "Adam": ({**ADAM, "amsgrad": False}, 2, 2, {"beta_1": 0.75, "epsilon": 0.25, "amsgrad": False}),
    "Adam with maxima": ({**ADAM, "amsgrad": True}, 3, 3, {"amsgrad": True}),
    "Adamax": (ADAM, 2, 2, {"beta_2": 0.875, "epsilon": 0.25}),
    "Nadam": ({**ADAM, "schedule_decay": 0.004}, 2, 2, {"beta_1": 0.75, "epsilon": 0.25}),
}
"""Settings, the slots that the old file has, those that the new one has, and today's settings."""


@pytest.mark.parametrize("name", RULES)
def test_an_optimizer_goes_on_where_it_was(name, tmp_path):
    """Opened by plain Keras, which warns of a state that does not fit: warnings are errors here."""
    own, stored, kept, today = RULES[name]
    class_name = name.partition(" ")[0]
    path = written(
        tmp_path / "old.h5",
        {"class_name": class_name, "config": {"lr": 0.5, **own}},
        old_state("2.2.4", slots(stored)),
    )
    optimizer = opened(path, tmp_path / "new.keras").optimizer
    assert (type(optimizer).__name__, int(optimizer.iterations)) == (class_name, 7)
    assert {key: value for key, value in optimizer.get_config().items() if key in today} == today
    found = sorted(
        float(values.reshape(-1)[0]) for values in state_of(tmp_path / "new.keras") if values.shape
    )
    assert found == sorted(float(values.reshape(-1)[0]) for slot in slots(kept) for values in slot)


def test_layers_of_tf_keras_alone_have_slots_too(tmp_path):
    """A normalisation that no table of weights files knows: slot by slot as the file has them."""
    config = chain(
        layer("LayerNormalization", "b", axis=[1], epsilon=0.001), layer("Dense", "a", units=3), shape=(4,)
    )
    adam = {"class_name": "Adam", "config": {"learning_rate": 0.01}}
    by_slot = slots(2)
    old, state = tmp_path / "old.h5", old_state("anew", by_slot)
    path = written(old, adam, state, version="2.15.0", config=config, untrained=False)
    upgrade_file(path, tmp_path / "new.keras")
    _, _, *found = state_of(tmp_path / "new.keras")
    wanted = [values for pair in zip(*by_slot, strict=True) for values in pair]
    assert len(found) == len(wanted)
    assert all(np.array_equal(*pair) for pair in zip(found, wanted, strict=True))


NAMED = {
    "sgd": {"learning_rate": 0.01},
    "adam": {"learning_rate": 0.001, "epsilon": 1e-7},
    "Adagrad": {"learning_rate": 0.001, "epsilon": 1e-7, "initial_accumulator_value": 0.1},
}


@pytest.mark.parametrize("name", NAMED)
def test_an_optimizer_that_is_named_alone_has_the_usual_settings(name):
    """As archives of tf.keras name theirs; what is not told is said."""
    found = read_optimizer(name, Writer(version=(2, 15), of_tensorflow=True, anew=True))
    assert found.settings == {"name": name.lower(), **NAMED[name]}
    rate = NAMED[name]["learning_rate"]
    assert found.notes == (f"an archive tells its name alone: its learning rate is taken for {rate}",)


def test_decay_is_a_schedule(tmp_path):
    """Which gives lr / (1 + decay steps)."""
    path = written(
        tmp_path / "old.h5",
        {"class_name": "SGD", "config": {"lr": 0.5, "momentum": 0.0, "decay": 0.25, "nesterov": False}},
        old_state("2.2.4", slots(1)),
    )
    optimizer = opened(path, tmp_path / "new.keras").optimizer
    assert abs(float(optimizer.learning_rate) - 0.5 / (1 + 0.25 * 7)) < 1e-7


@pytest.mark.parametrize(
    ("version", "key"), [("2.2.4", "global_clipnorm"), ("2.2.4-tf", "clipnorm"), ("2.4.0", "clipnorm")]
)
def test_gradients_are_clipped_as_they_were(version, key, tmp_path):
    """Keras 1 and 2 clip by the norm of all gradients together, tf.keras by that of each."""
    optimizer = {"class_name": "SGD", "config": {"lr": 0.5, "clipnorm": 2.0}}
    config = plan_upgrade(written(tmp_path / "old.h5", optimizer, None, version=version)).trained.config
    assert config["optimizer"]["config"] == {"name": "sgd", "learning_rate": 0.5, key: 2.0}


STEPPED = ("keras122_theano_th", "keras205_theano_cf", "keras224_theano_cf", "keras224_theano_cl")
"""Who saved a model that Adam has trained for a step."""


@pytest.mark.parametrize("software", STEPPED)
def test_a_state_moves_with_its_kernels(software):
    """Channels last, and turned by 180 degrees, as Adam's is in the models of the original software."""
    plan = plan_upgrade(source_of(f"{software}/compiled_adam_one_step"))
    moved = {output.target_path: output.values for output in plan.outputs}
    trained = [values for values in moved.values() if not values.role.startswith("moving")]
    assert plan.trained.optimizer == "Adam"
    with h5py.File(DIALECTS / software / "compiled_adam_one_step.model.h5") as file:
        state = [
            output.values.apply({path: np.asarray(file[path]) for path in output.values.sources})
            for output in plan.trained.slots
            if output.values.sources
        ]
    # After one step m = g / 10 and v = g ** 2 / 1000, each of the same array.
    for momentum, velocity, values in zip(state[::2], state[1::2], trained, strict=True):
        assert momentum.shape == values.target_shape
        assert np.allclose(velocity, momentum**2 / 10, rtol=1e-4, atol=1e-12)
    (kernel,) = [output for output in plan.outputs if "/conv2d/vars/0" in output.target_path]
    slot = plan.trained.slots[trained.index(kernel.values) * 2 + 2].values.shares[0].array
    old = kernel.values.shares[0].array
    assert (slot.order, slot.rotate) == (old.order, old.rotate)


def test_arrays_that_are_multiplied_begin_anew(tmp_path):
    """Their gradients are others; those of the other layers go on."""
    path = written(
        tmp_path / "old.h5",
        {"class_name": "Adam", "config": ADAM},
        old_state("2.2.4", slots(2)),
        config=network(activation="hard_sigmoid"),
    )
    done = upgrade_file(path, tmp_path / "new.keras")
    found = [float(values.reshape(-1)[0]) for values in state_of(tmp_path / "new.keras")[2:]]
    assert found == [0, 10, 1, 11, 0, 0, 0, 0]
    assert done.upgrade.notes[-1] == "its optimizer begins anew with 'a', whose arrays are not the old ones"


def test_what_is_not_trained_has_no_slots(tmp_path):
    """In the old file, and in the new one."""
    state = old_state("2.2.4", [slot[2:] for slot in slots(2)])
    path = written(
        tmp_path / "old.h5",
        {"class_name": "Adam", "config": ADAM},
        state,
        config=network(trainable=False),
    )
    model = opened(path, tmp_path / "new.keras")
    assert [variable.path.rpartition("/")[2] for variable in model.trainable_variables] == ["kernel", "bias"]
    found = [float(values.reshape(-1)[0]) for values in state_of(tmp_path / "new.keras")[2:]]
    assert found == [2, 12, 3, 13]


def test_numbers_are_written_as_todays_keras_takes_them(tmp_path):
    """Which asks for 1.0 where older versions took 1."""
    path = written(
        tmp_path / "old.h5",
        {"class_name": "SGD", "config": {"lr": 1, "momentum": 0, "decay": 0, "clipvalue": 2}},
        None,
        loss_weights=[1],
    )
    model = opened(path, tmp_path / "new.keras")
    assert (float(model.optimizer.learning_rate), model.optimizer.momentum) == (1, 0)


@pytest.mark.parametrize("frozen", ["the wrapper", "the layer in it", "neither"])
def test_what_goes_both_ways_is_trained_or_not(frozen, tmp_path):
    """Today's wrapper alone would not keep what lies in it from being trained."""
    inner = layer("SimpleRNN", "inner", units=2, activation="tanh")
    inner["config"]["trainable"] = frozen != "the layer in it"
    entry = layer("Bidirectional", "both", layer=inner, merge_mode="concat")
    entry["config"]["trainable"] = frozen != "the wrapper"
    named = {
        f"both/{way}_inner/{role}": np.ones(shape, "f4")
        for way in ("forward", "backward")
        for role, shape in (("kernel", (3, 2)), ("recurrent_kernel", (2, 2)), ("bias", (2,)))
    }
    path = write_model(tmp_path / "old.h5", chain(entry, shape=(4, 3)), {"both": named})
    assert len(opened(path, tmp_path / "new.keras").trainable_variables) == (6 if frozen == "neither" else 0)


LEFT_OUT = {
    "a class of somebody's own": (
        {"class_name": "Mine", "config": {"lr": 0.5}},
        "its optimizer is left out: its class 'Mine' is none that is known here; compile the new model before"
        " training it",
    ),
    "no class at all": (
        [1],
        "its optimizer is left out: its class '' is none that is known here; compile the new model before"
        " training it",
    ),
    "a setting without a place": (
        {"class_name": "SGD", "config": {"lr": 0.5, "lookahead": 3}},
        "its optimizer is left out: its setting 'lookahead' has no place; compile the new model before"
        " training it",
    ),
    "a momentum that is none": (
        {"class_name": "SGD", "config": {"lr": 0.5, "momentum": 3}},
        "its optimizer is left out: its momentum is 3.0; compile the new model before training it",
    ),
    "no rate": (
        {"class_name": "SGD", "config": {"lr": "fast"}},
        "its optimizer is left out: its learning rate is neither a number nor a schedule of today's Keras;"
        " compile the new model before training it",
    ),
    "clipped in two ways": (
        {"class_name": "SGD", "config": {"lr": 0.5, "clipnorm": 1.0, "clipvalue": 1.0}},
        "its optimizer is left out: its gradients are clipped in two ways, of which today's has one; compile"
        " the new model before training it",
    ),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_an_optimizer_without_a_place_is_left_out(name, tmp_path):
    """And the model is upgraded all the same, not compiled."""
    optimizer, note = LEFT_OUT[name]
    plan = plan_upgrade(written(tmp_path / "old.h5", optimizer, None))
    assert (plan.notes, plan.refusals) == ((note,), ())
    assert (plan.trained.config, plan.trained.slots) == (None, ())


STATES = {
    "too few": ({"a": np.zeros(3, "f4")}, "1 array is not those of 4 that are trained"),
    "of another shape": (
        {str(number): np.zeros(3, "f4") for number in range(8)},
        "array '0' (3,) is none of 'b/gamma:0'",
    ),
    "not there": (None, None),
}


@pytest.mark.parametrize("name", STATES)
def test_a_state_that_does_not_fit_is_left_out(name, tmp_path):
    """The optimizer begins anew."""
    state, why = STATES[name]
    plan = plan_upgrade(written(tmp_path / "old.h5", {"class_name": "Adam", "config": ADAM}, state))
    told = (f"the state of its optimizer is left out: {why}; it begins anew",) if why else ()
    assert plan.notes == told
    assert all(not slot.values.sources and not slot.values.values.any() for slot in plan.trained.slots[2:])
    assert len(plan.trained.slots) == 2 + 2 * COUNT
    assert plan.trained.config["optimizer"]["class_name"] == "Adam"


def test_a_damaged_description_of_training_is_left_out(tmp_path):
    """It is needed for nothing that the model computes."""
    path = written(tmp_path / "old.h5", {"class_name": "Adam", "config": ADAM}, None)
    with h5py.File(path, "r+") as file:
        file.attrs["training_config"] = np.bytes_(b"{")
    plan = plan_upgrade(path)
    assert (plan.refusals, len(plan.notes)) == ((), 1)
    assert plan.notes[0].startswith(f"how it was trained is left out: {path}: attribute 'training_config'")


CROSS = {"from_logits": True, "label_smoothing": 0.0, "axis": -1}
LOSSES = [
    ("2.2.4", "mse", "mean_squared_error"),
    ("1.2.2", "kullback_leibler_divergence", "kl_divergence"),
    ("2.2.4", "cosine_proximity", "cosine_similarity"),
    ("2.0.5", "cosine_proximity", None),
    ("2.2.4", "my_loss", None),
    ("2.2.4", ["mae"], "mean_absolute_error"),
    ("2.2.4", {"a": "mae"}, "mean_absolute_error"),
    ("2.2.4", {"other": "mae"}, None),
    (
        "2.4.0",
        {"class_name": "CategoricalCrossentropy", "config": {**CROSS, "reduction": "auto", "name": "x"}},
        {"class_name": "CategoricalCrossentropy", "config": {**CROSS, "reduction": "sum_over_batch_size"}},
    ),
    ("2.4.0", {"class_name": "MyLoss", "config": {}}, None),
]


@pytest.mark.parametrize(("version", "said", "wanted"), LOSSES)
def test_a_loss_has_its_name_of_today(version, said, wanted, tmp_path):
    """Or is left out, which is said; the optimizer stays."""
    optimizer = {"class_name": "SGD", "config": {"lr": 0.5}}
    plan = plan_upgrade(written(tmp_path / "old.h5", optimizer, None, version=version, loss=said))
    loss = plan.trained.config["loss"]
    assert {key: loss[key] for key in wanted} == wanted if isinstance(wanted, dict) else loss == wanted
    assert bool(plan.notes) == (wanted is None)
    assert all(note.startswith("its loss ") for note in plan.notes)


METRICS = [
    (["accuracy", "mse"], ["accuracy", "mean_squared_error"]),
    ([], None),
    (
        [[{"class_name": "MeanMetricWrapper", "config": {"name": "acc", "fn": "categorical_accuracy"}}]],
        [{"class_name": "CategoricalAccuracy", "config": {"name": "acc"}}],
    ),
    ({"a": "mae"}, ["mean_absolute_error"]),
    (["fmeasure", "acc"], ["accuracy"]),
    ([{"class_name": "Precision", "config": {"name": "p", "thresholds": None, "top_k": 2}}],
     [{"class_name": "Precision", "config": {"name": "p", "top_k": 2}}]),
]  # fmt: skip


@pytest.mark.parametrize(("said", "wanted"), METRICS)
def test_metrics_have_their_names_of_today(said, wanted, tmp_path):
    """Those that have none are left out, which is said; Keras opens the rest."""
    optimizer = {"class_name": "SGD", "config": {"lr": 0.5}}
    path = written(tmp_path / "old.h5", optimizer, None, metrics=said)
    plan = plan_upgrade(path)
    found = plan.trained.config["metrics"]
    names = ("class_name", "config")
    shown = found and [{key: one[key] for key in names} if isinstance(one, dict) else one for one in found]
    assert shown == wanted
    left = ["its metric 'fmeasure' is left out: it is none of today's"] if "fmeasure" in said else []
    assert list(plan.notes) == left


def two_outputs():
    """Return a model of two outputs."""
    nodes = [
        [layer("InputLayer", "x", batch_input_shape=[None, 4])],
        [layer("Activation", "one", activation="tanh"), ["x"]],
        [layer("BatchNormalization", "b", axis=-1, epsilon=0.001), ["x"]],
        [layer("Dense", "a", units=3, activation="linear"), ["b"]],
    ]
    return functional(nodes, ["x"], ["one", "a"])


@pytest.mark.parametrize(
    "told",
    [
        {"loss": {"a": "mae", "one": "mse"}, "loss_weights": {"a": 0.5}, "metrics": {"a": ["mse"]}},
        {"loss": ["mse", "mae"], "loss_weights": [1.0, 0.5], "metrics": [[], ["mse"]]},
    ],
)
def test_several_outputs_have_lists_by_their_order(told, tmp_path):
    """Whatever they were called; and the model goes on being trained."""
    path = written(
        tmp_path / "old.h5",
        {"class_name": "SGD", "config": {"lr": 0.5}},
        None,
        config=two_outputs(),
        **told,
    )
    model = opened(path, tmp_path / "new.keras")
    config = plan_upgrade(path).trained.config
    assert config["loss"] == ["mean_squared_error", "mean_absolute_error"]
    assert (config["loss_weights"], config["metrics"]) == ([1.0, 0.5], [[], ["mean_squared_error"]])
    x = np.random.default_rng(0).normal(size=(8, 4)).astype("f4")
    one, a = (np.asarray(value) for value in model(x))
    wanted = np.square(one - 1).mean() + 0.5 * np.abs(a - 2).mean()
    found = model.test_on_batch(x, [np.ones_like(one), np.full_like(a, 2)])
    assert abs(float(found[0]) - wanted) < 1e-5


def test_a_loss_along_an_axis_is_left_out_where_that_is_turned(tmp_path):
    """The same loss would run along another axis; one of each place is the same."""
    entry = layer(
        "MaxPooling2D", pool_size=[2, 2], strides=None, padding="valid", data_format="channels_first"
    )
    optimizer = {"class_name": "SGD", "config": {"lr": 0.5}}
    for loss, kept in (("categorical_crossentropy", False), ("mse", True)):
        path = tmp_path / f"{loss}.h5"
        write_model(path, chain(entry, shape=(3, 4, 4)))
        with h5py.File(path, "r+") as file:
            told = {"optimizer_config": optimizer, "loss": loss}
            file.attrs["training_config"] = np.bytes_(json.dumps(told).encode())
        plan = plan_upgrade(path, data_format="channels_last")
        assert (plan.trained.config["loss"] is not None) == kept
        assert plan_upgrade(path).trained.config["loss"] is not None
