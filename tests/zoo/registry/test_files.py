"""Tests of the shipped registry, of reading registries, and of looking things up in them."""

from __future__ import annotations

import copy
import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import FrozenInstanceError, asdict, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.registry_mistakes import FORM, SENSE, Error
from tests.support.shares import OF_KERAS
from zoo.errors import RegistryError, UnknownNameError
from zoo.registry import (
    architecture,
    find_registry,
    get_registry,
    layers,
    list_models,
    load_registry,
    overlays_from_environment,
    own_registry,
    places,
    weights_file,
    weights_files,
)
from zoo.registry.records import Architecture, WeightsFile
from zoo.registry.strict_yaml import read_yaml

NAMES = [
    "vgg16",
    "vgg19",
    "googlenet",
    "inception_v3",
    "inception_v4",
    "resnet50",
    "resnet101",
    "resnet152",
    "densenet121",
    "densenet161",
    "densenet169",
]

# The table of flyyufelix/cnn_finetune's README: network, Theano file, TensorFlow file.
README_FILES = {
    "vgg16": ("vgg16-th-gist", None),
    "vgg19": ("vgg19-th-gist", None),
    "googlenet": ("googlenet-th", None),
    "inception_v3": ("inception_v3-th-top-v0.2", None),
    "inception_v4": ("inception_v4-th-top-ks2.0", "inception_v4-tf-top-ks2.0"),
    "resnet50": ("resnet50-th-top-v0.2", "resnet50-tf-top-v0.2"),
    "resnet101": ("resnet101-th-flyyufelix", "resnet101-tf-flyyufelix"),
    "resnet152": ("resnet152-th-flyyufelix", "resnet152-tf-flyyufelix"),
    "densenet121": ("densenet121-th-flyyufelix", "densenet121-tf-flyyufelix"),
    "densenet161": ("densenet161-th-flyyufelix", "densenet161-tf-flyyufelix"),
    "densenet169": ("densenet169-th-flyyufelix", "densenet169-tf-flyyufelix"),
}

ALL_FILES = [
    pytest.param(network, file, id=file.id)
    for network in load_registry(()).architectures.values()
    for file in network.weights
]


def test_the_eleven_networks_are_there_in_order() -> None:
    """The shipped registry begins with the eleven networks; those of keras.applications follow."""
    assert list_models() == [*NAMES, *OF_KERAS]
    assert len(list_models()) >= 45


def test_eleven_theano_and_seven_tensorflow_files_come_from_the_readme_table() -> None:
    """Every file of the README's table is there, first among the files of its form."""
    theano = [th for th, _ in README_FILES.values()]
    tensorflow = [tf for _, tf in README_FILES.values() if tf]
    assert (len(theano), len(tensorflow)) == (11, 7)
    for name, pair in README_FILES.items():
        for form, wanted in zip(("th", "tf"), pair, strict=True):
            found = weights_files(architecture(name), top=True, layout=form, kernels=form)
            assert wanted is None or found[0].id == wanted


def test_the_alternatives_are_there() -> None:
    """Beside the README's 18 files there are 22 others: VGG, ResNet-50, Inception and the GoogLeNet copy."""
    readme = {file for pair in README_FILES.values() for file in pair}
    files = [file for name in NAMES for file in architecture(name).weights if file.format is None]
    others = [file.id for file in files if file.id not in readme]
    forms = ("th-top", "tf-top", "th-notop", "tf-notop")
    assert sorted(others) == sorted(
        [f"{name}-{form}-v0.1" for name in ("vgg16", "vgg19", "resnet50") for form in forms]
        + ["googlenet-th-author-git", "resnet50-th-notop-v0.2", "resnet50-tf-notop-v0.2"]
        + [f"inception_v3-{form}-v0.2" for form in forms[1:]]
        + ["inception_v3-tf-top-v0.5", "inception_v3-tf-notop-v0.5"]
        + ["inception_v4-tf-top-ks2.1", "inception_v4-tf-notop-ks2.1"]
    )


@pytest.mark.parametrize(
    ("identifier", "digests", "size"),
    [
        ("vgg16-th-gist", ["D cksum:1652526697"], 553479920),
        ("vgg16-tf-top-v0.1", ["A md5:64373286793e3c8b2b4e3219cbf3544b"], 553467096),
        ("googlenet-th-author-git", ["A git-blob-sha1:56095ab40991bb2788bde578717a833c698e11d9"], None),
        ("inception_v3-th-top-v0.2", ["A md5:b3baf3070cc4bf476d43a2ea61b0ca5f"], None),
        ("inception_v4-th-top-ks2.0", [], None),
        ("inception_v4-tf-top-ks2.1", ["A md5:9fe79d77f793fe874470d84ca6ba4a3b"], None),
        ("resnet50-tf-top-v0.2", ["A md5:a7b3fe01876f51b976af0dea6bc144eb"], 102853048),
        ("resnet50-tf-top-v0.1", [], None),
        ("resnet101-th-flyyufelix", ["C md5:3d2e9a49d05192ce6e22200324b7defe"], None),
        (
            "resnet152-tf-flyyufelix",
            [
                "B md5:cdb18a2158b88e392c0905d47dcef965",
                "C sha256:0dd1bd03269ea45b885be241966fc1e7f5ad39f8a6f0e94e21d19e2988d9bfe3",
            ],
            243179624,
        ),
        (
            "densenet161-tf-flyyufelix",
            ["C sha256:190946f7fb4e45e4c78c2e320cbb8f6b10f145b09aca98ab06f34f8b20ec8746"],
            117815848,
        ),
    ],
)
def test_published_digests_and_sizes(identifier: str, digests: list[str], size: int | None) -> None:
    """Digests keep their grades, and what nobody published is not made up."""
    _, file = weights_file(identifier)
    assert [f"{digest.grade} {digest}" for digest in file.digests] == digests
    assert file.bytes == size


@pytest.mark.parametrize(("network", "file"), ALL_FILES)
def test_every_file_is_told_by_its_own_facts(network: Architecture, file: WeightsFile) -> None:
    """A file's name, id and URLs agree with what the registry says about it."""
    if file.format == "caffemodel":
        assert (file.id, file.set) == (f"{network.name}-caffe", "imagenet-caffe")
        assert (file.layout, file.kernels) == ("th", "tf")
    elif file.format == "pytorch" and file.set.endswith("-pytorch"):
        assert re.fullmatch(rf"{network.name}-(timm|cadene)(-2\.1)?", file.id)
        assert network.about(file.set).same_values_as == file.set.removesuffix("-pytorch")
        assert (file.layout, file.kernels) == ("th", "tf")
    elif file.format == "pytorch":
        plain = file.filename.endswith(".safetensors")
        assert file.id.startswith(f"{network.name}-timm" if plain else f"{network.name}-{file.set}")
        assert file.set.startswith("torchvision")
        assert (file.layout, file.kernels) == ("th", "tf")
    else:
        assert file.id.startswith(f"{network.name}-{file.layout}")
        assert (file.layout, file.kernels) in {("th", "th"), ("tf", "tf")}
    assert file.top == (re.search("no[_-]?top|_features", file.filename) is None)
    assert all(url.startswith("https://") for url in file.urls)
    for url in file.urls:
        if "drive.google.com" in url:
            assert re.fullmatch(r"https://drive\.google\.com/uc\?export=download&id=[\w-]{28,33}", url)
        else:
            assert file.filename in url


@pytest.mark.parametrize("name", NAMES)
def test_epsilon_is_there_where_a_structure_normalises(name: str) -> None:
    """Only VGG and GoogLeNet have no batch normalisation."""
    for graph in architecture(name).graphs.values():
        expected = {"vgg": None, "googlenet": None, "densenet": 1.1e-5}.get(architecture(name).family, 1.0e-3)
        if name in {"resnet101", "resnet152"}:
            expected = 1.1e-5
        assert graph.batch_norm_epsilon == expected


def test_preprocessing_is_right_per_network() -> None:
    """The four recipes go to the networks that were trained with them."""
    recipes = {name: architecture(name).preprocessing.name for name in NAMES}
    assert recipes == {
        **dict.fromkeys(NAMES, "caffe"),
        **dict.fromkeys(["inception_v3", "inception_v4"], "inception"),
        **dict.fromkeys(["densenet121", "densenet161", "densenet169"], "caffe_x0.017"),
    }
    known = get_registry().preprocessing
    assert list(known) == ["caffe", "caffe_x0.017", "inception", "inside", "torch", "torch_x255"]
    assert known["inception"].scale == (1 / 127.5,) * 3
    assert known["torch"].mean == pytest.approx((0.485 * 255, 0.456 * 255, 0.406 * 255), rel=1e-15)
    assert known["torch"].scale == (1 / (255 * 0.229), 1 / (255 * 0.224), 1 / (255 * 0.225))


def test_one_name_may_hide_two_networks() -> None:
    """Inception-V3 of 2017 and Inception-V4 release 2.1 are graphs and weights sets of their own."""
    for name, other in (("inception_v3", "imagenet-2017"), ("inception_v4", "imagenet-2.1")):
        network = architecture(name)
        of_keras = [file.set for file in network.weights if file.format is None]
        assert list(dict.fromkeys(of_keras)) == ["imagenet", other]
        first, second = network.graphs.values()
        assert network.default_graph is first
        assert all(network.graph_of(file.structure) is first for file in weights_files(network))
        assert all(network.graph_of(file.structure) is second for file in weights_files(network, other))


def test_googlenet_has_three_heads() -> None:
    """The last head is the main one, and each names its dense layer."""
    heads = architecture("googlenet").default_graph.heads
    assert [(head.name, head.layer) for head in heads] == [
        ("loss1", "loss1/classifier"),
        ("loss2", "loss2/classifier"),
        ("loss3", "loss3/classifier"),
    ]


def test_inception_v4_has_a_background_class() -> None:
    """Its 1001 outputs start one before the class index."""
    network = architecture("inception_v4")
    assert (network.classes, network.class_offset) == (1001, 1)
    assert get_registry().class_indexes[network.class_index].classes == 1000


def _scalars(node: yaml.Node) -> list[str]:
    if isinstance(node, yaml.ScalarNode):
        return [node.value] if node.style is None else []
    children = (
        node.value if isinstance(node, yaml.SequenceNode) else [part for pair in node.value for part in pair]
    )
    return [scalar for child in children for scalar in _scalars(child)]


def test_every_yaml_reader_sees_the_same_numbers() -> None:
    """What YAML 1.2 or JSON calls a number is one to YAML 1.1 as well, with the same value."""
    number = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
    text = find_registry().read_text(encoding="utf-8")
    numbers = [
        scalar for scalar in _scalars(yaml.compose(text, Loader=yaml.SafeLoader)) if number.fullmatch(scalar)
    ]
    assert "1.1e-5" in numbers
    for scalar in numbers:
        value = yaml.safe_load(scalar)
        assert isinstance(value, (int, float)), scalar
        assert value == float(scalar)


def test_both_yaml_readers_agree() -> None:
    """The strict reader gives what PyYAML's own safe loader gives."""
    path = find_registry()
    assert read_yaml(path, "x") == yaml.safe_load(path.read_text(encoding="utf-8"))


def _broken(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = folder / "registry.yaml"
    base.write_text(text, encoding="utf-8")
    monkeypatch.setattr(places, "find_registry", lambda: base)


@pytest.mark.parametrize("error", [pytest.param(e, id=k) for k, e in (FORM | SENSE).items()])
def test_a_mistake_is_reported_with_its_path(
    error: Error, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each kind of mistake gives one line: the file, the path, what is wrong."""
    _broken(error.apply(find_registry().read_text(encoding="utf-8")), tmp_path, monkeypatch)
    with pytest.raises(RegistryError) as caught:
        load_registry()
    assert str(caught.value) == error.expected(find_registry().read_text(encoding="utf-8"))


def test_a_duplicate_key_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyYAML would keep the second value; here both lines are named."""
    text = find_registry().read_text(encoding="utf-8")
    line = text.count("\n", 0, text.index("\n    family: densenet")) + 2
    _broken(
        text.replace("    family: densenet\n", "    family: densenet\n    family: vgg\n", 1),
        tmp_path,
        monkeypatch,
    )
    with pytest.raises(RegistryError) as caught:
        load_registry()
    assert str(caught.value) == (
        f"registry.yaml:{line + 1}: architectures.densenet121.family: is written twice, first in line {line}"
    )


def _overlay(folder: Path, text: str, name: str = "overlay.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_an_overlay_gives_only_what_differs(tmp_path: Path) -> None:
    """Mappings merge key by key, everything else stays as it was."""
    overlay = _overlay(tmp_path, "architectures: {vgg16: {title: Ours, input: {height: 100}}}")
    before, after = load_registry(()).architectures, load_registry([overlay]).architectures
    assert list(after) == [*NAMES, *OF_KERAS]
    assert after["vgg16"].title == "Ours"
    assert (after["vgg16"].input.height, after["vgg16"].input.width) == (100, 224)
    assert after["vgg16"].weights == before["vgg16"].weights
    assert after["vgg19"] == before["vgg19"]


def test_an_overlay_replaces_lists_whole(tmp_path: Path) -> None:
    """A list of an overlay is not appended to the one below."""
    overlay = _overlay(tmp_path, "architectures: {vgg16: {weights: []}}")
    assert load_registry([overlay]).architectures["vgg16"].weights == ()


MINE = """
architectures:
  resnet50:
    weights:
      mine:
        set: mine
        structure: resnet50
        top: true
        layout: tf
        kernels: tf
        dialect: keras2
        filename: mine.h5
        bytes: null
        digests: []
        urls: ["https://example.org/mine.h5"]
        licence: MIT
        source: trained here
"""


def test_an_overlay_adds_one_weights_file(tmp_path: Path) -> None:
    """By its id, without repeating the others, which keep their order and stay the first choice."""
    before = load_registry(()).architectures["resnet50"]
    after = load_registry([_overlay(tmp_path, MINE)]).architectures["resnet50"]
    assert after.weights[:-1] == before.weights
    assert (after.weights[-1].id, after.weights[-1].set) == ("mine", "mine")
    assert after.weights_sets == (*before.weights_sets, "mine")


@pytest.mark.parametrize("place", range(len(load_registry(()).architectures["vgg16"].weights)))
def test_an_overlay_changes_fields_of_one_weights_file(place: int, tmp_path: Path) -> None:
    """Whichever of them: all that it does not name stays."""
    before = load_registry(()).architectures["vgg16"]
    file = before.weights[place]
    changed = f"{file.id}: {{urls: ['https://example.org/x'], top: false}}"
    overlay = _overlay(tmp_path, f"architectures: {{vgg16: {{weights: {{{changed}}}}}}}")
    after = load_registry([overlay]).architectures["vgg16"]
    expected = list(before.weights)
    expected[place] = replace(file, urls=("https://example.org/x",), top=False)
    assert after.weights == tuple(expected)


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("layout: tf", "layout: nhwc", 9, "mine.layout: 'nhwc' is not one of th, tf"),
        ("        licence: MIT\n", "", 5, "mine.licence: is missing"),
        ("licence: MIT", "license: MIT", 16, "mine.license: is not a known key; did you mean licence?"),
        ("structure: resnet50", "structure: vgg16", 7, "mine.structure: 'vgg16' is not one of resnet50"),
        ("      mine:\n", "      my file:\n", 5, None),
        ("      mine:\n", "      mine: 5\n      other:\n", 5, "mine: 5 is not a mapping"),
        ("      mine:\n", "      resnet50-th-top-v0.2: {layout: x}\n      mine:\n", 5,
         "resnet50-th-top-v0.2.layout: 'x' is not one of th, tf"),
    ],
)  # fmt: skip
def test_a_mistake_in_what_an_overlay_adds_is_told_by_the_id(
    old: str, new: str, line: int, message: str | None, tmp_path: Path
) -> None:
    """The path is that in the overlay: it has no list in which a place could be counted."""
    overlay = _overlay(tmp_path, MINE.replace(old, new))
    with pytest.raises(RegistryError) as caught:
        load_registry([overlay])
    message = message or (
        "my file.id: 'my file' must consist of letters, digits, '.', '_' and '-'"
        " and start with a letter or digit"
    )
    assert str(caught.value) == f"{overlay}:{line}: architectures.resnet50.weights.{message}"


def test_later_overlays_win(tmp_path: Path) -> None:
    """Overlays apply in the order in which they are named."""
    one = _overlay(tmp_path, "architectures: {vgg16: {title: One}, vgg19: {title: One}}", "one.yaml")
    two = _overlay(tmp_path, "architectures: {vgg16: {title: Two}}", "two.yaml")
    loaded = load_registry([one, two]).architectures
    assert (loaded["vgg16"].title, loaded["vgg19"].title) == ("Two", "One")


def test_the_environment_names_overlays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``ZOO_REGISTRY`` is split as ``PATH`` is; empty parts name nothing."""
    one = _overlay(tmp_path, "architectures: {vgg16: {title: One}}", "one.yaml")
    two = _overlay(tmp_path, "architectures: {vgg19: {title: Two}}", "two.yaml")
    monkeypatch.setenv("ZOO_REGISTRY", os.pathsep.join([str(one), "", str(two)]))
    assert overlays_from_environment() == (one, two)
    assert (architecture("vgg16").title, architecture("vgg19").title) == ("One", "Two")


@pytest.mark.parametrize(
    ("first", "second", "culprit", "message"),
    [
        (
            "architectures: {vgg16: {weights: [{id: 7}]}}",
            "architectures: {vgg16: {title: Ours}}",
            "first.yaml",
            "architectures.vgg16.weights[0].set: is missing",
        ),
        (
            "architectures: {vgg16: {title: 7}}",
            "architectures: {vgg16: {title: [7]}}",
            "second.yaml",
            "architectures.vgg16.title: a list is not text",
        ),
        (
            "architectures: {mine: {family: vgg}}",
            "architectures: {vgg19: {input: {min_size: 48}}}",
            "first.yaml",
            "architectures.mine.title: is missing",
        ),
        (
            "architectures: {vgg16: {input: {colours: 3}}}",
            "architectures: {vgg16: {input: {height: 3}}}",
            "first.yaml",
            "architectures.vgg16.input.colours: is not a known key",
        ),
        (
            "architectures: {vgg16: {input: 3}}",
            "architectures: {vgg16: {input: {height: 3}}}",
            "second.yaml",
            "architectures.vgg16.input.width: is missing",
        ),
    ],
)
def test_a_mistake_is_laid_at_the_door_of_the_file_that_wrote_it(
    first: str, second: str, culprit: str, message: str, tmp_path: Path
) -> None:
    """Among several files the message names the one that holds the offending value."""
    overlays = [_overlay(tmp_path, first, "first.yaml"), _overlay(tmp_path, second, "second.yaml")]
    with pytest.raises(RegistryError) as caught:
        load_registry(overlays)
    assert str(caught.value) == f"{tmp_path / culprit}:1: {message}"


def test_a_mistake_below_an_overlay_is_still_the_base_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An innocent overlay is not blamed for the file it is laid over."""
    text = find_registry().read_text(encoding="utf-8").replace("    title: VGG-16\n", "", 1)
    _broken(text, tmp_path, monkeypatch)
    overlay = _overlay(tmp_path, "architectures: {vgg16: {input: {height: 3}}}")
    line = text.count("\n", 0, text.index("\n  vgg16:\n")) + 2
    with pytest.raises(RegistryError) as caught:
        load_registry([overlay])
    assert str(caught.value) == f"registry.yaml:{line}: architectures.vgg16.title: is missing"


def test_a_mistake_is_laid_at_the_line_that_holds_it(tmp_path: Path) -> None:
    """Of a list's entry, of a value in it, or of what lacks a key."""
    text = "architectures:\n  vgg16:\n    weights:\n    - id: one\n    -\n      id: two\n      set: [1]\n"
    text += "      structure: vgg16\n"
    overlay = _overlay(tmp_path, text)
    with pytest.raises(RegistryError) as caught:
        load_registry([overlay])
    assert str(caught.value) == f"{overlay}:4: architectures.vgg16.weights[0].set: is missing"


def test_the_users_own_registry_is_read_whenever_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over the shipped one, and below what ``ZOO_REGISTRY`` names."""
    assert [layer.origin for layer in layers()] == ["shipped"]
    own_registry().parent.mkdir()
    own_registry().write_text("architectures: {vgg16: {title: Mine}, vgg19: {title: Mine}}\n")
    assert (architecture("vgg16").title, architecture("vgg19").title) == ("Mine", "Mine")
    monkeypatch.setenv("ZOO_REGISTRY", str(_overlay(tmp_path, "architectures: {vgg19: {title: Ours}}")))
    assert (architecture("vgg16").title, architecture("vgg19").title) == ("Mine", "Ours")
    assert [(layer.origin, layer.label) for layer in layers()] == [
        ("shipped", "registry.yaml"),
        ("own", str(own_registry())),
        ("ZOO_REGISTRY", str(tmp_path / "overlay.yaml")),
    ]
    assert load_registry(()).architectures["vgg16"].title == "VGG-16"


def test_a_mistake_in_the_users_own_registry_names_that_file() -> None:
    """Not the shipped one, which is called the same."""
    own_registry().parent.mkdir()
    own_registry().write_text("# mine\narchitectures:\n  vgg16:\n    classes: many\n")
    with pytest.raises(RegistryError) as caught:
        architecture("vgg16")
    reason = "architectures.vgg16.classes: 'many' is not an integer"
    assert str(caught.value) == f"{own_registry()}:4: {reason}"


@pytest.mark.parametrize("home", ["~nobody-of-this-name/x", "{file}/x"])
def test_a_cache_that_is_none_keeps_nobody_from_the_registry(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no registry of one's own in it."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("ZOO_HOME", home.format(file=tmp_path / "file"))
    assert list_models() == [*NAMES, *OF_KERAS]


def test_an_overlay_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file named in the environment that does not exist is an error, not ignored."""
    monkeypatch.setenv("ZOO_REGISTRY", str(tmp_path / "nowhere.yaml"))
    with pytest.raises(RegistryError) as caught:
        get_registry()
    assert str(caught.value) == f"{tmp_path / 'nowhere.yaml'}: cannot be read: No such file or directory"


def test_an_incomplete_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its registry the package says that it is incomplete."""
    monkeypatch.setattr(places, "__file__", str(tmp_path / "zoo" / "registry" / "places.py"))
    with pytest.raises(RegistryError) as caught:
        find_registry()
    assert str(caught.value) == (
        f"registry.yaml: is missing from {tmp_path.resolve() / 'zoo'}; install keras-weight-zoo again"
    )


def test_the_packaged_registry_comes_before_the_checkouts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installed package reads the file beside its modules, a checkout the one at its root."""
    (tmp_path / "zoo").mkdir()
    root, packaged = tmp_path / "registry.yaml", tmp_path / "zoo" / "registry.yaml"
    monkeypatch.setattr(places, "__file__", str(tmp_path / "zoo" / "registry" / "places.py"))
    root.touch()
    assert find_registry() == root.resolve()
    packaged.touch()
    assert find_registry() == packaged.resolve()


def test_the_registry_is_read_again_only_when_a_file_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same files give the same object; a changed overlay gives a new one."""
    overlay = _overlay(tmp_path, "architectures: {vgg16: {title: One}}")
    monkeypatch.setenv("ZOO_REGISTRY", str(overlay))
    before = get_registry()
    assert get_registry() is before
    _overlay(tmp_path, "architectures: {vgg16: {title: Another}}")
    assert get_registry().architectures["vgg16"].title == "Another"
    assert before.architectures["vgg16"].title == "One"


def test_reading_the_registry_imports_nothing_heavy() -> None:
    """Listing networks needs neither arrays nor HDF5, neither a framework nor the network nor OpenSSL."""
    code = "import sys, zoo.registry; zoo.registry.list_models(); print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"keras", "tensorflow", "numpy", "h5py", "requests", "rich", "hashlib", "difflib"}
    assert heavy.isdisjoint(printed.stdout.split())


def test_list_models_takes_what_the_command_takes() -> None:
    """A part of a name, in any case, or a pattern of whole names; nothing found is an empty list."""
    keras = ["resnet50_keras", "resnet101_keras", "resnet152_keras"]
    assert list_models("ResNet*keras") == keras
    assert list_models("RESNET") == [
        *["resnet50", "resnet101", "resnet152", "resnet50_keras", "resnet50v2", "resnet101_keras"],
        *["resnet101v2", "resnet152_keras", "resnet152v2", "inceptionresnetv2"],
    ]
    assert list_models("VGG1?") == ["vgg16", "vgg19"]
    assert list_models("resnet*[0-9]") == [
        *["resnet50", "resnet101", "resnet152", "resnet50v2", "resnet101v2", "resnet152v2"]
    ]
    assert list_models("densenet1[26]1") == ["densenet121", "densenet161"]
    assert list_models("net[0-9][0-9][0-9]") == list_models("xyz") == []


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("resnet51", "; nearest: resnet50, resnet101, resnet152"),
        ("DenseNet161", "; nearest: densenet121, densenet161, densenet169"),
        ("inception-v4", "; nearest: inception_v3, inception_v4, xception"),
        ("alexnet", "; nearest: googlenet, mobilenet"),
        ("res", "; nearest: resnet50, resnet101, resnet152"),
        ("zzz", "; none of the 60 is near"),
        ("", "; none of the 60 is near"),
    ],
)
def test_an_unknown_network_is_answered_with_the_nearest(name: str, nearest: str) -> None:
    """The message lists similar names in the registry's order and says where all are."""
    with pytest.raises(UnknownNameError) as caught:
        architecture(name)
    assert str(caught.value) == f"no architecture is called {name!r}{nearest}. `zoo list` shows all."


def test_a_file_or_folder_in_place_of_a_network_s_name_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With where it goes instead."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "mine.keras").touch()
    with pytest.raises(UnknownNameError) as caught:
        architecture("photos")
    assert str(caught.value) == (
        "no architecture is called 'photos', which is a folder here: a network's name goes there, images and "
        "runs elsewhere; `zoo list` shows all"
    )
    with pytest.raises(UnknownNameError) as caught:
        architecture("mine.keras")
    assert str(caught.value) == (
        "no architecture is called 'mine.keras', which is a file here: a network's name goes there; "
        "--weights (weights=) takes a file of weights, and keras.saving.load_model opens a whole model"
    )


def test_a_file_s_id_in_place_of_a_network_s_name_is_answered_with_the_network() -> None:
    """It is a name, but none of a network."""
    with pytest.raises(UnknownNameError) as caught:
        architecture("vgg16-th-gist")
    assert str(caught.value) == "no architecture is called 'vgg16-th-gist': it is a weights file of vgg16"


def test_a_weights_file_is_found_by_its_id() -> None:
    """An id leads to the file and its network."""
    network, file = weights_file("densenet161-tf-flyyufelix")
    assert (network.name, file.filename) == ("densenet161", "densenet161_weights_tf.h5")


def test_an_unknown_weights_file_is_answered_with_the_nearest() -> None:
    """The message lists similar ids."""
    with pytest.raises(UnknownNameError) as caught:
        weights_file("vgg16-th-gits")
    assert str(caught.value) == (
        "no weights file is called 'vgg16-th-gits'; nearest: vgg16-th-gist, vgg16-timm, vgg19-th-gist."
        " `zoo show NAME` shows those of a network."
    )


def test_weights_files_are_chosen_by_their_facts() -> None:
    """Set, top, layout and kernels narrow the choice; the order stays."""
    network = architecture("resnet50")
    chosen = weights_files(network, top=False)
    assert [file.id for file in chosen] == ["resnet50-th-notop-v0.2", "resnet50-tf-notop-v0.2"]
    assert [file.id for file in weights_files(network, layout="tf", kernels="tf", top=True)] == [
        "resnet50-tf-top-v0.2"
    ]
    assert weights_files(network, layout="th", kernels="tf") == ()
    assert {file.set for file in weights_files(network, "imagenet-0.1")} == {"imagenet-0.1"}


def test_an_unknown_weights_set_is_answered_with_those_there_are() -> None:
    """The message lists the sets of this network."""
    with pytest.raises(UnknownNameError) as caught:
        weights_files(architecture("inception_v3"), "imagenet21k")
    assert str(caught.value) == (
        "inception_v3 has no weights set 'imagenet21k'; it has: imagenet, imagenet-2017,"
        " imagenet-2017-pytorch; did you mean imagenet?"
    )


def reachable(root: object) -> list[object]:
    """Return everything that a registry holds, itself too, however deep."""
    found, waiting = [], [root]
    while waiting:
        one = waiting.pop()
        found.append(one)
        if is_dataclass(one):
            waiting += [getattr(one, field.name) for field in fields(one)]
        elif isinstance(one, Mapping):
            waiting += [*one, *one.values()]
        elif not isinstance(one, str) and isinstance(one, Iterable):
            waiting += list(one)
    return found


CHANGES = ("__setitem__", "__delitem__", "__ior__", "clear", "pop", "popitem", "setdefault", "update")
CHANGES += ("append", "extend", "insert", "remove", "sort", "reverse", "add", "discard", "__iadd__")


def test_nothing_in_a_registry_can_be_changed() -> None:
    """All share one registry: what one changes all others would see."""
    registry = get_registry()
    before = repr(registry)
    everything = reachable(registry)
    kinds = {type(one) for one in everything}
    assert len(everything) > 1000
    assert not kinds & {dict, list, set, bytearray}
    for one in everything:
        assert not hasattr(one, "__dict__"), one
        for name in [field.name for field in fields(one)] if is_dataclass(one) else ():
            with pytest.raises(FrozenInstanceError):
                setattr(one, name, None)
        if isinstance(one, Mapping):
            for change in CHANGES:
                for arguments in ((), ("vgg16",), ("vgg16", 1), ({"vgg16": 1},)):
                    with pytest.raises((TypeError, AttributeError)):
                        getattr(one, change)(*arguments)
        else:
            assert isinstance(one, (str, int, float, tuple, type(None))) or is_dataclass(one), one
    assert repr(get_registry()) == before


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_registry_can_be_copied(copied: Callable[[Any], Any]) -> None:
    """By whoever wants one to change."""
    network = get_registry().architectures["densenet161"]
    assert copied(network) == network
    assert copied(get_registry().architectures) == get_registry().architectures
    config = dict(network.default_graph.config)
    config["blocks"] = 1
    assert json.loads(json.dumps(asdict(network)))["name"] == "densenet161"
