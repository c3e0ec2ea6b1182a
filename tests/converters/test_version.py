"""Converted copies do not survive the rules that they were made by."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import pytest

import converters.writing.execute
import zoo.storage.cache
from converters import convert_file, plan_file
from converters.trees import convert_tree
from converters.version import RULES_NUMBER
from converters.writing.execute import is_done
from tests.support.world import DRIVE, World
from zoo.fetching.fetcher import Fetcher
from zoo.storage.cache import Cache, Item


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Return a world whose server runs, and whose cache holds a converted copy."""
    world = World(tmp_path)
    with world.server:
        world.resolve(world.published("th", DRIVE))
        world.asked()
        yield world


def record_of(world: World) -> Path:
    """Return where it is written down what the copy was made by."""
    (path,) = (world.cache.home / "_memory" / "converted").rglob("*.json")
    return path


def raise_number(world: World, patch: pytest.MonkeyPatch) -> None:
    """Let a later version of the converter be installed."""
    patch.setattr(zoo.storage.cache, "RULES_NUMBER", RULES_NUMBER + 1)


def forget(world: World, patch: pytest.MonkeyPatch) -> None:
    """Let the copy be one of 0.1.0, which wrote nothing down."""
    record_of(world).unlink()


def replan(world: World, patch: pytest.MonkeyPatch) -> None:
    """Let the registry have said something else of the file, so that the plan was another one."""
    path = record_of(world)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"source": "tiny, layout th, kernels tf"}))


def another(world: World, patch: pytest.MonkeyPatch) -> None:
    """Let what is written down be of another copy, which somebody else has just made."""
    path = record_of(world)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sha256": "0" * 64}))


def test_a_copy_says_what_it_was_made_by(world: World) -> None:
    """In the cache's memory, where a look is cheap, and in the copy itself."""
    item = Item.of_weights("tiny", world.published("th", DRIVE))
    copy = world.cache.find(item, "tf")
    assert copy is not None
    made = world.cache.memory.converted(str(copy.relative_to(world.cache.home)))
    assert made is not None
    with h5py.File(copy) as file:
        assert made.plan == file.attrs["zoo_plan_sha256"]
        assert made.rules == int(file.attrs["zoo_rules"]) == RULES_NUMBER
    assert made.source.endswith(", layout th, kernels th")


@pytest.mark.parametrize("change", [raise_number, forget, replan, another])
def test_a_copy_by_other_rules_is_made_anew(
    world: World, monkeypatch: pytest.MonkeyPatch, change: Callable[[World, pytest.MonkeyPatch], None]
) -> None:
    """From the published file, which is there: nobody is asked for it. The wrong copy is replaced."""
    file = world.published("th", DRIVE)
    item = Item.of_weights("tiny", file)
    copy = world.resolve(file).path
    right, wrong = copy.read_bytes(), world.folder / "wrong.h5"
    wrong.write_bytes(b"what other rules have made")
    assert world.cache.keep_converted(wrong, item, "tf") == copy == world.cache.find(item, "tf")
    change(world, monkeypatch)
    assert world.cache.find(item, "tf") is None
    found = world.resolve(file)
    assert (found.path, found.converted) == (copy, True)
    assert copy.read_bytes() == right
    assert world.asked() == []
    assert world.cache.find(item, "tf") == copy


def test_a_copy_in_the_shared_folder_by_other_rules_is_not_used(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its published file is; the copy is made in the user's own folder."""
    raise_number(world, monkeypatch)
    mine = Cache(tmp_path / "mine", shared=world.cache.home)
    found = Fetcher(mine).resolve(world.network(world.published("th", DRIVE)))
    assert found.path.is_relative_to(tmp_path / "mine")
    assert world.asked() == []


def test_a_file_in_a_folder_is_done_by_these_rules_only(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As by this plan and of this source only."""
    target = tmp_path / "new.h5"
    conversion = convert_file(world.th, target, direction="th-to-tf", flatten={"fc": (4, 2, 2)})
    assert conversion.record.rules == RULES_NUMBER
    plan = plan_file(world.th, direction="th-to-tf", flatten={"fc": (4, 2, 2)})
    assert is_done(plan, target)
    assert not is_done(replace(plan, typed_notes=("another plan",)), target)
    monkeypatch.setattr(converters.writing.execute, "RULES_NUMBER", RULES_NUMBER + 1)
    assert not is_done(plan, target)


def test_a_file_without_a_number_is_not_done(world: World, tmp_path: Path) -> None:
    """It was converted by 0.1.0; it is replaced where the user says so, as any file that is there."""
    source, target = tmp_path / "old", tmp_path / "new"
    source.mkdir()
    (source / "a.h5").write_bytes(world.th.read_bytes())
    asked = {"direction": "th-to-tf", "flatten": {"fc": (4, 2, 2)}, "jobs": 1}
    assert convert_tree(source, target, **asked).count("converted") == 1
    assert convert_tree(source, target, **asked).count("converted") == 0
    with h5py.File(target / "a.h5", "r+") as file:
        del file.attrs["zoo_rules"]
    (result,) = convert_tree(source, target, **asked).files
    assert result.status == "failed"
    assert result.detail == f"{target / 'a.h5'}: exists already; use --force (force=True) to replace it"
    assert convert_tree(source, target, **asked, force=True).count("converted") == 1
