"""``zoo list`` and ``zoo show``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
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
    found = [architecture(name) for name in list_models(_glob(pattern))]
    if as_json:
        output.print_json([_summary(network) for network in found])
    elif found:
        columns = ("name", "network", "input>", "top-5 error>", "published weights files")
        output.print_table(columns, [_row(network) for network in found])
    else:
        output.note(f"zoo: no network matches {pattern!r}; `zoo list` shows all")
    return 0


def _glob(pattern: str) -> str:
    """Return a pattern for whole names: what has no wildcard is a part of one, in any case."""
    return pattern.lower() if any(sign in pattern for sign in "*?[") else f"*{pattern.lower()}*"


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


def _paper(network: Architecture) -> str:
    return f"{network.paper.title} ({network.paper.year}), {network.paper.url}"


def _input(network: Architecture) -> str:
    size = network.input
    return f"{size.height} x {size.width} x {size.channels}, from {size.min_size} without the top"


def _recipe(network: Architecture) -> str:
    recipe = network.preprocessing
    formula = f"(x - {_three(recipe.mean)}) * {_three(recipe.scale)}"
    return f"{recipe.name}: {recipe.channel_order.upper()}, {formula}"


def _three(values: tuple[float, float, float]) -> str:
    return "[" + ", ".join(f"{value:.6g}" for value in values) + "]"


def _classes(network: Architecture) -> str:
    offset = f", the first {network.class_offset} not a class" if network.class_offset else ""
    return f"{network.classes}{offset}"


def _heads(network: Architecture) -> str:
    return ", ".join(f"{head.name} ({head.layer})" for head in network.default_graph.heads)


def _percent(value: float | None) -> str:
    return "not stated" if value is None else f"{value} %"


def _digests(file: WeightsFile) -> str:
    texts = [f"{digest} (grade {digest.grade}: {digest.source})" for digest in file.digests]
    return "\n".join(texts) or "none published"


_Line = tuple[str, Callable[[Any], str], tuple[str, ...]]
"""What stands on the left, what makes the text on the right, and the fields that this tells."""

_NETWORK: tuple[_Line, ...] = (
    (
        "network",
        lambda network: f"{network.title} ({network.name}), family {network.family}",
        ("title", "name", "family"),
    ),
    ("paper", _paper, ("paper.title", "paper.year", "paper.url")),
    ("input", _input, ("input.height", "input.width", "input.channels", "input.min_size")),
    (
        "preprocessing",
        _recipe,
        tuple(f"preprocessing.{name}" for name in ("name", "channel_order", "mean", "scale", "source")),
    ),
    ("classes", _classes, ("classes", "class_offset", "class_index")),
    ("heads", _heads, ("graphs",)),
    (
        "top-1 error",
        lambda network: _percent(network.accuracy.top1_error_percent),
        ("accuracy.top1_error_percent",),
    ),
    (
        "top-5 error",
        lambda network: _percent(network.accuracy.top5_error_percent),
        ("accuracy.top5_error_percent",),
    ),
    ("error stated in", lambda network: network.accuracy.source, ("accuracy.source",)),
)
_FILE: tuple[_Line, ...] = (
    (
        "  form",
        lambda file: f"layout {file.layout}, kernels {file.kernels}, {file.dialect}",
        ("layout", "kernels", "dialect"),
    ),
    ("  size", lambda file: output.megabytes(file.bytes), ("bytes",)),
    ("  digests", _digests, ("digests",)),
    ("  licence", lambda file: file.licence, ("licence",)),
    ("  origin", lambda file: file.source, ("source",)),
    ("  sources", lambda file: "\n".join(file.urls), ("urls",)),
)


def _facts(network: Architecture) -> dict[str, str]:
    told = {label: text(network) for label, text, _ in _NETWORK}
    return told | _further(network, [*_told(_NETWORK), "weights"], "")


def _file_facts(file: WeightsFile) -> dict[str, str]:
    top = f"weights set {file.set}, {'with' if file.top else 'without'} the top"
    told = {file.id: top} | {label: text(file) for label, text, _ in _FILE}
    return told | _further(file, [*_told(_FILE), "id", "set", "top", "structure", "filename"], "  ")


def _told(lines: Iterable[_Line]) -> list[str]:
    return [name for _, _, names in lines for name in names]


def _further(record: object, told: Collection[str], indent: str) -> dict[str, str]:
    """Return what no line of its own tells: every other field that is not as it is where it is left out."""
    return {
        f"{indent}{name.replace('_', ' ').replace('.', ': ')}": _text(value)
        for name, value in _fields(record, "")
        if name not in told
    }


def _fields(record: Any, above: str) -> Iterator[tuple[str, object]]:  # noqa: ANN401 - any record
    """Yield the fields of a record, and of records in it, that have not their defaults."""
    for field in fields(record):
        value = getattr(record, field.name)
        if is_dataclass(value):
            yield from _fields(value, f"{above}{field.name}.")
        elif value != field.default:
            yield f"{above}{field.name}", value


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return "\n".join(map(str, value))
    return fact if isinstance(fact := _plain(value), str) else json.dumps(fact, ensure_ascii=False)


def _plain(value: object) -> Any:  # noqa: ANN401 - JSON is any of its types
    """Return records, mappings and tuples as what JSON knows."""
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value
