"""``zoo fetch``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Any

from zoo.cli import EXIT_DONE, EXIT_FAILED, output
from zoo.cli.bars import progress, several
from zoo.cli.jobs import Stoppable, run_jobs
from zoo.errors import ArgumentError, ZooError
from zoo.fetching.fetcher import Fetched, resolve
from zoo.registry import architecture, list_models

if TYPE_CHECKING:
    from zoo.storage.progress import Progress


def run(arguments: argparse.Namespace) -> int:
    """Bring verified weights files and print their paths, alone."""
    names = _names(arguments)
    if arguments.all or len(names) > 1:
        return _fetch_several(names, arguments)
    found = _fetch(names[0], arguments, progress())
    _note(found)
    if arguments.json:
        output.print_json(_facts(names[0], found, arguments))
    else:
        output.print_line(str(found.path))
    return EXIT_DONE


def _names(arguments: argparse.Namespace) -> list[str]:
    """Return the networks that were asked for, each of which exists."""
    if arguments.all == bool(arguments.names):
        raise ArgumentError("say which networks to fetch, or --all")
    names = list_models() if arguments.all else list(arguments.names)
    if arguments.from_file and len(names) > 1:
        raise ArgumentError("--from takes one file: give one network's name")
    if arguments.jobs < 1:
        raise ArgumentError(f"--jobs {arguments.jobs}: must be 1 or more")
    for name in names:
        architecture(name)  # a misspelt name is told before anything is fetched
    return names


def _fetch(name: str, arguments: argparse.Namespace, reporter: Progress) -> Fetched:
    return resolve(
        name,
        backend=arguments.backend,
        weights=arguments.weights,
        top=arguments.top,
        from_file=arguments.from_file,
        require_checksum=arguments.require_checksum,
        progress=reporter,
    )


def _fetch_several(names: Sequence[str], arguments: argparse.Namespace) -> int:
    """Fetch several networks' files at once; one that fails does not keep the others away."""
    different, stop = list(dict.fromkeys(names)), Event()
    with several(len(different)) as new_progress:
        tasks = [partial(_fetch, name, arguments, Stoppable(new_progress(), stop)) for name in different]
        results = dict(zip(different, run_jobs(tasks, arguments.jobs, stop), strict=True))
    failed = False
    for result in results.values():
        failed |= _tell(result)
    if arguments.json:
        output.print_json([_facts_or_error(name, results[name], arguments) for name in names])
    else:
        for name in names:
            if results[name].exception() is None:
                output.print_line(str(results[name].result().path))
    return EXIT_FAILED if failed else EXIT_DONE


def _tell(result: Future[Fetched]) -> bool:
    """Print what the user should know of one network; return whether it failed."""
    try:
        _note(result.result())
    except ZooError as error:
        output.say(f"zoo: {error}")
        return True
    return False


def _note(found: Fetched) -> None:
    for text in found.notes:
        output.note(f"zoo: {text}")


def _facts_or_error(name: str, result: Future[Fetched], arguments: argparse.Namespace) -> dict[str, Any]:
    error = result.exception()
    return _facts(name, result.result(), arguments) if error is None else output.failure(name, error)


def _facts(name: str, found: Fetched, arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "name": name,
        "path": str(found.path),
        "id": found.file.id,
        "backend": arguments.backend,
        "converted": found.converted,
        "bytes": found.path.stat().st_size,
        "notes": list(found.notes),
    }
