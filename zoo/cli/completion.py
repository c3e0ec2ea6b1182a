"""``zoo completion``: what a shell has to run so that it completes what is typed after ``zoo``.

The scripts are short: they ask ``zoo __complete`` what fits, see :mod:`zoo.cli.candidates`, so that they know
the networks of whatever registry there is. Of the libraries that write such scripts, shtab writes what is
known when it runs, which is no list of networks that grows, and knows no fish; argcomplete wants the whole
parser drawn up at each press of a key, with the tables of fine-tuning behind it, and changes how argparse
works within.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from zoo.cli import output


def run(arguments: argparse.Namespace) -> int:
    """Print the script of a shell."""
    script = script_of(arguments.shell)
    if arguments.json:
        output.print_json({"shell": arguments.shell, "script": script})
    else:
        output.print_line(script.removesuffix("\n"))
    return 0


def script_of(shell: str) -> str:
    """Return the script that makes a shell complete ``zoo``."""
    return (Path(__file__).parent / "shells" / f"zoo.{shell}").read_text("utf-8")
