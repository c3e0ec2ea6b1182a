"""``zoo list`` and ``zoo show``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from zoo.cli import output
from zoo.registry import architecture, list_models
from zoo.registry.records import Architecture, WeightsFile


def run(arguments: argparse.Namespace) -> int:
    """List the networks that match a pattern, or show one."""
    if arguments.command == "list":
        return _list(arguments.pattern, as_json=arguments.json)
    return _show(architecture(arguments.name), as_json=arguments.json)


def _list(pattern: str, *, as_json: bool) -> int:
    found = [architecture(name) for name in list_models(pattern)]
    if as_json:
        output.print_json([_summary(network) for network in found])
    elif found:
        columns = ("name", "network", "input>", "top-5 error>", "published weights files")
        output.print_table(columns, [_row(network) for network in found])
    else:
        output.note(f"zoo: no network matches {pattern!r}; `zoo list` shows all")
    return 0


def _summary(network: Architecture) -> dict[str, Any]:
    return {
        "name": network.name,
        "title": network.title,
        "family": network.family,
        "input": [network.input.height, network.input.width, network.input.channels],
        "classes": network.classes,
        "preprocessing": network.preprocessing.name,
        "top1_error_percent": network.accuracy.top1_error_percent,
        "top5_error_percent": network.accuracy.top5_error_percent,
        "weights_sets": list(network.weights_sets),
        "weights": [file.id for file in network.weights],
    }


def _row(network: Architecture) -> tuple[str, ...]:
    size = f"{network.input.height}x{network.input.width}"
    error = f"{network.accuracy.top5_error_percent} %"
    counts = (f"{sum(file.layout == form for file in network.weights)} {form}" for form in ("th", "tf"))
    return network.name, network.title, size, error, ", ".join(counts)


def _show(network: Architecture, *, as_json: bool) -> int:
    if as_json:
        output.print_json(_plain(network))
        return 0
    output.print_facts(_facts(network))
    for file in network.weights:
        output.print_line("")
        output.print_facts(_file_facts(file))
    return 0


def _facts(network: Architecture) -> dict[str, str]:
    size, recipe, accuracy = network.input, network.preprocessing, network.accuracy
    return {
        "network": f"{network.title} ({network.name}), family {network.family}",
        "paper": f"{network.paper.title} ({network.paper.year}), {network.paper.url}",
        "input": f"{size.height} x {size.width} x {size.channels}, from {size.min_size} without the top",
        "preprocessing": f"{recipe.name}: {recipe.channel_order.upper()}, (x - {_three(recipe.mean)}) "
        f"* {_three(recipe.scale)}",
        "classes": f"{network.classes}"
        + (f", the first {network.class_offset} not a class" if network.class_offset else ""),
        "heads": ", ".join(f"{head.name} ({head.layer})" for head in network.default_graph.heads),
        "top-1 error": _percent(accuracy.top1_error_percent),
        "top-5 error": _percent(accuracy.top5_error_percent),
        "error stated in": accuracy.source,
    }


def _three(values: tuple[float, float, float]) -> str:
    return "[" + ", ".join(f"{value:.6g}" for value in values) + "]"


def _percent(value: float | None) -> str:
    return "not stated" if value is None else f"{value} %"


def _file_facts(file: WeightsFile) -> dict[str, str]:
    digests = [f"{digest} (grade {digest.grade}: {digest.source})" for digest in file.digests]
    return {
        file.id: f"weights set {file.set}, {'with' if file.top else 'without'} the top",
        "  form": f"layout {file.layout}, kernels {file.kernels}, {file.dialect}",
        "  size": output.megabytes(file.bytes),
        "  digests": "\n".join(digests) or "none published",
        "  licence": file.licence,
        "  origin": file.source,
        "  sources": "\n".join(file.urls),
    }


def _plain(value: object) -> Any:  # noqa: ANN401 - JSON is any of its types
    """Return records, mappings and tuples as what JSON knows."""
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value
