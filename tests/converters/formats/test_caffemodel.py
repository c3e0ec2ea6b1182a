"""Caffe's files: every way in which they are written gives the same arrays, and what lies is refused by name.

Whole networks come out as Keras' practice files of them.
"""

from __future__ import annotations

import itertools
import os
import re

import h5py
import numpy as np
import pytest

from converters import convert_file, inspect_file, plan_file
from converters.boundary import BROKEN
from converters.compare import compare_files
from converters.errors import (
    ArgumentError,
    ConversionError,
    FileFormatError,
    StructureMismatchError,
    ZooError,
)
from converters.formats.dialects import describe
from converters.formats.opening import open_untrusted
from converters.hdf5.metadata import datasets_of
from converters.writing.execute import arrays as planned_arrays
from tests.support import caffe_files, foreign_mutants
from tests.support.caffe_files import FACTOR, Layer, as_bytes, blob, block, group, network, number, published
from tests.support.hostile_caffe import TECHNIQUES
from tests.support.long import long_but
from tests.support.shares import ORIGINS

COUNT = int(os.environ.get("ZOO_MUTATIONS", "100"))
FIRST = int(os.environ.get("ZOO_MUTATION", "0"))


def drawn(*shape, seed=0, dtype="f4"):
    """Return values of which no two are equal."""
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


CONVOLUTION = [drawn(8, 3, 3, 5), drawn(8)]
DENSE = [drawn(4, 24), drawn(4)]
LAYERS = [
    Layer("conv/1", "Convolution", CONVOLUTION),
    Layer("bn", "BatchNorm", [drawn(8), drawn(8), np.array([FACTOR], "f4")], bottom="conv/1", top="conv/1"),
    Layer("scale", "Scale", [drawn(8), drawn(8, seed=1)], bottom="conv/1", top="conv/1"),
    Layer("prelu", "PReLU", [drawn(8)], bottom="conv/1"),
    Layer("bias", "Bias", [drawn(8)], bottom="prelu"),
    Layer("up", "Deconvolution", [drawn(8, 6, 2, 2), drawn(6)], bottom="bias"),
    Layer("relu", "ReLU", bottom="up"),
    Layer("odd", "Odd", [drawn(2, 3)], bottom="up"),
    Layer("fc", "InnerProduct", DENSE, bottom="up"),
    Layer("act", "PReLU", [drawn(1)], bottom="fc"),
]
WAYS = {
    "as Caffe writes it": {},
    "with the four old numbers": {"old": True},
    "values one by one": {"packed": False},
    "with gradients": {"diff": True},
}


@pytest.fixture
def made(tmp_path):
    """Return a function that writes a network, or bytes, to a file."""

    def write(content, name="net.caffemodel", **how):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else network(content, **how))
        return path

    return write


def values_of(path):
    """Return all arrays that a file holds as they are read, by their paths."""
    with open_untrusted(path) as source:
        found = datasets_of(source.tree)
        read = {name: source.read(dataset) for name, dataset in found.items()}
        for name, dataset in found.items():
            assert source.mapped(dataset).tobytes() == read[name].tobytes()
    return read


def shapes_of(path, **said):
    """Return kind and shapes of every layer."""
    return {
        layer.name: (layer.kind, [(array.role, array.shape) for array in layer.arrays])
        for layer in describe(path, **said).layers
    }


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_write_a_blob_gives_the_same(way, made):
    """Shapes, kinds and values, whatever the blobs look like in the file."""
    path = made([one for one in LAYERS if one.name != "odd"], **WAYS[way])
    assert shapes_of(path) == {
        "conv/1": ("Conv2D", [("kernel", (8, 3, 3, 5)), ("bias", (8,))]),
        "bn": ("BatchNormalization", [("moving_mean", (8,)), ("moving_variance", (8,))]),
        "scale": ("Scale", [("gamma", (8,)), ("beta", (8,))]),
        "prelu": ("PReLU", [("alpha", (8, 1, 1))]),
        "bias": ("Scale", [("gamma", (8,)), ("beta", (8,))]),
        "up": ("Conv2DTranspose", [("kernel", (8, 6, 2, 2)), ("bias", (6,))]),
        "fc": ("Dense", [("kernel", (4, 24)), ("bias", (4,))]),
        "act": ("PReLU", [("alpha", (1,))]),
    }
    found = values_of(path)
    assert found["conv/1/kernel"].tobytes() == CONVOLUTION[0].tobytes()
    assert found["fc/kernel"].tobytes() == DENSE[0].tobytes()
    assert found["bn/moving_mean"].tobytes() == (drawn(8) / 4).astype("f4").tobytes()
    assert found["bias/gamma"].tolist() == [1.0] * 8
    assert found["bias/beta"].tobytes() == drawn(8).tobytes()


@pytest.mark.parametrize("type_first", [True, False])
@pytest.mark.parametrize("dtype", ["f8", "f4", "f2"])
def test_blobs_may_be_bytes_of_a_type(dtype, type_first, made):
    """Each keeps its type; what is computed, of sums that float16 may not hold, is computed in float32."""
    path = made([as_bytes(one, dtype, type_first=type_first) for one in LAYERS if one.name != "odd"])
    found = values_of(path)
    assert found["conv/1/kernel"].tobytes() == CONVOLUTION[0].astype(dtype).tobytes()
    assert found["fc/bias"].tobytes() == DENSE[1].astype(dtype).tobytes()
    computed = "f8" if dtype == "f8" else "f4"
    assert found["bn/moving_mean"].tobytes() == (drawn(8).astype(dtype).astype(computed) / 4).tobytes()
    stored = {array.dtype for array in found.values()}
    assert stored == {np.dtype(dtype), np.dtype(computed)}


def test_layers_of_the_first_form_are_those_of_the_second(made):
    """V1 with its numbers for types, and with what the second form calls the same."""
    layers = [one for one in LAYERS if one.type in caffe_files.V1_TYPES]
    one, other = made(layers, "one.caffemodel", first=True), made(layers, "other.caffemodel")
    assert shapes_of(one) == shapes_of(other)
    assert {name: array.tobytes() for name, array in values_of(one).items()} == {
        name: array.tobytes() for name, array in values_of(other).items()
    }


def test_doubles_groups_and_what_nobody_knows(made):
    """Doubles stay doubles, groups and unknown fields are passed over, wherever they stand."""
    odd = group(99, block(1, "x") + group(3, number(1, 1))) + block(5000, b"\xff" * 9) + number(77, 1 << 63)
    layers = [Layer("conv", "Convolution", [drawn(4, 2, 1, 1, dtype="f8")], more=odd)]
    path = made(odd + network(layers) + odd, "net.caffemodel")
    with pytest.raises(FileFormatError, match="not an HDF5 file"):
        inspect_file(path)  # a file that begins with what nobody knows may be anything
    path = made(network(layers) + odd)
    found = values_of(path)
    assert found["conv/kernel"].dtype == np.float64
    assert found["conv/kernel"].tobytes() == drawn(4, 2, 1, 1, dtype="f8").tobytes()


def test_a_mean_image_is_one_blob(made):
    """ResNet_mean.binaryproto is a blob without a layer around it."""
    path = made(blob(drawn(3, 4, 5), old=True), "mean.binaryproto")
    assert inspect_file(path).description.called == "binaryproto"
    assert shapes_of(path) == {"blob": ("Other", [("blob_0", (1, 3, 4, 5))])}
    new = convert_file(path, to="npz", to_layout="th").target
    assert new.name == "mean.npz"
    assert np.load(new)["blob/blob_0"].tobytes() == drawn(3, 4, 5).tobytes()


def test_conversion_moves_axes_and_rows(made, tmp_path):
    """Kernels (H,W,I,O), dense rows behind a map (H,W,C), shared slopes (1,1,C): as Keras has them."""
    plan = plan_file(made(LAYERS), to="npz", flatten={"fc": (6, 2, 2)})
    found = {}
    for array, values in planned_arrays(plan):
        found[array.path] = values
    kernel, rows = CONVOLUTION[0].transpose(2, 3, 1, 0), DENSE[0].T.reshape(6, 2, 2, 4)
    assert found["conv/1/kernel"].tobytes() == kernel.tobytes()
    assert found["up/kernel"].tobytes() == LAYERS[5].blobs[0].transpose(2, 3, 1, 0).tobytes()
    assert found["up/kernel"].shape == (2, 2, 6, 8)
    assert found["fc/kernel"].tobytes() == rows.transpose(1, 2, 0, 3).tobytes()
    assert found["prelu/alpha"].shape == (1, 1, 8)
    new = convert_file(made(LAYERS), tmp_path / "new.npz", flatten={"fc": (6, 2, 2)}).target
    with np.load(new) as written:
        assert {name: written[name].tobytes() for name in found} == {
            name: values.tobytes() for name, values in found.items()
        }
    assert compare_files(made(LAYERS), new, flatten={"fc": (6, 2, 2)}).equal


def matrix(name, inputs, outputs, bottom):
    """Return an InnerProduct of so many inputs."""
    return Layer(name, "InnerProduct", [drawn(outputs, inputs)], bottom=bottom)


CONV = Layer("conv", "Convolution", [drawn(8, 3, 3, 3)])
WIDE = Layer("wide", "Convolution", [drawn(4, 3, 1, 1)])
FC1 = matrix("fc1", 32, 16, "conv")
POOL = Layer("pool", "Pooling", bottom="conv")


def joined(*bottoms, axis=b""):
    """Return a Concat of several inputs."""
    first, *others = bottoms
    return Layer("joined", "Concat", bottom=first, more=b"".join(block(3, name) for name in others) + axis)


NOT_ASKED = {
    "a matrix": [CONV, FC1, matrix("fc2", 16, 2, "fc1")],
    "one matrix for two": [CONV, FC1, matrix("cls", 16, 2, "fc1"), matrix("box", 16, 4, "fc1")],
    "what goes by value": [
        CONV,
        FC1,
        Layer("act", "PReLU", [drawn(16)], bottom="fc1"),
        Layer("drop", "Dropout", bottom="act"),
        matrix("fc2", 16, 2, "drop"),
    ],
    "matrices that are joined": [
        CONV,
        FC1,
        matrix("other", 32, 8, "conv"),
        joined("fc1", "other"),
        matrix("fc2", 24, 2, "joined"),
    ],
    "a map of one place": [CONV, FC1, POOL, matrix("fc2", 8, 2, "pool")],
    "the same, flattened": [
        CONV,
        FC1,
        POOL,
        Layer("flat", "Flatten", bottom="pool"),
        matrix("fc2", 8, 2, "flat"),
    ],
    "joined maps of one place": [CONV, WIDE, FC1, joined("conv", "wide"), matrix("fc2", 12, 2, "joined")],
}
ASKED = {
    "a map": ([matrix("fc2", 16, 2, "conv")], "fc2 (16 rows, after a convolution with 8 channels)"),
    "a map of an earlier layer": (
        [WIDE, matrix("fc2", 16, 2, "conv")],
        "fc2 (16 rows, after a convolution with 8 channels)",
    ),
    "a Flatten": (
        [POOL, Layer("flat", "Flatten", bottom="pool"), matrix("fc2", 16, 2, "flat")],
        "fc2 (16 rows, after a convolution with 8 channels)",
    ),
    "a Reshape": ([Layer("flat", "Reshape", bottom="fc1"), matrix("fc2", 16, 2, "flat")], "fc2 (16 rows)"),
    "what is not known": ([Layer("odd", "Odd", bottom="fc1"), matrix("fc2", 16, 2, "odd")], "fc2 (16 rows)"),
    "an input of no layer": ([matrix("fc2", 16, 2, "data2")], "fc2 (16 rows)"),
    "a matrix joined to a map": (
        [joined("fc1", "conv"), matrix("fc2", 48, 2, "joined")],
        "fc2 (48 rows, after a convolution with 24 channels)",
    ),
    "maps joined along their height": (
        [WIDE, joined("conv", "wide", axis=block(104, number(2, 2))), matrix("fc2", 12, 2, "joined")],
        "fc2 (12 rows)",
    ),
    "a convolution without values": (
        [Layer("bare", "Convolution", bottom="conv"), matrix("fc2", 8, 2, "bare")],
        "fc2 (8 rows)",
    ),
    "maps of two numbers of channels": (
        [WIDE, Layer("sum", "Eltwise", bottom="conv", more=block(3, "wide")), matrix("fc2", 8, 2, "sum")],
        "fc2 (8 rows)",
    ),
}


@pytest.mark.parametrize("behind", NOT_ASKED)
def test_what_was_never_a_map_or_has_one_place_is_not_asked_for(behind, made):
    """The file names the inputs of its layers."""
    path = made(NOT_ASKED[behind])
    maps = [name for name in ("fc1", "other") if name in shapes_of(path)]
    plan = plan_file(path, to="npz", flatten=dict.fromkeys(maps, (8, 2, 2)))
    told = {name: found.source for name, found in plan.flatten.items()}
    matrices = [one.name for one in NOT_ASKED[behind] if one.type == "InnerProduct" and one.name not in maps]
    assert {name: told[name] for name in matrices} == dict.fromkeys(matrices, "inputs")


@pytest.mark.parametrize("behind", ASKED)
def test_what_may_be_behind_a_map_is_asked_for(behind, made):
    """Where the names tell of a map, or tell nothing; the order of the layers proves nothing."""
    layers, asked = ASKED[behind]
    with pytest.raises(ConversionError, match="it cannot be told from the file") as raised:
        plan_file(made([CONV, FC1, *layers]), to="npz", flatten={"fc1": (8, 2, 2)})
    assert [line.partition(": --")[0].strip() for line in str(raised.value).splitlines()[1:-3]] == [asked]


@pytest.mark.parametrize("kind", ["ConvolutionDepthwise", "DepthwiseConvolution"])
def test_forks_of_caffe_have_names_for_convolutions_with_groups(kind, made):
    """They hold what a Convolution does."""
    path = made([Layer("dw", kind, [drawn(8, 1, 3, 3)], groups=8)])
    assert shapes_of(path) == {"dw": ("Conv2D", [("kernel", (8, 1, 3, 3))])}


def test_a_transposed_matrix_is_as_keras_has_it(made):
    """InnerProduct with transpose keeps (I, O)."""
    told = Layer("fc", "InnerProduct", [drawn(24, 4), drawn(4)], transpose=True)
    plan = plan_file(made([told]), to="npz")
    assert [values.tobytes() for array, values in planned_arrays(plan) if array.role == "kernel"] == [
        drawn(24, 4).tobytes()
    ]


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        (1.0, drawn(8)),
        (4.0, drawn(8) * np.float32(0.25)),
        (999.982, drawn(8) * (np.float32(1) / np.float32(999.982))),
        (0.0, drawn(8) * np.float32(0)),
    ],
)
def test_mean_and_variance_are_divided_by_their_factor(factor, expected, made):
    """As Caffe does: times the reciprocal in float32; a factor of nought makes them nought."""
    path = made([Layer("bn", "BatchNorm", [drawn(8), drawn(8), np.array([factor], "f4")])])
    found = values_of(path)
    assert found["bn/moving_mean"].tobytes() == expected.tobytes()
    assert found["bn/moving_variance"].tobytes() == expected.tobytes()
    notes = plan_file(path, to="npz").notes
    told = f"1 batch normalisation keeps sums ('bn' first, factor {factor:g}): mean and variance are divided"
    assert [note.startswith(told) for note in notes] == ([] if factor == 1 else [True])


def test_what_is_not_as_its_type_says_is_carried_by_name(made):
    """Another software's normalisation, an embedding with a bias: nothing is taken for what it is not."""
    layers = [
        Layer("bn", "BatchNorm", [drawn(8)] * 5),
        Layer("scale", "Scale", [drawn(4, 3)]),
        Layer("embed", "Embed", [drawn(5, 2), drawn(2)]),
        Layer("words", "Embed", [drawn(5, 2)]),
        Layer("conv", "Convolution", [drawn(4, 2, 1, 1), drawn(3)]),
        Layer("line", "Convolution", [drawn(4, 2, 3)]),
        Layer("room", "Convolution", [drawn(4, 2, 3, 3, 3)]),
    ]
    kinds = {name: kind for name, (kind, _) in shapes_of(made(layers)).items()}
    assert kinds == {
        "bn": "Other",
        "scale": "Other",
        "embed": "Other",
        "words": "Embedding",
        "conv": "Other",
        "line": "Conv1D",
        "room": "Conv3D",
    }


def test_slope_and_offset_are_the_normalisations_own_in_keras_3(made, tmp_path):
    """Where one layer works on what another gives, and no other does; apart where that is asked for."""
    norm = [drawn(8), drawn(8), np.array([1], "f4")]
    layers = [
        Layer("bn", "BatchNorm", norm, top="x"),
        Layer("scale", "Scale", [drawn(8, seed=2), drawn(8, seed=1)], bottom="x", top="x"),
        Layer("shared", "BatchNorm", norm, bottom="x", top="y"),
        Layer("one", "Scale", [drawn(8), drawn(8)], bottom="y"),
        Layer("other", "Scale", [drawn(8), drawn(8)], bottom="y"),
        Layer("moved", "BatchNorm", norm, bottom="x", top="z"),
        Layer("bias", "Bias", [drawn(8)], bottom="z", top="z"),
    ]
    path = made(layers)
    plan = plan_file(path, to="keras3")
    assert {output.layer: [] for output in plan.outputs}.keys() == {"bn", "shared", "one", "other", "moved"}
    assert [output.role for output in plan.outputs if output.layer == "bn"] == [
        "gamma",
        "beta",
        "moving_mean",
        "moving_variance",
    ]
    assert plan.notes == (
        "2 Scale layers become slope and offset of the batch normalisation before them "
        "('scale' of 'bn' first); as_published=True (--as-published) leaves them apart",
    )
    with h5py.File(convert_file(path, to="keras3").target) as found:
        group = found["layers/batch_normalization/vars"]
        assert group["0"][()].tobytes() == drawn(8, seed=2).tobytes()
        assert group["1"][()].tobytes() == drawn(8, seed=1).tobytes()
        assert found["layers/batch_normalization_2/vars/0"][()].tolist() == [1.0] * 8
    apart = plan_file(path, to="keras3", as_published=True)
    assert {output.layer for output in apart.outputs} == {one.name for one in layers}


@pytest.mark.parametrize("between", ["npz", "safetensors", "keras2"])
def test_what_becomes_one_layer_in_keras_3_does_so_on_every_way_there(between, made, tmp_path):
    """A file between keeps both layers and which belong together; one of Keras 3 does not give them back."""
    layers = [
        Layer("a/bn", "BatchNorm", [drawn(8), drawn(8), np.array([2], "f4")], top="x"),
        Layer("a/scale", "Scale", [drawn(8, seed=2), drawn(8, seed=1)], bottom="x", top="x"),
        Layer("own", "Scale", [drawn(8, seed=3), drawn(8, seed=4)], bottom="x"),
    ]
    path = made(layers)
    direct = convert_file(path, tmp_path / "direct.weights.h5").target
    first = convert_file(path, to=between).target
    second = convert_file(first, tmp_path / "second.weights.h5").target
    assert values_of(direct).keys() == values_of(second).keys()
    assert all(
        values_of(second)[name].tobytes() == held.tobytes() for name, held in values_of(direct).items()
    )
    apart = convert_file(first, tmp_path / "apart.weights.h5", as_published=True).target
    assert len(values_of(apart)) == 6
    for one, other in itertools.permutations((path, first, direct, apart), 2):
        assert compare_files(one, other).equal
    with pytest.raises(ConversionError, match="1 Scale layer is folded into its batch normalisation and"):
        plan_file(second, to=between)


def test_a_user_says_what_a_layer_is(made):
    """A kind counts in the order of its arrays; what cannot be is refused."""
    path = made(LAYERS)
    told = shapes_of(path, layers={"odd": "Dense"})
    assert told["odd"] == ("Dense", [("kernel", (2, 3))])
    with pytest.raises(ArgumentError, match=r"layer 'scale' cannot be of kind Embedding: it has scale/gamma"):
        describe(path, layers={"scale": "Embedding"})
    with pytest.raises(ArgumentError, match="--layer names 'none', but no layer has that name"):
        describe(path, layers={"none": "Dense"})


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"from_layout": "tf"}, "layout is tf (user), but its shapes are those of layout th (layer 'conv/1'"),
        ({"from_kernels": "th"}, "kernels are th (user), but neither Caffe nor PyTorch rotates any; leave"),
        ({"keras_version": "2.2.4"}, "no version of Keras wrote it; leave keras_version out"),
        ({"order": ["conv/1"]}, "tells the order of its layers itself; leave order out"),
    ],
)
def test_what_cannot_be_said_of_such_a_file_is_refused(said, message, made):
    """All of them are alike, and none is of any version of Keras."""
    with pytest.raises(ZooError, match=re.escape(message)):
        plan_file(made(LAYERS), to="npz", flatten={"fc": (6, 2, 2)}, **said)


def test_it_has_no_form_of_its_own_to_stay_in(made):
    """What it becomes has to be said; the message offers what can be."""
    with pytest.raises(ZooError, match=re.escape("say what it is to become: --to keras3 or another (to=)")):
        plan_file(made(LAYERS), direction="th-to-tf")


def test_groups_are_told(made):
    """Keras needs them in its layer, which no weights file tells."""
    told = Layer("conv2", "Convolution", [drawn(4, 2, 3, 3)], groups=2)
    assert plan_file(made([told]), to="npz").notes == (
        "1 convolutions have groups ('conv2' first, 2): the layers of Keras must have them too (groups=)",
    )


def test_transposed_convolutions_with_groups_are_told_apart(made):
    """No layer of Keras has groups there: it is not advised to say them."""
    up = Layer("up", "Deconvolution", [drawn(4, 1, 4, 4)], groups=4)
    assert plan_file(made([up]), to="npz").notes == (
        "1 transposed convolutions have groups ('up' first, 4): "
        "no layer of Keras has them: yours has to take the kernel apart",
    )


def test_the_blob_of_a_scale_of_two_inputs_is_no_slope(made, tmp_path):
    """The second input is the slope there, and the blob is the offset (scale_layer.cpp): no rule has that."""
    layers = [
        Layer("bn", "BatchNorm", [drawn(8), drawn(8), np.array([1], "f4")], top="x"),
        Layer("gate", "Scale", [drawn(8, seed=1)], bottom="x", more=block(3, "sigmoid")),
    ]
    path = made(layers)
    assert shapes_of(path)["gate"] == ("Other", [("blob_0", (8,))])
    assert describe(path).folds == {}
    new = convert_file(path, tmp_path / "new.weights.h5", layers={"gate": "Other"}).target
    assert drawn(8, seed=1).tobytes() in [held.tobytes() for held in values_of(new).values()]


@pytest.mark.parametrize("technique", TECHNIQUES, ids=lambda technique: technique.name)
def test_each_technique_is_refused_by_name(technique, tmp_path):
    """The message names the byte and the rule."""
    path = tmp_path / "weights.caffemodel"
    path.write_bytes(technique.build())
    with pytest.raises(ZooError) as refused:
        open_untrusted(path, limits=technique.limits)
    assert str(refused.value) == f"{path}: {technique.message}"
    assert str(refused.value).isprintable()


def test_mutated_files_are_converted_right_or_refused(tmp_path):
    """What is taken is what a reader that trusts the file reads from it; what is not is refused by a rule."""
    path, new = tmp_path / "case.caffemodel", tmp_path / "case.npz"
    taken, broken = 0, []
    for number_of_case in range(FIRST, FIRST + COUNT):
        content = foreign_mutants.mutated(number_of_case, foreign_mutants.caffe_original)
        path.write_bytes(content)
        try:
            convert_file(path, new, to="npz", flatten={"fc6": None}, force=True)
        except ZooError as error:
            broken += [(number_of_case, str(error))] * (BROKEN in str(error))
            continue
        taken += 1
        check_values(path, content, number_of_case)
    assert not broken
    assert taken > COUNT // 50
    assert sorted(tmp_path.iterdir()) == sorted({path, *([new] if taken else [])})


def check_values(path, content, case):
    """Raise unless all blobs that were read are those of the trusting reader."""
    trusted = foreign_mutants.caffe_arrays(content)
    with open_untrusted(path) as source:
        found = datasets_of(source.tree)
        for layer in describe(path).layers:
            vectors = [vector.tobytes() for vector in trusted[layer.name]]
            for array in layer.arrays:
                values = source.read(found[array.path])
                # Those of a batch normalisation are computed.
                computed = layer.kind == "BatchNormalization" or (array.role == "gamma" and len(vectors) == 1)
                assert computed or values.tobytes() in vectors, (case, array.path)


# Whole networks


LACKING = {"gamma": 1.0, "beta": 0.0, "bias": 0.0}
"""What Keras' layers have beside what Caffe's do, and what it is."""


@pytest.fixture(scope="module")
def googlenet(tmp_path_factory, practice_file):
    """Return GoogLeNet as Caffe and as Keras have it."""
    folder = tmp_path_factory.mktemp("googlenet")
    path = caffe_files.write(folder / "g.caffemodel", published("googlenet"), first=True)
    return path, practice_file("googlenet")


def test_a_network_with_names_of_its_own_is_known_and_the_same(googlenet, tmp_path):
    """All of GoogLeNet, bit for bit, heads and the rows behind their maps too, in any order of layers."""
    path, keras = googlenet
    assert str(inspect_file(path)) == (
        f"{path}: caffemodel, googlenet; layout th (format), kernels tf (format); "
        "128 arrays, 13,378,280 parameters"
    )
    new = convert_file(path, tmp_path / "new.h5", to="keras1", to_layout="th", to_kernels="th").target
    assert_equal_files(new, keras, lacking={})
    found = compare_files(path, keras, from_layout=(None, "th"), from_kernels=(None, "th"))
    assert (found.equal, {layer.status for layer in found.layers}) == (True, {"permuted"})


def assert_equal_files(new, keras, lacking):
    """Raise unless two files of Keras 1 hold the same arrays but for those that Caffe lacks."""
    with h5py.File(new) as made_file, h5py.File(keras) as practice:
        layers = [name for name in practice.attrs["layer_names"] if len(practice[name].attrs["weight_names"])]
        assert [name for name in made_file.attrs["layer_names"]] == layers
        for layer in layers:
            for name in practice[layer].attrs["weight_names"]:
                values, expected = made_file[layer][name][()], practice[layer][name][()]
                if (made_value := lacking.get((layer.decode(), name.decode()))) is not None:
                    expected = np.full(expected.shape, made_value, expected.dtype)
                assert values.tobytes() == expected.tobytes(), name


def lacking_in(name):
    """Return the arrays of a file of Keras 1 that Caffe's has not, by layer and array, and their values."""
    structure = caffe_files.load_structure(name)
    endings = {"gamma": "_gamma", "beta": "_beta", "bias": "_b"}
    found = {}
    for layer in structure.weighted:
        norm = layer.kind == "BatchNormalization" and structure.scales
        roles = ("gamma", "beta") if norm else ("bias",) if layer.name.startswith("res") else ()
        for role in set(roles) & set(layer.arrays):
            found[layer.name, f"{layer.name}{endings[role]}"] = LACKING[role]
    return found


@pytest.mark.parametrize("name", long_but(["densenet121"], [name for name in ORIGINS if name != "googlenet"]))
def test_a_published_network_becomes_keras_file_of_it(name, tmp_path, practice_file):
    """Normalisations with factors, slopes and offsets apart or not, a dense layer that is a convolution."""
    called = caffe_files.load_structure(name).known_as.get("caffe")
    path = caffe_files.write(tmp_path / f"{name}.caffemodel", published(name, called))
    assert inspect_file(path).structure == name
    new = convert_file(path, tmp_path / "new.h5", to="keras1", to_layout="th", to_kernels="th").target
    path.unlink()
    assert_equal_files(new, practice_file(name), lacking_in(name))


def test_a_network_of_other_names_is_known_when_it_is_said(googlenet, made):
    """By order, kinds and shapes: --arch; a layer too many is named."""
    layers = [Layer(f"l{at}", one.type, one.blobs) for at, one in enumerate(published("googlenet"))]
    path = made(layers)
    assert inspect_file(path).structure is None
    plan = plan_file(path, arch="googlenet", to="keras3")
    assert plan.structure == "googlenet"
    assert {name: found.text for name, found in plan.flatten.items() if found.rows} == {
        "loss1/fc": "128x4x4",
        "loss2/fc": "128x4x4",
    }
    path = made([*layers, Layer("more", "InnerProduct", DENSE)])
    with pytest.raises(StructureMismatchError, match=re.escape("layer 'conv1/7x7_s2' is missing")):
        plan_file(path, arch="googlenet", to="keras3")
