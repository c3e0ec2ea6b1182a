"""``zoo prove``: the exit code is 0 if all values are equal, 1 if some are not, 2 if nobody can tell."""

from __future__ import annotations

import argparse

from zoo.cli import EXIT_DONE, EXIT_FAILED, EXIT_USAGE, output
from zoo.cli.bars import progress
from zoo.cli.diff import row
from zoo.files.proving import Proof, prove
from zoo.storage.cache import Cache
from zoo.storage.proofs import FOLDER

EXIT_ON_ERROR = EXIT_USAGE
"""A script must not take a file that cannot be had for one that differs."""


def run(arguments: argparse.Namespace) -> int:
    """Compare a weights file with its authors' own; fail if they differ."""
    found = prove(
        arguments.file,
        origin=arguments.origin,
        from_kernels=arguments.from_kernels,
        save=arguments.save,
        progress=progress(),
    )
    if arguments.json:
        output.print_json(found.as_dict())
    else:
        _print(found)
    if arguments.save:
        output.note(f"zoo: kept in {Cache.from_environment().home / FOLDER}")
    return EXIT_DONE if found.proven else EXIT_FAILED


def _print(found: Proof) -> None:
    headings = ("layer", "result", "values that differ>", "largest difference>", "relative>")
    output.print_table(headings, [row(layer) for layer in found.comparison.layers], whole=("layer",))
    if found.left_out:
        output.print_line(f"left out, as the file has no classifier: {', '.join(found.left_out)}")
    output.print_line("")
    output.print_line(str(found))
