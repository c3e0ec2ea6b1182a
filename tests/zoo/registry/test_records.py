"""Tests of the records' fields: each is said once, and all else follows from its line."""

# No `from __future__ import annotations` here: the annotations are read.

import json
from dataclasses import dataclass, fields, is_dataclass
from typing import Annotated

import jsonschema
import pytest

from zoo.registry import get_registry, records
from zoo.registry.fields import Flag, Key, ListOf, Mistake, Record, Text, Whole, form_of, keys_of
from zoo.registry.form import FORM

RECORDS = [one for one in vars(records).values() if isinstance(one, type) and is_dataclass(one)]
IN_NO_FILE = {"files", "name", "algorithm", "value"}
"""What a file writes as a key of the mapping above, or as one text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Small:
    """A record with a key that must be there, two that need not, and the name that it stands under."""

    name: str
    size: Annotated[int, Whole(1), "How large"]
    words: Annotated[tuple[str, ...], ListOf(Text()), "What is said of it"] = ("none",)
    kept: Annotated[bool, Flag(), "Whether it stays"] = True


SMALL = form_of(Small, named=True)


def test_a_key_with_a_default_may_be_left_out() -> None:
    """So that a file that was written before there was such a key stays valid."""
    assert SMALL.check({"size": 2}, ("x",)) == Small(name="x", size=2)
    assert SMALL.check({"size": 2, "words": [], "kept": False}, ("x",)) == Small(
        name="x", size=2, words=(), kept=False
    )


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "x.size: is missing"),
        ({"size": 2, "words": "a"}, "x.words: 'a' is not a list"),
        ({"size": 2, "kept": None}, "x.kept: null is not true or false"),
        ({"size": 2, "keep": True}, "x.keep: is not a known key; did you mean kept?"),
        ({"size": 2, "name": "x"}, "x.name: is not a known key"),
    ],
)
def test_what_is_there_is_checked(value: object, message: str) -> None:
    """A default excuses no wrong value."""
    with pytest.raises(Mistake) as caught:
        SMALL.check(value, ("x",))
    assert str(caught.value) == message


def test_the_schema_says_what_need_not_be_there() -> None:
    """With what it is then, in the form of a file."""
    schema = SMALL.schema()
    assert schema["required"] == ["size"]
    words = json.loads(json.dumps(schema))["properties"]["words"]
    assert (words["description"], words["default"]) == ("What is said of it", ["none"])
    assert "default" not in schema["properties"]["size"]
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid({"size": 1})
    assert not validator.is_valid({"words": []})


@pytest.mark.parametrize(
    "annotation", [int, Annotated[int, Whole(1)], Annotated[int, Whole(1), "Size", 3], "int"]
)
def test_a_field_without_kind_and_meaning_is_an_error(annotation: object) -> None:
    """At import, so that nobody can forget them."""
    record = dataclass(type("Record", (), {"__annotations__": {"size": annotation}}))
    with pytest.raises(TypeError) as caught:
        keys_of(record)
    assert str(caught.value) == "Record.size: must be Annotated[type, kind, meaning]"


def test_every_field_of_every_record_is_a_key_of_the_form() -> None:
    """None has to be listed a second time."""
    schema = json.dumps(FORM.schema())
    assert len(RECORDS) == 13
    for record in RECORDS:
        for field in fields(record):
            assert field.name in IN_NO_FILE or f'"{field.name}": {{"description": ' in schema, field


def test_the_shipped_registry_says_what_the_records_hold() -> None:
    """Each record of it is of the class whose form let it through."""
    network = get_registry().architectures["googlenet"]
    held = (network, network.paper, network.input, network.accuracy, network.default_graph)
    assert {type(one) for one in held} <= set(RECORDS)


def test_a_key_of_two_parts_must_be_there() -> None:
    """Families' numbers and other small forms are written without a class."""
    form = Record(dict, {"a": (Flag(), "A"), "b": Key(Whole(0), "B", 7)})
    assert form.check({"a": True}, ()) == {"a": True, "b": 7}
