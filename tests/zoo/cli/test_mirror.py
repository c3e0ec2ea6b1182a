"""`zoo mirror`: what is brought, what is said, and a mirror that a client uses."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.command import Command
from tests.support.hosts import FaultyServer, missing, practice_hosts
from zoo import practice

FILE = "practice-densenet121-th-flyyufelix"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder with the practice twin of DenseNet-121's Theano file."""
    folder = tmp_path_factory.mktemp("published")
    practice.build(folder, ["densenet121"])
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def hosts(published: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    """Lead the registry to practice hosts, and return them."""
    with practice_hosts(published, monkeypatch) as server:
        yield server


class _Quiet(SimpleHTTPRequestHandler):
    """Serves a folder and does not tell of it."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """Return a folder and the address under which Python's own web server serves it."""
    folder = tmp_path / "mirror"
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_network_is_mirrored_with_what_names_its_classes(
    zoo: Command, hosts: FaultyServer, mirror: tuple[Path, str]
) -> None:
    """A line for each file; the second run asks nobody, not even after the cache is gone."""
    folder, _ = mirror
    code, out, err = zoo("mirror", str(folder), "densenet121")
    assert (code, out) == (0, f"added  {FILE}\nadded  class_indexes/imagenet\n")
    assert err.endswith("zoo: 2 files, 33.6 MB; 0 failed\n")
    assert zoo("cache", "remove", "densenet121")[0] == 0
    hosts.fault = missing
    code, out, err = zoo("mirror", str(folder), "densenet121")
    assert (code, out) == (0, f"there  {FILE}\nthere  class_indexes/imagenet\n")
    assert err == "zoo: 2 files, 33.6 MB; 0 failed\n"


def test_what_fails_is_told_and_the_rest_is_brought(
    zoo: Command, hosts: FaultyServer, mirror: tuple[Path, str]
) -> None:
    """Exit code 1, and as JSON what became of each."""
    hosts.fault = missing
    code, out, err = zoo("mirror", str(mirror[0]), FILE, "--json")
    assert code == 1
    (outcome,) = json.loads(out)
    assert (outcome["name"], outcome["state"], outcome["bytes"]) == (FILE, "failed", None)
    assert outcome["error"]["type"] == "NoSourceError"
    assert "404 Not Found" in outcome["error"]["message"]
    assert err.endswith("zoo: 0 files, 0.0 MB; 1 failed\n")
    hosts.fault = None
    code, out, err = zoo("mirror", str(mirror[0]), FILE)
    assert (code, out) == (0, f"added  {FILE}\n")
    assert "zoo: 1 file, " in err


def test_a_check_hashes_again(zoo: Command, hosts: FaultyServer, mirror: tuple[Path, str]) -> None:
    """Right or damaged, exit code 0 or 1; names make no sense there."""
    folder, _ = mirror
    assert zoo("mirror", str(folder), FILE)[0] == 0
    assert zoo("mirror", str(folder), "--check")[:2] == (0, f"right  {FILE}\n")
    (file,) = (folder / "files").iterdir()
    with file.open("r+b") as stream:
        stream.seek(1000)
        stream.write(b"!")
    code, out, err = zoo("mirror", str(folder), "--check")
    assert (code, out) == (1, f"damaged  {FILE}\n")
    assert f"zoo: {file}: is damaged: its sha256 is " in err
    message = "zoo: --check hashes the whole mirror: leave the names out\n"
    assert zoo("mirror", str(folder), "vgg16", "--check") == (2, "", message)


def test_a_client_needs_the_mirror_alone(
    zoo: Command,
    hosts: FaultyServer,
    mirror: tuple[Path, str],
    monkeypatch: pytest.MonkeyPatch,
    published: Path,
) -> None:
    """With the hosts gone and an empty cache, ZOO_MIRROR is enough."""
    folder, address = mirror
    assert zoo("mirror", str(folder), "densenet121")[0] == 0
    hosts.fault = missing
    monkeypatch.setenv("ZOO_HOME", str(folder.parent / "another home"))
    monkeypatch.setenv("ZOO_MIRROR", address)
    code, out, _ = zoo("fetch", "densenet121", "--backend", "th")
    assert code == 0
    assert Path(out.strip()).read_bytes() == next(published.rglob("*.h5")).read_bytes()
