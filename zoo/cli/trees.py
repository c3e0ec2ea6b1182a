"""What ``zoo convert`` and ``zoo upgrade`` do with a folder: every file below it, into another one."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from zoo.cli import EXIT_DONE, EXIT_FAILED, output
from zoo.cli.clusters import shared_out
from zoo.storage.remote import is_remote

if TYPE_CHECKING:
    from converters.trees import FileResult, TreeReport
    from converters.writing.places import Place


def run_below(
    do: Callable[..., TreeReport], source: str, target: str, arguments: argparse.Namespace, **asked: object
) -> int:
    """Make new files of those below a folder and print what became of each; fail if one could not be made.

    Args:
        do: :func:`converters.trees.convert_tree` or :func:`converters.trees.upgrade_tree`.
        source: The folder.
        target: The folder of the new files.
        arguments: What else was typed.
        asked: What ``do`` takes for all files alike.
    """
    old, new = _places(source, target)
    with output.unwarned(), shared_out(arguments) as how:
        report = do(old, new, **how, force=arguments.force, verify=arguments.verify, report=_tell, **asked)
    output.print_json(report.as_dict()) if arguments.json else output.print_line(str(report))
    return EXIT_FAILED if report.count("failed") else EXIT_DONE


def _places(source: str, target: str) -> tuple[str | Place, str | Place]:
    """Return the folders of a tree, for the library: as they are named, where both are on this machine."""
    if not (is_remote(source) or is_remote(target)):
        return source, target
    from zoo.files.places import place_at

    return place_at(source), place_at(target, new=True)


def _tell(result: FileResult) -> None:
    """Say what became of one file of a tree."""
    output.note(f"zoo: {result}")
    for note in result.notes:
        output.note(f"zoo: {result.source}: {note}")
