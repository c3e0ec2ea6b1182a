"""`zoo cache`: what is printed where, and exit codes."""

from __future__ import annotations

import io
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.command import Command
from tests.support.shelf import GOOGLENET, THEANO, everything, fixed_cache, keep, keep_converted, sha256
from zoo.storage.cache import Cache

BODY, OTHER = b"\x89HDF\r\n\x1a\nweights", b"\x89HDF\r\n\x1a\nothers!"


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return the cache's folder."""
    monkeypatch.setenv("ZOO_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def filled(home: Path) -> tuple[Cache, Path, Path]:
    """Return a cache with a published file and a copy converted from it."""
    cache, item = fixed_cache(home), everything()[THEANO].item
    return cache, keep(cache, item, BODY), keep_converted(cache, item, b"converted")


def test_the_folder_is_printed_alone(zoo: Command, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For scripts; as JSON with the shared one."""
    assert zoo("cache", "path") == (0, f"{home}\n", "")
    monkeypatch.setenv("ZOO_SHARED", "/lab/zoo")
    assert json.loads(zoo("cache", "path", "--json")[1]) == {"home": str(home), "shared": "/lab/zoo"}


@pytest.mark.parametrize(
    "argv",
    [["cache", "path"], ["cache", "list"], ["cache", "verify"], ["trust", "vgg16"], ["list"], ["mirror"]],
    ids=" ".join,
)
def test_a_wrong_shared_folder_is_told(
    zoo: Command, argv: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By every command that looks into the cache, once."""
    argv = [*argv, str(tmp_path / "mirror"), "googlenet-th"] if argv == ["mirror"] else argv
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    monkeypatch.setenv("ZOO_SHARED", str(tmp_path / "no"))
    problem = f"ZOO_SHARED={tmp_path / 'no'}: there is no such folder; it was left out"
    assert zoo(*argv)[2].splitlines()[0] == f"zoo: {problem}"
    assert zoo(*argv, "--json")[2].splitlines().count(f"zoo: {problem}") == 1


def test_what_lies_there_under_two_ids_takes_its_room_once(
    zoo: Command, filled: tuple[Cache, Path, Path]
) -> None:
    """Each id is listed; the disk has the file once."""
    cache, path, _ = filled
    link = cache.home / "_second"
    link.hardlink_to(path)
    cache.keep(link, everything()[GOOGLENET].item, digests={"sha256": sha256(BODY)}, url="there")
    path.write_bytes(BODY + bytes(10**6))
    assert zoo("cache", "list")[2].endswith(f"zoo: 3 files, 1.0 MB in {cache.home}\n")


def test_an_empty_cache_is_said_to_be_empty(zoo: Command, home: Path) -> None:
    """On standard error; standard output has no table, and JSON an empty array."""
    assert zoo("cache", "list") == (0, "", f"zoo: 0 files, 0.0 MB in {home}\n")
    assert zoo("cache", "list", "--json") == (0, "[]\n", "")


def test_the_list_has_a_line_for_each_file(zoo: Command, filled: tuple[Cache, Path, Path]) -> None:
    """Id, size, what it is, and the path, never cut off."""
    cache, source, copy = filled
    code, out, err = zoo("cache", "list")
    assert code == 0
    assert err == f"zoo: 2 files, 0.0 MB in {cache.home}\n"
    assert [line.split("  ") for line in (" ".join(row.split()) for row in out.splitlines())] == [
        ["file size what it is path"],
        [f"{THEANO} 0.0 MB DenseNet-161, imagenet, th, converted to tf {copy}"],
        [f"{THEANO} 0.0 MB DenseNet-161, imagenet, th {source}"],
    ]
    assert json.loads(zoo("cache", "list", "--json")[1])[1] == {
        "id": THEANO,
        "what": "DenseNet-161, imagenet, th",
        "bytes": 15,
        "converted_to": None,
        "sha256": sha256(BODY),
        "path": str(source),
    }


def test_verify_says_that_all_is_right(zoo: Command, filled: tuple[Cache, Path, Path]) -> None:
    """One line for each file, exit code 0."""
    _, source, copy = filled
    code, out, err = zoo("cache", "verify")
    assert (code, out) == (0, f"{copy}: right\n{source}: right\n")
    assert err.endswith("zoo: 2 files hashed, 0 not right\n")


def test_verify_fails_on_damage(zoo: Command, filled: tuple[Cache, Path, Path]) -> None:
    """Exit code 1, what is wrong, and what to do; the advice works."""
    _, source, copy = filled
    source.write_bytes(OTHER)
    os.utime(source, ns=(1, 1))
    code, out, err = zoo("cache", "verify")
    problem = f"is damaged: its sha256 is {sha256(OTHER)}, it was {sha256(BODY)}"
    assert (code, out) == (1, f"{copy}: right\n{source}: {problem}\n")
    assert err.endswith(
        f"zoo: 2 files hashed, 1 not right\nzoo: to fetch it again, first run: zoo cache remove {THEANO}\n"
    )
    code, out, _ = zoo("cache", "verify", "--json")
    assert code == 1
    assert [(one["name"], one["path"], one.get("error")) for one in json.loads(out)] == [
        (THEANO, str(copy), None),
        (THEANO, str(source), {"type": "ChecksumError", "message": problem}),
    ]
    assert zoo("cache", "remove", THEANO)[0] == 0
    assert zoo("cache", "verify")[0] == 0


def test_remove_says_what_it_frees(zoo: Command, filled: tuple[Cache, Path, Path]) -> None:
    """By a network's name; a dry run leaves everything."""
    cache, source, copy = filled
    keep(cache, everything()[GOOGLENET].item, OTHER)
    lines = (
        f"{copy}: 0.0 MB, DenseNet-161, imagenet, th, converted to tf\n"
        f"{source}: 0.0 MB, DenseNet-161, imagenet, th\n"
    )
    said = "zoo: 2 files would be removed, 0.0 MB freed\n"
    assert zoo("cache", "remove", "densenet161", "--dry-run") == (0, lines, said)
    assert source.exists()
    assert zoo("cache", "remove", "densenet161") == (0, lines, said.replace("would be ", ""))
    assert not source.exists()
    assert zoo("cache", "remove", "densenet161") == (0, "", "zoo: 0 files removed, 0.0 MB freed\n")
    assert [entry["id"] for entry in json.loads(zoo("cache", "list", "--json")[1])] == [GOOGLENET]


def test_an_unknown_name_is_wrong_usage(zoo: Command, home: Path) -> None:
    """With the nearest ones."""
    code, out, err = zoo("cache", "remove", "densenet16")
    assert (code, out) == (2, "")
    assert err.startswith("zoo: no network and no file is called 'densenet16'; nearest: densenet161, ")


@pytest.fixture
def useless(filled: tuple[Cache, Path, Path]) -> Path:
    """Return a copy whose source is gone."""
    _, source, copy = filled
    source.unlink()
    return copy


def test_prune_removes_what_is_useless(zoo: Command, useless: Path) -> None:
    """With the reason of each; as JSON too. Without a terminal nobody is asked."""
    reason = f"was converted from a file of {THEANO} that is gone"
    line = f"{useless}: 0.0 MB, {reason}\n"
    assert zoo("cache", "prune", "--dry-run") == (0, line, "zoo: 1 file would be removed, 0.0 MB freed\n")
    code, out, err = zoo("cache", "prune", "--json")
    assert (code, err) == (0, "zoo: 1 file removed, 0.0 MB freed\n")
    assert json.loads(out) == [{"path": str(useless), "bytes": 9, "reason": reason}]
    assert not useless.exists()


class Terminal(io.StringIO):
    """Somebody who types one line."""

    def isatty(self) -> bool:
        """Say that it is a terminal."""
        return True


@pytest.mark.parametrize(
    ("typed", "removed"), [("y\n", True), ("Yes\n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_on_a_terminal_prune_asks(
    zoo: Command, useless: Path, monkeypatch: pytest.MonkeyPatch, typed: str, removed: bool
) -> None:
    """It shows what would go, and goes on after a yes alone."""
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    code, out, err = zoo("cache", "prune")
    line = f"{useless}: 0.0 MB, was converted from a file of {THEANO} that is gone\n"
    question = f"{line}zoo: remove 1 file, 0.0 MB? [y/N] "
    assert useless.exists() is not removed
    assert (code, out) == ((0, line) if removed else (1, ""))
    said = "zoo: 1 file removed, 0.0 MB freed\n" if removed else "zoo: nothing was removed\n"
    assert err == question + said


@pytest.mark.parametrize(("argv", "left"), [(["--yes"], False), (["--dry-run"], True)])
def test_who_has_said_yes_is_not_asked(
    zoo: Command, useless: Path, monkeypatch: pytest.MonkeyPatch, argv: list[str], left: bool
) -> None:
    """Nor who only wants to look."""
    monkeypatch.setattr(sys, "stdin", Terminal(""))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert zoo("cache", "prune", *argv)[0] == 0
    assert useless.exists() is left


def test_nothing_to_prune_is_no_question(
    zoo: Command, filled: tuple[Cache, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal either."""
    monkeypatch.setattr(sys, "stdin", Terminal(""))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert zoo("cache", "prune") == (0, "", "zoo: 0 files removed, 0.0 MB freed\n")


@pytest.mark.parametrize("argv", [["prune"], ["prune", "--unknown"], ["verify"], ["remove", "vgg16"]])
def test_what_is_not_ours_is_named_once_and_left(
    zoo: Command, filled: tuple[Cache, Path, Path], argv: list[str]
) -> None:
    """By every command that could have touched it; of very many only the first are named."""
    cache, _, _ = filled
    strange = [cache.home / name for name in (".ssh/id_ed25519", "notes.txt", "thesis/main.tex")]
    for path in strange:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    paths = ", ".join(map(str, strange))
    code, out, err = zoo("cache", *argv)
    assert code == 0
    assert err.splitlines()[-1] == f"zoo: left alone, as zoo did not put it there: {paths}"
    assert all((out + err).count(str(path)) == 1 for path in strange)
    assert all(path.read_text() == "mine" for path in strange)
    for number in range(20):
        (cache.home / "thesis" / f"{number:02}.txt").write_text("mine")
    err = zoo("cache", *argv)[2]
    assert err.splitlines()[-1].endswith("/thesis/17.txt and 3 more")


def test_what_came_by_another_registry_is_kept_and_said(zoo: Command, home: Path) -> None:
    """With the way to be rid of it."""
    cache = fixed_cache(home)
    item = replace(everything()[THEANO].item, key="mine-th", folder="mynet", stem="mine-th")
    path = keep(cache, item, BODY)
    said = f"kept, though the registry does not describe it (--unknown removes it): {path}\n"
    assert zoo("cache", "prune") == (0, "", f"zoo: 0 files removed, 0.0 MB freed\nzoo: {said}")
    assert path.exists()
    line = f"{path}: 0.0 MB, no registry describes mine-th any more\n"
    assert zoo("cache", "prune", "--unknown") == (0, line, "zoo: 1 file removed, 0.0 MB freed\n")
