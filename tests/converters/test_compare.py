"""Comparing weights files: equal, permuted, or different by how much, in whatever form they are."""

from __future__ import annotations

import math
import re

import h5py
import numpy as np
import pytest

from converters import convert_file
from converters.compare import compare_files
from converters.errors import ArgumentError, ConversionError, StructureMismatchError, UnknownFlattenError
from converters.planning.structures import load_structure
from tests.support import pytorch_files
from tests.support.paths import DIALECTS
from tests.support.weight_files import counted, keras1, without_record, write_empty, write_named

DATA = DIALECTS
MAP = {"fc": (6, 3, 4)}
TF_FORM = {"to_layout": "tf", "to_kernels": "tf"}
KERNEL = counted(3, 3, 2, 4)


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


@pytest.mark.parametrize(("layout", "kernels"), [("th", "tf"), ("tf", "th"), ("tf", "tf")])
@pytest.mark.parametrize("swapped", [False, True])
def test_a_conversion_is_permuted(source, tmp_path, layout, kernels, swapped):
    """A file and what it was converted to are equal, in either order; the record tells what moved."""
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


def test_whole_numbers_are_compared_as_they_are(tmp_path):
    """Those of 64 bits that are one number in floating point are not equal."""
    first, second = (
        pytorch_files.write(
            tmp_path / f"{last}.pth",
            {"ids.x": pytorch_files.tensor(np.array([5, 2**62 + last])), "fc.weight": ONE_MATRIX},
        )
        for last in (0, 1)
    )
    found = compare_files(first, second)
    ids = next(layer for layer in found.layers if layer.name == "ids")
    assert (found.equal, ids.status, ids.differing, ids.values) == (False, "different", 1, 2)
    assert compare_files(first, first).equal


ONE_MATRIX = pytorch_files.tensor(np.ones((2, 3), "f4"))


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
    for said in (((6, 3, 4),), (6, 3, 4), [6, 3, 4], "6x3x4"):
        assert compare_files(source, new, flatten={"fc": said}).layers[1].status == "permuted"
    text = "flatten of 'fc' must be (channels, height, width) or None, not 6"
    with pytest.raises(ArgumentError) as refused:
        compare_files(source, new, flatten={"fc": 6})
    assert str(refused.value) == text


@pytest.fixture
def untold(tmp_path):
    """A Keras 2 file, in which nothing tells the layout, and what was made of it, whose record does."""
    arrays = {"conv/kernel:0": counted(3, 3, 5, 6), "conv/bias:0": counted(6)}
    dense = {"fc/kernel:0": counted(72, 7), "fc/bias:0": counted(7)}
    told = {"keras_version": b"2.1.4", "backend": b"tensorflow"}
    path = write_named(tmp_path / "untold.h5", {"conv": arrays, "fc": dense}, **told)
    return path, convert_file(path, tmp_path / "th.h5", direction="tf-to-th", flatten=MAP).target


def test_what_is_said_of_both_leaves_a_record_as_it_is(untold):
    """The advice that is given for a file is said of both: the other one knows what it is."""
    path, new = untold
    with pytest.raises(ConversionError) as refused:
        compare_files(path, new)
    assert str(refused.value) == (
        f"{path}: nothing in the file tells its layout; say --from-layout th or --from-layout tf"
    )
    for files in ((path, new), (new, path)):
        assert statuses(compare_files(*files, from_layout="tf")) == dict.fromkeys(("conv", "fc"), "permuted")
    assert not compare_files(path, new, from_layout=("tf", "tf")).equal


def test_what_two_records_contradict_is_refused(untold, tmp_path):
    """Nothing that is said is passed over; said of each, it overrules."""
    path, new = untold
    npz = convert_file(path, tmp_path / "new.npz", from_layout="tf").target
    with pytest.raises(ArgumentError) as refused:
        compare_files(new, npz, from_layout="th")
    assert str(refused.value) == (
        f"layout th and tf stand in the records of {new} and {npz}; "
        "say --from-layout and --second-from-layout (a pair) if they are wrong"
    )
    assert compare_files(new, npz).equal
    assert not compare_files(new, npz, from_layout=("tf", "tf")).equal


FLATTENS = ((6, 3, 4), ((6, 3, 4),), ((6, 2, 3), (36,)), None)


@pytest.mark.parametrize("said", FLATTENS)
def test_rows_are_said_as_for_a_conversion(source, tmp_path, said):
    """Whatever a conversion takes, the comparison of its two ends takes, and finds them equal."""
    new = without_record(convert_file(source, tmp_path / "new.h5", **TF_FORM, flatten={"fc": said}).target)
    kernels = ("th", "tf")
    assert compare_files(source, new, from_kernels=kernels, flatten={"fc": said}).equal
    for other in (other for other in FLATTENS if rows(other) != rows(said)):
        assert not compare_files(source, new, from_kernels=kernels, flatten={"fc": other}).equal


def rows(said):
    """Return segments of rows for either way to say them."""
    return (said,) if said and isinstance(said[0], int) else said


@pytest.mark.parametrize("first", ["th", "tf"])
@pytest.mark.parametrize("second", ["th", "tf"])
def test_what_is_said_of_either_file_is_obeyed(tmp_path, first, second):
    """Two files that tell nothing: once for both, or of each its own; one is turned where they differ."""
    paths = [
        write_named(tmp_path / f"{name}.h5", {"c": {"c/kernel:0": values, "c/bias:0": counted(4)}})
        for name, values in (("a", KERNEL), ("b", KERNEL if first == second else KERNEL[::-1, ::-1]))
    ]
    found = compare_files(*paths, from_layout="tf", from_kernels=(first, second))
    assert found.equal
    assert statuses(found) == {"c": "equal" if first == second else "permuted"}
    unlike = {"th": "tf", "tf": "th"}[first]
    assert not compare_files(*paths, from_layout=("tf", "tf"), from_kernels=(unlike, second)).equal
    assert compare_files(*paths, from_layout="tf", from_kernels=first).equal == (first == second)


def test_a_structure_and_a_version_are_said_of_either_file(tmp_path):
    """The network that a file must hold; whether its deviations are those of Keras up to 1.0.6."""
    vgg, resnet = (
        write_empty(tmp_path / f"{name}.h5", load_structure(name), layout="tf")
        for name in ("vgg16", "resnet50")
    )
    for files, arch in (((vgg, resnet), "resnet50"), ((resnet, vgg), (None, "resnet50"))):
        with pytest.raises(StructureMismatchError, match=f"^{re.escape(str(vgg))}: "):
            compare_files(*files, arch=arch)
    said = {"arch": ("resnet50", None), "from_layout": ("tf", None), "from_kernels": ("tf", None)}
    assert not compare_files(resnet, write_named(tmp_path / "none.h5", keras1(fc=(4, 2))), **said).equal
    vectors = {f"bn_{name}": counted(8) for name in ("gamma", "beta", "running_mean", "running_std")}
    old = write_named(tmp_path / "old.h5", {"bn": vectors})
    squared = vectors | {"bn_running_std": vectors["bn_running_std"] ** 2}
    new = write_named(tmp_path / "new.h5", {"bn": squared})
    keras2 = convert_file(new, tmp_path / "keras2.h5", to="keras2", keras_version="1.2.2").target
    assert compare_files(old, keras2, keras_version=("1.0.6", None)).equal
    assert not compare_files(old, keras2, keras_version=("1.2.2", None)).equal
    assert compare_files(keras2, old, keras_version=(None, "1.0.6")).equal


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"from_kernels": "theano"}, "from_kernels must be 'th' or 'tf', not 'theano'"),
        ({"from_layout": (None, "last")}, "from_layout must be 'th' or 'tf', not 'last'"),
        ({"arch": ("a", "b", "c")}, "what is said of each of two files is a pair, not ('a', 'b', 'c')"),
        ({"keras_version": "new"}, "keras_version='new': must be a version such as 1.0.6"),
    ],
)
def test_what_cannot_be_said_is_refused(source, said, message):
    """As by a conversion."""
    with pytest.raises(ArgumentError) as refused:
        compare_files(source, source, **said)
    assert str(refused.value) == message
