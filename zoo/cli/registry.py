"""``zoo list`` and ``zoo show``."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from zoo.cli import output
from zoo.cli.tables import GAP
from zoo.errors import ZooError
from zoo.registry import architecture, list_models, look_up, weights_file
from zoo.registry.fields import default_of
from zoo.registry.parameters import parameters_of
from zoo.registry.records import Architecture, ClassIndex, Layout, WeightsFile
from zoo.storage.cache import Cache, Item


def run(arguments: argparse.Namespace) -> int:
    """List the networks that match a pattern, or show one, or a file."""
    if arguments.command == "list":
        return _list(arguments.pattern, as_json=arguments.json)
    found = look_up(arguments.name)
    if isinstance(found, Architecture):
        return _show(found, as_json=arguments.json)
    return _show_file(arguments.name, found, as_json=arguments.json)


def _list(pattern: str, *, as_json: bool) -> int:
    found = [architecture(name) for name in list_models(pattern)]
    held = _held(found)
    if as_json:
        output.print_json([_summary(network, held) for network in found])
    elif found:
        _print_list(found, held)
    else:
        output.note(f"zoo: no network matches {pattern!r}; `zoo list` shows all {len(list_models())}")
    return 0


_Held = Mapping[str, Sequence[Layout | None]]
"""In which forms the cache has files, by their ids: ``None`` as published, or converted."""


def _held(networks: Iterable[Architecture]) -> _Held:
    """Return what is cached of some networks; a cache that cannot be used keeps nobody from the registry."""
    try:
        cache = Cache.from_environment()
        items = [Item.of_weights(network.name, file) for network in networks for file in network.weights]
        held = {item.key: cache.forms_of(item) for item in items}
        problem = cache.problem
    except ZooError as error:
        held, problem = {}, f"what is cached is not known: {error}"
    if problem:
        output.note(f"zoo: {problem}")
    return held


def _summary(network: Architecture, held: _Held) -> dict[str, Any]:
    files = [_file_summary(file, held) for file in network.weights]
    return {
        "name": network.name,
        "title": network.title,
        "family": network.family,
        "parameters": parameters_of(network),
        "input": [network.input.height, network.input.width, network.input.channels],
        "classes": network.classes,
        "preprocessing": network.preprocessing.name,
        "top1_error_percent": network.accuracy.top1_error_percent,
        "top5_error_percent": network.accuracy.top5_error_percent,
        "weights_sets": list(network.weights_sets),
        "weights": [file.id for file in network.weights],
        "files": files,
        "cached": _layouts(network, held),
    }


def _file_summary(file: WeightsFile, held: _Held) -> dict[str, Any]:
    return {
        "id": file.id,
        "set": file.set,
        "top": file.top,
        "layout": file.layout,
        "kernels": file.kernels,
        "bytes": file.bytes,
        "cached": [form or "as published" for form in held.get(file.id, ())],
    }


def _layouts(network: Architecture, held: _Held) -> list[str]:
    """Return in which layouts the cache has files of a network, as published or converted."""
    return sorted({form or file.layout for file in network.weights for form in held.get(file.id, ())})


_Column = tuple[str, Callable[[Architecture, _Held], str]]
"""A heading, and what stands below it."""

_COLUMNS: tuple[_Column, ...] = (
    ("name", lambda network, _: network.name),
    ("network", lambda network, _: network.title),
    ("parameters>", lambda network, _: f"{parameters_of(network) / 1e6:.1f} M"),
    ("input>", lambda network, _: f"{network.input.height}x{network.input.width}"),
    ("top-5 error>", lambda network, _: _percent(network.accuracy.top5_error_percent)),
    ("files", lambda network, _: _counts(network)),
    ("size>", lambda network, _: _size(network)),
    ("cached", lambda network, held: ", ".join(_layouts(network, held)) or "-"),
)
_DROPPED = ("network", "files", "top-5 error>", "input>")
"""What is left out where a terminal is too narrow, in this order."""


def _print_list(networks: Sequence[Architecture], held: _Held) -> None:
    """Print a table; on a terminal too narrow for it some columns are left out, and that is said."""
    width = output.width() or math.inf
    table = {heading: [text(network, held) for network in networks] for heading, text in _COLUMNS}
    left_out: list[str] = []
    while len(left_out) < len(_DROPPED) and _width(table) > width:
        left_out.append(_DROPPED[len(left_out)])
        del table[left_out[-1]]
    output.print_table(table, zip(*table.values(), strict=True))
    if left_out:
        names = ", ".join(heading.removesuffix(">") for heading in left_out)
        output.note(f"zoo: no room for: {names}; a wider terminal or --json has it")


def _width(table: Mapping[str, Sequence[str]]) -> int:
    widths = (max(map(len, [heading.removesuffix(">"), *cells])) for heading, cells in table.items())
    return sum(widths) + GAP * (len(table) - 1)


def _counts(network: Architecture) -> str:
    counts = (f"{sum(file.layout == form for file in network.weights)} {form}" for form in ("th", "tf"))
    return ", ".join(counts)


def _size(network: Architecture) -> str:
    """Return the size of a file with all layers: stated, or about what the parameters take in it."""
    stated = [file.bytes for file in network.weights if file.bytes and file.top]
    about = "" if stated else "~"
    return f"{about}{output.megabytes(stated[0] if stated else _FLOAT32 * parameters_of(network))}"


_FLOAT32 = 4
"""Bytes of a value, as all published files have them."""


def _show(network: Architecture, *, as_json: bool) -> int:
    if as_json:
        output.print_json(_plain(network) | {"parameters": parameters_of(network)})
        return 0
    output.print_facts(_facts(network))
    for file in network.weights:
        output.print_line("")
        output.print_facts(_file_facts(file))
    return 0


def _show_file(name: str, file: WeightsFile | ClassIndex, *, as_json: bool) -> int:
    """Show one file, and which network it belongs to."""
    network = weights_file(name)[0].name if isinstance(file, WeightsFile) else None
    if as_json:
        output.print_json(_plain(file) | {"network": network})
    elif isinstance(file, WeightsFile):
        output.print_facts(_file_facts(file) | {"  network": network})
    else:
        size = {"  size": f"{file.bytes:,} bytes"}
        output.print_facts({name: f"names {file.classes} classes"} | size | _index_facts(file))
    return 0


def _index_facts(index: ClassIndex) -> dict[str, str]:
    return {label: text(index) for label, text, _ in _FILE if label in ("  digests", "  sources")}


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


def _digests(file: WeightsFile | ClassIndex) -> str:
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
    ("parameters", lambda network: f"{parameters_of(network):,}", ()),
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
        elif value != default_of(field):
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
