"""Fetching 553 MB from a web server on this machine, beside what a user would pick instead.

The file is the practice twin of VGG-16's Theano file. Each command is a whole process, and each is followed
by a sync of its file: nobody wins by leaving the writing to the kernel. ``keras.utils.get_file`` alone is
timed inside its process, because importing Keras takes longer than the download.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.timing import Comparison, Peak, Run, alternate, comparison, peak_of, run, take_turns

NAME = "vgg16"
ROUNDS = 5
FEW = 3
"""Rounds beside peers that take many times as long."""
PEER = (sys.executable, "-c", "import yaml, rich.table")
CLAIMS = {
    "curl": 1.0,
    "curl and sha256sum": 0.6,
    "pooch.retrieve, sha256": 0.3,
    "keras.utils.get_file in its process": 0.7,
}
"""The ratio to each peer that is claimed, on the disk and in memory."""

_POOCH = """
import os, sys, pooch
url, folder, digest = sys.argv[1:]
pooch.get_logger().setLevel("ERROR")
path = pooch.retrieve(url, known_hash="sha256:" + digest, fname="file.h5", path=folder)
os.fsync(os.open(path, os.O_RDONLY))
"""
_GET_FILE = """
import os, sys, time, keras
url, folder, digest = sys.argv[1:]
sys.stdout, out = open(os.devnull, "w"), sys.stdout
start = time.perf_counter()
path = keras.utils.get_file("file.h5", url, cache_dir=folder, file_hash=digest, hash_algorithm="sha256")
os.fsync(os.open(path, os.O_RDONLY))
print(time.perf_counter() - start, file=out)
"""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Where the benchmark plays.

    Attributes:
        folder: Everything that is written lies below it.
        url: Where the file can be had.
        sha256: Its digest.
        registries: Overlays by what they know of the file: ``sha256`` alone, or ``both`` with md5.
    """

    folder: Path
    url: str
    sha256: str
    registries: Mapping[str, Path]

    def zoo_fetch(self, registry: str, home: str = "target") -> tuple[str, ...]:
        """Return the command that fetches the file into a folder below this one."""
        settings = (f"ZOO_HOME={self.folder / home}", f"ZOO_REGISTRY={self.registries[registry]}")
        return "env", *settings, sys.executable, "-m", "zoo", "fetch", NAME, "--backend", "th"

    def synced(self, command: tuple[str, ...]) -> tuple[str, ...]:
        """Return a command that prints the path of a file, followed by a sync of that file."""
        return "sh", "-c", 'file=$("$@") && sync "$file"', "sh", *command

    def curl(self, then: str = "") -> tuple[str, ...]:
        """Return the command that fetches it with curl, and does something more."""
        target = self.folder / "target" / "file.h5"
        return "sh", "-c", f'curl -sSf -o "{target}" {self.url} && sync "{target}"{then.format(target)}'

    def python(self, program: str) -> tuple[str, ...]:
        """Return the command that fetches it with a library."""
        return sys.executable, "-c", program, self.url, str(self.folder / "target"), self.sha256

    def take_turns(
        self, commands: Mapping[str, Callable[[], Run]], rounds: int
    ) -> dict[str, tuple[Run, ...]]:
        """Run commands in turn, each in an empty folder."""
        return take_turns({name: partial(self.clean, one) for name, one in commands.items()}, rounds=rounds)

    def clean(self, command: Callable[[], Run]) -> Run:
        """Run a command in an empty folder, which is emptied before the clock starts."""
        target = self.folder / "target"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        os.sync()
        return command()


def compare(parent: Path, place: str) -> Iterator[Comparison | Peak]:
    """Compare ``zoo fetch`` with its peers in speed, and tell its peak memory.

    Args:
        parent: Folder to write to.
        place: What the figures say of it.
    """
    with TemporaryDirectory(prefix="zoo-bench-", dir=parent) as folder, _stage(Path(folder)) as stage:
        checked = f' && echo "{stage.sha256}  {{}}" | sha256sum -c --quiet -'
        ours = {"fetch": partial(run, stage.synced(stage.zoo_fetch("sha256")))}
        quick = {
            "fetch with both": partial(run, stage.synced(stage.zoo_fetch("both"))),
            "curl": partial(run, stage.curl()),
            "curl and sha256sum": partial(run, stage.curl(checked)),
        }
        slow = {
            "pooch.retrieve, sha256": partial(run, stage.python(_POOCH)),
            "keras.utils.get_file in its process": partial(run, stage.python(_GET_FILE), told=True),
        }
        runs = stage.take_turns(ours | quick, ROUNDS)
        beside_slow = stage.take_turns(ours | slow, FEW)
        for peer, at_most in CLAIMS.items():
            found = runs if peer in runs else beside_slow
            yield comparison(f"zoo fetch, sha256, {place} / {peer}", found["fetch"], found[peer], at_most)
        both = runs["fetch with both"]
        yield comparison(f"zoo fetch, md5 and sha256, {place} / curl", both, runs["curl"], 2.0)
        peak = stage.clean(partial(peak_of, stage.zoo_fetch("both"))).peak_bytes / 1e6
        yield Peak(claim=f"zoo fetch, peak memory, {place}", megabytes=peak, at_most=120.0)
        yield _cached(stage, place)


def _cached(stage: Stage, place: str) -> Comparison:
    """Compare a fetch that finds its file in the cache with importing two libraries."""
    claim = f"zoo fetch, from the cache, {place} / python -c 'import yaml, rich.table'"
    return alternate(claim, stage.zoo_fetch("sha256", "cached"), PEER, rounds=20, at_most=3.0)


@contextmanager
def _stage(folder: Path) -> Iterator[Stage]:
    """Write the file, serve it, and describe it to ``zoo``."""
    files = folder / "published"
    # In a process of its own: a child counts the memory of whoever started it, and this needs much.
    subprocess.run((sys.executable, "-c", _BUILD, str(files)), check=True)
    path = next(files.rglob("*.h5"))
    with _server(path.parent, folder) as origin:
        url = f"{origin}/{path.name}"
        registries = {name: folder / f"{name}.yaml" for name in ("sha256", "both")}
        digests = _describe(files, url, registries)
        yield Stage(folder=folder, url=url, sha256=digests["sha256"], registries=registries)


_BUILD = (
    f"import pathlib, sys; from zoo import practice; practice.build(pathlib.Path(sys.argv[1]), ['{NAME}'])"
)


def _describe(files: Path, url: str, registries: Mapping[str, Path]) -> dict[str, str]:
    """Write overlays that lead to the server and know one digest or both; return the digests."""
    import yaml

    catalogue = yaml.safe_load((files / "practice.yaml").read_text("utf-8"))
    (entry,) = catalogue["architectures"][NAME]["weights"]
    entry["urls"] = [url]
    both = entry["digests"]
    digests = dict(one["digest"].split(":") for one in both)
    for name, path in registries.items():
        entry["digests"] = [one for one in both if name == "both" or one["digest"].startswith(name)]
        overlay = {"schema": 1, "architectures": {NAME: {"weights": [entry]}}}
        path.write_text(yaml.safe_dump(overlay), "utf-8")
    return digests


@contextmanager
def _server(root: Path, folder: Path) -> Iterator[str]:
    """Serve a folder with nginx, or where it is not installed with Python's own server, and say so."""
    from zoo.practice.nginx import find_nginx, serve_folder

    state = folder / "nginx"
    state.mkdir()
    if find_nginx():
        with serve_folder(root, state) as origin:
            yield origin
        return
    print("nginx is not installed: Python's own web server serves the file, more slowly")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(root))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    """Does not tell of every request."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
