"""The tables of docs/finding.md, from the filters and columns: `python -m tests.finding_page` writes them."""

from __future__ import annotations

from pathlib import Path

from tests.readme_table import table
from tests.support.pages import with_part
from zoo.registry.columns import FACTS, FILTERS, SHOWN

PAGE = Path(__file__).parent.parent / "docs" / "finding.md"


def filters() -> str:
    """Return the table of filters, in Markdown."""
    rows = []
    for name, (_, one) in FILTERS.items():
        value = f" {'|'.join(one.choices) if one.choices else one.metavar}" if one.metavar else ""
        star = " *" if one.of_file else ""
        rows.append((f"`--{name.replace('_', '-')}{value}`{star.replace('*', chr(92) + '*')}", one.meaning))
    return table(("option", "keeps networks"), rows)


def columns() -> str:
    """Return the table of columns, in Markdown."""
    rows = [
        (f"`{name}`", fact.meaning, "yes" if name in SHOWN else "if you ask for it")
        for name, fact in FACTS.items()
    ]
    return table(("name", "what it is", "shown"), rows)


def with_tables(text: str) -> str:
    """Return the page with its tables as they should be."""
    for name, part in (("filters", filters()), ("columns", columns())):
        begin = f"<!-- {name}: written by tests/finding_page.py -->\n"
        text = with_part(text, begin, f"<!-- /{name} -->", part)
    return text


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text("utf-8")), "utf-8")
