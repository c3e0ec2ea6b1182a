"""The practice zoo writes what was published, drawn by a rule that other software followed too."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import socket
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import requests
import yaml
from h5py import h5d

from converters.planning.structures import load_structure
from tests.support.guard import NetworkUsedError
from tests.support.paths import NETWORK_DATA
from tests.support.shares import NETWORKS, OF_KERAS, first_of_families
from zoo import practice
from zoo.errors import ArgumentError, UnknownNameError
from zoo.networks.preprocessing import apply_recipe
from zoo.practice import __main__ as command
from zoo.practice import caffe, files, values
from zoo.registry import load_registry, weights_file
from zoo.registry.digests import hash_file
from zoo.registry.records import Architecture, WeightsFile

DATA = NETWORK_DATA
DRAWS = Path(values.__file__).with_name("draws")
NAMES = sorted(path.name.removesuffix(".layout.json") for path in DATA.glob("*.layout.json"))

# 40 bytes more than published: what distinguishes this file's layout is not known.
SIZE_NOT_MET = {"inception_v3-tf-notop-v0.5"}
REGISTRY = load_registry(overlays=())
SIZED = [
    (architecture.name, file.id)
    for architecture in REGISTRY.architectures.values()
    for file in architecture.weights
    if file.bytes is not None and file.id not in SIZE_NOT_MET and architecture.name not in OF_KERAS
    if file.format is None
]
"""Files whose size is known, and the names of their layers, which take part of it."""


def published_layout(name: str) -> dict[str, Any]:
    """Return what Keras 1.2.2 on Theano 1.0.5 wrote for a network."""
    return json.loads((DATA / f"{name}.layout.json").read_text("utf-8"))


def record(identifier: str) -> tuple[Architecture, WeightsFile]:
    """Return a published file of the shipped registry and its network."""
    return weights_file(identifier)


def write_twin(identifier: str, path: Path, **changes: Any) -> Path:
    """Write the practice twin of a published file, some of its facts changed."""
    architecture, file = record(identifier)
    files.write(replace(file, **changes), architecture, path)
    return path


def layer_names(file: h5py.File) -> list[str]:
    """Return the names in a file's attribute ``layer_names``."""
    return [name.decode() for name in file.attrs["layer_names"]]


def weight_names(group: h5py.Group) -> list[str]:
    """Return the names in a layer's attribute ``weight_names``."""
    return [bytes(name).decode() for name in group.attrs["weight_names"]]


# Values


def test_images_follow_the_rule():
    """Both practice images come from one generator, named by the network, and are scaled by its constant."""
    images = values.images("densenet121")
    rng = np.random.default_rng(zlib.crc32(b"densenet121/input"))
    expected = rng.uniform(-1, 1, (2, 3, 224, 224)).astype(np.float32) * np.float32(60)
    assert images.dtype == np.float32
    assert np.array_equal(images, expected)


def test_network_without_images_is_refused():
    """A network without listed draws has no images, and the message lists those that have."""
    with pytest.raises(ArgumentError, match=r"^no practice images for 'alexnet'; there are some for dense"):
        values.images("alexnet")


@pytest.mark.parametrize("name", NETWORKS)
def test_recipe_gives_images_of_the_scale_that_values_are_drawn_for(name):
    """Black and white, prepared for practice values, are about as far from zero as the practice images."""
    network = REGISTRY.architectures[name]
    recipe = REGISTRY.preprocessing[values.recipe(network)]
    ends = apply_recipe(recipe, np.float32([[[[0] * 3]], [[[255] * 3]]]))
    constant = json.loads((DRAWS / f"{name}.json").read_text("utf-8"))["input"]["constant"]
    assert 0.5 < np.abs(ends).max() / constant < 4


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
@pytest.mark.parametrize("size", [1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_drawing_in_blocks_changes_nothing(distribution, size):
    """An array longer than a block has the values that drawing it in one piece gives."""
    rng = np.random.default_rng(zlib.crc32(b"some/layer/0"))
    whole = 0.5 + 2.0 * rng.standard_normal(size) if distribution == "normal" else rng.uniform(0.5, 2.0, size)
    drawn = values.Draw(distribution=distribution, a=0.5, b=2.0).fill("some/layer/0", (size,))
    assert np.array_equal(drawn, whole.astype(np.float32))


@pytest.mark.parametrize(
    ("role", "shape", "distribution", "a", "b"),
    [
        ("kernel", (64, 3, 7, 7), "normal", 0.0, (2 / 147) ** 0.5),
        ("kernel", (2048, 1000), "normal", 0.0, (2 / 2048) ** 0.5),
        ("bias", (5,), "normal", 0.0, 0.05),
        ("gamma", (5,), "normal", 1.0, 0.1),
        ("beta", (5,), "normal", 0.0, 0.1),
        ("moving_mean", (5,), "normal", 0.0, 0.1),
        ("moving_variance", (5,), "uniform", 0.5, 1.5),
    ],
)
def test_unlisted_draws_follow_the_role(role, shape, distribution, a, b):
    """What no file of draws lists is drawn by its role, kernels by the number of their inputs."""
    assert values.default_draw(role, shape) == values.Draw(distribution=distribution, a=a, b=b)


def test_graph_without_draws_has_values_of_its_own():
    """The first kernel of the 2017 Inception-V3 is drawn under that graph's name, at the default scale."""
    layer = load_structure("inception_v3_2017").weighted[0]
    rng = np.random.default_rng(zlib.crc32(b"inception_v3_2017/conv2d_1/0"))
    expected = ((2 / 27) ** 0.5 * rng.standard_normal((32, 3, 3, 3))).astype(np.float32)
    assert np.array_equal(values.array("inception_v3_2017", layer, "kernel"), expected)


# Files


@pytest.mark.parametrize("name", first_of_families(NAMES))
def test_published_file_is_keras_1_to_the_byte(name, practice_file):
    """The Theano file of each network has the original's attributes, order, names, shapes, values, size."""
    expected = published_layout(name)
    path = practice_file(name)
    assert path.stat().st_size == expected["bytes"]
    with h5py.File(path, "r") as file:
        assert list(file.attrs) == ["layer_names"]
        assert file.attrs["layer_names"].dtype.str == expected["layer_names_dtype"]
        assert layer_names(file) == [layer for layer, _ in expected["layers"]]
        digest = hashlib.sha256()
        for layer, arrays in expected["layers"]:
            check_layer(file[layer], arrays, digest)
    assert digest.hexdigest() == expected["values_sha256"]


def check_layer(group: h5py.Group, arrays: list[list[Any]], digest: Any) -> None:
    """Compare one layer of a file with its golden arrays, each a name, a shape and a CRC-32."""
    assert list(group.attrs) == ["weight_names"]
    assert weight_names(group) == [name for name, _, _ in arrays]
    longest = max((len(name) for name, _, _ in arrays), default=0)
    assert group.attrs["weight_names"].dtype == (f"S{longest}" if arrays else np.float64)
    for name, shape, crc in arrays:
        dataset = group[name]
        assert dataset.shape == tuple(shape)
        assert dataset.dtype == np.float32
        assert dataset.id.get_create_plist().get_layout() == h5d.CONTIGUOUS
        found = dataset[...]
        assert (name, f"{zlib.crc32(found):08x}") == (name, crc)
        digest.update(found)


@pytest.fixture
def hollow(monkeypatch):
    """Let arrays be zeros of which only the last is written, so that files are sparse."""
    write = h5py.Dataset.__setitem__

    def zeros(graph, layer, role):
        return np.broadcast_to(np.float32(0), values.theano_shape(layer.arrays[role]))

    def write_the_last(dataset, key, array):
        assert (key, array.shape) == (..., dataset.shape)
        write(dataset, tuple(count - 1 for count in dataset.shape), 0)

    monkeypatch.setattr(values, "array", zeros)
    monkeypatch.setattr(h5py.Dataset, "__setitem__", write_the_last)


@pytest.mark.parametrize(("name", "identifier"), SIZED)
def test_twin_has_the_published_size(name, identifier, tmp_path, hollow):
    """Wherever a published file's size is known, its practice twin has it to the byte."""
    path = write_twin(identifier, tmp_path / "twin.h5")
    size = path.stat().st_size
    path.unlink()  # up to 575 MB, if not sparse
    assert size == record(identifier)[1].bytes


CAFFE = [
    (name, file.bytes)
    for name, architecture in REGISTRY.architectures.items()
    for file in architecture.weights
    if file.format == "caffemodel"
]


@pytest.mark.parametrize(("name", "nbytes"), CAFFE)
def test_twin_of_caffe_has_the_published_values(name, nbytes, monkeypatch):
    """A file has as many values as the published one, whose other bytes are below 0.1 MB."""

    def nothing(graph, layer, role):
        return np.broadcast_to(np.float32(0), values.theano_shape(layer.arrays[role]))

    monkeypatch.setattr(values, "array", nothing)
    monkeypatch.setattr(np, "ascontiguousarray", lambda array: array)
    structure = load_structure(name)
    layers = list(caffe.published(name, structure.known_as.get("caffe")))
    size = 4 * sum(math.prod(blob.shape) for layer in layers for blob in layer.blobs)
    assert 0 < nbytes - size < 100_000


def test_tensorflow_form_holds_the_same_network(practice_file):
    """In tf form kernels are (H, W, I, O) and turned by half a turn, rows after Flatten follow (H, W, C)."""
    paths = practice_file("googlenet"), practice_file("googlenet", "tf")
    with h5py.File(paths[0], "r") as th, h5py.File(paths[1], "r") as tf:
        assert layer_names(tf) == layer_names(th)
        kernel = th["conv1/7x7_s2"]["conv1/7x7_s2_W"][...]
        turned = tf["conv1/7x7_s2"]["conv1/7x7_s2_W:0"][...]
        assert turned.shape == (7, 7, 3, 64)
        assert turned[1, 4, 2, 63] == kernel[63, 2, 5, 2]
        assert np.array_equal(turned, np.rot90(kernel, 2, axes=(2, 3)).transpose(2, 3, 1, 0))
        rows = th["loss1/fc"]["loss1/fc_W"][...]
        moved = tf["loss1/fc"]["loss1/fc_W:0"][...]
        channel, pixel = 77, 3 * 4 + 1
        assert np.array_equal(moved[pixel * 128 + channel], rows[channel * 16 + pixel])
        assert sorted(map(bytes, moved)) == sorted(map(bytes, rows))
        for plain in ("loss3/classifier", "conv1/7x7_s2"):
            assert np.array_equal(tf[plain][f"{plain}_b:0"], th[plain][f"{plain}_b"])
        classifier = tf["loss3/classifier"]["loss3/classifier_W:0"]
        assert np.array_equal(classifier, th["loss3/classifier"]["loss3/classifier_W"])


@pytest.mark.parametrize(("layout", "kernels"), [("th", "tf"), ("tf", "th")])
def test_layout_and_kernels_are_two_facts(layout, kernels, tmp_path):
    """A file may be channels first with kernels as TensorFlow has them, or the other way round."""
    path = write_twin("densenet121-th-flyyufelix", tmp_path / "twin.h5", layout=layout, kernels=kernels)
    drawn = values.array("densenet121", load_structure("densenet121").weighted[0], "kernel")
    if kernels == "tf":
        drawn = np.rot90(drawn, 2, axes=(2, 3))
    if layout == "tf":
        drawn = drawn.transpose(2, 3, 1, 0)
    with h5py.File(path, "r") as file:
        assert np.array_equal(file["conv1"]["conv1_W"], drawn)


def test_keras_0_file_has_numbers_for_names(tmp_path, hollow):
    """A Keras 0.x file numbers layers, weightless ones too, and arrays, and counts both in attributes."""
    path = write_twin("densenet121-th-flyyufelix", tmp_path / "twin.h5", dialect="keras0")
    layers = load_structure("densenet121").layers
    with h5py.File(path, "r") as file:
        assert dict(file.attrs) == {"nb_layers": len(layers)}
        assert file.attrs["nb_layers"].dtype == np.int64
        assert set(file) == {f"layer_{place}" for place in range(len(layers))}
        for place, layer in enumerate(layers):
            group = file[f"layer_{place}"]
            assert dict(group.attrs) == {"nb_params": len(layer.arrays)}
            shapes = [group[f"param_{index}"].shape for index in range(len(group))]
            assert shapes == [values.theano_shape(shape) for shape in layer.arrays.values()]


def test_keras_2_file_says_who_wrote_it(tmp_path, hollow):
    """A Keras 2 file names its backend and version, and each array by its role below the layer's name."""
    path = write_twin("inception_v3-tf-notop-v0.5", tmp_path / "twin.h5")
    with h5py.File(path, "r") as file:
        assert list(file.attrs) == ["backend", "keras_version", "layer_names"]
        assert (file.attrs["backend"], file.attrs["keras_version"]) == ("tensorflow", "2.0.5")
        assert h5py.check_string_dtype(file.attrs.get_id("backend").dtype) == ("ascii", None)
        assert weight_names(file["conv2d_1"]) == ["conv2d_1/kernel:0"]
        names = ["beta", "moving_mean", "moving_variance"]
        expected = [f"batch_normalization_1/{name}:0" for name in names]
        assert weight_names(file["batch_normalization_1"]) == expected
        assert file["conv2d_1"]["conv2d_1"]["kernel:0"].shape == (3, 3, 3, 32)


def test_keras_2_kernels_keep_their_axes_in_both_layouts(tmp_path):
    """Keras 2 on Theano stores (H, W, I, O) though it computes channels first; its kernels are rotated."""
    path = write_twin("densenet121-th-flyyufelix", tmp_path / "twin.h5", dialect="keras2")
    drawn = values.array("densenet121", load_structure("densenet121").weighted[0], "kernel")
    with h5py.File(path, "r") as file:
        assert file.attrs["backend"] == "theano"
        assert np.array_equal(file["conv1"]["conv1/kernel"], drawn.transpose(2, 3, 1, 0))


@pytest.mark.usefixtures("hollow")
@pytest.mark.parametrize(
    ("identifier", "first", "last", "count"),
    [
        ("vgg16-th-notop-v0.1", "block1_conv1", "block5_pool", 18),
        ("vgg19-th-notop-v0.1", "input_1", "block5_pool", 22),
        ("resnet50-th-notop-v0.2", "input_1", "avg_pool", 175),
        ("inception_v3-th-notop-v0.2", "input_1", "mixed10", 217),
        ("inception_v4-tf-notop-ks2.1", "input_1", "concatenate_25", 491),
    ],
)
def test_file_without_its_top_ends_where_the_original_did(identifier, first, last, count, tmp_path):
    """A file without its top lists the layers, weightless ones too, that the original model had."""
    with h5py.File(write_twin(identifier, tmp_path / "twin.h5"), "r") as file:
        names = layer_names(file)
        assert (names[0], names[-1], len(names)) == (first, last, count)
        assert all(name in file for name in names)


def test_other_names_hold_the_same_values(tmp_path):
    """The file that calls VGG-16's layers block1_conv1 and so on has the values of the auto-numbered ones."""
    path = write_twin("vgg16-th-notop-v0.1", tmp_path / "twin.h5")
    with h5py.File(path, "r") as file:
        weighted = [name for name in layer_names(file) if len(file[name])]
        for name, layer in zip(weighted, load_structure("vgg16").weighted[:13], strict=True):
            assert np.array_equal(file[name][f"{name}_W"], values.array("vgg16", layer, "kernel"))
            assert np.array_equal(file[name][f"{name}_b"], values.array("vgg16", layer, "bias"))


def test_unknown_file_without_its_top_is_refused(tmp_path):
    """A structure of which no file without its top was published has none to imitate."""
    with pytest.raises(ArgumentError) as caught:
        write_twin("googlenet-th", tmp_path / "twin.h5", top=False)
    assert str(caught.value) == (
        "googlenet-th: no file without its top is known for structure googlenet; there is one for "
        "inception_v3, inception_v3_2017, inception_v4, inception_v4_noscale, resnet50, vgg16_blocks, "
        "vgg19_blocks"
    )


# The served folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder with the practice files of two networks in both forms, where both were published."""
    folder = tmp_path_factory.mktemp("folder")
    practice.build(folder, ["densenet121", "googlenet"], ["th", "tf"])
    yield folder
    for path in folder.rglob("*.h5"):
        path.unlink()


def test_catalogue_is_an_overlay_of_twins(folder):
    """The catalogue is an overlay; its files differ from the published ones in identity and values."""
    registry = load_registry([folder / "practice.yaml"])
    networks = [registry.architectures[name] for name in ("densenet121", "googlenet")]
    twins = {file.id: file for network in networks for file in network.weights}
    assert list(twins) == [
        "practice-densenet121-th-flyyufelix",
        "practice-densenet121-tf-flyyufelix",
        "practice-googlenet-th",
    ]
    for identifier, twin in twins.items():
        published = record(identifier.removeprefix("practice-"))[1]
        path = folder / identifier / published.filename
        found = hash_file(path, ["sha256", "md5"])
        assert [(one.algorithm, one.value, one.grade) for one in twin.digests] == [
            ("sha256", found["sha256"], "practice"),
            ("md5", found["md5"], "practice"),
        ]
        changed = {name: getattr(twin, name) for name in ("id", "bytes", "digests", "licence", "source")}
        assert replace(published, **changed) == twin
        assert twin.bytes == path.stat().st_size


def test_overlay_names_the_recipe_that_its_values_need(folder):
    """Served or not, a DenseNet of the practice zoo gets its images at full scale, and GoogLeNet as ever."""
    with practice.serve(folder) as zoo:
        for overlay in (folder / "practice.yaml", zoo.registry):
            registry = load_registry([overlay])
            recipes = [
                registry.architectures[name].preprocessing.name for name in ("densenet121", "googlenet")
            ]
            assert recipes == ["caffe", "caffe"]
            assert registry.architectures["densenet161"].preprocessing.name == "caffe_x0.017"


def test_other_networks_stay_as_they_are(folder):
    """An overlay of two networks leaves the others to the registry below it."""
    registry = load_registry([folder / "practice.yaml"])
    assert registry.architectures["resnet50"] == REGISTRY.architectures["resnet50"]


def test_class_index_has_the_published_form(folder):
    """The practice class index maps 1000 numbers, as text, to pairs, and says that it is practice."""
    index = load_registry([folder / "practice.yaml"]).class_indexes["imagenet"]
    path = folder / "practice-imagenet" / "imagenet_class_index.json"
    classes = json.loads(path.read_text("utf-8"))
    assert list(classes) == [str(place) for place in range(1000)]
    assert classes["7"] == ["n00000007", "practice_class_0007"]
    assert index.bytes == path.stat().st_size
    assert str(index.digests[0]) == f"sha256:{hash_file(path, ['sha256'])['sha256']}"


def test_every_address_of_the_served_zoo_leads_to_its_file(folder):
    """Each URL of the served overlay is on loopback, in the published form, and gives the file's bytes."""
    with practice.serve(folder) as zoo:
        registry = load_registry([zoo.registry])
        for name in ("densenet121", "googlenet"):
            for twin in registry.architectures[name].weights:
                path = folder / twin.id / twin.filename
                for url in twin.urls:
                    assert url.startswith(zoo.server.origin() + "/")
                    assert requests.get(url, timeout=20).content == path.read_bytes()
        index = registry.class_indexes["imagenet"]
        assert requests.get(index.urls[0], timeout=20).json()["0"] == ["n00000000", "practice_class_0000"]
        drive = registry.architectures["googlenet"].weights[0].urls[0]
        assert drive == zoo.server.origin() + "/uc?export=download&id=0B319laiAPjU3RE1maU9MMlh2dnc"
    assert not zoo.registry.exists()


def test_ids_pick_files(tmp_path):
    """Asked for ids, it writes these files and no others."""
    practice.build(tmp_path, ids=["densenet121-tf-flyyufelix"])
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert found == [
        "practice-densenet121-tf-flyyufelix/densenet121_weights_tf.h5",
        "practice-imagenet/imagenet_class_index.json",
        "practice.yaml",
    ]


def test_practice_of_practice_is_not_built(tmp_path, folder, monkeypatch):
    """A zoo is built from the shipped registry, whatever overlay the environment names."""
    monkeypatch.setenv("ZOO_REGISTRY", str(folder / "practice.yaml"))
    practice.build(tmp_path, ["densenet121"])
    overlay = yaml.safe_load((tmp_path / "practice.yaml").read_text("utf-8"))
    assert overlay["architectures"]["densenet121"]["weights"][0]["id"] == "practice-densenet121-th-flyyufelix"


def test_unknown_network_is_refused(tmp_path):
    """A name that is no network is answered with the nearest ones."""
    with pytest.raises(UnknownNameError, match=r"^no architecture is called 'densenet1221'; nearest: dense"):
        practice.build(tmp_path, ["densenet1221"])


def test_unknown_file_is_refused(tmp_path):
    """An id that is no weights file of the networks is answered with the nearest ones."""
    with pytest.raises(UnknownNameError, match=r"^no weights file is called 'googlenet-ht'; nearest: google"):
        practice.build(tmp_path, ids=["googlenet-ht"])


def test_form_that_was_never_published_is_refused(tmp_path):
    """GoogLeNet has no TensorFlow file, so there is nothing to write a twin of."""
    with pytest.raises(ArgumentError, match=r"^nothing to write: no such file was published in tf form$"):
        practice.build(tmp_path, ["googlenet"], ["tf"])


def test_folder_without_catalogue_is_refused(tmp_path):
    """A folder that nothing was built in cannot be served; the message says what builds one."""
    message = f"{tmp_path}: no practice zoo is here; `python -m zoo.practice` writes one"
    with pytest.raises(ArgumentError, match=f"^{re.escape(message)}$"), practice.serve(tmp_path):
        pass


# The command


def test_command_prints_what_a_shell_needs_and_ends_with_ctrl_c(tmp_path, capsys):
    """The command serves until it is interrupted, and prints nothing but the export lines."""
    seen: list[Path] = []

    def interrupted() -> None:
        seen.extend(tmp_path.glob("registry-*.yaml"))
        raise KeyboardInterrupt

    assert command.main(["densenet121", "--folder", str(tmp_path)], wait=interrupted) == 0
    out, err = capsys.readouterr()
    assert out == f"export ZOO_REGISTRY={seen[0]}\nexport ZOO_HOME={tmp_path / 'home'}\n"
    assert err == "practice values, not ImageNet's; serving until Ctrl-C\n"
    assert not seen[0].exists()


def test_command_names_a_place_that_is_a_file(tmp_path, capsys):
    """In one line."""
    (tmp_path / "taken").touch()
    assert command.main(["googlenet", "--folder", str(tmp_path / "taken")]) == 1
    assert capsys.readouterr() == ("", f"zoo.practice: {tmp_path / 'taken'}: File exists\n")


def test_command_names_its_error(tmp_path, capsys):
    """What cannot be built is one line on standard error and exit code 1."""
    assert command.main(["googlenet", "--form", "tf", "--folder", str(tmp_path)]) == 1
    assert capsys.readouterr() == (
        "",
        "zoo.practice: nothing to write: no such file was published in tf form\n",
    )


# What the other tests stand on


def test_network_is_out_of_reach():
    """No test can reach another machine, by name or by number."""
    with pytest.raises(NetworkUsedError, match=r"^a test tried to look up example\.org$"):
        requests.get("https://example.org/", timeout=1)
    with (
        socket.socket() as client,
        pytest.raises(NetworkUsedError, match=r"^a test tried to connect to 192\.0\.2\.1$"),
    ):
        client.connect(("192.0.2.1", 80))


def test_loopback_is_within_reach():
    """A test can reach a server of its own, by name and by number."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        for host in ("127.0.0.1", "localhost"):
            with socket.create_connection((host, server.getsockname()[1]), timeout=5) as client:
                assert client.getpeername() == server.getsockname()


def test_each_test_has_an_empty_cache_of_its_own(tmp_path):
    """The cache of a test is below its own folder, and no overlay is in force."""
    assert os.environ["ZOO_HOME"] == str(tmp_path / "zoo-home")
    assert "ZOO_REGISTRY" not in os.environ
