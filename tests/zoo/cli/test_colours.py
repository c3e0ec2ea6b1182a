"""Colours: where somebody looks and does not refuse them by ``NO_COLOR`` (https://no-color.org)."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import shutil
import subprocess
import sys

import pytest

from tests.support.paths import DIALECTS
from zoo.cli import bars, main
from zoo.storage.cache import Cache

SAMPLES = DIALECTS / "keras122_theano_th"
STYLE = re.compile(r"\x1b\[[0-9;:]*m")
"""What makes text coloured, bold or plain again."""

MOVE = re.compile(r"\x1b\[(\?25[hl]|\d+[AK])")
"""What a bar cannot do without: to hide or show the cursor, to go up a line, to empty one."""

PRINTING = {
    "table": (["list"], 0),
    "facts": (["show", "vgg16"], 0),
    "layers": (["inspect", "old.h5"], 0),
    "structure": (["inspect", "model.h5"], 0),
    "differences": (["diff", "old.h5", "other.h5"], 1),
    "plan": (["convert", "--th-to-tf", "old.h5", "--dry-run"], 0),
    "conversion": (["convert", "--th-to-tf", "old.h5"], 0),
    "upgrade": (["upgrade", "model.h5"], 0),
    "cached files": (["cache", "list"], 0),
    "cached files, read": (["cache", "verify"], 0),
    "json": (["list", "--json"], 0),
    "failure": (["inspect", "missing.h5"], 1),
    "wrong usage": (["list", "--nope"], 2),
    "help": (["convert", "--help"], 0),
}


class Terminal(io.StringIO):
    """Plays a terminal.

    Args:
        watched: Whether somebody looks; a pipe otherwise.
    """

    def __init__(self, watched: bool = True) -> None:
        super().__init__()
        self._watched = watched

    def isatty(self) -> bool:
        """Say whether somebody is looking."""
        return self._watched


@pytest.fixture(autouse=True)
def _terminal(tmp_path, monkeypatch):
    """Say that the terminal has colours, in a folder with some files and a cached one."""
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "ZOO_QUIET"):
        monkeypatch.delenv(name, raising=False)
    shutil.copy(SAMPLES / "slash_names.weights.h5", tmp_path / "old.h5")
    shutil.copy(SAMPLES / "conv2d_same_stride2.weights.h5", tmp_path / "other.h5")
    shutil.copy(SAMPLES / "conv2d_same_stride2.model.h5", tmp_path / "model.h5")
    kept = Cache.from_environment().home / "googlenet-th" / "kept.h5"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"kept")
    monkeypatch.chdir(tmp_path)


def printed(typed, monkeypatch, *, watched):
    """Run a command on a terminal, or in a pipe; return exit code, standard output and error."""
    out, err = Terminal(watched), Terminal(watched)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    try:
        code = main(typed)
    except SystemExit as end:
        code = end.code or 0
    return code, out.getvalue(), err.getvalue()


@pytest.mark.parametrize("what", PRINTING)
def test_who_wants_no_colours_gets_none(what, monkeypatch):
    """Nor bold text: results have no escape sequence then, and bars only those that move the cursor."""
    typed, expected = PRINTING[what]
    monkeypatch.setenv("NO_COLOR", "1")
    code, out, err = printed(typed, monkeypatch, watched=True)
    assert code == expected, err
    assert "\x1b" not in out
    assert "\x1b" not in MOVE.sub("", err)
    assert out + err


@pytest.mark.parametrize("what", PRINTING)
def test_a_pipe_gets_no_escape_sequence(what, monkeypatch):
    """Whatever is set."""
    typed, expected = PRINTING[what]
    code, out, err = printed(typed, monkeypatch, watched=False)
    assert code == expected, err
    assert "\x1b" not in out + err


@pytest.mark.parametrize("value", [None, ""])
def test_a_table_on_a_terminal_has_bold_headings(value, monkeypatch):
    """An empty variable is none."""
    if value is not None:
        monkeypatch.setenv("NO_COLOR", value)
    assert STYLE.search(printed(["list"], monkeypatch, watched=True)[1])


def drawn(monkeypatch):
    """Return what the bars of one step and of several draw on a terminal."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    bar = bars.progress()
    bar.start(2_000_000, "fetching x")
    bar.advance(2_000_000)
    bar.done()
    with bars.several(2) as new:
        one = new()
        one.start(3_000_000, "fetching y")
        one.advance(3_000_000)
        one.done()
    return terminal.getvalue()


def test_bars_are_drawn_without_colours_too(monkeypatch):
    """With what moves the cursor alone."""
    coloured = drawn(monkeypatch)
    monkeypatch.setenv("NO_COLOR", "1")
    plain = drawn(monkeypatch)
    assert (bool(STYLE.search(coloured)), bool(STYLE.search(plain))) == (True, False)
    assert "fetching x: 2.0 MB in " in plain
    assert "━" in plain


@pytest.mark.parametrize(("value", "expected"), [(None, 1), ("", 1), ("1", 2), ("0", 2)])
def test_keras_prints_lines_where_its_bar_would_be_coloured(value, expected, monkeypatch):
    """Any value counts but an empty one; Keras itself asks for none."""
    if value is not None:
        monkeypatch.setenv("NO_COLOR", value)
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert bars.keras_verbosity(is_json=False) == expected
    assert bars.keras_verbosity(is_json=True) == 0
    monkeypatch.setattr(sys, "stderr", Terminal(watched=False))
    assert bars.keras_verbosity(is_json=False) == 0


def on_terminal(typed, **variables):
    """Run a command in a process of its own whose standard output and error are one terminal."""
    ours, its = pty.openpty()
    command = [sys.executable, "-m", "zoo", *typed]
    with subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env=os.environ | variables) as process:
        os.close(its)
        text = b""
        try:
            while chunk := os.read(ours, 1 << 16):
                text += chunk
        except OSError:  # how Linux says that nobody has the other end any more
            pass
    os.close(ours)
    return process.returncode, text.decode()


@pytest.fixture
def training(photos):
    """Return what fine-tunes a small network on bright and dark images, in two epochs."""
    typed = ["finetune", "googlenet", str(photos), "--weights", "none", "--input-size", "64", "--out", "run"]
    return [*typed, "--strategy", "head", "--epochs", "2"]


@pytest.mark.long
@pytest.mark.parametrize(("value", "coloured"), [("", True), ("1", False)])
def test_training_is_told_without_colours(value, coloured, training):
    """By Keras as well."""
    code, text = on_terminal(training, NO_COLOR=value)
    assert code == 0, text
    assert "Epoch 2/2" in text
    assert bool(STYLE.search(text)) is coloured, text


OURS = re.compile(
    r"epoch \d/2: loss [\d.]+, accuracy [\d.]+%, val_loss [\d.]+, val_accuracy [\d.]+%, [\d.]+ s"
)
KERAS = re.compile(r"Epoch \d|\d+/\d+ - |step$", re.MULTILINE)


@pytest.mark.long
@pytest.mark.parametrize(("option", "told"), [((), 2), (("--json",), 2), (("--quiet",), 0)])
def test_a_pipe_gets_a_line_of_our_own_for_each_epoch(option, told, training):
    """And none of Keras'."""
    command = [sys.executable, "-m", "zoo", *training, *option]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [bool(OURS.fullmatch(line)) for line in done.stderr.splitlines()].count(True) == told
    assert not KERAS.search(done.stderr)
    if option == ("--json",):
        assert json.loads(done.stdout)["epochs"] == 2
