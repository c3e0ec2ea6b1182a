"""How many old models open, and with the same outputs: in Keras 3, in tf-keras, and by ``zoo upgrade``.

``python -m benchmarks.rescue FOLDER --tf-keras PYTHON`` takes real files, which lie in no repository of ours:
``real_models.csv`` lists where each can be had, with its SHA-256, and files in the folder are told by that.
Whole models of which it knows nothing are counted too. What tf-keras computes with a file is taken for right
where it opens it, since it is the last that was meant to; nothing else tells what a real file gives.

``--samples FOLDER`` takes small models whose outputs the original software recorded: ``NAME.model.h5`` beside
``NAME.npz`` with inputs x0, x1, ... and outputs y0, y1, ... There the truth is known for all three.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

TABLE = Path(__file__).with_name("real_models.csv")
WORKER = Path(__file__).with_name("opening.py")
CLOSE = 1e-5
"""How far an output may be from the true one, relative to the largest."""
CONFIGURATIONS = (".json", ".yaml", ".yml")
RIGHT, WRONG, REFUSED, OPENED = "right", "wrong in silence", "refused", "opened, not compared"
TOOLS = ("Keras 3", "tf-keras", "zoo upgrade")
_PATIENCE = 900


@dataclass(frozen=True, kw_only=True)
class Old:
    """An old model.

    Attributes:
        name: What it is called here.
        model: Its file, or that of its configuration.
        weights: The weights' file, if that is another.
        truth: Inputs and outputs that are known; None if tf-keras is to tell them.
        known: Whether the table lists it.
    """

    name: str
    model: Path
    weights: Path | None = None
    truth: Path | None = None
    known: bool = True


@dataclass(frozen=True, kw_only=True)
class Job:
    """A model to be opened by a framework.

    Attributes:
        name: What it is called.
        model: Its file.
        weights: Its weights' file, if the model is a configuration.
        inputs: What it is given, as ``x0``, ``x1``, ... of an ``.npz``; made if there is no such file.
        outputs: Where to put what it gives, as ``y0``, ``y1``, ...
    """

    name: str
    model: str
    weights: str | None
    inputs: str
    outputs: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a tool made of a model.

    Attributes:
        verdict: One of the four.
        why: The reason, if it was refused, or how far it is off.
        seconds: What it took.
    """

    verdict: str
    why: str
    seconds: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Count, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rescue", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", help="real files")
    parser.add_argument("--samples", type=Path, help="models whose outputs are known")
    parser.add_argument("--tf-keras", dest="python", help="a Python that has tf_keras; without it, no truth")
    parser.add_argument("--list", action="store_true", help="each file, too")
    asked = parser.parse_args(arguments)
    for title, found in (("real files", real(asked.folder)), ("samples", samples(asked.samples))):
        if found:
            outcomes = compared(found, asked.python)
            print("\n".join(lines(title, found, outcomes, listed=asked.list)), flush=True)


def real(folder: Path | None) -> list[Old]:
    """Return the models among the files of a folder: those of the table, and what else may be one."""
    if folder is None:
        return []
    files = {_digest(path): path for path in sorted(folder.iterdir()) if path.is_file()}
    listed = read_table()
    paths = {(row["repository"], row["path"]): files.get(row["sha256"]) for row in listed}
    found, used = [], set()
    for row in listed:
        path, apart = files.get(row["sha256"]), row["weights"]
        weights = paths.get((row["repository"], apart)) if apart else None
        used.add(row["sha256"])
        if path is not None and row["what"] and (weights is not None or not apart):
            found.append(Old(name=f"{row['repository']} {row['path']}", model=path, weights=weights))
    rest = [path for digest, path in files.items() if digest not in used]
    return found + [Old(name=path.name, model=path, known=False) for path in rest if _is_model(path)]


def read_table() -> list[dict[str, str]]:
    """Return the rows of the table of real files."""
    return list(csv.DictReader(TABLE.read_text(encoding="utf-8").splitlines()))


def samples(folder: Path | None) -> list[Old]:
    """Return the whole models below a folder whose outputs lie beside them."""
    if folder is None:
        return []
    return [
        Old(
            name=path.relative_to(folder).as_posix().removesuffix(".model.h5"),
            model=path,
            truth=path.with_name(path.name.removesuffix(".model.h5") + ".npz"),
        )
        for path in sorted(folder.glob("*/*.model.h5"))
    ]


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _is_model(path: Path) -> bool:
    """Return whether a file holds a whole model of Keras 1 or 2; a file of Keras 3 needs no rescue."""
    from converters.errors import ZooError
    from converters.formats.dialects import describe

    if path.suffix in CONFIGURATIONS:
        return False
    try:
        described = describe(path)
    except ZooError:
        return False
    return described.model_config is not None and (described.version or (1,)) < (3,)


def compared(found: Sequence[Old], python: str | None) -> Mapping[str, Mapping[str, Outcome]]:
    """Return the outcome of each tool for each model."""
    with tempfile.TemporaryDirectory() as name:
        stage = _Stage(Path(name), found)
        old = stage.opened([python], "tf_keras", "tf-keras", _originals(found)) if python else {}
        today = stage.opened([sys.executable], "keras", "keras", _originals(found))
        return {
            "Keras 3": {one.name: stage.outcome(one, "keras", today[one.name]) for one in found},
            "tf-keras": {one.name: stage.outcome(one, "tf-keras", old[one.name]) for one in found if old},
            "zoo upgrade": stage.upgraded(),
        }


def _originals(found: Iterable[Old]) -> dict[str, tuple[Path, Path | None]]:
    return {one.name: (one.model, one.weights) for one in found}


class _Stage:
    """A folder in which models are opened, with what each is given and gives."""

    def __init__(self, folder: Path, found: Sequence[Old]) -> None:
        self._folder = folder
        self._found = found
        self._numbers = {one.name: number for number, one in enumerate(found)}
        for one in found:
            if one.truth is not None:
                shutil.copy(one.truth, self._inputs(one.name))

    def _inputs(self, name: str) -> Path:
        return self._folder / f"{self._numbers[name]}.inputs.npz"

    def _outputs(self, name: str, tool: str) -> Path:
        return self._folder / f"{self._numbers[name]}.{tool}.npz"

    def opened(
        self, python: Sequence[str], framework: str, tool: str, files: Mapping[str, tuple[Path, Path | None]]
    ) -> dict[str, dict[str, Any]]:
        """Open models in a process of a framework, and in a new one where it dies."""
        waiting = [
            Job(
                name=name,
                model=str(model),
                weights=None if weights is None else str(weights),
                inputs=str(self._inputs(name)),
                outputs=str(self._outputs(name, tool)),
            )
            for name, (model, weights) in files.items()
        ]
        done: dict[str, dict[str, Any]] = {}
        while waiting:
            begun = ""
            for line in self._lines([*python, str(WORKER), framework], waiting):
                begun = line.get("begun", begun)
                if "name" in line:
                    done[line["name"]] = line
            if begun not in done:
                done[begun] = {"opened": False, "why": "the process died", "seconds": 0.0}
            waiting = [job for job in waiting if job.name not in done]
        return done

    def _lines(self, command: Sequence[str], jobs: Sequence[Job]) -> Iterator[dict[str, Any]]:
        path = self._folder / "jobs.json"
        path.write_text(json.dumps([asdict(job) for job in jobs]))
        errors = self._folder / "errors.txt"
        with errors.open("w") as stream:
            ended = subprocess.run(
                [*command, str(path)],
                stdout=subprocess.PIPE,
                stderr=stream,
                text=True,
                timeout=_PATIENCE,
                check=False,
            )
        if not ended.stdout:
            raise SystemExit(f"{command[0]}: {errors.read_text().strip()}")
        yield from map(json.loads, ended.stdout.splitlines())

    def upgraded(self) -> dict[str, Outcome]:
        """Upgrade all, each by a process of its own, and open what comes of it with plain Keras."""
        outcomes, files = {}, {}
        for one in self._found:
            new = self._folder / f"{self._numbers[one.name]}.keras"
            named = [str(path) for path in (one.model, one.weights, new) if path is not None]
            start = time.perf_counter()
            ended = subprocess.run(
                [sys.executable, "-m", "zoo", "upgrade", *named], capture_output=True, text=True, check=False
            )
            seconds = time.perf_counter() - start
            why = ended.stderr.strip().rpartition("\n")[2] if ended.returncode else ""
            outcomes[one.name] = Outcome(verdict=REFUSED, why=why, seconds=seconds)
            if not ended.returncode:
                files[one.name] = (new, None)
        opened = self.opened([sys.executable], "keras", "zoo", files) if files else {}
        for one in self._found:
            if one.name in opened:
                found = self.outcome(one, "zoo", opened[one.name])
                seconds = outcomes[one.name].seconds
                outcomes[one.name] = Outcome(verdict=found.verdict, why=found.why, seconds=seconds)
        return outcomes

    def outcome(self, one: Old, tool: str, found: Mapping[str, Any]) -> Outcome:
        """Return what is to be said of a model that a tool has or has not opened."""
        seconds = float(found["seconds"])
        if not found["opened"] or not found["ran"]:
            said = found["why"] if not found["opened"] else f"opens, and does not run: {found['why']}"
            # What we made and Keras does not open is as bad as a wrong result.
            return Outcome(verdict=WRONG if tool == "zoo" else REFUSED, why=said, seconds=seconds)
        truth = self._inputs(one.name) if one.truth is not None else self._outputs(one.name, "tf-keras")
        if not truth.exists():
            return Outcome(verdict=OPENED, why="", seconds=seconds)
        off = _distance(self._outputs(one.name, tool), truth)
        verdict = RIGHT if off <= CLOSE else WRONG
        return Outcome(verdict=verdict, why=f"{off:.1e} of the largest", seconds=seconds)


def _distance(path: Path, truth: Path) -> float:
    """Return how far outputs are from the true ones, relative to the largest; infinity for other shapes."""
    with np.load(path) as ours, np.load(truth) as theirs:
        names = [name for name in theirs if name[0] == "y"]
        if sum(name[0] == "y" for name in ours) != len(names):
            return float("inf")
        return max(_off(ours[name], theirs[name]) for name in names)


def _off(ours: np.ndarray, theirs: np.ndarray) -> float:
    if ours.shape != theirs.shape:
        return float("inf")
    if np.array_equal(ours, theirs, equal_nan=True):
        return 0.0
    off = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    return off if np.isfinite(off) else float("inf")


def lines(
    title: str, found: Sequence[Old], outcomes: Mapping[str, Mapping[str, Outcome]], *, listed: bool
) -> Iterator[str]:
    """Yield the table: counts, and the seconds of what was opened; then each file, if it is asked for."""
    unknown = sum(not one.known for one in found)
    more = f", {unknown} of them not in the table" if unknown else ""
    yield f"{len(found)} {title}{more}"
    yield ""
    yield f"| | {RIGHT} | {WRONG} | {REFUSED} | {OPENED} | seconds |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for tool in TOOLS:
        counts = Counter(outcome.verdict for outcome in outcomes[tool].values())
        seconds = sum(one.seconds for one in outcomes[tool].values() if one.verdict != REFUSED)
        numbers = " | ".join(str(counts[verdict]) for verdict in (RIGHT, WRONG, REFUSED, OPENED))
        yield f"| {tool} | {numbers} | {seconds:.1f} |"
    yield ""
    for tool in TOOLS if listed else ():
        for one in found:
            outcome = outcomes[tool].get(one.name)
            if outcome is not None:
                yield f"{tool}: {one.name}: {outcome.verdict}{f' ({outcome.why})' if outcome.why else ''}"


if __name__ == "__main__":
    main()
