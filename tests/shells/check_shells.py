"""Completion in zsh and fish, and in bash at a terminal: `make test-shells`."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zoo.cli.completion import script_of

PATIENCE = 30.0
"""Seconds until what a shell should have written is missed."""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with the scripts and a file, with a `zoo` on the path."""
    program = tmp_path / "bin" / "zoo"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m zoo "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TERM", "dumb")
    for shell in ("bash", "zsh", "fish"):
        (tmp_path / f"zoo.{shell}").write_text(script_of(shell))
    (tmp_path / "my weights.h5").touch()
    return tmp_path


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_is_of_its_shell(place: Path, shell: str) -> None:
    """It is read without a complaint."""
    run = subprocess.run([shell, "-n", place / f"zoo.{shell}"], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout + run.stderr) == (0, "")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("zoo fetc", ["fetch\tbring verified weights files and print their paths"]),
        ("zoo fetch densenet161-tf", ["densenet161-tf-flyyufelix\tDenseNet-161, imagenet, tf, with top"]),
        (
            "zoo fetch inception_v3 --weights=imagenet-2017-",
            ["--weights=imagenet-2017-pytorch\tInception-V3"],
        ),
        ("zoo fetch resnet50 --backend ", ["tf", "th"]),
        ("zoo inspect my", ["my weights.h5"]),
    ],
)
def test_fish_completes(place: Path, line: str, found: list[str]) -> None:
    """It says itself what it would offer."""
    command = f"source zoo.fish; complete -C '{line}'"
    run = subprocess.run(
        ["fish", "--no-config", "-c", command], cwd=place, capture_output=True, text=True, check=True
    )
    assert sorted(run.stdout.splitlines()) == found


SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source zoo.bash"),
    "zsh": (["zsh", "-f", "-i"], "autoload -Uz compinit; compinit -u -D; source zoo.zsh"),
}


_DRAWING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\r]")
"""How a terminal is told where to write, and in what colour."""


class Terminal:
    """A shell at a terminal.

    Args:
        argv: How it is started.
        place: Where.
    """

    def __init__(self, argv: list[str], place: Path) -> None:
        self._shell, here = pty.openpty()
        self._process = subprocess.Popen(argv, cwd=place, stdin=here, stdout=here, stderr=here)
        os.close(here)

    def type(self, keys: str, until: str) -> str:
        """Return what is written after some keys, up to a pattern."""
        os.write(self._shell, keys.encode())
        written, end = "", time.monotonic() + PATIENCE
        while not re.search(until, _DRAWING.sub("", written)):
            assert select.select([self._shell], [], [], max(0, end - time.monotonic()))[0], repr(written)
            written += os.read(self._shell, 4096).decode(errors="replace")
        return _DRAWING.sub("", written)

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        os.close(self._shell)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("typed", "becomes"),
    [
        ("zoo fetc", r"zoo fetch "),
        ("zoo show densenet161-tf", r"zoo show densenet161-tf-flyyufelix"),
        ("zoo fetch inception_v3 --weights=imagenet-", r"--weights=imagenet-2017"),
        ("zoo inspect my", r"zoo inspect my\\ weights\.h5"),
        ("zoo predict my", r"zoo predict my\\ weights\.h5"),
    ],
)
def test_a_shell_completes_at_a_terminal(place: Path, shell: str, typed: str, becomes: str) -> None:
    """What there is one way to go on with is written into the line, with its blanks kept together."""
    argv, begin = SHELLS[shell]
    terminal = Terminal(argv, place)
    try:
        terminal.type(f"{begin}; echo rea''dy\n", "ready")
        assert re.search(becomes, terminal.type(f"{typed}\t", becomes))
    finally:
        terminal.close()
