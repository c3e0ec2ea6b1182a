"""How long registries of many networks take: when they are first read, and from then on."""

from __future__ import annotations

import copy
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from itertools import cycle, islice
from pathlib import Path

import yaml

from benchmarks.timing import Comparison, Run, comparison, run, take_turns
from zoo.registry import find_registry

SIZES = (11, 100, 1_000, 10_000)
FILES = 3
"""Weights files of each network; those of the shipped registry are repeated."""

ROUNDS = {11: 10, 100: 5, 1_000: 3, 10_000: 1}

FROM_THEN_ON = {"list --json": 1.5, "list": 1.5, "show": 1.5, "list --sort": None, "completion": None}
"""What follows once the file was read, and how long it may take beside `zoo list` of the shipped networks."""

_PEER = "import sys, yaml; yaml.load(open(sys.argv[1], encoding='utf-8'), yaml.CSafeLoader)"


def compare() -> Iterator[Comparison]:
    """Compare a list and a look-up with the C YAML parse of the file, then what follows with `zoo list`."""
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            yield from _of_size(size, Path(folder))


def _of_size(size: int, folder: Path) -> Iterator[Comparison]:
    file, last = folder / "many.yaml", f"net{size - 1:05d}"
    _write(size, file)
    ways = {
        "peer": partial(run, (sys.executable, "-c", _PEER, str(file))),
        "first list": partial(_zoo, file, folder, True, "list", "--json"),
        "list --json": partial(_zoo, file, folder, False, "list", "--json"),
        "list": partial(_zoo, file, folder, False, "list"),
        "list --sort": partial(_zoo, file, folder, False, "list", "--sort", "params"),
        "completion": partial(_zoo, file, folder, False, "__complete", "show", last[:-1]),
        "first show": partial(_zoo, file, folder, True, "show", last),
        "show": partial(_zoo, file, folder, False, "show", last),
        "zoo list": partial(_zoo, None, folder / "shipped", False, "list"),
    }
    runs = take_turns(ways, rounds=ROUNDS[size])
    # Of small files the start of the program is most of the time.
    networks, at_most = f"{size:,} networks", 1.5 if size >= 1_000 else None
    for way in ("first list", "first show"):
        yield comparison(f"{networks}: {way} / yaml.load in C", runs[way], runs["peer"], at_most)
    for way, bound in FROM_THEN_ON.items():
        yield comparison(f"{networks}: {way} from then on / zoo list", runs[way], runs["zoo list"], bound)


def _zoo(file: Path | None, folder: Path, is_first: bool, *command: str) -> Run:
    """Run the command with a registry laid over the shipped one, and a cache of its own."""
    home = folder / "home"
    if is_first:
        shutil.rmtree(home, ignore_errors=True)
    os.environ["ZOO_HOME"] = str(home)
    os.environ.pop("ZOO_REGISTRY", None)
    if file is not None:
        os.environ["ZOO_REGISTRY"] = str(file)
    return run((sys.executable, "-m", "zoo", *command))


def _write(size: int, file: Path) -> None:
    """Write a registry of so many networks: the shipped ones again and again under other names."""
    shipped = yaml.safe_load(find_registry().read_text("utf-8"))
    many = {f"net{place:05d}": network for place, network in enumerate(islice(_networks(shipped), size))}
    for name, network in many.items():
        files = islice(cycle(network["weights"]), FILES)
        network["weights"] = [{**one, "id": f"{name}-{place}"} for place, one in enumerate(files)]
    written = yaml.dump({**shipped, "architectures": many}, Dumper=_NoAliases, sort_keys=False)
    file.write_text(written, "utf-8")


def _networks(shipped: dict[str, dict[str, dict[str, object]]]) -> Iterator[dict[str, object]]:
    for network in cycle(shipped["architectures"].values()):
        # What one differs from has another name in each copy.
        yield copy.deepcopy({key: value for key, value in network.items() if key != "differs_from"})


class _NoAliases(yaml.CSafeDumper):
    """Writes out what occurs twice."""

    def ignore_aliases(self, data: object) -> bool:
        """Never use an alias."""
        return True
