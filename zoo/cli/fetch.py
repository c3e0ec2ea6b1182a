"""``zoo fetch``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from zoo.cli import EXIT_DONE, EXIT_FAILED, EXIT_USAGE, is_misuse, output
from zoo.cli.bars import progress, several
from zoo.cli.jobs import Stoppable, run_jobs
from zoo.download.failures import NoSourceError
from zoo.download.reach import Hosts
from zoo.errors import ArgumentError, ZooError
from zoo.fetching.fetcher import check_agrees, check_alone, fetch_class_index, resolve
from zoo.registry import CLASS_INDEXES, is_class_index, list_models, look_up
from zoo.registry.records import Architecture, WeightsFile

if TYPE_CHECKING:
    from zoo.progress.protocol import Progress

_Failure = ZooError | OSError
"""What one of several files may have failed by, while the others are fetched."""


def run(arguments: argparse.Namespace) -> int:
    """Bring verified files and print their paths, alone."""
    names, hosts = _names(arguments), Hosts()
    if arguments.all or len(names) > 1:
        return _fetch_several(names, arguments, hosts)
    found = _fetch(names[0], arguments, progress(), hosts)
    for text in found.notes:
        output.note(f"zoo: {text}")
    if arguments.json:
        output.print_json(_facts(names[0], found))
    else:
        output.print_line(str(found.path))
    return EXIT_DONE


def _names(arguments: argparse.Namespace) -> list[str]:
    """Return what was asked for, each of which exists and is not contradicted."""
    if arguments.all == bool(arguments.names):
        raise ArgumentError("say which networks to fetch, or --all")
    names = list_models() if arguments.all else list(arguments.names)
    if arguments.from_file and len(names) > 1:
        raise ArgumentError("--from takes one file: give one network's name")
    if arguments.jobs < 1:
        raise ArgumentError(f"--jobs {arguments.jobs}: must be 1 or more")
    for name in names:
        _check(name, arguments)  # a mistake is told before anything is fetched
    return names


def _check(name: str, arguments: argparse.Namespace) -> None:
    """Check that there is such a thing, and that the options do not say that it is another one.

    Raises:
        UnknownNameError: There is not.
        ArgumentError: They do.
    """
    found = look_up(name)
    if isinstance(found, Architecture):
        return
    asked = _asked(arguments)
    if isinstance(found, WeightsFile):
        check_agrees(found, **asked, words=_WORDS)
        return
    said = [_WORDS[key].format(value) for key, value in asked.items() if value is not None]
    check_alone(name, [*said, *(["--from"] if arguments.from_file else [])])


def _asked(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return which file of a network is wanted, as far as the options say it."""
    top = None if arguments.top else False
    return {"backend": arguments.backend, "weights": arguments.weights, "top": top}


_WORDS: Mapping[str, str] = {"backend": "--backend {}", "weights": "--weights {}", "top": "--no-top"}
"""How the command line calls what the library calls by these names."""


@dataclass(frozen=True, kw_only=True)
class _Got:
    """What was fetched.

    Attributes:
        path: Where it lies.
        id: Which published file it is or was converted from.
        backend: Layout and kernels both; ``None`` where they differ, or of what has none.
        converted: Whether it was converted.
        notes: What the user should know, one line each.
    """

    path: Path
    id: str
    backend: str | None = None
    converted: bool = False
    notes: tuple[str, ...] = ()


def _fetch(name: str, arguments: argparse.Namespace, reporter: Progress, hosts: Hosts) -> _Got:
    if is_class_index(name):
        index = fetch_class_index(name.removeprefix(CLASS_INDEXES), progress=reporter, hosts=hosts)
        return _Got(path=index, id=name)
    found = resolve(
        name,
        **_asked(arguments),
        from_file=arguments.from_file,
        require_checksum=arguments.require_checksum,
        origin=arguments.origin,
        progress=reporter,
        hosts=hosts,
    )
    file = found.file
    own = file.layout if file.layout == file.kernels else None
    form = (arguments.backend or "tf") if found.converted else own
    return _Got(path=found.path, id=file.id, backend=form, converted=found.converted, notes=found.notes)


def _fetch_several(names: Sequence[str], arguments: argparse.Namespace, hosts: Hosts) -> int:
    """Fetch several files at once; one that fails does not keep the others away."""
    different, stop = list(dict.fromkeys(names)), Event()
    with several(len(different)) as new_progress:
        tasks = [
            partial(_fetch, name, arguments, Stoppable(new_progress(), stop), hosts) for name in different
        ]
        results = dict(zip(different, run_jobs(tasks, arguments.jobs, stop), strict=True))
    errors = _tell(results)
    if arguments.json:
        output.print_json([_entry(name, results[name], errors) for name in names])
    else:
        for name in names:
            if name not in errors:
                output.print_line(str(results[name].result().path))
    return _exit_code(errors.values())


def _exit_code(errors: Collection[_Failure]) -> int:
    """Return what one of them alone would have ended with; 1 if some are mistakes of usage and some not."""
    if not errors:
        return EXIT_DONE
    return EXIT_USAGE if all(map(is_misuse, errors)) else EXIT_FAILED


def _tell(results: Mapping[str, Future[_Got]]) -> dict[str, _Failure]:
    """Print what the user should know, each line once; return what failed."""
    told: dict[str, Callable[[str], None]] = {}
    errors: dict[str, _Failure] = {}
    for name, result in results.items():
        try:
            told |= dict.fromkeys(result.result().notes, output.note)
        except (ZooError, OSError) as error:
            errors[name] = error
    told |= dict.fromkeys(map(output.message_of, _at_once(errors)), output.say)
    for text, tell in told.items():
        tell(f"zoo: {text}")
    return errors


def _at_once(errors: Mapping[str, _Failure]) -> list[_Failure]:
    """Return what failed; where nobody was reached for several files that is one error."""
    alone = {
        name: error
        for name, error in errors.items()
        if isinstance(error, NoSourceError) and not error.reached
    }
    others = [error for name, error in errors.items() if name not in alone]
    if len(alone) <= 1:
        return [*others, *alone.values()]
    attempts = [attempt for error in alone.values() for attempt in error.attempts]
    heading = f"{', '.join(alone)}: no source gave the files:"
    advice = "get a file in another way, then run: zoo fetch NAME --from FILE"
    return [*others, NoSourceError(heading, attempts, advice)]


def _entry(name: str, result: Future[_Got], errors: Mapping[str, _Failure]) -> dict[str, Any]:
    if name in errors:
        return output.failure(name, errors[name])
    return _facts(name, result.result())


def _facts(name: str, found: _Got) -> dict[str, Any]:
    return {
        "name": name,
        "path": str(found.path),
        "id": found.id,
        "backend": found.backend,
        "converted": found.converted,
        "bytes": found.path.stat().st_size,
        "notes": list(found.notes),
    }
