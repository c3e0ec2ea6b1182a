"""Configurations that nobody vouches for: one line each, nothing written, in time that grows as they do."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

from converters import plan_upgrade, upgrade_file
from converters.boundary import BROKEN
from converters.errors import ConversionError, FileFormatError
from converters.upgrading import drawing as drawing_module
from converters.upgrading import sketch as sketch_module
from converters.upgrading.classes import NAME_IT
from converters.upgrading.computing.layer import HINT
from tests.support import json_mutator
from tests.support.command import Command
from tests.support.upgrading import chain, functional, layer, write_model

INPUT = [layer("InputLayer", "in", batch_input_shape=[None, 4])]
DENSE = {"units": 3, "activation": "linear", "use_bias": False}


def relu(name, *sources):
    """Return an activation that is fed by others."""
    return [layer("Activation", name, activation="relu"), list(sources)]


def model(*nodes, inputs=("in",), outputs=("a",)):
    """Return a model with one input."""
    return functional([INPUT, *nodes], inputs, outputs)


def nested(depth):
    """Return a Sequential within a Sequential, and so on."""
    return '{"class_name": "Sequential", "config": [' * depth + json.dumps(relu("a")[0]) + "]}" * depth


NOTHING = "cannot be upgraded: nothing leads to its output"
LAYER = "cannot be upgraded: layer 'layer'"
DEEP = "model.json is JSON nested more than 64 deep (limit depth)"
FEED = "cannot be upgraded: layer"
CASES = {
    "a layer that is its own input": (model(relu("a", "a")), f"{NOTHING} 'a'"),
    "two that wait for each other": (model(relu("a", "b"), relu("b", "a")), f"{NOTHING} 'a'"),
    "an output that is not there": (model(relu("a", "in"), outputs=["b"]), f"{NOTHING} 'b'"),
    "an input that is not there": (
        model(relu("a", "in"), inputs=["x"]),
        "cannot be upgraded: its layer 'in' is not among its inputs",
    ),
    "a layer that leads nowhere": (
        model(relu("a", "in"), relu("b", "in")),
        f"{FEED} 'b' leads to none of the model's outputs",
    ),
    "a class that is a path": (
        chain(layer("../../bin/sh"), shape=(4,)),
        f"{LAYER} (../../bin/sh): its class is none of Keras' own that is known here; {NAME_IT}",
    ),
    "a model that is its user's": (
        {"class_name": "MyModel", "config": {}},
        "cannot be upgraded: the model is of class 'MyModel', which only its own code can draw",
    ),
    "no layers": ({"class_name": "Sequential", "config": []}, "cannot be upgraded: the model has no layers"),
    "no shape": (
        chain(relu("a")[0]),
        f"{FEED} 'a_input' (InputLayer): nothing says what shape comes in",
    ),
    "steps of steps": (
        chain(layer("TimeDistributed", layer=layer("TimeDistributed", layer=relu("a")[0])), shape=(2, 3, 4)),
        f"{LAYER} (TimeDistributed): it lies in another TimeDistributed",
    ),
    "a size beyond all sizes": (
        chain(layer("ZeroPadding2D", padding=[1 << 60, 0], data_format="channels_last"), shape=(4, 4, 3)),
        "model.json: layer 'layer' (ZeroPadding2D): 'padding' is a list of 2, not a word or borders",
    ),
    "code": (
        chain(layer("Lambda", function=["4wEAAAAAAAAA", None, None], function_type="lambda"), shape=(4,)),
        f"{LAYER} (Lambda): it holds code, which is never run: its code is in no form that is known; {HINT}",
    ),
    "nested 10,000 deep": (nested(10_000), DEEP),
    "lists 10,000 deep": ("[" * 10_000 + "]" * 10_000, DEEP),
    "10 MB": (
        json.dumps({"class_name": "x" * (10 << 20)}),
        "model.json is JSON of 10485778 bytes; more than 4194304 are not read (limit header_bytes)",
    ),
}
"""A configuration, as objects or as text, and what is said of it."""


@pytest.mark.parametrize("case", CASES)
def test_it_is_refused_in_one_line_and_nothing_is_written(case, tmp_path):
    """Whatever it is."""
    path, weights = written(case, tmp_path)
    message = CASES[case][1]
    with pytest.raises((ConversionError, FileFormatError)) as error:
        upgrade_file(path, tmp_path / "new.keras", weights=weights)
    assert str(error.value).endswith(message)
    assert "\n" not in str(error.value)
    assert sorted(found.name for found in tmp_path.iterdir()) == ["model.json", "weights.h5"]


def written(case, tmp_path):
    """Write a case's configuration, and weights beside it, and return both."""
    config, _ = CASES[case]
    path = tmp_path / "model.json"
    path.write_text(config if isinstance(config, str) else json.dumps(config))
    return path, write_model(tmp_path / "weights.h5", chain(relu("a")[0], shape=(4,)))


@pytest.mark.parametrize("check", [False, True], ids=["upgrade", "--check"])
@pytest.mark.parametrize("case", CASES)
def test_the_command_ends_with_one_line_and_code_1(case, check, tmp_path, capsys):
    """The reason, and under --check a line for each layer besides."""
    path, weights = written(case, tmp_path)
    files = [path, weights] if check else [path, weights, tmp_path / "new.keras"]
    code, out, errors = Command(capsys)("upgrade", *(["--check"] if check else []), *files)
    assert code == 1
    said = CASES[case][1].removeprefix("cannot be upgraded: ").removeprefix("model.json: ")
    (line,) = [line for line in errors.splitlines() if said in line]
    assert line.startswith("zoo: ")
    assert check or (errors == f"{line}\n" and not out)
    assert sorted(found.name for found in tmp_path.iterdir()) == ["model.json", "weights.h5"]


KERNEL, BIAS = {"layer/kernel:0": (4, 3)}, {"layer/bias:0": (3,)}
ARRAYS = {
    "of no layer": (
        {"stray": {"stray/kernel:0": (4, 3)}, "layer": KERNEL},
        "1 array of the weights' layer 'stray' belongs to none",
    ),
    "of another size": (
        {"layer": {"layer/kernel:0": (5, 3)}},
        "layer 'layer' (Dense): its array (5, 3) should be (4, 3)",
    ),
    "too many": (
        {"layer": {**KERNEL, **BIAS}},
        "layer 'layer' (Dense): its arrays should be kernel, and are kernel, bias",
    ),
    "none": ({}, "layer 'layer' (Dense): the weights have no arrays for it"),
    "of another kind": (
        {"layer": {**KERNEL, "layer/recurrent_kernel:0": (3, 3), **BIAS}},
        "layer 'layer' (Dense): its array 'layer/recurrent_kernel:0' is none that such a layer has",
    ),
}
"""The shapes of the arrays of a model with one Dense layer, and what is said of them."""


@pytest.mark.parametrize("case", ARRAYS)
def test_arrays_that_do_not_fit_are_refused(case, tmp_path):
    """By layer, with the shapes."""
    shapes, message = ARRAYS[case]
    arrays = {
        name: {array: np.zeros(shape, "float32") for array, shape in own.items()}
        for name, own in shapes.items()
    }
    path = write_model(tmp_path / "old.h5", chain(layer("Dense", **DENSE), shape=(4,)), arrays)
    with pytest.raises(ConversionError) as error:
        upgrade_file(path, tmp_path / "new.keras")
    assert str(error.value) == f"{path}: cannot be upgraded: {message}"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("case", ARRAYS)
def test_the_command_refuses_arrays_that_do_not_fit(case, tmp_path, capsys):
    """In one line, and writes nothing."""
    shapes, message = ARRAYS[case]
    arrays = {
        name: {array: np.zeros(shape, "float32") for array, shape in own.items()}
        for name, own in shapes.items()
    }
    path = write_model(tmp_path / "old.h5", chain(layer("Dense", **DENSE), shape=(4,)), arrays)
    code, out, errors = Command(capsys)("upgrade", path)
    assert (code, out) == (1, "")
    assert errors == f"zoo: {path}: cannot be upgraded: {message}\n"
    assert list(tmp_path.iterdir()) == [path]


def chained(length, *, listed):
    """Return a chain of activations as a Sequential, or with what feeds each."""
    names = [f"a{number}" for number in range(length)]
    if not listed:
        return chain(*(relu(name)[0] for name in names), shape=(4,))
    nodes = [relu(name, source) for name, source in zip(names, ["in", *names], strict=False)]
    return model(*nodes, outputs=[names[-1]])


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (layer("RepeatVector", n={"n": 1}), "its setting n is a mapping of 1, not a size"),
        (layer("Dropout", rate="half"), "its setting rate is 'half', not a number"),
        (layer("LeakyReLU", alpha=[0.1]), "its setting negative_slope is a list of 1, not a number"),
        (layer("Embedding", input_dim=3, output_dim=2, mask_zero="yes"),
         "its setting mask_zero is 'yes', not true or false"),
    ],
    ids=["size", "number", "list", "flag"],
)  # fmt: skip
def test_a_setting_that_is_none_is_refused(entry, why, tmp_path):
    """By its own name and its value."""
    (refusal,) = plan_upgrade(write_model(tmp_path / "old.h5", chain(entry, shape=(4,)))).refusals
    assert refusal.why == why


def test_a_result_of_a_size_that_no_stride_gives_is_refused(tmp_path):
    """Whatever zeros it would take: the new file is not much larger than the old one."""
    settings = {"nb_filter": 1, "nb_row": 2, "nb_col": 2, "subsample": [2, 2], "border_mode": "valid"}
    more = {"dim_ordering": "tf", "output_shape": [None, 10**9, 8, 1], "activation": "linear", "bias": False}
    config = chain(layer("Deconvolution2D", **settings, **more), shape=(4, 4, 1))
    arrays = {"layer": {"layer_W": np.zeros((2, 2, 1, 1), "float32")}}
    plan = plan_upgrade(write_model(tmp_path / "old.h5", config, arrays, version="1.2.2"))
    (refusal,) = plan.refusals
    assert refusal.why == "its output_shape [None, 1000000000, 8, 1] is none that its strides give"


def test_odd_configurations_are_understood_or_refused(tmp_path):
    """Those of the converter's own trials: never by an error of Python's, and half a file is never left."""
    outcomes = set()
    for case in range(30):
        folder = tmp_path / str(case)
        folder.mkdir()
        path, _ = json_mutator.model(random.Random(case), folder)
        try:
            upgrade_file(path, folder / "new.keras", verify=False)
            outcomes.add("upgraded")
        except (ConversionError, FileFormatError) as error:
            outcomes.add("refused")
            assert BROKEN not in str(error)
            assert list(folder.iterdir()) == [path]
    assert outcomes == {"upgraded", "refused"}


@pytest.mark.parametrize("listed", [False, True])
def test_the_work_grows_with_the_number_of_layers(listed, tmp_path, monkeypatch):
    """Steps are counted: ten times the layers are ten times as many, give or take the ends."""
    counts = []
    for module in (drawing_module, sketch_module):
        monkeypatch.setattr(module, "paced", lambda items: counted(items, counts))
    steps = []
    for length in (100, 1000):
        counts.clear()
        path = tmp_path / f"{length}.json"
        path.write_text(json.dumps(chained(length, listed=listed)))
        weights = write_model(tmp_path / f"{length}.h5", chained(1, listed=False))
        upgrade_file(path, tmp_path / f"{length}.keras", weights=weights, verify=False)
        steps.append(len(counts))
    assert 9 * steps[0] < steps[1] < 11 * steps[0]


def counted(items, counts):
    """Yield items, and note each."""
    for item in items:
        counts.append(item)
        yield item


@pytest.mark.long
def test_a_hundred_thousand_layers_in_a_chain(tmp_path, monkeypatch):
    """Within the time that any file has, where the text may be as long."""
    monkeypatch.setenv("ZOO_LIMITS", "header_bytes=100000000")
    path = tmp_path / "model.json"
    path.write_text(json.dumps(chained(100_000, listed=True)))
    weights = write_model(tmp_path / "weights.h5", chain(relu("a")[0], shape=(4,)))
    done = upgrade_file(path, tmp_path / "new.keras", weights=weights)
    assert len(done.upgrade.layers) == 100_000
