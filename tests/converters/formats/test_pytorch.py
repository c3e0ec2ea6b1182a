"""PyTorch's files: three forms, all types and strides, what layers they tell, and what they may not ask."""

from __future__ import annotations

import json
import math
import os
import re
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from converters import convert_file, inspect_file, plan_file
from converters.arrays.form import Form
from converters.boundary import BROKEN
from converters.compare import compare_files
from converters.errors import (
    ArgumentError,
    ConversionError,
    ConversionWarning,
    FileFormatError,
    StructureMismatchError,
    UnknownFlattenError,
    ZooError,
)
from converters.formats.dialects import describe
from converters.formats.opening import open_untrusted
from converters.hdf5.metadata import datasets_of
from converters.planning.making import make_plan
from converters.planning.published import has_layers_of
from converters.planning.structures import load_structure, match
from converters.writing.execute import arrays as planned_arrays
from converters.writing.execute import reader
from tests.support import foreign_mutants, pytorch_files
from tests.support.hostile_pytorch import TECHNIQUES
from tests.support.pytorch_files import (
    ORDERED,
    REBUILD,
    Storage,
    Tensor,
    call,
    dict_of,
    number,
    persistent,
    tensor,
    text,
    tuple_of,
    zip_bytes,
)

COUNT = int(os.environ.get("ZOO_MUTATIONS", "100"))
FIRST = int(os.environ.get("ZOO_MUTATION", "0"))
FORMS = ("zip", "legacy", "tar")


def drawn(*shape, dtype="f4"):
    """Return values of which no two are equal."""
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


@pytest.fixture
def made(tmp_path):
    """Return a function that writes tensors, or bytes, to a file."""

    def write(content, form="zip", name="net.pth", **how):
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
            return path
        return pytorch_files.write(path, content, form, **how)

    return write


def values_of(path):
    """Return all arrays that a file holds as they are read, by their paths."""
    with open_untrusted(path) as source:
        found = datasets_of(source.tree)
        read = {name: np.array(source.read(dataset)) for name, dataset in found.items()}
        for name, dataset in found.items():
            mapped = source.mapped(dataset)
            assert (mapped.dtype, mapped.shape) == (read[name].dtype, read[name].shape)
            assert mapped.tobytes() == read[name].tobytes()
            blocks = [np.array(block) for _, block in source.blocks(dataset, 16)]
            joined = np.concatenate(blocks) if dataset.shape and blocks else np.array(blocks)
            assert joined.tobytes() == read[name].tobytes()
    return read


def layers_of(path, **said):
    """Return kind and roles of every layer."""
    return {
        layer.name: (layer.kind, [str(array.role) for array in layer.arrays])
        for layer in describe(path, **said).layers
    }


SHARED = Storage(drawn(40))
STRIDED = {
    "a turned matrix": Tensor(SHARED, (4, 3), (1, 4), 2),
    "every other value": Tensor(SHARED, (5,), (2,), 1),
    "one value for all": Tensor(SHARED, (3, 2), (0, 0), 7),
    "a part of a map": Tensor(SHARED, (2, 2, 3), (20, 5, 1), 3),
    "nothing": Tensor(SHARED, (3, 0, 2), (0, 2, 1), 40),
    "one value": Tensor(SHARED, (), (), 39),
}


@pytest.mark.parametrize("form", FORMS)
def test_all_types_are_read_in_every_form(form, made):
    """Value for value; halves of Google's become floats that are the same numbers."""
    sources = {
        f"x.{code[1:]}": drawn(7, dtype="f4").astype(code) if code[1] == "f" else np.arange(7).astype(code)
        for code in pytorch_files.TYPES
        if code not in ("bfloat16", "|b1")
    }
    half = np.array([0x3F80, 0xC000, 0x7F80, 0x0001, 0xFF80], "u2")
    tensors = {name: tensor(array) for name, array in sources.items()}
    tensors |= {"x.wide": tensor(half, "bfloat16"), "x.truth": tensor(np.array([True, False]))}
    found = values_of(made(tensors, form))
    assert {name: found[name].tobytes() for name in sources} == {
        name: array.tobytes() for name, array in sources.items()
    }
    assert {name: found[name].dtype.str for name in sources} == {
        name: array.dtype.str for name, array in sources.items()
    }
    assert found["x.wide"].tolist() == [1.0, -2.0, math.inf, 2.0**-133, -math.inf]
    assert found["x.truth"].tolist() == [1, 0]


@pytest.mark.parametrize("form", FORMS)
def test_strides_and_shared_storages_are_views_of_the_file(form, made):
    """Whatever a tensor is a view of, its values are those, and none is copied before it is wanted."""
    found = values_of(made({f"x.{name}": one for name, one in STRIDED.items()}, form))
    for name, one in STRIDED.items():
        expected = [
            SHARED.values[one.offset + sum(at * step for at, step in zip(place, one.strides, strict=True))]
            for place in np.ndindex(one.sizes)
        ]
        assert found[f"x.{name}"].shape == one.sizes
        assert found[f"x.{name}"].reshape(-1).tolist() == [float(value) for value in expected]


NETWORK = {
    "conv1.weight": tensor(drawn(8, 3, 3, 3)),
    "bn1.weight": tensor(drawn(8)),
    "bn1.bias": tensor(drawn(8)),
    "bn1.running_mean": tensor(drawn(8)),
    "bn1.running_var": tensor(drawn(8) ** 2),
    "bn1.num_batches_tracked": tensor(np.array(7)),
    "up.weight": tensor(drawn(8, 6, 2, 2)),
    "up.bias": tensor(drawn(6)),
    "norm.weight": tensor(drawn(6)),
    "norm.bias": tensor(drawn(6)),
    "fc.weight": Tensor(Storage(drawn(4 * 24)), (4, 24), (1, 4)),
    "fc.bias": tensor(drawn(4)),
}


def test_layers_are_told_by_the_names_and_shapes_of_their_arrays(made):
    """Whatever has no rules is carried by name, and counts of batches stay behind."""
    path = made(NETWORK)
    assert layers_of(path) == {
        "conv1": ("Conv2D", ["kernel"]),
        "bn1": ("BatchNormalization", ["gamma", "beta", "moving_mean", "moving_variance"]),
        "up": ("Conv2DTranspose", ["kernel", "bias"]),
        "norm": ("Other", ["weight", "bias"]),
        "fc": ("Dense", ["kernel", "bias"]),
    }
    assert describe(path).notes == ("1 num_batches_tracked stay behind: no layer of Keras counts batches",)
    assert layers_of(path, layers={"norm": "LayerNormalization", "fc": "Other"})["norm"] == (
        "LayerNormalization",
        ["gamma", "beta"],
    )
    assert str(inspect_file(path)).startswith(
        f"{path}: pytorch, no known network; layout th (format), kernels tf (format); 11 arrays, "
    )


@pytest.mark.parametrize("form", FORMS)
def test_conversion_moves_axes_and_rows(form, made, tmp_path):
    """Kernels (H,W,I,O), matrices (I,O) and their rows behind a map (H,W,C), whatever strides they have."""
    path = made(NETWORK, form)
    with pytest.raises(UnknownFlattenError, match="--flatten fc=6x2x2 or --flatten fc=none"):
        plan_file(path, to="npz", layers={"norm": "LayerNormalization"})
    said = {"layers": {"norm": "LayerNormalization"}, "flatten": {"fc": (6, 2, 2)}}
    with pytest.warns(ConversionWarning, match="1 layer \\('conv1' first\\) is taken for Conv2D"):
        new = convert_file(path, tmp_path / "new.npz", **said).target
    matrix = NETWORK["fc.weight"].storage.values.reshape(24, 4)
    with np.load(new) as found:
        kernel = NETWORK["conv1.weight"].storage.values.reshape(8, 3, 3, 3)
        assert found["conv1/kernel"].tobytes() == kernel.transpose(2, 3, 1, 0).tobytes()
        assert found["up/kernel"].shape == (2, 2, 6, 8)
        rows = matrix.reshape(6, 2, 2, 4).transpose(1, 2, 0, 3)
        assert found["fc/kernel"].tobytes() == rows.tobytes()
        assert found["bn1/moving_variance"].tobytes() == (drawn(8) ** 2).tobytes()
    with pytest.warns(ConversionWarning):
        assert compare_files(path, new, **said).equal


@pytest.mark.parametrize(
    ("name", "whose"),
    [
        ("vgg16", "torchvision"),
        ("vgg16", "timm"),
        ("vgg19", "torchvision"),
        ("vgg19", "timm"),
        ("resnet50", "torchvision and timm"),
        ("resnet101", "torchvision and timm"),
        ("resnet152", "torchvision and timm"),
        ("densenet121", "torchvision"),
        ("densenet121", "torchvision, as published"),
        ("densenet161", "torchvision"),
        ("densenet169", "torchvision, as published"),
    ],
)
def test_a_known_network_is_told_by_its_names(name, whose, made, monkeypatch):
    """Whatever their order is; a storage gives no more than so many times what it holds."""
    one = Storage(np.zeros(1, "f4"))
    arrays = reversed(list(called_by_torch(name, whose)))
    path = made({key: Tensor(one, shape, (0,) * len(shape)) for key, shape in arrays})
    with pytest.raises(FileFormatError, match=r"takes \d+ bytes; more than 4128 are not read"):
        inspect_file(path)
    monkeypatch.setenv("ZOO_LIMITS", "ratio=1000000000")
    assert inspect_file(path).structure == name
    plan = plan_file(path, to="keras3")
    maps = {"vgg16": {"dense_1": "512x7x7"}, "vgg19": {"dense_1": "512x7x7"}}
    found = {layer: rows.text for layer, rows in plan.flatten.items() if rows.rows}
    assert found == maps.get(name, {})
    assert plan.notes == ()


def called_by_torch(name, whose):
    """Yield the names and shapes of the arrays of a network of torchvision's."""
    roles = {"kernel": "weight", "gamma": "weight", "beta": "bias"}
    roles |= {"moving_mean": "running_mean", "moving_variance": "running_var"}
    structure = load_structure(name).folded()
    norms = any(layer.kind == "BatchNormalization" for layer in structure.weighted)
    for layer in structure.weighted:
        called = structure.known_as[whose][layer.name]
        for role, shape in layer.arrays.items():
            if norms and layer.kind == "Conv2D" and role == "bias":
                continue
            first = (shape[-1], shape[-2], *shape[:-2]) if len(shape) > 1 else shape
            if called.startswith("pre_logits.") and len(shape) == 2:
                first = (shape[-1], *(layer.flatten or (shape[0], 1, 1)))
            yield f"{called}.{roles.get(role, role)}", first


SMALL = {
    "name": "small",
    "parameters": 0,
    "known_as": {"theirs": ["features.0", "pre_logits.fc", "head"]},
    "layers": [
        {"name": "conv", "kind": "Conv2D", "arrays": {"kernel": [1, 1, 3, 2], "bias": [2]}},
        {"name": "fc", "kind": "Dense", "arrays": {"kernel": [12, 5], "bias": [5]}, "flatten": [2, 3, 2]},
        {"name": "top", "kind": "Dense", "arrays": {"kernel": [5, 4], "bias": [4]}},
    ],
}


@pytest.mark.parametrize("layout", ["tf", "th"])
def test_a_convolution_that_sees_its_map_becomes_the_matrix_of_a_graph(layout, made, tmp_path):
    """Its rows lie as the new layout flattens the map; one that does not see all of it is none."""
    (tmp_path / "small.json").write_text(json.dumps(SMALL))
    structure = load_structure(tmp_path / "small.json")
    shapes = {"head": (4, 5), "pre_logits.fc": (5, 2, 3, 2), "features.0": (2, 3, 1, 1)}
    arrays = {f"{name}.weight": drawn(*shape) for name, shape in shapes.items()}
    arrays |= {f"{name}.bias": drawn(shape[0]) for name, shape in shapes.items()}
    path = made({name: tensor(array) for name, array in arrays.items()})
    description = describe(path)
    plan = make_plan(
        description,
        target=Form(layout=layout, kernels="tf"),
        match=match(description, structure),
        to="keras1",
    )
    with reader(plan) as read:
        found = {(one.structure_layer, one.role): np.array(read(one)) for one in plan.arrays}
    kernel = arrays["pre_logits.fc.weight"].transpose((2, 3, 1, 0) if layout == "tf" else (1, 2, 3, 0))
    assert found["fc", "kernel"].tobytes() == np.ascontiguousarray(kernel.reshape(12, 5)).tobytes()
    assert found["top", "kernel"].tobytes() == np.ascontiguousarray(arrays["head.weight"].T).tobytes()
    arrays["pre_logits.fc.weight"] = drawn(5, 2, 3, 1)
    other = describe(made({name: tensor(array) for name, array in arrays.items()}))
    with pytest.raises(StructureMismatchError, match="layer 'fc' is missing"):
        match(other, structure)


def safetensors(path, arrays, **metadata):
    """Write a safetensors file as others do: no description of layers, names in the order of the alphabet."""
    entries, at = {"__metadata__": metadata} if metadata else {}, 0
    kinds = {"f4": "F32", "f2": "F16", "i8": "I64"}
    for name in sorted(arrays):
        array = arrays[name]
        entries[name] = {
            "dtype": kinds[array.dtype.str[1:]],
            "shape": list(array.shape),
            "data_offsets": [at, at + array.nbytes],
        }
        at += array.nbytes
    header = json.dumps(entries).encode()
    data = b"".join(arrays[name].tobytes() for name in sorted(arrays))
    path.write_bytes(len(header).to_bytes(8, "little") + header + data)
    return path


@pytest.mark.parametrize("metadata", [{"format": "pt"}, {}], ids=["told", "untold"])
def test_a_state_dict_in_a_safetensors_file_is_one(metadata, made, tmp_path):
    """The same layers, values and rules as in PyTorch's own containers."""
    arrays = {
        "module.layer1.0.conv1.weight": drawn(4, 3, 1, 1),
        "module.layer1.0.bn1.weight": drawn(4),
        "module.layer1.0.bn1.bias": drawn(4),
        "module.layer1.0.bn1.running_mean": drawn(4),
        "module.layer1.0.bn1.running_var": drawn(4) ** 2,
        "module.layer1.0.bn1.num_batches_tracked": np.array(3, "i8"),
        "module.fc.weight": drawn(2, 4, dtype="f2"),
        "module.fc.bias": drawn(2, dtype="f2"),
    }
    path = safetensors(tmp_path / "model.safetensors", arrays, **metadata)
    other = made({name: tensor(array) for name, array in arrays.items()})
    assert layers_of(path) == layers_of(other)
    assert (describe(path).format, describe(path).notes) == ("pytorch", describe(other).notes)
    mine, theirs = values_of(path), values_of(other)
    assert mine.keys() == theirs.keys()
    assert all(mine[name].tobytes() == theirs[name].tobytes() for name in mine)
    new = convert_file(path, tmp_path / "new.npz", flatten={"fc": None}).target
    with np.load(new) as found:
        assert found["fc/kernel"].tobytes() == np.ascontiguousarray(drawn(2, 4, dtype="f2").T).tobytes()


def test_a_safetensors_file_does_not_tell_the_order_of_its_layers(made, tmp_path):
    """A classifier comes before its features there: it is asked what is in front of it, and for the order."""
    arrays = {
        "features.0.weight": drawn(8, 3, 3, 3),
        "features.0.bias": drawn(8),
        "classifier.1.weight": drawn(4, 32),
        "classifier.1.bias": drawn(4),
    }
    path = safetensors(tmp_path / "model.safetensors", arrays)
    other = made({name: tensor(array) for name, array in arrays.items()})
    with pytest.raises(UnknownFlattenError, match=r"classifier\.1 \(32 rows\)"):
        plan_file(path, to="npz")
    flatten, order = {"classifier.1": (8, 2, 2)}, ["features.0", "classifier.1"]
    with pytest.raises(ConversionError, match="does not tell the order of its layers"):
        plan_file(path, to="keras2", flatten=flatten)
    with pytest.raises(ArgumentError, match="tells the order of its layers itself"):
        plan_file(other, to="keras2", flatten=flatten, order=order)
    one = convert_file(path, tmp_path / "one.h5", to="keras2", flatten=flatten, order=order).target
    two = convert_file(other, tmp_path / "two.h5", to="keras2", flatten=flatten).target
    assert [layer.name for layer in describe(one).layers] == [layer.name for layer in describe(two).layers]
    mine, theirs = values_of(one), values_of(two)
    assert mine.keys() == theirs.keys()
    assert all(mine[name].tobytes() == theirs[name].tobytes() for name in mine)


def test_layers_in_no_order_are_not_paired_with_those_of_a_network(made):
    """Where a user says the network, order tells which layer is which: only where the file has one."""
    structure = load_structure("vgg16")
    names = [f"l{index}.weight" for index, _ in enumerate(structure.weighted)]
    description = describe(made({name: tensor(drawn(2, 3)) for name in names}))
    assert has_layers_of(description, structure, named=False)
    assert not has_layers_of(replace(description, ordered=False), structure, named=False)


SLOPE_AND_OFFSET = {"gamma": ("weight", drawn(5)), "beta": ("bias", drawn(5) + 1)}
STATISTICS = {
    "moving_mean": ("running_mean", drawn(5)),
    "moving_variance": ("running_var", drawn(5) ** 2),
}
SAID = [
    ("LayerNormalization", SLOPE_AND_OFFSET),
    ("Scale", SLOPE_AND_OFFSET),
    ("BatchNormalization", STATISTICS),
]


@pytest.mark.parametrize(("kind", "held"), SAID)
@pytest.mark.parametrize("container", ["pth", "safetensors"])
def test_what_is_said_of_a_layer_does_not_change_which_array_is_which(container, kind, held, made, tmp_path):
    """Neither the order of a container nor what a layer lacks does."""
    arrays = {f"norm.{name}": array for name, array in held.values()} | {"fc.weight": drawn(2, 3)}
    if container == "pth":
        path = made({name: tensor(array) for name, array in arrays.items()})
    else:
        path = safetensors(tmp_path / "model.safetensors", arrays)
    new = convert_file(path, tmp_path / "new.npz", layers={"norm": kind, "fc": "Dense"}).target
    with np.load(new) as found:
        assert {f"norm/{role}" for role in held} == {name for name in found.files if name.startswith("norm/")}
        assert all(found[f"norm/{role}"].tobytes() == array.tobytes() for role, (_, array) in held.items())


@pytest.mark.parametrize(
    "kind", ["SimpleRNN", "LSTM", "GRU", "Highway", "TimeDistributedDense", "MaxoutDense"]
)
def test_a_kind_that_no_rule_brings_over_cannot_be_said(kind, made):
    """Their arrays would be carried as they lie, which is another order than Keras'."""
    path = made({"rnn.weight_ih_l0": tensor(drawn(4, 4)), "rnn.weight_hh_l0": tensor(drawn(4, 4) + 1)})
    text = f"layer 'rnn' cannot be of kind {kind}: no rule says how Caffe or PyTorch keeps one; "
    with pytest.raises(ArgumentError) as raised:
        plan_file(path, to="npz", layers={"rnn": kind})
    assert str(raised.value) == f"{path}: {text}say --layer rnn=Other to carry its arrays as they are"


def test_our_own_safetensors_files_are_no_state_dicts(tmp_path, made):
    """A description of layers counts, whatever their names are; so do names with a slash."""
    path = made({"a.weight": tensor(drawn(2, 3)), "a.bias": tensor(drawn(2))})
    ours = convert_file(path, tmp_path / "ours.safetensors").target
    assert describe(ours).format == "safetensors"
    assert (
        describe(safetensors(tmp_path / "keras.safetensors", {"a/kernel": drawn(2, 3)})).format
        == "safetensors"
    )


def test_a_checkpoint_and_names_of_parallel_modules(made):
    """What is around a state dict stays behind, and so does what DataParallel puts before names."""
    tensors = {"module.a.weight": tensor(drawn(2, 3)), "module.a.bias": tensor(drawn(2))}
    path = made(
        tensors,
        wrap=lambda body: dict_of(
            [("epoch", number(3)), ("state_dict", body), ("arch", text("vgg16")), ("lr", b"G" + bytes(8))],
            start=b"}",
        ),
    )
    assert layers_of(path) == {"a": ("Dense", ["kernel", "bias"])}
    assert describe(path).notes == (
        "a checkpoint, of which 'state_dict' is read: 'epoch', 'arch', 'lr' stay behind",
    )
    path = made(tensors | {"other.weight": tensor(drawn(2, 2)), "other.version": b"N"})
    assert list(layers_of(path)) == ["module.a", "other"]
    assert describe(path).notes == ("1 entry is no tensor ('other.version' first) and stays behind",)


def test_a_module_without_layers_and_arrays_of_no_layer(made):
    """The state dict of one Linear, and parameters of a module's own."""
    path = made(
        {"weight": tensor(drawn(2, 3)), "bias": tensor(drawn(2)), "cls_token": tensor(drawn(1, 1, 2))}
    )
    assert layers_of(path) == {"module": ("Dense", ["kernel", "bias"]), "cls_token": ("Other", ["cls_token"])}
    path = made({"weight": tensor(drawn(2)), "module.weight": tensor(drawn(2, 3))})
    assert layers_of(path) == {"weight": ("Other", ["weight"]), "module": ("Dense", ["kernel"])}


def test_names_that_cannot_be_read_again_are_refused(made, tmp_path):
    """Neither a layer that another one hides nor an archive that is not opened is written."""
    path = made({f"{name}.weight": tensor(drawn(2, 3)) for name in ("a/b", "a__b")})
    with pytest.raises(ConversionError, match="layers 'a/b' and 'a__b' have one name where __ stands for /"):
        plan_file(path, to="safetensors")
    path = made({"c:0.weight": tensor(drawn(2, 3))}, name="other.pth")
    with pytest.raises(
        ConversionError, match="array 'c:0/kernel' has a name that leads elsewhere on some sys"
    ):
        convert_file(path, tmp_path / "new.npz")
    assert not (tmp_path / "new.npz").exists()
    new = convert_file(path, tmp_path / "new.safetensors").target
    assert values_of(new)["c:0/kernel"].tobytes() == np.ascontiguousarray(drawn(2, 3).T).tobytes()


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (b"N", None),
        (b"}", None),
        (b"}" + text("neg") + b"\x89s", None),
        (b"}" + text("neg") + b"\x88s", "'neg'"),
    ],
    ids=["nothing", "no word", "not negated", "negated"],
)
def test_a_view_that_negates_its_values_is_refused(told, said, tmp_path):
    """What a storage holds is not what torch.load gives of it."""
    held = persistent("Float", "0", 2)
    shape, steps = tuple_of(number(2)), tuple_of(number(1))
    body = dict_of([("x.weight", call(REBUILD, held, number(0), shape, steps, b"\x89", ORDERED, told))])
    path = tmp_path / "net.pth"
    path.write_bytes(zip_bytes(body, {"0": Storage(drawn(2))}))
    if said is None:
        assert values_of(path)["x.weight"].tobytes() == drawn(2).tobytes()
        return
    with pytest.raises(FileFormatError, match=f"a tensor that is a view with {said} set: its values are not"):
        describe(path)


def test_what_python_2_wrote_is_read(made):
    """Short texts, an OrderedDict of pairs, parameters, the first function, values that are kept."""
    held = pytorch_files.persistent("Float", "0", 6)
    array = pytorch_files.rebuilt(
        held, 0, (2, 3), (3, 1), pytorch_files.name("torch._utils", "_rebuild_tensor")
    )
    parameter = pytorch_files.call(
        pytorch_files.name("torch._utils", "_rebuild_parameter"), array, b"\x88", pytorch_files.ORDERED
    )
    pairs = b"](](U\x08a.weightq\x05" + parameter + b"q\x06ee"
    ordered = pytorch_files.name("collections", "OrderedDict") + pairs + b"\x85R}U\x09_metadata}sb"
    path = made(pytorch_files.zip_bytes(ordered, {"0": drawn(6).tobytes()}, order=None))
    assert values_of(path)["a.weight"].tobytes() == drawn(6).tobytes()


def test_a_stretch_of_a_storage_is_a_storage(made):
    """As old versions told of parameters that lie in one storage."""
    view = pytorch_files.tuple_of(text("1"), number(2), number(3))
    storage = pytorch_files.persistent("Float", "0", 6, view)
    body = dict_of([("a.bias", pytorch_files.rebuilt(storage, 1, (2,), (1,)))])
    path = made(pytorch_files.legacy_bytes(body, {"0": Storage(drawn(6))}))
    assert values_of(path)["a.bias"].tobytes() == drawn(6)[3:5].tobytes()


@pytest.mark.parametrize("first", ["data/0", "code/__torch__.py", "constants.pkl", "data.pkl"])
def test_torchscript_is_told_whatever_it_begins_with(first, tmp_path):
    """Archives of torch.jit.save begin with values or with code."""
    path = tmp_path / "net.pth"
    rest = {"data/0", "code/__torch__.py", "constants.pkl", "data.pkl", "version"} - {first}
    with zipfile.ZipFile(path, "w") as archive:
        for name in (first, *sorted(rest)):
            archive.writestr(f"PNet/{name}", b"3")
    message = f"{path}: a TorchScript archive: it holds code; save what state_dict() gives instead"
    with pytest.raises(FileFormatError, match=f"^{re.escape(message)}$"):
        inspect_file(path)


def test_other_archives_are_what_they_were(made):
    """A zip archive of NumPy's or Keras' is none of PyTorch's."""
    with pytest.raises(
        FileFormatError, match=r"a zip archive without 'model.weights.h5', so not a .keras file"
    ):
        inspect_file(made(pytorch_files.zip_bytes(b"N", {}).replace(b"archive/", b"archive_")))


@pytest.mark.parametrize("technique", TECHNIQUES, ids=lambda technique: technique.name)
def test_each_technique_is_refused_by_name(technique, tmp_path, monkeypatch):
    """The message names what it is and where; the command was not run."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "weights.pth"
    path.write_bytes(technique.build("CANARY"))
    with pytest.raises(ZooError) as refused:
        open_untrusted(path, limits=technique.limits)
    assert str(refused.value) == f"{path}: {technique.message}"
    assert str(refused.value).isprintable()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.filterwarnings("ignore")
def test_mutated_files_are_converted_right_or_refused(tmp_path):
    """What is taken is what Python's own machine, with our names, reads from it; all else a rule refuses."""
    path, new = tmp_path / "case.pth", tmp_path / "case.npz"
    taken, broken = 0, []
    for case in range(FIRST, FIRST + COUNT):
        content = foreign_mutants.mutated(case, foreign_mutants.torch_original)
        path.write_bytes(content)
        try:
            convert_file(path, new, to="npz", to_layout="th", flatten={"fc": None}, force=True)
        except ZooError as error:
            broken += [(case, str(error))] * (BROKEN in str(error))
            continue
        taken += 1
        trusted = foreign_mutants.torch_arrays(content)
        for array, values in planned_arrays(plan_file(path, to="npz", to_layout="th", flatten={"fc": None})):
            expected = trusted[array.path]
            expected = expected.transpose(array.order) if array.order else expected
            assert values.tobytes() == expected.reshape(values.shape).tobytes(), (case, array.path)
    assert not broken
    assert taken > COUNT // 50
    assert sorted(tmp_path.iterdir()) == sorted({path, *([new] if taken else [])})
