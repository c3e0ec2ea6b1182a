"""Tests of reading YAML strictly and of laying one file over another."""

from __future__ import annotations

import copy
import gc
import re
from pathlib import Path
from typing import Any

import pytest

from zoo.errors import RegistryError
from zoo.registry import places
from zoo.registry.fields import Mistake, dotted
from zoo.registry.origins import Origins, lay_over
from zoo.registry.strict_yaml import read_yaml


def _read(folder: Path, content: str | bytes) -> dict[str, Any]:
    path = folder / "file.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_yaml(path, "it")


def test_plain_values_are_read(tmp_path: Path) -> None:
    """Text, numbers, flags, null, lists and mappings come as Python's own."""
    text = "a: text\nb: [1, -2.5, 1.0e-3, 0x10, true, null, ~, 'true']\nc: {d: 'é'}\n"
    assert _read(tmp_path, text) == {
        "a": "text",
        "b": [1, -2.5, 0.001, 16, True, None, None, "true"],
        "c": {"d": "é"},
    }


def test_an_alias_is_read_as_a_copy(tmp_path: Path) -> None:
    """Both places say the same, and changing one does not change the other."""
    values = _read(tmp_path, "a: &x {b: 1}\nc: *x\n")
    assert values["a"] == values["c"]
    assert values["a"] is not values["c"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it: is empty; at least one part of a registry is needed"),
        ("# only a comment\n", "it: is empty; at least one part of a registry is needed"),
        ("- a\n", "it: a list is not a mapping"),
        ("just text\n", "it: 'just text' is not a mapping"),
        ("a: 1\nb: 2\na: 3\n", "it:3: a: is written twice, first in line 1"),
        ("a:\n  - b: 1\n    b: 1\n", "it:3: a[0].b: is written twice, first in line 2"),
        ("a: {b: 1, 'b': 1}\n", "it:1: a.b: is written twice, first in line 1"),
        ("a: {1: b}\n", "it:1: a: the key '1' is not text; put it in quotes"),
        ("on: 1\n", "it:1: the key 'on' is not text; put it in quotes"),
        ("? [a, b]\n: 1\n", "it:1: the key of several parts is not text; put it in quotes"),
        (
            "a: 2016-08-09\n",
            "it:1: a: '2016-08-09' is read as timestamp; put it in quotes if it is text",
        ),
        ("a: !thing b\n", "it:1: a: 'b' is read as !thing; put it in quotes if it is text"),
        ("a: !!int b\n", "it:1: a: 'b' cannot be read as int"),
        ("a: !!bool b\n", "it:1: a: 'b' cannot be read as bool"),
        ("a: &x\n  b: *x\n", "it:1: a.b: contains itself"),
    ],
)
def test_what_is_refused(text: str, message: str, tmp_path: Path) -> None:
    """Each text is answered with one line that says what and where."""
    with pytest.raises(RegistryError) as caught:
        _read(tmp_path, text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: [1, 2\nb: 3\n", 2),
        ("a: 1\n  b: 2\n", 2),
        ("a: 1\n---\nb: 2\n", 2),
        ("a: *b\n", 1),
        ("a: 'b\n", 2),
    ],
    ids=["open list", "indentation", "two documents", "unknown alias", "open quote"],
)
def test_what_is_not_yaml_is_refused(text: str, line: int, tmp_path: Path) -> None:
    """The parser's reason is passed on, with line and column; its words are its own."""
    with pytest.raises(RegistryError) as caught:
        _read(tmp_path, text)
    assert re.fullmatch(rf"it:{line}: is not YAML: .+ \(column [0-9]+\)", str(caught.value))


def test_control_characters_are_refused(tmp_path: Path) -> None:
    """A reason without a line is passed on as it is."""
    with pytest.raises(RegistryError, match=r"^it: is not YAML: .+ not allowed$"):
        _read(tmp_path, "a: \x07\n")


BOMB = "a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{below}'] * 9)}]\n"
    for below, name in zip("abcdefghi", "bcdefghij", strict=True)
)
"""Ten lines that stand for nine to the power of ten values."""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "it:6: f[0]: the file's aliases repeat more than 100,000 values; write them out"),
        (
            "a: " + "[" * 100 + "]" * 100,
            f"it:1: a{'[0]' * 63}: is more than 64 levels deep",
        ),
        ("a: " + "{b: " * 5000, f"it:1: a{'.b' * 63}: is more than 64 levels deep"),
        ("- &a 1\n- &a 2\n", "it:2: is not YAML: found duplicate anchor 'a' (column 3)"),
        ("a: *b\n", "it:1: is not YAML: found undefined alias 'b' (column 4)"),
        ("a: 1\n--- 5\n", "it:2: is not YAML: there is a second document (column 1)"),
        ("# nothing\n", "it: is empty; at least one part of a registry is needed"),
    ],
    ids=["bomb", "lists", "mappings", "duplicate anchor", "undefined alias", "two documents", "empty"],
)
def test_what_would_never_end_is_refused(text: str, message: str, tmp_path: Path) -> None:
    """In one line, at once, and with the place."""
    with pytest.raises(RegistryError) as caught:
        _read(tmp_path, text)
    assert str(caught.value) == message


def test_a_value_that_an_alias_repeats_is_a_copy(tmp_path: Path) -> None:
    """What is laid over one of them does not reach the other."""
    found = _read(tmp_path, "a: &x {b: [1], c: &y 2}\nd: *x\n*y : *y\n".replace("*y : *y", "e: *y"))
    assert found == {"a": {"b": [1], "c": 2}, "d": {"b": [1], "c": 2}, "e": 2}
    assert found["a"] is not found["d"]
    assert found["a"]["b"] is not found["d"]["b"]


@pytest.mark.parametrize("size", [places.MOST_BYTES + 1, 100_000_000])
def test_a_file_of_many_bytes_is_not_read(size: int, tmp_path: Path) -> None:
    """It is no registry, and reading it would take minutes."""
    path = tmp_path / "it.yaml"
    with path.open("wb") as file:
        file.truncate(size)
    with pytest.raises(RegistryError) as caught:
        read_yaml(path, "it")
    assert str(caught.value) == f"it: has {size:,} bytes; a registry of more than 67,108,864 is not read"


def test_what_has_no_end_is_not_read() -> None:
    """A device states no size."""
    with pytest.raises(RegistryError, match=r"^it: has 67,108,865 bytes; a registry of more than"):
        read_yaml(Path("/dev/zero"), "it")


def test_garbage_is_looked_for_again(tmp_path: Path) -> None:
    """Also after a mistake."""
    with pytest.raises(RegistryError):
        _read(tmp_path, "a: [")
    assert gc.isenabled()


def test_what_is_not_text_is_refused(tmp_path: Path) -> None:
    """A binary file, for example a weights file, is told as such."""
    with pytest.raises(RegistryError) as caught:
        _read(tmp_path, b"\x89HDF\r\n\x1a\n")
    assert str(caught.value) == "it: is not UTF-8 text: byte 0 cannot be decoded"


def test_a_folder_is_refused(tmp_path: Path) -> None:
    """The system's own reason is passed on."""
    with pytest.raises(RegistryError) as caught:
        read_yaml(tmp_path, "it")
    assert str(caught.value) == "it: cannot be read: Is a directory"


def test_mappings_merge_and_the_rest_is_replaced() -> None:
    """Only mappings on both sides merge, at any depth."""
    below = {"a": {"b": {"c": 1, "d": 2}, "e": [1, 2]}, "f": 3}
    lay_over(below, {"a": {"b": {"c": 9}, "e": [7]}, "g": 4}, "above", Origins("below"))
    assert below == {"a": {"b": {"c": 9, "d": 2}, "e": [7]}, "f": 3, "g": 4}


def test_origins_name_the_last_writer() -> None:
    """A value belongs to the last file that wrote it or a value around it."""
    origins = Origins("base")
    below: dict[str, Any] = {"a": {"b": {"c": 1}, "d": [1]}}
    lay_over(below, {"a": {"b": {"c": 2}}}, "one", origins)
    assert origins.of(("a", "b", "c")) == "one"
    assert origins.of(("a", "b")) == "base"
    assert origins.of(("a", "d", 0)) == "base"
    lay_over(below, {"a": {"b": 5, "d": [{"x": 1}]}}, "two", origins)
    assert origins.of(("a", "b")) == "two"
    assert origins.of(("a", "d", 0, "x")) == "two"
    lay_over(below, {"a": {"b": {"c": 2}}}, "three", origins)
    assert origins.of(("a", "b", "c")) == "three"
    assert origins.of(()) == "base"


LIST = [{"id": "a", "x": {"y": 1, "z": 2}, "w": [1, 2]}, {"id": "b", "x": {}, "w": []}]


@pytest.mark.parametrize(
    ("above", "merged"),
    [
        ({"b": {"w": [3]}}, [LIST[0], {"id": "b", "x": {}, "w": [3]}]),
        ({"a": {"x": {"y": 9}}}, [{"id": "a", "x": {"y": 9, "z": 2}, "w": [1, 2]}, LIST[1]]),
        ({"c": {"x": 1}}, [*LIST, {"x": 1, "id": "c"}]),
        ({"c": {"id": "c"}, "d": {}}, [*LIST, {"id": "c"}, {"id": "d"}]),
        ({"a": 5, "c": None}, [5, LIST[1], None]),
        ({}, LIST),
        ([], []),
        ([{"id": "a"}], [{"id": "a"}]),
        (5, 5),
    ],
    ids=str,
)
def test_a_mapping_from_ids_is_laid_over_a_list_of_records(above: Any, merged: Any) -> None:
    """Fields of those that are there change, others come last; a list replaces a list as ever."""
    below = {"files": copy.deepcopy(LIST)}
    lay_over(below, {"files": copy.deepcopy(above)}, "above", Origins("below"))
    assert below == {"files": merged}


@pytest.mark.parametrize("entries", [[], [1, 2], [{"x": 1}], [{"id": "a"}, {"x": 1}]], ids=str)
def test_what_has_no_ids_is_replaced_by_a_mapping(entries: list[Any]) -> None:
    """As every value that is no mapping; that it should be a list is told when the whole is checked."""
    below = {"files": entries}
    lay_over(below, {"files": {"a": {"x": 2}}}, "above", Origins("below"))
    assert below == {"files": {"a": {"x": 2}}}


def test_a_record_under_another_id_is_refused() -> None:
    """Which of the two is meant cannot be told."""
    for name, place in (("a", 0), ("new", 2)):
        with pytest.raises(Mistake) as caught:
            lay_over({"f": copy.deepcopy(LIST)}, {"f": {name: {"id": "b"}}}, "above", Origins("below"))
        assert str(caught.value) == f"f[{place}].id: 'b' is not {name!r}, under which it stands"


def test_origins_tell_what_each_file_calls_an_entry() -> None:
    """By its id where the last writer has written so, else by its place."""
    origins, below = Origins("base"), {"f": copy.deepcopy(LIST)}
    lay_over(below, {"f": {"b": {"w": [7]}, "c": {"w": 1}}}, "one", origins)
    lay_over(below, {"f": {"c": {"x": 1}}}, "two", origins)
    told = {
        ("f", 0, "w"): ("base", "f[0].w"),
        ("f", 1, "w", 0): ("one", "f.b.w[0]"),
        ("f", 1, "x"): ("base", "f[1].x"),
        ("f", 2, "w"): ("one", "f.c.w"),
        ("f", 2, "x"): ("two", "f.c.x"),
        ("f", 2, "y"): ("one", "f.c.y"),
    }
    assert {path: (origins.of(path), dotted(origins.written(path))) for path in told} == told
