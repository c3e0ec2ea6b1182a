"""Progress on standard error: lines where nobody looks, bars where somebody does."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import types

import pytest

from zoo.cli import bars as of_commands
from zoo.cli import output
from zoo.cli.bars import several
from zoo.errors import ArgumentError
from zoo.progress import Count, Silence, asked, showing, shown, step
from zoo.progress.asked import chosen
from zoo.progress.bars import Bar, Lines, shortened
from zoo.progress.protocol import Telling


class Terminal(io.StringIO):
    """Plays a terminal."""

    def isatty(self) -> bool:
        """Say that somebody is looking."""
        return True


def watch(monkeypatch: pytest.MonkeyPatch, columns: int = 200) -> Terminal:
    """Make standard error a terminal of so many columns; pytest sets its own before each test."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", str(columns))
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
    bar = of_commands.progress()
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


LONG = "fetching densenet161-th-flyyufelix-0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize("total", [123_400_000, Count(123_456, "images"), None])
def test_a_bar_fits_sixty_columns(total, monkeypatch: pytest.MonkeyPatch) -> None:
    """With amount and time left; the name is shortened in the middle, and whole in the line at the end."""
    terminal = watch(monkeypatch, 60)
    bar = Bar()
    bar.start(total, LONG)
    bar.advance(100_000)
    bar._bar.refresh()
    drawn = plain(terminal)
    bar.advance((total or 200_000) - 100_000)
    bar.done()
    assert max(len(line) for line in re.split(r"[\r\n]", drawn)) <= 60
    assert re.search(r"^fetching densen…89abcdef +", drawn, re.MULTILINE)
    # Of what has no end nobody can say how long it takes.
    assert bool(re.search(r"-:--:--|\d:\d\d:\d\d", drawn)) == (total is not None)
    *_, last = [line for line in plain(terminal).splitlines() if line.strip()]
    assert last.startswith(f"{LONG}: ")


@pytest.mark.parametrize("columns", [40, 60, 80, 100])
def test_what_a_bar_tells_stays_on_its_line(columns, monkeypatch: pytest.MonkeyPatch) -> None:
    """Amount and unit too, of a file of more than 100 MB: the bar itself becomes narrower."""
    terminal = watch(monkeypatch, columns)
    bar = Bar()
    bar.start(102_500_000, LONG)
    bar.advance(102_400_000)
    bar._bar.refresh()
    lines = [line for line in re.split(r"[\r\n]+", plain(terminal)) if line.strip()]
    bar.done()
    assert lines
    assert all(line.startswith("fetch") for line in lines)
    assert "102.4/102.5 MB" in lines[-1]
    assert max(map(len, lines)) <= columns


def test_other_things_than_bytes_have_their_name(capsys: pytest.CaptureFixture[str]) -> None:
    """And no rate in megabytes."""
    lines = Lines()
    lines.start(Count(12, "images"), "predicting")
    lines.advance(12)
    lines.done()
    lines.start(Count(1, "batches"), "predicting")
    lines.advance(1)
    lines.done()
    said = r"predicting: 12 images in 0\.\d s\npredicting: 1 batch in 0\.\d s\n"
    assert re.fullmatch(said, capsys.readouterr().err)


@pytest.mark.parametrize(("text", "width", "expected"), [("abc", 3, "abc"), ("abcdefghij", 7, "abcd…ij")])
def test_what_is_shortened(text: str, width: int, expected: str) -> None:
    """Loses its middle."""
    assert shortened(text, width) == expected


# What a user says.


@pytest.mark.parametrize(
    ("given", "elsewhere", "watched"),
    [(None, Silence, Bar), (True, Lines, Bar), (False, Silence, Silence), (print, Telling, Telling)],
    ids=str,
)
def test_what_is_asked_for(given, elsewhere, watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where somebody looks and where nobody does."""
    assert type(chosen(given)) is elsewhere
    watch(monkeypatch)
    assert type(chosen(given)) is watched


@pytest.mark.parametrize(("set_to", "is_off"), [("1", True), ("", False), ("0", False)])
def test_nothing_is_drawn_where_the_environment_says_so(set_to, is_off, monkeypatch) -> None:
    """In Python and by commands; a function is told all the same."""
    watch(monkeypatch)
    monkeypatch.setenv("ZOO_QUIET", set_to)
    drawn = Silence if is_off else Bar
    assert {type(chosen(None)), type(chosen(True)), type(of_commands.progress())} == {drawn}
    assert type(chosen(print)) is Telling
    assert of_commands.keras_verbosity(is_json=False) == (0 if is_off else 1)


def test_a_command_can_be_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its own option."""
    terminal = watch(monkeypatch)
    with output.telling(output.Verbosity.QUIET):
        assert type(of_commands.progress()) is Silence
        assert of_commands.keras_verbosity(is_json=False) == 0
        with of_commands.several(2) as new:
            assert type(new()) is Silence
    assert terminal.getvalue() == ""


@pytest.mark.parametrize(
    "stream",
    [None, io.StringIO(), types.SimpleNamespace(write=print)],
    ids=["none", "a text in memory", "no isatty"],
)
def test_nobody_looks_where_there_is_no_standard_error(stream, monkeypatch: pytest.MonkeyPatch) -> None:
    """A window without one, one that is closed, and one that knows nothing of terminals."""
    if isinstance(stream, io.StringIO):
        stream.close()
    monkeypatch.setattr(sys, "stderr", stream)
    assert type(chosen(None)) is Silence


def test_without_standard_error_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does it stop the work, where progress is wanted all the same."""
    monkeypatch.setattr(sys, "stderr", None)
    with showing(chosen(True)), step(3, "fetching a") as advance:
        advance(3)


def test_a_bar_in_place_of_another_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no bar goes on being drawn by a thread of its own."""
    watch(monkeypatch)
    bar = Bar()
    bar.start(5, "looking at images")
    outer = bar._bar
    bar.start(3, "fetching a")
    bar.done()
    bar.done()
    assert not outer.live.is_started


def test_a_progress_of_one_s_own_is_taken_as_it_is() -> None:
    """Whatever its class is."""
    mine = Lines()
    assert chosen(mine) is mine


@pytest.mark.parametrize("wrong", ["yes", 1, Lines], ids=str)
def test_what_is_none_is_refused(wrong) -> None:
    """With what is allowed; a class is called like a function, so that it is told by what it makes."""
    if wrong is Lines:
        assert type(chosen(wrong)) is Telling
        return
    with pytest.raises(ArgumentError) as caught:
        chosen(wrong)
    assert str(caught.value) == (
        f"progress={wrong!r}: must be None (shown where somebody looks), True, False, a function of (done,"
        " total, what), or an object with start, advance and done"
    )


def test_a_function_is_told_what_is_done() -> None:
    """And of how much, and what that is."""
    told: list[tuple[int, int | None, str]] = []
    with showing(chosen(lambda *what: told.append(what))), step(Count(3, "images"), "predicting") as advance:
        advance(2)
        advance(1)
    assert told == [(0, 3, "predicting"), (2, 3, "predicting"), (3, 3, "predicting")]


def test_a_call_within_another_shows_what_that_one_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless it is told otherwise."""
    watch(monkeypatch)
    mine = Telling(print)
    with showing(mine):
        assert chosen(None) is shown() is mine
        assert type(chosen(False)) is Silence
    assert type(shown()) is Silence


class _Notebook(types.ModuleType):
    """Plays IPython in a notebook."""

    class ZMQInteractiveShell:
        """What notebooks run in."""

    def get_ipython(self):
        """Return the shell."""
        return self.ZMQInteractiveShell()


@pytest.mark.parametrize(("widgets", "expected"), [(True, Bar), (False, Silence)])
def test_a_notebook(widgets, expected, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is where somebody looks, if it has what bars are drawn with there; rich says what is one."""
    notebook = _Notebook("IPython")
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    monkeypatch.setattr("builtins.get_ipython", notebook.get_ipython, raising=False)
    monkeypatch.setattr(asked, "find_spec", lambda name: object() if widgets else None)
    assert asked.is_notebook()
    assert type(chosen(None)) is expected


def test_a_bar_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is drawn by rich into the cell: here into what plays it."""
    displayed = []

    class Output:
        """Plays a widget."""

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def clear_output(self, wait):
            """Do nothing."""

        def close(self):
            """Go away."""
            displayed.append("closed")

    display = types.ModuleType("IPython.display")
    display.display = lambda *shown: displayed.extend(shown)
    widgets = types.ModuleType("ipywidgets")
    widgets.Output = Output
    for name, module in (
        ("IPython", _Notebook("IPython")),
        ("IPython.display", display),
        ("ipywidgets", widgets),
    ):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr("builtins.get_ipython", _Notebook("IPython").get_ipython, raising=False)
    bar = Bar()
    bar.start(2_000_000, "fetching x")
    assert bar._bar.console.is_jupyter
    bar.advance(2_000_000)
    bar.done()
    assert any(isinstance(one, Output) for one in displayed)
    assert "closed" in displayed


def test_rich_waits_until_a_bar_is_drawn() -> None:
    """And a silent call imports nothing."""
    code = (
        "import sys, zoo.progress.asked as asked, zoo.progress.bars; asked.chosen(None); asked.chosen(True);"
        " print('rich' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout == "False\n"
