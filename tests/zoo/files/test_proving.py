"""What is proven of a file by its authors' own: which layers are equal, by which rule, and which are not."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import h5py
import numpy as np
import pytest
import yaml

import zoo
from converters import convert_file
from converters.compare import compare_files, compare_held
from tests.origins_page import provenance
from tests.support.shares import EVERY_NETWORK, NETWORKS
from zoo.cli import main as command
from zoo.errors import ArgumentError, CacheError, FileFormatError, StructureMismatchError, UnknownNameError
from zoo.fetching import fetcher
from zoo.files import proving
from zoo.practice import caffe, files
from zoo.registry import load_registry
from zoo.registry.digests import hash_file
from zoo.storage import proofs as proofs_module
from zoo.storage.cache import Cache, Item
from zoo.storage.proofs import FOLDER, Proven, save_proof, saved_proofs

FOLDED = "slope and offset folded into those of conv1_{}"


@pytest.fixture(scope="module")
def origins(tmp_path_factory):
    """Return ``origins(name)``: the practice twin of a network's file of Caffe, to be read only."""
    folder, made = tmp_path_factory.mktemp("origins"), {}

    def written(name):
        if name not in made:
            made[name] = folder / f"{name}.caffemodel"
            network = NETWORKS[name]
            record = next(file for file in network.weights if file.format == "caffemodel")
            files.write(record, network, made[name])
        return made[name]

    return written


def sha256(path):
    """Return a file's digest."""
    return hash_file(path, ["sha256"])["sha256"]


def test_a_network_is_proven_by_its_authors_file(origins, practice_file):
    """All layers in the network's order, whatever had to be moved; the verdict has both digests."""
    keras, origin = practice_file("googlenet"), origins("googlenet")
    proof = zoo.prove(keras, origin=origin, from_kernels="th")
    assert proof.proven
    assert str(proof) == (
        f"proven: {keras} (sha256 {sha256(keras)}) and {origin} (sha256 {sha256(origin)}):"
        " of 64 layers 0 equal bit for bit, 64 after a rule"
    )
    assert {layer.status for layer in proof.comparison.layers} == {"permuted"}
    assert [layer.differing for layer in proof.comparison.layers] == [0] * 64
    assert sum(layer.values for layer in proof.comparison.layers) == 13_378_280


def test_rules_are_said_of_each_layer(origins, practice_file):
    """Slopes and offsets that are one layer's in Caffe and two layers' in Keras; and sums of them."""
    proof = zoo.prove(practice_file("densenet121"), origin=origins("densenet121"), from_kernels="th")
    told = {layer.name: layer.detail for layer in proof.comparison.layers}
    assert proof.proven
    assert (told["conv1_bn"], told["conv1_scale"]) == (
        f"{FOLDED.format('scale')}; beta folded offset, gamma folded slope,"
        " moving_mean divided by a factor, moving_variance divided by a factor",
        FOLDED.format("bn"),
    )
    assert told["conv2_1_x1"] == "kernel axes in order (2, 3, 1, 0)"
    assert told["fc6"].startswith("kernel ")


@pytest.fixture
def to_prove(origins, practice_file, tmp_path):
    """Return copies of a file and of its authors' own."""
    given = {"file": tmp_path / "some.h5", "origin": tmp_path / "some.caffemodel"}
    shutil.copy(practice_file("googlenet"), given["file"])
    shutil.copy(origins("googlenet"), given["origin"])
    return given


@pytest.mark.parametrize(
    ("changed", "how"), [("file", "replaced"), ("file", "written"), ("origin", "replaced")]
)
def test_a_digest_is_that_of_what_was_compared(changed, how, to_prove, monkeypatch):
    """Of a file that is another one by then nothing is proven."""
    given = to_prove

    def compare_and_change(*sides, **options):
        found = compare_held(*sides, **options)
        if how == "replaced":
            new = given[changed].with_name("new")
            shutil.copy(given[changed], new)
            new.rename(given[changed])
        else:
            with given[changed].open("ab") as stream:
                stream.write(b"more")
        return found

    monkeypatch.setattr(proving, "compare_held", compare_and_change)
    with pytest.raises(FileFormatError) as caught:
        zoo.prove(given["file"], origin=given["origin"], from_kernels="th")
    assert str(caught.value) == f"{given[changed]}: was changed while it was compared; run the same again"


FLIPS = {
    "lowest bit of one value": lambda values: values ^ 1,
    "sign of one value": lambda values: values ^ 0x80000000,
}


@pytest.mark.parametrize("flip", FLIPS.values(), ids=FLIPS)
@pytest.mark.parametrize("layer", ["conv1/7x7_s2", "inception_4c/3x3", "loss3/classifier"])
def test_a_flipped_bit_in_one_layer_is_found_and_named(flip, layer, origins, practice_file, tmp_path):
    """And no other layer is."""
    damaged = tmp_path / "damaged.h5"
    shutil.copy(practice_file("googlenet"), damaged)
    with h5py.File(damaged, "r+") as file:
        data = file[layer][f"{layer}_W"]
        place = tuple(size // 2 for size in data.shape)
        value = np.float32(data[place]).reshape(1).view("u4")
        data[place] = flip(value).view("f4")[0]
    proof = zoo.prove(damaged, origin=origins("googlenet"), from_kernels="th")
    found = [one for one in proof.comparison.layers if one.status == "different"]
    assert [(one.name, one.differing) for one in found] == [(layer, 1)]
    assert str(proof).startswith(f"not proven, 1 layer different ({layer}): ")
    assert found[0].largest > 0


def test_zero_and_minus_zero_are_not_the_same_bits(tmp_path):
    """Though they are equal, as `zoo diff` says."""
    for name, zero in (("one", 0.0), ("other", -0.0)):
        layers = list(caffe.published("googlenet"))
        layers[0].blobs[1][:] = zero
        caffe.write(tmp_path / f"{name}.caffemodel", layers, first=True)
    one, other = tmp_path / "one.caffemodel", tmp_path / "other.caffemodel"
    assert compare_files(one, other).equal
    proof = zoo.prove(one, origin=other)
    assert [layer.name for layer in proof.comparison.layers if layer.status == "different"] == [
        "conv1/7x7_s2"
    ]


def test_a_file_without_the_classifier_is_proven_below_it(origins, tmp_path):
    """What it lacks is left out and said; what the Keras file alone has counts."""
    network = NETWORKS["resnet50"]
    record = next(file for file in network.weights if file.id == "resnet50-th-notop-v0.2")
    files.write(record, network, tmp_path / "notop.h5")
    proof = zoo.prove(tmp_path / "notop.h5", origin=origins("resnet50"), from_kernels="th")
    assert proof.left_out == ("fc1000",)
    # Biases are drawn for a practice file, and no convolution of Caffe's but the first has one.
    different = [layer.name for layer in proof.comparison.layers if layer.status == "different"]
    assert len(different) == 52
    assert all(name.startswith("res") for name in different)


@pytest.fixture
def in_cache(tmp_path, monkeypatch, origins, practice_file):
    """Let a cache have a Keras file of GoogLeNet and its origin; nothing is asked of any host."""
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    of_weights = Item.of_weights  # what is kept here has none of the published digests
    monkeypatch.setattr(Item, "of_weights", lambda *args: replace(of_weights(*args), digests=(), bytes=None))
    cache = Cache(tmp_path / "home")
    for file in NETWORKS["googlenet"].weights:
        source = {"googlenet-th": practice_file, "googlenet-caffe": origins}.get(file.id)
        if source is not None:
            path = tmp_path / "home" / file.filename
            path.parent.mkdir(exist_ok=True)
            shutil.copy(source("googlenet"), path)
            item = Item.of_weights("googlenet", file)
            cache.keep(path, item, digests={"sha256": sha256(path)}, url="practice")
    return cache


def test_what_is_proven_is_kept_shown_and_pinned(in_cache, capsys):
    """By both digests; a file is more than first seen then, and its origin stands in without a doubt."""
    before = fetched_origin(in_cache)
    proof = zoo.prove("googlenet-th", save=True)
    assert proof.proven
    (kept,) = saved_proofs(in_cache.home)
    assert (kept.id, kept.origin, kept.proven) == ("googlenet-th", "googlenet-caffe", True)
    assert (kept.sha256, kept.origin_sha256) == (proof.sha256, proof.origin_sha256)
    assert [path.name for path in (in_cache.home / FOLDER).iterdir()] == [
        f"{proof.sha256}-{proof.origin_sha256}.json"
    ]
    assert command(["show", "googlenet-th"]) == 0
    line = f"{kept.date}: equal to googlenet-caffe (sha256:{proof.origin_sha256})"
    assert line in capsys.readouterr().out
    assert command(["registry", "pin", "googlenet-th"]) == 0
    pinned = yaml.safe_load(capsys.readouterr().out)["architectures"]["googlenet"]["weights"]["googlenet-th"]
    assert pinned["digests"] == [
        {
            "digest": f"sha256:{proof.sha256}",
            "grade": "proven",
            "source": f"proven on {kept.date} to hold the values of googlenet-caffe"
            f" (sha256:{proof.origin_sha256})",
        }
    ]
    told = f"proven here on {kept.date} to hold the same values as googlenet-th"
    assert before.endswith(
        "J. Marino, who converted the caffemodel of this sha1 to hold the same values, not proven"
    )
    assert fetched_origin(in_cache) == f"googlenet: taken from googlenet-caffe: {told}"
    check_stated_for_others(in_cache, kept, capsys)
    # A proof of files that were there before says nothing of these, and hides none of theirs.
    save_proof(in_cache.home, replace(kept, sha256="0" * 64, origin_sha256="0" * 64))
    assert fetched_origin(in_cache) == f"googlenet: taken from googlenet-caffe: {told}"


def check_stated_for_others(cache, kept, capsys):
    """Raise unless what was proven can be written for others, who see it wherever the registry is shown."""
    assert command(["registry", "pin", "googlenet-th", "--by", "Jane Doe"]) == 0
    overlay = cache.home / "proofs.yaml"
    text = yaml.safe_load(capsys.readouterr().out)
    weights = text["architectures"]["googlenet"]["weights"]
    pinned = weights["googlenet-th"]
    weights["googlenet-caffe"] = {"digests": []}  # those of the published file, which this is not
    overlay.write_text(yaml.safe_dump(text))
    digests = {"sha256": kept.sha256, "origin_sha256": kept.origin_sha256}
    stated = {"origin": "googlenet-caffe", **digests, "proven": True, "by": "Jane Doe", "date": kept.date}
    assert pinned["proofs"] == [stated]
    line = f"{kept.date}, by Jane Doe: equal to googlenet-caffe (sha256:{kept.origin_sha256})"
    network = load_registry([overlay]).architectures["googlenet"]
    assert provenance(network)[-2] == f"`googlenet-th`: {line}"
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("ZOO_REGISTRY", str(overlay))
        assert command(["show", "googlenet-th"]) == 0
        shown = " ".join(capsys.readouterr().out.split())
        assert f"compared by others {line}" in shown
        assert command(["registry", "pin", "googlenet-th", "--by", "Jane Doe"]) == 0
        assert yaml.safe_load(capsys.readouterr().out)["architectures"]["googlenet"]["weights"][
            "googlenet-th"
        ]["proofs"] == [stated]
    remembered = fetched_origin(cache, network, proofs=False)
    told = f"proven by Jane Doe on {kept.date} to hold the same values as googlenet-th"
    assert remembered == f"googlenet: taken from googlenet-caffe: {told}"


@pytest.mark.parametrize("origin", [None, "googlenet-th", "googlenet-tf"])
def test_only_the_authors_file_proves_one(in_cache, capsys, origin):
    """What equals a copy of itself, or another Keras file, is first seen and no more."""
    assert command(["registry", "pin", "googlenet-th"]) == 0
    before = capsys.readouterr().out
    assert "grade: seen" in before
    seen = in_cache.memory.all_seen()["googlenet-th"].sha256
    proof = Proven(
        id="googlenet-th", sha256=seen, origin=origin, origin_sha256=seen, proven=True, date="2026-01-01"
    )
    save_proof(in_cache.home, proof)
    assert command(["registry", "pin", "googlenet-th"]) == 0
    assert capsys.readouterr().out == before


def test_what_was_taken_for_the_authors_file_before_proves_nothing(in_cache, capsys):
    """Once another file was accepted in its place; until that one is compared, the file is first seen."""
    zoo.prove("googlenet-th", save=True)
    assert command(["registry", "pin", "googlenet-th"]) == 0
    assert "grade: proven" in capsys.readouterr().out
    assert command(["trust", "googlenet-caffe", "--forget"]) == 0
    assert command(["trust", "googlenet-caffe", "--accept", "0" * 64]) == 0
    capsys.readouterr()
    assert command(["registry", "pin", "googlenet-th", "--by", "Jane Doe"]) == 0
    pinned = capsys.readouterr().out
    assert "grade: seen" in pinned
    assert "proofs" not in pinned


def fetched_origin(cache, network=NETWORKS["googlenet"], *, proofs=True):
    """Return the line that is said where the origin stands in for the Keras files; without proofs of here."""
    if not proofs:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(proofs_module, "saved_proofs", lambda home: ())
            return fetched_origin(cache, network)
    return fetcher.Fetcher(cache).find_cached(network, "imagenet", top=True, origin=True).notes[-1]


def test_the_command_says_by_its_exit_code_whether_it_is_so(in_cache, origins, capsys, tmp_path):
    """0 proven, 1 not, 2 nobody can tell; in JSON each layer."""
    assert command(["prove", "googlenet-th", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["proven"], told["network"], len(told["layers"])) == (True, "googlenet", 64)
    assert (told["file"]["id"], told["origin"]["id"]) == ("googlenet-th", "googlenet-caffe")
    damaged = tmp_path / "damaged.caffemodel"
    content = bytearray(origins("googlenet").read_bytes())
    content[-1] ^= 1
    damaged.write_bytes(content)
    assert command(["prove", "googlenet-th", "--origin", str(damaged)]) == 1
    assert "not proven, 1 layer different (loss3/classifier)" in capsys.readouterr().out
    assert command(["prove", str(tmp_path / "missing.h5")]) == 2
    assert saved_proofs(in_cache.home) == ()


def test_one_file_on_both_sides_is_called_one(in_cache, origins, tmp_path):
    """By whatever names: a user's copy is the authors' own then."""
    digest = sha256(origins("googlenet"))
    copy = shutil.copy(origins("googlenet"), tmp_path / "copy.caffemodel")
    proof = zoo.prove(copy, origin="googlenet-caffe")
    assert str(proof) == f"proven: {copy} and googlenet-caffe are the same file (sha256 {digest})"


def test_of_a_published_file_the_registry_says_how_kernels_lie(in_cache, capsys):
    """Nobody is let to think that something else was compared."""
    assert command(["prove", "googlenet-th", "--from-kernels", "tf"]) == 2
    reason = "must be left out: the registry says it of googlenet-th"
    assert capsys.readouterr().err == f"zoo: --from-kernels tf: {reason}\n"


def test_what_cannot_be_told_is_said_before_anything_is_compared(in_cache, origins):
    """A network instead of a file; a set of which nobody says where it comes from; two networks."""
    with pytest.raises(
        UnknownNameError, match="googlenet: is a network: name one of its files, googlenet-th,"
    ):
        zoo.prove("googlenet")
    with pytest.raises(
        ArgumentError, match="nobody states what the weights set 'imagenet-caffe' of googlenet"
    ):
        zoo.prove("googlenet-caffe")
    with pytest.raises(StructureMismatchError, match=r"holds resnet50, and .* holds googlenet: only"):
        zoo.prove("googlenet-th", origin=origins("resnet50"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [("{", "is damaged: it is not JSON; remove it"), ("{}", "is damaged: id: is missing")],
)
def test_a_proof_that_is_damaged_is_named(content, reason, tmp_path):
    """It proves nothing, and is not passed over."""
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "a-b.json").write_text(content)
    with pytest.raises(CacheError) as caught:
        saved_proofs(tmp_path)
    assert f"a-b.json: {reason}" in str(caught.value)


SMALL = "mobilenet_0.25"
FORMS_OF_SMALL = {
    "keras2": {"to": "keras2"},
    "keras2 rotated": {"to": "keras2", "to_kernels": "th"},
    "keras3": {"to": "keras3"},
    "npz th": {"to": "npz", "to_layout": "th", "to_kernels": "th"},
    "safetensors": {"to": "safetensors"},
}
"""Dialects, layouts and kernels that a small network's file may have; Keras 1 had no such layers."""


def _channels(arrays):
    arrays["conv1"]["conv1/kernel:0"] = arrays["conv1"]["conv1/kernel:0"][:, :, ::-1]


def _scale(arrays):
    arrays["conv1"]["conv1/kernel:0"] = arrays["conv1"]["conv1/kernel:0"] * np.float32(1 / 255)


def _deviations(arrays):
    arrays["conv1"]["conv1/kernel:0"] /= np.array([[[[0.25], [0.5], [2.0]]]], "f4")


def _class_0(arrays):
    for name, values in arrays["conv_preds"].items():
        arrays["conv_preds"][name] = values[..., 1:]


def _class_more(arrays):
    for name, values in arrays["conv_preds"].items():
        arrays["conv_preds"][name] = np.concatenate([values[..., :1] + 1, values], -1)


CHANGES = {
    "order of input channels": ([_channels], {"order of input channels": ("conv1",)}),
    "folded scale": ([_scale], {"folded scale of the input": ("conv1",)}),
    "folded deviations": ([_deviations], {"folded scale of the input": ("conv1",)}),
    "dropped class 0": ([_class_0], {"dropped class 0": ("conv_preds",)}),
    "one class more": ([_class_more], {"dropped class 0": ("conv_preds",)}),
    "all of them": (
        [_channels, _scale, _class_more],
        {
            "order of input channels": ("conv1",),
            "folded scale of the input": ("conv1",),
            "dropped class 0": ("conv_preds",),
        },
    ),
}
"""What a converter may do to a network, and the rules that are named then."""


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Return ``small(change)``: a network's Keras 2 file after changes of its arrays, to be read only."""
    folder, made = tmp_path_factory.mktemp("small"), {}
    published = folder / "published.h5"
    network = EVERY_NETWORK[SMALL]
    files.write(network.weights[0], network, published)

    def written(*changes):
        if changes not in made:
            path = made[changes] = folder / f"{len(made)}.h5"
            shutil.copy(published, path)
            rewrite(path, changes)
        return made[changes]

    return written


def rewrite(path, changes):
    """Change the arrays of a Keras 2 file: by layer, by name."""
    with h5py.File(path, "r+") as file:
        layers = ("conv1", "conv_preds")
        arrays = {layer: {name: file[layer][name][()] for name in names_in(file, layer)} for layer in layers}
        for change in changes:
            change(arrays)
        for layer, found in arrays.items():
            for name, values in found.items():
                del file[layer][name]
                file[layer][name] = values


def names_in(file, layer):
    """Return the names of a layer's arrays."""
    return [name.decode() for name in file[layer].attrs["weight_names"]]


@pytest.mark.parametrize("form", FORMS_OF_SMALL)
@pytest.mark.parametrize(("changes", "rules"), CHANGES.values(), ids=CHANGES)
def test_rules_are_named_in_every_form(changes, rules, form, small, tmp_path):
    """Of files that differ by exactly that: whichever is the authors', whatever form the other one has."""
    converted = tmp_path / "converted"
    convert_file(small(), converted, **FORMS_OF_SMALL[form])
    kernels = FORMS_OF_SMALL[form].get("to_kernels", "tf")
    proof = zoo.prove(converted, origin=small(*changes), from_kernels=kernels)
    assert proof.proven
    assert proof.rules == rules
    assert proof.as_dict()["rules"] == {rule: list(names) for rule, names in rules.items()}
    assert str(proof).endswith("".join(f"; {rule}: {', '.join(names)}" for rule, names in rules.items()))
    assert zoo.prove(small(*changes), origin=small()).rules == rules


@pytest.mark.parametrize("changes", [(), (_channels,), (_scale,), (_channels, _scale)], ids=len)
@pytest.mark.parametrize("layer", ["conv1", "conv_preds"])
def test_a_flipped_bit_behind_a_rule_is_counted_and_named(changes, layer, small, tmp_path):
    """One value, and not all those that the rule accounts for."""

    def flip(arrays):
        name = next(iter(arrays[layer]))
        bits = np.ascontiguousarray(arrays[layer][name]).view("u4")
        bits[(0,) * (bits.ndim - 1)][-1] ^= 1
        arrays[layer][name] = bits.view("f4")

    damaged = tmp_path / "damaged.h5"
    shutil.copy(small(*changes), damaged)
    rewrite(damaged, [flip])
    proof = zoo.prove(damaged, origin=small())
    found = [one for one in proof.comparison.layers if one.status == "different"]
    assert [(one.name, one.differing) for one in found] == [(layer, 1)]
    assert str(proof).startswith(f"not proven, 1 layer different ({layer}): ")


def test_only_the_ends_of_a_network_have_such_rules(small, tmp_path):
    """Any other layer that is a multiple, or reversed, is different."""
    damaged = tmp_path / "damaged.h5"
    shutil.copy(small(), damaged)
    with h5py.File(damaged, "r+") as file:
        data = file["conv_pw_1"]["conv_pw_1/kernel:0"]
        data[:] = data[:] * np.float32(0.5)
    proof = zoo.prove(damaged, origin=small())
    assert str(proof).startswith("not proven, 1 layer different (conv_pw_1): ")
    assert proof.rules == {}


def test_the_last_class_dropped_is_not_class_0(small, tmp_path):
    """Nor is a class of the bias alone."""

    def last(arrays):
        for name, values in arrays["conv_preds"].items():
            arrays["conv_preds"][name] = values[..., :-1]

    proof = zoo.prove(small(last), origin=small())
    assert not proof.proven
    (found,) = (one for one in proof.comparison.layers if one.status == "different")
    assert (found.name, found.detail) == ("conv_preds", "kernel without class 0, bias without class 0")
    assert proof.rules == {}


@pytest.mark.parametrize("form", ["th", "tf"])
def test_rules_of_caffe_s_files_are_named_together(form, practice_file, tmp_path):
    """A file whose images were RGB and between 0 and 1, against the Keras file of a network of Caffe's."""
    layers = list(caffe.published("googlenet"))
    layers[0].blobs[0] = (layers[0].blobs[0][:, ::-1] * np.float32(0.017)).astype("f4")
    caffe.write(tmp_path / "rgb.caffemodel", layers, first=True)
    proof = zoo.prove(practice_file("googlenet", form), origin=tmp_path / "rgb.caffemodel", from_kernels=form)
    first = "conv1/7x7_s2"
    assert proof.rules == {"order of input channels": (first,), "folded scale of the input": (first,)}
    told = {layer.name: layer.detail for layer in proof.comparison.layers}
    said = "kernel input channels reversed, kernel the first file's times 0.0170000009, kernel axes in order"
    assert told[first].startswith(said)
