"""What is to be typed for an extra works wherever the distribution came from, and fetches nothing else."""

from __future__ import annotations

import re
import shlex
import tomllib

import pytest

from tests.support.paths import ROOT
from zoo.extras import EXTRAS, how_to_install

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
_FROM_AN_INDEX = re.compile(
    r"(?:pipx?|uvx?)(?: pip)? (?:install|add|run)(?: [^`#]{0,80}?)?"
    r" ['\"]?(?:zoo|keras-weight-zoo)(?=[\s'\"`;,)\[]|$)"
)


def from_an_index(text: str) -> list[str]:
    """Return the commands in a text that have an index asked for this distribution."""
    return _FROM_AN_INDEX.findall(re.sub(r"\n *(?=\S)", " ", text))


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_is_as_pyproject_has_it(extra: str) -> None:
    """Bound for bound; the tool that runs its tests is for those who have a checkout."""
    listed = PROJECT["optional-dependencies"][extra]
    assert list(EXTRAS[extra]) == [one for one in listed if not one.startswith("pytest")]


def test_the_command_names_libraries_in_quotes() -> None:
    """A shell takes ``>`` for something else."""
    libraries = " ".join(f"'{one}'" for one in EXTRAS["finetune"])
    assert how_to_install("finetune") == f"pip install {libraries}"
    assert shlex.split(how_to_install("demo")) == ["pip", "install", *EXTRAS["demo"]]


def test_nobody_is_sent_to_an_index_for_this_distribution() -> None:
    """Its name is not registered: what an index has under it, or under ``zoo``, would be somebody else's."""
    pages = [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("docs/*/*.md"),
        *ROOT.glob("examples/*.py"),
    ]
    sources = [path for package in ("zoo", "converters") for path in (ROOT / package).rglob("*.py")]
    found = {path: from_an_index(path.read_text("utf-8")) for path in (*pages, *sources)}
    assert {path: commands for path, commands in found.items() if commands} == {}


@pytest.mark.parametrize(
    "text",
    [
        "pip install zoo",
        "(pip install --upgrade keras-weight-zoo)",
        "say `pip install\n    'keras-weight-zoo[demo]'` to",
        "uv pip install 'zoo[finetune]'",
        "pipx run zoo list",
    ],
)
def test_what_would_be_fetched_from_an_index_is_seen(text: str) -> None:
    """The test above can fail."""
    assert from_an_index(text)


@pytest.mark.parametrize(
    "text",
    [
        "pip install '.[demo]'",
        "pip install dist/keras_weight_zoo-0.1.0-py3-none-any.whl",
        "pip install . # zoo",
    ],
)
def test_what_lies_here_may_be_installed(text: str) -> None:
    """And the test above takes nothing else for it."""
    assert not from_an_index(text)
