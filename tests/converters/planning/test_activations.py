"""The hard sigmoid, which was 0.2 x + 0.5 and is x / 6 + 0.5: said wherever it may matter, or scaled."""

from __future__ import annotations

import json
import re
import zipfile

import h5py
import numpy as np
import pytest

from converters import convert_file, plan_file
from converters.errors import ArgumentError, ConversionError
from converters.formats.dialects import describe
from converters.layers.table import GATED, GATES
from converters.planning.activations import find_hard_sigmoids
from tests.support.command import Command
from tests.support.dialect_samples import DATA, SAMPLES, to_keras3, told, worst
from tests.support.weight_files import arrays, counted, fill_named, write_named

SCALED = "the gates' arrays are multiplied by 1.2, so that today's function gives the same up to rounding"
KEPT = "draw them with the old function, or say --hard-sigmoid scale"


def settings_of(sample):
    """Return the configuration of every layer of a sample."""
    found, waiting = [], [json.loads((DATA / f"{sample}.json").read_text())]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            found.append(one)
        waiting += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
    return found


def is_hard(sample):
    """Return whether the gates of a sample's recurrent layers go through the hard sigmoid."""
    keys = ("recurrent_activation", "inner_activation")
    return any(one.get(key) == "hard_sigmoid" for one in settings_of(sample) for key in keys)


HARD = [sample for sample in SAMPLES if is_hard(sample)]


def test_there_are_samples_of_every_kind():
    """Gates apart, fused and packed, convolutional, both ways, and of every version."""
    kinds = {part.kind for sample in HARD for part in describe(DATA / f"{sample}.weights.h5").parts}
    assert kinds >= {"LSTM", "GRU", "ConvLSTM2D"}
    assert len(HARD) > 30


@pytest.mark.parametrize("sample", HARD)
def test_scaled_gates_give_the_recorded_outputs_with_today_s_function(sample, tmp_path):
    """In a network drawn with Keras 3's own hard sigmoid, to which the weights as they are do not belong."""
    done = to_keras3(DATA / f"{sample}.weights.h5", tmp_path / "new.weights.h5", sample, hard_sigmoid="scale")
    assert worst(sample, done.target, today=True) < 1e-5
    gates = done.record.scaled
    assert (
        gates
        == done.plan.scaled
        == tuple(part.name for part in done.plan.description.parts if part.kind in GATED)
    )
    (note,) = [note for note in done.plan.typed_notes if "hard_sigmoid" in note]
    assert note.endswith(SCALED)
    # Three arrays each went through arithmetic, and the proof says so.
    assert len(done.record.proof.recomputed) == 3 * len(gates)
    assert describe(done.target).record.scaled == gates


@pytest.mark.parametrize("sample", HARD[::6])
def test_kept_gates_belong_to_the_old_function_alone(sample, tmp_path):
    """What the note warns of: in a network of today's function the outputs are others."""
    done = to_keras3(DATA / f"{sample}.weights.h5", tmp_path / "new.weights.h5", sample)
    assert worst(sample, done.target, today=True) > 1e-5
    (note,) = [note for note in done.plan.typed_notes if "hard_sigmoid" in note]
    assert note.endswith(KEPT)
    assert done.record.scaled == done.record.proof.recomputed == ()


@pytest.mark.parametrize("sample", HARD[::6])
def test_only_gates_are_scaled(sample, tmp_path):
    """Candidates go through another function: not a bit of them changes, nor of any other layer."""
    plain, scaled = (
        arrays(
            to_keras3(
                DATA / f"{sample}.weights.h5", tmp_path / f"{word}.weights.h5", sample, hard_sigmoid=word
            ).target
        )
        for word in ("keep", "scale")
    )
    plan = plan_file(DATA / f"{sample}.weights.h5", to="keras3", **told(sample))
    for output in plan.outputs:
        before, after = plain[output.target_path], scaled[output.target_path]
        letters = GATES.get(output.kind, "-")
        for gate, old, new in zip(
            letters, np.split(before, len(letters), -1), np.split(after, len(letters), -1), strict=True
        ):
            scales = output.kind in GATED and gate in GATED[output.kind].recurrent
            wanted = old * np.float32(1.2) if scales else old
            np.testing.assert_array_equal(new, wanted)


def lstm(path, *, config=None, version="2.2.4", kind="LSTM"):
    """Write a recurrent layer as Keras 2 does, with its configuration if there is one."""
    gates = {"LSTM": 4, "GRU": 3, "ConvLSTM2D": 4}[kind]
    space = (3, 3) if kind == "ConvLSTM2D" else ()
    named = {
        "memory/kernel:0": counted(*space, 2, gates * 3),
        "memory/recurrent_kernel:0": counted(*space, 3, gates * 3),
        "memory/bias:0": counted(gates * 3),
    }
    if config is None:
        told = {"backend": "tensorflow", "keras_version": version} if version else {}
        return write_named(path, {"memory": named}, **told)
    layers = [{"class_name": kind, "config": {"name": "memory", **config}}]
    with h5py.File(path, "w") as file:
        model = {"class_name": "Sequential", "config": {"name": "net", "layers": layers}}
        file.attrs["model_config"] = json.dumps(model)
        file.attrs["backend"], file.attrs["keras_version"] = "tensorflow", version
        fill_named(file.create_group("model_weights"), {"memory": named})
    return path


def notes_of(path, **facts):
    """Return what a plan for Keras 3 says of the hard sigmoid."""
    plan = plan_file(path, to="keras3", from_layout="tf", **facts)
    return [note for note in plan.typed_notes if "hard_sigmoid" in note or "hard sigmoid" in note]


@pytest.mark.parametrize(
    ("kind", "version", "may"),
    [
        *((kind, version, True) for kind in GATED for version in (None, "2.0.5", "2.2.4", "2.2.4-tf")),
        *((kind, "2.3.1", kind == "ConvLSTM2D") for kind in GATED),
        *((kind, "2.4.0", kind == "ConvLSTM2D") for kind in GATED),
        *((kind, "3.15.1", False) for kind in GATED),
    ],
)
def test_weights_alone_have_their_version_s_default(kind, version, may, tmp_path):
    """Up to Keras 2.2 it was the hard sigmoid; ConvLSTM2D kept it up to Keras 3."""
    source = lstm(tmp_path / "old.h5", version=version, kind=kind)
    said = (
        "1 recurrent layer ('memory' first) may use hard_sigmoid for its gates, the default then, which"
        f" was 0.2 x + 0.5 up to Keras 2 and is x / 6 + 0.5 today: {KEPT}"
    )
    assert notes_of(source) == ([said] if may else [])
    # What the user says counts: nothing in the weights speaks against it.
    plan = plan_file(source, to="keras3", from_layout="tf", hard_sigmoid="scale")
    assert plan.scaled == ("memory",)


@pytest.mark.parametrize(
    ("config", "version", "hard"),
    [
        ({"recurrent_activation": "hard_sigmoid"}, "2.2.4", True),
        ({"recurrent_activation": "hard_sigmoid"}, "2.15.0", True),
        ({"recurrent_activation": "sigmoid"}, "2.2.4", False),
        ({"recurrent_activation": "hard_sigmoid"}, "3.15.1", False),
    ],
)
def test_a_configuration_counts_more_than_the_default(config, version, hard, tmp_path):
    """What it has is converted; where the function is today's, or another, there is nothing to scale."""
    source = lstm(tmp_path / "old.h5", config=config, version=version)
    said = (
        "1 recurrent layer ('memory' first) uses hard_sigmoid for its gates, which was 0.2 x + 0.5 up to"
        " Keras 2 and is x / 6 + 0.5 today: "
    )
    assert notes_of(source) == ([said + KEPT] if hard else [])
    nothing = "no gates with the older hard_sigmoid are known in this file: nothing is scaled"
    assert notes_of(source, hard_sigmoid="scale") == [said + SCALED if hard else nothing]


@pytest.mark.parametrize(("version", "hard"), [("2.15.0", True), ("3.15.1", False)])
def test_an_archive_s_metadata_tell_whose_function_it_is(version, hard, tmp_path):
    """tf-keras writes .keras files too, and has the old one."""
    own = {"name": "memory", "recurrent_activation": "hard_sigmoid"}
    layers = [{"class_name": "LSTM", "module": "keras.layers", "config": own}]
    model = {"class_name": "Sequential", "config": {"name": "net", "layers": layers}}
    with h5py.File(tmp_path / "inner.h5", "w") as file:
        for number, values in enumerate((counted(2, 12), counted(3, 12), counted(12))):
            file.create_dataset(f"layers/lstm/cell/vars/{number}", data=values)
        file.create_group("layers/lstm/vars").attrs["name"] = "memory"
    with zipfile.ZipFile(tmp_path / "old.keras", "w") as made:
        made.writestr("config.json", json.dumps(model))
        made.writestr("metadata.json", json.dumps({"keras_version": version}))
        made.write(tmp_path / "inner.h5", "model.weights.h5")
    assert len(notes_of(tmp_path / "old.keras")) == hard


@pytest.mark.parametrize("wrapper", ["Bidirectional", "TimeDistributed"])
def test_the_layer_in_a_wrapper_is_asked(wrapper, tmp_path):
    """Its own configuration lies within the wrapper's."""
    source = lstm(tmp_path / "old.h5", config={"recurrent_activation": "sigmoid"})
    with h5py.File(source, "r+") as file:
        inner = {"class_name": "LSTM", "config": {"name": "in", "recurrent_activation": "hard_sigmoid"}}
        outer = {"class_name": wrapper, "config": {"name": "memory", "layer": inner}}
        model = {"class_name": "Sequential", "config": {"name": "net", "layers": [outer]}}
        file.attrs["model_config"] = json.dumps(model)
    assert [part.name for part in find_hard_sigmoids(describe(source)).gates] == ["memory"]


@pytest.mark.parametrize("kind", list(GATED))
def test_a_layer_whose_activation_it_is_too_is_not_scaled(kind, tmp_path):
    """Its state goes through the function as well, which no scaling of arrays can change."""
    both = {"recurrent_activation": "hard_sigmoid", "activation": "hard_sigmoid"}
    source = lstm(tmp_path / "old.h5", config=both, kind=kind)
    with pytest.raises(ConversionError) as refused:
        plan_file(source, to="keras3", from_layout="tf", hard_sigmoid="scale")
    assert str(refused.value) == (
        f"{source}: layer 'memory' ({kind}) has hard_sigmoid as its activation too, not only in its gates; no"
        " scaling gives that: keep the weights, and draw the layer with 0.2 x + 0.5"
    )
    assert notes_of(source)[1] == (
        f"1 layer ('memory', {kind}, first) has hard_sigmoid as its activation, which was 0.2 x + 0.5 up"
        " to Keras 2 and is x / 6 + 0.5 today: draw the old function"
    )


def test_any_other_layer_with_it_is_named(tmp_path):
    """Dense layers and activations without weights too: they are drawn, not scaled."""
    source = lstm(tmp_path / "old.h5", config={"recurrent_activation": "sigmoid"})
    with h5py.File(source, "r+") as file:
        model = json.loads(file.attrs["model_config"])
        for kind in ("Activation", "Dense"):
            own = {"name": f"{kind.lower()}_1", "activation": "hard_sigmoid"}
            model["config"]["layers"].append({"class_name": kind, "config": own})
        file.attrs["model_config"] = json.dumps(model)
    (note,) = notes_of(source)
    assert note.startswith("2 layers ('activation_1', Activation, first) have hard_sigmoid as their")


def test_cudnn_s_layers_are_never_scaled(tmp_path):
    """They know the sigmoid alone."""
    named = {
        "memory/kernel:0": counted(2, 12),
        "memory/recurrent_kernel:0": counted(3, 12),
        "memory/bias:0": counted(24),
    }
    source = write_named(tmp_path / "old.h5", {"memory": named}, backend="tensorflow", keras_version="2.2.4")
    assert notes_of(source) == []
    assert plan_file(source, to="keras3", from_layout="tf", hard_sigmoid="scale").scaled == ()


@pytest.mark.parametrize("to", ["keras1", "keras2", "npz", "safetensors"])
def test_what_was_scaled_is_for_keras_3_alone(to, tmp_path):
    """No way back is exact: the file says so itself, and names the one that it was made of."""
    source = lstm(tmp_path / "old.h5")
    new = convert_file(
        source, tmp_path / "new.weights.h5", to="keras3", from_layout="tf", hard_sigmoid="scale"
    )
    with pytest.raises(ConversionError) as refused:
        plan_file(new.target, to=to, to_layout="tf", to_kernels="tf")
    assert str(refused.value) == (
        f"{new.target}: the gates of 'memory' were multiplied by 1.2 for Keras 3's hard_sigmoid, which cannot"
        f" be undone; convert the file that this one was made of (SHA-256 {new.record.source_sha256})"
    )
    with pytest.raises(ConversionError, match=r"multiplied by 1\.2 already, for today's hard_sigmoid"):
        plan_file(new.target, to="keras3", hard_sigmoid="scale")
    again = convert_file(new.target, tmp_path / "again.weights.h5", to="keras3")
    assert describe(again.target).record.scaled == ("memory",)
    for name, values in arrays(new.target).items():
        np.testing.assert_array_equal(arrays(again.target)[name], values)


def test_scaling_is_for_keras_3(tmp_path):
    """Whoever else reads the file has the old function."""
    source = lstm(tmp_path / "old.h5")
    for facts in ({"to": "keras2"}, {"direction": "th-to-tf"}):
        with pytest.raises(
            ArgumentError, match=r"^hard_sigmoid 'scale' is for files that Keras 3 reads, whose"
        ):
            plan_file(source, hard_sigmoid="scale", **facts)
    message = re.escape("hard_sigmoid must be one of 'keep', 'scale', not 'halve'")
    with pytest.raises(ArgumentError, match=message):
        plan_file(source, to="keras3", hard_sigmoid="halve")


def test_the_command_line_scales(tmp_path, capsys):
    """The note is printed, and the proof names what was computed."""
    source = lstm(tmp_path / "old.h5")
    said = ("convert", "--to", "keras3", "--from-layout", "tf", "--hard-sigmoid", "scale", source)
    code, out, err = Command(capsys)(*said)
    assert (code, out) == (0, f"{tmp_path / 'old.weights.h5'}\n")
    assert SCALED in err
    computed = ", ".join(f"layers/lstm/cell/vars/{number}" for number in range(3))
    assert err.endswith(f"bit for bit but for what was computed anew ({computed})\n")
    assert Command(capsys)("convert", "--th-to-tf", "--hard-sigmoid", "scale", source)[0] == 2


def test_a_plan_with_scaling_is_another(tmp_path):
    """So that nobody takes a file that is there for the one that is wanted."""
    source = lstm(tmp_path / "old.h5")
    plain, scaled = (
        plan_file(source, to="keras3", from_layout="tf", hard_sigmoid=word) for word in ("keep", "scale")
    )
    assert plain.as_dict() != scaled.as_dict()
    assert scaled.as_dict()["scaled"] == ["memory"]
    assert "scaled" not in plain.as_dict()
