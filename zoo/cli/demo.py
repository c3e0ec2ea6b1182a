"""``zoo demo``."""

from __future__ import annotations

import argparse
import os

from zoo.cli import EXIT_DONE, EXIT_FAILED, output
from zoo.demo import demo

ENOUGH = 0.5
"""The accuracy below which something must be broken: five times what guessing reaches."""


def run(arguments: argparse.Namespace) -> int:
    """Do the main job on the practice zoo; fail if what was learned is hardly better than guessing."""
    # TensorFlow writes about itself to standard error while it starts; what the user sets still counts.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    result = demo(arguments.name, report=output.note if arguments.json else output.print_line)
    if arguments.json:
        output.print_json(
            {
                "name": result.name,
                "side": result.side,
                "training": result.training,
                "held_out": result.held_out,
                "accuracy": result.accuracy,
                "chance": result.chance,
                "seconds": dict(result.seconds),
            }
        )
    if result.accuracy >= ENOUGH:
        return EXIT_DONE
    output.note(f"zoo: an accuracy of {result.accuracy:.1%} is below {ENOUGH:.0%}: something is broken")
    return EXIT_FAILED
