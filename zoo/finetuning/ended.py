"""What a finished run tells of itself: its folder says it without Keras, which only its model needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.errors import FileFormatError
from zoo.finetuning.pictures import Problem
from zoo.finetuning.run_folder import RunFolder, TrainingEpoch, read_history
from zoo.networks.run_record import read_run

NOTHING_LEFT = "nothing is left to do"


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What came of a run, but for its model.

    Attributes:
        strategy: Its name.
        reason: Why it was chosen, where ``auto`` did that.
        classes: Their names.
        accuracy: Share of the validation images correctly classified.
        log_loss: Cross-entropy on them.
        history: The epochs of all phases.
        problems: What was left out of the data, and what the user should know.
        seconds: It took; those before an interruption are not in it.
        out: The run folder.
        report: The report in it.
        failure: Why it came to nothing, if it did: what is here is of the best epoch there was.
    """

    strategy: str
    reason: str | None
    classes: tuple[str, ...]
    accuracy: float
    log_loss: float
    history: tuple[TrainingEpoch, ...] = field(repr=False)
    problems: tuple[Problem, ...] = field(repr=False)
    seconds: float
    out: Path | None
    report: Path | None
    failure: str | None = None


def read_record(folder: RunFolder) -> dict[str, Any]:
    """Return what a finished run says of itself.

    Raises:
        FileFormatError: It is damaged, or a later version wrote it.
    """
    try:
        return read_run(folder.record)
    except ValueError as error:
        raise FileFormatError(f"{folder.record}: not as a run writes it: {error}") from error


def read_facts(folder: RunFolder) -> dict[str, Any]:
    """Return what makes an :class:`Ended` of a finished run, by name, from its folder."""
    record = read_record(folder)
    report = folder.path / "report.html"
    return {
        "strategy": record["strategy"],
        "reason": record["reason"],
        "classes": tuple(record["classes"]),
        "accuracy": record["result"]["accuracy"],
        "log_loss": record["result"]["log_loss"],
        "history": read_history(folder.history),
        "problems": tuple(Problem(**problem) for problem in record["data"]["report"]),
        "seconds": record["seconds"],
        "out": Path(folder.path),
        "report": report if report.is_file() else None,
        "failure": record.get("failure"),
    }


def said_of_end(folder: RunFolder, why: str = NOTHING_LEFT) -> str:
    """Return in words that a run is finished, and why nothing is done."""
    return f"{folder.path}: this run is finished; {why}"
