"""Kills at random moments, many processes at once: the next call finishes, no wrong file has a name.

``ZOO_TORTURE_ROUNDS`` is the number of kills, ``ZOO_TORTURE_PROCESSES`` that of processes; `make torture`
sets them to 100 and 32.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import pytest

from tests.support.hosts import FaultyServer
from zoo import practice
from zoo.practice import overlay

ROUNDS = int(os.environ.get("ZOO_TORTURE_ROUNDS", "4"))
PROCESSES = int(os.environ.get("ZOO_TORTURE_PROCESSES", "4"))
SEED = int(os.environ.get("ZOO_TORTURE_SEED", "0"))

NETWORK = "densenet121"
WITHOUT_LOCKS = (
    "import sys; from zoo.storage.locks import Lock; from zoo.cli import main;"
    "Lock.take = lambda self: True; Lock.release = lambda self: None; sys.exit(main(sys.argv[1:]))"
)


@dataclass(frozen=True, kw_only=True)
class Arena:
    """Hosts with one file, and what a fetch of it must end in.

    Attributes:
        server: Plays the hosts.
        environment: Leads processes to them.
        right: The digest of the right file by backend; the file itself as published, and its converted copy.
    """

    server: FaultyServer
    environment: dict[str, str]
    right: dict[str, str]

    def start(self, home: Path, backend: str, *program: str) -> subprocess.Popen[str]:
        """Start a fetch in a process of its own."""
        command = [sys.executable, *(program or ("-m", "zoo")), "fetch", NETWORK, "--backend", backend]
        return subprocess.Popen(
            command,
            env={**self.environment, "ZOO_HOME": str(home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, process: subprocess.Popen[str], backend: str) -> Path:
        """Wait for a fetch that must succeed, and return its path, whose content must be right."""
        out, err = process.communicate()
        assert process.returncode == 0, err
        path = Path(out.strip())
        assert digest_of(path) == self.right[backend]
        return path

    def check(self, home: Path) -> None:
        """See that nothing wrong has a final name."""
        for path in home.glob("[!_.]*/*.h5"):
            assert digest_of(path) in self.right.values(), path


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a published file, or that of the arrays of a converted one."""
    if not path.stem.endswith("-tf"):
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    digest = hashlib.sha256()

    def add(name: str, entry: h5py.Group | h5py.Dataset) -> None:
        digest.update(name.encode())
        if isinstance(entry, h5py.Dataset):
            digest.update(f"{entry.shape} {entry.dtype}".encode())
            digest.update(entry[()].tobytes())

    with h5py.File(path) as file:
        file.visititems(add)
    return digest.hexdigest()


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """Return an arena whose server runs; one fetch of each kind has shown what is right."""
    folder = tmp_path_factory.mktemp("arena")
    practice.build(folder / "published", [NETWORK])
    servers: list[FaultyServer] = []

    def server(files: dict[str, Path]) -> FaultyServer:
        servers.append(FaultyServer(files))
        return servers[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlay, "PracticeServer", server)
        with practice.serve(folder / "published") as served:
            environment = {**os.environ, "ZOO_REGISTRY": str(served.registry), "ZOO_RETRY_SECONDS": "0"}
            published = next((folder / "published").rglob("*.h5"))
            arena = Arena(server=servers[0], environment=environment, right={"th": digest_of(published)})
            out, err = arena.start(folder / "home", "tf").communicate()
            assert out, err
            arena.right["tf"] = digest_of(Path(out.strip()))
            yield arena
    shutil.rmtree(folder)


def kill_somewhere(process: subprocess.Popen[str], home: Path, chance: random.Random, size: int) -> None:
    """Kill a process at a random moment: of its life, or of the growth of the file that it writes."""
    moment, bytes_written = chance.uniform(0, 1.2), chance.randrange(size)
    by_time = chance.random() < 0.4
    kind = "*/data" if chance.random() < 0.6 else "*~scratch/*"
    waited = 0.0
    while process.poll() is None:
        sizes = [written(path) for path in (home / "_partial").glob(kind)]
        if (by_time and waited > moment) or (not by_time and max(sizes, default=-1) >= bytes_written):
            break
        try:
            process.wait(0.001)
        except subprocess.TimeoutExpired:
            waited += 0.001
    process.send_signal(signal.SIGKILL)
    process.communicate()


def written(path: Path) -> int:
    """Return the size of a file that may be gone."""
    try:
        return path.stat().st_size
    except OSError:
        return -1


@pytest.mark.parametrize("backend", [pytest.param("th", marks=pytest.mark.long), "tf"])
def test_after_a_kill_the_next_call_finishes(arena: Arena, tmp_path: Path, backend: str) -> None:
    """At any moment of fetching and of converting."""
    chance = random.Random(f"{SEED} {backend}")
    size = next(iter(arena.server._assets.values() or arena.server._drive.values())).stat().st_size
    for number in range(ROUNDS // 2):
        home = tmp_path / str(number)
        kill_somewhere(arena.start(home, backend), home, chance, size)
        arena.check(home)
        path = arena.finish(arena.start(home, backend), backend)
        arena.check(home)
        assert path.is_relative_to(home)
        assert not list(home.glob("_partial/*~*"))
        shutil.rmtree(home)


@pytest.mark.long
def test_several_kills_in_a_row_are_no_worse(arena: Arena, tmp_path: Path) -> None:
    """What each of them left is found by the next."""
    chance = random.Random(f"{SEED} row")
    for _ in range(max(ROUNDS // 10, 2)):
        kill_somewhere(arena.start(tmp_path / "home", "tf"), tmp_path / "home", chance, 30_000_000)
        arena.check(tmp_path / "home")
    arena.finish(arena.start(tmp_path / "home", "tf"), "tf")


def test_of_many_processes_one_fetches(arena: Arena, tmp_path: Path) -> None:
    """All print the same path, and the hosts have given the file once."""
    arena.server.requests.clear()
    processes = [arena.start(tmp_path / "home", "tf") for _ in range(PROCESSES)]
    paths = {arena.finish(process, "tf") for process in processes}
    assert len(paths) == 1
    assert len([request for request in arena.server.requests if request.host == "content"]) == 1


@pytest.mark.long
def test_many_processes_without_locks_do_no_harm(arena: Arena, tmp_path: Path) -> None:
    """They may fetch it as often as they are; each gets the right file."""
    processes = [arena.start(tmp_path / "home", "tf", "-c", WITHOUT_LOCKS) for _ in range(PROCESSES)]
    paths = {arena.finish(process, "tf") for process in processes}
    assert len(paths) == 1
    arena.check(tmp_path / "home")
    assert not list((tmp_path / "home").glob("_partial/*~*"))


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """Let children hear an interrupt: shells have what they start in the background ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
def test_an_interrupt_is_one_line_and_keeps_what_has_come(arena: Arena, tmp_path: Path) -> None:
    """Ctrl-C while bytes come: exit code 130, and the next call asks for the rest alone."""
    home = tmp_path / "home"
    process: list[subprocess.Popen[str]] = []

    def interrupting(server, request, answer):
        if isinstance(answer.body, bytes) or request.headers.get("range"):
            return answer
        server.fault = None
        body = answer.body.path.read_bytes()
        return type(answer)(
            status=answer.status, headers=answer.headers, body=Interrupting(body, process[0], home)
        )

    arena.server.requests.clear()
    arena.server.fault = interrupting
    process.append(arena.start(home, "th"))
    out, err = process[0].communicate()
    assert (process[0].returncode, out) == (130, "")
    assert err.startswith("zoo: interrupted")
    assert err.count("\n") == 1
    arena.finish(arena.start(home, "th"), "th")
    ranges = [r.headers.get("range") for r in arena.server.requests if r.host == "content"]
    assert ranges[0] is None
    assert ranges[-1] is not None


class Interrupting(bytes):
    """A body of which half is sent before the client is interrupted."""

    process: subprocess.Popen[str]

    def __new__(cls, body: bytes, process: subprocess.Popen[str], home: Path) -> Interrupting:
        """Return a body that ends early, and have the client interrupted once it has written some of it."""
        made = super().__new__(cls, body[: len(body) // 2])
        import threading

        def interrupt() -> None:
            while max((written(path) for path in home.glob("_partial/*/data")), default=0) < 1 << 20:
                if process.poll() is not None:
                    return
            process.send_signal(signal.SIGINT)

        made.process = process
        threading.Thread(target=interrupt).start()
        return made

    def __len__(self) -> int:
        """Return how much was sent, which the server asks before it hangs up: not while the client listens.

        A client that lost its connection would end by itself, perhaps before it is interrupted.
        """
        self.process.wait()
        return super().__len__()
