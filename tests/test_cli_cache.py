"""`zoo cache`: what is printed where, and exit codes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.command import Command
from tests.shelf import GOOGLENET, THEANO, everything, fixed_cache, keep, keep_converted, sha256
from zoo.cache import Cache

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
    assert [(one["path"], one["problem"]) for one in json.loads(out)] == [
        (str(copy), None),
        (str(source), problem),
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
    assert err.startswith("zoo: no network and no file is called 'densenet16'; nearest: densenet121, ")


def test_prune_removes_what_is_useless(zoo: Command, filled: tuple[Cache, Path, Path]) -> None:
    """With the reason of each; as JSON too."""
    cache, _, _ = filled
    stray = cache.home / "notes.txt"
    stray.write_bytes(b"x" * 2_000_000)
    line = f"{stray}: 2.0 MB, nobody recorded what it is\n"
    assert zoo("cache", "prune", "--dry-run") == (0, line, "zoo: 1 file would be removed, 2.0 MB freed\n")
    code, out, err = zoo("cache", "prune", "--json")
    assert (code, err) == (0, "zoo: 1 file removed, 2.0 MB freed\n")
    assert json.loads(out) == [
        {"path": str(stray), "bytes": 2_000_000, "reason": "nobody recorded what it is"}
    ]
    assert not stray.exists()
