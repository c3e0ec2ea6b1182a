"""Looking after a cache: what is listed, hashed again, removed and pruned."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.shelf import (
    GOOGLENET,
    THEANO,
    everything,
    fixed_cache,
    keep,
    keep_converted,
    one_of_each_ending,
    sha256,
)
from zoo.errors import CacheError, UnknownNameError
from zoo.registry import architecture
from zoo.registry.records import Digest
from zoo.storage.cache import Cache, Item
from zoo.storage.cleanup import Removed, entries, keys_of, prune, remove, strangers, undescribed, verify
from zoo.storage.proofs import FOLDER

BODY, OTHER = b"\x89HDF\r\n\x1a\nweights", b"\x89HDF\r\n\x1a\nothers!"
KNOWN = everything()


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """Return an empty cache."""
    return fixed_cache(tmp_path / "home")


def fill(cache: Cache) -> tuple[Path, Path, Path]:
    """Keep a file, a copy converted from it and a file of another network."""
    item = KNOWN[THEANO].item
    return (
        keep(cache, item, BODY),
        keep_converted(cache, item, b"converted"),
        keep(cache, KNOWN[GOOGLENET].item, OTHER),
    )


def reasons(removed: list[Removed], cache: Cache) -> dict[str, str]:
    """Return why files were removed, by their path below the cache."""
    return {str(one.path.relative_to(cache.home)): one.reason for one in removed}


def test_every_file_is_listed_with_what_it_is(cache: Cache) -> None:
    """Published and converted ones by their ids, what nobody knows without; no machinery."""
    source, copy, other = fill(cache)
    (cache.home / "_partial" / "x").mkdir(parents=True)
    (cache.home / "_partial" / "x" / "body").write_bytes(b"half")
    stray = cache.home / "densenet161" / "notes.txt"
    stray.write_bytes(b"hello")
    listed = {entry.path: entry for entry in entries(cache, KNOWN)}
    assert {path: (entry.key, entry.what, entry.form, entry.bytes) for path, entry in listed.items()} == {
        source: (THEANO, "DenseNet-161, imagenet, th", None, 15),
        copy: (THEANO, "DenseNet-161, imagenet, th, converted to tf", "tf", 9),
        other: (GOOGLENET, "GoogLeNet, imagenet, th", None, 15),
        stray: (None, "unknown", None, 5),
    }
    assert (listed[copy].sha256, listed[copy].source) == (sha256(b"converted"), sha256(BODY))


@pytest.mark.parametrize("item", one_of_each_ending(), ids=lambda item: item.ending)
def test_what_this_program_made_is_known_as_its_own(cache: Cache, item: Item) -> None:
    """Whatever its name ends in: with its digest, and where the registry has it no longer, too."""
    path = keep(cache, item, BODY)
    (entry,) = entries(cache, {})
    assert (entry.path, entry.key, entry.sha256, entry.is_ours) == (path, item.key, sha256(BODY), True)
    assert (strangers(cache, {}), undescribed(cache, {})) == ([], [path])
    assert prune(cache, {}, now=0.0) == []
    assert [one.path for one in prune(cache, {}, now=0.0, unknown=True)] == [path]


def test_an_empty_cache_lists_nothing(cache: Cache) -> None:
    """A folder that is not there is an empty cache."""
    assert entries(cache, KNOWN) == []


def test_a_file_that_goes_away_meanwhile_is_no_error(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may have removed it since the folder was read."""
    fill(cache)
    monkeypatch.setattr(os, "walk", lambda home: iter([(str(home), [], ["gone.h5", "seen.yaml"])]))
    assert entries(cache, KNOWN) == []


def test_whatever_is_right_is_said_to_be_right(cache: Cache) -> None:
    """Each file is hashed and named, and a touched one is quick to find again."""
    paths = fill(cache)
    os.utime(paths[0], ns=(5, 5))
    assert {one.entry.path: one.problem for one in verify(cache, KNOWN)} == dict.fromkeys(paths)
    record = cache.memory.verified(paths[0].relative_to(cache.home).as_posix())
    assert record is not None
    assert record.mtime_ns == 5


def test_one_flipped_bit_is_found(cache: Cache) -> None:
    """Even where size, time and inode are those of the verified file."""
    source, _, _ = fill(cache)
    before = source.stat()
    with source.open("r+b") as file:
        file.seek(10)
        file.write(b"!")
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert cache.find(KNOWN[THEANO].item) == source
    problems = {one.entry.path: one.problem for one in verify(cache, KNOWN)}
    changed = sha256(source.read_bytes())
    assert problems[source] == f"is damaged: its sha256 is {changed}, it was {sha256(BODY)}"
    assert [problem for path, problem in problems.items() if path != source] == [None, None]


def test_a_file_that_nobody_recorded_is_left_out(cache: Cache) -> None:
    """What it should be, nobody can say; it is named as a stranger's."""
    (cache.home).mkdir()
    (cache.home / "x.h5").write_bytes(BODY)
    assert list(verify(cache, KNOWN)) == []
    assert strangers(cache, KNOWN) == [cache.home / "x.h5"]


def test_digests_published_since_are_checked_too(cache: Cache) -> None:
    """All of them, on the published file and not on its copy."""
    fill(cache)
    wrong = Digest(algorithm="md5", value="0" * 32, grade="A", source="the author")
    known = {**KNOWN, THEANO: replace(KNOWN[THEANO], item=replace(KNOWN[THEANO].item, digests=(wrong,)))}
    problems = [one.problem for one in verify(cache, known) if one.entry.key == THEANO]
    md5 = hashlib.md5(BODY).hexdigest()
    assert problems == [
        None,
        f"is not what the registry describes: its md5 is {md5}, published is {'0' * 32}",
    ]


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("densenet161", [file.id for file in architecture("densenet161").weights]),
        ("googlenet-th", ["googlenet-th"]),
        ("class_indexes/imagenet", ["class_indexes/imagenet"]),
        ("old-file", ["old-file"]),
    ],
)
def test_a_name_stands_for_a_network_or_one_file(name: str, keys: list[str]) -> None:
    """Also for a file that the cache alone knows."""
    assert sorted(keys_of(name, KNOWN, ["old-file"])) == sorted(keys)


def test_an_unknown_name_lists_the_nearest() -> None:
    """Networks and files."""
    with pytest.raises(UnknownNameError) as caught:
        keys_of("googlenet-tf", KNOWN, [])
    assert str(caught.value) == (
        "no network and no file is called 'googlenet-tf'; nearest: googlenet, googlenet-th,"
        " googlenet-caffe; `zoo list` shows the networks, `zoo show NAME` their files"
    )


def test_removing_takes_the_copies_along(cache: Cache) -> None:
    """What was first seen stays remembered; a dry run only tells."""
    source, copy, other = fill(cache)
    told = remove(cache, {THEANO}, KNOWN, dry_run=True)
    assert [(one.path, one.bytes) for one in told] == [(copy, 9), (source, 15)]
    assert source.exists()
    assert remove(cache, {THEANO}, KNOWN) == told
    assert [entry.path for entry in entries(cache, KNOWN)] == [other]
    assert list(cache.memory.all_verified()) == [other.relative_to(cache.home).as_posix()]
    seen = cache.memory.seen(THEANO)
    assert seen is not None
    assert seen.sha256 == sha256(BODY)


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_file_of_two_names_frees_its_room_with_the_last(dry_run: bool, cache: Cache) -> None:
    """Whether both go or one of the two stays; the other one is there as before."""
    source, copy, other = fill(cache)
    other.unlink()
    other.hardlink_to(source)
    both = {entry.key for entry in entries(cache, KNOWN) if entry.key}
    told = remove(cache, both, KNOWN, dry_run=True)
    assert sorted(one.bytes for one in told if one.path != copy) == [0, 15]
    one = remove(cache, {THEANO}, KNOWN, dry_run=dry_run)
    assert [(one.path, one.bytes) for one in one] == [(copy, 9), (source, 0)]
    assert other.read_bytes() == BODY
    if not dry_run:
        assert [(one.path, one.bytes) for one in remove(cache, both, KNOWN)] == [(other, 15)]


def test_a_file_that_cannot_be_removed_is_named(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """One clear line."""
    source, _, _ = fill(cache)

    def refuse(self: Path, missing_ok: bool = False) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(CacheError, match=": cannot be written: Read-only file system; ZOO_HOME names"):
        remove(cache, {THEANO}, KNOWN)
    assert source.exists()


def test_nothing_useful_is_pruned(cache: Cache) -> None:
    """A cache with files that somebody may want stays as it is."""
    fill(cache)
    assert prune(cache, KNOWN, now=0.0) == []


def test_pruning_says_why(cache: Cache) -> None:
    """Each kind of useless file by its own reason; a dry run only tells."""
    source, copy, other = fill(cache)
    item = KNOWN["resnet101-th-flyyufelix"].item
    keep(cache, item, b"old values")
    cache.accept(item.key, sha256(b"new values"))
    keep(cache, item, b"new values")
    source.unlink()
    half = cache.home / "_memory" / "seen" / ".googlenet-th.json-0123456789abcdef.part"
    half.write_bytes(b"half")
    os.utime(half, (0, 0))
    partial = cache.partials / "vgg16-0123456789ab~free~00"
    partial.mkdir(parents=True)
    (partial / "data").write_bytes(b"half")
    for path in (partial / "data", partial):
        os.utime(path, (0, 0))
    known = {key: one for key, one in KNOWN.items() if key != GOOGLENET}
    expected = {
        f"resnet101/{item.key}-{sha256(b'old values')[:16]}.h5": (
            "another file was accepted as resnet101-th-flyyufelix"
        ),
        str(copy.relative_to(cache.home)): f"was converted from a file of {THEANO} that is gone",
        str(other.relative_to(cache.home)): "no registry describes googlenet-th any more",
        str(half.relative_to(cache.home)): "left behind half written",
        str(partial.relative_to(cache.home)): "a download that nobody went on with",
    }
    assert reasons(prune(cache, known, now=8 * 86400.0, unknown=True, dry_run=True), cache) == expected
    assert half.exists()
    assert reasons(prune(cache, known, now=8 * 86400.0, unknown=True), cache) == expected
    left = [path.name for path in cache.home.rglob("*.h5")]
    assert left == [f"{item.key}-{sha256(b'new values')[:16]}.h5"]
    assert len(cache.memory.all_verified()) == 1


def test_half_a_proof_is_pruned(cache: Cache) -> None:
    """As anything else that is remembered, by the name that it has; a file of the user beside it stays."""
    half, mine = (
        cache.home / FOLDER / name for name in (f".{'0' * 129}.json-0123456789abcdef.part", ".mine.part")
    )
    half.parent.mkdir(parents=True)
    for path in (half, mine):
        path.write_bytes(b"half")
        os.utime(path, (0, 0))
    assert reasons(prune(cache, KNOWN, now=1e6), cache) == {
        str(half.relative_to(cache.home)): "left behind half written"
    }
    assert mine.exists()


def test_what_is_being_written_is_not_pruned(cache: Cache) -> None:
    """A temporary file of less than a day may be somebody's."""
    cache.home.mkdir()
    half = cache.home / ".seen.yaml-0123456789abcdef.part"
    half.write_bytes(b"half")
    os.utime(half, (0, 0))
    assert prune(cache, KNOWN, now=86399.0) == []


def test_a_copy_of_a_shared_file_is_kept(cache: Cache, tmp_path: Path) -> None:
    """Its source is not gone: it lies in the shared folder."""
    lab = fixed_cache(tmp_path / "lab")
    keep(lab, KNOWN[THEANO].item, BODY)
    mine = fixed_cache(tmp_path / "mine", shared=lab.home)
    mine.home.mkdir()
    keep_converted(mine, KNOWN[THEANO].item, b"converted")
    assert prune(mine, KNOWN, now=0.0) == []


def test_what_the_registry_does_not_describe_stays(cache: Cache) -> None:
    """It may have been fetched by way of an overlay, and its host may be dead; who wants it gone says so."""
    source, copy, other = fill(cache)
    known = {key: one for key, one in KNOWN.items() if key not in (THEANO, GOOGLENET)}
    assert prune(cache, known, now=0.0) == []
    assert undescribed(cache, known) == [copy, source, other]
    source.unlink()
    assert prune(cache, known, now=0.0) == []
    told = prune(cache, known, now=0.0, unknown=True, dry_run=True)
    assert prune(cache, known, now=0.0, unknown=True) == told
    assert [(one.path, one.reason) for one in told] == [
        (copy, f"no registry describes {THEANO} any more"),
        (other, f"no registry describes {GOOGLENET} any more"),
    ]
    assert entries(cache, known) == []


def test_what_was_changed_since_it_was_kept_is_not_pruned(cache: Cache) -> None:
    """Its name says that it is of no use, but what it holds is somebody else's; one only touched goes."""
    item = KNOWN[THEANO].item
    for body in (b"oldest", b"older!", b"newest"):
        cache.accept(item.key, sha256(body))
        keep(cache, item, body)
    oldest, older = (cache.home / item.name(sha256(body)) for body in (b"oldest", b"older!"))
    oldest.write_bytes(b"my own")
    os.utime(older, (0, 0))
    assert [one.path for one in prune(cache, KNOWN, now=0.0)] == [older]
    assert oldest.read_bytes() == b"my own"


def test_forgetting_writes_nothing_where_nothing_is_remembered(cache: Cache) -> None:
    """A folder does not become a cache by being asked to forget."""
    cache.home.mkdir()
    cache.memory.forget(THEANO)
    assert list(cache.home.iterdir()) == []
