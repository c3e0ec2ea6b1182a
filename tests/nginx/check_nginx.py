"""A real web server: fetching from it, going on where a fetch broke off, and a mirror that it serves.

These tests need nginx and are run by `make test-nginx`, not with the others.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.command import Command
from zoo import practice
from zoo.errors import ArgumentError
from zoo.fetching.fetcher import fetch
from zoo.practice.nginx import serve_folder
from zoo.variables import default_home

NAME = "densenet121"
Overlay = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Published:
    """Practice files and the class index in one folder, one file in particular, and what a registry says."""

    folder: Path
    file: Path
    catalogue: Overlay


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    """Return the practice twins of the Theano files of DenseNet-121, 33.6 MB, and GoogLeNet, 53.8 MB."""
    folder = tmp_path_factory.mktemp("published")
    catalogue = practice.build(folder, [NAME, "googlenet"])
    file = next(folder.glob(f"practice-{NAME}-*/*.h5"))
    yield Published(folder=folder, file=file, catalogue=yaml.safe_load(catalogue.read_text("utf-8")))
    shutil.rmtree(folder)


class Server:
    """nginx, and what it wrote down."""

    def __init__(self, origin: str, state: Path) -> None:
        self.origin = origin
        self._log = state / "access.log"

    def requests(self) -> list[tuple[str, str]]:
        """Return method and status of each request for a weights file that has been answered."""
        lines = self._log.read_text("utf-8").splitlines()
        found = [re.search(r'"(\w+) \S+\.h5 HTTP/1\.1" (\d+)', line) for line in lines]
        return [(match[1], match[2]) for match in found if match]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Return a function that serves a folder until the test ends."""
    with ExitStack() as servers:

        def start(root: Path, settings: str = "") -> Server:
            state = tmp_path / f"nginx-{len(list(tmp_path.glob('nginx-*')))}"
            state.mkdir()
            return Server(servers.enter_context(serve_folder(root, state, settings)), state)

        yield start


@pytest.fixture
def register(published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that makes the registry lead to a server."""

    def write(origin: str) -> None:
        overlay: Overlay = json.loads(json.dumps(published.catalogue))
        entries = [entry for one in overlay["architectures"].values() for entry in one["weights"]]
        for entry in entries:
            entry["urls"] = [f"{origin}/{entry['id']}/{entry['filename']}"]
        (index,) = overlay["class_indexes"].values()
        (names,) = published.folder.glob("practice-*/*.json")
        index["urls"] = [f"{origin}/{names.relative_to(published.folder)}"]
        path = tmp_path / "overlay.yaml"
        path.write_text(yaml.safe_dump(overlay), "utf-8")
        monkeypatch.setenv("ZOO_REGISTRY", str(path))

    return write


@pytest.fixture
def move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that goes to a place with an empty cache and a mirror."""

    def start(mirror: str) -> None:
        monkeypatch.setenv("ZOO_HOME", str(tmp_path / "another home"))
        monkeypatch.setenv("ZOO_MIRROR", mirror)

    return start


@pytest.fixture
def zoo(capsys: pytest.CaptureFixture[str]) -> Command:
    """Return the command line."""
    return Command(capsys)


class Interrupting:
    """Plays a user who presses Ctrl-C when a part of the file has come."""

    def __init__(self, after: int) -> None:
        self._left = after

    def start(self, total: int | None, what: str) -> None:
        """Do nothing."""

    def advance(self, count: int) -> None:
        """Interrupt once enough has come."""
        self._left -= count
        if self._left <= 0:
            raise KeyboardInterrupt

    def done(self) -> None:
        """Do nothing."""


Serve = Callable[..., Server]
Register = Callable[[str], None]


def test_a_file_is_fetched_with_one_request(published: Published, serve: Serve, register: Register) -> None:
    """One GET, no question before it."""
    server = serve(published.folder)
    register(server.origin)
    assert fetch(NAME, backend="th").read_bytes() == published.file.read_bytes()
    assert server.requests() == [("GET", "200")]


def test_an_interrupted_fetch_goes_on(published: Published, serve: Serve, register: Register) -> None:
    """The second call asks for the rest alone, and the file is the right one."""
    server = serve(published.folder)
    register(server.origin)
    with pytest.raises(KeyboardInterrupt):
        fetch(NAME, backend="th", progress=Interrupting(10_000_000))
    assert fetch(NAME, backend="th").read_bytes() == published.file.read_bytes()
    assert server.requests() == [("GET", "200"), ("GET", "206")]


def test_a_file_that_was_replaced_meanwhile_is_fetched_anew(
    published: Published, serve: Serve, register: Register
) -> None:
    """The server does not confirm the old state, and the part of it is thrown away."""
    server = serve(published.folder)
    register(server.origin)
    with pytest.raises(KeyboardInterrupt):
        fetch(NAME, backend="th", progress=Interrupting(10_000_000))
    os.utime(published.file, (1_000_000_000, 1_000_000_000))
    assert fetch(NAME, backend="th").read_bytes() == published.file.read_bytes()
    assert server.requests() == [("GET", "200"), ("GET", "200")]


PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the tests run in the background
from zoo.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_ctrl_c_stops_several_at_once(published: Published, serve: Serve, register: Register) -> None:
    """One line, exit code 130; both partial files are kept, and gone on with."""
    server = serve(published.folder, 'map $http_range $rate { "" 2m; default 0; } limit_rate $rate;')
    register(server.origin)
    command = [sys.executable, "-c", PROGRAM, "fetch", NAME, "googlenet", "--backend", "th"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while len([path for path in default_home().glob("_partial/*/data") if path.stat().st_size]) < 2:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, out, err) == (130, "", "zoo: interrupted\n")
    subprocess.run(command, check=True, capture_output=True)
    assert sorted(server.requests()) == [("GET", "200"), ("GET", "200"), ("GET", "206"), ("GET", "206")]


def test_a_compressed_answer_is_not_asked_for(published: Published, serve: Serve, register: Register) -> None:
    """Even a server that compresses everything sends the file as it is."""
    server = serve(published.folder, "gzip on; gzip_types *; gzip_min_length 0;")
    register(server.origin)
    assert fetch(NAME, backend="th").read_bytes() == published.file.read_bytes()


def test_a_mirror_is_served_as_it_is(
    published: Published, serve: Serve, register: Register, move: Callable[[str], None], zoo: Command
) -> None:
    """Whoever names it needs nothing else: the hosts are gone, the cache is empty, the file is right."""
    register(serve(published.folder).origin)
    mirror = published.folder / "mirror"
    code, out, _ = zoo("mirror", str(mirror), NAME)
    assert (code, out) == (0, f"added  practice-{NAME}-th-flyyufelix\nadded  class_indexes/imagenet\n")
    assert zoo("mirror", str(mirror), "--check")[0] == 0
    served = serve(mirror)
    register("http://127.0.0.1:9")
    move(served.origin)
    assert fetch(NAME, backend="th").read_bytes() == published.file.read_bytes()
    assert served.requests() == [("GET", "200")]


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    """With nginx's own words."""
    with pytest.raises(ArgumentError) as caught, serve_folder(tmp_path, tmp_path, "no_such_setting on;"):
        pytest.fail("it started")
    assert str(caught.value).startswith("nginx does not start: ")
    assert 'unknown directive "no_such_setting"' in str(caught.value)


def test_a_machine_without_nginx_is_told_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package of Debian and its relatives."""
    monkeypatch.setattr(shutil, "which", lambda name, path: None)
    with pytest.raises(ArgumentError) as caught, serve_folder(tmp_path, tmp_path):
        pytest.fail("it started")
    assert str(caught.value) == "nginx is not installed: apt-get install nginx-light"
