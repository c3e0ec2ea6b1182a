"""``zoo fetch``."""

from __future__ import annotations

import argparse

from zoo.cli import output
from zoo.cli.progress import progress
from zoo.fetching import resolve


def run(arguments: argparse.Namespace) -> int:
    """Bring a verified weights file and print its path, alone."""
    found = resolve(
        arguments.name,
        backend=arguments.backend,
        weights=arguments.weights,
        top=arguments.top,
        from_file=arguments.from_file,
        progress=progress(),
    )
    for text in found.notes:
        output.note(f"zoo: {text}")
    if arguments.json:
        output.print_json(
            {
                "path": str(found.path),
                "id": found.file.id,
                "backend": arguments.backend,
                "converted": found.converted,
                "bytes": found.path.stat().st_size,
                "notes": list(found.notes),
            }
        )
    else:
        output.print_line(str(found.path))
    return 0
