"""``zoo list`` and ``zoo show``."""

from __future__ import annotations

import argparse
import json
import math
import shlex
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from converters.errors import counted
from zoo.cli import output
from zoo.cli.tables import GAP, natural, title
from zoo.errors import ArgumentError, CacheError, ZooError
from zoo.files.listing import held_of
from zoo.progress.documents import item, put_together
from zoo.registry import like, look_up, weights_file
from zoo.registry.columns import FACTS, FILTERS, Fact, choose, columns_of, meant
from zoo.registry.fields import default_of, did_you_mean
from zoo.registry.kept_rows import all_rows, rows_of
from zoo.registry.listed import Held, Row, listed_set, with_cached
from zoo.registry.names import left_out_note
from zoo.registry.parameters import parameters_of
from zoo.registry.records import NOT_KNOWN, NOT_STATED, Architecture, ClassIndex, WeightsFile, percent
from zoo.storage.proofs import saved_proofs
from zoo.variables import default_home


def run(arguments: argparse.Namespace) -> int:
    """List the networks that match a pattern, or show one, or a file."""
    if arguments.command == "list":
        return _list(arguments)
    found = look_up(arguments.name)
    if isinstance(found, Architecture):
        return _show(found, as_json=arguments.json)
    return _show_file(arguments.name, found, as_json=arguments.json)


ROWS = 200
"""Rows of a table after which it ends, unless all are asked for."""


def _list(arguments: argparse.Namespace) -> int:
    if arguments.json and arguments.columns is not None:
        raise ArgumentError("--columns: not with --json, which has all fields")
    columns = columns_of(arguments.columns)
    known = all_rows()
    written = {name: known[name] for name in like(arguments.pattern, known)}
    held = held_of(written) if arguments.cached else _held(written)
    rows = with_cached(rows_of(written), held)
    filters = {name: getattr(arguments, name) for name in FILTERS}
    found = choose(rows, filters, arguments.sort, reverse=arguments.reverse)
    if arguments.json:
        of_cached = (item(rows[name]) if name in held else written[name] for name in found.names)
        output.print_document(put_together(of_cached))
    elif found.names:
        shown = found.names if arguments.all else found.names[:ROWS]
        _print_list([rows[name] for name in shown], columns, droppable=arguments.columns is None)
        _tell_more(len(found.names) - len(shown))
    elif written:
        output.note(f"zoo: {_none_of(written)}{_meant(rows_of(known), filters)}; `zoo list` shows all")
    else:
        nothing = f"no network matches {arguments.pattern!r}{did_you_mean(arguments.pattern, known)}"
        output.note(f"zoo: {nothing}; `zoo list` shows all {len(known)}")
    for what, names in found.left_out.items():
        output.note(f"zoo: {left_out_note(what, names)}")
    return 0


def _none_of(names: Collection[str]) -> str:
    if len(names) == 1:
        return f"{next(iter(names))} does not suit"
    return f"none of the {counted(len(names), 'network')} suits"


def _meant(known: Mapping[str, Row], filters: Mapping[str, object]) -> str:
    found = meant(known, filters)
    return f"; did you mean --{found[0].replace('_', '-')} {shlex.quote(found[1])}?" if found else ""


def _tell_more(count: int) -> None:
    if count:
        output.note(f"zoo: {counted(count, 'more network')}; --all shows them, and so does --json")


def _held(names: Collection[str]) -> Held:
    """Return what is cached of some networks; a cache that cannot be used keeps nobody from the registry."""
    try:
        return held_of(names)
    except ZooError as error:
        output.note(f"zoo: what is cached is not known: {error}")
        return {}


_DROPPED = ("network", "files", "top5", "input", "size", "cached")
"""What is left out where a terminal is too narrow, in this order, of columns that nobody chose."""


def _print_list(rows: Sequence[Row], columns: Iterable[Fact], *, droppable: bool) -> None:
    """Print a table; on a terminal too narrow for it some columns are left out, and that is said."""
    width = output.width() or math.inf
    table = {fact.heading: [fact.shown(row) for row in rows] for fact in columns}
    going = [FACTS[name].heading for name in _DROPPED] if droppable else []
    left_out: list[str] = []
    while len(left_out) < len(going) and _width(table) > width:
        left_out.append(going[len(left_out)])
        del table[left_out[-1]]
    output.print_table(table, zip(*table.values(), strict=True), whole=("name",))
    if left_out:
        names = ", ".join(map(title, left_out))
        output.note(f"zoo: no room for: {names}; a wider terminal or --json has it")


def _width(table: Mapping[str, Sequence[str]]) -> int:
    return sum(natural(list(table), list(zip(*table.values(), strict=True)))) + GAP * (len(table) - 1)


def _show(network: Architecture, *, as_json: bool) -> int:
    if as_json:
        sets = [listed_set(network, name) for name in network.weights_sets]
        found = {"parameters": parameters_of(network), "counterparts": dict(network.differs_from)}
        output.print_json(_plain(network) | found | {"weights_sets": sets})
        return 0
    output.print_facts(_facts(network))
    output.print_line("")
    _print_sets(network)
    for file in network.weights:
        output.print_line("")
        output.print_facts(_file_facts(file) | _proven(file))
    return 0


_SETS: Mapping[str, Callable[[Row], str]] = {
    "weights set": lambda row: str(row["name"]),
    "top-1 error>": lambda row: percent(row["top1_error_percent"]),
    "top-5 error>": lambda row: percent(row["top5_error_percent"]),
    "input>": lambda row: "x".join(map(str, row["input"][:2])),
    "preprocessing": lambda row: row["preprocessing"] or NOT_KNOWN,
    "size>": lambda row: output.megabytes(row["bytes"]),
    "licence": lambda row: "; ".join(row["licences"]),
    "origin": lambda row: row["origin"] or "see its files",
    "recipe": lambda row: row["recipe"] or NOT_STATED,
}
"""What tells the weights sets of a network apart: headings, and what stands below."""


def _print_sets(network: Architecture) -> None:
    """Print a table of the weights sets, without the columns in which none states anything of its own."""
    rows = [listed_set(network, name) for name in network.weights_sets]
    table = {heading: [text(row) for row in rows] for heading, text in _SETS.items()}
    told = {heading: cells for heading, cells in table.items() if set(cells) != {NOT_STATED}}
    if len(set(told["preprocessing"])) == 1:  # that of the network, which stands above
        del told["preprocessing"]
    output.print_table(told, zip(*told.values(), strict=True), whole=("weights set",))


def _show_file(name: str, file: WeightsFile | ClassIndex, *, as_json: bool) -> int:
    """Show one file, and which network it belongs to."""
    network = weights_file(name)[0].name if isinstance(file, WeightsFile) else None
    if as_json:
        output.print_json(_plain(file) | {"network": network})
    elif isinstance(file, WeightsFile):
        output.print_facts(_file_facts(file) | _proven(file) | {"  network": network})
    else:
        size = {"  size": f"{file.bytes:,} bytes"}
        output.print_facts({name: f"names {counted(file.classes, 'class')}"} | size | _index_facts(file))
    return 0


def _index_facts(index: ClassIndex) -> dict[str, str]:
    return {label: text(index) for label, text, _ in _FILE if label in ("  digests", "  sources")}


def _paper(network: Architecture) -> str:
    paper = network.paper
    return f"{paper.title} ({paper.year}), {paper.url}" if paper else NOT_KNOWN


def _input(network: Architecture) -> str:
    size = network.input
    return f"{size.height} x {size.width} x {size.channels}, from {size.min_size} without the top"


def _classes(network: Architecture) -> str:
    offset = f", the first {network.class_offset} not a class" if network.class_offset else ""
    return f"{network.classes}{offset}"


def _heads(network: Architecture) -> str:
    if not network.graphs:
        return "as the file has them"
    return ", ".join(f"{head.name} ({head.layer})" for head in network.default_graph.heads)


def _error(network: Architecture, which: str) -> str:
    return percent(getattr(network.accuracy, which, None))


def _digests(file: WeightsFile | ClassIndex) -> str:
    texts = [f"{digest} (grade {digest.grade}: {digest.source})" for digest in file.digests]
    return "\n".join(texts) or "none published"


def _paths(file: WeightsFile | ClassIndex) -> list[str]:
    return [file.path] if isinstance(file, WeightsFile) and file.path else []


_Line = tuple[str, Callable[[Any], str], tuple[str, ...]]
"""What stands on the left, what makes the text on the right, and the fields that this tells."""

_NETWORK: tuple[_Line, ...] = (
    (
        "network",
        lambda network: f"{network.title} ({network.name}), family {network.family}",
        ("title", "name", "family"),
    ),
    ("paper", _paper, ("paper.title", "paper.year", "paper.url")),
    ("parameters", lambda network: f"{parameters_of(network):,}", ("parameters",)),
    ("input", _input, ("input.height", "input.width", "input.channels", "input.min_size")),
    (
        "preprocessing",
        lambda network: network.preprocessing.in_words if network.preprocessing else NOT_KNOWN,
        tuple(f"preprocessing.{name}" for name in ("name", "channel_order", "mean", "scale", "source")),
    ),
    ("classes", _classes, ("classes", "class_offset", "class_index")),
    ("heads", _heads, ("graphs",)),
    (
        "top-1 error",
        lambda network: _error(network, "top1_error_percent"),
        ("accuracy.top1_error_percent",),
    ),
    (
        "top-5 error",
        lambda network: _error(network, "top5_error_percent"),
        ("accuracy.top5_error_percent",),
    ),
    (
        "error stated in",
        lambda network: network.accuracy.source if network.accuracy else "nowhere",
        ("accuracy.source", "accuracy"),
    ),
)
_FILE: tuple[_Line, ...] = (
    (
        "  form",
        lambda file: f"layout {file.layout}, kernels {file.kernels}, {file.written_by}",
        ("layout", "kernels", "dialect", "format"),
    ),
    ("  size", lambda file: output.megabytes(file.bytes), ("bytes",)),
    ("  digests", _digests, ("digests",)),
    ("  licence", lambda file: file.licence, ("licence",)),
    ("  origin", lambda file: file.source, ("source",)),
    ("  compared by others", lambda file: "\n".join(map(str, file.proofs)), ("proofs",)),
    ("  sources", lambda file: "\n".join([*_paths(file), *file.urls]), ("urls", "path")),
)


def _facts(network: Architecture) -> dict[str, str]:
    (first, name, _), *others = _NETWORK
    told = {first: name(network)}
    for label, found in {"is not": network.differs_from, "left out": network.left_out}.items():
        if found:
            told[label] = "\n".join(f"{other}: {what}" for other, what in found.items())
    told |= {label: text(network) for label, text, _ in others}
    return told | _further(network, [*_told(_NETWORK), "weights", "sets", "differs_from", "left_out"], "")


def _file_facts(file: WeightsFile) -> dict[str, str]:
    top = f"weights set {file.set}, {'with' if file.top else 'without'} the top"
    told = {file.id: top} | {label: said for label, text, _ in _FILE if (said := text(file))}
    return told | _further(file, [*_told(_FILE), "id", "set", "top", "structure", "filename"], "  ")


def _proven(file: WeightsFile) -> dict[str, str]:
    """Return what was proven here of a file, or by it."""
    try:
        proofs = saved_proofs(default_home())
    except CacheError as error:
        output.note(f"zoo: {error}")
        return {}
    told = [
        f"{one.date}: {'equal to' if one.proven else 'differs from'} {other or 'a file'} (sha256:{sha256})"
        for one in proofs
        for own, other, sha256 in (
            (one.id, one.origin, one.origin_sha256),
            (one.origin, one.id, one.sha256),
        )
        if own == file.id
    ]
    return {"  compared here": "\n".join(told)} if told else {}


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
