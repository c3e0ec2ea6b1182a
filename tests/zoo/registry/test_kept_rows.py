"""Rows of lists that are kept: the same bytes as without them, and never those of another registry."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import zoo as library
from tests.support.command import Command
from tests.support.shelf import GOOGLENET, everything, keep
from tests.zoo.registry.test_compiled import forget
from zoo.cli.candidates import candidates
from zoo.progress.documents import document, item, put_together
from zoo.registry import compiled, kept_rows, list_models, places
from zoo.registry.columns import FACTS
from zoo.registry.families import FAMILIES
from zoo.storage.cache import Cache

FILTERS = (
    ["--family", "dense"],
    ["--max-params", "30M", "--layout", "th"],
    ["--cached"],
    ["--max-top1-error", "25", "--min-year", "2016"],
    ["--licence", "mit", "--weights", "imagenet", "--origin", "keras"],
    ["res", "--reverse"],
    ["no such network"],
    ["res", "--min-params", "1B"],
    ["--columns", "name,licence,cached"],
)


@pytest.fixture(autouse=True)
def _anew() -> None:
    """Read every file anew."""
    forget()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return where copies lie."""
    return tmp_path / "zoo-home" / places.FOLDER


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that gets an entry whenever rows are made."""
    calls: list[str] = []
    before = kept_rows._made

    def told(digest: str | None) -> kept_rows.Written:
        calls.append(str(digest))
        return before(digest)

    monkeypatch.setattr(kept_rows, "_made", told)
    return calls


def test_a_list_of_what_is_kept_is_the_same_list(
    zoo: Command, monkeypatch: pytest.MonkeyPatch, made: list[str]
) -> None:
    """Byte for byte, whatever is asked: as a table and as JSON, with a file in the cache and without."""
    asked = [*FILTERS, *(["--sort", key] for key in FACTS), ["--sort", "family,-params"], []]
    ways = [[*way, *form] for way in asked for form in ([], ["--json"])]
    for _ in range(2):
        with monkeypatch.context() as patched:
            patched.setattr(kept_rows, "_kept", lambda _: None)
            truth = [zoo("list", *way) for way in ways]
        made.clear()
        assert [zoo("list", *way) for way in ways] == truth
        assert made == []
        keep(Cache.from_environment(), everything()[GOOGLENET].item, b"published")


def test_python_is_told_the_same(zoo: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether anything is kept or not; what Python asks for alone keeps nothing."""
    before = library.list_models("res", layout="th", sort="-params")
    assert kept_rows.kept_rows() is None
    zoo("list")
    monkeypatch.setattr("zoo.files.listing.networks_like", None)
    assert library.list_models("res", layout="th", sort="-params") == before


def test_no_network_is_looked_at(zoo: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor any file read as a registry."""
    first = zoo("list", "--json")
    forget()
    monkeypatch.setattr("zoo.registry.files.read_once", None)
    assert zoo("list", "--json") == first


@pytest.mark.parametrize(
    "words",
    [["show", "vgg1"], ["show", "vgg16-t"], ["list", "--family", ""], ["fetch", "vgg16", "--weights", ""]],
)
def test_what_completes_a_word_is_kept_too(
    zoo: Command, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    """No network is looked at while somebody types."""
    first = candidates(words)
    assert first[0]
    forget()
    monkeypatch.setattr("zoo.registry.files.read_once", None)
    assert candidates(words) == first


@pytest.mark.parametrize("where", ["magic", "head", "first row", "end"])
def test_damaged_rows_are_never_believed(zoo: Command, folder: Path, made: list[str], where: str) -> None:
    """They are made again, and kept again."""
    first = zoo("list", "--json")
    path = folder / f"{made.pop()}-{compiled.VERSION}.index"
    whole = path.read_bytes()
    start = whole.index(b'  {\n    "name"')
    place = {"magic": 0, "head": 40, "first row": start + 20, "end": len(whole) - 1}[where]
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    assert zoo("list", "--json") == first
    assert (len(made), path.read_bytes()) == (1, whole)


def test_each_layer_counts_and_their_order(
    zoo: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that changes a field of a network below it; the later one wins."""
    overlays = [tmp_path / "one.yaml", tmp_path / "two.yaml"]
    own = tmp_path / "zoo-home" / "registry.yaml"
    for overlay, title in zip(overlays, ("One", "Two"), strict=True):
        overlay.write_text(f"architectures: {{vgg16: {{title: {title}}}}}")

    def title() -> str:
        found: str = json.loads(zoo("list", "vgg16", "--json")[1])[0]["title"]
        return found

    for _ in range(2):
        monkeypatch.delenv("ZOO_REGISTRY", raising=False)
        assert title() == "VGG-16"
        for order in (overlays, overlays[::-1], overlays[:1]):
            monkeypatch.setenv("ZOO_REGISTRY", os.pathsep.join(map(str, order)))
            assert title() == {"one.yaml": "One", "two.yaml": "Two"}[order[-1].name]
    overlays[0].write_text("architectures: {vgg16: {title: New}}")
    assert title() == "New"
    monkeypatch.delenv("ZOO_REGISTRY")
    own.write_text("architectures: {vgg16: {title: Own}}")
    assert title() == "Own"
    own.unlink()
    assert title() == "VGG-16"


def test_rows_made_by_other_rules_are_not_used(
    zoo: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: list[str]
) -> None:
    """A structure that says another number of parameters than it did changes what is listed."""
    structures = tmp_path / "structures"
    shutil.copytree(kept_rows.OWN, structures)
    monkeypatch.setattr(kept_rows, "OWN", structures)
    for _ in range(2):
        assert zoo("list")[0] == 0
        assert len(made) == 1
    os.utime(structures / "vgg16.json", ns=(1, 1))
    assert zoo("list")[0] == 0
    assert len(set(made)) == 2


def test_a_registry_with_a_mistake_is_not_kept(zoo: Command, tmp_path: Path, made: list[str]) -> None:
    """Whoever lists it is told each time; what was kept before comes back with the registry as it was."""
    own = tmp_path / "zoo-home" / "registry.yaml"
    assert zoo("list")[0] == 0
    own.write_text("architectures:\n  vgg19:\n    classes: many\n")
    reason = f"zoo: {own}:3: architectures.vgg19.classes: 'many' is not an integer\n"
    for _ in range(2):
        assert zoo("list") == (1, "", reason)
        assert zoo("list", "vgg16", "--json")[0] == 1
    own.unlink()
    made.clear()
    assert zoo("list")[0] == 0
    assert made == []


def test_a_family_of_another_package_is_not_kept(
    zoo: Command, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package may go, or take other numbers, and no layer would show it."""
    monkeypatch.setattr(kept_rows, "FAMILIES", {name: FAMILIES[name] for name in FAMILIES if name != "vgg"})
    assert [zoo("list")[0], zoo("list")[0]] == [0, 0]
    assert len(made) == 2


def unwritable(home: Path) -> None:
    """Put a file where the folder would be."""
    home.mkdir(exist_ok=True)
    (home / places.FOLDER).touch()


def no_home(home: Path) -> None:
    """Put a file in the place of the cache."""
    home.touch()


@pytest.mark.parametrize("spoil", [unwritable, no_home])
def test_where_nothing_can_be_kept_it_is_made(
    zoo: Command, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    """Each time."""
    spoil(tmp_path / "zoo-home")
    for _ in range(2):
        told = json.loads(zoo("list", "--json")[1])
        assert [row["name"] for row in told] == list_models()


def test_a_file_that_cannot_be_read_is_told(zoo: Command, tmp_path: Path) -> None:
    """By whoever reads it."""
    own = tmp_path / "zoo-home" / "registry.yaml"
    own.parent.mkdir(exist_ok=True)
    own.symlink_to(tmp_path / "gone")
    reason = f"zoo: {own}: cannot be read: No such file or directory\n"
    assert zoo("list") == (1, "", reason)


@pytest.mark.parametrize("size", [0, 1, 2])
def test_items_make_the_document_of_their_list(size: int) -> None:
    """As if it was written at once; half of a letter is escaped."""
    values = [{"a": [1, None, {"b": "ç\ud800"}], "c": []}, {}][:size]
    assert b"".join(put_together(map(item, values))) == document(values)
    assert json.loads(document(values)) == values
