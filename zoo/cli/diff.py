"""``zoo diff``."""

from __future__ import annotations

import argparse

from converters import parse_flatten, parse_layers
from converters.compare import Comparison, LayerComparison, compare_files
from zoo.cli import EXIT_DONE, EXIT_FAILED, output


def run(arguments: argparse.Namespace) -> int:
    """Compare two weights files as if they were in one form; fail if they differ."""
    comparison = compare_files(
        arguments.first,
        arguments.second,
        flatten=parse_flatten(arguments.flatten),
        layers=parse_layers(arguments.layers),
        keras_version=arguments.keras_version,
    )
    if arguments.json:
        output.print_json(comparison.as_dict())
    else:
        _print(comparison)
    return EXIT_DONE if comparison.equal else EXIT_FAILED


def _print(comparison: Comparison) -> None:
    rows = [_row(layer) for layer in comparison.layers]
    output.print_table(("layer", "result", "values that differ>", "largest difference>", "relative>"), rows)
    output.print_line("")
    output.print_line(str(comparison))


def _row(layer: LayerComparison) -> tuple[str, ...]:
    if layer.status != "different" or layer.detail:
        return (layer.name, f"{layer.status}{f': {layer.detail}' if layer.detail else ''}", "", "", "")
    counts = f"{layer.differing:,} of {layer.values:,}"
    return (layer.name, layer.status, counts, f"{layer.largest:.3g}", f"{layer.relative:.3g}")
