"""How often one fetch asks: a file is described and matched once, and found without much asking."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import converters.formats.dialects
import converters.planning.structures
from tests.support.world import DRIVE, RELEASE, World
from zoo.fetching.fetcher import Fetcher
from zoo.networks import weights
from zoo.storage.cache import Cache
from zoo.storage.pins import Memory


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Return a world whose server runs."""
    world = World(tmp_path)
    with world.server:
        yield world


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Return how often each of these is asked."""
    counts: Counter[str] = Counter()

    count(counts, monkeypatch, converters.formats.dialects, "describe", "described")
    count(counts, monkeypatch, converters.planning.structures, "match", "matched")
    count(counts, monkeypatch, Cache, "find", "looked for")
    count(counts, monkeypatch, Memory, "seen", "first seen")
    return counts


def count(counts: Counter[str], monkeypatch: pytest.MonkeyPatch, owner: object, name: str, what: str) -> None:
    """Count from now on how often something is called."""
    real = getattr(owner, name)

    def counted(*arguments: object, **options: object) -> object:
        counts[what] += 1
        return real(*arguments, **options)

    monkeypatch.setattr(owner, name, counted)


def test_a_published_file(world: World, asked: Counter[str]) -> None:
    """It is looked for before and under the lock, and what was first seen is asked there and in the end."""
    world.resolve(world.published("tf", RELEASE))
    assert asked == {"described": 1, "matched": 1, "looked for": 2, "first seen": 4}


def test_a_file_that_is_there(world: World, asked: Counter[str]) -> None:
    """It is not opened."""
    world.resolve(world.published("tf", RELEASE))
    asked.clear()
    world.resolve(world.published("tf", RELEASE))
    assert asked == {"looked for": 1, "first seen": 1}


def test_a_converted_file(world: World, asked: Counter[str]) -> None:
    """The published file is described once, the copy once."""
    world.resolve(world.published("th", DRIVE))
    assert asked == {"described": 2, "matched": 2, "looked for": 4, "first seen": 7}


def test_a_file_that_the_user_has(world: World, asked: Counter[str]) -> None:
    """What tells which file it is tells whether it is whole."""
    world.resolve(world.file("tf", RELEASE), from_file=world.tf)
    assert asked == {"described": 1, "matched": 1, "first seen": 3}


def test_a_file_to_load_weights_from(
    world: World, asked: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was found as it was fetched is what it is read by; a file that is there is opened once."""
    network = world.network(world.published("th", DRIVE))
    monkeypatch.setattr(weights, "find_cached", world.fetcher().find_cached)
    monkeypatch.setattr(
        weights, "resolve", lambda name, **options: Fetcher(world.cache).resolve(network, **without(options))
    )
    monkeypatch.setattr(weights, "_published_names", lambda graph, structure: {})  # it looks for shipped ones
    count(asked, monkeypatch, weights, "describe", "described")
    count(asked, monkeypatch, weights, "match", "matched")
    for _ in range(2):
        weights._fetched(
            network, network.graphs["published"], "imagenet", tops=[True], origin=True, progress=None
        )
        assert (asked["described"], asked["matched"]) == (1, 1)
        asked.clear()


def without(options: dict[str, object]) -> dict[str, object]:
    """Return what the fetcher is asked, which has its progress already."""
    return {name: value for name, value in options.items() if name != "progress"}
