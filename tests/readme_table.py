"""The README's table of networks, written from the registry: `python -m tests.readme_table` puts it there.

It holds the networks that were published channels first as well, which nothing of today reads; the rest is
counted, and docs/networks.md has all: see tests/networks_page.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.support.pages import with_part
from zoo.registry import architecture, list_models
from zoo.registry.parameters import parameters_of
from zoo.registry.records import Accuracy, Architecture

README = Path(__file__).parent.parent / "README.md"
_BEGIN = "<!-- networks: written by tests/readme_table.py -->\n"
_END = "<!-- /networks -->"
HEADINGS = (
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


def table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table, in Markdown."""
    headings = tuple(headings)
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(one.replace('|', chr(92) + '|') for one in line)} |\n" for line in lines)


def row(network: Architecture) -> tuple[str, ...]:
    """Return what stands in a network's row."""
    layouts = [file.layout for file in network.weights if file.format is None]
    forms = (f"{layouts.count(form)} {form}" for form in ("th", "tf"))
    recipe = network.preprocessing
    return (
        f"`{network.name}`",
        f"[{network.title}]({network.paper.url})" if network.paper else network.title,
        network.family,
        f"{network.input.height} × {network.input.width}",
        f"{parameters_of(network):,}",
        recipe.name if recipe else "not stated",
        _percent(network.accuracy, "top1_error_percent"),
        _percent(network.accuracy, "top5_error_percent"),
        ", ".join(forms),
    )


def _percent(accuracy: Accuracy | None, which: str) -> str:
    value = getattr(accuracy, which) if accuracy else None
    return "not stated" if value is None else f"{value} %"


def all_networks() -> list[Architecture]:
    """Return every network, in the registry's order."""
    return [architecture(name) for name in list_models()]


def is_shown(network: Architecture) -> bool:
    """Tell whether the README's table has a network."""
    return any(file.layout == "th" for file in network.weights)


def part() -> str:
    """Return the table, and how many networks it does not have, in Markdown."""
    networks = all_networks()
    shown = [network for network in networks if is_shown(network)]
    more = len(networks) - len(shown)
    where = "`zoo list` and [docs/networks.md](docs/networks.md) have all of them."
    return table(HEADINGS, map(row, shown)) + (f"\nAnd {more} more: {where}\n" if more else "")


def with_table(text: str) -> str:
    """Return a README with the table as it should be."""
    return with_part(text, _BEGIN, _END, part())


if __name__ == "__main__":
    README.write_text(with_table(README.read_text("utf-8")), "utf-8")
