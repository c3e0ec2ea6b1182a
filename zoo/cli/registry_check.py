"""``zoo registry check``."""

from __future__ import annotations

import argparse
from pathlib import Path

from converters.errors import counted
from zoo.cli import EXIT_DONE, EXIT_FAILED, output
from zoo.errors import ArgumentError


def run(arguments: argparse.Namespace) -> int:
    """Check a registry, or ask its links."""
    if arguments.online:
        from zoo.cli.registry_links import ask

        return ask(arguments)
    return _check(arguments)


def _check(arguments: argparse.Namespace) -> int:
    from zoo.curating.checking import check

    if len(arguments.names) > 1:
        raise ArgumentError(f"{arguments.names[1]}: one file at a time is checked; with --online, names")
    found = check(Path(arguments.names[0]) if arguments.names else None)
    if arguments.json:
        facts = {"files": list(found.files), "networks": found.networks, "weights_files": found.weights}
        output.print_json(facts | {"mistakes": list(found.mistakes)})
    for mistake in found.mistakes:
        output.say(f"zoo: {mistake}")
    if found.mistakes:
        output.note(f"zoo: {counted(len(found.mistakes), 'mistake')}")
        return EXIT_FAILED
    what = f"{counted(found.networks, 'network')}, {counted(found.weights, 'weights file')}"
    output.note(f"zoo: no mistakes in {', '.join(found.files)}: {what}")
    return EXIT_DONE
