"""``zoo demo``."""

from __future__ import annotations

import argparse

from zoo.cli import EXIT_DONE, EXIT_FAILED, output
from zoo.cli.keras_import import import_keras
from zoo.practice.demo import demo
from zoo.registry import architecture

ENOUGH = 0.5
"""The accuracy below which something must be broken: five times what guessing reaches."""


def run(arguments: argparse.Namespace) -> int:
    """Do the main job on the practice zoo; fail if what was learned is hardly better than guessing."""
    architecture(arguments.name)  # a misspelt name is told before Keras is imported
    import_keras()
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
    output.say(f"zoo: an accuracy of {result.accuracy:.1%} is below {ENOUGH:.0%}: something is broken")
    return EXIT_FAILED
