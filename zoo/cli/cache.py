"""``zoo cache list | verify | remove | prune | path``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from converters.errors import counted
from zoo.cli import EXIT_DONE, EXIT_FAILED, output
from zoo.cli.bars import progress
from zoo.cli.noted import noted_cache
from zoo.errors import ChecksumError
from zoo.registry import get_registry
from zoo.storage.cache import Cache
from zoo.storage.cleanup import (
    Checked,
    Entry,
    Known,
    Removed,
    describe,
    entries,
    keys_of,
    prune,
    remove,
    strangers,
    undescribed,
    verify,
)
from zoo.variables import SHARED, path_variable

_NAMED = 20
"""Files of strangers that are named; of a whole home directory that is enough to see what it is."""


def run(arguments: argparse.Namespace) -> int:
    """Look after the cache."""
    return _ACTIONS[arguments.action](noted_cache(), arguments)


def _path(cache: Cache, arguments: argparse.Namespace) -> int:
    shared = path_variable(SHARED)  # whether or not it can be used
    if arguments.json:
        output.print_json({"home": str(cache.home), "shared": str(shared) if shared else None})
    else:
        output.print_line(str(cache.home))
    return EXIT_DONE


def _list(cache: Cache, arguments: argparse.Namespace) -> int:
    found = entries(cache, describe(get_registry()))
    if arguments.json:
        output.print_json([_entry(entry) for entry in found])
    elif found:
        columns = ("file", "size>", "what it is", "path")
        output.print_table(columns, [_row(entry) for entry in found], whole=("path",))
    if not arguments.json:
        once = {entry.stamp: entry for entry in found}.values()  # one file may lie there under two ids
        output.note(
            f"zoo: {counted(len(found), 'file')}, {output.megabytes(_bytes(list(once)))} in {cache.home}"
        )
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
    checked, known = [], describe(get_registry())
    for one in verify(cache, known, progress()):
        checked.append(one)
        if not arguments.json:
            output.print_line(f"{one.entry.path}: {one.problem or 'right'}")
    bad = [one for one in checked if one.problem]
    if arguments.json:
        output.print_json([_verdict(one) for one in checked])
    output.note(f"zoo: {counted(len(checked), 'file')} hashed, {len(bad)} not right")
    for key in dict.fromkeys(one.entry.key for one in bad if one.entry.key):
        output.note(f"zoo: to fetch it again, first run: zoo cache remove {key}")
    _leave(cache, known)
    return EXIT_FAILED if bad else EXIT_DONE


def _verdict(one: Checked) -> dict[str, Any]:
    entry = {"name": one.entry.key or str(one.entry.path)} | _entry(one.entry)
    if one.problem is None:
        return entry
    return entry | {"error": {"type": ChecksumError.__name__, "message": one.problem}}


def _remove(cache: Cache, arguments: argparse.Namespace) -> int:
    known = describe(get_registry())
    others = [entry.key for entry in entries(cache, known) if entry.key]
    keys = {key for name in arguments.names for key in keys_of(name, known, others)}
    _report(remove(cache, keys, known, dry_run=arguments.dry_run), arguments)
    _leave(cache, known)
    return EXIT_DONE


def _prune(cache: Cache, arguments: argparse.Namespace) -> int:
    known = describe(get_registry())
    pruned = partial(prune, cache, known, now=time.time(), unknown=arguments.unknown)
    refused = _asks(arguments) and not _agreed(pruned(dry_run=True))
    if refused:
        output.note("zoo: nothing was removed")
    else:
        _report(pruned(dry_run=arguments.dry_run), arguments)
    _leave(cache, known)
    if not arguments.unknown:
        _keep(undescribed(cache, known))
    return EXIT_FAILED if refused else EXIT_DONE


def _asks(arguments: argparse.Namespace) -> bool:
    """Say whether somebody is there to be asked and has not said yes already."""
    return not (arguments.yes or arguments.dry_run) and sys.stdin.isatty() and sys.stderr.isatty()


def _agreed(doomed: Sequence[Removed]) -> bool:
    """Show what would be removed, and return whether the user wants that; nothing needs no leave."""
    if not doomed:
        return True
    for one in doomed:
        output.say(_line(one))
    sys.stderr.write(
        f"zoo: remove {counted(len(doomed), 'file')}, {output.megabytes(_bytes(doomed))}? [y/N] "
    )
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _leave(cache: Cache, known: Mapping[str, Known]) -> None:
    """Name what lies in the cache's folder and is none of this program's files."""
    _note_paths("left alone, as zoo did not put it there", strangers(cache, known))


def _keep(paths: Sequence[Path]) -> None:
    """Name what the registry does not describe and what is kept all the same."""
    _note_paths("kept, though the registry does not describe it (--unknown removes it)", paths)


def _note_paths(what: str, paths: Sequence[Path]) -> None:
    if paths:
        more = f" and {len(paths) - _NAMED:,} more" if len(paths) > _NAMED else ""
        output.note(f"zoo: {what}: {', '.join(map(str, paths[:_NAMED]))}{more}")


def _report(removed: Sequence[Removed], arguments: argparse.Namespace) -> None:
    if arguments.json:
        output.print_json(
            [{"path": str(one.path), "bytes": one.bytes, "reason": one.reason} for one in removed]
        )
    else:
        for one in removed:
            output.print_line(_line(one))
    done = "would be removed" if arguments.dry_run else "removed"
    output.note(f"zoo: {counted(len(removed), 'file')} {done}, {output.megabytes(_bytes(removed))} freed")


def _line(one: Removed) -> str:
    return f"{one.path}: {output.megabytes(one.bytes)}, {one.reason}"


def _bytes(found: Sequence[Entry] | Sequence[Removed]) -> int:
    return sum(one.bytes for one in found)


_ACTIONS: dict[str, Callable[[Cache, argparse.Namespace], int]] = {
    "list": _list,
    "verify": _verify,
    "remove": _remove,
    "prune": _prune,
    "path": _path,
}
