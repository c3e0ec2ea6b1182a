"""Where no source of a weights set answers: the file that it was converted from, if somebody says which."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.hosts import FaultyServer
from tests.support.world import RELEASE, RELEASE_TH, World, read_h5, sha256_of, th_arrays
from zoo.errors import CacheError, DownloadError, FileFormatError
from zoo.practice import caffe
from zoo.practice.server import not_found
from zoo.registry.digests import hash_file
from zoo.registry.records import Digest, WeightsSet
from zoo.storage.proofs import Proven, save_proof

ORIGIN_URL = "https://authors.example.org/tiny.caffemodel"
NOTE = "tiny: taken from tiny-caffe: stated by the converter to hold the same values, not proven"
SAID = WeightsSet(name="imagenet-caffe", same_values_as="imagenet", claim="stated", stated_by="the converter")


class OriginWorld(World):
    """The same with the file of Caffe that all others were converted from."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.said = SAID
        self.origin = self.caffe("tiny.caffemodel")
        sha384 = hash_file(self.origin, ["sha384"])["sha384"]
        self.digest = Digest(algorithm="sha384", value=sha384, grade="A", source="the author")
        self.served[ORIGIN_URL] = self.origin
        self.server = FaultyServer(self.served)

    def caffe(self, name, bias=0):
        """Write the network as a file of Caffe, with something added to its biases."""
        arrays = th_arrays(self.arrays)
        kernel = np.ascontiguousarray(arrays["conv"]["W"][:, :, ::-1, ::-1])
        dense = np.ascontiguousarray(arrays["fc"]["W"].T)
        layers = [
            caffe.Layer("conv", "Convolution", [kernel, arrays["conv"]["b"] + np.float32(bias)]),
            caffe.Layer("fc", "InnerProduct", [dense, arrays["fc"]["b"] + np.float32(bias)]),
        ]
        return caffe.write(self.cache.home.parent / name, layers, first=True)

    def network(self, *files):
        """Return an architecture with these files, and what is said of the origin's weights set."""
        return replace(super().network(*files), sets={"imagenet-caffe": self.said})

    def files(self, **changes):
        """Return a Keras file in each form, with one source each, and the origin."""
        origin = self.file(
            "th",
            ORIGIN_URL,
            digests=(self.digest,),
            id="tiny-caffe",
            set="imagenet-caffe",
            kernels="tf",
            dialect="foreign",
            format="caffemodel",
            filename="tiny.caffemodel",
            bytes=self.origin.stat().st_size,
        )
        return (
            self.published("tf", RELEASE),
            self.published("th", RELEASE_TH),
            replace(origin, **changes),
        )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[OriginWorld]:
    """Return a world whose server runs."""
    world = OriginWorld(tmp_path)
    with world.server:
        yield world


def only_origin(server, request, answer):
    """Let the hosts of the Keras files have nothing any more."""
    return answer if "tiny.caffemodel" in request.path else not_found()


@pytest.mark.parametrize("backend", ["tf", "th"])
def test_the_origin_stands_in_where_no_source_answers(backend, world):
    """It comes in the form that was asked for, with the same values, and one line says whose it is."""
    world.server.fault = only_origin
    found = world.resolve(*world.files(), backend=backend)
    assert (found.file.id, found.converted) == ("tiny-caffe", True)
    expected = world.arrays if backend == "tf" else th_arrays(world.arrays)
    assert_equal(read_h5(found.path), expected)
    assert [note for note in found.notes if "proven" in note] == [NOTE]
    assert found.path.name == f"tiny-caffe-{sha256_of(world.origin)[:16]}-{backend}.h5"


def assert_equal(found, expected):
    """Raise unless all arrays are the same bit for bit; the names of TensorFlow's end in ``:0``."""
    found = {
        layer: {name.removesuffix(":0"): array for name, array in arrays.items()}
        for layer, arrays in found.items()
    }
    assert {layer: set(arrays) for layer, arrays in found.items()} == {
        layer: set(arrays) for layer, arrays in expected.items()
    }
    for layer, arrays in expected.items():
        for name, array in arrays.items():
            assert found[layer][name].tobytes() == np.ascontiguousarray(array).tobytes(), (layer, name)


def test_what_is_in_the_cache_counts_also_when_a_source_is_back(world, monkeypatch):
    """The second call needs no network, and is told the same line; the values stay the same."""
    world.server.fault = only_origin
    first = world.resolve(*world.files())
    world.asked()
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    again = world.resolve(*world.files())
    assert (again.path, again.notes) == (first.path, (NOTE,))
    monkeypatch.delenv("ZOO_OFFLINE")
    world.server.fault = None
    assert world.resolve(*world.files()).path == first.path
    assert world.asked() == []
    # Another form is made of what is here, too.
    other = world.resolve(*world.files(), backend="th")
    assert (other.file.id, world.asked()) == ("tiny-caffe", [])
    # Whoever forbids it gets the Keras file, which counts from then on.
    own = world.resolve(*world.files(), origin=False)
    assert own.file.id == "tiny-tf"
    assert world.resolve(*world.files()).path == own.path


@pytest.mark.parametrize("known", ["stated", "proven", "offline", "by hand"])
def test_an_origin_that_was_fetched_for_its_own_sake_stands_in_for_nothing(known, world, monkeypatch):
    """Sources of the set are asked first, unless it is proven, or nobody must be asked, or it was given."""
    own = world.resolve(*world.files(), weights="imagenet-caffe")
    if known == "proven":
        digest = sha256_of(world.origin)
        proof = Proven(
            id="tiny-tf",
            sha256=digest,
            origin="tiny-caffe",
            origin_sha256=digest,
            proven=True,
            date="2026-01-01",
        )
        save_proof(world.cache.home, proof)
    if known == "by hand":
        world.resolve(*world.files(), from_file=world.origin)
    if known == "offline":
        monkeypatch.setenv("ZOO_OFFLINE", "1")
    world.asked()
    found = world.resolve(*world.files())
    assert (own.file.id, found.file.id) == ("tiny-caffe", "tiny-tf" if known == "stated" else "tiny-caffe")
    assert bool(world.asked()) == (known == "stated")


def test_an_origin_in_the_cache_is_not_fetched_again_where_no_source_answers(world):
    """From then on no source is asked."""
    world.resolve(*world.files(), weights="imagenet-caffe")
    world.server.fault = only_origin
    world.asked()
    first = world.resolve(*world.files())
    assert first.file.id == "tiny-caffe"
    assert NOTE in first.notes
    assert not [path for path in world.asked() if "caffemodel" in path]
    assert world.resolve(*world.files()).path == first.path
    assert world.asked() == []


@pytest.mark.parametrize("has_links", [True, False])
def test_a_file_of_two_weights_sets_is_fetched_once(has_links, world, monkeypatch):
    """It lies in the cache under both ids, and on the disk once where that has links."""
    if not has_links:
        monkeypatch.setattr(Path, "hardlink_to", no_links)
    *keras, origin = world.files()
    network = world.network(*keras, origin, replace(origin, id="tiny-caffe-2", set="imagenet-caffe-2"))
    first = world.fetcher().published(network, network.weights[-2])
    world.asked()
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    second = world.fetcher().published(network, network.weights[-1])
    assert (second.file.id, world.asked()) == ("tiny-caffe-2", [])
    assert second.path.read_bytes() == world.origin.read_bytes()
    assert second.path.name == f"tiny-caffe-2-{sha256_of(world.origin)[:16]}.caffemodel"
    assert (second.path.stat().st_ino == first.path.stat().st_ino) is has_links
    assert world.fetcher().published(network, network.weights[-1]).path == second.path
    first.path.unlink()
    assert world.fetcher().published(network, network.weights[-2]).path == first.path


def test_a_file_is_fetched_where_the_other_set_has_another_one(world):
    """One that was accepted under one id is not the one that was under the other: each is held to its own."""
    *keras, origin = world.files(digests=(), bytes=None)
    network = world.network(*keras, origin, replace(origin, id="tiny-caffe-2", set="imagenet-caffe-2"))
    before = world.fetcher().published(network, network.weights[-2])
    now = world.caffe("new.caffemodel", bias=1)
    world.origin.write_bytes(now.read_bytes())
    world.cache.accept("tiny-caffe-2", sha256_of(now))
    found = world.fetcher().published(network, network.weights[-1])
    assert found.path.read_bytes() == now.read_bytes() != before.path.read_bytes()


def test_a_damaged_file_of_another_set_is_no_hindrance(world):
    """Whoever asks for that one is told; this one is fetched."""
    *keras, origin = world.files()
    network = world.network(*keras, origin, replace(origin, id="tiny-caffe-2", set="imagenet-caffe-2"))
    first = world.fetcher().published(network, network.weights[-2]).path
    first.write_bytes(b"damaged")
    found = world.fetcher().published(network, network.weights[-1])
    assert found.path.read_bytes() == world.origin.read_bytes()
    with pytest.raises(CacheError, match="zoo cache remove tiny-caffe"):
        world.fetcher().published(network, network.weights[-2])


def test_no_file_is_taken_for_another_of_the_same_name(world):
    """Another source or another digest is another file."""
    *keras, origin = world.files()
    others = [
        replace(origin, id="tiny-other", urls=("https://elsewhere.example/tiny.caffemodel",)),
        replace(origin, id="tiny-unknown", digests=()),
    ]
    network = world.network(*keras, origin, *others, replace(origin, id="tiny-same"))
    assert [one.id for one in network.entries_of(origin)] == ["tiny-caffe", "tiny-same"]
    assert [one.id for one in network.entries_of(others[0])] == ["tiny-other"]


def no_links(self, target):
    """Refuse a second name, as some file systems do."""
    raise OSError(errno.EPERM, "Operation not permitted")


@pytest.mark.parametrize("offline", [False, True])
def test_a_keras_file_at_hand_comes_before_an_origin(offline, world, monkeypatch):
    """Also one of another form, which is converted: it needs no network, and nobody's word."""
    world.server.fault = only_origin
    assert world.resolve(*world.files()).file.id == "tiny-caffe"
    world.server.fault = None
    network = world.network(*world.files())
    world.fetcher().published(network, network.weights[1])
    world.server.fault = only_origin
    world.asked()
    if offline:
        monkeypatch.setenv("ZOO_OFFLINE", "1")
    found = world.resolve(*world.files())
    assert (found.file.id, found.converted, world.asked()) == ("tiny-th", True, [])
    assert_equal(read_h5(found.path), world.arrays)
    assert all("proven" not in note for note in found.notes)


def test_a_source_that_answers_comes_before_the_origin(world):
    """Also one of another form, which is converted."""
    found = world.resolve(*world.files()[1:])
    assert (found.file.id, found.converted) == ("tiny-th", True)
    assert all("proven" not in note for note in found.notes)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(replace(SAID, same_values_as=None), id="nothing is said"),
        pytest.param(replace(SAID, same_values_as="imagenet-21k"), id="of another set"),
    ],
)
def test_no_file_stands_in_of_which_nobody_says_so(said, world):
    """Its address is not even asked."""
    world.said, world.server.fault = said, only_origin
    with pytest.raises(DownloadError, match="tiny: no source gave the weights file:"):
        world.resolve(*world.files())
    assert not any("caffemodel" in path for path in world.asked())


def test_the_origin_can_be_forbidden(world):
    """Then it is as if there were none, in the cache too."""
    world.server.fault = only_origin
    world.resolve(*world.files())
    with pytest.raises(DownloadError, match="tiny: no source gave the weights file:"):
        world.resolve(*world.files(), origin=False)


def test_other_bytes_at_the_origin_are_refused(world):
    """By its own digest, in the table of all attempts; nothing is kept."""
    world.server.fault = only_origin
    *keras, origin = world.files()
    content = bytearray(world.origin.read_bytes())
    content[-1] ^= 1
    world.origin.write_bytes(content)
    with pytest.raises(DownloadError) as caught:
        world.resolve(*keras, origin)
    assert "tiny-caffe" in str(caught.value)
    assert f"its sha384 is {hash_file(world.origin, ['sha384'])['sha384']}, the published" in str(
        caught.value
    )
    assert world.kept() == []


def test_an_origin_without_a_digest_is_refused_where_one_is_required(world):
    """As any other file."""
    world.server.fault = only_origin
    with pytest.raises(DownloadError, match="tiny: no source gave the weights file:"):
        world.resolve(*world.files(digests=()), require_checksum=True)
    assert not any("caffemodel" in path for path in world.asked())
    assert world.resolve(*world.files(), require_checksum=True).file.id == "tiny-caffe"


def test_offline_the_message_names_the_origin_too(world, monkeypatch):
    """It is one of the files that would do."""
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    with pytest.raises(CacheError, match="the cache has none of tiny-tf, tiny-th, tiny-caffe"):
        world.resolve(*world.files())


@pytest.mark.parametrize("backend", ["tf", "th"])
def test_the_classifier_is_left_out_of_a_copy_that_lacks_it(backend, world, monkeypatch):
    """All else is there to the bit; the whole copy beside it is another file, and both are found again."""
    keras = [replace(file, top=False) for file in world.files()[:-1]]
    files = (
        *world.files()[:-1],
        *(replace(file, id=f"{file.id}-notop") for file in keras),
        world.files()[-1],
    )
    world.server.fault = only_origin
    found = world.resolve(*files, backend=backend, top=False)
    assert (found.file.id, found.converted) == ("tiny-caffe", True)
    expected = world.arrays if backend == "tf" else th_arrays(world.arrays)
    assert_equal(read_h5(found.path), {"conv": expected["conv"]})
    assert found.path.name == f"tiny-caffe-{sha256_of(world.origin)[:16]}-{backend}-notop.h5"
    assert found.notes[-1].endswith("this is a converted copy without the classifier")
    whole = world.resolve(*files, backend=backend)
    assert_equal(read_h5(whole.path), expected)
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    assert world.resolve(*files, backend=backend, top=False).path == found.path
    assert world.resolve(*files, backend=backend).path == whole.path
    read = world.resolve(*files, top=False, convert=False)
    assert (read.file.id, read.path.name) == ("tiny-caffe", found.path.name)


def test_a_file_with_the_classifier_will_do_for_whoever_reads_it(world):
    """It comes as it was published, and its layers are taken as they are wanted."""
    *keras, origin = world.files()
    keras = [replace(file, top=False) for file in keras]
    world.server.fault = only_origin
    found = world.resolve(*keras, origin, top=False, convert=False)
    assert (found.file.id, found.converted, found.path.suffix) == ("tiny-caffe", False, ".caffemodel")


REQUIRED = "tiny: no cryptographic digest was published of tiny-tf, tiny-th: one of its authors' file was"


@pytest.mark.parametrize("backend", ["tf", "th"])
def test_the_origin_is_taken_where_it_alone_has_a_digest(backend, world, monkeypatch):
    """Though the Keras files' sources answer: by the origin's digest, converted, and said; twice the same."""
    *keras, origin = world.files()
    files = (*(replace(file, digests=()) for file in keras), origin)
    found = world.resolve(*files, backend=backend, require_checksum=True)
    assert (found.file.id, found.converted) == ("tiny-caffe", True)
    assert (found.notes[0], found.notes[1]) == (REQUIRED, NOTE)
    assert_equal(read_h5(found.path), world.arrays if backend == "tf" else th_arrays(world.arrays))
    assert [path for path in world.asked() if "caffemodel" not in path] == []
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    again = world.resolve(*files, backend=backend, require_checksum=True)
    assert (again.path, again.notes) == (found.path, (REQUIRED, NOTE))


def test_the_origin_by_hand_where_it_alone_has_a_digest(world):
    """A file that was got in another way is checked by that digest, too."""
    *keras, origin = world.files()
    files = (*(replace(file, digests=()) for file in keras), origin)
    found = world.resolve(*files, require_checksum=True, from_file=world.origin)
    assert (found.file.id, found.converted, NOTE in found.notes) == ("tiny-caffe", True, True)
    with pytest.raises(DownloadError, match="is no weights file of tiny"):
        world.resolve(*files, require_checksum=True, from_file=world.served[RELEASE])


@pytest.mark.parametrize("backend", ["tf", "th"])
def test_the_origin_by_hand_stands_in_as_one_that_was_fetched(backend, world):
    """By its digest, with the same line; where it is forbidden it is no file of the set."""
    found = world.resolve(*world.files(), backend=backend, from_file=world.origin)
    assert (found.file.id, found.converted, found.notes[0]) == ("tiny-caffe", True, NOTE)
    assert_equal(read_h5(found.path), world.arrays if backend == "tf" else th_arrays(world.arrays))
    with pytest.raises(FileFormatError, match=r"tiny\.caffemodel: not an HDF5 file but"):
        world.resolve(*world.files(), from_file=world.origin, origin=False)
    assert world.resolve(*world.files(), from_file=world.served[RELEASE]).file.id == "tiny-tf"


def test_a_pipe_is_not_waited_for(world, tmp_path):
    """Whatever kind of file is wanted."""
    os.mkfifo(tmp_path / "pipe")
    network = world.network(*world.files())
    for file in network.weights:
        with pytest.raises(FileFormatError, match="pipe: not a regular file"):
            world.fetcher().published(network, file, from_file=tmp_path / "pipe")


def test_a_file_that_is_named_is_refused_and_its_origin_named(world):
    """Whoever names one file gets that one, or none."""
    *keras, origin = world.files()
    network = world.network(*(replace(file, digests=()) for file in keras), origin)
    with pytest.raises(DownloadError, match="ask for tiny-caffe, which its authors published, or leave the"):
        world.fetcher().published(network, network.weights[0], require_checksum=True)


@pytest.mark.parametrize("how", ["forbidden", "without a digest"])
def test_a_digest_that_nobody_has_is_missed(how, world):
    """No file will do then, and each is named."""
    *keras, origin = world.files()
    origin = replace(origin, digests=()) if how == "without a digest" else origin
    files = (*(replace(file, digests=()) for file in keras), origin)
    with pytest.raises(DownloadError) as caught:
        world.resolve(*files, require_checksum=True, origin=how != "forbidden")
    assert str(caught.value).splitlines()[:3] == [
        "tiny: --require-checksum refuses every file:",
        "  tiny-tf: no cryptographic digest of this file was published",
        "  tiny-th: no cryptographic digest of this file was published",
    ]
    assert world.asked() == []


def test_a_file_of_caffe_is_a_weights_file_like_others(world):
    """By its set, by its id, from a file that was got by hand, and converted copies are HDF5."""
    found = world.resolve(*world.files(), weights="imagenet-caffe")
    assert (found.file.id, found.converted) == ("tiny-caffe", True)
    assert_equal(read_h5(found.path), world.arrays)
    network = world.network(*world.files())
    own = world.fetcher().published(network, network.weights[-1])
    assert own.path.read_bytes() == world.origin.read_bytes()
    assert own.path.name == f"tiny-caffe-{sha256_of(world.origin)[:16]}.caffemodel"
    by_hand = world.fetcher().published(network, network.weights[-1], from_file=world.origin)
    assert by_hand.path == own.path


@pytest.mark.parametrize(
    ("claim", "line"),
    [
        (
            "common ancestor",
            "stated by the converter to come from what the weights set comes from, not proven",
        ),
        ("inferred", "inferred to hold the same values: the converter, not proven"),
    ],
)
def test_the_line_says_how_it_is_known(claim, line, world):
    """A statement of the very file, of its ancestor, or a guess."""
    world.said, world.server.fault = replace(SAID, claim=claim), only_origin
    assert f"tiny: taken from tiny-caffe: {line}" in world.resolve(*world.files()).notes
