"""``zoo registry pin``."""

from __future__ import annotations

import argparse
from pathlib import Path

from converters.errors import counted
from zoo.cli import EXIT_DONE, output
from zoo.cli.noted import noted_cache
from zoo.curating.pinning import pin
from zoo.registry import get_registry
from zoo.storage import disk
from zoo.storage.proofs import saved_proofs


def run(arguments: argparse.Namespace) -> int:
    """Print what was first seen as an overlay, or write it into a file."""
    cache = noted_cache()
    found = pin(arguments.names, get_registry(), cache.memory, saved_proofs(cache.home), arguments.by)
    target = Path(arguments.output) if arguments.output else None
    if target is not None:
        with disk.writing(target, "--output names the file"):
            disk.replace(target.resolve(), found.text.encode())
    if arguments.json:
        written = None if target is None else str(target)
        output.print_json({"files": list(found.ids), "written": written, "overlay": found.text})
    else:
        output.print_line(found.text.rstrip("\n") if target is None else str(target))
    what = counted(len(found.ids), "file") if found.ids else "no file was first seen here: nothing"
    output.note(f"zoo: {what} pinned; ZOO_REGISTRY=FILE holds to what is in the overlay")
    return EXIT_DONE
