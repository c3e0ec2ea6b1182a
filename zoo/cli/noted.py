"""The cache as the environment names it, and what the user should know of that."""

from __future__ import annotations

from zoo.cli import output
from zoo.storage.cache import Cache


def noted_cache() -> Cache:
    """Return the cache; that a shared folder had to be left out is said.

    Raises:
        ArgumentError: A variable names no folder that can be known.
    """
    cache = Cache.from_environment()
    if cache.problem:
        output.note(f"zoo: {cache.problem}")
    return cache
