"""A name or a path: one rule, the same in every place that takes either."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import PracticeFile
from tests.support.command import Command
from tests.support.shelf import fixed_cache
from zoo.naming import hidden_note, is_name, is_written_as_path
from zoo.variables import default_home


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, without a network."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    return folder


@pytest.mark.parametrize(
    ("given", "path", "name"),
    [
        ("vgg16", False, True),
        ("vgg17", False, False),
        ("./vgg16", True, False),
        ("a/vgg16", True, False),
        ("vgg16.h5", True, False),
        ("VGG16.Keras", True, False),
        (Path("vgg16"), True, False),
    ],
)
def test_what_is_written_as_a_path_is_one(given: str | Path, path: bool, name: bool) -> None:
    """Any other word is a name if it is known."""
    assert is_written_as_path(given) is path
    assert is_name(given, lambda: ["vgg16"]) is name


def make_folder(path: Path) -> str:
    """Put a folder there."""
    path.mkdir()
    return "folder"


def make_file(path: Path) -> str:
    """Put a file there."""
    path.write_bytes(b"")
    return "file"


MAKE = pytest.mark.parametrize("make", [make_folder, make_file])


@MAKE
def test_what_a_name_hides_is_said(here: Path, make: Callable[[Path], str]) -> None:
    """Which was taken, and how to say the other one."""
    assert hidden_note("vgg16", "network") is None
    kind = make(here / "vgg16")
    assert hidden_note("vgg16", "network") == (
        f"vgg16: taken for the network; for the {kind} of that name here, write ./vgg16"
    )


@MAKE
def test_convert_takes_the_network(zoo: Command, here: Path, make: Callable[[Path], str]) -> None:
    """A folder or a file of that name is neither converted nor written to."""
    kind = make(here / "vgg16")
    code, out, err = zoo("convert", "--th-to-tf", "vgg16")
    assert (code, out) == (1, "")
    said, failed = err.splitlines()[:2]
    assert said == f"zoo: vgg16: taken for the network; for the {kind} of that name here, write ./vgg16"
    assert failed.startswith("zoo: vgg16: ZOO_OFFLINE is set, and the cache has none of ")
    assert [path.name for path in here.rglob("*")] == ["vgg16"]


def test_convert_takes_what_is_written_as_a_path(zoo: Command, here: Path) -> None:
    """With nothing to say; so it does with a folder whose name is no network's."""
    for name in ("vgg16", "mine"):
        (here / name).mkdir()
    for given in ("./vgg16", "mine"):
        code, out, err = zoo("convert", "--th-to-tf", given, "out")
        assert (code, err) == (0, "")
        assert out.startswith("0 converted")
    assert zoo("convert", "--th-to-tf", "vgg16", "--jobs", "2") == (
        2,
        "",
        "zoo: --jobs is for folders, and vgg16 is the name of a network\n",
    )


def test_predict_takes_the_network(here: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Not the run of that name, which ./resnet50 is."""
    from zoo.networks import predicting, predictors

    (here / "resnet50").mkdir()
    with caplog.at_level(logging.WARNING, logger="zoo"):
        predicting.predict_each("resnet50", [here / "a.png"])  # nothing is made before it is asked
    assert not predictors._is_path("resnet50")
    assert caplog.messages == [
        "resnet50: taken for the network; for the folder of that name here, write ./resnet50"
    ]
    caplog.clear()
    for given in ("./resnet50", Path("resnet50"), "run"):
        (here / "run").mkdir(exist_ok=True)
        assert predictors._is_path(given)
    assert caplog.messages == []


def test_weights_take_the_set(
    here: Path, caplog: pytest.LogCaptureFixture, practice_file: PracticeFile
) -> None:
    """A file called imagenet is ./imagenet; a folder can be no weights file, and is not spoken of."""
    from zoo.networks.weights import choose_weights
    from zoo.registry import architecture

    network = architecture("densenet121")
    with caplog.at_level(logging.WARNING, logger="zoo"):
        (here / "imagenet").mkdir()
        choose_weights(network, "imagenet")
        assert caplog.messages == []
        (here / "imagenet").rmdir()
        shutil.copy(practice_file("densenet121"), here / "imagenet")
        choose_weights(network, "imagenet")
        assert caplog.messages == [
            "imagenet: taken for the weights set; for the file of that name here, write ./imagenet"
        ]
        caplog.clear()
        assert choose_weights(network, "./imagenet")[1]().path == Path("imagenet")
    assert caplog.messages == []


def test_mirror_takes_the_folder(zoo: Command, here: Path) -> None:
    """The first word can be nothing else; who forgot the folder is told."""
    code, _, err = zoo("mirror", "vgg16", "class_indexes/imagenet")
    assert code == 1
    assert err.splitlines()[0] == "zoo: vgg16: taken for a folder; a network's name goes after it"


def test_mirror_of_a_network_alone_lacks_the_folder(zoo: Command, here: Path) -> None:
    """All networks would be fetched into a folder of its name."""
    code, _, err = zoo("mirror", "vgg16")
    assert (code, err) == (
        2,
        "zoo: vgg16: is a network, and the mirror's folder goes before it: zoo mirror DIR vgg16; for a "
        "folder of that name with all networks, write ./vgg16\n",
    )
    assert list(here.iterdir()) == []


@MAKE
@pytest.mark.parametrize("argv", [["fetch", "vgg16"], ["cache", "remove", "vgg16"], ["trust", "vgg16"]])
def test_what_takes_names_alone_is_not_led_astray(
    zoo: Command, here: Path, make: Callable[[Path], str], argv: list[str]
) -> None:
    """By whatever lies in the working directory."""
    without = zoo(*argv)
    make(here / "vgg16")
    assert zoo(*argv) == without
    assert fixed_cache(default_home()).memory.keys() == ()
