"""The published graphs, and files that hold them or nearly so."""

from __future__ import annotations

import json
import re

import h5py
import numpy as np
import pytest

from converters.errors import FileFormatError, StructureMismatchError, UnknownNameError
from converters.formats.dialects import describe
from converters.layers.names import automatic_stem
from converters.planning import structures
from converters.planning.structure_files import OWN
from converters.planning.structures import (
    NUMBERS,
    find_structure,
    known_structures,
    load_structure,
    match,
    numbers_text,
    plain_name,
    recognise,
    structure_names,
)
from tests.support.shares import FIRST_OF_FAMILY
from tests.support.weight_files import names, write_empty, write_empty_numbered

NAMES = structure_names()


@pytest.mark.parametrize("name", NAMES)
def test_a_structure_adds_up(name):
    """Its arrays have as many values as it says, and its flattened maps as many as there are rows."""
    structure = load_structure(name)
    sizes = [size(shape) for layer in structure.layers for shape in layer.arrays.values()]
    assert (structure.name, sum(sizes), len(sizes)) == (name, structure.parameters, structure.array_count)
    for layer in structure.layers:
        if layer.flatten:
            assert size(layer.flatten) == layer.arrays["kernel"][0]


def size(shape):
    """Return the number of values of a shape."""
    total = 1
    for number in shape:
        total *= number
    return total


# How arrays are spelled has nothing to do with a network's depth.
OFTEN = {*FIRST_OF_FAMILY.values(), "mobilenet"}
STYLED = [
    pytest.param(name, style, marks=() if name in OFTEN else pytest.mark.long)
    for name in NAMES
    # Keras 1 has not all of the layers of the networks in keras.applications.
    for style in (("keras2",) if load_structure(name).in_order else ("keras1", "tensorflow", "keras2"))
]


@pytest.mark.parametrize(("name", "style"), STYLED)
def test_a_file_of_a_structure_is_recognised(name, style, tmp_path):
    """Whatever its layout and the spelling of its arrays; Keras 2 has one shape for both layouts."""
    structure = load_structure(name)
    for layout in ("tf",) if style == "keras2" else ("th", "tf"):
        stored = "tf" if style == "keras2" else layout
        path = write_empty(tmp_path / f"{layout}.h5", structure, layout=stored, style=style)
        found, pairs = recognise(describe(path))
        assert found == structure
        assert pairs.layout == (None if style == "keras2" else layout)
        assert [pair.expected for pair in pairs.layers] == list(structure.weighted)
        assert [pair.layer.name for pair in pairs.layers] == [layer.name for layer in structure.weighted]
        assert all(list(pair.arrays) == list(pair.expected.arrays) for pair in pairs.layers)


@pytest.mark.parametrize("name", ["vgg16", "vgg19_blocks", "inception_v4"])
def test_a_nameless_file_is_matched_in_order(name, tmp_path):
    """Keras 0.x files have no names: kind, order and shape decide."""
    structure = load_structure(name)
    pairs = match(describe(write_empty_numbered(tmp_path / "weights.h5", structure)), structure)
    numbers = [number for number, layer in enumerate(structure.layers) if layer.arrays]
    assert [pair.layer.name for pair in pairs.layers] == [f"layer_{number}" for number in numbers]
    assert [pair.index for pair in pairs.layers] == list(range(len(structure.weighted)))


def test_automatic_numbers_may_start_anywhere(tmp_path):
    """They depend on what was built before in the same session."""
    structure = load_structure("inception_v3")

    def later(name):
        return re.sub(
            r"^(convolution2d|batchnormalization)_(\d+)$", lambda m: f"{m[1]}_{int(m[2]) + 94}", name
        )

    path = write_empty(tmp_path / "weights.h5", structure, rename=later)
    pairs = match(describe(path), structure).by_layer()
    assert pairs["convolution2d_95"].expected.name == "convolution2d_1"


def test_the_order_of_chosen_names_does_not_matter(tmp_path):
    """A file that lists its layers the other way round is the same file."""
    structure = load_structure("resnet50")
    path = write_empty(tmp_path / "weights.h5", structure)
    with h5py.File(path, "r+") as file:
        file.attrs["layer_names"] = names([layer.name for layer in reversed(structure.layers)])
    assert [pair.layer.name for pair in match(describe(path), structure).layers] == [
        layer.name for layer in structure.weighted
    ]


def test_slashes_may_be_two_underscores(tmp_path):
    """A file saved from one of today's models writes GoogLeNet's names so."""
    structure = load_structure("googlenet")
    path = write_empty(tmp_path / "weights.h5", structure, rename=lambda name: name.replace("/", "__"))
    assert match(describe(path), structure).layers[0].layer.name == "conv1__7x7_s2"
    assert plain_name("conv1__7x7_s2") == "conv1/7x7_s2"


def test_a_file_without_its_top_is_recognised(tmp_path):
    """The structure that comes back lacks the dense layers too."""
    structure = load_structure("vgg16_blocks")
    notop = structure.without(["fc1", "fc2", "predictions"])
    found, _ = recognise(describe(write_empty(tmp_path / "weights.h5", notop)), known_structures())
    assert found == notop == structure.without_dense()
    assert (len(found.weighted), found.parameters) == (13, 14_714_688)


def test_names_to_leave_out_must_exist():
    """A mistake in the registry's list of a top shows, and both spellings of a name count."""
    structure = load_structure("googlenet")
    assert structure.without(["loss1__fc"]) == structure.without(["loss1/fc"])
    with pytest.raises(UnknownNameError, match=r"^structure googlenet has no layer 'loss4/fc'$"):
        structure.without(["loss1/fc", "loss4/fc"])


def change(file, what):
    """Spoil a ResNet-50 file in one way."""
    if what == "missing":
        listed = [name for name in file.attrs["layer_names"] if name != b"res2a_branch2a"]
        file.attrs["layer_names"] = listed
    elif what == "misnamed":
        file.move("res2a_branch2a", "res2a_branch9")
        renamed = {b"res2a_branch2a": b"res2a_branch9"}
        file.attrs["layer_names"] = [renamed.get(name, name) for name in file.attrs["layer_names"]]
    elif what == "too many":
        file.create_group("extra").attrs["weight_names"] = names(["extra_W"])
        file["extra"].create_dataset("extra_W", data=np.zeros((3, 4), "f4"))
        file.attrs["layer_names"] = [*file.attrs["layer_names"], b"extra"]
    elif what == "misshapen":
        replace(file, "res2a_branch2b", "kernel", "_W", (64, 64, 5, 5))
    elif what == "bias":
        replace(file, "fc1000", "bias", "_b", (10,))
    elif what == "array":
        file["bn_conv1"].attrs["weight_names"] = file["bn_conv1"].attrs["weight_names"][:2]
    elif what == "mixed":
        replace(file, "res2a_branch2b", "kernel", "_W", (3, 3, 64, 64))


def replace(file, layer, role, suffix, shape):
    """Put an array of another shape in the place of one."""
    del file[layer][layer + suffix]
    file[layer].create_dataset(layer + suffix, data=np.zeros(shape, "f4"))


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("missing", "layer 'res2a_branch2a' is missing (kernel (1, 1, 64, 64), bias (64,))"),
        (
            "misnamed",
            "layer 'res2a_branch2a' is missing (kernel (1, 1, 64, 64), bias (64,)); "
            "there is a layer 'res2a_branch9'",
        ),
        ("too many", "layer 'extra' (kernel (3, 4)) does not belong there"),
        (
            "misshapen",
            "layer 'res2a_branch2b': kernel has shape (64, 64, 5, 5), "
            "expected (3, 3, 64, 64) (tf) or (64, 64, 3, 3) (th)",
        ),
        ("bias", "layer 'fc1000': bias has shape (10,), expected (1000,)"),
        (
            "array",
            "layer 'bn_conv1' has the arrays gamma (64,), beta (64,), expected gamma (64,), beta (64,), "
            "moving_mean (64,), moving_variance (64,)",
        ),
        ("mixed", "has layer 'conv1' in th layout but layer 'res2a_branch2b' in tf layout"),
    ],
)
def test_a_file_that_is_not_quite_the_structure_is_refused(what, message, tmp_path):
    """One line: the file, the layer, both shapes."""
    structure = load_structure("resnet50")
    path = write_empty(tmp_path / "weights.h5", structure)
    with h5py.File(path, "r+") as file:
        change(file, what)
    description = describe(path)
    with pytest.raises(StructureMismatchError) as refused:
        match(description, structure)
    assert str(refused.value) == f"{path}: not the layers of resnet50: {message}"
    assert recognise(description) is None


def test_layers_that_match_in_order_are_named_too(tmp_path):
    """A layer too few, too many or of another kind, where numbers tell nothing."""
    structure = load_structure("vgg16")
    shorter = structure.without(["dense_3"])
    prefix = "weights.h5: not the layers of vgg16: "
    description = describe(write_empty(tmp_path / "weights.h5", shorter))
    text = "layer 'dense_3' is missing (kernel (4096, 1000), bias (1000,))"
    with pytest.raises(StructureMismatchError, match=re.escape(prefix + text) + "$"):
        match(description, structure)
    longer = describe(write_empty(tmp_path / "weights.h5", structure))
    text = (
        "not the layers of vgg16: layer 'dense_3' (kernel (4096, 1000), bias (1000,)) does not belong there"
    )
    with pytest.raises(StructureMismatchError, match=re.escape(text) + "$"):
        match(longer, shorter)
    text = (
        "layer 'dense_1' (Dense) stands where 'convolution2d_13' (Conv2D) is expected "
        "(kernel (3, 3, 512, 512), bias (512,))"
    )
    description = describe(write_empty(tmp_path / "weights.h5", structure.without(["convolution2d_13"])))
    with pytest.raises(StructureMismatchError, match=re.escape(prefix + text) + "$"):
        match(description, structure)


def test_chosen_names_do_not_match_automatic_ones(tmp_path):
    """block1_conv1 is not convolution2d_1, though all shapes are the same."""
    blocks = load_structure("vgg16_blocks")
    description = describe(write_empty(tmp_path / "weights.h5", blocks))
    with pytest.raises(
        StructureMismatchError, match=r"layer 'block1_conv1' \(Conv2D\) stands where 'convolution2d_1'"
    ):
        match(description, load_structure("vgg16"))
    assert find_structure(description, "vgg16")[0] == blocks


def test_an_architecture_that_is_asked_for_must_fit(tmp_path):
    """The message is about the structure of that name."""
    description = describe(write_empty(tmp_path / "weights.h5", load_structure("resnet50")))
    with pytest.raises(
        StructureMismatchError, match=r"not the layers of vgg16: layer 'conv1' .Conv2D. stands where"
    ):
        find_structure(description, "vgg16")


def test_unknown_names_are_answered_with_the_nearest():
    """A typing mistake is easily mended."""
    with pytest.raises(
        UnknownNameError, match=r"^no structure is called 'densenet162'; did you mean densenet16"
    ):
        load_structure("densenet162")


def test_other_json_is_no_structure(tmp_path):
    """A structure may be given by its path, and must have the form."""
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"name": "mine", "parameters": 2, "layers": [{"name": "a", "kind": "Dense"}]}))
    assert load_structure(path).layers[0].arrays == {}
    path.write_text("[]")
    with pytest.raises(FileFormatError, match=r"mine\.json: not a structure"):
        load_structure(path)


def told_apart_by(structure):
    """Return all that tells a file of a structure from other files, where names count.

    Layers with names that somebody chose go by these; those that Keras numbered by their order.
    """
    chosen, numbered = [], []
    for layer in structure.weighted:
        stem = automatic_stem(layer.name)
        (numbered if stem else chosen).append((stem or plain_name(layer.name), tuple(layer.arrays.items())))
    return tuple(sorted(chosen)), tuple(numbered)


def test_no_two_structures_are_the_same_in_a_file():
    """Over all pairs, each whole, without its dense layers, and with ``Scale`` layers folded."""
    holders = {}
    for structure in known_structures():
        for variant in structure.variants:
            holders.setdefault(told_apart_by(variant), set()).add(structure.name)
    assert len(holders) > len(NAMES)
    assert [held for held in holders.values() if len(held) > 1] == []


def test_the_numbers_of_all_structures_are_noted():
    """By them it is known which to read: after a change of one, ``make applications`` notes them anew."""
    assert NUMBERS.read_text("utf-8") == numbers_text(map(load_structure, sorted(OWN.glob("*.json"))))


def test_only_structures_with_as_many_arrays_are_read(tmp_path, monkeypatch):
    """Of a small network's file neither is that of a large one."""
    vgg = load_structure("vgg16")
    read = []
    monkeypatch.setattr(structures, "_known_structure", lambda path: read.append(path.stem) or vgg)
    file = describe(write_empty(tmp_path / "weights.h5", vgg))
    assert recognise(file) == (vgg, match(file, vgg))
    assert read == ["vgg16"]


def test_names_of_another_run_are_matched_in_order(tmp_path):
    """Layers of two files of Keras' own networks go together by their order, whatever they are called."""
    structure = load_structure("mobilenet_0.25")
    other = {layer.name: f"backbone_{number}" for number, layer in enumerate(structure.layers)}
    first = describe(write_empty(tmp_path / "first.h5", structure, layout="tf", style="keras2"))
    second = describe(
        write_empty(tmp_path / "second.h5", structure, layout="tf", style="keras2", rename=other.__getitem__)
    )
    pairs = [match(one, structure).layers for one in (first, second)]
    assert [pair.expected for pair in pairs[0]] == [pair.expected for pair in pairs[1]]
    assert [other[pair.layer.name] for pair in pairs[0]] == [pair.layer.name for pair in pairs[1]]
    assert recognise(first)[0] == structure
    assert recognise(second) is None


def test_a_file_of_another_run_in_another_order_is_refused(tmp_path):
    """Shapes tell: order alone is no proof."""
    structure = load_structure("mobilenet_0.25")
    other = {layer.name: f"backbone_{number}" for number, layer in enumerate(structure.layers)}
    path = write_empty(
        tmp_path / "weights.h5", structure, layout="tf", style="keras2", rename=other.__getitem__
    )
    with h5py.File(path, "r+") as file:
        file.attrs["layer_names"] = names([other[layer.name] for layer in reversed(structure.layers)])
    with pytest.raises(StructureMismatchError, match="layer 'backbone_88' has the arrays"):
        match(describe(path), structure)
