"""What is written of benchmarks into the documentation: a table for each group, and what missed its aim."""

from __future__ import annotations

import pytest

from benchmarks import page
from benchmarks.__main__ import BENCHMARKS
from benchmarks.places import places
from benchmarks.timing import Comparison, Peak

FAST = Comparison(claim="ours, on the disk / theirs", ours=(1.0, 3.0), theirs=(2.0, 2.0), at_most=1.0)
SLOW = Comparison(claim="ours / theirs / twice", ours=(2.5,), theirs=(1.0,), at_most=2.0, unit="MB")
ROWS = [
    (FAST, "| ours, on the disk | theirs | 2.00 / 2.00 | 1.00 | 1 |"),
    (SLOW, "| ours | theirs / twice | 2.50 / 1.00 MB | 2.50 | 2, missed |"),
    (Comparison(claim="a / b", ours=(1.0,), theirs=(3.0,), at_most=None), "| a | b | 1.00 / 3.00 | 0.33 | |"),
    (Peak(claim="memory", megabytes=57.4, at_most=120.0), "| memory | | 57 MB | | 120 MB |"),
    (Peak(claim="memory", megabytes=121.0, at_most=120.0), "| memory | | 121 MB | | 120 MB, missed |"),
    ("ours / theirs: not run", "| ours / theirs: not run | | | | |"),
    ("| `svm` | 78 % |", "| `svm` | 78 % |"),
]


@pytest.mark.parametrize(("result", "row"), ROWS)
def test_each_result_is_a_row(result, row):
    """With both medians, the median of the ratios, the aim, and whether it is missed."""
    assert page.row(result) == row


def test_the_table_of_one_group_is_replaced_and_nothing_else():
    """Twice is the same as once."""
    text = "before\n<!-- loading: written by make bench -->\nold\n<!-- /loading -->\nafter\n"
    new = page.with_table(text, "loading", [FAST], page.COLUMNS, "Today:")
    table = "| what | compared with | seconds | ratio | aim |\n| --- | --- | --- | --- | --- |\n"
    begin, end = "before\n<!-- loading: written by make bench -->\n", "<!-- /loading -->\nafter\n"
    assert new == f"{begin}Today:\n\n{table}{ROWS[0][1]}\n{end}"
    assert page.with_table(new, "loading", [FAST], page.COLUMNS, "Today:") == new


@pytest.mark.parametrize("group", BENCHMARKS)
def test_the_page_has_a_place_for_each_group(group):
    """What is written there can be found again."""
    text = page.PAGE.read_text("utf-8")
    columns = getattr(BENCHMARKS[group], "COLUMNS", page.COLUMNS)
    assert f"| {' | '.join(columns)} |" in text.split(f"<!-- {group}: written by make bench -->\n")[1]
    assert page.with_table(text, group, [], columns, "Today:").count(f"<!-- /{group} -->") == 1


def test_how_it_was_measured_tells_the_places(tmp_path):
    """The machine, the versions, and the type of file system behind each name."""
    where = places(str(tmp_path))
    (name,) = where
    assert name in ("on the disk", "in memory")
    said = page.measured(where)
    assert f", {name}: " in said
    assert "; Python " in said
    assert said.endswith(":")
