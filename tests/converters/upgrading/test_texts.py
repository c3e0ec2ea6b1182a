"""Configurations in files of their own, in the forms in which people keep them."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

from converters import plan_upgrade
from converters.errors import ConversionError, FileFormatError
from tests.support.dialect_samples import DATA
from tests.support.upgrading import chain, layer, write_model
from tests.support.weight_files import counted, fill_named, write_named

FORMS = {
    "a text within a text": json.dumps,
    "a mark and line ends": lambda config: "\ufeff\r\n" + config,
    "get_config": lambda config: json.dumps(json.loads(config)["config"]),
    "get_config in a text": lambda config: json.dumps(json.dumps(json.loads(config)["config"])),
}
KEPT = [
    f"{writer}/{sample}"
    for writer in ("keras122_theano_th", "keras205_theano_cf", "keras224_theano_cl")
    for sample in ("merge_two_inputs", "nested_model", "slash_names", "conv1d")
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("sample", KEPT)
def test_a_configuration_is_read_in_each_form(form, sample, tmp_path):
    """And becomes the same; who wrote it and on what stands in no get_config(), so it is said."""
    weights = DATA / f"{sample}.weights.h5"
    text = (DATA / f"{sample}.json").read_text()
    kept = tmp_path / "kept.json"
    kept.write_text(FORMS[form](text), encoding="utf-8")
    said = {"backend": "theano", "keras_version": json.loads(text)["keras_version"]}
    plan = plan_upgrade(kept, weights=weights, **said)
    assert plan.refusals == ()
    assert plan.config == plan_upgrade(DATA / f"{sample}.json", weights=weights, **said).config


DENSE = layer("Dense", units=2, activation="linear", batch_input_shape=[None, 4])
OTHERS = {
    "a mapping of layers, as Keras 2.2.4 gave it": {"name": "mine", "layers": [DENSE]},
    "a list of layers": [DENSE],
}


@pytest.mark.parametrize("form", OTHERS)
def test_a_sequential_without_its_class(form, tmp_path):
    """Is one by its form; who wrote it is asked for."""
    path = tmp_path / "kept.json"
    path.write_text(json.dumps(OTHERS[form]))
    arrays = {"layer/kernel:0": np.zeros((4, 2), "float32"), "layer/bias:0": np.zeros(2, "float32")}
    weights = tmp_path / "weights.h5"
    with h5py.File(weights, "w") as file:
        fill_named(file, {"layer": arrays})
    plan = plan_upgrade(path, weights=weights, keras_version="2.2.4")
    assert [str(refusal) for refusal in plan.refusals] == []
    assert json.loads(plan.config)["class_name"] == "Sequential"
    assert [told.becomes for told in plan.layers] == [("Dense",)]
    with pytest.raises(ConversionError) as error:
        plan_upgrade(path, weights=weights)
    assert str(error.value) == (
        f"{weights}: neither the file nor its configuration says which version of Keras wrote it; say it"
        " (--keras-version, keras_version=)"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            json.dumps("[" * 100 + "]" * 100),
            ": the text in it is JSON nested more than 64 deep (limit depth)",
        ),
        (json.dumps("no model"), ": the text in it is not JSON (Expecting value: line 1 column 1 (char 0))"),
        (json.dumps(json.dumps(json.dumps({}))), " is not a mapping"),
        (json.dumps([1, 2]), " is not a mapping"),
    ],
    ids=["deep", "words", "three times", "numbers"],
)
def test_a_text_that_is_none_is_refused(text, message, tmp_path):
    """In one line that names the file."""
    path = tmp_path / "kept.json"
    path.write_text(text)
    weights = write_model(tmp_path / "weights.h5", chain(layer("Flatten", "a"), shape=(4,)))
    with pytest.raises((FileFormatError, ConversionError)) as error:
        plan_upgrade(path, weights=weights)
    assert str(error.value) == f"{path}{message}"


def in_session(
    first, *, names=("Dense", "Dropout", "Dense"), shapes=((4, 3), None, (3, 2)), called=str.lower
):
    """Return the layers and the arrays of one network as a session calls them that has made others before."""
    layers, arrays = [], {}
    for number, (kind, shape) in enumerate(zip(names, shapes, strict=True), first):
        name = f"{called(kind)}_{number}" if number else called(kind)
        settings = {"units": shape[1], "activation": "linear"} if shape else {"rate": 0.5}
        layers.append(layer(kind, name, **settings))
        kernel = {f"{name}/kernel:0": counted(*shape)} if shape else {}
        arrays[name] = {**kernel, f"{name}/bias:0": counted(shape[1])} if shape else {}
    return layers, arrays


def planned(tmp_path, layers, arrays):
    """Return the plan for a configuration and weights apart."""
    path, weights = tmp_path / "model.json", tmp_path / "weights.h5"
    path.write_text(json.dumps(chain(*layers, shape=(4,))))
    write_named(weights, arrays, keras_version="2.1.6", backend="tensorflow")
    return plan_upgrade(path, weights=weights)


@pytest.mark.parametrize("first", [0, 1, 2, 100])
def test_layers_that_another_session_numbered_are_taken_in_their_order(first, tmp_path):
    """As Keras loads them, which asks for no names: those of the sessions may have some in common."""
    layers, own = in_session(1)
    _, arrays = in_session(first)
    plan, alike = planned(tmp_path, layers, arrays), planned(tmp_path, layers, own)
    assert (plan.refusals, plan.config) == ((), alike.config)
    sources = [source.partition("/")[2] for output in plan.outputs for source in output.sources]
    assert sources == [name for held in arrays.values() for name in held]
    number = f"_{first}" if first else ""
    said = f"the weights number its layers otherwise ('dense{number}' is 'dense_1'): taken in order"
    assert (said in plan.notes) is (first != 1)


@pytest.mark.parametrize(
    "other",
    [
        {"names": ("Dense", "Dense", "Dropout"), "shapes": ((4, 3), (3, 2), None)},
        {"names": ("Dense", "Dropout", "Dense", "Dropout"), "shapes": ((4, 3), None, (3, 2), None)},
        {"called": {"Dense": "hidden", "Dropout": "dropout"}.get},
        {"shapes": ((4, 5), None, (5, 2))},
    ],
    ids=["order", "count", "name", "shape"],
)
def test_layers_that_are_others_stay_refused(other, tmp_path):
    """Numbers alone may differ."""
    assert planned(tmp_path, in_session(1)[0], in_session(5, **other)[1]).refusals
