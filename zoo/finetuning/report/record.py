"""What a run left in its folder, read back."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

from converters.errors import counted
from zoo.errors import ArgumentError, FileFormatError
from zoo.networks.images import Depth
from zoo.networks.run_record import read_run

_T = TypeVar("_T")
_NAN = math.nan


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One line of ``history.csv``; a number that was not measured is NaN.

    Attributes:
        phase: Name of the phase that the epoch belongs to.
        loss: Training loss.
        accuracy: Share of the training images correctly classified, 0 to 1.
        val_loss: Validation loss.
        val_accuracy: Share of the validation images correctly classified, 0 to 1.
        seconds: Time the epoch took.
    """

    phase: str
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Phase:
    """Epochs of ``history.csv`` that belong together.

    Attributes:
        name: Its name.
        first: Its first epoch, from 0, counted through all phases.
        last: Its last one.
        kept: The one whose weights were kept; ``None`` if they stayed as they were before the phase.
    """

    name: str
    first: int
    last: int
    kept: int | None


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """One line of ``predictions.csv``.

    Attributes:
        row: Which line, from 0.
        file: The image's file, or how it is called where it has none.
        label: Index of its class.
        predicted: Index of the class that the model named.
        probabilities: One for each class.
    """

    row: int
    file: str
    label: int
    predicted: int
    probabilities: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Record:
    """A run folder.

    Attributes:
        folder: Where it is.
        run: What ``run.json`` says.
        classes: Names of the classes.
        history: The epochs, in order.
        predictions: One for each validation image.
    """

    folder: Path
    run: Mapping[str, Any]
    classes: tuple[str, ...]
    history: tuple[Epoch, ...]
    predictions: tuple[Prediction, ...]

    @property
    def depth(self) -> Depth:
        """The scale that images of more than 8 bits a channel were on; undecided in an older record."""
        return Depth.from_record(self.run.get("depth"))

    @property
    def phases(self) -> list[Phase]:
        """The phases, in order; which epoch was kept is what ``run.json`` says, or the lowest loss."""
        told = {phase.get("name"): phase.get("best_epoch") for phase in self.run.get("phases") or ()}
        phases: list[Phase] = []
        for name, epochs in groupby(self.history, key=lambda one: one.phase):
            first = phases[-1].last + 1 if phases else 0
            losses = [one.val_loss for one in epochs]
            best = told.get(name)
            kept = _lowest(losses) if best is None else best - 1
            phases.append(
                Phase(
                    name=name,
                    first=first,
                    last=first + len(losses) - 1,
                    kept=None if kept is None or kept < 0 else first + kept,
                )
            )
        return phases

    @property
    def mistakes(self) -> list[Prediction]:
        """The wrongly named images, worst first: by how little was given to the right class."""
        wrong = [one for one in self.predictions if one.predicted != one.label]
        return sorted(wrong, key=lambda one: (one.probabilities[one.label], one.row))


def _lowest(losses: list[float]) -> int | None:
    """Return the place of the lowest loss; ``None`` if none was measured."""
    measured = [place for place, loss in enumerate(losses) if math.isfinite(loss)]
    return min(measured, key=lambda place: losses[place], default=None)


def read_record(folder: Path) -> Record:
    """Read ``run.json``, ``history.csv`` and ``predictions.csv``.

    Args:
        folder: A run folder.

    Returns:
        What they say.

    Raises:
        ArgumentError: One of the files is missing.
        FileFormatError: One of them has not the form it was written in; the message names file and line.
    """
    run = _parsed(folder / "run.json", _read_run)
    classes = tuple(run["classes"])
    return Record(
        folder=folder,
        run=run,
        classes=classes,
        history=_parsed(folder / "history.csv", _read_history),
        predictions=_parsed(folder / "predictions.csv", lambda path: _read_predictions(path, classes)),
    )


def _parsed(path: Path, read: Callable[[Path], _T]) -> _T:
    """Return what ``read`` makes of a file, its errors told in terms of the file."""
    try:
        return read(path)
    except FileNotFoundError as error:
        raise ArgumentError(
            f"{path}: is missing; `zoo finetune ... --out {path.parent}` writes it"
        ) from error
    except (ValueError, KeyError, IndexError, csv.Error) as error:
        reason = f"has no {error}" if isinstance(error, KeyError) else str(error)
        raise FileFormatError(f"{path}: not as a run writes it: {reason}") from error


def _read_run(path: Path) -> dict[str, Any]:
    run = read_run(path)
    if not (isinstance(run["classes"], list) and all(isinstance(name, str) for name in run["classes"])):
        raise ValueError("classes is not a list of names")
    Depth.from_record(run.get("depth"))
    return run


def _rows(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return a CSV file's header, and its other rows with the numbers of their lines."""
    # A file name may hold bytes that are not UTF-8; they come back as they were written.
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        reader = csv.reader(file)
        header = next(reader, [])
        return header, [(reader.line_num, row) for row in reader if row]


def _read_history(path: Path) -> tuple[Epoch, ...]:
    header, rows = _rows(path)
    column = {name: place for place, name in enumerate(header)}
    epochs = []
    for line, row in rows:
        if len(row) != len(header):
            raise ValueError(f"line {line} has {counted(len(row), 'column')}, expected {len(header)}")
        numbers = {
            name: _number(row[column[name]], line)
            for name in ("loss", "accuracy", "val_loss", "val_accuracy", "seconds")
        }
        epochs.append(Epoch(phase=row[column["phase"]], **numbers))
    return tuple(epochs)


def _number(text: str, line: int) -> float:
    try:
        return float(text) if text else _NAN
    except ValueError as error:
        raise ValueError(f"line {line}: {text!r} is not a number") from error


def _read_predictions(path: Path, classes: tuple[str, ...]) -> tuple[Prediction, ...]:
    header, rows = _rows(path)
    if tuple(header[3:]) != classes:
        raise ValueError(
            f"its columns are of {counted(len(header[3:]), 'other class')} than the {len(classes)} of "
            "run.json"
        )
    index = {name: place for place, name in enumerate(classes)}
    return tuple(_prediction(number, line, row, index) for number, (line, row) in enumerate(rows))


def _prediction(number: int, line: int, row: list[str], index: Mapping[str, int]) -> Prediction:
    if len(row) != 3 + len(index):
        raise ValueError(f"line {line} has {counted(len(row), 'column')}, expected {3 + len(index)}")
    file, label, predicted, *probabilities = row
    for name in (label, predicted):
        if name not in index:
            raise ValueError(f"line {line}: no class is called {name!r}")
    return Prediction(
        row=number,
        file=file,
        label=index[label],
        predicted=index[predicted],
        probabilities=tuple(_number(text, line) for text in probabilities),
    )
