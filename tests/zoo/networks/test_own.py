"""Classes and functions of the user's own in a model that is upgraded."""

from __future__ import annotations

import json
from functools import partial

import h5py
import keras
import numpy as np
import pytest

import zoo
from converters import OwnClass, plan_upgrade, upgrade_file
from converters.errors import ConversionError
from tests.support import own_layers
from tests.support.command import Command
from tests.support.upgrading import chain, functional, layer, write_model
from zoo.errors import ArgumentError
from zoo.networks.own import imported, own_of

STEPS = (3, 4)
CODE = {"function": ["code", None, None], "function_type": "lambda"}
KERNEL, SCALE, OFFSET, LAST = (
    np.random.default_rng(1).normal(size=shape).astype("float32") for shape in ((4, 3), (3,), (3,), (3, 2))
)
ARRAYS = {
    "first": {"first/kernel:0": KERNEL},
    "second": {"second/scale:0": SCALE},
    "third": {"third/offset:0": OFFSET, "third/dense/kernel:0": LAST},
}
OWN = {"doubled": own_layers.doubled, "Power": own_layers.Power, "Shifted": own_layers.Shifted}


def model(path, **changed):
    """Write a model that has an activation and two layers of the user's own."""
    config = chain(
        layer("Dense", "first", units=3, activation="doubled", use_bias=False),
        layer("Custom>Power", "second", power=2, dtype="float32"),
        layer("Shifted", "third", units=2),
        shape=(4,),
    )
    return write_model(path, config, {**ARRAYS, **changed})


def wanted(x):
    """Return what that computes."""
    return ((2 * (x @ KERNEL)) ** 2 * SCALE + OFFSET) @ LAST


def inputs(*shape):
    """Return random values."""
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def test_a_users_classes_and_functions_take_their_places(tmp_path):
    """With their configurations and arrays; what is saved then is whole."""
    found = zoo.upgrade(model(tmp_path / "old.h5"), custom_objects=OWN)
    x = inputs(5, 4)
    assert np.abs(np.asarray(found(x)) - wanted(x)).max() < 1e-5
    found.save(tmp_path / "again.keras")
    again = keras.models.load_model(tmp_path / "again.keras", custom_objects=OWN)
    assert np.array_equal(np.asarray(again(x)), np.asarray(found(x)))


def test_what_a_class_keeps_besides_is_as_it_is_when_it_is_made(tmp_path):
    """The state of what draws random numbers, which no old file has; the new one is verified and opens."""
    own = {**OWN, "Shifted": own_layers.Noisy}
    found = zoo.upgrade(model(tmp_path / "old.h5"), custom_objects=own)
    x = inputs(5, 4)
    assert np.abs(np.asarray(found(x)) - wanted(x)).max() < 1e-5
    assert np.any(np.asarray(found(x, training=True)) == 0)


def test_a_users_class_lies_in_others(tmp_path):
    """In a model within the model, and in what sees one step at a time."""
    inside = functional(
        [
            [layer("InputLayer", "x", batch_input_shape=[None, 3, 3])],
            [layer("TimeDistributed", "second", layer=layer("Power", "own", power=2)), ["x"]],
        ],
        ["x"],
        ["second"],
    )
    inside["config"]["name"] = "inside"
    nodes = [
        [layer("InputLayer", "in", batch_input_shape=[None, *STEPS])],
        [layer("Dense", "first", units=3, activation="linear", use_bias=False), ["in"]],
        [inside, ["first"]],
        [layer("TimeDistributed", "third", layer=layer("Shifted", "own", units=2)), [("inside", 1, 0)]],
    ]
    arrays = {
        "first": ARRAYS["first"],
        "inside": {"second/scale:0": SCALE},
        "third": {"third/offset:0": OFFSET, "third/dense/kernel:0": LAST},
    }
    path = write_model(tmp_path / "old.h5", functional(nodes, ["in"], ["third"]), arrays)
    x = inputs(2, *STEPS)
    found = zoo.upgrade(path, custom_objects=OWN)
    assert np.abs(np.asarray(found(x)) - (((x @ KERNEL) ** 2 * SCALE + OFFSET) @ LAST)).max() < 1e-5


def test_a_class_that_computes_no_shape_lies_in_no_steps(tmp_path):
    """Today's Keras could not open the new file."""
    config = chain(layer("TimeDistributed", layer=layer("Words", "own")), shape=STEPS)
    plan = plan_upgrade(write_model(tmp_path / "old.h5", config), custom=own_of({"Words": own_layers.Words}))
    (refusal,) = plan.refusals
    assert refusal.why.startswith("it does not compute its output shape: NotImplementedError: ")


def test_what_is_not_named_is_refused_with_what_to_do(tmp_path):
    """By layer."""
    plan = plan_upgrade(model(tmp_path / "old.h5"))
    assert [str(refusal) for refusal in plan.refusals] == [
        "layer 'first' (Dense): its activation 'doubled' is none that Keras had;"
        " if it is yours, name it (--custom, custom_objects=)"
    ]
    plan = plan_upgrade(model(tmp_path / "old.h5"), custom=own_of({"doubled": own_layers.doubled}))
    assert [str(refusal) for refusal in plan.refusals] == [
        "layer 'second' (Custom>Power): its class is none of Keras' own that is known here;"
        " if it is yours, name it (--custom, custom_objects=)"
    ]


@pytest.mark.parametrize(
    ("arrays", "own", "why"),
    [
        (
            {"second": {}},
            {},
            "layer 'second' (Custom>Power): its arrays are [(3,)] today, and [] in the file",
        ),
        (
            {"third": {"third/dense/kernel:0": LAST, "third/offset:0": OFFSET}},
            {},
            "layer 'third' (Shifted): its arrays are [(3,), (3, 2)] today, and [(3, 2), (3,)] in the file",
        ),
        (
            {},
            {"Power": own_layers.Distance},
            "layer 'second' (Custom>Power): it cannot be made: TypeError: ",
        ),
        (
            {"second": {}},
            {"Power": own_layers.Broken()},
            "layer 'second' (Custom>Power): its class is none of Keras' own that is known here;",
        ),
    ],
    ids=["no arrays", "another order", "other settings", "no class"],
)
def test_what_does_not_fit_is_refused(arrays, own, why, tmp_path):
    """With what stands against it."""
    plan = plan_upgrade(model(tmp_path / "old.h5", **arrays), custom=own_of({**OWN, **own}))
    assert str(plan.refusals[0]).startswith(why)


def apart(path, class_name="Lambda"):
    """Write a model of two inputs, with a layer that holds code."""
    ends = [[layer("InputLayer", name, batch_input_shape=[None, 4])] for name in "ab"]
    said = CODE if class_name == "Lambda" else {}
    return write_model(
        path, functional([*ends, [layer(class_name, "both", **said), ["a", "b"]]], "ab", ["both"])
    )


@pytest.mark.parametrize(
    "given", [own_layers.distance, own_layers.Distance(name="x"), lambda v: abs(v[0] - v[1])]
)
def test_what_takes_the_place_of_a_lambda(given, tmp_path):
    """By the name of its layer: a function becomes operations, which open with nothing of the user's."""
    found = zoo.upgrade(apart(tmp_path / "old.h5"), custom_objects={"both": given})
    a, b = inputs(2, 3, 4)
    assert np.array_equal(np.asarray(found([a, b])), np.abs(a - b))
    assert found.layers[-1].name == "both"
    if not isinstance(given, keras.Layer):
        found.save(tmp_path / "again.keras")
        again = keras.models.load_model(tmp_path / "again.keras")
        assert np.array_equal(np.asarray(again([a, b])), np.abs(a - b))


def test_a_function_takes_the_place_of_no_other_class(tmp_path):
    """It may be an activation that is called as the layer is."""
    with pytest.raises(ConversionError) as error:
        zoo.upgrade(apart(tmp_path / "old.h5", "Mine"), custom_objects={"both": own_layers.distance})
    assert "layer 'both' (Mine): its class is none of Keras' own" in str(error.value)


def test_code_that_fails_is_a_reason(tmp_path):
    """In one line."""
    config = chain(layer("Broken"), shape=(4,))
    plan = plan_upgrade(
        write_model(tmp_path / "old.h5", config), custom=own_of({"Broken": own_layers.Broken})
    )
    (refusal,) = plan.refusals
    assert refusal.why.startswith("it cannot be called with what comes in: RuntimeError: ")
    assert "\n" not in refusal.why


@pytest.mark.parametrize(("class_name", "refused"), [("Words", False), ("Total", True)])
def test_masks_go_where_the_class_says(class_name, refused, tmp_path):
    """Behind it a layer stands that takes none."""
    table = inputs(5, 3)
    config = chain(
        layer("Embedding", "words", input_dim=5, output_dim=3, mask_zero=True),
        layer(class_name, "own"),
        *([layer("Flatten", "flat")] if class_name == "Words" else []),
        shape=(4,),
    )
    path = write_model(tmp_path / "old.h5", config, {"words": {"words/embeddings:0": table}})
    own = {class_name: getattr(own_layers, class_name)}
    if not refused:
        assert [refusal.layer for refusal in plan_upgrade(path, custom=own_of(own)).refusals] == ["flat"]
        return
    x = np.array([[1, 2, 0, 4], [0, 0, 3, 3]], "float32")
    rows = table[x.astype(int)] * (x != 0)[..., None]
    assert np.abs(np.asarray(zoo.upgrade(path, custom_objects=own)(x)) - rows.sum(1)).max() < 1e-6


def test_a_class_can_be_said_without_keras(tmp_path):
    """By a user of the converter alone, who knows what it gives."""
    config = chain(layer("Power", "second", power=2), shape=(3,))
    path = write_model(tmp_path / "old.h5", config, {"second": ARRAYS["second"]})
    own = OwnClass(module="mine", class_name="Power", shape=lambda settings, shapes: shapes[0])
    done = upgrade_file(path, tmp_path / "new.keras", custom={"Power": own})
    assert done.upgrade.notes == (
        "second: the user's own class Power, without which the new file does not open",
    )
    found = keras.models.load_model(tmp_path / "new.keras", custom_objects={"Power": own_layers.Power})
    x = inputs(5, 3)
    assert np.abs(np.asarray(found(x)) - x**2 * SCALE).max() < 1e-6


def test_an_optimizer_of_a_model_with_own_arrays_is_left_out(tmp_path):
    """Only the class knows which of them are trained, and in which order."""
    path = write_model(
        tmp_path / "old.h5",
        chain(layer("Power", "second", power=2), shape=(3,)),
        {"second": ARRAYS["second"]},
    )
    told = {"optimizer_config": {"class_name": "SGD", "config": {"lr": 0.1, "momentum": 0.5}}, "loss": "mse"}
    with h5py.File(path, "r+") as file:
        file.attrs["training_config"] = np.bytes_(json.dumps(told).encode())
    model = zoo.upgrade(path, custom_objects={"Power": own_layers.Power}, prove=True)
    assert not model.compiled
    own = OwnClass(module="mine", class_name="Power", shape=lambda settings, shapes: shapes[0])
    assert plan_upgrade(path, custom={"Power": own}).notes[-1] == (
        "its optimizer is left out: which arrays of 'second' are trained only its own code says; compile the"
        " new model before training it"
    )


def test_from_the_command_line(tmp_path, capsys):
    """What is named is imported, and that is said."""
    path = model(tmp_path / "old.h5")
    home = "tests.support.own_layers"
    asked = [word for name in OWN for word in ("--custom", f"{home}:{name}")]
    code, out, err = Command(capsys)("upgrade", path, *asked)
    assert (code, out) == (0, f"{tmp_path / 'old.keras'}\n")
    assert [line for line in err.splitlines() if line.startswith("zoo: ") and "verified" not in line] == [
        *(f"zoo: imported {home}:{name}" for name in OWN),
        "zoo: opens in Keras 3.4.0 and later",
        "zoo: first: the user's own function doubled, without which the new file does not open",
        "zoo: second: the user's own class Power, without which the new file does not open",
        "zoo: third: the user's own class Shifted, without which the new file does not open",
    ]
    x = inputs(5, 4)
    found = keras.models.load_model(tmp_path / "old.keras", custom_objects=OWN)
    assert np.abs(np.asarray(found(x)) - wanted(x)).max() < 1e-5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Power", "--custom 'Power': say it as module:Class, or NAME=module:Class"),
        ("no_such_module:Power", "--custom 'no_such_module:Power': No module named 'no_such_module'"),
        ("json:Power", "--custom 'json:Power': module 'json' has no attribute 'Power'"),
    ],
)
def test_what_cannot_be_imported_is_said(text, message):
    """As wrong usage."""
    with pytest.raises(ArgumentError) as error:
        imported([text])
    assert str(error.value) == message


def test_a_module_that_raises_is_said_in_one_line(tmp_path, monkeypatch):
    """Whatever it raises."""
    (tmp_path / "raising_module.py").write_text("raise RuntimeError('no\\nGPU')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ArgumentError) as error:
        imported(["raising_module:Power"])
    assert str(error.value) == "--custom 'raising_module:Power': no GPU"


class _Loss(keras.losses.Loss):
    def get_config(self):
        """Return its settings."""
        return {}


def test_what_is_no_layer_may_be_named_beside_what_is(tmp_path):
    """Losses, regularizers and functions without a name of their own: Keras takes all in one mapping."""
    others = {"loss": _Loss, "metric": keras.metrics.MeanSquaredError, "part": partial(own_layers.doubled)}
    found = zoo.upgrade(model(tmp_path / "old.h5"), custom_objects={**OWN, **others})
    x = inputs(5, 4)
    assert np.abs(np.asarray(found(x)) - wanted(x)).max() < 1e-5


def test_what_takes_the_place_of_no_layer_is_said(tmp_path):
    """A name that is written otherwise would change nothing, without a word."""
    path = model(tmp_path / "old.h5")
    with pytest.raises(ArgumentError) as error:
        zoo.upgrade(path, custom_objects={**OWN, "forth": keras.layers.ReLU()})
    assert str(error.value) == f"{path}: no layer is called 'forth', to take its place"


def test_a_class_that_raises_when_the_new_file_is_opened_is_said(tmp_path, monkeypatch):
    """With the version of Keras that it needs, in one line."""

    def failing(path, **_):
        raise TypeError("no such\nargument")

    monkeypatch.setattr(keras.models, "load_model", failing)
    with pytest.raises(ConversionError) as error:
        zoo.upgrade(model(tmp_path / "old.h5"), custom_objects=OWN)
    text = f"Keras {keras.__version__} does not open the new file, which needs 3.4.0: no such argument"
    assert str(error.value) == f"{tmp_path / 'old.h5'}: {text}"


def test_what_is_no_class_is_said():
    """By its name."""
    with pytest.raises(ArgumentError) as error:
        own_of({"Power": 3})
    assert str(error.value) == "custom_objects: 'Power' is no layer, class or function"
