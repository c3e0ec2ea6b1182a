"""The folder of a run: what was done, with what, and what came of it.

::

    RUN/model.keras       the model
    RUN/README.md         the model's card
    RUN/run.json          network, weights, strategy, classes, preprocessing, arguments, data, result
    RUN/history.csv       one line for each epoch
    RUN/predictions.csv   one line for each validation image, with a column of probability for each class
    RUN/logs/             for TensorBoard
    RUN/checkpoint/       what ``--resume`` needs: while it runs, and then where more epochs could follow

A file under its name is whole: it is written under another one first.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import FileFormatError, TargetError
from zoo.finetuning.pictures import Pictures
from zoo.networks.run_record import SCHEMA, read_run
from zoo.storage import disk

HISTORY_COLUMNS = (
    "phase",
    "epoch",
    "loss",
    "accuracy",
    "val_loss",
    "val_accuracy",
    "learning_rate",
    "seconds",
)


@dataclass(frozen=True, kw_only=True)
class TrainingEpoch:
    """What came of one epoch.

    Attributes:
        phase: Of the strategy.
        epoch: From 1 in each phase.
        loss: Cross-entropy on the training images, weighted and regularised as it was minimised.
        accuracy: Share of the training images correctly classified.
        val_loss: On the validation images.
        val_accuracy: On the validation images.
        learning_rate: Of the optimizer; ``None`` where none took steps.
        seconds: It took.
    """

    phase: str
    epoch: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    learning_rate: float | None
    seconds: float


@dataclass(frozen=True, kw_only=True)
class RunFolder:
    """Paths in the folder of a run."""

    path: Path

    @property
    def model(self) -> Path:
        """The model."""
        return self.path / "model.keras"

    @property
    def record(self) -> Path:
        """What was done."""
        return self.path / "run.json"

    @property
    def history(self) -> Path:
        """The epochs."""
        return self.path / "history.csv"

    @property
    def predictions(self) -> Path:
        """The validation images."""
        return self.path / "predictions.csv"

    @property
    def logs(self) -> Path:
        """What TensorBoard reads."""
        return self.path / "logs"

    @property
    def checkpoint(self) -> Path:
        """What an interrupted run left."""
        return self.path / "checkpoint"

    @property
    def is_finished(self) -> bool:
        """Whether the run came to its end, the report and all."""
        return self.record.is_file() and not self._started.is_file()

    @property
    def _started(self) -> Path:
        return self.checkpoint / "plan.json"

    @property
    def _ended(self) -> Path:
        return self.checkpoint / "finished.json"  # the plan, of a run that may go on all the same

    @property
    def may_go_on(self) -> bool:
        """Whether there is what a finished run needs to go on."""
        return self._ended.is_file()

    def begun(self) -> dict[str, Any] | None:
        """Return what decides what the run in the folder does, or its record; ``None`` if there is no run.

        Raises:
            FileFormatError: It is damaged, or a later version wrote it.
        """
        for path in (self._started, self._ended, self.record):
            if path.is_file():
                try:
                    return read_run(path)
                except ValueError as error:
                    raise FileFormatError(f"{path}: not as a run writes it: {error}") from error
        return None

    def open(self, plan: Mapping[str, Any], *, resume: bool) -> None:
        """Make the folder for a new run, or check that it holds this one.

        Args:
            plan: All that decides what the run does; JSON.
            resume: Whether an interrupted run is to go on.

        Raises:
            TargetError: There is something in it and nothing is to go on, or it cannot be written.
        """
        self.check(resume=resume)
        try:
            self.checkpoint.mkdir(parents=True, exist_ok=True)
            write_json(self._started, {"format": SCHEMA, **plan})
            self._ended.unlink(missing_ok=True)
        except OSError as error:
            raise TargetError(f"{self.path}: cannot be written: {error.strerror}") from error

    def close(self, *, keep: bool) -> None:
        """Let the run be finished.

        Args:
            keep: Whether what it needs to go on stays.
        """
        if keep:
            self._started.replace(self._ended)
        else:
            self._started.unlink()  # from here on it is finished, whatever is left of the rest
            shutil.rmtree(self.checkpoint)

    def check(self, *, resume: bool) -> None:
        """Check that a run may start in the folder, or an interrupted one go on.

        Raises:
            TargetError: There is something in it and nothing is to go on, or it cannot be written.
        """
        if resume and (self._started.is_file() or self.may_go_on):
            return
        if self.is_finished or self._started.is_file():
            state = "a finished run" if self.is_finished else "an interrupted run"
            advice = "name another folder" if self.is_finished else "--resume goes on with it"
            raise TargetError(f"{self.path}: holds {state}; {advice}, or delete it")
        try:
            if self.path.exists() and not self._is_free():
                raise TargetError(f"{self.path}: is not an empty folder; name one that is new or empty")
        except OSError as error:
            raise TargetError(f"{self.path}: cannot be written: {error.strerror}") from error

    def _is_free(self) -> bool:
        """Whether a run may start here: nothing is in it, or what one left that was killed as it started."""
        if not self.path.is_dir():
            return False
        held = list(self.path.iterdir())
        return held in ([], [self.checkpoint]) and not any(self.checkpoint.glob("[!.]*"))


def write_json(path: Path, value: object) -> None:
    """Write a value as JSON."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    # A name of a file that is not UTF-8 becomes an escape, which JSON has too.
    disk.replace(path, text.encode("utf-8", errors="backslashreplace"))


def write_history(path: Path, epochs: Iterable[TrainingEpoch]) -> None:
    """Write one line for each epoch; what there is none of is an empty cell."""
    rows = [asdict(epoch) for epoch in epochs]
    _write_rows(path, HISTORY_COLUMNS, [[row[name] for name in HISTORY_COLUMNS] for row in rows])


def read_history(path: Path) -> tuple[TrainingEpoch, ...]:
    """Return what :func:`write_history` wrote."""
    with path.open(newline="", encoding="utf-8") as file:
        return tuple(_epoch(row) for row in csv.DictReader(file))


def _epoch(row: Mapping[str, str]) -> TrainingEpoch:
    numbers = {name: float(row[name]) if row[name] else None for name in HISTORY_COLUMNS[2:]}
    return TrainingEpoch(phase=row["phase"], epoch=int(row["epoch"]), **numbers)  # type: ignore[arg-type]


def write_predictions(
    path: Path, pictures: Pictures, probabilities: NDArray[np.float32], classes: Sequence[str]
) -> None:
    """Write one line for each image: file, label, predicted, and a probability for each class.

    Args:
        path: The file to write.
        pictures: The pictures.
        probabilities: Shape (N, classes).
        classes: Their names.
    """
    best = probabilities.argmax(axis=1)
    rows = [
        [name, classes[label], classes[found], *(f"{value:.6g}" for value in row)]
        for name, label, found, row in zip(pictures.names, pictures.labels, best, probabilities, strict=True)
    ]
    _write_rows(path, ("file", "label", "predicted", *classes), rows)


def read_probabilities(path: Path) -> NDArray[np.float32]:
    """Return the probabilities that :func:`write_predictions` wrote, shape (N, classes)."""
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        rows = list(csv.reader(file))[1:]
    return np.array([[float(value) for value in row[3:]] for row in rows], np.float32)


def _write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows(rows)
    disk.replace(path, text.getvalue().encode("utf-8", errors="surrogateescape"))
