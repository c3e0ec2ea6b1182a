"""``zoo registry check --online``."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence

from zoo.cli import EXIT_DONE, EXIT_FAILED, output
from zoo.cli.bars import progress
from zoo.curating import links
from zoo.registry import get_registry


def ask(arguments: argparse.Namespace) -> int:
    """Ask every link of networks and files, and print what became of it."""
    registry = get_registry()
    answered = links.ask(links.links(arguments.names, registry), progress())
    if arguments.json:
        output.print_json([_facts(one) for one in answered])
    else:
        _print(answered)
    lost = links.without_source(answered, registry)
    for name in lost:
        output.say(f"zoo: {name}: no link leads to a file of it any more")
    counts = Counter(one.state for one in answered)
    output.note(f"zoo: {', '.join(f'{count} {state}' for state, count in counts.items()) or 'no links'}")
    return EXIT_FAILED if lost else EXIT_DONE


def _facts(one: links.Answered) -> dict[str, object]:
    return {
        "network": one.asked.network,
        "file": one.asked.file,
        "url": one.asked.url,
        "state": one.state,
        "reason": one.reason or None,
        "moved_to": one.address,
    }


def _print(answered: Sequence[links.Answered]) -> None:
    """Print the links of each file below its id; an address is never cut."""
    before = None
    for one in answered:
        if one.asked.file != before:
            output.print_line(one.asked.file)
            before = one.asked.file
        output.print_line(f"  {one.state}: {one.asked.url}")
        if one.reason:
            output.print_line(f"    {one.reason}")
