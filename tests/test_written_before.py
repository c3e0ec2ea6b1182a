"""What version 0.1.0 wrote is read; what a later version writes is refused in one line and stays as it is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml

from converters import convert_file, inspect_file
from converters.formats.dialects import describe
from converters.formats.record import SCHEMA as RECORD
from converters.layers.network import SCHEMA as NETWORK
from converters.trees import convert_tree
from tests.support.paths import DIALECTS, WRITTEN_BEFORE
from tests.support.world import DRIVE, RELEASE, World
from zoo.cli import main
from zoo.errors import CacheError, ChecksumError, DownloadError, NewerFileError, RegistryError
from zoo.fetching.fetcher import Fetcher
from zoo.registry.files import load_registry
from zoo.registry.form import SCHEMA as REGISTRY
from zoo.registry.records import ClassIndex, WeightsFile
from zoo.storage import mirrors, partials, pins
from zoo.storage.cache import Cache, Item

NEWER = (
    "was written by a later version: its schema is {found}, this version knows {known};"
    " install a later version of keras-weight-zoo"
)


def tree(folder: Path) -> dict[str, bytes]:
    """Return every file in a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# A cache.


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Return a world whose cache was filled by version 0.1.0."""
    world = World(tmp_path)
    shutil.copytree(WRITTEN_BEFORE / "home", world.cache.home)
    with world.server:
        yield world


def unpublished(world: World) -> WeightsFile:
    """Return the file that nobody published a digest of."""
    return replace(world.file("tf", RELEASE), id="tiny-unpublished")


def test_files_of_a_cache_are_found_and_not_fetched_again(world: World) -> None:
    """The published ones, with and without a digest, and the class index."""
    index = ClassIndex(name="tiny", classes=1, bytes=None, digests=(), urls=("http://127.0.0.1:9/",))
    before = tree(world.cache.home)
    found = [
        world.resolve(world.published("th", DRIVE), backend="th").path,
        world.resolve(unpublished(world)).path,
        Fetcher(world.cache).class_index(index),
    ]
    names = [path.relative_to(world.cache.home).as_posix() for path in found]
    assert names == [
        "tiny/tiny-th-13d1d830aefef145.h5",
        "tiny/tiny-unpublished-c5fb3fcb89208cc0.h5",
        "class_indexes/tiny-4fa72a5fbbd690ea.json",
    ]
    assert world.asked() == []
    after = tree(world.cache.home)
    assert {name for name in before if before[name] != after.get(name)} == {
        f"_memory/verified/{name}.json" for name in names
    }


def test_a_converted_copy_is_made_anew_from_the_file_that_is_there(world: World) -> None:
    """It says nothing of the rules that it was made by; nothing is fetched for that."""
    found = world.resolve(world.published("th", DRIVE))
    assert found.converted
    assert found.path.relative_to(world.cache.home).as_posix() == "tiny/tiny-th-13d1d830aefef145-tf.h5"
    assert world.asked() == []


def test_what_was_first_seen_is_held_to(world: World) -> None:
    """The small files and ``seen.yaml`` alone say the same; another file is refused, as it was."""
    memory = pins.Memory(world.cache.home)
    seen = memory.all_seen()
    assert list(seen) == ["class_indexes/tiny", "tiny-th", "tiny-unpublished"]
    assert [one.sha256[:8] for one in memory.refused("tiny-unpublished")] == ["e4a41f2a"]
    shutil.rmtree(world.cache.home / "_memory")
    assert memory.all_seen() == seen
    item = Item.of_weights("tiny", unpublished(world))
    with pytest.raises(ChecksumError, match="it was c5fb3fcb"):
        world.cache.check_seen(item, "e" * 64, "somewhere")


def test_half_of_a_download_is_gone_on_with(world: World) -> None:
    """Its bytes, and what they are the beginning of."""
    folder = world.cache.partials
    (partial,) = folder.iterdir()
    with partials.claimed(folder, partial.name.partition("~")[0], partial.stat().st_mtime) as mine:
        assert mine.size == 1028
        assert mine.about is not None
        assert (mine.about.total, mine.about.etag) == (2056, '"v1"')


def test_the_index_of_a_mirror_is_read() -> None:
    """It had a number from the beginning."""
    held = mirrors.parse_index((WRITTEN_BEFORE / "mirror.json").read_bytes(), "here")
    assert held["vgg16-tf"].bytes == 9


def bump(path: Path, key: str = "schema") -> None:
    """Let a later version have written a file of JSON or YAML, with something that is new in it."""
    raw = yaml.safe_load(path.read_text("utf-8"))
    raw |= {key: raw.get(key, 1) + 1, "new": "something"}
    path.write_text(json.dumps(raw) if path.suffix == ".json" else yaml.safe_dump(raw), "utf-8")


FACTS = {
    "seen": "seen/tiny-unpublished.json",
    "verified": "verified/tiny/tiny-unpublished-c5fb3fcb89208cc0.h5.json",
    "refused": "refused/tiny-unpublished/{}.json".format(
        "e4a41f2a95ac8cab456606a7f66aab2d41c0279211117e434777030f954cd79a"
    ),
}
TOUCHING: dict[str, Callable[[World], object]] = {
    "cache list": lambda world: main(["cache", "list"]),
    "cache verify": lambda world: main(["cache", "verify"]),
    "cache prune": lambda world: main(["cache", "prune", "--unknown", "--yes"]),
    "cache remove": lambda world: main(["cache", "remove", "tiny-unpublished"]),
    "trust": lambda world: main(["trust", "tiny-unpublished"]),
    "fetch": lambda world: world.resolve(unpublished(world)),
    "accept": lambda world: world.cache.accept("tiny-unpublished", "e4a41f2a" + "0" * 56),
    "forget": lambda world: world.cache.memory.forget("tiny-unpublished"),
    "drop": lambda world: world.cache.memory.drop("tiny/tiny-unpublished-c5fb3fcb89208cc0.h5"),
    "pardon": lambda world: world.cache.memory.pardon("tiny-unpublished", FACTS["refused"][-69:-5]),
}


@pytest.mark.parametrize("fact", FACTS)
@pytest.mark.parametrize("what", TOUCHING)
def test_a_fact_of_a_later_version_is_never_changed(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fact: str, what: str
) -> None:
    """Whatever is done reads it not at all, or is refused; all that is there stays."""
    monkeypatch.setenv("ZOO_HOME", str(world.cache.home))
    path = world.cache.home / "_memory" / FACTS[fact]
    bump(path)
    before = path.read_bytes()
    try:
        code, message = TOUCHING[what](world), ""
    except CacheError as error:
        code, message = 1, f"zoo: {error}"
    assert path.read_bytes() == before
    if code == 1:
        told = message or capsys.readouterr().err.splitlines()[-1]
        assert told == f"zoo: {path}: {NEWER.format(found=2, known=pins.SCHEMA)}"


@pytest.mark.parametrize("fact", FACTS)
def test_a_fact_of_a_later_version_is_refused(world: World, fact: str) -> None:
    """In one line with the file, both numbers and what to do."""
    path = world.cache.home / "_memory" / FACTS[fact]
    bump(path)
    memory = world.cache.memory
    with pytest.raises(CacheError) as caught:
        {
            "seen": memory.all_seen,
            "verified": memory.all_verified,
            "refused": lambda: memory.refused("tiny-unpublished"),
        }[fact]()
    assert str(caught.value) == f"{path}: {NEWER.format(found=2, known=pins.SCHEMA)}"


def test_a_list_of_a_later_version_is_refused_before_anything_is_written(world: World) -> None:
    """``seen.yaml`` is asked where a small file is missing, and written with each of them."""
    path = world.cache.home / "seen.yaml"
    bump(path, "format")
    before = tree(world.cache.home)
    message = f"{path}: {NEWER.format(found=2, known=pins.SUMMARY_SCHEMA)}"
    known = world.cache.memory.seen("tiny-th")
    assert known is not None
    for step in (
        lambda: world.cache.memory.hold_to("tiny-th", known),
        lambda: world.cache.memory.see("tiny-new", known),
        lambda: world.cache.memory.forget("tiny-th"),
    ):
        with pytest.raises(CacheError) as caught:
            step()
        assert str(caught.value) == message
    assert tree(world.cache.home) == before


def test_facts_that_are_written_say_their_number(world: World) -> None:
    """Each of them, the list and what is downloaded in part."""
    world.resolve(world.published("th", DRIVE))
    written = world.cache.home / "_memory" / "converted" / "tiny" / "tiny-th-13d1d830aefef145-tf.h5.json"
    assert json.loads(written.read_text())["schema"] == pins.SCHEMA
    assert yaml.safe_load((world.cache.home / "seen.yaml").read_text())["format"] == pins.SUMMARY_SCHEMA


def test_a_download_of_a_later_version_is_left_alone(world: World) -> None:
    """Another one is begun beside it."""
    folder = world.cache.partials
    (partial,) = folder.iterdir()
    bump(partial / partials.ABOUT)
    before = tree(partial)
    with partials.claimed(folder, partial.name.partition("~")[0], partial.stat().st_mtime) as mine:
        assert (mine.size, mine.about) == (0, None)
    assert tree(partial) == before


def test_the_index_of_a_mirror_of_a_later_version_is_refused() -> None:
    """With its address."""
    raw = json.dumps({"format": 2, "files": [], "new": 1}).encode()
    with pytest.raises(DownloadError) as caught:
        mirrors.parse_index(raw, "https://a.example/index.json")
    assert str(caught.value) == (
        f"https://a.example/index.json: {NEWER.format(found=2, known=mirrors.SCHEMA)}"
    )


# Records in converted files.

OLD = DIALECTS / "keras122_theano_th" / "conv2d_flatten_dense_dense.weights.h5"
CONVERTED = WRITTEN_BEFORE / "converted"


def arrays(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Return every array of an HDF5 file, by its path."""
    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, node: found.update({name: node[()]}) if isinstance(node, h5py.Dataset) else None
        )
    return found


@pytest.mark.parametrize(
    ("name", "layout", "kernels"),
    [
        ("keras1_tf.h5", "tf", "tf"),
        ("whole_model_tf.h5", "tf", "tf"),
        ("keras2.h5", "tf", "tf"),
        ("keras2_kernels.h5", "th", "tf"),
        ("keras3.weights.h5", "tf", "tf"),
    ],
)
def test_a_record_tells_what_a_file_is(name: str, layout: str, kernels: str) -> None:
    """Both facts come from it."""
    found = inspect_file(CONVERTED / name)
    assert found.layout is not None
    assert found.kernels is not None
    assert (found.layout.value, found.kernels.value) == (layout, kernels)
    assert (found.layout.source, found.kernels.source) == ("record", "record")
    assert found.description.record is not None
    assert found.description.record.converter == "keras-weight-zoo 0.1.0"


@pytest.mark.parametrize("name", ["keras1_tf.h5", "whole_model_tf.h5"])
def test_a_converted_file_is_converted_back(name: str, tmp_path: Path) -> None:
    """To the arrays that it was made of."""
    source = OLD if name == "keras1_tf.h5" else OLD.with_name("conv2d_flatten_dense_dense.model.h5")
    flatten = {"dense_1": (6, 3, 4)} if name == "keras1_tf.h5" else None
    convert_file(CONVERTED / name, tmp_path / "th.h5", direction="tf-to-th", flatten=flatten)
    there, back = arrays(source), arrays(tmp_path / "th.h5")
    assert there.keys() == back.keys()
    assert all(np.array_equal(there[path], back[path]) for path in there)


def test_containers_of_arrays_keep_their_record() -> None:
    """Both are read, and their record with them."""
    for suffix in ("safetensors", "npz"):
        record = describe(CONVERTED / f"keras1.{suffix}").record
        assert record is not None
        assert record.attributes()["zoo_converter"] == "keras-weight-zoo 0.1.0"


def newer_record(path: Path, attribute: str) -> str:
    """Let a later version have written the record of a file; return how that is refused."""
    with h5py.File(path, "r+") as file:
        if attribute == "zoo_schema":
            file.attrs[attribute] = str(RECORD + 1)
            return f"{path}: the record of its conversion {NEWER.format(found=RECORD + 1, known=RECORD)}"
        file.attrs[attribute] = json.dumps({"schema": NETWORK + 1, "graph": {}})
    return f"{path}: zoo_network {NEWER.format(found=NETWORK + 1, known=NETWORK)}"


@pytest.mark.parametrize("attribute", ["zoo_schema", "zoo_network"])
def test_a_record_of_a_later_version_is_refused(attribute: str, tmp_path: Path) -> None:
    """By whoever opens the file, and by a conversion whose target it is."""
    (tmp_path / "in").mkdir()
    source = tmp_path / "in" / "w.h5"
    shutil.copy(OLD.with_name("conv2d_flatten_dense_dense.model.h5"), source)
    target = tmp_path / "out" / "w.h5"
    target.parent.mkdir()
    convert_file(source, target, direction="th-to-tf")
    message, before = newer_record(target, attribute), target.read_bytes()
    with pytest.raises(NewerFileError) as caught:
        inspect_file(target)
    assert str(caught.value) == message
    report = convert_tree(tmp_path / "in", tmp_path / "out", direction="th-to-tf", force=True, jobs=1)
    assert [(one.status, one.detail) for one in report.files] == [("failed", message)]
    assert target.read_bytes() == before


# Overlays.


def test_an_overlay_is_laid_over_todays_registry() -> None:
    """Whatever keys have come since have defaults."""
    registry = load_registry([WRITTEN_BEFORE / "overlay.yaml"])
    shipped = load_registry([])
    files = registry.architectures["vgg16"].weights
    known = [file for file in shipped.architectures["vgg16"].weights if file.format is None]
    assert [file.id for file in files] == [file.id for file in known]
    assert {url.rpartition("/")[0] for file in files for url in file.urls} == {"https://mirror.example.org"}
    assert registry.class_indexes["imagenet"].urls == ("https://mirror.example.org/index.json",)
    assert registry.architectures["vgg19"] == shipped.architectures["vgg19"]


def test_an_overlay_of_a_later_version_is_refused(tmp_path: Path) -> None:
    """Before it is looked into; one without a number is of the first form."""
    path = tmp_path / "overlay.yaml"
    path.write_text(f"schema: {REGISTRY + 1}\nnetworks: []\n")
    with pytest.raises(RegistryError) as caught:
        load_registry([path])
    assert str(caught.value) == f"{path}: {NEWER.format(found=REGISTRY + 1, known=REGISTRY)}"
    path.write_text("architectures: {}\n")
    assert load_registry([path]) == load_registry([])


def test_a_cache_of_before_is_listed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line reads all of it."""
    monkeypatch.setenv("ZOO_HOME", str(world.cache.home))
    assert main(["cache", "list"]) == 0
    assert Cache.from_environment().memory.all_verified().keys() == {
        "class_indexes/tiny-4fa72a5fbbd690ea.json",
        "tiny/tiny-th-13d1d830aefef145-tf.h5",
        "tiny/tiny-th-13d1d830aefef145.h5",
        "tiny/tiny-unpublished-c5fb3fcb89208cc0.h5",
    }
