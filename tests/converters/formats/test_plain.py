"""Containers of plain arrays as sources: what is written into them comes out again, whatever it becomes."""

from __future__ import annotations

import json
import os
import struct
import zlib

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings, strategies
from hypothesis.extra import numpy as hypothesis_numpy
from safetensors.numpy import save_file

from converters import convert_file, inspect_file, plan_file
from converters.compare import compare_files
from converters.errors import ConversionError, FileFormatError, ZooError
from converters.formats.opening import open_untrusted
from converters.formats.table import FORMATS, targets
from converters.hdf5.metadata import datasets_of
from converters.limits import Limits
from converters.trees import convert_tree
from converters.writing import execute
from tests.support.dialect_samples import DATA, SAMPLES, in_each_run, is_last, told
from tests.support.untrusted_files import TECHNIQUES
from tests.support.weight_files import arrays, counted, write_named

CONTAINERS = ("safetensors", "npz")
FORM = {"to_layout": "tf", "to_kernels": "tf"}


def becomes(source, target, to, facts):
    """Return the arrays that a file becomes, or the words of the refusal without the file's name."""
    try:
        done = convert_file(source, target, to=to, verify=False, force=True, **facts)
    except ZooError as error:
        return str(error).replace(str(source), "FILE")
    return {name: values.tobytes() for name, values in arrays(done.target).items()}


def ways(sample):
    """Return containers, and what comes behind each with its form: the sample's own dialect, or another one.

    One of them, drawn by the sample's name; all with ``make test-chains``.
    """
    own, form = ("keras2", "tf") if "keras2" in sample else ("keras1", "th")
    drawn = zlib.crc32(sample.encode())
    other = [to for to in ("keras1", "keras2", "keras3") if to != own][drawn % 2]
    ends = [(own, "tf" if is_last(sample) else form), (other, "tf")]
    found = [(container, *end) for container in CONTAINERS for end in ends]
    return found if os.environ.get("ZOO_CHAINS") == "all" else [found[drawn // 2 % len(found)]]


@pytest.mark.parametrize("sample", in_each_run(SAMPLES))
def test_a_way_through_a_container_gives_the_same_arrays(sample, tmp_path):
    """Or is refused where the direct way is."""
    source = DATA / f"{sample}.weights.h5"
    facts = {key: value for key, value in told(sample).items() if key != "direction"}
    if not is_last(sample):
        facts |= {"from_layout": "th", "from_kernels": "th"}
    for container, to, axes in ways(sample):
        asked = {"to_layout": axes, "to_kernels": axes}
        middle = tmp_path / f"new.{container}"
        convert_file(source, middle, to=container, verify=False, force=True, **{**facts, **FORM})
        direct = becomes(source, tmp_path / "direct.h5", to, facts | asked)
        assert becomes(middle, tmp_path / "after.h5", to, asked) == direct, (container, to)


@pytest.mark.parametrize("to", CONTAINERS)
def test_a_container_is_a_file_like_any_other(to, tmp_path):
    """It is inspected, compared, planned for in memory, and found again when it is there already."""
    sample = "keras122_theano_th/nested_sequential"
    source = DATA / f"{sample}.weights.h5"
    new = convert_file(source, tmp_path / f"new.{to}", to=to, **told(sample)).target
    found = inspect_file(new).as_dict()
    assert (found["dialect"], found["layout"], found["layout_from"]) == (to, "tf", "record")
    assert found["parameters"] == inspect_file(source).as_dict()["parameters"]
    assert compare_files(source, new, **{"layers": told(sample)["layers"], "from_layout": ("th", None)}).equal
    plan = plan_file(new, to=to)
    read = {array.path: values for array, values in execute.arrays(plan)}
    with open_untrusted(new) as file:
        assert {name: values.tolist() for name, values in read.items()} == {
            name: file.mapped(array).tolist() for name, array in file.tree.children.items()
        }
    assert execute.is_done(plan_file(source, to=to, **told(sample)), new)


@pytest.mark.parametrize("to", CONTAINERS)
def test_a_container_has_no_dialect_to_stay_in(to, tmp_path):
    """Whoever wants another layout says the format too; then there is one."""
    source = write_named(tmp_path / "old.h5", {"d": {"d_W": counted(4, 2), "d_b": counted(2)}})
    new = convert_file(source, to=to, from_layout="th").target
    with pytest.raises(ConversionError) as refused:
        plan_file(new, direction="tf-to-th")
    assert str(refused.value) == (
        f"{new}: files of the format {to} have no dialect to stay in;"
        f" say what it is to become: --to {to} or another (to=)"
    )
    other = convert_file(new, tmp_path / f"th.{to}", to=to, to_layout="th", to_kernels="th").target
    assert str(inspect_file(other).description.record.form) == "layout th, kernels th"


def test_many_layers_leave_room_for_their_record(tmp_path):
    """The header of a safetensors file holds what is known of each of them."""
    layers = {
        f"a_layer_with_a_long_name_{n}": {f"a_layer_with_a_long_name_{n}_b": counted(1)} for n in range(600)
    }
    source = write_named(tmp_path / "old.h5", layers)
    new = convert_file(source, to="safetensors", from_layout="tf", from_kernels="tf").target
    assert len(inspect_file(new).description.record.network.layers) == 600


def plain_file(path, values, description=None):
    """Write a container as its own package does, with nothing but a description at most."""
    if path.suffix == ".safetensors":
        save_file(values, path, None if description is None else {"description": json.dumps(description)})
    else:
        text = {} if description is None else {"zoo": np.array(json.dumps({"description": description}))}
        np.savez(path, **values, **text)
    return path


CONV = {
    "b/kernel": counted(3, 3, 2, 4),
    "b/bias": counted(4),
    "a/kernel": counted(4, 2),
    "a/bias": counted(2),
}


@pytest.mark.parametrize("to", CONTAINERS)
def test_names_alone_tell_layers(to, tmp_path):
    """Kinds by shapes; the order of layers is asked for where it counts."""
    path = plain_file(tmp_path / f"plain.{to}", CONV)
    known = {"from_layout": "tf", "flatten": {"a": None}}
    found = arrays(convert_file(path, tmp_path / "new.weights.h5", to="keras3", **known).target)
    np.testing.assert_array_equal(found["layers/conv2d/vars/0"], CONV["b/kernel"])
    np.testing.assert_array_equal(found["layers/dense/vars/1"], CONV["a/bias"])
    with pytest.raises(ConversionError) as refused:
        plan_file(path, to="keras2", **known)
    assert str(refused.value) == (
        f"{path}: this {to} file does not tell the order of its layers, and Keras 1 and 2 load weights in"
        " that order; say --order LAYER,LAYER,... (order=)"
    )
    new = convert_file(path, tmp_path / "new.h5", to="keras2", order=["b", "a"], **known).target
    assert [layer.name for layer in inspect_file(new).description.layers] == ["b", "a"]


@pytest.mark.parametrize("to", CONTAINERS)
def test_names_that_tell_no_layer_are_refused(to, tmp_path):
    """With what they should be called."""
    path = plain_file(tmp_path / f"plain.{to}", {"conv1.values": counted(2)})
    with pytest.raises(FileFormatError) as refused:
        inspect_file(path)
    assert str(refused.value) == (
        f"{path}: array 'conv1.values': the file has no description of its layers, and the name does not tell"
        " one; call its arrays LAYER/ROLE, such as conv1/kernel and conv1/bias, in Keras' layout"
    )


def described(**changes):
    """Return a description of a layer ``d`` with a kernel, changed."""
    layer = {
        "name": "d",
        "kind": "Dense",
        "arrays": [{"name": "d/kernel", "kind": "Dense", "role": "kernel"}],
    }
    return {"layout": "th", "kernels": "th", "layers": [layer], **changes}


@pytest.mark.parametrize("to", CONTAINERS)
def test_a_description_alone_tells_the_form(to, tmp_path):
    """Without the record of a conversion."""
    path = plain_file(tmp_path / f"plain.{to}", {"d/kernel": counted(2, 3)}, described())
    found = inspect_file(path)
    assert (str(found.layout), str(found.kernels)) == ("th (description)", "th (description)")
    assert [(layer.name, layer.kind) for layer in found.description.layers] == [("d", "Dense")]


ARRAY = {"name": "d/kernel", "role": "kernel"}
LIES = {
    "does not list layers": described(layers=5),
    "has a layer that is none": described(layers=[5]),
    "has an array that is none": described(layers=[{"name": "d", "arrays": [5]}]),
    "says layout 'up' and kernels 'th', not th or tf": described(layout="up"),
    "lists 'd/kernel' twice": described(layers=[{"name": "d", "arrays": [ARRAY, ARRAY]}]),
    "lists 'd' twice": described(layers=[{"name": "d", "arrays": []}] * 2),
    "lists 'x', which the file lacks": described(layers=[{"name": "d", "arrays": [ARRAY | {"name": "x"}]}]),
    "does not list 'd/kernel', which the file holds": described(layers=[]),
    ": 'name' is '5', not text": described(layers=[{"name": 5, "arrays": []}]),
    ": the name '..' is a step to another folder, not a name": described(
        layers=[{"name": "..", "arrays": []}]
    ),
}


@pytest.mark.parametrize("to", CONTAINERS)
@pytest.mark.parametrize("lie", LIES)
def test_a_description_that_lies_is_refused(to, lie, tmp_path):
    """In one line that names the file."""
    path = plain_file(tmp_path / f"plain.{to}", {"d/kernel": counted(2, 3)}, LIES[lie])
    with pytest.raises(FileFormatError) as refused:
        inspect_file(path)
    assert str(refused.value) == f"{path}: 'description'{'' if lie[0] == ':' else ' '}{lie}"


def test_compressed_members_are_read(tmp_path):
    """Block by block, with the same values; a damaged one is found."""
    path = tmp_path / "packed.npz"
    values = {"d/kernel": counted(300, 50), "d/bias": counted(50), "d/nothing": counted(0, 4)}
    np.savez_compressed(path, **values, **{"s": np.float64(3)})
    with open_untrusted(path) as source:
        for name, array in source.tree.children.items():
            wanted = values.get(name, np.float64(3))
            np.testing.assert_array_equal(source.mapped(array), wanted)
            joined = [block for _, block in source.blocks(array, 7000)]
            assert len(joined) == (9 if name == "d/kernel" else 0 if name == "d/nothing" else 1)
            assert b"".join(block.tobytes() for block in joined) == wanted.tobytes()


def test_a_member_with_another_checksum_is_refused_when_it_is_read(tmp_path):
    """Before any of it is used; what is not read is not looked at."""
    path = plain_file(tmp_path / "bad.npz", {"d/kernel": counted(200, 300), "d/bias": counted(3)})
    content = path.read_bytes()
    path.write_bytes(content.replace(counted(200, 300).tobytes(), counted(200, 300)[::-1].tobytes()))
    with open_untrusted(path) as source, pytest.raises(FileFormatError) as refused:
        assert source.mapped(source.tree.children["d/bias"]).tolist() == [0, 1, 2]
        source.mapped(source.tree.children["d/kernel"])
    text = "Bad CRC-32 for file 'd/kernel.npy'"
    assert str(refused.value) == f"{path}: member 'd/kernel.npy' is damaged ({text})"


def npy(header, values=b""):
    """Return a member with any header."""
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + values


def header(descr="'<f4'", order="False", shape="(2,)"):
    """Return what stands in front of an array."""
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()


ODD = "has a header that NumPy does not write for plain numbers"
HOSTILE = {
    "pickled objects": (
        npy(header("'|O'"), b"cos\nsystem\n"),
        "is of type '|O'; plain numbers alone are read",
    ),
    "text": (npy(header("'<U2'"), bytes(16)), "is of type '<U2'; plain numbers alone are read"),
    "numbers of 16 bytes": (
        npy(header("'<f16'"), bytes(32)),
        "is of type '<f16'; plain numbers alone are read",
    ),
    "records": (npy(header("[('a', '<f4')]"), bytes(8)), ODD),
    "an expression": (npy(header(shape="(__import__('os').getpid(),)"), bytes(8)), ODD),
    "a negative size": (npy(header(shape="(-1, -2)"), bytes(8)), ODD),
    "a key twice": (npy(header(shape="(2,), 'shape': (1,)"), bytes(8)), ODD),
    "many axes": (npy(header(shape=f"({'1, ' * 40})"), bytes(4)), ODD),
    "a header beyond the end": (b"\x93NUMPY\x01\x00\xff\xff{}    ", ODD),
    "a version of its own": (b"\x93NUMPY\x09\x00" + bytes(9), "does not begin as arrays of NumPy do"),
    "nothing": (b"", "does not begin as arrays of NumPy do"),
    "too few values": (npy(header(), bytes(4)), "declares 8 bytes of values and has 4"),
    "values left": (npy(header(), bytes(12)), "declares 8 bytes of values and has 12"),
    "terabytes": (npy(header(shape="(1000000000000,)")), "declares 4000000000000 bytes of values and has 0"),
    "Fortran's order": (
        npy(header(order="True"), bytes(8)),
        "is in Fortran's order; save numpy.ascontiguousarray() of it",
    ),
}


def zipped(path, members):
    """Write an archive."""
    import zipfile

    with zipfile.ZipFile(path, "w") as file:
        for name, content in members:
            file.writestr(name, content)
    return path


@pytest.mark.parametrize("what", HOSTILE)
def test_a_member_that_is_no_plain_array_is_refused(what, tmp_path):
    """No header is evaluated, no object made of what follows; one line names file and member."""
    content, rule = HOSTILE[what]
    path = zipped(tmp_path / "a.npz", [("a/b.npy", content)])
    with pytest.raises(FileFormatError) as refused:
        inspect_file(path)
    assert str(refused.value) == f"{path}: member 'a/b.npy' {rule}"


GOOD = npy(header(), bytes(8))
TRICKS = {
    "member '../a.npy' has a name, a part of which is a step to another folder, not a name": (
        "../a.npy",
        GOOD,
    ),
    "member 'b.txt' is no array: it is not called NAME.npy": ("b.txt", b"text"),
    "member 'zoo.npy' is not one text": ("zoo.npy", GOOD),
    "the entry 'zoo' is not JSON (Expecting value: line 1 column 1 (char 0))": (
        "zoo.npy",
        npy(header("'<U1'", shape="()"), "x".encode("utf-32-le")),
    ),
    "member 'zoo.npy' holds no record": (
        "zoo.npy",
        npy(header("'<U2'", shape="()"), "[]".encode("utf-32-le")),
    ),
}


@pytest.mark.parametrize("rule", TRICKS)
def test_an_archive_with_tricks_is_refused(rule, tmp_path):
    """The rules for .keras archives hold for these too."""
    path = zipped(tmp_path / "a.npz", [("a/b.npy", GOOD), TRICKS[rule]])
    with pytest.raises(FileFormatError) as refused:
        inspect_file(path)
    assert str(refused.value) == f"{path}: {rule}"


@pytest.mark.parametrize("to", CONTAINERS)
def test_caps_hold_for_containers(to, tmp_path):
    """On how many arrays there may be, and on what they take."""
    path = plain_file(tmp_path / f"plain.{to}", CONV)
    for limits, text in (
        ({"objects": 3}, "limit objects"),
        ({"declared_bytes": 100}, "limit declared_bytes"),
    ):
        with pytest.raises(FileFormatError, match=text) as refused:
            open_untrusted(path, limits=Limits(**limits))
        assert str(refused.value).startswith(f"{path}: ")


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_s_module_has_what_its_entry_says(name):
    """Whoever leaves something out hears of it here."""
    module = FORMATS[name].load()
    needed = ("recognise", "read") if FORMATS[name].reads else ()
    needed += ("create", "finish") if FORMATS[name].writes else ()
    assert [function for function in needed if not callable(getattr(module, function, None))] == []
    assert targets() == ("keras1", "keras2", "keras3", "safetensors", "npz")


@pytest.mark.parametrize(
    "technique",
    [found for found in TECHNIQUES if found.suffix == ".safetensors" and "too deep" not in found.name],
    ids=lambda technique: technique.name,
)
def test_each_technique_is_refused_where_the_file_is_a_source(technique, tmp_path):
    """Whoever converts or inspects it reads the same refusal as whoever reads the header alone."""
    path = tmp_path / "weights.safetensors"
    technique.build(path, tmp_path / "canary")
    with pytest.raises(FileFormatError) as refused:
        convert_file(path, tmp_path / "new.h5", to="keras2")
    assert str(refused.value) == f"{path}: {technique.message}"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("to", "name"),
    [("keras2", "old_keras2.h5"), ("keras3", "old.weights.h5"), ("npz", "old.npz")],
)
def test_a_new_file_loses_the_ending_of_its_container(to, name, tmp_path):
    """As it does that of HDF5."""
    source = plain_file(tmp_path / "old.safetensors", {"d/kernel": counted(2, 3)}, described())
    assert convert_file(source, to=to).target == tmp_path / name


def test_a_tree_gives_what_it_makes_of_containers_the_name_of_hdf5(tmp_path):
    """Beside a file that has the same name but for the ending, as always."""
    (tmp_path / "old").mkdir()
    plain_file(tmp_path / "old" / "m.safetensors", {"d/kernel": counted(2, 3)}, described())
    write_named(tmp_path / "old" / "m.h5", {"d": {"d_W": counted(4, 2)}})
    report = convert_tree(tmp_path / "old", tmp_path / "new", to="keras2", jobs=1)
    assert [found.target.name for found in report.files if found.target] == ["m.h5", "m.safetensors.h5"]


NAMES = {"plain": ("d/kernel", "d/bias"), "of a state dict": ("d.weight", "d.bias")}


@pytest.mark.parametrize("names", NAMES)
@settings(max_examples=30)
@given(
    words=hypothesis_numpy.arrays("u2", hypothesis_numpy.array_shapes(min_dims=2, max_dims=2)),
    truth=strategies.lists(strategies.booleans(), min_size=1),
)
def test_bfloat16_and_truth_values_are_read_as_types_that_hold_them(names, words, truth, tmp_path_factory):
    """Whatever the bits: NaN with what it carries, infinities, numbers below the normal ones."""
    path = tmp_path_factory.mktemp("bf16") / "weights.safetensors"
    kernel, bias = NAMES[names]
    save_file({kernel: words.view(ml_dtypes.bfloat16), bias: np.array(truth)}, path)
    expected = {kernel: (words.astype("u4") << 16).view("f4"), bias: np.array(truth, "u1")}
    with np.errstate(invalid="ignore"):
        numbers = words.view(ml_dtypes.bfloat16).astype("f4")
    np.testing.assert_array_equal(numbers, expected[kernel])
    with open_untrusted(path) as source:
        found = datasets_of(source.tree)
        for name, dataset in ((name, found[name]) for name in expected):
            blocks = [values for _, values in source.blocks(dataset, nbytes=8)]
            assert np.concatenate(blocks).tobytes() == expected[name].tobytes()
            assert (
                source.mapped(dataset).tobytes() == source.read(dataset).tobytes() == expected[name].tobytes()
            )


def test_bfloat16_goes_on_as_float32(tmp_path):
    """What becomes of it is what becomes of the same numbers; both files compare as equal."""
    values = {"d/kernel": counted(4, 3).astype(ml_dtypes.bfloat16), "d/bias": counted(3)}
    half = plain_file(tmp_path / "half.safetensors", values)
    whole = plain_file(tmp_path / "whole.safetensors", {**values, "d/kernel": counted(4, 3)})
    said = {"to": "keras3", "from_layout": "tf", "flatten": {"d": None}}
    new, other = (
        convert_file(path, tmp_path / f"{path.stem}.new.h5", **said).target for path in (half, whole)
    )
    assert {name: array.tobytes() for name, array in arrays(new).items()} == {
        name: array.tobytes() for name, array in arrays(other).items()
    }
    assert compare_files(half, whole, from_layout="tf", flatten={"d": None}).equal
