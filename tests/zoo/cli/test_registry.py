"""``zoo list`` and ``zoo show``: parameters, sizes, what is cached; files by their ids; later fields."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import pytest

from converters.planning.structures import load_structure
from tests.support.command import Command
from tests.support.shelf import GOOGLENET, everything, keep, keep_converted
from zoo.cli import registry
from zoo.registry import architecture, list_models
from zoo.registry.parameters import parameters_of
from zoo.registry.records import Architecture, Paper, WeightsFile
from zoo.storage.cache import Cache


@dataclass(frozen=True, kw_only=True, slots=True)
class LaterPaper(Paper):
    """As it might be some day."""

    doi: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class LaterFile(WeightsFile):
    """As it might be some day."""

    trained_by: str = ""
    tags: tuple[str, ...] = ()
    epochs: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LaterArchitecture(Architecture):
    """As it might be some day."""

    tasks: tuple[str, ...] = ()


def widened(record: object, kind: type, **changes: object) -> object:
    """Return a record as one with further fields."""
    return kind(**{one.name: getattr(record, one.name) for one in fields(record)} | changes)


@pytest.fixture
def network() -> Architecture:
    """Return a network of which there is more to say."""
    vgg = architecture("vgg16")
    first, *others = vgg.weights
    file = widened(first, LaterFile, trained_by="Oxford", tags=("a", "b"), epochs=74)
    paper = widened(vgg.paper, LaterPaper, doi="10.48550/arXiv.1409.1556")
    return widened(vgg, LaterArchitecture, tasks=("ImageNet",), paper=paper, weights=(file, *others))


def test_every_field_of_a_network_is_shown(network: Architecture, capsys: pytest.CaptureFixture[str]) -> None:
    """A later one under its own name, behind the others, in the text and as JSON."""
    registry._show(network, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert "paper: doi       10.48550/arXiv.1409.1556" in lines
    assert "tasks            ImageNet" in lines
    words = [line.split() for line in lines]
    assert all(
        line in words for line in (["trained", "by", "Oxford"], ["tags", "a"], ["b"], ["epochs", "74"])
    )
    registry._show(network, as_json=True)
    shown = json.loads(capsys.readouterr().out)
    assert (shown["tasks"], shown["paper"]["doi"]) == (["ImageNet"], "10.48550/arXiv.1409.1556")
    assert shown["weights"][0]["tags"] == ["a", "b"]


SETS = """architectures:
  resnet101:
    sets:
      imagenet: {recipe: a long schedule, origin: us}
  vgg16:
    weights:
      vgg16-mine:
        {set: mine, structure: vgg16, top: true, layout: th, kernels: th, dialect: keras1, filename: a.h5,
        bytes: 1500000, digests: [], urls: ["https://example.org/a.h5"], licence: CC0, source: my desk}
    sets:
      imagenet: {recipe: a long schedule}
      mine:
        accuracy: {top1_error_percent: 30.5, top5_error_percent: null, source: us}
        input: {height: 160, width: 128, channels: 3, min_size: 32}
"""


@pytest.fixture
def overlay(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let a network have two weights sets that differ in all that can be said of them."""
    (tmp_path / "overlay.yaml").write_text(f"schema: 1\n{SETS}")
    monkeypatch.setenv("ZOO_REGISTRY", str(tmp_path / "overlay.yaml"))


@pytest.mark.usefixtures("overlay")
def test_weights_sets_are_told_apart(zoo: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a table; a column in which none states anything is left out; what files differ in is theirs."""
    table = zoo("show", "vgg16")[1].split("\n\n")[1].splitlines()
    licence = "CC-BY-4.0 (ported from the Oxford VGG models)"
    rows = [re.split("  +", line.strip()) for line in table]
    (heading,) = (place for place, text in enumerate(rows[0]) if text == "preprocessing")
    recipes = {row[0]: row.pop(heading) for row in rows}
    assert list(recipes.values()) == ["preprocessing", "caffe", "caffe", "torch", "torch_x255", "caffe"]
    assert [row for row in rows if not row[0].startswith("torchvision")] == [
        ["weights set", "top-1 error", "top-5 error", "input", "size", "licence", "origin", "recipe"],
        [
            "imagenet",
            "28.732 %",
            "9.95 %",
            "224x224",
            "553.5 MB",
            licence,
            "see its files",
            "a long schedule",
        ],
        [
            "imagenet-caffe",
            "not stated",
            "not stated",
            "224x224",
            "553.4 MB",
            "CC-BY-4.0",
            "the Visual Geometry Group, Oxford, in Caffe",
            "not stated",
        ],
        ["mine", "30.5 %", "not stated", "160x128", "1.5 MB", "CC0", "my desk", "not stated"],
    ]
    table = zoo("show", "densenet161")[1].split("\n\n")[1].splitlines()
    assert "recipe" not in table[0]
    table = zoo("show", "googlenet")[1].split("\n\n")[1].splitlines()
    assert "preprocessing" not in table[0]
    practice_width(monkeypatch, 60)
    out = zoo("show", "vgg16")[1]
    assert [line.split() for line in out.splitlines() if line.startswith(("weights set", "size"))][-2:] == [
        ["weights", "set", "mine"],
        ["size", "1.5", "MB"],
    ]


@pytest.mark.usefixtures("overlay")
def test_weights_sets_in_json(zoo: Command) -> None:
    """Each with its files and sources; null is what nobody states."""
    assert json.loads(zoo("show", "vgg16", "--json")[1])["weights_sets"][-1] == {
        "name": "mine",
        "top1_error_percent": 30.5,
        "top5_error_percent": None,
        "error_source": "us",
        "input": [160, 128, 3],
        "preprocessing": "caffe",
        "resize": None,
        "interpolation": None,
        "bytes": 1_500_000,
        "files": ["vgg16-mine"],
        "recipe": None,
        "origin": "my desk",
        "licences": ["CC0"],
        "source": None,
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class Namesake(Architecture):
    """A network that is taken for others."""

    differs_from: dict[str, str] = field(default_factory=dict)


def test_a_network_is_told_from_those_it_is_taken_for(zoo: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it says of each; another need not be looked at for that."""
    plain = architecture("googlenet")
    other = widened(plain, Namesake, differs_from={"vgg16": "epsilon 1.0e-3", "vgg19": "padding"})
    monkeypatch.setattr(registry, "look_up", {"plain": plain, "other": other}.__getitem__)
    lines = zoo("show", "other")[1].splitlines()
    assert lines[1:3] == ["is not           vgg16: epsilon 1.0e-3", "                 vgg19: padding"]
    shown = json.loads(zoo("show", "other", "--json")[1])["counterparts"]
    assert shown == {"vgg16": "epsilon 1.0e-3", "vgg19": "padding"}
    assert "is not" not in zoo("show", "plain")[1]


@pytest.mark.parametrize("typed", [["fetch", "vgg16", "--weights", "imagenet-kera"]], ids=" ".join)
def test_a_weights_set_that_was_nearly_typed_is_named(zoo: Command, typed: list[str]) -> None:
    """As networks and files are."""
    code, out, err = zoo(*typed)
    assert (code, out) == (2, "")
    assert err == (
        "zoo: vgg16 has no weights set 'imagenet-kera'; it has: imagenet, imagenet-caffe,"
        " torchvision, torchvision-features; did you mean imagenet?\n"
    )


def test_a_field_as_it_is_where_it_is_left_out_takes_no_line(
    network: Architecture, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a registry says now is shown as before."""
    registry._show(architecture("vgg16"), as_json=False)
    before = capsys.readouterr().out
    first, *others = architecture("vgg16").weights
    weights = (widened(first, LaterFile), *others)
    paper = widened(network.paper, LaterPaper, doi="")
    registry._show(replace(network, tasks=(), paper=paper, weights=weights), as_json=False)
    assert capsys.readouterr().out == before


# What a list says.


def practice_width(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """Print as on a terminal of so many columns."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)


def test_a_list_tells_parameters_input_sizes_and_what_is_cached(zoo: Command) -> None:
    """A size that nobody states is about four bytes for each parameter, and said to be about that."""
    cache = Cache.from_environment()
    known = everything()
    keep(cache, known[GOOGLENET].item, b"published")
    keep_converted(cache, known[GOOGLENET].item, b"converted", "tf")
    code, out, err = zoo("list", "n*t16?")
    assert (code, out, err) == (
        0,
        "",
        f"zoo: no network matches 'n*t16?'; `zoo list` shows all {len(list_models())}\n",
    )
    assert [line.rstrip() for line in zoo("list", "net", "--layout", "th")[1].splitlines()[:4]] == [
        "name         network       parameters    input  top-5 error  files            size  cached",
        "googlenet    GoogLeNet         13.4 M  224x224       11.1 %  3 th, 0 tf   ~53.5 MB  tf, th",
        "resnet50     ResNet-50         25.6 M  224x224        7.8 %  9 th, 4 tf   102.9 MB  -",
        "resnet101    ResNet-101        44.8 M  224x224        7.1 %  5 th, 1 tf  ~179.0 MB  -",
    ]


def test_a_file_of_two_weights_sets_counts_once(zoo: Command) -> None:
    """It has an entry in each, and JSON says of the second that it is the first again."""
    assert "2 th, 3 tf" in zoo("list", "inception_v4", "--columns", "files")[1]
    (told,) = json.loads(zoo("list", "inception_v4", "--json")[1])
    again = {one["id"]: one["same_file_as"] for one in told["files"] if one["same_file_as"]}
    assert again == {"inception_v4-cadene-2.1": "inception_v4-cadene"}


def test_the_json_of_a_list_has_all_of_it(zoo: Command) -> None:
    """Each file with its size in bytes, if it is stated, and how it lies in the cache."""
    keep(Cache.from_environment(), everything()[GOOGLENET].item, b"published")
    (told,) = json.loads(zoo("list", "googlenet", "--json")[1])
    assert (told["parameters"], told["cached"]) == (13_378_280, ["th"])
    first = next(one for one in told["files"] if one["id"] == GOOGLENET)
    assert first == {
        "id": GOOGLENET,
        "same_file_as": None,
        "set": "imagenet",
        "top": True,
        "layout": "th",
        "kernels": "th",
        "bytes": None,
        "licence": "unrestricted use (as the source model bvlc_googlenet)",
        "origin": "BVLC bvlc_googlenet (Caffe), converted by J. Marino",
        "cached": ["as published"],
    }
    assert [one["id"] for one in told["files"]] == told["weights"]


@pytest.mark.parametrize(
    ("columns", "missing"),
    [
        (200, []),
        (80, ["network"]),
        (70, ["network", "files"]),
        (60, ["network", "files", "top-5 error"]),
        (46, ["network", "files", "top-5 error", "input"]),
    ],
)
def test_a_list_fits_the_terminal(
    zoo: Command, monkeypatch: pytest.MonkeyPatch, columns: int, missing: list[str]
) -> None:
    """Columns go in an order, which is said; a name is never cut."""
    practice_width(monkeypatch, columns)
    code, out, err = zoo("list", "--layout", "th")
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in out.splitlines()]
    assert code == 0
    assert max(map(len, lines)) <= columns
    assert [line.split()[0] for line in lines[1:]] == [
        name for name in list_models() if layouts_of(name) & {"th"}
    ]
    gone = f"zoo: no room for: {', '.join(missing)}; a wider terminal or --json has it\n" if missing else ""
    assert err == gone
    assert [word for word in ("network", "files", "top-5 error", "input") if word not in lines[0]] == missing


@pytest.mark.parametrize("columns", [60, 46])
def test_the_whole_list_fits_a_narrow_terminal(
    zoo: Command, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    """As a table, however long its longest name is."""
    practice_width(monkeypatch, columns)
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in zoo("list", "--all")[1].splitlines()]
    assert max(map(len, lines)) <= columns
    assert [line.split()[0] for line in lines[1:]] == list_models()


def layouts_of(name: str) -> set[str]:
    """Return the layouts in which a network was published."""
    return {file.layout for file in architecture(name).weights}


def test_a_list_needs_no_cache(zoo: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is wrong with it is said; the registry is shown all the same. Nor is a shared one."""
    before = zoo("list")[1]
    monkeypatch.setenv("ZOO_SHARED", str(tmp_path / "no"))
    problem = f"ZOO_SHARED={tmp_path / 'no'}: there is no such folder; it was left out"
    assert zoo("list") == (0, before, f"zoo: {problem}\n")
    cache = Cache.from_environment()
    keep(cache, everything()[GOOGLENET].item, b"published")
    for record in (cache.home / "_memory").rglob("*.json"):
        record.write_text("{")
    code, out, err = zoo("list")
    assert (code, out) == (0, before)
    assert err.startswith("zoo: what is cached is not known: ")


def test_nothing_is_hashed_for_a_list(zoo: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nor is anything written: a file that was changed is still shown, and found out when it is asked for."""
    cache = Cache.from_environment()
    path = keep(cache, everything()[GOOGLENET].item, b"published")
    path.write_bytes(b"changed!!")
    monkeypatch.setattr("zoo.storage.cache.hash_file", None)
    (told,) = json.loads(zoo("list", "googlenet", "--json")[1])
    assert told["cached"] == ["th"]
    path.unlink()
    assert json.loads(zoo("list", "googlenet", "--json")[1])[0]["cached"] == []


def test_what_a_shared_folder_has_counts_as_cached(
    zoo: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is where a fetch looks first."""
    keep(Cache(tmp_path / "shared"), everything()[GOOGLENET].item, b"published")
    monkeypatch.setenv("ZOO_SHARED", str(tmp_path / "shared"))
    assert json.loads(zoo("list", "googlenet", "--json")[1])[0]["cached"] == ["th"]


@pytest.mark.parametrize("name", list_models())
def test_the_number_of_parameters_is_that_of_the_graph(name: str, zoo: Command) -> None:
    """All arrays of the structure counted, which the goldens hold the drawn networks to."""
    structure = load_structure(architecture(name).default_graph.structures[0])
    counted = sum(math.prod(shape) for layer in structure.layers for shape in layer.arrays.values())
    assert parameters_of(architecture(name)) == counted
    assert json.loads(zoo("show", name, "--json")[1])["parameters"] == counted
    assert f"parameters       {counted:,}\n" in zoo("show", name)[1]


# Filters, order, columns.


def listed(zoo: Command, *argv: str) -> list[str]:
    """Return the first words of the rows of a list."""
    code, out, _ = zoo("list", *argv)
    assert code == 0
    return [line.split()[0] for line in out.splitlines()[1:]]


def test_a_list_is_chosen_and_sorted(zoo: Command) -> None:
    """As in Python, whose function has the same names; a key may begin with a hyphen."""
    for sort in (["--sort", "-params"], ["--sort=-params"], ["--sort", "params", "--reverse"]):
        argv = ["net", "--family", "DENSE", "--layout", "th", "--max-params", "30M", *sort]
        assert listed(zoo, *argv) == ["densenet161", "densenet169", "densenet121"]
    keep(Cache.from_environment(), everything()[GOOGLENET].item, b"published")
    assert listed(zoo, "--cached") == ["googlenet"]
    assert listed(zoo, "--layout", "th", "--sort", "cached,-year,name")[:2] == ["googlenet", "densenet121"]
    told = json.loads(zoo("list", "--max-size", "40MB", "--input", "224", "--layout", "th", "--json")[1])
    assert [one["name"] for one in told] == ["densenet121"]


def test_who_does_not_state_what_a_filter_looks_at_is_told(zoo: Command) -> None:
    """With their number and some names; in a list of nothing too."""
    left_out = "zoo: left out: 1 network whose top-1 error is not stated (inception_v3)\n"
    code, out, err = zoo("list", "inception_", "--max-top1-error", "20", "--columns", "name,top1,size")
    assert [line.rstrip() for line in out.splitlines()] == [
        "name          top-1 error       size",
        "inception_v4      19.54 %  ~171.0 MB",
    ]
    assert (code, err) == (0, left_out)
    none = "zoo: none of the 2 networks suits; `zoo list` shows all\n"
    assert zoo("list", "inception_", "--max-top1-error", "2") == (0, "", none + left_out)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--family", "resnt"], "none of the {} networks suits; did you mean --family resnet?"),
        (["--licence", "apach"], None),
        (["--family", "resnet", "--max-size", "1"], "none of the {} networks suits"),
        (["--family", "qqq"], "none of the {} networks suits"),
        (["vgg16", "--family", "resnt"], "vgg16 does not suit; did you mean --family resnet?"),
        (["vgg166"], "no network matches 'vgg166'; did you mean vgg16?"),
    ],
)
def test_what_was_nearly_typed_for_a_filter(zoo: Command, typed: list[str], said: str | None) -> None:
    """One that no network has in it; what others leave out is no mistake of it."""
    code, out, err = zoo("list", *typed)
    assert (code, not out) == (0, said is not None)
    count = len(list_models())
    shows = "`zoo list` shows all" + (f" {count}" if said and "matches" in said else "")
    assert (err.splitlines()[:1] == [f"zoo: {said.format(count)}; {shows}"]) if said else not err


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (
            ["--max-params", "many"],
            "--max-params many: must be a number that is not negative, such as 30M, 4.5M or 30000000",
        ),
        (["--max-top1-error", "-1"], "--max-top1-error -1: must be a number of per cent that is not"),
        (["--columns", "name,param"], "--columns param: must be among name, network, family, params,"),
        (["--sort", "-parms"], "--sort parms: must be among name, network, family, params,"),
        (["--json", "--columns", "name"], "--columns: not with --json, which has all fields"),
    ],
)
def test_what_a_list_cannot_be_chosen_by(zoo: Command, typed: list[str], said: str) -> None:
    """It is wrong usage, in the words of the command line."""
    code, _, err = zoo("list", *typed)
    assert (code, err.startswith(f"zoo: {said}")) == (2, True), err


def test_chosen_columns_all_stay(zoo: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a terminal is too narrow for them each row becomes a block."""
    practice_width(monkeypatch, 30)
    code, out, err = zoo("list", "vgg16", "--columns", "name,network,params,preprocessing,year")
    assert (code, err) == (0, "")
    assert [line.split() for line in out.splitlines()] == [
        ["name", "vgg16"],
        ["network", "VGG-16"],
        ["parameters", "138.4", "M"],
        ["preprocessing", "caffe"],
        ["year", "2014"],
    ]


def test_a_long_list_stops_and_says_how_many_more_there_are(
    zoo: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless all rows are asked for, or JSON."""
    monkeypatch.setattr(registry, "ROWS", 4)
    code, out, err = zoo("list", "--sort", "name")
    assert (code, len(out.splitlines())) == (0, 5)
    more = f"{len(list_models()) - 4} more networks"
    assert err == f"zoo: {more}; --all shows them, and so does --json\n"
    assert listed(zoo, "--all") == list_models()
    assert zoo("list", "--all")[2] == ""
    assert len(json.loads(zoo("list", "--json")[1])) == len(list_models())
    assert zoo("list", "vgg")[2] == ""


def test_a_list_of_what_is_cached_needs_a_cache(zoo: Command) -> None:
    """What is not known of it would make the list a wrong one."""
    keep(Cache.from_environment(), everything()[GOOGLENET].item, b"published")
    for record in (Cache.from_environment().home / "_memory").rglob("*.json"):
        record.write_text("{")
    code, out, err = zoo("list", "--cached")
    assert (code, out) == (1, "")
    assert err.startswith("zoo: ")


# Files by their ids.

FILES = [(name, file) for name in list_models() for file in architecture(name).weights]


@pytest.mark.parametrize(("name", "file"), FILES, ids=[file.id for _, file in FILES])
def test_every_file_can_be_shown(zoo: Command, name: str, file: WeightsFile) -> None:
    """As it stands below its network, with the network's name."""
    code, out, _ = zoo("show", file.id)
    assert (code, out.split()[0]) == (0, file.id)
    of_network = zoo("show", name)[1].split("\n\n")
    told = [line.split() for line in out.splitlines()]
    assert told[-1] == ["network", name]
    assert told[:-1] in [[line.split() for line in block.splitlines()] for block in of_network]
    shown = json.loads(zoo("show", file.id, "--json")[1])
    assert (shown["network"], shown["urls"]) == (name, list(file.urls))


def test_a_class_index_can_be_shown(zoo: Command) -> None:
    """By the id that mirror, trust and cache take."""
    code, out, _ = zoo("show", "class_indexes/imagenet")
    assert code == 0
    assert out.splitlines()[:2] == [
        "class_indexes/imagenet  names 1,000 classes",
        "  size                  35,363 bytes",
    ]
    assert json.loads(zoo("show", "class_indexes/imagenet", "--json")[1])["bytes"] == 35_363


@pytest.mark.parametrize(
    "argv", [["show"], ["fetch"], ["trust"], ["cache", "remove"], ["mirror", "there"]], ids=" ".join
)
def test_unknown_names_are_answered_alike(zoo: Command, argv: list[str]) -> None:
    """With a few near ones, never all; where none is near, with their number and where to see them."""
    hint = "`zoo list` shows the networks, `zoo show NAME` their files"
    for name, near in (
        ("resnet", "nearest: resnet50, resnet101, resnet152"),
        ("googlenet-ht", "nearest: googlenet, googlenet-th, googlenet-caffe"),
        ("zzz", f"none of the {len(FILES) + len(list_models()) + 1} is near"),
    ):
        said = f"zoo: no network and no file is called {name!r}; {near}; {hint}\n"
        assert zoo(*argv, name) == (2, "", said)
