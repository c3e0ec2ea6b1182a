"""Filters, columns and keys to sort by: one table, over networks that state little."""

from __future__ import annotations

import re
from typing import Any

import pytest

import zoo
from zoo.errors import ArgumentError
from zoo.files.listing import Filters
from zoo.registry.columns import FACTS, FILTERS, SHOWN, choose, columns_of
from zoo.registry.listed import listed
from zoo.registry.quantities import COUNTS, MEGABYTES, quantity


def a_file(**changes: object) -> dict[str, Any]:
    """Return a file as a list knows it."""
    told = {"id": "f", "set": "imagenet", "layout": "tf", "licence": "MIT", "origin": "Keras", "cached": []}
    return told | changes


def a_network(name: str, **changes: object) -> dict[str, Any]:
    """Return a network as a list knows it: ``files`` are added to what it would be without."""
    return listed(zoo.spec("vgg16")) | {"name": name, "files": [a_file()]} | changes


def by_name(*rows: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return rows by their names."""
    return {row["name"]: row for row in rows}


ROWS = by_name(
    a_network("a", parameters=3_000_000, bytes=12_000_000, top1_error_percent=30.0, year=2015),
    a_network("b", parameters=30_000_000, bytes=120_000_000, top1_error_percent=None, year=None),
    a_network("c", parameters=30_000_001, bytes=100_000_000, top1_error_percent=25.0, year=2017),
    a_network("d", parameters=5, bytes=20, top1_error_percent=25.1, family="Other", title="Z"),
)


def names(**wanted: Any) -> list[str]:
    """Return the names of those that suit."""
    sort, reverse = wanted.pop("sort", None), wanted.pop("reverse", False)
    return choose(ROWS, wanted, sort, reverse=reverse).names


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        ({}, "abcd"),
        ({"family": "oTHe"}, "d"),
        ({"max_params": "30M"}, "abd"),
        ({"max_params": 30_000_000, "min_params": "3M"}, "ab"),
        ({"max_size": 100}, "acd"),
        ({"min_size": "0.1GB"}, "bc"),
        ({"max_top1_error": 25}, "c"),
        ({"min_year": "2016"}, "c"),
        ({"input": 224, "family": "vgg"}, "abc"),
        ({"input": "224x224"}, "abcd"),
        ({"input": "224x299"}, ""),
        ({"min_input": 225}, ""),
        ({"family": "vgg", "max_params": "4.5M"}, "a"),
        ({"layout": None, "cached": False}, "abcd"),
    ],
)
def test_filters_combine(wanted: dict[str, Any], kept: str) -> None:
    """A network has to suit all of them; bounds belong to what they bound."""
    assert names(**{"max_year": None, **wanted}) == [*kept]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("params", "dabc"),
        ("-params", "cbad"),
        ("top1", "cdab"),
        ("-top1", "adcb"),
        ("year,name", "adcb"),
        ("family,-params", "dcba"),
        ("-network", "dabc"),
    ],
)
def test_what_is_not_stated_is_sorted_last(sort: str, order: str) -> None:
    """In either direction; equal ones stay in the registry's order."""
    rows = ROWS | {"d": ROWS["d"] | {"year": 2016}}
    assert "".join(choose(rows, {}, sort).names) == order


def test_a_list_is_turned_round() -> None:
    """With a key each of its directions, without one the registry's order."""
    assert names(reverse=True) == [*"dcba"]
    assert names(sort="params", reverse=True) == names(sort="-params")
    assert names(sort="-params", reverse=True) == names(sort="params")


def test_who_does_not_state_what_is_asked_is_left_out_by_name() -> None:
    """Not who would not have suited anyway."""
    found = choose(ROWS, {"max_top1_error": 30, "min_year": 2015})
    assert found.names == ["a", "c"]
    assert found.left_out == {"top-1 error is not stated": ["b"], "year is not stated": ["b"]}
    assert choose(ROWS, {"max_top1_error": 30, "max_params": 100}).left_out == {}


def test_filters_of_files_have_to_suit_one_file() -> None:
    """A network with a th file under one licence and a tf file under another has no th file under that."""
    files = [a_file(layout="th", licence="MIT"), a_file(layout="tf", licence="CC BY 4.0", cached=["tf"])]
    rows = by_name(a_network("both", files=files))
    for wanted, suits in (
        ({"layout": "th", "licence": "mit"}, True),
        ({"layout": "th", "licence": "cc by"}, False),
        ({"cached": True, "licence": "cc by"}, True),
        ({"cached": True, "layout": "th"}, False),
        ({"origin": "KERAS", "weights": "image"}, True),
        ({"weights": "imagenet-"}, False),
    ):
        assert bool(choose(rows, wanted).names) is suits, wanted


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("given", ["", "?", -1, "-1", float("nan"), [1], "1x2x3", "12q"])
def test_a_value_that_is_none_is_refused(name: str, given: object) -> None:
    """In words that say what is allowed."""
    if isinstance(given, str) and given.strip() and FILTERS[name][1].must == "be a text":
        return
    with pytest.raises(ArgumentError) as caught:
        choose({}, {name: given})
    assert str(caught.value) == f"{name}={given!r}: must {FILTERS[name][1].must}"


@pytest.mark.parametrize(
    ("given", "units", "number"),
    [
        ("30M", COUNTS, 30_000_000),
        ("4.5m", COUNTS, 4_500_000),
        ("30_000_000", COUNTS, 30_000_000),
        ("30,000,000", COUNTS, 30_000_000),
        ("1.2B", COUNTS, 1_200_000_000),
        ("0.1k", COUNTS, 100),
        (2.5, COUNTS, 2.5),
        ("100", MEGABYTES, 100_000_000),
        ("1.5 GB", MEGABYTES, 1_500_000_000),
        ("512b", MEGABYTES, 512),
        (0.5, MEGABYTES, 500_000),
        (True, COUNTS, None),
        ("1e6", COUNTS, None),
        ("M", COUNTS, None),
        ("10 TB", MEGABYTES, None),
    ],
)
def test_numbers_as_people_write_them(given: object, units: dict[str, int], number: float | None) -> None:
    """Exact, whatever the unit."""
    assert quantity(given, units) == number


@pytest.mark.parametrize("argument", ["columns", "sort"])
def test_an_unknown_column_is_answered_with_the_known(argument: str) -> None:
    """And with the nearest."""
    known = ", ".join(FACTS)
    with pytest.raises(ArgumentError) as caught:
        columns_of("name,param") if argument == "columns" else choose({}, {}, "name,-param")
    assert str(caught.value) == f"{argument}='param': must be among {known}; did you mean params?"


def test_columns_come_as_they_are_asked_for() -> None:
    """As one text or several; the usual ones if none is."""
    assert [fact.heading for fact in columns_of(" size, name")] == ["size>", "name"]
    assert columns_of(["size", "name"]) == columns_of("size,name")
    assert columns_of(None) == [FACTS[name] for name in SHOWN]


@pytest.mark.parametrize("name", FACTS)
def test_every_fact_of_every_network_can_be_shown_and_sorted_by(name: str) -> None:
    """Whatever is not stated."""
    rows = [listed(zoo.spec(one)) for one in zoo.list_models()]
    bare = {"year": None, "paper": None, "preprocessing": None, "weights_sets": [], "files": []}
    bare |= {"top1_error_percent": None, "top5_error_percent": None}
    rows.append(rows[0] | bare)
    assert all(FACTS[name].shown(row) for row in rows)
    named = {str(place): row for place, row in enumerate(rows)}
    for key in (name, f"-{name}"):
        assert set(choose(named, {}, key).names) == set(named)
    assert re.fullmatch("[a-z0-9]+", name)


def test_python_takes_the_filters_of_the_table() -> None:
    """All of them and no others, and its documentation names them with the keys to sort by."""
    assert set(Filters.__annotations__) == set(FILTERS)
    told = zoo.list_models.__doc__ or ""
    assert [name for name in FILTERS if f"``{name}``" not in told] == []
