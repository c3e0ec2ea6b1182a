"""Environment variables that hold paths."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import converters
import zoo
from tests.support.command import Command
from zoo.errors import ArgumentError
from zoo.registry import overlays_from_environment
from zoo.storage.cache import Cache
from zoo.variables import default_home

PATHS: dict[str, Callable[[], object]] = {
    "ZOO_HOME": lambda: Cache.from_environment().home,
    "ZOO_SHARED": lambda: Cache.from_environment().shared,
    "ZOO_REGISTRY": lambda: overlays_from_environment()[0],
    "XDG_CACHE_HOME": lambda: default_home().parent,
}
"""What the program makes of each."""

OTHERS = {"ZOO_MIRROR", "ZOO_OFFLINE", "ZOO_PLUGINS", "ZOO_QUIET", "ZOO_RETRY_SECONDS", "ZOO_LIMITS"}
"""Those that hold an address, a switch, a number, or several."""


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the user a home directory, and none of the variables."""
    for name in PATHS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize(
    ("text", "path"),
    [("~/a b", "{home}/a b"), ("~", "{home}"), ("/x/~", "/x/~"), ("./~x", "~x"), ("x", "x")],
)
def test_a_leading_tilde_is_the_home_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, text: str, path: str
) -> None:
    """In every variable that is a path; anywhere else it is a character like others."""
    monkeypatch.setenv(name, text)
    assert PATHS[name]() == Path(path.format(home=tmp_path))


@pytest.mark.parametrize("name", PATHS)
def test_a_user_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """No folder called after the user is made."""
    monkeypatch.setenv(name, "~nobody-of-this-name/x")
    with pytest.raises(ArgumentError) as caught:
        PATHS[name]()
    reason = "the home directory is not known; write it out"
    assert str(caught.value) == f"{name}: '~nobody-of-this-name/x': {reason}"


def test_each_part_of_the_list_of_registries_is_a_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Not the first one alone."""
    monkeypatch.setenv("ZOO_REGISTRY", os.pathsep.join(["~/a", "", "b", "~/c"]))
    assert overlays_from_environment() == (tmp_path / "a", Path("b"), tmp_path / "c")


def test_no_folder_of_that_name_is_made(
    zoo: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is printed is where files go."""
    monkeypatch.setenv("ZOO_HOME", "~/cache")
    assert zoo("cache", "path") == (0, f"{tmp_path / 'cache'}\n", "")


def test_every_variable_is_known_here() -> None:
    """One that is added and is a path must be tried above."""
    named = set()
    for package in (zoo, converters):
        for path in Path(package.__file__).parent.rglob("*.py"):
            named |= set(re.findall(r"\bZOO_[A-Z]+(?:_[A-Z]+)*\b", path.read_text("utf-8")))
    assert named == {name for name in PATHS if name.startswith("ZOO_")} | OTHERS


def test_only_one_place_reads_paths_from_the_environment() -> None:
    """So that none of them forgets what ``~`` means."""
    held = r"Path\(os\.environ|Path\(os\.getenv|os\.environ\.get\((VARIABLE|SHARED|CACHES)\)"
    root = Path(zoo.__file__).parent
    assert [
        path.name for path in sorted(root.rglob("*.py")) if re.search(held, path.read_text("utf-8"))
    ] == []
