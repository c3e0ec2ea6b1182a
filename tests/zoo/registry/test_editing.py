"""An entry goes into a file that people write, and out of it, and nothing else in it changes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from zoo.errors import RegistryError
from zoo.registry.editing import with_entry, without_entry, written
from zoo.registry.strict_yaml import read_yaml

ENTRY = {"title": "Drivers: ours", "classes": 10, "weights": [{"id": "a", "urls": ["https://a.example/b"]}]}
LINES = (
    "  drivers:\n    title: 'Drivers: ours'\n    classes: 10\n    weights:\n    - id: a\n"
    "      urls: ['https://a.example/b']\n"
)

FILES = {
    "one network": ("# mine\narchitectures:\n  a:\n    classes: 3  # three\n", LINES),
    "a comment below that belongs to it": (
        "architectures:\n  a:\n    classes: 3\n    # why: see below\n# the end\n",
        LINES,
    ),
    "more behind": ("architectures:\n  a: {classes: 3}\n\npreprocessing:\n  x: {}\n", LINES),
    "no line at the end": ("architectures:\n  a:\n    classes: 3", f"\n{LINES}"),
    "no networks": ("# mine\nschema: 1\n", f"\narchitectures:\n{LINES}"),
    "comments alone": ("# nothing yet\n", f"\narchitectures:\n{LINES}"),
    "a text of several lines": (
        "architectures:\n  a:\n    title: |\n      two\n      lines\n\n# the end\n",
        LINES,
    ),
    "deeper": (
        "architectures:\n      a:\n        classes: 3\n",
        LINES.replace("\n  ", "\n      ").replace("  d", "      d", 1),
    ),
    "of Windows": ("# mine\r\narchitectures:\r\n  a:\r\n    classes: 3\r\n", LINES.replace("\n", "\r\n")),
    "other line ends": ("architectures:\n  a:\n    title: \"x\u2028y\"\n  b:\n    classes: 3\n", LINES),
    "a list at its key": ("architectures:\n  a:\n    weights:\n    - id: x\n    - id: y\n", LINES),
}  # fmt: skip


@pytest.mark.parametrize("kind", FILES)
def test_an_entry_goes_in_and_out_byte_for_byte(kind: str, tmp_path: Path) -> None:
    """All that was there is there, before it and behind it; taking it out gives the file again."""
    text, lines = FILES[kind]
    longer = with_entry(text, "drivers", ENTRY, "my.yaml")
    place = longer.index(lines)
    assert longer[:place] + longer[place + len(lines) :] == text
    file = tmp_path / "my.yaml"
    file.write_bytes(longer.encode())
    before = yaml.safe_load(text) or {}
    assert read_yaml(file, "my.yaml") == {
        **before,
        "architectures": {**before.get("architectures", {}), "drivers": ENTRY},
    }
    again = without_entry(longer, "drivers", "my.yaml")
    if before.get("architectures"):
        assert again.rstrip("\n") == text.rstrip("\n")
    assert yaml.safe_load(again) == (before or {"schema": 1})


def test_an_entry_takes_the_place_of_its_older_self() -> None:
    """And of no line of its neighbours, nor of their comments."""
    above, below = "architectures:\n  # first\n  a: {classes: 1}\n", "  # last\n  b: {classes: 2}\n"
    text = f"{above}  drivers:\n    classes: 3\n{below}"
    assert with_entry(text, "drivers", ENTRY, "my.yaml") == f"{above}{LINES}{below}"


def test_a_new_file_says_what_it_is() -> None:
    """With its form, so that it is valid without a network too."""
    text = with_entry("", "drivers", ENTRY, "my.yaml")
    assert text.startswith("# Networks of your own, laid over those that come with zoo;")
    assert text.endswith(f"\nschema: 1\n\narchitectures:\n{LINES}")
    assert yaml.safe_load(without_entry(text, "drivers", "my.yaml")) == {"schema": 1}


UNABLE = "my.yaml: is written in a way that cannot be changed without risk; "
REFUSED = {
    '{"architectures": {"a": {"classes": 3}}}': "write architectures: in a line of its own, and its networks"
    " below it, indented",
    "architectures: {a: {classes: 3}}\n": "write architectures: in a line of its own, and its networks below"
    " it, indented",
    "architectures:\n": "write architectures: in a line of its own, and its networks below it, indented",
    "schema: 1\n...\n": "write the entry drivers into it by hand (--dry-run prints it)",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_added_to_is_left_alone(text: str) -> None:
    """With what to do instead."""
    with pytest.raises(RegistryError) as caught:
        with_entry(text, "drivers", ENTRY, "my.yaml")
    assert str(caught.value) == UNABLE + REFUSED[text]


def test_what_is_written_is_read_as_it_was_meant() -> None:
    """Words that YAML takes for numbers, flags and dates, and letters of all scripts."""
    entry = {"class_names": ["no", "1e3", "2016-08-09", "Füchse", "a: b", "#1", "~", "'"], "scale": 1e-05}
    assert yaml.safe_load(written("x", entry)) == {"x": entry}
