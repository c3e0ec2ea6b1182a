"""The process of a command: its exit code, and that nothing is looked for as it ends."""

from __future__ import annotations

import gc
import tomllib

import pytest

from tests.support.paths import ROOT
from zoo import __main__ as process


def test_the_process_ends_as_its_command_and_collects_no_garbage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether the command was done, failed or was refused."""
    frozen: list[str] = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append("frozen"))
    monkeypatch.setattr(gc, "set_threshold", lambda count: frozen.append(str(count)))
    monkeypatch.setattr("sys.argv", ["zoo", "list", "vgg16"])
    assert process.main() == 0
    monkeypatch.setattr("sys.argv", ["zoo", "show", "vgg17"])
    assert process.main() == 2
    monkeypatch.setattr("sys.argv", ["zoo", "lost"])
    with pytest.raises(SystemExit, match="2"):
        process.main()
    assert frozen == ["10000", "frozen"] * 3
    assert capsys.readouterr().out.count("vgg16") == 1


def test_the_installed_command_is_this_process() -> None:
    """``zoo`` and ``python -m zoo`` are the same."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["scripts"] == {"zoo": "zoo.__main__:main"}
