"""A file under its final name is whole and verified, and what was first seen is held to."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from zoo.cache import Cache, Item, default_home
from zoo.errors import CacheError, ChecksumError
from zoo.records import ClassIndex, Digest, WeightsFile

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


def keep(cache: Cache, body: bytes = BODY, item: Item = ITEM) -> Path:
    """Keep a file as a download does."""
    with cache.temporary(item) as temporary:
        temporary.write_bytes(body)
        digests = {"sha256": hashlib.sha256(body).hexdigest(), "md5": hashlib.md5(body).hexdigest()}
        return cache.keep(temporary, item, digests=digests, url=URL)


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
    """seen.yaml says what was first seen, from where and when, and what lies there now."""
    status = keep(cache).stat()
    assert cache.memory_path.read_text() == (
        "# What this cache remembers. To accept a file that has changed since it was first fetched, remove"
        " its entry\n# under `seen`.\n"
        f"format: 1\nseen:\n  tiny-th:\n    sha256: {SHA256}\n    bytes: 15\n    url: {URL}\n"
        f"    first_seen: '2026-11-20T08:30:05Z'\n    other_digests:\n    - md5:{MD5}\n"
        f"files:\n  {NAME}:\n    sha256: {SHA256}\n    bytes: 15\n    mtime_ns: {status.st_mtime_ns}\n"
        f"    inode: {status.st_ino}\n"
    )


def test_a_later_file_that_differs_is_refused(cache: Cache) -> None:
    """Both values, and what to do; the first file stays."""
    path = keep(cache)
    with pytest.raises(ChecksumError) as caught:
        keep(cache, OTHER)
    assert str(caught.value) == (
        f"tiny-th: this is another file than the one first seen: its sha256 is {OTHER_SHA256}, on"
        f" 2026-11-20T08:30:05Z it was {SHA256} (from {URL}); to accept the new one, remove the entry"
        f" 'tiny-th' under 'seen' in {cache.memory_path}"
    )
    assert cache.find(ITEM) == path
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_the_advice_for_a_changed_file_works(cache: Cache) -> None:
    """Without its entry under 'seen' the new file is accepted; the old one stays beside it."""
    old = keep(cache)
    text = cache.memory_path.read_text()
    start, end = text.index("  tiny-th:"), text.index("files:")
    cache.memory_path.write_text(text[:start] + text[end:])
    assert cache.find(ITEM) is None
    new = keep(cache, OTHER)
    assert cache.find(ITEM) == new
    assert old.exists()


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
        == f"{path}: has 14 bytes, it had 15 when it was verified; remove it and fetch it again"
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
        " it and fetch it again"
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
    monkeypatch.setattr("zoo.cache.hash_file", lambda path, algorithms: pytest.fail("was hashed again"))
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
        f"tiny-th: the registry describes another file than the one in the cache: its {what} is {published},"
        f" that of the cached one {actual}; to fetch that one, remove the entry 'tiny-th' under 'seen' in"
        f" {cache.memory_path}, or set ZOO_HOME to another folder"
    )


def test_a_digest_published_since_is_computed_once(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not computed at the time is computed from the file and remembered."""
    item = replace(ITEM, digests=(digest("git-blob-sha1", hashlib.sha1(b"blob 15\0" + BODY).hexdigest()),))
    path = keep(cache)
    assert cache.find(item) == path
    monkeypatch.setattr("zoo.cache.hash_file", lambda path, algorithms: pytest.fail("was hashed again"))
    assert cache.find(item) == path


def keep_converted(cache: Cache, body: bytes = b"converted") -> Path:
    """Keep a converted copy."""
    with cache.temporary(ITEM) as temporary:
        temporary.write_bytes(body)
        return cache.keep_converted(temporary, ITEM, "tf")


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


def test_a_temporary_name_is_free_and_cleared_away(cache: Cache) -> None:
    """Whatever happens, nothing stays under it."""
    with pytest.raises(KeyboardInterrupt), cache.temporary(ITEM) as first, cache.temporary(ITEM) as second:
        assert first != second
        assert first.parent == cache.home / "tiny"
        first.write_bytes(b"half")
        raise KeyboardInterrupt
    assert leftovers(cache) == []


DAMAGES: list[tuple[Callable[[str], str], str]] = [
    (lambda text: "", "is empty;"),
    (lambda text: text.replace("format: 1", "format: 2"), "format: 2 is not one of 1"),
    (lambda text: text.replace("    bytes: 15\n", "", 1), "seen.tiny-th.bytes: is missing"),
    (
        lambda text: text.replace(f"sha256: {SHA256}", "sha256: none", 1),
        "seen.tiny-th.sha256: 'none' must be",
    ),
    (lambda text: text.replace("seen:\n", "seen: {\n"), "is not YAML: "),
    (lambda text: text + "format: 1\n", "format: is written twice"),
]


@pytest.mark.parametrize(("damage", "reason"), DAMAGES)
def test_a_damaged_memory_is_an_error_and_stays(
    cache: Cache, damage: Callable[[str], str], reason: str
) -> None:
    """Never replaced in silence: the message says where, why and what to do."""
    keep(cache)
    damaged = damage(cache.memory_path.read_text())
    cache.memory_path.write_text(damaged)
    for attempt in (lambda: cache.find(ITEM), lambda: keep(cache)):
        with pytest.raises(CacheError) as caught:
            attempt()
        assert str(caught.value).startswith(f"{cache.memory_path}: {reason}")
        advice = "; put it right, or remove it to begin anew (what was first seen is then forgotten)"
        assert str(caught.value).endswith(advice)
    assert cache.memory_path.read_text() == damaged


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file in the way of the cache's folder is one clear line."""
    (tmp_path / "home").write_text("not a folder")
    with pytest.raises(CacheError) as caught:
        keep(Cache(tmp_path / "home"))
    path = tmp_path / "home" / "tiny"
    assert (
        str(caught.value) == f"{path}: cannot be written: Not a directory; ZOO_HOME names the folder to use"
    )


def test_a_memory_that_cannot_be_written_leaves_no_file(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a record no file gets its final name, and the old memory stays whole."""
    keep(cache)
    before = cache.memory_path.read_text()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("zoo.cache.os.fsync", full)
    with pytest.raises(CacheError) as caught:
        keep(cache, item=replace(ITEM, key="tiny-tf", stem="tiny-tf"))
    assert str(caught.value) == (
        f"{cache.memory_path}: cannot be written: No space left on device; ZOO_HOME names the folder to use"
    )
    assert cache.memory_path.read_text() == before
    assert [path.name for path in (cache.home / "tiny").iterdir()] == [Path(NAME).name]
    assert leftovers(cache) == []
