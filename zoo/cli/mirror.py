"""``zoo mirror``."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from converters.errors import counted
from zoo.cli import EXIT_DONE, EXIT_FAILED, output
from zoo.cli.bars import progress
from zoo.cli.noted import noted_cache
from zoo.errors import ArgumentError
from zoo.fetching.fetcher import Fetcher
from zoo.naming import is_name
from zoo.registry import CLASS_INDEXES, get_registry, weights_file
from zoo.registry.records import Registry
from zoo.storage.cache import Cache, Item
from zoo.storage.cleanup import describe, keys_of
from zoo.storage.destinations import destination
from zoo.storage.mirrors import Outcome, check, mirror


def run(arguments: argparse.Namespace) -> int:
    """Bring files to a mirror, or hash again what it holds."""
    place = destination(arguments.place)
    if not arguments.check:
        cache, registry = noted_cache(), get_registry()
        items = _items(registry, arguments.names)
        if is_name(arguments.place, lambda: registry.architectures):
            _check_meant(arguments)
            output.note(f"zoo: {arguments.place}: taken for a folder; a network's name goes after it")
        return _report(mirror(place, items, _Obtain(cache, registry), cache, progress()), arguments.json)
    if arguments.names:
        raise ArgumentError("--check hashes the whole mirror: leave the names out")
    return _report(check(place, progress()), arguments.json)


def _check_meant(arguments: argparse.Namespace) -> None:
    """Check that somebody who names a network alone wants a folder of that name with all of the registry.

    Raises:
        ArgumentError: That is unlikely: the folder has been left out.
    """
    if not arguments.names:
        name = arguments.place
        raise ArgumentError(
            f"{name}: is a network, and the mirror's folder goes before it: zoo mirror DIR {name}; for a "
            f"folder of that name with all networks, write ./{name}"
        )


def _items(registry: Registry, names: Iterable[str]) -> list[Item]:
    """Return the files that names stand for, or all; with those of a network comes what names its classes."""
    known = describe(registry)
    keys = [key for name in names for key in (*keys_of(name, known, ()), *_index(registry, name))]
    return [known[key].item for key in dict.fromkeys(keys or known)]


def _index(registry: Registry, name: str) -> list[str]:
    network = registry.architectures.get(name)
    return [f"{CLASS_INDEXES}{network.class_index}"] if network and network.class_index else []


class _Obtain:
    """Brings a published file into the cache, whatever form it has."""

    def __init__(self, cache: Cache, registry: Registry) -> None:
        self._fetcher = Fetcher(cache, progress())
        self._indexes = {Item.of_class_index(one).key: one for one in registry.class_indexes.values()}

    def __call__(self, item: Item) -> Path:
        if item.key in self._indexes:
            return self._fetcher.class_index(self._indexes[item.key])
        found = self._fetcher.published(*weights_file(item.key))
        return found.path


def _report(outcomes: Iterable[Outcome], as_json: bool) -> int:
    """Print what became of each file, as it is known; return the exit code."""
    told = []
    for outcome in outcomes:
        told.append(outcome)
        if not as_json:
            output.print_line(f"{outcome.state}  {outcome.key}")
        for text in outcome.notes:
            output.note(f"zoo: {text}")
        if outcome.problem:
            output.say(f"zoo: {outcome.problem}")
    if as_json:
        output.print_json([_entry(outcome) for outcome in told])
    failed = sum(outcome.problem is not None for outcome in told)
    size = output.megabytes(sum(outcome.bytes or 0 for outcome in told if not outcome.problem))
    output.note(f"zoo: {counted(len(told) - failed, 'file')}, {size}; {failed} failed")
    return EXIT_FAILED if failed else EXIT_DONE


def _entry(outcome: Outcome) -> dict[str, Any]:
    """Return what JSON says of one file."""
    entry: dict[str, Any] = {"name": outcome.key, "state": outcome.state, "bytes": outcome.bytes}
    entry["notes"] = list(outcome.notes)
    if outcome.problem is not None:
        entry["error"] = {"type": outcome.fault, "message": outcome.problem}
    return entry
