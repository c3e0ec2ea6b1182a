"""The README's table of networks, written from the registry: `python -m tests.readme_table` puts it there."""

from __future__ import annotations

from pathlib import Path

from converters.planning.structures import load_structure
from tests.support.pages import with_part
from zoo.registry import architecture, list_models
from zoo.registry.records import Architecture

README = Path(__file__).parent.parent / "README.md"
_BEGIN = "<!-- networks: written by tests/readme_table.py -->\n"
_END = "<!-- /networks -->"
_HEADINGS = (
    "name",
    "network",
    "family",
    "input",
    "parameters",
    "preprocessing",
    "top-1 error",
    "top-5 error",
    "published files",
)


def table() -> str:
    """Return the table, in Markdown."""
    rows = [_HEADINGS, tuple("---" for _ in _HEADINGS), *(_row(architecture(name)) for name in list_models())]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _row(network: Architecture) -> tuple[str, ...]:
    parameters = load_structure(network.default_graph.structures[0]).parameters
    forms = (f"{sum(file.layout == form for file in network.weights)} {form}" for form in ("th", "tf"))
    return (
        f"`{network.name}`",
        f"[{network.title}]({network.paper.url})",
        network.family,
        f"{network.input.height} × {network.input.width}",
        f"{parameters:,}",
        network.preprocessing.name,
        _percent(network.accuracy.top1_error_percent),
        _percent(network.accuracy.top5_error_percent),
        ", ".join(forms),
    )


def _percent(value: float | None) -> str:
    return "not stated" if value is None else f"{value} %"


def with_table(text: str) -> str:
    """Return a README with the table as it should be."""
    return with_part(text, _BEGIN, _END, table())


if __name__ == "__main__":
    README.write_text(with_table(README.read_text("utf-8")), "utf-8")
