"""Tables on a terminal: they fit it, and what may be pasted from them is whole."""

from __future__ import annotations

import random
import re
import shutil
import sys

import pytest

from tests.support.paths import DIALECTS
from zoo.cli import output, tables
from zoo.storage.cache import Cache

SAMPLES = DIALECTS / "keras122_theano_th"
WEIGHTS = SAMPLES / "slash_names.weights.h5"
COLUMNS = 60


@pytest.fixture
def narrow(monkeypatch):
    """Print as on a terminal of 60 columns."""
    monkeypatch.setattr(output, "width", lambda: COLUMNS)


def test_the_width_is_that_of_the_terminal(monkeypatch, capsys):
    """Within a command too, where what others print goes elsewhere; there is none in a pipe."""
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    assert output.width() is None
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    with output.telling(output.Verbosity.USUAL):
        assert output.width() == COLUMNS


def lines_of(text):
    """Return the lines of a text without what only draws."""
    return [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in text.splitlines()]


def printed(capsys, headings, rows, **more):
    """Return the lines of a table."""
    output.print_table(headings, rows, **more)
    return lines_of(capsys.readouterr().out)


@pytest.mark.usefixtures("narrow")
def test_a_table_that_fits_is_as_wide_as_it_is(capsys):
    """Nothing is wrapped."""
    rows = [["conv1", "3", "a" * 20 + " " + "b" * 25]]
    assert printed(capsys, ("layer", "n>", "how"), rows) == [
        "layer  n  how",
        f"conv1  3  {'a' * 20} {'b' * 25}",
    ]


@pytest.mark.usefixtures("narrow")
def test_text_is_wrapped_between_words(capsys):
    """The widest column gives way first; headings of numbers may take two lines."""
    rows = [["conv1", "1,234", "padded by 1+1 x 1+1 before it, as Theano pads on both sides"]]
    assert printed(capsys, ("layer", "values that differ>", "how"), rows) == [
        "layer  values that differ  how",
        "conv1               1,234  padded by 1+1 x 1+1 before it, as",
        "                           Theano pads on both sides",
    ]


@pytest.mark.usefixtures("narrow")
def test_what_cannot_be_wrapped_makes_blocks(capsys):
    """A path with blanks in it stands on one line, whole; what is empty is left out."""
    path = "/home/somebody/my photographs/of 2016/" + "x" * 40 + ".h5"
    rows = [["vgg16", "553.5 MB", "text " * 12 + "end", path], ["b", "1 B", "", "/b"]]
    assert printed(capsys, ("file", "size>", "what it is", "path"), rows, whole=("path",)) == [
        "file        vgg16",
        "size        553.5 MB",
        "what it is  text text text text text text text text text",
        "            text text text end",
        f"path        {path}",
        "",
        "file        b",
        "size        1 B",
        "path        /b",
    ]


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.usefixtures("narrow")
def test_no_word_is_cut_and_no_line_is_too_long(capsys, seed):
    """Whatever is in a table: only a word that is longer than the terminal goes beyond it."""
    draw = random.Random(seed)
    headings = ["layer", "values that differ>", "kind", "how"][: draw.randint(1, 4)]
    longest = draw.choice([6, 20, 70])
    rows = [
        [
            " ".join("x" * draw.randint(1, longest) for _ in range(draw.randint(1, 9)))
            if not heading.endswith(">")
            else str(draw.randint(0, 10**9))
            for heading in headings
        ]
        for _ in range(draw.randint(1, 5))
    ]
    shown = printed(capsys, headings, rows)
    words = sorted(word for row in rows for cell in row for word in cell.split())
    told = sorted(word for line in shown for word in line.split() if set(word) <= set("x0123456789"))
    assert told == words
    for line in shown:
        assert len(line) <= COLUMNS or max(map(len, line.split())) > COLUMNS - len("values that differ") - 2


def test_wide_characters_count_twice():
    """As they do on a terminal."""
    assert [tables.length(text) for text in ("ab", "é", "漢字")] == [2, 1, 4]


@pytest.fixture
def commands(tmp_path):
    """Return commands that print tables, each with words that must be found whole."""
    cache = Cache.from_environment()
    for name in ("vgg16/vgg16-th-0123456789abcdef.h5", "own models/of mine.h5"):
        path = cache.home / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
    shutil.copy(WEIGHTS, tmp_path / "other.h5")
    model = SAMPLES / "conv2d_same_stride2.model.h5"
    return {
        "list": (["list"], ["inception_v4"]),
        "cache list": (["cache", "list"], [str(path) for path in cache.home.glob("vgg16/*.h5")]),
        "diff": (["diff", WEIGHTS, tmp_path / "other.h5"], ["block1/conv/bn"]),
        "inspect": (["inspect", WEIGHTS], ["block1/conv/bn"]),
        "upgrade --check": (["upgrade", "--check", model], ["convolution2d_1"]),
    }


@pytest.mark.parametrize("command", ["list", "cache list", "diff", "inspect", "upgrade --check"])
@pytest.mark.usefixtures("narrow")
def test_the_table_of_a_command_fits(commands, command, zoo):
    """All lines do, but for those that hold one path."""
    typed, whole = commands[command]
    _, out, _ = zoo(*typed)
    lines = lines_of(out)
    assert lines
    for word in whole:
        assert any(word in line for line in lines), (word, lines)
    for line in lines:
        assert len(line) <= COLUMNS or "/" in line, line


@pytest.mark.parametrize("room", [None, COLUMNS])
@pytest.mark.parametrize("command", ["list", "cache list", "diff", "inspect", "upgrade --check"])
def test_no_line_of_a_command_ends_in_blanks(commands, command, room, zoo, monkeypatch):
    """In a pipe or on a terminal; a row's last cell may be empty or shorter than others."""
    monkeypatch.setattr(output, "width", lambda: room)
    _, out, _ = zoo(*commands[command][0])
    assert [line for line in out.splitlines() if line != line.rstrip()] == []


@pytest.mark.parametrize("name", ["ascii", "größer"])
def test_no_row_ends_in_blanks(name, capsys):
    """Whoever draws it: what takes one column for each character is drawn without a library."""
    output.print_table(("name", "note"), [[name, ""], ["other", "words"], [name, "one"]])
    wide = max(len(name), 5)
    assert capsys.readouterr().out == "".join(
        f"{line}\n"
        for line in (f"{'name':{wide}}  note", name, f"{'other':{wide}}  words", f"{name:{wide}}  one")
    )


def test_no_fact_ends_in_blanks(capsys):
    """Also where a value has an empty line, or is empty."""
    output.print_facts({"name": "vgg16", "paper": "", "left out": "a\n\nb"})
    assert capsys.readouterr().out == "name      vgg16\npaper\nleft out  a\n\n          b\n"
