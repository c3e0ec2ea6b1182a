"""Progress on standard error: lines where nobody looks, bars where somebody does."""

from __future__ import annotations

import io
import re
import sys

import pytest

from zoo.cli import bars as progress
from zoo.cli.bars import Bar, Lines, several


class Terminal(io.StringIO):
    """Plays a terminal."""

    def isatty(self) -> bool:
        """Say that somebody is looking."""
        return True


def watch(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Make standard error a terminal of 200 columns; pytest sets its own before each test."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "xterm")
    return terminal


def plain(terminal: Terminal) -> str:
    """Return what stands on a terminal, without colours and movements."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())


def test_a_step_that_came_to_its_end_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """How much it was and how fast."""
    lines = Lines()
    lines.start(3_000_000, "fetching x")
    lines.advance(1_000_000)
    lines.advance(2_000_000)
    lines.done()
    assert re.fullmatch(r"fetching x: 3\.0 MB in \d+\.\d s, [\d,]+\.\d MB/s\n", capsys.readouterr().err)


@pytest.mark.parametrize(("total", "count"), [(3, 2), (3, 0), (None, 0)])
def test_a_step_that_broke_off_is_none(
    total: int | None, count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever broke it says why."""
    lines = Lines()
    lines.start(total, "fetching x")
    lines.advance(count)
    lines.done()
    assert capsys.readouterr().err == ""


def test_a_wait_is_told_when_it_begins(capsys: pytest.CaptureFixture[str]) -> None:
    """It has no bytes, and its end is no news."""
    lines = Lines()
    lines.start(0, "503 Service Unavailable; trying again in 4 s")
    assert capsys.readouterr().err == "503 Service Unavailable; trying again in 4 s\n"
    lines.done()
    assert capsys.readouterr().err == ""


def test_one_file_has_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """With name, bytes and rate."""
    terminal = watch(monkeypatch)
    bar = progress.progress()
    assert isinstance(bar, Bar)
    bar.start(2_000_000, "fetching [x]")
    bar.advance(2_000_000)
    bar.done()
    assert "fetching [x]" in plain(terminal)
    assert "2.0/2.0 MB" in plain(terminal)


def test_several_files_have_lines_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    """Each its own."""
    with several(2) as new:
        first, second = new(), new()
        first.start(1, "fetching a")
        second.start(1, "fetching b")
        for one in (second, first):
            one.advance(1)
            one.done()
    told = [line.split(":")[0] for line in capsys.readouterr().err.splitlines()]
    assert told == ["fetching b", "fetching a"]


def test_several_files_have_a_bar_each_and_one_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one for all adds up what the others do; what is finished is a line above them."""
    terminal = watch(monkeypatch)
    with several(2) as new:
        first, second = new(), new()
        first.start(3_000_000, "fetching a")
        second.start(2_000_000, "fetching b")
        first.advance(3_000_000)
        second.advance(500_000)
        first.done()
    *above, overall, under_way = [line for line in plain(terminal).splitlines() if line.strip()]
    assert "fetching a: 3.0 MB in " in "".join(above)
    assert overall.startswith("2 files ")
    assert "3.5/5.0 MB" in overall
    assert under_way.startswith("fetching b ")
    assert "0.5/2.0 MB" in under_way
