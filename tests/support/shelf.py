"""Small files of real registry entries, put into a cache without any host."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from zoo.registry import get_registry
from zoo.registry.records import Layout
from zoo.storage.cache import Cache, Item
from zoo.storage.cleanup import Known, describe

URL = "https://files.example.org/weights.h5"
THEANO = "densenet161-th-flyyufelix"
"""A file of which nobody published a digest."""

GOOGLENET = "googlenet-th"
"""Another one."""


def fixed_cache(home: Path, shared: Path | None = None) -> Cache:
    """Return a cache where it is always the same moment."""
    return Cache(home, shared=shared, now=lambda: datetime(2026, 11, 20, 8, 30, 5, tzinfo=UTC))


def everything() -> dict[str, Known]:
    """Return what the shipped registry describes."""
    return describe(get_registry())


def one_of_each_ending() -> list[Item]:
    """Return an item of each ending that the registry has, and that of a whole model."""
    items = {known.item.ending: known.item for known in everything().values()}
    whole = replace(items[".h5"], key="whole", stem="whole", ending=".keras")
    return [replace(item, bytes=None, digests=()) for item in (*items.values(), whole)]


def sha256(body: bytes) -> str:
    """Return the SHA-256 of some bytes."""
    return hashlib.sha256(body).hexdigest()


def keep(cache: Cache, item: Item, body: bytes) -> Path:
    """Keep a file as a download does, whose published digests were checked."""
    path = cache.home / "_incoming"
    cache.home.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return cache.keep(path, item, digests={"sha256": sha256(body)}, url=URL)


def keep_converted(cache: Cache, item: Item, body: bytes, form: Layout = "tf") -> Path:
    """Keep a converted copy."""
    path = cache.home / "_incoming"
    path.write_bytes(body)
    return cache.keep_converted(path, item, form)
