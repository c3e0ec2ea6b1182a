"""What a published graph has no place for is left out of other software's files where it changes nothing."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

from converters.arrays.form import TF
from converters.errors import StructureMismatchError
from converters.formats.dialects import describe
from converters.planning.making import make_plan
from converters.planning.structures import load_structure, match
from converters.writing.execute import write
from tests.support import pytorch_files
from zoo.practice import caffe

STRUCTURE = {
    "format": 1,
    "name": "small",
    "source": "this test",
    "parameters": 4 * 27 + 3 * 4 + 15,
    "known_as": {"others": ["stem.conv", "stem.bn", "fc"]},
    "left_behind": ["Aux."],
    "background": True,
    "layers": [
        {"name": "conv2d_1", "kind": "Conv2D", "arrays": {"kernel": [3, 3, 3, 4]}},
        {
            "name": "batch_normalization_1",
            "kind": "BatchNormalization",
            "arrays": {"beta": [4], "moving_mean": [4], "moving_variance": [4]},
        },
        {"name": "predictions", "kind": "Dense", "arrays": {"kernel": [4, 3], "bias": [3]}},
    ],
}


@pytest.fixture
def structure(tmp_path):
    """Return a small graph whose normalisation has no slope, and which has three classes."""
    path = tmp_path / "small.json"
    path.write_text(json.dumps(STRUCTURE))
    return load_structure(path)


def arrays(**changes):
    """Return the arrays of a file of PyTorch that has a slope, a background class and a head for training."""
    rng = np.random.default_rng(3)
    norms = {name: rng.random(4, "f4") for name in ("bias", "running_mean", "running_var")}
    found = {
        "stem.conv.weight": rng.random((4, 3, 3, 3), "f4"),
        "stem.bn.weight": np.ones(4, "f4"),
        **{f"stem.bn.{name}": values for name, values in norms.items()},
        "Aux.fc.weight": rng.random((4, 4), "f4"),
        "Aux.fc.bias": rng.random(4, "f4"),
        "fc.weight": rng.random((4, 4), "f4"),
        "fc.bias": rng.random(4, "f4"),
    }
    return {**found, **changes}


def written(path, held, form="zip"):
    """Write a file of PyTorch."""
    tensors = {name: pytorch_files.tensor(values) for name, values in held.items()}
    return pytorch_files.write(path, tensors, form)


def datasets(path):
    """Return all arrays of an HDF5 file by their paths."""
    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, one: found.update({name: one[()]} if isinstance(one, h5py.Dataset) else {})
        )
    return found


@pytest.mark.parametrize("form", ["zip", "legacy", "tar"])
def test_all_three_are_left_out_and_said(form, structure, tmp_path):
    """A slope of ones, class 0 and a head for training: one sentence each; all else is there to the bit."""
    held = arrays()
    path = written(tmp_path / "file.pth", held, form)
    description = describe(path)
    found = match(description, structure)
    plan = make_plan(description, target=TF, match=found, to="keras2")
    text = "as small has no place for it"
    assert [note for note in plan.notes if "no place" in note] == [
        f"'batch_normalization_1': gamma of 1 left out, {text}",
        f"'predictions': dropped class 0, {text}",
        f"'Aux.fc': left behind, {text}",
    ]
    write(plan, tmp_path / "new.h5")
    new = datasets(tmp_path / "new.h5")
    assert {name.rpartition("/")[2] for name in new} == {
        *("kernel:0", "beta:0", "moving_mean:0", "moving_variance:0", "bias:0"),
    }
    kernel, bias = (new[f"predictions/predictions/{name}:0"] for name in ("kernel", "bias"))
    assert kernel.tobytes() == np.ascontiguousarray(held["fc.weight"][1:].T).tobytes()
    assert bias.tobytes() == held["fc.bias"][1:].tobytes()


WRONG = {
    "another value": 1.5,
    "no number": np.nan,
    "the other sign": -1.0,
    "the next number": np.nextafter(np.float32(1), np.float32(2)),
}


@pytest.mark.parametrize("value", WRONG.values(), ids=WRONG)
def test_a_slope_that_is_not_one_is_refused(value, structure, tmp_path):
    """With the layer as the file calls it, the output and the value."""
    slope = np.ones(4, "f4")
    slope[2] = value
    path = written(tmp_path / "file.pth", arrays(**{"stem.bn.weight": slope}))
    with pytest.raises(StructureMismatchError) as caught:
        match(describe(path), structure)
    reason = f"gamma is {slope[2]:.9g} for output 2, and not 1; it cannot be left out"
    place = "'batch_normalization_1' of small has no gamma"
    assert str(caught.value) == f"{path}: layer 'stem.bn': {reason}, and {place}"


def test_a_bias_of_zeros_is_left_out_and_no_other(structure, tmp_path):
    """In front of a normalisation it would change the mean."""
    zeros = arrays(**{"stem.conv.bias": np.zeros(4, "f4")})
    found = match(describe(written(tmp_path / "zeros.pth", zeros)), structure)
    assert found.dropped["conv2d_1"] == "bias of 0 left out"
    path = written(tmp_path / "file.pth", arrays(**{"stem.conv.bias": np.full(4, 1e-30, "f4")}))
    with pytest.raises(
        StructureMismatchError, match=r"layer 'stem\.conv': bias is 1(\.0+)?e-30 for output 0"
    ):
        match(describe(path), structure)


@pytest.mark.parametrize("classes", [(5, 5), (4, 3), (3, 4), (2, 2), (1, 1)])
def test_only_one_class_more_in_each_array_is_dropped(classes, structure, tmp_path):
    """Anything else is another classifier."""
    rng = np.random.default_rng(4)
    kernel, bias = (rng.random(shape, "f4") for shape in ((classes[0], 4), (classes[1],)))
    path = written(tmp_path / "file.pth", arrays(**{"fc.weight": kernel, "fc.bias": bias}))
    with pytest.raises(StructureMismatchError, match=r"layer 'predictions'(: kernel has shape| is missing)"):
        match(describe(path), structure)


def test_as_many_classes_as_the_graph_has_stay(structure, tmp_path):
    """Nothing is dropped then; nor in a graph with other classes than it was published with."""
    rng = np.random.default_rng(5)
    same = {"fc.weight": rng.random((3, 4), "f4"), "fc.bias": rng.random(3, "f4")}
    assert (
        "predictions"
        not in match(describe(written(tmp_path / "same.pth", arrays(**same))), structure).dropped
    )
    own = structure.with_classes(["predictions"], 3)
    with pytest.raises(StructureMismatchError, match="layer 'predictions'"):
        match(describe(written(tmp_path / "more.pth", arrays())), own)


@pytest.mark.parametrize(("value", "fits"), [(1.0, True), (0.5, False)])
def test_the_slope_of_a_scale_in_caffe_counts_too(value, fits, structure, tmp_path):
    """It stands in a layer of its own behind the normalisation, whose offset the graph has."""
    rng = np.random.default_rng(6)
    norm = [rng.random(4, "f4"), rng.random(4, "f4"), np.ones(1, "f4")]
    behind, blobs = {"bottom": "conv2d_1", "top": "conv2d_1"}, [np.full(4, value, "f4"), rng.random(4, "f4")]
    layers = [
        caffe.Layer("conv2d_1", "Convolution", [rng.random((4, 3, 3, 3), "f4")]),
        caffe.Layer("batch_normalization_1", "BatchNorm", norm, **behind),
        caffe.Layer("scale", "Scale", blobs, **behind),
        caffe.Layer("predictions", "InnerProduct", [rng.random((3, 4), "f4"), rng.random(3, "f4")]),
    ]
    description = describe(caffe.write(tmp_path / "file.caffemodel", layers))
    if fits:
        found = match(description, structure)
        assert found.dropped == {"batch_normalization_1": "gamma of 1 left out"}
        assert set(found.layers[1].arrays) == {"beta", "moving_mean", "moving_variance"}
    else:
        with pytest.raises(StructureMismatchError, match=r"gamma is 0\.5 for output 0, and not 1"):
            match(description, structure)
