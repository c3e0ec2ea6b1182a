"""Only a whole file of its network is ever held to, or offered to be: whatever its digest and its source."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import h5py
import pytest

from tests.support.command import Command
from tests.support.world import INDEX_URL, RELEASE, World, sha256_of, tiny_arrays, write_h5
from zoo.cli import trust
from zoo.errors import DownloadError, FileFormatError, ZooError
from zoo.fetching.fetcher import Fetcher
from zoo.fetching.verification import check_structure
from zoo.registry.records import ClassIndex, WeightsFile
from zoo.storage.cache import Item
from zoo.storage.cleanup import Known

NAMES = ["contiguous", "packed"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Return a world whose server runs."""
    world = World(tmp_path)
    with world.server:
        yield world


def other_file(path: Path, kind: str) -> Path:
    """Write a right file with other values, as it is or packed in chunks."""
    write_h5(path, tiny_arrays(seed=1))
    if kind == "packed":
        with h5py.File(path, "r+") as file:
            for layer, name in (("conv", "conv_W"), ("fc", "fc_W")):
                values = file[layer][name][()]
                del file[layer][name]
                file[layer].create_dataset(name, data=values, chunks=values.shape, compression="gzip")
    return path


def cut(path: Path, length: int) -> Path:
    """Return a copy of the beginning of a file."""
    short = path.with_name(f"short-{length}.h5")
    short.write_bytes(path.read_bytes()[:length])
    return short


def damaged(path: Path) -> Path:
    """Return a copy of a file whose packed kernel cannot be unpacked."""
    with h5py.File(path) as file:
        chunk = file["fc/fc_W"].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    bad = path.with_name("damaged.h5")
    bad.write_bytes(content)
    return bad


def broken_files(folder: Path) -> list[Path]:
    """Return files of which something is missing or damaged, each with a digest of its own."""
    found = []
    for kind in NAMES:
        path = other_file(folder / f"{kind}.h5", kind)
        size = path.stat().st_size
        found += [cut(path, length) for length in {64, 600, size // 3, size // 2, size - 100, size - 1}]
    fewer = {"conv": tiny_arrays(seed=1)["conv"]}
    return [*found, damaged(folder / "packed.h5"), write_h5(folder / "fewer.h5", fewer)]


def refusals(world: World, file: WeightsFile) -> list[str]:
    """Return the digests of files that could be accepted."""
    return [one.sha256 for one in world.cache.memory.refused(file.id)]


@pytest.mark.parametrize("seen", [True, False])
def test_a_broken_file_got_by_hand_is_never_offered_to_be_trusted(world: World, seen: bool) -> None:
    """Cut short anywhere, damaged or incomplete; whether or not another one was seen before."""
    file = world.file("tf", RELEASE)
    if seen:
        world.resolve(file)
    before = world.cache.seen(Item.of_weights("tiny", file))
    for own in broken_files(world.folder):
        with pytest.raises(ZooError) as caught:
            world.resolve(file, from_file=own)
        assert "zoo trust" not in str(caught.value), own
        assert refusals(world, file) == []
        assert world.cache.seen(Item.of_weights("tiny", file)) == before


def test_a_broken_file_from_a_host_is_never_offered_to_be_trusted(world: World) -> None:
    """Nor held to where it is the first one seen."""
    file = world.file("tf", RELEASE)
    item = Item.of_weights("tiny", file)
    whole = world.tf.read_bytes()
    broken = broken_files(world.folder)
    for has_come in (False, True):
        if has_come:
            world.tf.write_bytes(whole)
            world.resolve(file).path.unlink()
        before = world.cache.seen(item)
        for own in broken:
            world.tf.write_bytes(own.read_bytes())
            with pytest.raises(DownloadError) as caught:
                world.resolve(file)
            assert "zoo trust" not in str(caught.value), own
            assert refusals(world, file) == []
            assert world.cache.seen(item) == before


@pytest.mark.parametrize("kind", NAMES)
def test_a_whole_file_is_offered_and_can_be_accepted(world: World, kind: str) -> None:
    """With the place where it lies, so that it is looked at again when it is accepted."""
    file = world.file("tf", RELEASE)
    world.resolve(file)
    own = other_file(world.folder / "own.h5", kind)
    with pytest.raises(DownloadError, match=f"zoo trust tiny-tf --accept {sha256_of(own)}"):
        world.resolve(file, from_file=own)
    (refused,) = world.cache.memory.refused(file.id)
    assert refused.url == own.as_uri()
    world.cache.accept(file.id, sha256_of(own))
    assert world.resolve(file, from_file=own).path.read_bytes() == own.read_bytes()
    assert world.cache.memory.aside(file.id) is None


def test_accepting_looks_at_the_file_where_it_lies(
    world: World, zoo: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal that an earlier version wrote down may be of a broken file."""
    file = world.file("tf", RELEASE)
    item = Item.of_weights("tiny", file)
    before = world.resolve(file)
    short = cut(other_file(world.folder / "own.h5", "contiguous"), 3000)
    with pytest.raises(DownloadError):
        world.cache.check_seen(item, sha256_of(short), file.id, url=short.as_uri())
    known = {file.id: Known(item=item, title="Tiny", network="tiny")}
    monkeypatch.setattr(trust, "describe", lambda registry: known)
    monkeypatch.setattr(trust, "weights_file", lambda key: (world.network(file), file))
    monkeypatch.setenv("ZOO_HOME", str(world.cache.home))
    code, out, err = zoo("trust", file.id, "--accept", sha256_of(short))
    assert (code, out) == (1, "")
    assert err.startswith(f"zoo: {short}: ")
    assert world.cache.find(item) == before.path


def test_what_was_accepted_and_is_broken_is_let_go(world: World) -> None:
    """What was held to before is held to again, and its file is found as before."""
    file = world.file("tf", RELEASE)
    item = Item.of_weights("tiny", file)
    before = world.resolve(file)
    short = write_h5(world.folder / "fewer.h5", {"conv": world.arrays["conv"]})
    world.cache.accept(file.id, "0" * 64)
    world.cache.accept(file.id, sha256_of(short))
    undone = f"it was accepted before it had come; {sha256_of(world.tf)} is held to again"
    world.tf.rename(world.folder / "kept.h5")
    short.rename(world.tf)
    with pytest.raises(DownloadError, match=undone):
        world.resolve(file)
    assert world.cache.find(item) == before.path


def test_what_was_accepted_first_of_all_and_is_broken_is_let_go(world: World) -> None:
    """Then nothing is held to."""
    file = world.file("tf", RELEASE)
    write_h5(world.tf, {"conv": world.arrays["conv"]})
    world.cache.accept(file.id, sha256_of(world.tf))
    with pytest.raises(
        DownloadError, match="it was accepted before it had come, and is not held to any more"
    ):
        world.resolve(file)
    assert world.cache.seen(Item.of_weights("tiny", file)) is None


def test_what_was_held_to_is_not_pruned_before_the_new_file_has_come(world: World) -> None:
    """It may be the only right one."""
    from zoo.storage.cleanup import prune

    file = world.file("tf", RELEASE)
    path = world.resolve(file).path
    known = {file.id: Known(item=Item.of_weights("tiny", file), title="Tiny", network="tiny")}
    world.cache.accept(file.id, "0" * 64)
    assert prune(world.cache, known, now=0.0) == []
    assert path.exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"0": ["n01440764", "ten', "is no class index: it is not JSON, or cut short"),
        (json.dumps({"0": ["n01440764", "tench"]}), "names 1 class, the class index has 2"),
        ("[]", "names 0 classes, the class index has 2"),
    ],
)
def test_a_class_index_that_is_cut_short_is_not_held_to(world: World, content: str, reason: str) -> None:
    """Though nobody published its digest."""
    path = world.folder / "class_index.json"
    path.write_text(content)
    world.server.place(INDEX_URL, path)
    urls = (world.server.local(INDEX_URL),)
    index = ClassIndex(name="two", classes=2, bytes=None, digests=(), urls=urls)
    with pytest.raises(DownloadError, match=reason):
        Fetcher(world.cache).class_index(index)
    assert world.cache.seen(Item.of_class_index(index)) is None


def test_a_file_that_somebody_has_removed_is_no_fault_of_the_registry(world: World) -> None:
    """Though all its digests were right."""
    file = world.published("tf", RELEASE)
    network = world.network(file)
    found = world.fetcher().published(network, file)
    found.path.unlink()
    with pytest.raises(FileFormatError) as caught:
        check_structure(network, file, found.path, str(found.path))
    assert str(caught.value) == f"{found.path}: no such file"
