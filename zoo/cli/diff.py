"""``zoo diff``: the exit code is 0 if the files are equal, 1 if they differ, 2 if nobody can tell."""

from __future__ import annotations

import argparse

from converters import parse_flatten, parse_layers
from converters.compare import Comparison, LayerComparison
from zoo.cli import EXIT_DONE, EXIT_FAILED, EXIT_USAGE, output
from zoo.files.comparing import diff

EXIT_ON_ERROR = EXIT_USAGE
"""A script must not take a file that is missing or cannot be read for one that differs."""


def run(arguments: argparse.Namespace) -> int:
    """Compare two weights files as if they were in one form; fail if they differ."""
    comparison = diff(
        arguments.first,
        arguments.second,
        from_layout=_of_each(arguments, "from_layout"),
        from_kernels=_of_each(arguments, "from_kernels"),
        arch=_of_each(arguments, "arch"),
        flatten=parse_flatten(arguments.flatten),
        layers=parse_layers(arguments.layers),
        keras_version=_of_each(arguments, "keras_version"),
    )
    if arguments.json:
        output.print_json(comparison.as_dict())
    else:
        _print(comparison)
    return EXIT_DONE if comparison.equal else EXIT_FAILED


def _of_each(arguments: argparse.Namespace, name: str) -> str | tuple[str | None, str] | None:
    """Return what is said of both files, or of A and of B, if something of its own is said of B."""
    said: str | None = getattr(arguments, name)
    own: str | None = getattr(arguments, f"second_{name}")
    return (said, own) if own else said


def _print(comparison: Comparison) -> None:
    rows = [row(layer) for layer in comparison.layers]
    output.print_table(
        ("layer", "result", "values that differ>", "largest difference>", "relative>"), rows, whole=("layer",)
    )
    output.print_line("")
    output.print_line(str(comparison))


def row(layer: LayerComparison) -> tuple[str, ...]:
    """Return a line of the table of layers."""
    said = f"{layer.status}{f': {layer.detail}' if layer.detail else ''}"
    if not layer.differing:
        return (layer.name, said, "", "", "")
    counts = f"{layer.differing:,} of {layer.values:,}"
    return (layer.name, said, counts, f"{layer.largest:.3g}", f"{layer.relative:.3g}")
