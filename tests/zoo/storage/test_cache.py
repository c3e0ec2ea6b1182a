"""A file under its final name is whole and verified, and what was first seen is held to."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from zoo.errors import CacheError, ChecksumError
from zoo.registry.records import ClassIndex, Digest, WeightsFile
from zoo.storage import disk
from zoo.storage.cache import Cache, Item, is_offline
from zoo.storage.pins import Memory
from zoo.variables import default_home

BODY = b"\x89HDF\r\n\x1a\nweights"
SHA256 = hashlib.sha256(BODY).hexdigest()
MD5 = hashlib.md5(BODY).hexdigest()
OTHER = b"\x89HDF\r\n\x1a\nothers!"
OTHER_SHA256 = hashlib.sha256(OTHER).hexdigest()
URL = "https://files.example.org/weights.h5"
ITEM = Item(key="tiny-th", folder="tiny", stem="tiny-th", ending=".h5", bytes=None, digests=())
NAME = f"tiny/tiny-th-{SHA256[:16]}.h5"


def digest(algorithm: str, value: str) -> Digest:
    """Return a published digest."""
    return Digest(algorithm=algorithm, value=value, grade="A", source="the author")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """Return an empty cache where it is always the same moment."""
    return Cache(tmp_path / "home", now=lambda: datetime(2026, 11, 20, 8, 30, 5, tzinfo=UTC))


@contextmanager
def incoming(cache: Cache, body: bytes) -> Iterator[Path]:
    """Give a file that has just come, on the file system of the cache."""
    path = cache.home.parent / f"incoming-{secrets.token_hex(4)}"
    path.write_bytes(body)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def keep(cache: Cache, body: bytes = BODY, item: Item = ITEM) -> Path:
    """Keep a file as a download does."""
    with incoming(cache, body) as path:
        digests = {"sha256": hashlib.sha256(body).hexdigest(), "md5": hashlib.md5(body).hexdigest()}
        return cache.keep(path, item, digests=digests, url=URL)


def leftovers(cache: Cache) -> list[str]:
    """Return everything in the cache that has no final name."""
    return [path.name for path in cache.home.rglob("*") if path.name.startswith(".")]


def test_the_home_is_chosen_by_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """ZOO_HOME first, then the user's folder for caches, then ~/.cache."""
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("ZOO_HOME", "/data/zoo")
    assert default_home() == Path("/data/zoo")
    monkeypatch.setenv("ZOO_HOME", "")
    assert default_home() == tmp_path / "keras-weight-zoo"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_home() == Path("/home/somebody/.cache/keras-weight-zoo")


def test_names_come_from_id_and_content() -> None:
    """The published file name plays no part."""
    file = WeightsFile(
        id="tiny-th",
        set="imagenet",
        structure="tiny",
        top=True,
        layout="th",
        kernels="th",
        dialect="keras1",
        filename="../weights.h5",
        bytes=15,
        digests=(digest("md5", MD5),),
        urls=(URL,),
        licence="MIT",
        source="us",
    )
    item = Item.of_weights("tiny", file)
    assert item.name(SHA256) == NAME
    assert item.name(SHA256, "tf") == f"tiny/tiny-th-{SHA256[:16]}-tf.h5"
    index = ClassIndex(name="imagenet", classes=1000, bytes=35363, digests=(), urls=(URL,))
    assert Item.of_class_index(index).name(SHA256) == f"class_indexes/imagenet-{SHA256[:16]}.json"
    assert Item.of_class_index(index).key == "class_indexes/imagenet"


def test_an_empty_cache_has_nothing_and_makes_nothing(cache: Cache) -> None:
    """Looking does not create the folder."""
    assert cache.find(ITEM) is None
    assert cache.seen(ITEM) is None
    assert not cache.home.exists()


def test_a_kept_file_is_found_again(cache: Cache) -> None:
    """Under its final name, with nothing temporary left."""
    path = keep(cache)
    assert path == cache.home / NAME
    assert path.read_bytes() == BODY
    assert cache.find(ITEM) == path
    assert leftovers(cache) == []


def test_what_is_remembered_can_be_read_by_people(cache: Cache) -> None:
    """seen.yaml says what was first seen, from where and when."""
    keep(cache)
    assert (cache.home / "seen.yaml").read_text() == (
        "# What published files were when this cache first saw them. A file that differs is refused from then"
        " on;\n# `zoo trust ID` shows what was refused and accepts a new one.\n"
        f"format: 1\nseen:\n  tiny-th:\n    sha256: {SHA256}\n    bytes: 15\n    url: {URL}\n"
        f"    first_seen: '2026-11-20T08:30:05Z'\n    other_digests:\n    - md5:{MD5}\n"
    )


def test_a_later_file_that_differs_is_refused(cache: Cache) -> None:
    """Both values, and what to do; the first file stays, and the refusal is remembered."""
    path = keep(cache)
    with pytest.raises(ChecksumError) as caught:
        keep(cache, OTHER)
    assert str(caught.value) == (
        f"tiny-th: this is another file than the one first seen: its sha256 is {OTHER_SHA256}, on"
        f" 2026-11-20T08:30:05Z it was {SHA256} (from {URL}); to accept the new one: zoo trust tiny-th"
        f" --accept {OTHER_SHA256}"
    )
    assert cache.find(ITEM) == path
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    (refused,) = cache.memory.refused("tiny-th")
    assert (refused.sha256, refused.refused) == (OTHER_SHA256, "2026-11-20T08:30:05Z")


def test_an_accepted_file_takes_the_place_of_the_first(cache: Cache) -> None:
    """The new file is found from then on; the old one stays beside it until it is pruned."""
    old = keep(cache)
    with pytest.raises(ChecksumError):
        keep(cache, OTHER)
    cache.accept("tiny-th", OTHER_SHA256)
    assert cache.memory.refused("tiny-th") == ()
    assert cache.find(ITEM) is None
    new = keep(cache, OTHER)
    assert cache.find(ITEM) == new
    assert old.exists()
    seen = cache.seen(ITEM)
    assert seen is not None
    assert (seen.bytes, seen.url) == (15, URL)
    with pytest.raises(ChecksumError):
        keep(cache)


def test_first_seen_is_held_to_when_the_file_is_gone(cache: Cache) -> None:
    """Removing the file makes it be fetched again, not forgotten."""
    keep(cache).unlink()
    assert cache.find(ITEM) is None
    with pytest.raises(ChecksumError):
        keep(cache, OTHER)
    assert cache.find(ITEM) is None
    assert keep(cache) == cache.find(ITEM)


def test_a_file_of_another_size_is_reported(cache: Cache) -> None:
    """A truncated file is found on the next use."""
    path = keep(cache)
    path.write_bytes(BODY[:-1])
    with pytest.raises(CacheError) as caught:
        cache.find(ITEM)
    assert (
        str(caught.value)
        == f"{path}: has 14 bytes, it had 15 when it was verified; remove it (zoo cache remove tiny-th) and"
        " fetch it again"
    )


def test_a_changed_file_of_the_same_size_is_reported(cache: Cache) -> None:
    """A changed time makes the file be hashed, and that shows the change."""
    path = keep(cache)
    path.write_bytes(OTHER)
    os.utime(path, ns=(1, 1))
    with pytest.raises(CacheError) as caught:
        cache.find(ITEM)
    assert str(caught.value) == (
        f"{path}: was changed after it was verified: its sha256 is {OTHER_SHA256}, it was {SHA256}; remove"
        " it (zoo cache remove tiny-th) and fetch it again"
    )


def test_a_replaced_file_with_the_old_time_is_reported(cache: Cache) -> None:
    """Another inode is reason enough to look."""
    path = keep(cache)
    status = path.stat()
    other = path.with_name("other")
    other.write_bytes(OTHER)
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)
    with pytest.raises(CacheError, match="was changed after it was verified"):
        cache.find(ITEM)


def test_a_touched_file_is_hashed_once(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new time alone is no fault; it is remembered, so that the next look is quick again."""
    path = keep(cache)
    os.utime(path, ns=(5, 5))
    assert cache.find(ITEM) == path
    monkeypatch.setattr(
        "zoo.storage.cache.hash_file", lambda path, algorithms: pytest.fail("was hashed again")
    )
    assert cache.find(ITEM) == path


@pytest.mark.parametrize(
    ("changed", "what", "published", "actual"),
    [
        ({"bytes": 16}, "size in bytes", "16", "15"),
        ({"digests": (digest("md5", "0" * 32),)}, "md5", "0" * 32, MD5),
        ({"digests": (digest("sha256", "1" * 64),)}, "sha256", "1" * 64, SHA256),
        ({"digests": (digest("cksum", "7"),)}, "cksum", "7", "3346809863"),
    ],
)
def test_a_registry_that_describes_another_file_is_noticed(
    cache: Cache, changed: dict[str, object], what: str, published: str, actual: str
) -> None:
    """A digest published since is compared too; the message says how to get the file that is described."""
    keep(cache)
    with pytest.raises(CacheError) as caught:
        cache.find(replace(ITEM, **changed))
    assert str(caught.value) == (
        f"tiny-th: the registry describes another file than the one in {cache.home}: its {what} is"
        f" {published}, that of the one there {actual}; to fetch that one, run: zoo trust tiny-th --forget"
        " (or set ZOO_HOME to another folder)"
    )


def test_a_digest_published_since_is_computed_once(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not computed at the time is computed from the file and remembered."""
    item = replace(ITEM, digests=(digest("git-blob-sha1", hashlib.sha1(b"blob 15\0" + BODY).hexdigest()),))
    path = keep(cache)
    assert cache.find(item) == path
    monkeypatch.setattr(
        "zoo.storage.cache.hash_file", lambda path, algorithms: pytest.fail("was hashed again")
    )
    assert cache.find(item) == path


def keep_converted(cache: Cache, body: bytes = b"converted") -> Path:
    """Keep a converted copy."""
    with incoming(cache, body) as path:
        return cache.keep_converted(path, ITEM, "tf")


def test_a_converted_copy_is_named_by_its_source(cache: Cache) -> None:
    """It is found by source and form, even when the source is gone."""
    source = keep(cache)
    assert cache.find(ITEM, "tf") is None
    path = keep_converted(cache)
    assert path == cache.home / f"tiny/tiny-th-{SHA256[:16]}-tf.h5"
    source.unlink()
    assert cache.find(ITEM, "tf") == path
    assert cache.find(ITEM, "th") is None


def test_a_changed_converted_copy_is_reported(cache: Cache) -> None:
    """Its own digest was remembered."""
    keep(cache)
    path = keep_converted(cache)
    path.write_bytes(b"convicted")
    os.utime(path, ns=(1, 1))
    with pytest.raises(CacheError, match="was changed after it was verified"):
        cache.find(ITEM, "tf")


def test_a_converted_copy_is_not_used_when_its_source_must_be_looked_at_first(cache: Cache) -> None:
    """A digest published since can only be checked on the source."""
    keep(cache)
    keep_converted(cache)
    assert cache.find(replace(ITEM, digests=(digest("cksum", "7"),)), "tf") is None


def test_a_converted_copy_of_an_unknown_source_is_refused(cache: Cache) -> None:
    """There would be nothing to name it by."""
    with pytest.raises(CacheError) as caught:
        keep_converted(cache)
    assert str(caught.value) == "tiny-th: a converted copy cannot be kept of a file that was never seen"


def summary(cache: Cache) -> Path:
    """Return where seen.yaml lies."""
    return cache.home / "seen.yaml"


SUMMARY = f"""\
format: 1
seen:
  tiny-th:
    sha256: {OTHER_SHA256}
    bytes: 15
    url: {URL}
    first_seen: '2020-01-01T00:00:00Z'
    other_digests: []
"""

DAMAGES: list[tuple[Callable[[str], str], str]] = [
    (lambda text: "", "is empty; at least one part of a registry is needed"),
    (lambda text: text.replace("format: 1", "format: 0"), "format: 0 is not one of 1"),
    (lambda text: text.replace("    bytes: 15\n", "", 1), "seen.tiny-th.bytes: is missing"),
    (
        lambda text: text.replace(f"sha256: {OTHER_SHA256}", "sha256: none", 1),
        "seen.tiny-th.sha256: 'none' must be 64 hexadecimal digits in lower case",
    ),
    (lambda text: text.replace("seen:\n", "seen: {\n"), "is not YAML: "),
    (lambda text: text + "format: 1\n", "format: is written twice"),
]


@pytest.mark.parametrize(("damage", "reason"), DAMAGES)
def test_a_damaged_summary_is_an_error_and_stays(
    cache: Cache, damage: Callable[[str], str], reason: str
) -> None:
    """Never replaced in silence: the message says where, why and what to do."""
    cache.home.mkdir()
    damaged = damage(SUMMARY)
    summary(cache).write_text(damaged)
    for attempt in (lambda: cache.find(ITEM), lambda: keep(cache)):
        with pytest.raises(CacheError) as caught:
            attempt()
        file, _, rest = str(caught.value).partition(": ")
        assert re.fullmatch(rf"{re.escape(str(summary(cache)))}(?::\d+)?", file)
        assert rest.startswith(reason)
        advice = "; put it right, or remove it; the small files beside it say the same"
        assert str(caught.value).endswith(advice)
    assert summary(cache).read_text() == damaged


def test_a_digest_that_stands_only_in_the_summary_is_held_to(cache: Cache) -> None:
    """Whoever is handed a seen.yaml is held to it from the first fetch on."""
    cache.home.mkdir()
    summary(cache).write_text(SUMMARY)
    with pytest.raises(ChecksumError) as caught:
        keep(cache)
    assert f"on 2020-01-01T00:00:00Z it was {OTHER_SHA256}" in str(caught.value)
    path = keep(cache, OTHER)
    assert cache.find(ITEM) == path


def test_the_summary_of_an_earlier_version_is_understood(cache: Cache) -> None:
    """Its list of files is left aside: the file is hashed again, once, and is found from then on."""
    path = cache.home / f"tiny/tiny-th-{OTHER_SHA256[:16]}.h5"
    path.parent.mkdir(parents=True)
    path.write_bytes(OTHER)
    summary(cache).write_text(SUMMARY + "files:\n  tiny/x.h5: {sha256: y}\n")
    assert cache.find(ITEM) == path


@pytest.mark.parametrize("part", ["seen/tiny-th", f"verified/{NAME}"])
@pytest.mark.parametrize(
    ("content", "reason"),
    [("", "it is not JSON"), ("{}", "sha256: is missing"), ("[]", "a list is not a mapping")],
)
def test_a_damaged_entry_is_an_error(cache: Cache, part: str, content: str, reason: str) -> None:
    """The message names the file; without it all is well again."""
    path = keep(cache)
    entry = cache.home / "_memory" / f"{part}.json"
    entry.write_text(content)
    reason = reason.replace("sha256", "key") if part.startswith("verified") else reason
    with pytest.raises(CacheError) as caught:
        cache.find(ITEM)
    assert str(caught.value) == f"{entry}: is damaged: {reason}; remove it"
    entry.unlink()
    assert cache.find(ITEM) == path


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file in the way of the cache's folder is one clear line."""
    (tmp_path / "home").write_text("not a folder")
    with pytest.raises(CacheError) as caught:
        keep(Cache(tmp_path / "home"))
    path = tmp_path / "home/_memory/seen/tiny-th.json"
    assert (
        str(caught.value) == f"{path}: cannot be written: Not a directory; ZOO_HOME names the folder to use"
    )


def test_a_memory_that_cannot_be_written_leaves_no_file(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a record no file gets its final name, and the old memory stays whole."""
    keep(cache)
    before = summary(cache).read_text()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("zoo.storage.disk.os.fsync", full)
    with pytest.raises(CacheError) as caught:
        keep(cache, item=replace(ITEM, key="tiny-tf", stem="tiny-tf"))
    entry = cache.home / "_memory/seen/tiny-tf.json"
    assert str(caught.value) == (
        f"{entry}: cannot be written: No space left on device; ZOO_HOME names the folder to use"
    )
    assert summary(cache).read_text() == before
    assert [path.name for path in (cache.home / "tiny").iterdir()] == [Path(NAME).name]
    assert leftovers(cache) == []


def test_a_folder_that_vanishes_is_one_clear_line(cache: Cache) -> None:
    """Removed while a file is being written: said, and nothing is left under a final name."""
    path = cache.partials / "data"
    with pytest.raises(CacheError) as caught:
        cache.keep(path, ITEM, digests={"sha256": SHA256}, url=URL)
    assert str(caught.value) == (
        f"{path}: cannot be written: No such file or directory; ZOO_HOME names the folder to use"
    )
    assert not cache.home.exists()


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o002, 0o664)])
def test_others_may_read_what_the_mask_allows(cache: Cache, mask: int, mode: int) -> None:
    """Files and what is remembered of them have the mode of any new file, so a group can share a cache."""
    before = os.umask(mask)
    try:
        keep(cache)
        keep_converted(cache)
    finally:
        os.umask(before)
    files = [path for path in cache.home.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {mode}
    assert len(files) == 7


def test_the_first_of_many_is_the_first_seen(cache: Cache) -> None:
    """Sixteen threads with sixteen files under one name: one is remembered, fifteen are refused; no lock."""
    bodies = [BODY + bytes([number]) for number in range(16)]
    start = threading.Barrier(len(bodies))

    def attempt(body: bytes) -> bool:
        start.wait()
        try:
            keep(cache, body)
        except ChecksumError:
            return False
        return True

    with ThreadPoolExecutor(len(bodies)) as pool:
        kept = list(pool.map(attempt, bodies))
    assert sum(kept) == 1
    seen = cache.seen(ITEM)
    assert seen is not None
    assert seen.sha256 == hashlib.sha256(bodies[kept.index(True)]).hexdigest()
    assert len(cache.memory.refused("tiny-th")) == 15


def test_nothing_is_lost_when_many_remember_at_once(cache: Cache) -> None:
    """Twenty-four threads keep twenty-four files; every entry is there, in seen.yaml too; no lock."""
    items = [replace(ITEM, key=f"tiny-{number}", stem=f"tiny-{number}") for number in range(24)]
    start = threading.Barrier(len(items))

    def attempt(item: Item) -> Path:
        start.wait()
        return keep(Cache(cache.home), BODY, item)

    with ThreadPoolExecutor(len(items)) as pool:
        paths = list(pool.map(attempt, items))
    assert [Cache(cache.home).find(item) for item in items] == paths
    assert sorted(yaml.safe_load(summary(cache).read_text())["seen"]) == sorted(item.key for item in items)


def test_whoever_loses_a_race_is_told_what_was_first(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry that appears between looking and writing counts."""
    keep(cache)
    first = cache.seen(ITEM)
    assert first is not None
    monkeypatch.setattr(Memory, "seen", lambda self, key: None)
    assert cache.memory.see("tiny-th", replace(first, sha256=OTHER_SHA256)) == first


def test_what_another_adds_meanwhile_gets_into_the_summary(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes seen.yaml looks again afterwards: the other may have been faster, with less in it."""
    write = disk.replace
    others: list[Path] = []

    def interfere(path: Path, data: bytes) -> None:
        if path == summary(cache) and not others:
            others.append(cache.home / "_memory/seen/another.json")
            others[0].write_bytes((cache.home / "_memory/seen/tiny-th.json").read_bytes())
        write(path, data)

    monkeypatch.setattr(disk, "replace", interfere)
    keep(cache)
    assert sorted(yaml.safe_load(summary(cache).read_text())["seen"]) == ["another", "tiny-th"]


def test_without_hard_links_the_first_is_still_held_to(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that refuses links gets renames."""

    def refuse(self: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    path = keep(cache)
    with pytest.raises(ChecksumError):
        keep(cache, OTHER)
    assert cache.find(ITEM) == path


def test_the_same_file_kept_twice_is_placed_once(cache: Cache) -> None:
    """Whoever comes second is given the file of the first, which may be open already."""
    path = keep(cache)
    inode = path.stat().st_ino
    assert keep(cache) == path
    assert path.stat().st_ino == inode
    assert leftovers(cache) == []


@pytest.fixture
def lab(tmp_path: Path) -> Cache:
    """Return a cache that plays the shared one, with one file."""
    cache = Cache(tmp_path / "lab", now=lambda: datetime(2025, 1, 2, tzinfo=UTC))
    keep(cache)
    return cache


def everything(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return every file below a folder with its time and content."""
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_shared_folder_is_searched_first_and_never_written(lab: Cache, tmp_path: Path) -> None:
    """Its file is found by its own record, even when it was touched, and its folder stays as it is."""
    mine = Cache(tmp_path / "home", shared=lab.home)
    keep(mine)
    assert mine.find(ITEM) == lab.home / NAME
    os.utime(lab.home / NAME, ns=(5, 5))
    before = everything(lab.home)
    assert mine.find(ITEM) == lab.home / NAME
    assert everything(lab.home) == before


def test_the_shared_folder_needs_no_home(lab: Cache, tmp_path: Path) -> None:
    """Whoever finds everything there leaves no folder behind."""
    assert Cache(tmp_path / "home", shared=lab.home).find(ITEM) == lab.home / NAME
    assert not (tmp_path / "home").exists()


def test_a_shared_file_that_is_another_one_is_refused(lab: Cache, tmp_path: Path) -> None:
    """What this cache saw first is held to, wherever the file comes from."""
    mine = Cache(tmp_path / "home", shared=lab.home, now=lambda: datetime(2026, 1, 2, tzinfo=UTC))
    keep(mine, OTHER)
    with pytest.raises(ChecksumError) as caught:
        mine.find(ITEM)
    assert str(caught.value) == (
        f"{lab.home / NAME}: this is another file than the one first seen: its sha256 is {SHA256}, on"
        f" 2026-01-02T00:00:00Z it was {OTHER_SHA256} (from {URL}); to accept the new one: zoo trust tiny-th"
        f" --accept {SHA256}"
    )
    mine.accept("tiny-th", SHA256)
    assert mine.find(ITEM) == lab.home / NAME


def test_a_damaged_shared_file_is_somebody_elses_to_repair(lab: Cache, tmp_path: Path) -> None:
    """The message says so."""
    (lab.home / NAME).write_bytes(BODY[:-1])
    with pytest.raises(CacheError) as caught:
        Cache(tmp_path / "home", shared=lab.home).find(ITEM)
    assert str(caught.value) == (
        f"{lab.home / NAME}: has 14 bytes, it had 15 when it was verified; tell whoever keeps the shared"
        " folder, or unset ZOO_SHARED"
    )


def test_a_copy_converted_from_a_shared_file_lies_at_home(lab: Cache, tmp_path: Path) -> None:
    """The shared folder gets nothing, and the copy is found again."""
    mine = Cache(tmp_path / "home", shared=lab.home)
    path = keep_converted(mine)
    assert path == mine.home / f"tiny/tiny-th-{SHA256[:16]}-tf.h5"
    assert mine.find(ITEM, "tf") == path


def test_the_environment_names_both_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """ZOO_SHARED is the second one; the home itself is not searched twice."""
    monkeypatch.setenv("ZOO_HOME", str(tmp_path))
    monkeypatch.delenv("ZOO_SHARED", raising=False)
    assert Cache.from_environment().shared is None
    monkeypatch.setenv("ZOO_SHARED", "/lab/zoo")
    assert Cache.from_environment().shared == Path("/lab/zoo")
    assert Cache.from_environment().home == tmp_path
    monkeypatch.setenv("ZOO_SHARED", str(tmp_path))
    assert Cache.from_environment().shared is None


@pytest.mark.parametrize(("value", "offline"), [("1", True), ("yes", True), ("0", False), ("", False)])
def test_offline_is_a_word_or_a_number(monkeypatch: pytest.MonkeyPatch, value: str, offline: bool) -> None:
    """Anything but nothing and 0."""
    monkeypatch.setenv("ZOO_OFFLINE", value)
    assert is_offline() is offline
