"""What is said of a version in several places is the same in all of them, and true."""

from __future__ import annotations

import re
import tomllib
from datetime import date

import yaml

from converters.version import VERSION
from tests.stability_names import PAGE, with_names
from tests.support.paths import ROOT
from zoo.extras import EXTRAS

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
CHANGELOG = (ROOT / "CHANGELOG.md").read_text("utf-8")
_RELEASE = re.compile(r"^## (\d+\.\d+\.\d+) - (\d{4}-\d{2}-\d{2})$", re.MULTILINE)


def pythons() -> list[str]:
    """Return the versions of Python that the classifiers name."""
    return re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))


def test_the_changelog_has_this_version_first() -> None:
    """With the day that it came out; what is to come stands above it, even if that is nothing yet."""
    headings = re.findall(r"^## (.*)$", CHANGELOG, re.MULTILINE)
    assert headings[0] == "Unreleased"
    (version, day), *_ = _RELEASE.findall(CHANGELOG)
    assert headings[1] == f"{version} - {day}"
    assert version == VERSION
    assert date.fromisoformat(day) >= date(2026, 11, 28)


def test_no_section_of_the_changelog_is_empty() -> None:
    """Each has a line that is no heading."""
    for section in re.split(r"^#{2,3} ", CHANGELOG, flags=re.MULTILINE)[1:]:
        heading, _, text = section.partition("\n")
        assert text.strip() or heading.startswith(VERSION), heading


def test_the_citation_names_this_version() -> None:
    """And has all that the format asks for: https://citation-file-format.github.io, version 1.2.0."""
    assert {"cff-version", "message", "title", "authors"} <= CITATION.keys()
    assert CITATION["cff-version"] == "1.2.0"
    assert (CITATION["type"], CITATION["license"]) == ("software", PROJECT["license"])
    assert str(CITATION["version"]) == VERSION
    assert (VERSION, CITATION["date-released"]) == _RELEASE.findall(CHANGELOG)[0]


def test_pages_that_name_a_wheel_name_that_of_this_version() -> None:
    """As `python -m build` calls it."""
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for version in re.findall(r"keras_weight_zoo-([\w.]+?)-py3", page.read_text("utf-8")):
            assert version == VERSION, page


def test_the_classifiers_say_what_is_true() -> None:
    """The oldest Python is the one that is asked for; both packages are typed; the licence is said once."""
    assert PROJECT["requires-python"] == f">={pythons()[0]}"
    assert pythons() == sorted(pythons(), key=lambda version: int(version.partition(".")[2]))
    assert ("Typing :: Typed" in PROJECT["classifiers"]) == all(
        (ROOT / package / "py.typed").is_file() for package in ("zoo", "converters")
    )
    assert not [name for name in PROJECT["classifiers"] if name.startswith("License")]
    assert not [name for name in PROJECT["classifiers"] if "Windows" in name or "Independent" in name]


def test_every_library_has_an_oldest_version_that_is_tried() -> None:
    """A lower bound for each, which is what `make test-oldest` installs; what has types alone never runs."""
    groups = (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    unbound = {one for group in groups for one in group if ">=" not in one and "keras-weight-zoo" not in one}
    assert unbound <= {"types-PyYAML", "types-requests"}


def test_the_page_on_what_is_stable_names_what_is_public() -> None:
    """`make table` has nothing to change: every name of `__all__` and every command, and no other."""
    text = PAGE.read_text("utf-8")
    assert with_names(text) == text


def test_the_oldest_versions_on_the_page_are_those_that_are_allowed() -> None:
    """Of all that a user installs."""
    rows = re.findall(r"^\| ([\w-]+) \| ([\d.]+) \| [\d.]+ \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    extras = PROJECT["optional-dependencies"]
    users = (
        *PROJECT["dependencies"],
        *(one for name in EXTRAS for one in extras[name] if name != "tf-keras"),
    )
    assert {name.lower(): oldest for name, oldest in rows} == dict(one.split(">=") for one in users)


def test_the_pythons_on_the_page_are_those_of_the_classifiers() -> None:
    """Each was tried; a later one may be named beside them, with what it was tried with."""
    rows = re.findall(r"^\| (3\.\d+) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert list(dict.fromkeys(rows))[: len(pythons())] == pythons()
