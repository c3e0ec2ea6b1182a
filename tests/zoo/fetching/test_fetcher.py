"""From a name to a verified file: candidates in order, conversion, first-seen digests, files got by hand."""

from __future__ import annotations

import hashlib
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.support import hosts
from tests.support.world import (
    DRIVE,
    INDEX_URL,
    RELEASE,
    RELEASE_TH,
    World,
    md5_of,
    read_h5,
    sha256_of,
    th_arrays,
    tiny_arrays,
    write_h5,
)
from zoo.download import failures
from zoo.errors import (
    ArgumentError,
    CacheError,
    DownloadError,
    FileFormatError,
    RegistryError,
    StructureMismatchError,
    UnknownNameError,
)
from zoo.fetching import fetcher as fetching
from zoo.fetching.fetcher import Fetcher
from zoo.practice import overlay
from zoo.registry.records import (
    ClassIndex,
    Digest,
    Layout,
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Return a world whose server runs."""
    world = World(tmp_path)
    with world.server:
        yield world


# Which file.


def test_a_published_file_is_fetched_and_named_by_its_content(world: World) -> None:
    """The path is in the cache, the bytes are the published ones, nothing else is left."""
    found = world.resolve(world.published("tf", RELEASE))
    assert found.path == world.cache.home / f"tiny/tiny-tf-{sha256_of(world.tf)[:16]}.h5"
    assert found.path.read_bytes() == world.tf.read_bytes()
    assert (found.file.id, found.converted, found.notes) == ("tiny-tf", False, ())
    assert world.kept() == ["seen.yaml", f"tiny/{found.path.name}"]
    assert world.recorder.steps == [(world.tf.stat().st_size, "fetching tiny-tf", world.tf.stat().st_size)]


def test_a_file_in_the_cache_needs_no_network(world: World) -> None:
    """The second call asks nobody."""
    first = world.resolve(world.published("tf", RELEASE))
    world.asked()
    assert world.resolve(world.published("tf", RELEASE)) == first
    assert world.asked() == []


def test_the_form_asked_for_comes_first_in_the_order_of_the_registry(world: World) -> None:
    """Of a th file and two tf files, the first tf file is fetched."""
    files = [
        world.published("th", DRIVE),
        world.published("tf", RELEASE),
        world.published("tf", RELEASE, id="second"),
    ]
    assert world.resolve(*files, backend="tf").file.id == "tiny-tf"
    assert world.resolve(*files, backend="th").file.id == "tiny-th"
    assert world.asked() == ["/owner/repo/releases/download/v0.1/tiny_tf.h5", "/uc"]


def test_one_in_the_cache_comes_before_an_earlier_one_that_is_not(world: World) -> None:
    """What is here already is preferred among files of the form asked for."""
    first, second = world.published("tf", RELEASE, DRIVE), world.published("tf", RELEASE, id="second")
    world.resolve(second)
    world.asked()
    assert world.resolve(first, second).file.id == "second"
    assert world.asked() == []


def test_sources_are_tried_in_order_and_failures_are_told(world: World) -> None:
    """A dead link is named in the notes; the next one gives the file."""
    dead = "https://files.example.org/dead.h5"
    found = world.resolve(world.published("tf", dead, RELEASE))
    assert found.path.read_bytes() == world.tf.read_bytes()
    assert found.notes == (f"tiny-tf: {world.server.local(dead)}: 404 Not Found: the host has no such file",)


def test_kernels_and_layout_must_both_be_as_asked(world: World) -> None:
    """A file in tf layout with th kernels is not a tf file; it is converted."""
    mixed = {layer: dict(values) for layer, values in world.arrays.items()}
    mixed["conv"]["W"] = mixed["conv"]["W"][::-1, ::-1]
    write_h5(world.tf, mixed)
    found = world.resolve(world.published("tf", RELEASE, kernels="th"))
    assert found.converted
    np.testing.assert_array_equal(read_h5(found.path)["conv"]["W"], world.arrays["conv"]["W"])


# Conversion.


@pytest.mark.parametrize(("form", "backend"), [("th", "tf"), ("tf", "th")])
def test_the_other_form_is_fetched_and_converted(world: World, form: Layout, backend: Layout) -> None:
    """The copy lies beside its source and holds the values of the other form, to the bit."""
    found = world.resolve(world.published(form, DRIVE if form == "th" else RELEASE), backend=backend)
    source = world.th if form == "th" else world.tf
    assert found.path.name == f"tiny-{form}-{sha256_of(source)[:16]}-{backend}.h5"
    assert found.converted
    assert found.notes == (
        f"tiny-{form} was published with layout {form} and kernels {form}: this is a converted copy",
    )
    expected = world.arrays if backend == "tf" else th_arrays(world.arrays)
    for layer, values in read_h5(found.path).items():
        for name, value in values.items():
            np.testing.assert_array_equal(value, expected[layer][name])
    original = f"tiny/tiny-{form}-{sha256_of(source)[:16]}.h5"
    assert world.kept() == sorted(["seen.yaml", f"tiny/{found.path.name}", original])
    total = sum(value.nbytes for values in world.arrays.values() for value in values.values())
    assert world.recorder.steps[-1] == (total, f"converting tiny-{form}", total)
    with h5py.File(found.path) as file:
        assert file.attrs["zoo_licence"] == "MIT"  # as the registry has it


def test_a_converted_copy_is_used_again_without_its_source(world: World) -> None:
    """No network and no second conversion."""
    first = world.resolve(world.published("th", DRIVE))
    world.resolve(world.published("th", DRIVE), backend="th").path.unlink()
    world.asked()
    steps = len(world.recorder.steps)
    again = world.resolve(world.published("th", DRIVE))
    assert (again.path, again.converted) == (first.path, True)
    assert world.asked() == []
    assert len(world.recorder.steps) == steps


def test_a_fetched_file_is_converted_without_the_network(world: World) -> None:
    """Fetched as th before, asked for as tf now."""
    world.resolve(world.published("th", DRIVE), backend="th")
    world.asked()
    assert world.resolve(world.published("th", DRIVE), backend="tf").converted
    assert world.asked() == []


def test_when_the_form_asked_for_cannot_be_had_the_other_is_converted(world: World) -> None:
    """The failure is told, not hidden."""
    dead = "https://files.example.org/dead.h5"
    found = world.resolve(world.published("tf", dead), world.published("th", DRIVE))
    assert (found.file.id, found.converted) == ("tiny-th", True)
    assert found.notes == (
        f"tiny-tf: {world.server.local(dead)}: 404 Not Found: the host has no such file",
        "tiny-th was published with layout th and kernels th: this is a converted copy",
    )


def test_another_form_in_the_cache_comes_before_one_that_is_not(world: World) -> None:
    """When it must be converted anyway, what is here is taken."""
    dead = "https://files.example.org/dead.h5"
    away = world.published("th", DRIVE, id="away")
    here = world.published("th", RELEASE_TH, id="here")
    world.resolve(here, backend="th")
    world.asked()
    assert world.resolve(world.published("tf", dead), away, here).file.id == "here"
    assert world.asked() == ["/dead.h5"]


def test_without_conversion_the_other_form_is_returned_as_it_is(world: World) -> None:
    """Whoever can read both forms needs no copy."""
    found = world.resolve(world.published("th", DRIVE), convert=False)
    assert (found.file.layout, found.converted) == ("th", False)
    assert found.path.read_bytes() == world.th.read_bytes()


# Refusals.

FAULTS: list[tuple[str, hosts.Fault, str]] = [
    (
        "html",
        hosts.html_page,
        "an HTML page titled 'Repository · owner' came instead of the file",
        failures.NOT_THE_FILE,
    ),
    ("quota", hosts.quota_page, f"the host's page says: Not available. {hosts.QUOTA_TEXT}", failures.QUOTA),
    (
        "lfs",
        hosts.lfs_pointer,
        f"a git-lfs pointer came instead of the file: it stands for sha256:{'ab' * 32} (33552480 bytes),"
        " which lies elsewhere",
        failures.NOT_THE_FILE,
    ),
    (
        "sign-in",
        hosts.sign_in,
        "the host asks for a sign-in: the file is private or was removed",
        failures.CLOSED,
    ),
    (
        "404",
        hosts.missing,
        "404 Not Found: the host has no such file, or its old Drive id needs a resource key that is not"
        " known",
        failures.GONE,
    ),
    (
        "plain http",
        hosts.redirect_to("http://example.invalid/x"),
        "a redirect to plain http (http://example.invalid) was refused",
        failures.UNSAFE,
    ),
    (
        "expired",
        hosts.expired,
        "403 Forbidden: an expired signed link: XML (AccessDenied: Request has expired) came instead of the"
        " file",
        failures.NOT_THE_FILE,
    ),
    (
        "size",
        hosts.shorter,
        "the host announces {shorter} bytes, the published file has {size}",
        failures.DAMAGED,
    ),
    ("loop", hosts.redirect_to_itself, "more than 10 redirects", failures.UNSAFE),
    (
        "longer",
        hosts.longer_unannounced,
        "more came than the {size} bytes that there may be",
        failures.DAMAGED,
    ),
    (
        "flipped",
        hosts.flipped_byte,
        "its md5 is {flipped}, the published file's is {md5} (grade A: the author); it is damaged or another"
        " file: fetch it again, or get it from somewhere else",
        failures.DAMAGED,
    ),
    (
        "busy",
        hosts.with_status(HTTPStatus.BAD_GATEWAY),
        "502 Bad Gateway: the host has a fault",
        failures.BUSY,
    ),
]


def table(*attempts: tuple[str, str, str, str]) -> str:
    """Return the rows for sources that failed: file, address, what happened, what it means."""
    labels = ("file", "source", "what happened", "what it means")
    rows = ["".join(f"  {a:<13}  {b}\n" for a, b in zip(labels, row, strict=True)) for row in attempts]
    return "\n".join(rows)


@pytest.mark.parametrize(
    ("fault", "reason", "meaning"), [case[1:] for case in FAULTS], ids=[case[0] for case in FAULTS]
)
def test_every_fault_ends_with_its_message_and_an_empty_cache(
    world: World, fault: hosts.Fault, reason: str, meaning: str
) -> None:
    """A table of the source, and what to do; nothing under a final name, nothing temporary."""
    world.server.fault = fault
    body = world.th.read_bytes()
    flipped = hashlib.md5(body[:-1] + bytes([body[-1] ^ 1])).hexdigest()
    facts = {"size": len(body), "shorter": len(body) - 9, "flipped": flipped}
    facts["md5"] = hashlib.md5(body).hexdigest()
    with pytest.raises(DownloadError) as caught:
        world.resolve(world.published("th", DRIVE), backend="th")
    assert str(caught.value) == (
        "tiny: no source gave the weights file:\n"
        f"{table(('tiny-th', world.server.local(DRIVE), reason.format(**facts), meaning))}\n"
        "get the file in another way, then run: zoo fetch tiny --backend th --from FILE"
    )
    assert world.kept() == []


def test_every_source_is_named(world: World) -> None:
    """Also those of the form that would have been converted."""
    world.server.fault = hosts.with_status(HTTPStatus.SERVICE_UNAVAILABLE)
    with pytest.raises(DownloadError) as caught:
        world.resolve(world.published("th", DRIVE, RELEASE_TH), world.published("tf", RELEASE))
    reason = "503 Service Unavailable: the host has a fault"
    links = (("tiny-tf", RELEASE), ("tiny-th", DRIVE), ("tiny-th", RELEASE_TH))
    sources = [(file, world.server.local(url)) for file, url in links]
    assert str(caught.value) == (
        "tiny: no source gave the weights file:\n"
        f"{table(*((*source, reason, failures.BUSY) for source in sources))}\n"
        "get the file in another way, then run: zoo fetch tiny --from FILE"
    )


def test_a_damaged_file_in_the_cache_is_reported_not_replaced(world: World) -> None:
    """The user decides what becomes of it."""
    path = world.resolve(world.published("tf", RELEASE)).path
    path.write_bytes(b"damaged")
    with pytest.raises(CacheError, match=r"it had \d+ when it was verified; remove it .* and fetch it again"):
        world.resolve(world.published("tf", RELEASE))
    path.unlink()
    assert world.resolve(world.published("tf", RELEASE)).path.read_bytes() == world.tf.read_bytes()


@pytest.mark.parametrize("backend", ["theano", "", None])
def test_a_backend_is_th_or_tf(world: World, backend: Any) -> None:
    """Anything else is an error that says so."""
    with pytest.raises(ArgumentError) as caught:
        world.resolve(world.published("tf", RELEASE), backend=backend)
    assert str(caught.value) == f"backend={backend!r}: must be 'th' or 'tf'"


def test_an_unknown_weights_set_is_an_error_that_lists_them(world: World) -> None:
    """What there is stands in the message."""
    with pytest.raises(UnknownNameError) as caught:
        world.resolve(world.published("tf", RELEASE), weights="places")
    assert str(caught.value).startswith("tiny has no weights set 'places'")
    assert str(caught.value).endswith(": imagenet")


def test_a_missing_variant_is_an_error_that_lists_the_files(world: World) -> None:
    """No file without the classifier was published."""
    with pytest.raises(UnknownNameError) as caught:
        world.resolve(world.published("tf", RELEASE), top=False)
    assert str(caught.value) == (
        "tiny: no file of the weights set 'imagenet' without the classifier was published; there is tiny-tf"
    )


# Files without a published digest.


def test_a_file_without_a_digest_is_accepted_by_its_structure_and_that_is_said(world: World) -> None:
    """The note names the digest that is held to from now on; it is said once."""
    found = world.resolve(world.file("tf", RELEASE))
    assert found.notes == (
        "tiny-tf: no cryptographic digest of this file was ever published; its layers, names and shapes are"
        f" right, and its sha256 {sha256_of(world.tf)} is held to from now on: a different file will be"
        " refused",
    )
    assert world.resolve(world.file("tf", RELEASE)).notes == ()


def test_first_seen_is_held_to(world: World) -> None:
    """A file of the same structure with other values is refused later on, with both digests."""
    found = world.resolve(world.file("tf", RELEASE))
    before = sha256_of(world.tf)
    moment = (world.cache.home / "seen.yaml").read_text().split("first_seen: '")[1][:20]
    found.path.unlink()
    write_h5(world.tf, tiny_arrays(seed=1))
    with pytest.raises(DownloadError) as caught:
        world.resolve(world.file("tf", RELEASE))
    url = world.server.local(RELEASE)
    assert str(caught.value).splitlines()[2:4] == [
        f"  source         {url}",
        f"  what happened  this is another file than the one first seen: its sha256 is {sha256_of(world.tf)},"
        f" on {moment} it was {before} (from {url}); to accept the new one: zoo trust tiny-tf --accept"
        f" {sha256_of(world.tf)}",
    ]
    assert world.kept() == ["seen.yaml"]


MISFITS: list[tuple[str, Callable[[World], object], str]] = [
    (
        "a layer too few",
        lambda world: write_h5(world.tf, {"conv": world.arrays["conv"]}),
        "not the layers of tiny: layer 'fc' is missing",
    ),
    (
        "a layer too many",
        lambda world: write_h5(world.tf, {**world.arrays, "more": {"W": np.ones((2, 2), np.float32)}}),
        "not the layers of tiny: layer 'more' (kernel (2, 2)) does not belong there",
    ),
    (
        "misnamed",
        lambda world: write_h5(world.tf, world.arrays, {"fc": "other"}),
        "not the layers of tiny: layer 'fc' is missing",
    ),
    (
        "misshapen",
        lambda world: write_h5(
            world.tf, {**world.arrays, "fc": {"W": np.ones((16, 5), np.float32), "b": np.ones(5, np.float32)}}
        ),
        "not the layers of tiny: layer 'fc': kernel has shape (16, 5), expected (16, 3)",
    ),
    (
        "the other layout",
        lambda world: write_h5(world.tf, th_arrays(world.arrays)),
        "its shapes are those of layout th, expected layout tf",
    ),
    (
        "no weights",
        lambda world: h5py.File(world.tf, "w").close(),
        "not a Keras weights file: it has neither layer_names nor nb_layers (it holds nothing)",
    ),
]


@pytest.mark.parametrize(
    ("spoil", "reason"), [case[1:] for case in MISFITS], ids=[case[0] for case in MISFITS]
)
def test_another_structure_is_refused(world: World, spoil: Callable[[World], object], reason: str) -> None:
    """Without a digest the structure decides; the message names the source, the layer and the shapes."""
    spoil(world)
    with pytest.raises(DownloadError) as caught:
        world.resolve(world.file("tf", RELEASE))
    assert str(caught.value).splitlines()[2] == f"  source         {world.server.local(RELEASE)}"
    assert str(caught.value).splitlines()[3].startswith(f"  what happened  {reason}")
    assert str(caught.value).splitlines()[4] == f"  what it means  {failures.ANOTHER}"
    assert ".part" not in str(caught.value)
    assert world.kept() == []


def test_a_right_digest_with_a_wrong_structure_is_the_registry_s_mistake(world: World) -> None:
    """It is the published file, so what the registry says of it cannot be true."""
    write_h5(world.tf, {"conv": world.arrays["conv"]})
    with pytest.raises(RegistryError) as caught:
        world.resolve(world.published("tf", RELEASE))
    assert str(caught.value).startswith(
        "tiny-tf: the registry is wrong: a file with all published digests is not what it says"
        f" ({world.server.local(RELEASE)}: not the layers of tiny: layer 'fc' is missing"
    )
    assert world.kept() == []


def test_a_cksum_alone_is_no_proof(world: World) -> None:
    """With 32 bits the structure still decides, and the digest is recorded as first seen."""
    process = subprocess.run(["cksum", world.tf], capture_output=True, text=True, check=True)
    cksum = Digest(algorithm="cksum", value=process.stdout.split()[0], grade="D", source="the author")
    assert len(world.resolve(world.file("tf", RELEASE, digests=(cksum,))).notes) == 1


@pytest.mark.parametrize("which", [0, 1])
def test_a_file_without_its_top_lacks_exactly_the_top(world: World, which: int) -> None:
    """The registry names the top as the first structure does; other structures have other names for it."""
    rename = {"conv": "c1"} if which else {}
    write_h5(world.tf, {"conv": world.arrays["conv"]}, rename)
    entry = world.file("tf", RELEASE, id="tiny-notop", top=False, structure=world.structures[which])
    found = world.resolve(world.published("th", DRIVE), entry, top=False)
    assert found.path.read_bytes() == world.tf.read_bytes()
    found.path.unlink()
    write_h5(world.tf, world.arrays)
    with pytest.raises(DownloadError, match="zoo fetch tiny --no-top --from FILE"):
        world.resolve(replace(entry, id="fresh"), top=False)


# Files got by hand.


def test_a_file_got_by_hand_is_known_by_its_digest(world: World) -> None:
    """It is copied, not moved, into the place where a download would put it."""
    own = world.folder / "whatever.bin"
    own.write_bytes(world.th.read_bytes())
    files = [world.file("tf", RELEASE), world.published("th", DRIVE)]
    found = world.resolve(*files, backend="th", from_file=own)
    assert found.path == world.cache.home / f"tiny/tiny-th-{sha256_of(world.th)[:16]}.h5"
    assert own.exists()
    assert world.asked() == []
    assert f"url: {own.as_uri()}" in (world.cache.home / "seen.yaml").read_text()
    assert world.recorder.steps == [(own.stat().st_size, "copying whatever.bin", own.stat().st_size)]
    assert world.resolve(*files, backend="th").path == found.path


def test_a_file_got_by_hand_is_converted_too(world: World) -> None:
    """The th file serves for tf."""
    found = world.resolve(world.published("th", DRIVE), from_file=world.th)
    assert (found.file.id, found.converted) == ("tiny-th", True)


@pytest.mark.parametrize("form", ["th", "tf"])
def test_without_digests_a_file_got_by_hand_is_known_by_its_shapes(world: World, form: Layout) -> None:
    """The layout tells which of two files it is."""
    own = world.th if form == "th" else world.tf
    found = world.resolve(world.file("tf", RELEASE), world.file("th", DRIVE), backend=form, from_file=own)
    assert found.file.id == f"tiny-{form}"
    assert len(found.notes) == 1


def test_a_file_got_by_hand_that_fits_nothing_is_refused(world: World) -> None:
    """Each file that it could have been, and why it is not."""
    own = write_h5(world.folder / "own.h5", tiny_arrays(seed=1))
    entry = replace(world.published("tf", RELEASE), bytes=None)
    with pytest.raises(DownloadError) as caught:
        world.resolve(entry, world.file("th", DRIVE), from_file=own)
    assert str(caught.value).splitlines() == [
        f"{own}: is no weights file of tiny:",
        f"  tiny-tf: its md5 is {md5_of(own).value}, the published file's is {md5_of(world.tf).value} (grade"
        " A: the author); it is damaged or another file: fetch it again, or get it from somewhere else",
        "  tiny-th: its shapes are those of layout tf, expected layout th",
        "get the file from somewhere else, or say with --weights and --no-top what it is",
    ]
    assert world.kept() == []


def test_a_file_got_by_hand_is_held_to_what_was_first_seen(world: World) -> None:
    """Right layers are not enough once another file was seen."""
    world.resolve(world.file("tf", RELEASE))
    own = write_h5(world.folder / "own.h5", tiny_arrays(seed=1))
    with pytest.raises(DownloadError, match="tiny-tf: this is another file than the one first seen"):
        world.resolve(world.file("tf", RELEASE), from_file=own)


def test_a_file_that_could_be_two_that_are_not_alike_is_refused(world: World) -> None:
    """No guess about kernels, which nothing in the file tells."""
    mixed = world.file("tf", RELEASE, id="tiny-mixed", kernels="th")
    with pytest.raises(DownloadError) as caught:
        world.resolve(world.file("tf", RELEASE), mixed, from_file=world.tf)
    assert str(caught.value) == (
        f"{world.tf}: could be any of tiny-tf, tiny-mixed, and nothing in the file tells which"
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"<!DOCTYPE html><p>x", "not an HDF5 file but an HTML page"), (None, "no such file")],
)
def test_what_is_no_weights_file_is_not_even_copied(world: World, content: bytes | None, reason: str) -> None:
    """A page saved by mistake, a wrong path."""
    own = world.folder / "own.h5"
    if content is not None:
        own.write_bytes(content)
    with pytest.raises(FileFormatError) as caught:
        world.resolve(world.published("tf", RELEASE), from_file=own)
    assert str(caught.value).startswith(f"{own}: {reason}")
    assert world.kept() == []


def test_a_wrong_structure_by_hand_names_the_file(world: World) -> None:
    """A matching cksum does not help."""
    own = write_h5(world.folder / "own.h5", {"conv": world.arrays["conv"]})
    process = subprocess.run(["cksum", own], capture_output=True, text=True, check=True)
    cksum = Digest(algorithm="cksum", value=process.stdout.split()[0], grade="D", source="the author")
    with pytest.raises(StructureMismatchError) as caught:
        world.resolve(world.file("tf", RELEASE, digests=(cksum,)), from_file=own)
    assert str(caught.value).startswith(f"{own.as_uri()}: not the layers of tiny: layer 'fc' is missing")


# Class indexes.


@pytest.fixture
def index(world: World) -> ClassIndex:
    """Return a class index that the server holds."""
    path = world.folder / "class_index.json"
    path.write_text('{"0": ["n01440764", "tench"]}')
    world.server.place(INDEX_URL, path)
    urls = (world.server.local(INDEX_URL),)
    return ClassIndex(name="two", classes=1, bytes=path.stat().st_size, digests=(md5_of(path),), urls=urls)


def test_a_class_index_is_fetched_once(world: World, index: ClassIndex) -> None:
    """It is verified like everything else, and kept."""
    path = Fetcher(world.cache).class_index(index)
    assert path.parent == world.cache.home / "class_indexes"
    assert path.suffix == ".json"
    assert json.loads(path.read_text()) == {"0": ["n01440764", "tench"]}
    world.asked()
    assert Fetcher(world.cache).class_index(index) == path
    assert world.asked() == []


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (hosts.html_page, "an HTML page titled 'Repository · owner' came instead of the file"),
        (hosts.empty, "an empty body came instead of the file"),
    ],
)
def test_a_class_index_that_is_none_is_refused(
    world: World, index: ClassIndex, fault: hosts.Fault, reason: str
) -> None:
    """The same junk is recognised, without an HDF5 signature to go by."""
    world.server.fault = fault
    with pytest.raises(DownloadError) as caught:
        Fetcher(world.cache).class_index(index)
    assert str(caught.value) == (
        "no source gave the class index two:\n"
        f"{table(('class_indexes/two', index.urls[0], reason, failures.NOT_THE_FILE))}\n"
        "try again later, or name another source in an overlay registry (ZOO_REGISTRY)"
    )
    assert world.kept() == []


def test_a_class_index_without_a_digest_is_held_to(world: World, index: ClassIndex) -> None:
    """What was first seen counts for it as well."""
    index = replace(index, digests=())
    Fetcher(world.cache).class_index(index).unlink()
    (world.folder / "class_index.json").write_text('{"0": ["n01440764", "trout"]}')
    with pytest.raises(DownloadError) as caught:
        Fetcher(world.cache).class_index(index)
    happened = "  what happened  this is another file than the one first seen: its sha256 is"
    assert str(caught.value).splitlines()[3].startswith(happened)


# The functions that users call.


def test_by_name_from_the_registry_and_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A practice file is fetched from its host, converted and kept below ZOO_HOME; so is the class index."""
    folder = tmp_path / "practice"
    overlay.build(folder, ["densenet121"])
    with overlay.serve(folder) as practice:
        monkeypatch.setenv("ZOO_REGISTRY", str(practice.registry))
        path = fetching.fetch("densenet121", backend="tf")
        index = fetching.fetch_class_index("imagenet")
    assert path.is_relative_to(tmp_path / "zoo-home" / "densenet121")
    assert path.name.endswith("-tf.h5")
    with h5py.File(path) as file:
        assert file["conv1/conv1_W"].shape == (7, 7, 3, 64)
    assert len(json.loads(index.read_text())) == 1000


def test_notes_are_logged(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What a caller of fetch should know goes to the log, since only a path is returned."""
    network = world.network(world.file("tf", RELEASE))
    monkeypatch.setattr(fetching, "look_up", lambda name: network)
    with caplog.at_level(logging.WARNING, logger="zoo"):
        path = fetching.fetch("tiny")
    assert path.is_file()
    assert [record.name for record in caplog.records] == ["zoo.fetching.fetcher"]
    assert caplog.messages[0].startswith("tiny-tf: no cryptographic digest of this file was ever published")


def test_unknown_names_are_errors() -> None:
    """An architecture and a class index that do not exist."""
    with pytest.raises(
        UnknownNameError, match="no network and no file is called 'densenet162'; nearest: densenet121, dens"
    ):
        fetching.fetch("densenet162")
    with pytest.raises(UnknownNameError) as caught:
        fetching.fetch_class_index("imagenet21k")
    assert str(caught.value) == "no class index is called 'imagenet21k'; there is imagenet"


def test_importing_is_cheap() -> None:
    """Nothing that a file in the cache does not need is imported."""
    names = ("requests", "h5py", "numpy", "keras", "tensorflow", "rich")
    code = f"import sys, zoo.fetching.fetcher; print([name for name in {names} if name in sys.modules])"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout == "[]\n"
