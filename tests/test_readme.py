"""The README, and every other page that people read, says what is true."""

from __future__ import annotations

import argparse
import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

import converters
import zoo
import zoo.finetuning
from tests.readme_table import README, with_table
from tests.support.paths import ROOT
from zoo.cli.parser import build_parser

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
