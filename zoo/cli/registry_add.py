"""``zoo registry add`` and ``zoo registry remove``."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from converters.errors import counted
from zoo.cli import EXIT_DONE, output
from zoo.cli.bars import progress
from zoo.cli.keras_import import import_keras
from zoo.curating.adding import Added, before_keras, register, unregister
from zoo.curating.recognising import Unsaid
from zoo.registry.records import WHOLE_MODEL

_SAID = (
    "name", "arch", "layout", "kernels", "preprocessing", "classes", "title", "licence", "input_size",
    "weights_only", "replace", "dry_run",
)  # fmt: skip
_NUMBERS = ("input_size",)


def run(arguments: argparse.Namespace) -> int:
    """Put a network into the user's own registry, or take one out."""
    return _remove(arguments) if arguments.command == "remove" else _add(arguments)


def _add(arguments: argparse.Namespace) -> int:
    said = {name: getattr(arguments, name) for name in _SAID}
    added = None
    before_keras.set(import_keras)
    while added is None:
        try:
            added = register(arguments.file, progress=progress(), **said)
        except Unsaid as question:
            if not _is_asked():
                raise
            said[question.argument] = _answer(question)
    if arguments.json:
        output.print_json(_facts(added))
    elif arguments.dry_run:
        output.print_line(added.text.rstrip("\n"))
    else:
        output.print_line(added.name)
    for note in _notes(added, arguments.file):
        output.note(f"zoo: {note}")
    return EXIT_DONE


def _is_asked() -> bool:
    """Tell whether somebody is there who can answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _answer(question: Unsaid) -> Any:  # noqa: ANN401 - a text or a number
    """Ask until there is an answer that is allowed.

    Raises:
        Unsaid: There is none any more: nobody types.
    """
    while True:
        output.say(f"zoo: {question.question}")
        line = sys.stdin.readline()
        if not line:
            raise question
        answer = line.strip()
        if question.argument in _NUMBERS and answer.isdigit():
            return int(answer)
        if question.argument not in _NUMBERS and answer and answer in (question.choices or (answer,)):
            return answer


def _facts(added: Added) -> dict[str, Any]:
    file = added.network.weights[0]
    return {
        "name": added.name,
        "registry": str(added.registry),
        "written": added.path is not None,
        "family": added.network.family,
        "structure": file.structure or None,
        "top": file.top,
        "classes": added.network.classes,
        "layout": file.layout,
        "kernels": file.kernels,
        "dialect": file.dialect,
        "bytes": file.bytes,
        "sha256": file.digests[0].value,
        "preprocessing": added.network.preprocessing.name if added.network.preprocessing else None,
        "path": None if added.path is None else str(added.path),
        "entry": added.text,
    }


def _notes(added: Added, source: str) -> list[str]:
    """Return what was found out, what was done, and what is not known."""
    network, file = added.network, added.network.weights[0]
    what = "a whole model" if network.family == WHOLE_MODEL else f"structure {file.structure}"
    top = "" if file.top else ", without its top"
    form = f"{file.dialect}, layout {file.layout}, kernels {file.kernels}"
    notes = [f"{source}: {what}{top}, {counted(network.classes, 'class')}; {form}"]
    if added.path is None:
        notes.append(f"nothing was written; without --dry-run this goes into {added.registry}")
    else:
        notes.append(f"{added.name} is in {added.registry}; its file was copied to {added.path}")
    if network.preprocessing is None:
        notes.append("its preprocessing is not known: --preprocessing NAME says it, with --replace")
    return notes


def _remove(arguments: argparse.Namespace) -> int:
    own = unregister(arguments.name, dry_run=arguments.dry_run)
    if arguments.json:
        output.print_json({"name": arguments.name, "registry": str(own), "written": not arguments.dry_run})
    else:
        output.print_line(arguments.name)
    done = "would be removed" if arguments.dry_run else "was removed"
    kept = "the copy of its file stays in the cache (zoo cache prune --unknown removes it)"
    output.note(f"zoo: {arguments.name} {done} from {own}; {kept}")
    return EXIT_DONE
