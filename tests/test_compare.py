"""Comparing weights files: equal, permuted, or different by how much, in whatever form they are."""

from __future__ import annotations

import math
from pathlib import Path

import h5py
import numpy as np
import pytest

from converters import convert_file
from converters.compare import compare_files
from converters.errors import ArgumentError, UnknownFlattenError
from tests.weight_files import keras1, write_named

DATA = Path(__file__).parent / "data" / "dialects"
MAP = {"fc": (6, 3, 4)}


@pytest.fixture
def source(tmp_path):
    """Return a Keras 1 file in th layout: a convolution, a Flatten, two dense layers."""
    layers = keras1(conv=(6, 3, 3, 5), flatten=None, fc=(72, 7), out=(7, 5))
    return write_named(tmp_path / "th.h5", layers)


def statuses(comparison):
    """Return each layer's status."""
    return {layer.name: layer.status for layer in comparison.layers}


def test_a_file_is_equal_to_itself(source):
    """Nothing is permuted and nothing differs."""
    comparison = compare_files(source, source)
    assert statuses(comparison) == dict.fromkeys(("conv", "fc", "out"), "equal")
    assert comparison.equal
    assert str(comparison) == "equal: of 3 layers 3 equal, 0 permuted, 0 different"


@pytest.mark.parametrize("layout", ["th", "tf"])
@pytest.mark.parametrize("kernels", ["th", "tf"])
@pytest.mark.parametrize("swapped", [False, True])
def test_a_conversion_is_permuted(source, tmp_path, layout, kernels, swapped):
    """A file and what it was converted to are equal, in either order; the record tells what moved."""
    if (layout, kernels) == ("th", "th"):
        return
    new = tmp_path / "new.h5"
    convert_file(source, new, to_layout=layout, to_kernels=kernels, flatten=MAP)
    comparison = compare_files(*((new, source) if swapped else (source, new)))
    dense = "permuted" if layout == "tf" else "equal"
    assert statuses(comparison) == {"conv": "permuted", "fc": dense, "out": "equal"}
    assert comparison.equal


@pytest.mark.parametrize("to", ["keras2", "keras3"])
@pytest.mark.parametrize("sample", ["conv2d_flatten_dense_dense", "embedding_lstm", "gru_consume_cpu"])
def test_dialects_are_compared_as_one(sample, to, tmp_path):
    """A file of Keras 1 and the same weights in a later dialect, under other names and packed otherwise."""
    old, new = DATA / "keras122_theano_th" / f"{sample}.model.h5", tmp_path / "new.weights.h5"
    convert_file(old, new, to=to)
    comparison = compare_files(old, new)
    assert comparison.equal
    with h5py.File(new, "r+") as file:
        found = []
        file.visititems(lambda name, item: found.append(item) if isinstance(item, h5py.Dataset) else None)
        found[0][...] = found[0][...] + np.float32(0.25)
    assert sum(layer.status == "different" for layer in compare_files(old, new).layers) == 1


def test_differences_are_measured(source, tmp_path):
    """How many values, by how much at most, and how much that is of the array's largest value."""
    other = tmp_path / "other.h5"
    convert_file(source, other, direction="th-to-tf", flatten=MAP)
    with h5py.File(other, "r+") as file:
        file["out/out_W"][2, 3] += 0.5
        file["out/out_W"][0, 0] -= 2
        file["out/out_b"][1] = np.nan
    changed = {layer.name: layer for layer in compare_files(source, other).layers}["out"]
    assert (changed.values, changed.differing) == (40, 3)
    assert changed.largest == math.inf
    assert changed.as_dict()["largest"] is None
    with h5py.File(other, "r+") as file:
        file["out/out_b"][1] = 1
    comparison = compare_files(source, other)
    changed = {layer.name: layer for layer in comparison.layers}["out"]
    assert (changed.differing, changed.largest, changed.relative) == (2, 2.0, 2.0 / 34)
    assert not comparison.equal
    assert comparison.as_dict()["layers"][2] == {
        "name": "out",
        "status": "different",
        "values": 40,
        "differing": 2,
        "largest": 2.0,
        "relative": 2.0 / 34,
        "detail": "",
    }


def test_a_layer_less_or_misshapen_is_told(source, tmp_path):
    """What cannot be compared is different, and the report says why."""
    other = write_named(tmp_path / "other.h5", keras1(conv=(6, 3, 3, 3), more=(3, 3), out=(7, 5)))
    found = {layer.name: (layer.status, layer.detail) for layer in compare_files(source, other).layers}
    assert found == {
        "conv": ("different", "kernel (6, 3, 3, 5) and (6, 3, 3, 3)"),
        "fc": ("different", "only in the first file"),
        "out": ("equal", ""),
        "more": ("different", "only in the second file"),
    }


def test_layers_of_other_names_pair_in_order(source, tmp_path):
    """Two definitions of one network may name its layers differently."""
    other = write_named(tmp_path / "o.h5", keras1(a=(6, 3, 3, 5), b=None, c=(72, 7), d=(7, 5)))
    assert statuses(compare_files(source, other)) == dict.fromkeys(("conv", "fc", "out"), "equal")


def test_what_nothing_tells_is_asked_for(source, tmp_path):
    """The map in front of a dense layer, if neither file knows; a name that neither has is refused."""
    new = tmp_path / "new.h5"
    convert_file(source, new, direction="th-to-tf", flatten=MAP)
    with h5py.File(new, "r+") as file:
        for name in [name for name in file.attrs if name.startswith("zoo_")]:
            del file.attrs[name]
    with pytest.raises(UnknownFlattenError, match="fc"):
        compare_files(source, new)
    with pytest.raises(ArgumentError) as refused:
        compare_files(source, new, flatten={"fd": ((6, 3, 4),)})
    assert str(refused.value) == f"neither {source} nor {new} has a layer 'fd' with weights"
    assert compare_files(source, new, flatten={"fc": ((6, 3, 4),)}).layers[1].status == "permuted"
