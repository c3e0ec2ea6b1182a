"""The README, and every other page that people read, says what is true."""

from __future__ import annotations

import argparse
import ast
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

import converters
import zoo
import zoo.finetuning
from tests import finding_page, networks_page, origins_page, readme_table
from tests.readme_table import README, with_table
from tests.support.paths import ROOT
from zoo.cli.parser import build_parser
from zoo.registry import architecture, list_models

# The changelog speaks of names that are gone.
PAGES = sorted(page for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")) if page.name != "CHANGELOG.md")
# What these show is put into the packages and run by a test of its own.
ALL_PAGES = [*PAGES, *sorted(ROOT.glob("docs/extending/*.md"))]
LINES = 200
"""How long a README may be that is read in five minutes."""

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_CODE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
_MODULE = re.compile(r"python -m ((?:zoo|tests|benchmarks)\b[\w.]*)")
_FILE = re.compile(r"(?<![\w./-])(?:tests|examples|benchmarks|docs|zoo|converters)/[\w/.-]+\.\w+")
_VARIABLE = re.compile(r"\bZOO_[A-Z_]+\b")


def per_page(value: Path) -> str:
    """Return how a page is called in the names of tests."""
    return value.relative_to(ROOT).as_posix()


def commands(page: Path) -> Iterator[list[str]]:
    """Yield the arguments of each ``$ zoo`` line, continued lines joined; what the shell does is left out."""
    text = page.read_text("utf-8").replace("\\\n", " ")
    for line in re.findall(r"^ *\$ (?:\w+=\S+ )*zoo (.*)$", text, re.MULTILINE):
        yield shlex.split(line.partition(" > ")[0], comments=True)


def anchors(page: Path) -> set[str]:
    """Return the addresses of a page's headings, as they are made of them."""
    headings = _HEADING.findall(page.read_text("utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_table_of_networks_is_that_of_the_registry() -> None:
    """`make table` has nothing to change."""
    text = README.read_text("utf-8")
    assert with_table(text) == text


@pytest.mark.parametrize("page", [networks_page, finding_page, origins_page], ids=lambda page: page.PAGE.stem)
def test_the_tables_of_a_page_are_those_of_the_registry(page: ModuleType) -> None:
    """`make table` has nothing to change."""
    text = page.PAGE.read_text("utf-8")
    assert page.with_tables(text) == text


def test_the_readme_shows_some_networks_and_counts_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that were published channels first; a page of docs/ has all."""
    (first, *others) = (architecture(name) for name in ("vgg16", "resnet50", "inception_v4"))
    later = [
        replace(one, weights=tuple(file for file in one.weights if file.layout == "tf")) for one in others
    ]
    monkeypatch.setattr(readme_table, "all_networks", lambda: [first, *later])
    lines = readme_table.part().splitlines()
    assert [line.split(" | ")[0] for line in lines[:3]] == ["| name", "| ---", "| `vgg16`"]
    assert lines[3:] == [
        "",
        "And 2 more: `zoo list` and [docs/networks.md](docs/networks.md) have all of them.",
    ]
    monkeypatch.setattr(readme_table, "all_networks", lambda: [first])
    assert readme_table.part().splitlines() == lines[:3]


def test_the_readme_has_the_networks_that_it_always_had() -> None:
    """By the rule, which asks what was published."""
    found = [network.name for network in readme_table.all_networks() if readme_table.is_shown(network)]
    assert found == [
        "vgg16", "vgg19", "googlenet", "inception_v3", "inception_v4", "resnet50", "resnet101", "resnet152",
        "densenet121", "densenet161", "densenet169",
    ]  # fmt: skip


def test_what_is_known_of_a_network_and_what_is_not() -> None:
    """To the letter, of one of which little is."""
    network = architecture("inception_v4")
    assert networks_page.known(network)[:6] == (
        "`inception_v4`",
        "6",
        "0 of 6",
        "8",
        "GitHub, lip6.fr; 4",
        "2 A, 2 D, 2 none",
    )
    assert "<br>imagenet-2.1: nowhere<br>" in networks_page.known(network)[7]
    urls = (
        "https://a.storage.googleapis.com/x",
        "https://drive.google.com/x",
        "https://weights.example.org/x",
    )
    assert [networks_page.operator(url) for url in urls] == ["Google", "Google", "example.org"]


@pytest.mark.parametrize("name", list_models())
def test_what_is_said_of_a_weights_set_has_a_source(name: str) -> None:
    """As all other facts have by their form."""
    for one in architecture(name).sets.values():
        told = (one.recipe, one.origin, one.input)
        assert one.source or not any(told), one.name


def test_the_readme_is_read_in_five_minutes() -> None:
    """All else is in docs/."""
    assert len(README.read_text("utf-8").splitlines()) <= LINES


@pytest.mark.parametrize("page", ALL_PAGES, ids=per_page)
def test_every_command_of_a_page_can_be_typed(page: Path) -> None:
    """Each `$ zoo …` line is understood by the parser."""
    for arguments in commands(page):
        build_parser().parse_args(arguments)


def test_pages_have_commands() -> None:
    """The pattern finds what it is to find."""
    found = {per_page(page): len(list(commands(page))) for page in PAGES}
    assert min(found[page] for page in ("README.md", "docs/cache.md", "docs/converting.md")) >= 4


def test_the_readme_lists_every_command() -> None:
    """And no other."""
    subparsers = [one for one in build_parser()._actions if isinstance(one, argparse._SubParsersAction)]
    listed = re.findall(r"^\| `zoo (\w+)", README.read_text("utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(subparsers[0].choices)


def test_a_newcomer_is_told_of_every_room() -> None:
    """CONTRIBUTING.md has a row for each package, of those that there are."""
    rooms = {
        path.parent for package in ("zoo", "converters") for path in (ROOT / package).glob("*/__init__.py")
    }
    rows = re.findall(r"^\| (`[a-z0-9`, ]+`) \|", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.MULTILINE)
    listed = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(listed) == sorted(room.name for room in rooms)


@pytest.mark.parametrize("page", ["README.md", "docs/command-line.md"])
def test_a_page_lists_every_environment_variable(page: str) -> None:
    """Those that the packages read, and no others."""
    sources = [path for package in ("zoo", "converters") for path in (ROOT / package).rglob("*.py")]
    read = {name for path in sources for name in re.findall(r'"(ZOO_[A-Z_]+)"', path.read_text("utf-8"))}
    listed = set(re.findall(r"^\| `(ZOO_[A-Z_]+)`", (ROOT / page).read_text("utf-8"), re.MULTILINE))
    assert listed == read


@pytest.mark.parametrize("page", ALL_PAGES, ids=per_page)
def test_a_page_names_no_variable_that_nothing_reads(page: Path) -> None:
    """Beside the packages' own, only those of the tests and of make."""
    assert set(_VARIABLE.findall(page.read_text("utf-8"))) <= _known_variables()


@cache
def _known_variables() -> frozenset[str]:
    sources = [path for folder in ("zoo", "converters", "tests") for path in (ROOT / folder).rglob("*.py")]
    texts = [path.read_text("utf-8") for path in (*sources, ROOT / "Makefile")]
    return frozenset(name for text in texts for name in _VARIABLE.findall(text))


@pytest.mark.parametrize("page", ALL_PAGES, ids=per_page)
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    """To a file that is there, and to a heading of it; addresses on the web are not asked."""
    for link in _LINK.findall(page.read_text("utf-8")):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.is_file(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", [*PAGES, ROOT / "Makefile"], ids=per_page)
def test_every_module_and_file_that_a_page_names_is_there(page: Path) -> None:
    """What of ours is run with ``python -m``, and files of the checkout by their paths."""
    text = page.read_text("utf-8")
    assert [name for name in _MODULE.findall(text) if find_spec(name) is None] == []
    assert [name for name in _FILE.findall(text) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=per_page)
def test_python_of_a_page_names_what_there_is(page: Path) -> None:
    """Each example is Python, and what it takes from the packages is public."""
    public = {"zoo": zoo.__all__, "converters": converters.__all__, "zoo.finetuning": zoo.finetuning.__all__}
    for code in _CODE.findall(page.read_text("utf-8")):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) in public:
                assert node.attr in public[ast.unparse(node.value)], ast.unparse(node)


def test_every_ported_network_is_on_two_independent_hosts() -> None:
    """But the first weights of Inception-V3, which have no origin."""
    hosts = {network.name: origins_page.hosts_of(network.weights) for network in origins_page.ported()}
    assert [name for name, found in hosts.items() if len(found) < 2] == []
    first = [file for file in architecture("inception_v3").weights if file.set == "imagenet"]
    assert origins_page.hosts_of(first) == {"GitHub"}
    for network in origins_page.ported():
        for said in network.sets.values():
            if said.same_values_as:
                files = [file for file in network.weights if file.set in (said.name, said.same_values_as)]
                assert len(origins_page.hosts_of(files)) > 1, network.name
