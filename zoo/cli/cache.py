"""``zoo cache list | verify | remove | prune | path``."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

from zoo.cache import Cache
from zoo.cli import EXIT_DONE, EXIT_FAILED, output
from zoo.cli.progress import progress
from zoo.housekeeping import Entry, Removed, describe, entries, keys_of, prune, remove, verify
from zoo.registry import get_registry


def run(arguments: argparse.Namespace) -> int:
    """Look after the cache."""
    return _ACTIONS[arguments.action](Cache.from_environment(), arguments)


def _path(cache: Cache, arguments: argparse.Namespace) -> int:
    shared = str(cache.shared) if cache.shared else None
    if arguments.json:
        output.print_json({"home": str(cache.home), "shared": shared})
    else:
        output.print_line(str(cache.home))
    return EXIT_DONE


def _list(cache: Cache, arguments: argparse.Namespace) -> int:
    found = entries(cache, describe(get_registry()))
    if arguments.json:
        output.print_json([_entry(entry) for entry in found])
    elif found:
        columns = ("file", "size>", "what it is", "path")
        output.print_table(columns, [_row(entry) for entry in found])
    if not arguments.json:
        output.note(f"zoo: {_count(len(found))}, {output.megabytes(_bytes(found))} in {cache.home}")
    return EXIT_DONE


def _row(entry: Entry) -> tuple[str, ...]:
    return entry.key or "?", output.megabytes(entry.bytes), entry.what, str(entry.path)


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.key,
        "what": entry.what,
        "bytes": entry.bytes,
        "converted_to": entry.form,
        "sha256": entry.sha256,
        "path": str(entry.path),
    }


def _verify(cache: Cache, arguments: argparse.Namespace) -> int:
    checked = []
    for one in verify(cache, describe(get_registry()), progress()):
        checked.append(one)
        if not arguments.json:
            output.print_line(f"{one.entry.path}: {one.problem or 'right'}")
    bad = [one for one in checked if one.problem]
    if arguments.json:
        output.print_json([_entry(one.entry) | {"problem": one.problem} for one in checked])
    output.note(f"zoo: {_count(len(checked))} hashed, {len(bad)} not right")
    for key in dict.fromkeys(one.entry.key for one in bad if one.entry.key):
        output.note(f"zoo: to fetch it again, first run: zoo cache remove {key}")
    return EXIT_FAILED if bad else EXIT_DONE


def _remove(cache: Cache, arguments: argparse.Namespace) -> int:
    known = describe(get_registry())
    others = [entry.key for entry in entries(cache, known) if entry.key]
    keys = {key for name in arguments.names for key in keys_of(name, known, others)}
    return _report(remove(cache, keys, known, dry_run=arguments.dry_run), arguments)


def _prune(cache: Cache, arguments: argparse.Namespace) -> int:
    known = describe(get_registry())
    return _report(prune(cache, known, now=time.time(), dry_run=arguments.dry_run), arguments)


def _report(removed: list[Removed], arguments: argparse.Namespace) -> int:
    if arguments.json:
        output.print_json(
            [{"path": str(one.path), "bytes": one.bytes, "reason": one.reason} for one in removed]
        )
    else:
        for one in removed:
            output.print_line(f"{one.path}: {output.megabytes(one.bytes)}, {one.reason}")
    done = "would be removed" if arguments.dry_run else "removed"
    output.note(f"zoo: {_count(len(removed))} {done}, {output.megabytes(_bytes(removed))} freed")
    return EXIT_DONE


def _bytes(found: list[Entry] | list[Removed]) -> int:
    return sum(one.bytes for one in found)


def _count(files: int) -> str:
    return f"{files} file{'' if files == 1 else 's'}"


_ACTIONS: dict[str, Callable[[Cache, argparse.Namespace], int]] = {
    "list": _list,
    "verify": _verify,
    "remove": _remove,
    "prune": _prune,
    "path": _path,
}
