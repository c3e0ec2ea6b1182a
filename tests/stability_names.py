"""The names that docs/stability.md promises: `python -m tests.stability_names` writes them there."""

from __future__ import annotations

import argparse
from pathlib import Path

import converters
import zoo
import zoo.errors
import zoo.finetuning
from tests.support.pages import with_part
from zoo.cli.parser import build_parser

PAGE = Path(__file__).parent.parent / "docs" / "stability.md"
MODULES = (zoo, zoo.errors, zoo.finetuning, converters)
_BEGIN = "<!-- names: written by tests/stability_names.py -->\n"
_END = "<!-- /names -->"


def commands() -> list[str]:
    """Return the names of the commands, in the order of the help."""
    (choices,) = (one for one in build_parser()._actions if isinstance(one, argparse._SubParsersAction))
    return list(choices.choices)


def names() -> str:
    """Return the table, in Markdown."""
    rows = [("from", "names"), ("---", "---")]
    rows += [(f"`{module.__name__}`", _listed(sorted(module.__all__))) for module in MODULES]
    rows.append(("commands", _listed([f"zoo {name}" for name in commands()])))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _listed(found: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in found)


def with_names(text: str) -> str:
    """Return the page with the table as it should be."""
    return with_part(text, _BEGIN, _END, names())


if __name__ == "__main__":
    PAGE.write_text(with_names(PAGE.read_text("utf-8")), "utf-8")
