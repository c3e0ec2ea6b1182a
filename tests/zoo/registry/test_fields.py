"""Tests of the kinds of values: what they refuse, and that their JSON Schema refuses the same."""

from __future__ import annotations

import math
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.registry.fields import (
    Anything,
    Choice,
    Flag,
    Kind,
    ListOf,
    MapOf,
    Maybe,
    Mistake,
    Number,
    Record,
    Text,
    Whole,
    did_you_mean,
    dotted,
    nearest,
    show,
)

NAME = Text(pattern="[a-z]+", must="be letters")

KINDS: dict[str, Kind] = {
    "text": Text(),
    "name": NAME,
    "choice": Choice(("a", "b", 1)),
    "flag": Flag(),
    "whole": Whole(0, 3),
    "whole without end": Whole(1),
    "number": Number(-1.0, 1.5),
    "maybe": Maybe(Whole(1, 2)),
    "list": ListOf(Flag()),
    "list of at least one": ListOf(Maybe(Flag()), 1),
    "list of two": ListOf(Whole(0), 2, fixed=True),
    "map": MapOf(Whole(0), NAME),
    "anything": Anything(),
    "record": Record(dict, {"a": (Whole(0), "A"), "b": (Maybe(Text()), "B")}),
}

# Integers with a point are left out: to JSON Schema 1.0 is an integer, to a registry it is not. So is a
# line break at the end of a text, which "$" overlooks.
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 5),
    st.floats(-3, 3).filter(lambda number: not number.is_integer()),
    st.text(alphabet="ab 1\n", max_size=3).filter(lambda text: not text.endswith("\n")),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["a", "b", "c1"]), inner, max_size=3)
    ),
    max_leaves=5,
)


def _accepts(kind: Kind, value: object) -> bool:
    try:
        kind.check(value, ())
    except Mistake:
        return False
    return True


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@given(value=VALUES)
def test_checks_and_schema_agree(kind: Kind, value: Any) -> None:
    """Whatever the value, both accept it or both refuse it."""
    assert _accepts(kind, value) == jsonschema.Draft202012Validator(kind.schema()).is_valid(value)


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (Text(), 7, "here: 7 is not text; put it in quotes"),
        (Text(), True, "here: true is not text; put it in quotes"),
        (Text(), None, "here: null is not text"),
        (Text(), "", "here: '' must be one line of text with no blanks around it"),
        (Text(), " a", "here: ' a' must be one line of text with no blanks around it"),
        (NAME, "a1", "here: 'a1' must be letters"),
        (NAME, "a\n", "here: 'a\\n' must be letters"),
        (Choice((1, 2)), True, "here: true is not one of 1, 2"),
        (Choice((1, 2)), 1.0, "here: 1.0 is not one of 1, 2"),
        (Choice(("caffe", "torch")), "cafe", "here: 'cafe' is not one of caffe, torch; did you mean caffe?"),
        (Flag(), 1, "here: 1 is not true or false"),
        (Whole(1), 1.0, "here: 1.0 is not an integer"),
        (Whole(1), False, "here: false is not an integer"),
        (Whole(1, 9), 0, "here: 0 is less than 1"),
        (Whole(1, 9), 10, "here: 10 is more than 9"),
        (Number(0.0, 1.0), True, "here: true is not a number"),
        (Number(0.0, 1.0), math.nan, "here: nan is not a number"),
        (Number(0.0, 1.0), math.inf, "here: inf is more than 1.0"),
        (Number(0.0, 1.0), "x", "here: 'x' is not a number"),
        (
            Number(0.0, 1.0),
            "1e-3",
            "here: '1e-3' is not a number; write it without quotes and with a point, as in 1.0e-3",
        ),
        (Maybe(Flag()), "x", "here: 'x' is not true or false"),
        (ListOf(Flag()), {}, "here: a mapping is not a list"),
        (ListOf(Flag()), [True, 2], "here[1]: 2 is not true or false"),
        (ListOf(Flag(), 1), [], "here: has 0 entries instead of at least 1"),
        (ListOf(Flag(), 2, fixed=True), [True] * 3, "here: has 3 entries instead of 2"),
        (MapOf(Flag(), NAME), [], "here: a list is not a mapping"),
        (MapOf(Flag(), NAME), {}, "here: is empty"),
        (MapOf(Flag(), NAME), {"a": 1}, "here.a: 1 is not true or false"),
        (MapOf(Flag(), NAME), {"A": True}, "here.A: 'A' must be letters"),
        (Anything(), [], "here: a list is not a mapping"),
        (Record(dict, {}), "a", "here: 'a' is not a mapping"),
        (
            Record(dict, {"colour": (Flag(), "")}),
            {"color": 1},
            "here.color: is not a known key; did you mean colour?",
        ),
        (Record(dict, {"colour": (Flag(), "")}), {}, "here.colour: is missing"),
        (Record(dict, {"colour": (Flag(), "")}), {"colour": 1}, "here.colour: 1 is not true or false"),
    ],
)
def test_what_is_refused_and_how(kind: Kind, value: object, message: str) -> None:
    """Each refusal names the path, the value and what it should be."""
    with pytest.raises(Mistake) as caught:
        kind.check(value, ("here",))
    assert str(caught.value) == message


def test_values_are_given_in_the_form_of_records() -> None:
    """Lists become tuples, integers become floats where a number is wanted, records are made."""
    assert ListOf(Number(0.0, 9.0)).check([1, 2.5], ()) == (1.0, 2.5)
    assert isinstance(Number(0.0, 9.0).check(1, ()), float)
    record = Record(dict, {"a": (ListOf(Flag()), "")}, named=True)
    assert MapOf(record, NAME).check({"x": {"a": [True]}}, ()) == {"x": {"name": "x", "a": (True,)}}


def test_paths_are_written_as_people_write_them() -> None:
    """Keys follow a dot, places stand in brackets."""
    assert dotted(("a", 0, 1, "b", "c")) == "a[0][1].b.c"
    assert dotted(()) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        ({}, "a mapping"),
        ([1], "a list"),
        ((1,), "a list"),
        (1.5, "1.5"),
        ("a\nb", "'a\\nb'"),
        ("x" * 100, "'" + "x" * 79 + "…'"),
    ],
)
def test_values_are_shown_on_one_short_line(value: object, text: str) -> None:
    """No value breaks or floods the line of a message."""
    assert show(value) == text


def test_near_names_are_found_whatever_the_case() -> None:
    """Names are compared without regard to case and listed in their own order."""
    known = ["vgg16", "vgg19", "googlenet"]
    assert nearest("VGG-19", known) == ["vgg16", "vgg19"]
    assert nearest("x", known) == []
    assert did_you_mean("VGG19", known) == "; did you mean vgg19?"
    assert did_you_mean(7, known) == ""


def test_an_abbreviation_is_near_where_nothing_else_is() -> None:
    """Its letters stand in the name in their order, and it begins with the same one."""
    known = ["remove", "prune", "resnet50"]
    assert nearest("rm", known) == ["remove"]
    assert nearest("rn50", known) == ["resnet50"]
    for typed in ("mv", "r", "mr", "rex"):
        assert nearest(typed, known) == []
