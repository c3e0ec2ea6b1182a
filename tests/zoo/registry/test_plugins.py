"""What installed packages bring: found without importing them, refused in one line that names them."""

from __future__ import annotations

import importlib.metadata
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import converters
import zoo as package
from converters.planning import plugins
from converters.planning.structures import known_structures, load_structure
from tests.support.command import Command
from tests.support.plugins import FAMILY, REGISTRY, LayOut, forgotten, lay_out
from zoo.cli import doctor
from zoo.errors import RegistryError
from zoo.finetuning.schedule import batch_size
from zoo.networks.families import builder
from zoo.practice.files import write
from zoo.registry import architecture, get_registry, load_registry
from zoo.registry.families import family_of
from zoo.registry.schema import registry_schema

ADVICE = "update or uninstall tiny-nets; ZOO_PLUGINS=0 does without plug-ins"


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LayOut]:
    """Return :func:`lay_out`, into a folder of its own each time, that is looked into first."""
    monkeypatch.delenv("ZOO_PLUGINS")
    count = 0

    def laid_out(name: str = "tiny-nets", **what: object) -> Path:
        nonlocal count
        count += 1
        folder = lay_out(tmp_path / f"site{count}", name, **what)  # type: ignore[arg-type]
        monkeypatch.syspath_prepend(folder)
        return folder

    with forgotten():
        yield laid_out


def broken(code: str) -> dict[str, str]:
    """Return the module of a family's record with other code in it."""
    return {"tinynets/family.py": code}


def test_its_networks_are_listed_and_nothing_of_it_is_imported(plugin: LayOut, zoo: Command) -> None:
    """Also where its code cannot be imported: who lists networks runs no code of strangers."""
    plugin(files={**broken("raise RuntimeError"), "tinynets/__init__.py": "raise RuntimeError"})
    code, out, err = zoo("list", "tinynet", "--json")
    assert (code, err) == (0, "")
    told = {row["name"]: (row["family"], row["parameters"]) for row in json.loads(out)}
    assert told == {"tinynet8": ("tiny", 6530), "tinynet16": ("tiny", 61690)}
    assert "tinynets" not in sys.modules


def test_a_network_of_its_family_is_like_any_other(plugin: LayOut) -> None:
    """Its numbers are checked, and those that were left out are there."""
    folder = plugin()
    assert architecture("tinynet8").default_graph.config == {"filters": (8, 16, 32), "dropout": 0.0}
    assert family_of("tiny").batch_size == batch_size("tiny", None) == 64
    assert builder("tiny").__module__ == "tinynets.drawing"
    assert Path(sys.modules["tinynets"].__file__ or "").parent == folder / "tinynets"


BROKEN = {
    "an error": ("raise RuntimeError('no\\n  luck')", "RuntimeError: no luck ({file}, line 1)"),
    "an exit": ("import sys\nsys.exit('bye')", "SystemExit: bye ({file}, line 2)"),
    "a syntax error": ("def", "SyntaxError: invalid syntax (family.py, line 1)"),
    "a library that is missing": (
        "import no_such_library",
        "ModuleNotFoundError: No module named 'no_such_library' ({file}, line 1)",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
@pytest.mark.parametrize("command", [("show", "tinynet8"), ("show", "tinynet8-tf"), ("predict", "tinynet8")])
def test_a_family_that_cannot_be_imported_is_one_line(
    what: str, command: tuple[str, ...], plugin: LayOut, zoo: Command, tmp_path: Path
) -> None:
    """Which package, what it raised and where, and what to do; the second time as well."""
    text, reason = BROKEN[what]
    file = plugin(files=broken(text)) / "tinynets" / "family.py"
    picture = tmp_path / "picture.png"
    more = (str(picture),) if command[0] == "predict" else ()
    picture.touch()
    line = f"zoo: tiny-nets 0.1.0: {FAMILY} cannot be imported: {reason.format(file=file)}; {ADVICE}\n"
    for _ in range(2):
        assert zoo(*command, *more) == (1, "", line)
    assert not (tmp_path / "zoo-home").exists()
    assert zoo("show", "vgg16")[0] == zoo("list")[0] == 0


def test_a_family_that_is_none(plugin: LayOut) -> None:
    """The entry point names something else."""
    plugin(files=broken("FAMILY = {}"))
    with pytest.raises(RegistryError) as caught:
        package.spec("tinynet8")
    reason = f"{FAMILY} is no Family of zoo.registry.families, as the family 'tiny' must be"
    assert str(caught.value) == f"tiny-nets 0.1.0: {reason}; {ADVICE}"


def test_a_builder_that_cannot_be_imported(plugin: LayOut) -> None:
    """The record is fine, and its network is shown; drawing it fails."""
    folder = plugin(files={"tinynets/drawing.py": "draw = 1 / 0"})
    assert package.spec("tinynet8").title == "TinyNet-8"
    with pytest.raises(RegistryError) as caught:
        package.load("tinynet8", weights=None)
    file = folder / "tinynets" / "drawing.py"
    reason = f"ZeroDivisionError: division by zero ({file}, line 1)"
    assert str(caught.value) == (
        f"tiny-nets 0.1.0: tinynets.drawing:draw cannot be imported: {reason}; {ADVICE}"
    )


def test_numbers_that_break_the_form_of_its_family(plugin: LayOut, zoo: Command) -> None:
    """Whoever asks for the network is told, and whoever checks the registry; nobody else."""
    text = REGISTRY.replace("[8, 16, 32]", "[8, 0, 32]")
    file = plugin(files={"tinynets/registry.yaml": text}) / "tinynets" / "registry.yaml"
    line = next(number for number, row in enumerate(text.splitlines(), 1) if "[8, 0" in row)
    place = f"{file}:{line}: architectures.tinynet8.graphs.published.config.filters[1]"
    told = f"zoo: tiny-nets 0.1.0: {place}: 0 is less than 1\n"
    assert zoo("show", "tinynet8") == (1, "", told)
    assert zoo("registry", "check") == (1, "", f"{told}zoo: 1 mistake\n")
    assert zoo("list")[0] == zoo("show", "tinynet16")[0] == 0


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ("{filters: [8, 0, 32]}", "config.filters[1]: 0 is less than 1"),
        ("{fliters: [8, 16]}", "config.fliters: is not a known key; did you mean filters?"),
    ],
)
def test_numbers_of_a_weights_set_that_break_the_form_of_its_family(
    numbers: str, reason: str, plugin: LayOut, zoo: Command
) -> None:
    """As those of a graph; with numbers that are right the set has its own."""
    name = architecture_set(REGISTRY)
    sets = f"    sets: {{{name}: {{config: CONFIG}}}}\n    graphs:"
    text = REGISTRY.replace("    graphs:", sets.replace("CONFIG", numbers), 1)
    file = plugin(files={"tinynets/registry.yaml": text}) / "tinynets" / "registry.yaml"
    line = next(number for number, row in enumerate(text.splitlines(), 1) if numbers in row)
    told = f"zoo: tiny-nets 0.1.0: {file}:{line}: architectures.tinynet8.sets.{name}.{reason}\n"
    assert zoo("show", "tinynet8") == (1, "", told)
    assert zoo("registry", "check") == (1, "", f"{told}zoo: 1 mistake\n")
    assert zoo("list")[0] == zoo("show", "tinynet16")[0] == 0


def test_a_weights_set_has_numbers_of_its_own(plugin: LayOut) -> None:
    """Checked by the form of the family, with those of its graph below them."""
    name = architecture_set(REGISTRY)
    sets = f"    sets: {{{name}: {{config: {{dropout: 0.25}}}}}}\n    graphs:"
    plugin(files={"tinynets/registry.yaml": REGISTRY.replace("    graphs:", sets, 1)})
    config = architecture("tinynet8").graph_for(name).config
    assert config == {"filters": (8, 16, 32), "dropout": 0.25}


def architecture_set(text: str) -> str:
    """Return the weights set of the first network of a registry."""
    (network, *_) = yaml.safe_load(text)["architectures"].values()
    return str(network["weights"][0]["set"])


def test_a_check_of_the_registry_tells_of_a_family_that_cannot_be_imported(
    plugin: LayOut, zoo: Command
) -> None:
    """With the line that asks for it, network by network, and of mistakes elsewhere too."""
    plugin(files=broken("raise RuntimeError"))
    code, out, err = zoo("registry", "check")
    *lines, last = err.splitlines()
    assert (code, out, last) == (1, "", "zoo: 2 mistakes")
    for line, name in zip(lines, ("tinynet8", "tinynet16"), strict=True):
        assert f"architectures.{name}.family: tiny-nets 0.1.0: {FAMILY} cannot be imported: Runt" in line


TAKEN = {
    "a network": ("architectures:\n  vgg16: {title: Mine}\n", "architectures.vgg16", ("show", "vgg16")),
    "a recipe": (
        "preprocessing:\n  caffe: {scale: [1.0, 1.0, 1.0]}\n",
        "preprocessing.caffe",
        ("show", "vgg16"),
    ),
    "a class index": (
        "class_indexes:\n  imagenet: {classes: 10}\n",
        "class_indexes.imagenet",
        ("show", "class_indexes/imagenet"),
    ),
}


@pytest.mark.parametrize("what", TAKEN)
def test_a_name_that_the_package_has_is_refused(what: str, plugin: LayOut, zoo: Command) -> None:
    """A plug-in adds; it changes nothing of what others say. What does not need the name goes on."""
    text, place, command = TAKEN[what]
    file = plugin(files={"tinynets/registry.yaml": text}) / "tinynets" / "registry.yaml"
    reason = "keras-weight-zoo has this name already; uninstall one; ZOO_PLUGINS=0 does without plug-ins"
    line = f"zoo: tiny-nets 0.1.0: {file}:2: {place}: {reason}\n"
    assert zoo(*command) == zoo("list") == (1, "", line)
    assert zoo("registry", "check") == (1, "", f"{line}zoo: 1 mistake\n")
    assert zoo("show", "xception")[0] == (what == "a class index")


def test_two_plug_ins_with_one_network(plugin: LayOut, zoo: Command) -> None:
    """Both are named."""
    plugin()
    registry = {"other/registry.yaml": "architectures:\n  tinynet8: {title: Mine}\n"}
    more = plugin("other-nets", registries={"x": "other"}, families={}, files=registry, example=False)
    file = more / "other" / "registry.yaml"
    # In the order of their names: other-nets comes first, and so has the name.
    told = zoo("show", "tinynet8")
    assert (told[0], told[1]) == (1, "")
    assert re.fullmatch(
        r"zoo: tiny-nets 0\.1\.0: \S+/registry\.yaml:2: architectures\.tinynet8: other-nets 0\.1\.0 has this"
        r" name already; uninstall one; ZOO_PLUGINS=0 does without plug-ins\n",
        told[2],
    )
    assert file.is_file()
    assert zoo("show", "tinynet16")[0] == 0


@pytest.mark.parametrize(
    ("families", "asked", "owners"),
    [
        ({"vgg": FAMILY}, "vgg16", "keras-weight-zoo and of other-nets 0.1.0"),
        ({"tiny": FAMILY}, "tinynet8", "other-nets 0.1.0 and of tiny-nets 0.1.0"),
        ({"whole_model": FAMILY}, None, None),
    ],
)
def test_one_family_from_two_packages(
    families: dict[str, str], asked: str | None, owners: str | None, plugin: LayOut, zoo: Command
) -> None:
    """Whoever asks for a network of it is told who they are; of one that no network has, nobody."""
    plugin()
    plugin("other-nets", registries={}, families=families, example=False)
    if asked is None:
        assert zoo("list")[0] == 0
        return
    code, out, err = zoo("show", asked)
    name = next(iter(families))
    reason = f"'{name}' is a family of {owners}; uninstall all but one; {plugins.WITHOUT}\n"
    assert (code, out) == (1, "")
    assert err.endswith(f": architectures.{asked}.family: {reason}")
    assert zoo("show", "xception")[0] == 0


@pytest.mark.parametrize("value", ["[vgg]", "{vgg: 1}", "3", "null", "''"])
def test_what_is_no_name_is_no_family(value: str, plugin: LayOut, zoo: Command, tmp_path: Path) -> None:
    """The families of plug-ins are among those that there are."""
    plugin()
    (tmp_path / "mine.yaml").write_text(f"architectures:\n  vgg16: {{family: {value}}}\n")
    code, _, err = zoo("registry", "check", str(tmp_path / "mine.yaml"))
    assert (code, err.count("\n")) == (1, 2)
    assert ".family: " in err and " is not one of vgg, " in err and ", convnext, tiny, whole_model" in err


def test_one_structure_from_two_packages(plugin: LayOut, zoo: Command) -> None:
    """What is asked for by the name of both is refused; a file is still told by its layers."""
    folder = plugin(files={"tinynets/structures/vgg16.json": "{}"})
    with pytest.raises(RegistryError) as caught:
        load_structure("vgg16")
    own = Path(plugins.__file__).parent / "structures" / "vgg16.json"
    where = f"{own} and in {folder / 'tinynets' / 'structures' / 'vgg16.json'}"
    reason = f"structure 'vgg16': is in {where}; uninstall the package of one; {plugins.WITHOUT}"
    assert str(caught.value) == reason
    assert zoo("show", "vgg16")[2].endswith(
        f": architectures.vgg16.graphs.published.structures[0]: {reason}\n"
    )


def test_structures_of_plug_ins_are_known(plugin: LayOut, tmp_path: Path) -> None:
    """To whoever asks what a file is, and by their names."""
    names = {structure.name for structure in known_structures()}
    plugin()
    assert {one.name for one in known_structures()} == {*names, "tinynet8", "tinynet16"}
    network = architecture("tinynet8")
    write(network.weights[0], network, tmp_path / "some.h5")
    assert converters.inspect_file(tmp_path / "some.h5").structure == "tinynet8"


def test_a_file_of_its_network_is_added_by_its_layers(plugin: LayOut, zoo: Command, tmp_path: Path) -> None:
    """What is written into the user's own registry is of the plug-in's family."""
    plugin()
    network = architecture("tinynet16")
    write(network.weights[0], network, tmp_path / "some.h5")
    code, _, err = zoo("registry", "add", str(tmp_path / "some.h5"), "--name", "mine")
    assert code == 0, err
    mine = architecture("mine")
    assert (mine.family, mine.default_graph.config) == ("tiny", network.default_graph.config)


MISSING = {
    "no package": {"registries": {"x": "no_such_package"}},
    "a package without a registry": {"registries": {"x": "tinynets"}, "files": {"tinynets/x": ""}},
    "no name of a package": {"registries": {"x": "tinynets:registry"}},
    "nothing": {"registries": {"x": ""}},
}


@pytest.mark.parametrize("what", MISSING)
def test_a_registry_that_is_not_there_is_one_line(what: str, plugin: LayOut, zoo: Command) -> None:
    """With the package that it should be in."""
    plugin(example=False, **MISSING[what])
    name = MISSING[what]["registries"]["x"]
    reason = f"there is no package {name!r} with a registry.yaml, which keras_weight_zoo.registries names"
    told = (1, "", f"zoo: tiny-nets 0.1.0: {reason}; {ADVICE}\n")
    assert zoo("list") == zoo("show", "vgg16") == told


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("architectures: [", r":2: .*"),
        ("architectures: 3", r":1: architectures: 3 is not a mapping"),
        ("schema: 99", r": was written by a later version: its schema is 99, .*"),
    ],
)
def test_a_registry_that_is_broken_names_its_package(
    text: str, reason: str, plugin: LayOut, zoo: Command
) -> None:
    """And the file and the line, as any other."""
    file = plugin(files={"tinynets/registry.yaml": f"{text}\n"}) / "tinynets" / "registry.yaml"
    code, out, err = zoo("list")
    assert (code, out) == (1, "")
    assert re.fullmatch(rf"zoo: tiny-nets 0\.1\.0: {re.escape(str(file))}{reason}\n", err)


@pytest.mark.parametrize(("value", "count"), [("0", 0), ("1", 2), ("", 2)])
def test_plug_ins_can_be_left_out(
    value: str, count: int, plugin: LayOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a variable; structures and families with them."""
    plugin()
    monkeypatch.setenv("ZOO_PLUGINS", value)
    assert len(package.list_models("tinynet*")) == count
    assert sum(one.name.startswith("tinynet") for one in known_structures()) == count
    assert ("tiny" in str(registry_schema())) == bool(count)


def test_what_users_say_comes_after_plug_ins(
    plugin: LayOut, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their own registry, and then overlays, change what a plug-in says, as they do with all else."""
    plugin()
    own, overlay = tmp_path / "zoo-home" / "registry.yaml", tmp_path / "overlay.yaml"
    own.parent.mkdir()
    own.write_text("architectures:\n  tinynet8: {title: Own}\n  tinynet16: {title: Own}\n")
    overlay.write_text("architectures:\n  tinynet16: {title: Overlay}\n")
    monkeypatch.setenv("ZOO_REGISTRY", str(overlay))
    networks = get_registry().architectures
    assert [networks[name].title for name in ("tinynet8", "tinynet16")] == ["Own", "Overlay"]
    assert load_registry(()).architectures["tinynet8"].title == "TinyNet-8"


def test_doctor_tells_what_plug_ins_bring(plugin: LayOut) -> None:
    """The registry with its counts, and the families; one that cannot be imported is a problem."""
    file = plugin() / "tinynets" / "registry.yaml"
    found = doctor.registry()
    assert list(found.problems) == []
    assert list(found.lines[2:]) == [
        str(file),
        "the plug-in tiny-nets 0.1.0: 2 architectures, 2 files",
        "family tiny, of the plug-in tiny-nets 0.1.0",
    ]
    assert found.facts["layers"][1] == {
        "path": str(file),
        "origin": "plug-in",
        "package": "tiny-nets 0.1.0",
        "architectures": 2,
        "files": 2,
    }
    assert found.facts["families"] == [{"family": "tiny", "package": "tiny-nets 0.1.0"}]


def test_doctor_finds_a_family_that_cannot_be_imported(plugin: LayOut) -> None:
    """Without anybody asking for a network of it."""
    plugin(files=broken("raise RuntimeError"))
    (problem,) = doctor.registry().problems
    assert str(problem).startswith(f"tiny-nets 0.1.0: {FAMILY} cannot be imported: RuntimeError")


def test_a_shell_completes_its_networks_and_families(plugin: LayOut, zoo: Command) -> None:
    """From the registry, as all others."""
    plugin()
    assert "tinynet16\t" in zoo("__complete", "show", "tinynet1")[1]
    assert "tiny\t" in zoo("__complete", "list", "--family", "ti")[1]


def test_the_schema_has_its_family(plugin: LayOut) -> None:
    """An editor knows its numbers, where the package is installed."""
    plugin()
    rules = registry_schema()["properties"]["architectures"]["additionalProperties"]["allOf"]
    assert rules[-1]["if"]["properties"]["family"] == {"const": "tiny"}
    assert "filters" in str(rules[-1]["then"])


def test_a_package_in_a_namespace_is_found_without_importing_what_is_above(
    plugin: LayOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts of a namespace lie in several folders; a package above it may not even be importable."""
    files = {"lab/nets/registry.yaml": REGISTRY, "lab/one.py": ""}
    folder = plugin(registries={"x": "lab.nets"}, files=files)
    (folder / "tinynets" / "structures").rename(folder / "lab" / "nets" / "structures")
    other = folder.with_name("other")
    (other / "lab").mkdir(parents=True)
    monkeypatch.syspath_prepend(other)
    assert package.list_models("tinynet*") == ["tinynet8", "tinynet16"]
    assert "lab" not in sys.modules
    (folder / "lab" / "__init__.py").write_text("raise RuntimeError")
    (entry,) = plugins.entry_points(plugins.REGISTRIES)
    plugins.folder_of.cache_clear()
    assert plugins.folder_of(entry) == folder / "lab" / "nets"


TEXTS = {
    "by hand": "# ours\n[ignored]\nx = y\n\n[{group}]\n  a=tinynets  \nb = x.y:Z\n# no\n[other]\nc = d\n",
    "windows lines": "[{group}]\r\na = tinynets\r\n",
    "nothing of ours": "[console_scripts]\na = keras_weight_zoo.x:y\n",
    "no text": "\x00\xff[{group}",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("ending", ["dist-info", "egg-info"])
def test_entry_points_are_those_of_the_standard_library(
    text: str, ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which takes half as long to import as `zoo list` may last."""
    monkeypatch.delenv("ZOO_PLUGINS")
    group, file = plugins.FAMILIES, "METADATA" if ending == "dist-info" else "PKG-INFO"
    folder = tmp_path / f"Some.Nets-1.2.{ending}"
    folder.mkdir()
    (folder / "entry_points.txt").write_text(text.format(group=group), "utf-8", newline="")
    (folder / file).write_text("Metadata-Version: 2.1\nName: Some.Nets\nVersion: 1.2\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with forgotten():
        ours = [(one.package, one.name, one.value) for one in plugins.entry_points(group)]
    found = importlib.metadata.distributions(path=[str(tmp_path)])
    theirs = [
        (f"{one.metadata['Name']} {one.version}", entry.name, entry.value)
        for one in found
        for entry in one.entry_points
        if entry.group == group
    ]
    assert ours == theirs


def test_of_a_package_in_two_folders_the_first_counts(plugin: LayOut) -> None:
    """However its name is spelled there; so it is with what is imported of it."""
    plugin("tiny.nets", version="2.0")
    plugin("Tiny-Nets", version="1.0")
    assert [one.package for one in plugins.entry_points(plugins.REGISTRIES)] == ["Tiny-Nets 1.0"]
    assert package.list_models("tinynet*") == ["tinynet8", "tinynet16"]


def test_what_lies_on_the_path_that_is_no_package(
    plugin: LayOut, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Archives, folders that are gone, metadata in a file: passed over, as Python does."""
    plugin()
    archive = tmp_path / "archive.zip"
    archive.touch()
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "old-1.egg-info").touch()
    paths = [str(archive), str(tmp_path / "gone"), str(tmp_path / "odd"), *sys.path]
    monkeypatch.setattr(sys, "path", paths)
    assert package.list_models("tinynet*") == ["tinynet8", "tinynet16"]
