"""Scale layers and the batch normalisation that they belong to: found by position, folded, said, recorded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

import zoo
from converters import convert_file, plan_file
from converters.arrays.form import TF
from converters.compare import compare_files
from converters.errors import ArgumentError, ConversionError, FileFormatError
from converters.formats.dialects import describe
from converters.planning.folding import scale_pairs
from converters.planning.making import make_plan
from converters.planning.structures import Structure, StructureLayer, known_structures, load_structure, match
from converters.writing.execute import write
from tests.support.weight_files import write_named

SUFFIXES = {"gamma": "gamma", "beta": "beta", "moving_mean": "running_mean", "moving_variance": "running_std"}
SCALE = ("gamma", "beta")


def layer(name: str, kind: str, size: int = 0) -> StructureLayer:
    """Return a layer of a structure whose arrays are vectors of one length."""
    roles = {"BatchNormalization": tuple(SUFFIXES), "Scale": SCALE, "Activation": ()}[kind]
    return StructureLayer(name=name, kind=kind, arrays={role: (size,) for role in roles})


def structure(*layers: StructureLayer) -> Structure:
    """Return a structure of these layers."""
    return Structure(name="small", parameters=0, layers=layers)


def written(path: Path, drawn: Structure, rng: np.random.Generator, dtype: str = "f4") -> Path:
    """Write a Keras 1 file of a structure with random values."""
    layers = {
        one.name: {
            f"{one.name}_{SUFFIXES[role]}": rng.normal(size=shape).astype(dtype)
            for role, shape in one.arrays.items()
        }
        for one in drawn.layers
    }
    return write_named(path, layers)


BN, SC, RELU = "BatchNormalization", "Scale", "Activation"


@pytest.mark.parametrize("name", [one.name for one in known_structures()])
def test_position_tells_of_published_graphs_what_their_names_tell(name):
    """``scale2a_branch1`` belongs to ``bn2a_branch1`` and ``conv1_scale`` to ``conv1_bn``."""
    published = load_structure(name)
    named = {one.name.replace("scale", "bn"): one.name for one in published.weighted if one.kind == SC}
    assert scale_pairs(published) == named


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        ([("s", SC, 3)], "1 Scale ('s') must follow as many batch normalisations: there is none"),
        (
            [("b", BN, 3), ("r", RELU, 0), ("s", SC, 3)],
            "1 Scale ('s') must follow as many batch normalisations: there is 'r' right before",
        ),
        (
            [("a", BN, 3), ("b", BN, 3), ("s", SC, 3)],
            "1 Scale ('s') must follow as many batch normalisations: there is 2 right before",
        ),
        (
            [("a", BN, 3), ("s", SC, 3), ("t", SC, 3)],
            "2 Scale ('s' to 't') must follow as many batch normalisations: there is 1 right before",
        ),
        (
            [("a", BN, 3), ("s", SC, 4)],
            "Scale layer 's' does not fit the batch normalisation in its place: 'a' (gamma (3,), beta (3,), "
            "moving_mean (3,), moving_variance (3,)) and 's' (gamma (4,), beta (4,))",
        ),
    ],
)
def test_a_pair_that_is_none_is_an_error(layers, reason):
    """A Scale layer with nothing to be folded into is never left out without a word."""
    with pytest.raises(FileFormatError) as refused:
        scale_pairs(structure(*(layer(*one) for one in layers)))
    assert str(refused.value) == f"structure small: {reason}"


def moved_up(published: Structure, name: str) -> Structure:
    """Return a structure in which one layer stands before the one in front of it."""
    layers = list(published.layers)
    place = next(at for at, one in enumerate(layers) if one.name == name)
    layers[place - 1 : place + 1] = [layers[place], layers[place - 1]]
    return replace(published, layers=tuple(layers))


def test_a_network_whose_pairs_are_broken_is_not_loaded(practice_file, monkeypatch):
    """DenseNet's first Scale layer before its batch normalisation: no half-right features."""
    broken = moved_up(load_structure("densenet121"), "conv1_scale")
    monkeypatch.setattr("zoo.networks.weights.load_structure", lambda name: broken)
    path = practice_file("densenet121")
    reason = "1 Scale ('conv1_scale') must follow as many batch normalisations: there is 'conv1' right before"
    with pytest.raises(FileFormatError) as refused:
        zoo.load("densenet121", weights=path)
    assert str(refused.value) == f"structure densenet121: {reason}"


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("seed", range(8))
def test_any_small_network_is_folded_in_float32(tmp_path, seed, dtype):
    """Runs of any length, alone or in pairs: each array is what the formula gives, the rest is as it was."""
    rng = np.random.default_rng(seed)
    layers, pairs = [], {}
    for run in range(rng.integers(1, 6)):
        width = int(rng.integers(1, 4))
        sizes = [int(size) for size in rng.integers(1, 9, width)]
        layers += [layer(f"n{run}_{at}", BN, size) for at, size in enumerate(sizes)]
        if rng.random() < 0.7:
            layers += [layer(f"x{run}_{at}", SC, size) for at, size in enumerate(sizes)]
            pairs |= {f"n{run}_{at}": f"x{run}_{at}" for at in range(width)}
        layers.append(layer(f"relu_{run}", RELU))
    small = structure(*layers)
    path = written(tmp_path / "old.h5", small, rng, dtype)
    description = describe(path, layers={name: SC for name in pairs.values()})
    plan = make_plan(description, target=TF, match=match(description, small), to="keras3", fold=True)
    assert plan.folded == (pairs or None)
    proof = write(plan, tmp_path / "new.weights.h5", verify=True).proof
    assert proof is not None
    assert len(proof.recomputed) == 2 * len(pairs)
    norms = [one.name for one in small.weighted if one.kind == BN]
    with h5py.File(path) as old, h5py.File(tmp_path / "new.weights.h5") as new:
        assert len(new["layers"]) == len(norms)
        for number, name in enumerate(norms):
            group = new["layers"][f"batch_normalization{f'_{number}' if number else ''}"]["vars"]
            assert group.attrs["name"] == name
            own = {role: old[name][f"{name}_{suffix}"][()] for role, suffix in SUFFIXES.items()}
            if name in pairs:
                scale = {role: old[pairs[name]][f"{pairs[name]}_{role}"][()].astype("f4") for role in SCALE}
                gamma, beta = (own[role].astype("f4") for role in SCALE)
                own["gamma"] = (scale["gamma"] * gamma).astype(dtype)
                own["beta"] = (scale["gamma"] * beta + scale["beta"]).astype(dtype)
            for index, values in enumerate(own.values()):
                assert np.array_equal(group[str(index)][()], values)


@pytest.fixture(scope="module")
def folded(practice_file, tmp_path_factory) -> Path:
    """Return DenseNet-121's file of Keras 3, folded."""
    path = tmp_path_factory.mktemp("folded") / "densenet121.weights.h5"
    convert_file(practice_file("densenet121"), path, to="keras3")
    return path


def test_folding_is_said_and_recorded(folded, practice_file):
    """The plan has a note, the file a record of which layer went into which."""
    note = (
        "121 Scale layers are folded into the batch normalisation before them ('conv1_scale' into 'conv1_bn' "
        "first), as zoo.load draws densenet121; --as-published (as_published=True) leaves them apart"
    )
    assert note in plan_file(practice_file("densenet121"), to="keras3").typed_notes
    assert not any(
        "fold" in text for text in plan_file(practice_file("densenet121"), to="keras2").typed_notes
    )
    record = describe(folded).record
    assert record is not None
    assert record.folded == scale_pairs(load_structure("densenet121"))


@pytest.mark.parametrize("to", ["keras1", "keras2", "safetensors", "npz"])
def test_the_way_back_is_refused(folded, to):
    """What was folded cannot be told apart; the message says from what to start."""
    with pytest.raises(ConversionError) as refused:
        plan_file(folded, to=to)
    assert str(refused.value) == (
        f"{folded}: 121 Scale layers are folded into its batch normalisation and cannot be told apart again; "
        "convert the file that it was made of, or write that with --as-published (as_published=True)"
    )


@pytest.mark.long
def test_as_published_the_way_back_is_open(folded, practice_file, tmp_path):
    """Apart, the file leads to the folded one and back to where it came from."""
    path, apart, again = practice_file("densenet121"), tmp_path / "a.weights.h5", tmp_path / "b.weights.h5"
    assert convert_file(path, apart, to="keras3", as_published=True).record.folded is None
    convert_file(apart, again, to="keras3")
    with h5py.File(folded) as one, h5py.File(again) as other:
        names: list[str] = []
        one["layers"].visititems(lambda name, node: names.append(name) if hasattr(node, "shape") else None)
        assert len(names) == 606
        assert all(np.array_equal(one["layers"][name], other["layers"][name]) for name in names)
    convert_file(apart, tmp_path / "back.h5", to="keras1", to_layout="th", to_kernels="th")
    assert compare_files(path, tmp_path / "back.h5").equal
    assert compare_files(path, folded).equal
    assert compare_files(apart, folded).equal


def test_as_published_is_for_keras_3(practice_file):
    """Everywhere else layers are apart anyway."""
    with pytest.raises(ArgumentError) as refused:
        plan_file(practice_file("densenet121"), to="keras2", as_published=True)
    assert str(refused.value) == (
        "as_published (--as-published) is for to='keras3' (--to keras3): all others are"
    )
