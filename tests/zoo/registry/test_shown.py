"""What a person and a notebook see of networks: one line, a few lines, a small table; names stay a list."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from html.parser import HTMLParser

import pytest

import zoo
from zoo.registry.names import Names
from zoo.registry.tables import facts_table, rows_table


class Cells(HTMLParser):
    """Collects the texts of a page, and what it would load or colour."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.others: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        """Note what a table does not need."""
        names = dict(attrs)
        is_plain = tag in {"table", "caption", "thead", "tbody", "tr", "th", "td", "br", "p"}
        if not is_plain or set(names) - {"style"} or "color" in str(names) or "url" in str(names):
            self.others.append(tag)

    def handle_data(self, data):
        """Note a text."""
        self.texts.append(data)


def test_names_are_a_list_like_any_other():
    """Equal, written as JSON, pickled and printed like one."""
    names = zoo.list_models("vgg*")
    expected = ["vgg16", "vgg19"]
    assert isinstance(names, list)
    assert (names, repr(names), json.loads(json.dumps(names))) == (expected, repr(expected), expected)
    assert pickle.loads(pickle.dumps(names)) == expected


def test_names_in_a_notebook():
    """A row for each, with what one chooses by."""
    shown = Cells(zoo.list_models("vgg16")._repr_html_())
    assert shown.texts == [
        "name", "network", "input", "parameters", "top-5 error",
        "vgg16", "VGG-16", "224 × 224", "138,357,544", "9.95 %",
    ]  # fmt: skip
    assert shown.others == []


def test_a_notebook_shows_what_fits():
    """The first sixty, and how many more there are; who was left out of a filtered list stands below too."""
    names = Names(["vgg16"] * 60, zoo.spec, {"year is not stated": ["a", "b", "c", "d"]})
    shown = Cells(names._repr_html_())
    assert shown.texts.count("vgg16") == 60
    assert shown.texts[-1] == "left out: 4 networks whose year is not stated (a, b, c, ...)"
    assert shown.texts[-2] == "9.95 %"
    shown = Cells(Names(["vgg16"] * 1061, zoo.spec)._repr_html_())
    assert shown.texts.count("vgg16") == 60
    assert shown.texts[-1] == "and 1,001 more, which a filter or a pattern would show"
    assert shown.others == []


@pytest.mark.parametrize("name", zoo.list_models())
def test_a_network_is_told_in_few_words(name):
    """One line that fits a screen as its representation; its facts, a line each, as its text."""
    network = zoo.spec(name)
    assert len(repr(network)) <= 80
    assert name in repr(network)
    told = {line[:15].strip() for line in str(network).splitlines()}
    assert told >= {"name", "paper", "weights files"}
    assert ("error" in told) == (network.accuracy is not None)
    assert max(len(line) for line in str(network).splitlines()) <= 120
    assert all(file.id in str(network) for file in network.weights)
    assert Cells(network._repr_html_()).others == []


def test_a_network_s_line():
    """To the letter."""
    network = zoo.spec("resnet50")
    assert repr(network) == "<ResNet-50 (resnet50): 224 × 224 × 3, 1,000 classes, 13 files>"
    one = replace(network, weights=network.weights[:1])
    assert repr(one) == "<ResNet-50 (resnet50): 224 × 224 × 3, 1,000 classes, 1 file>"


def test_what_comes_from_an_overlay_is_text():
    """Whatever signs are in it."""
    network = replace(zoo.spec("resnet50"), title="<script>alert(1)</script>")
    page = network._repr_html_()
    assert Cells(page).others == []
    assert "&lt;script&gt;" in page


def test_tables_escape_all_that_they_hold():
    """Headings, names, values and titles; a line break is one."""
    for page in (facts_table("<b>", [("<i>", "a & b\nc")]), rows_table(["<b>", "<i>"], [["a & b\nc", 1]])):
        shown = Cells(page)
        assert shown.others == []
        assert {"<b>", "<i>", "a & b", "c"} <= set(shown.texts)
