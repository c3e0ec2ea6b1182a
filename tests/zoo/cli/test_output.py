"""Tables: the same text whether or not a library lays them out."""

from __future__ import annotations

import warnings

import pytest

from converters.errors import ConversionWarning
from zoo.cli import output
from zoo.cli.output import Verbosity, telling

HEADINGS = ("name", "how many>", "what it is")

TABLES = {
    "no rows": [],
    "one row": [("a", "1", "b")],
    "wide cells": [("a" * 30, "1,234,567,890", "b" * 300), ("", "", "")],
    "blanks": [("a b", "1", "b  b"), ("", "", "")],
    "markup": [("[bold]a[/bold]", "[1]", ":smile: https://example.org/?a=[b]")],
}


@pytest.mark.parametrize("rows", TABLES.values(), ids=TABLES)
def test_a_table_in_a_pipe_is_what_rich_lays_out(
    rows, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    """Whoever reads it gets the same columns, in whatever way they were aligned."""
    output.print_table(HEADINGS, rows)
    plain = capsys.readouterr().out
    monkeypatch.setattr(output, "_is_plain", lambda rows: False)
    output.print_table(HEADINGS, rows)
    assert plain == capsys.readouterr().out


@pytest.mark.parametrize("cell", ["é", "漢字", "a\nb", "a\tb", "\u200b", " a", "a "])
def test_what_takes_no_single_column_is_left_to_rich(cell: str) -> None:
    """Wide characters, line breaks, tabs and blanks at an edge."""
    assert not output._is_plain([[cell]])


def test_a_doubt_is_told_once_from_wherever_it_comes(capsys: pytest.CaptureFixture[str]) -> None:
    """The same file may be read by two functions of one command."""
    with telling(Verbosity.USUAL):
        warnings.warn("old.h5: a doubt", ConversionWarning, stacklevel=1)
        warnings.warn("old.h5: another", ConversionWarning, stacklevel=1)
        warnings.warn("old.h5: a doubt", ConversionWarning, stacklevel=1)
    assert capsys.readouterr().err == "zoo: old.h5: a doubt\nzoo: old.h5: another\n"
