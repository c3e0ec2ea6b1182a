"""`zoo fetch` of several networks: order, failures, threads, and what is refused beforehand."""

from __future__ import annotations

import errno
import json
import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import Command
from zoo import practice
from zoo.download import failures
from zoo.download.reach import Hosts
from zoo.errors import ArgumentError, DownloadError
from zoo.fetching.fetcher import Fetched, fetch
from zoo.registry import architecture, list_models, weights_file
from zoo.storage.cache import Cache

EVERYTHING = sum(1 + len(architecture(name).weights) for name in list_models()) + 1  # and a class index
NAMES = ("vgg16", "resnet50", "googlenet")


class Library:
    """Plays the fetching: gives each network a file of its own, or a refusal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.hosts: list[Hosts] = []
        self.gone: dict[str, str] = {}
        self.meeting: threading.Barrier | None = None

    def resolve(self, name: str, **asked: Any) -> Fetched:
        """Return a file, as the library does."""
        asked.pop("progress")
        self.hosts.append(asked.pop("hosts"))
        self.asked.append((name, asked))
        if self.meeting:
            self.meeting.wait()
        if name in self.gone:
            raise DownloadError(self.gone[name])
        path = self.folder / f"{name}.h5"
        path.write_bytes(name.encode())
        return Fetched(file=architecture(name).weights[0], path=path, notes=(f"a note on {name}",))


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Library:
    """Put the fake in the library's place."""
    library = Library(tmp_path)
    monkeypatch.setattr("zoo.cli.fetch.resolve", library.resolve)
    return library


def test_paths_are_printed_in_the_order_asked(zoo: Command, library: Library) -> None:
    """One in each line, notes on standard error; a name that is asked for twice is fetched once."""
    code, out, err = zoo("fetch", *NAMES, "vgg16")
    assert code == 0
    assert out == "".join(f"{library.folder / name}.h5\n" for name in (*NAMES, "vgg16"))
    assert err == "".join(f"zoo: a note on {name}\n" for name in NAMES)
    assert sorted(name for name, _ in library.asked) == sorted(NAMES)
    assert len(set(library.hosts)) == 1  # a host that one has found dead is not waited for by the others


def test_several_are_fetched_at_once(zoo: Command, library: Library) -> None:
    """Three jobs meet in the library; with fewer they would wait for each other in vain."""
    library.meeting = threading.Barrier(3, timeout=10)
    assert zoo("fetch", *NAMES, "--jobs", "3")[0] == 0


def test_failures_do_not_stop_the_others(zoo: Command, library: Library) -> None:
    """Every message is printed, what came is printed, and the exit code is 1."""
    library.gone = {"vgg16": "vgg16: no source", "googlenet": "googlenet: no source"}
    code, out, err = zoo("fetch", *NAMES)
    assert (code, out) == (1, f"{library.folder / 'resnet50.h5'}\n")
    assert err == "zoo: a note on resnet50\nzoo: vgg16: no source\nzoo: googlenet: no source\n"


def test_a_fault_of_the_system_does_not_stop_the_others(
    zoo: Command, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does a disk that is full for one of them."""

    def full(name: str, **asked: Any) -> Fetched:
        if name == "vgg16":
            raise OSError(errno.ENOSPC, "No space left on device", "/lab/vgg16.h5")
        return library.resolve(name, **asked)

    monkeypatch.setattr("zoo.cli.fetch.resolve", full)
    code, out, err = zoo("fetch", *NAMES)
    assert (code, out) == (1, f"{library.folder / 'resnet50.h5'}\n{library.folder / 'googlenet.h5'}\n")
    assert err.splitlines()[-1] == "zoo: /lab/vgg16.h5: No space left on device"


def test_json_of_several_is_an_array(zoo: Command, library: Library) -> None:
    """In the order asked, with what went wrong in its place; of one name it is an object."""
    library.gone = {"vgg16": "vgg16: no source"}
    code, out, _ = zoo("fetch", "vgg16", "resnet50", "--backend", "th", "--json")
    assert code == 1
    expected = {
        "name": "resnet50",
        "path": str(library.folder / "resnet50.h5"),
        "id": "resnet50-th-top-v0.2",
        "backend": "th",
        "converted": False,
        "bytes": 8,
        "notes": ["a note on resnet50"],
    }
    error = {"type": "DownloadError", "message": "vgg16: no source"}
    assert json.loads(out) == [{"name": "vgg16", "error": error}, expected]
    assert json.loads(zoo("fetch", "resnet50", "--backend", "th", "--json")[1]) == expected


def test_all_is_every_network(zoo: Command, library: Library) -> None:
    """The main weights set of each, in the form that was asked for."""
    code, out, _ = zoo("fetch", "--all", "--backend", "th", "--require-checksum")
    assert code == 0
    assert [Path(line).stem for line in out.splitlines()] == list_models()
    options = {
        "backend": "th",
        "weights": None,
        "top": None,
        "from_file": None,
        "require_checksum": True,
        "origin": True,
    }
    assert [asked for _, asked in library.asked] == [options] * len(list_models())


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "say which networks to fetch, or --all"),
        (["vgg16", "--all"], "say which networks to fetch, or --all"),
        (["vgg16", "vgg19", "--from", "x.h5"], "--from takes one file: give one network's name"),
        (["vgg16", "vgg19", "--jobs", "0"], "--jobs 0: must be 1 or more"),
        (
            ["vgg16", "vgg17"],
            "no network and no file is called 'vgg17'; nearest: vgg16, vgg19; `zoo list` shows the networks,"
            " `zoo show NAME` their files",
        ),
        (
            ["zzz"],
            f"no network and no file is called 'zzz'; none of the {EVERYTHING} is near; `zoo list` shows the"
            " networks, `zoo show NAME` their files",
        ),
        (
            ["vgg16", "resnet50-th-top-v0.2", "--backend", "tf"],
            "resnet50-th-top-v0.2: its layout is th and its kernels are th, which contradicts --backend tf;"
            " leave that out",
        ),
        (
            ["resnet50-th-top-v0.2", "--no-top"],
            "resnet50-th-top-v0.2: it is a file with the classifier, which contradicts --no-top;"
            " leave that out",
        ),
        (
            ["resnet50-th-top-v0.2", "--weights", "imagenet-0.1"],
            "resnet50-th-top-v0.2: it belongs to the weights set imagenet, which contradicts"
            " --weights imagenet-0.1; leave that out",
        ),
        (
            ["class_indexes/imagenet", "--no-top"],
            "class_indexes/imagenet: --no-top is for weights files; leave that out",
        ),
        (
            ["class_indexes/imagenet", "--from", "x.json"],
            "class_indexes/imagenet: --from is for weights files; leave that out",
        ),
    ],
)
def test_wrong_usage_fetches_nothing(zoo: Command, library: Library, argv: list[str], message: str) -> None:
    """Exit code 2 before anything is asked of a host."""
    assert zoo("fetch", *argv) == (2, "", f"zoo: {message}\n")
    assert library.asked == []


FILES = [(name, file.id) for name in list_models() for file in architecture(name).weights]


@pytest.mark.parametrize(("name", "key"), FILES, ids=[key for _, key in FILES])
def test_every_file_of_the_registry_can_be_chosen(zoo: Command, name: str, key: str, tmp_path: Path) -> None:
    """By its id, as it was published: nothing else is looked for, whatever its form, set and top."""
    network, file = weights_file(key)
    assert network.name == name
    form, top = (["--backend", file.layout], [] if file.top else ["--no-top"])
    form = form if file.layout == file.kernels else []
    wrong = tmp_path / "wrong.h5"
    wrong.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(88))
    code, out, err = zoo("fetch", key, *form, *top, "--weights", file.set, "--from", wrong)
    assert (code, out) == (1, "")
    assert key in err if file.digests or file.bytes else f"{wrong}: is no weights file of {name}" in err
    others = {other.id for other in network.weights} - {key}
    assert not any(f"  {other}: " in err for other in others)


def test_no_network_is_told_once_for_all(zoo: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every host and file in one table, which says what to do next; in JSON each has its own."""
    monkeypatch.setattr("socket.getaddrinfo", unresolved)
    code, out, err = zoo("fetch", "densenet169", "densenet161", "--backend", "th", "--jobs", "1")
    networks = ("densenet169", "densenet161")
    forms = ("th-flyyufelix", "tf-flyyufelix", "caffe")
    files = ", ".join(f"{name}-{form}" for name in networks for form in forms)
    hosts = (
        "https://drive.google.com, https://storage.openvinotoolkit.org, https://media.githubusercontent.com"
    )
    assert (code, out, err) == (
        1,
        "",
        "zoo: densenet169, densenet161: no source gave the files:\n"
        f"  files          {files}\n"
        f"  source         {hosts}\n"
        "  what happened  no answer: Name or service not known\n"
        f"  what it means  {failures.SILENT}\n\n{failures.NO_NETWORK}\n"
        "get a file in another way, then run: zoo fetch NAME --from FILE\n",
    )
    told = json.loads(zoo("fetch", "densenet169", "densenet161", "--json")[1])
    assert [(one["name"], one["error"]["type"]) for one in told] == [
        ("densenet169", "NoSourceError"),
        ("densenet161", "NoSourceError"),
    ]
    assert told[0]["error"]["message"].endswith("then run: zoo fetch densenet169 --from FILE")


def unresolved(host: str, *rest: object, **named: object) -> None:
    """Look up a name where there is no network."""
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.mark.parametrize("names", [["vgg16"], ["vgg16", "vgg19"]], ids=["one", "several"])
def test_a_wrong_mirror_is_wrong_usage(
    zoo: Command, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For one and for several, told once by its variable's name, as soon as anybody would be asked."""
    monkeypatch.setenv("ZOO_MIRROR", "lab.example/zoo")
    said = "ZOO_MIRROR='lab.example/zoo': must be the https:// or http:// address of a mirror"
    assert zoo("fetch", *names) == (2, "", f"zoo: {said}; write https://lab.example/zoo\n")


def test_the_same_line_is_told_once(zoo: Command, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong ZOO_SHARED is the same for every network."""
    note = "ZOO_SHARED=/no: there is no such folder; it was left out"
    found = {name: library.resolve(name, progress=None, hosts=None) for name in NAMES}
    monkeypatch.setattr("zoo.cli.fetch.resolve", lambda name, **_: replace(found[name], notes=(note,)))
    assert zoo("fetch", *NAMES)[2] == f"zoo: {note}\n"


def test_a_mistake_in_the_program_is_not_hidden(zoo: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what the library raises on purpose is a message alone; of anything else it is said what it is."""

    def broken(name: str, **asked: object) -> Fetched:
        raise ZeroDivisionError

    monkeypatch.setattr("zoo.cli.fetch.resolve", broken)
    code, out, err = zoo("fetch", *NAMES)
    assert (code, out) == (1, "")
    assert err.startswith("zoo: unexpected: ZeroDivisionError (test_fetch.py, line ")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder with the practice twins of two files."""
    folder = tmp_path_factory.mktemp("published")
    practice.build(folder, ids=["googlenet-th", "densenet121-th-flyyufelix"])
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def hosts(published: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lead the registry to the practice hosts."""
    with practice.serve(published) as served:
        monkeypatch.setenv("ZOO_REGISTRY", str(served.registry))
        yield


@pytest.mark.usefixtures("hosts")
def test_two_networks_come_from_their_hosts(zoo: Command, published: Path) -> None:
    """The whole way, in two threads: right files, a line for each step, and nothing the second time."""
    code, out, err = zoo("fetch", "googlenet", "densenet121", "--backend", "th", "--jobs", "2")
    assert code == 0
    paths = [Path(line) for line in out.splitlines()]
    assert [path.parent.name for path in paths] == ["googlenet", "densenet121"]
    assert sorted(path.read_bytes() for path in paths) == sorted(
        path.read_bytes() for path in published.rglob("*.h5")
    )
    assert sorted(line.split(":")[0] for line in err.splitlines()) == [
        "fetching practice-densenet121-th-flyyufelix",
        "fetching practice-googlenet-th",
    ]
    assert zoo("fetch", "googlenet", "densenet121", "--backend", "th") == (0, out, "")


@pytest.mark.usefixtures("hosts")
def test_files_come_by_their_ids_as_they_were_published(zoo: Command, published: Path) -> None:
    """A th file stays one, without --backend; what names the classes comes too, and in Python as well."""
    keys = ("practice-googlenet-th", "class_indexes/imagenet")
    code, out, _ = zoo("fetch", *keys)
    path, index = map(Path, out.splitlines())
    assert (code, path.parent.name, index.parent.name) == (0, "googlenet", "class_indexes")
    assert path.read_bytes() == next(published.rglob("*googlenet*.h5")).read_bytes()
    assert fetch(keys[0]) == path
    assert fetch(keys[0], backend="th", weights="imagenet", top=True) == path
    assert fetch(keys[1]) == index
    told = json.loads(zoo("fetch", *keys, "--json")[1])
    assert [(one["name"], one["id"], one["backend"]) for one in told] == [
        (keys[0], keys[0], "th"),
        (keys[1], keys[1], None),
    ]
    for asked, said in (({"backend": "tf"}, "backend='tf'"), ({"top": False}, "top=False")):
        with pytest.raises(ArgumentError, match=f"which contradicts {said}; leave that out"):
            fetch(keys[0], **asked)
    with pytest.raises(ArgumentError, match="class_indexes/imagenet: top is for weights files"):
        fetch(keys[1], top=True)


@pytest.mark.usefixtures("hosts")
def test_a_shared_folder_is_enough(zoo: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What one cache holds, another user finds there, offline and with nothing of his own."""
    code, out, _ = zoo("fetch", "densenet121", "--backend", "th")
    assert code == 0
    monkeypatch.setenv("ZOO_SHARED", str(Cache.from_environment().home))
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "mine"))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    assert zoo("fetch", "densenet121", "--backend", "th") == (0, out, "")
    assert not (tmp_path / "mine").exists()


@pytest.mark.usefixtures("hosts")
def test_offline_names_what_is_missing(zoo: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked of any host."""
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    assert zoo("fetch", "densenet121", "--backend", "th") == (
        1,
        "",
        "zoo: densenet121: ZOO_OFFLINE is set, and the cache has none of practice-densenet121-th-flyyufelix;"
        " unset it to fetch them\n",
    )


def test_a_checksum_can_be_required(zoo: Command) -> None:
    """Where nobody published one the file is refused, and no host is asked."""
    code, out, err = zoo("fetch", "densenet169", "--require-checksum", "--no-origin")
    assert (code, out) == (1, "")
    assert "densenet169-tf-flyyufelix: no cryptographic digest of this file was published\n" in err
    assert "densenet169-th-flyyufelix: no cryptographic digest of this file was published\n" in err
