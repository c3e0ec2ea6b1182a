"""Going on with a run: what it was asked for, what may be asked for now, and how many epochs are to come.

No Keras is needed for any of it, so that the command line tells what is wrong before it is imported.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from converters.errors import counted
from zoo.errors import ArgumentError, FileFormatError, TargetError, UnknownNameError
from zoo.files.given import address_of
from zoo.finetuning.duplicates import KEEP
from zoo.finetuning.options import OPTIONS, Settings, as_record, typed_as_they_are, without_names
from zoo.finetuning.pictures import Pictures
from zoo.finetuning.report.page import check_libraries
from zoo.finetuning.run_folder import RunFolder, write_json
from zoo.finetuning.schedule import (
    PHASE_EPOCHS,
    STRATEGIES,
    TrainingPhase,
    batch_size,
    names_of_own_options,
)
from zoo.networks.fitting import DEFAULT_FIT, FIT_BEFORE
from zoo.networks.run_record import SCHEMA, read_run
from zoo.registry import architecture

SOURCES = ("data", "train", "valid")
"""The arguments that say where images are."""

_NEW = {"fit": FIT_BEFORE, "conflicts": "refuse"}
"""Options that runs of before do not tell, and what these did."""
_RUNNING = "running"


class OtherRunError(ArgumentError):
    """A run is to be resumed with something else than it was made with.

    Attributes:
        folder: Of the run.
        name: Of the argument, or of what else decides what a run does.
        value: What is asked for now.
        was: What the run was made with.
    """

    def __init__(self, folder: Path, name: str, value: object, was: object) -> None:
        self.folder, self.name, self.value, self.was = folder, name, value, was
        super().__init__(self.told(f"{name}={value!r}"))

    def told(self, argument: str) -> str:
        """Return the message, with the argument in the words of whoever gave it."""
        advice = "leave it out, or name another folder for a run of its own"
        if self.name not in _named_arguments():
            return (
                f"{self.folder}: the run was made with other {self.name}: {_said(self.was)}, "
                f"now {_said(self.value)}"
            )
        return f"{argument}: the run was made with {_said(self.was)} ({self.folder}); {advice}"


def _named_arguments() -> set[str]:
    """Return what is the name of an argument, of all that decides what a run does."""
    call = {"name", "network", "strategy", "input_size", "dropout", "data_format", "validation_share"}
    return {*OPTIONS, *call, *names_of_own_options(), "fresh_head", "cost"}


def _said(value: object) -> str:
    if value is None:
        return "the default"
    return value if isinstance(value, str) else repr(value)


def is_number_of_epochs(name: str) -> bool:
    """Tell whether an argument says how many epochs there are, which may become more."""
    return name == "epochs" or name.endswith(PHASE_EPOCHS)


def with_fit(settings: Settings, *given: object) -> Settings:
    """Return the options with the fit of images settled.

    Args:
        settings: The options; a fit that they have is meant.
        given: Images. Where none is asked for, and no run that is resumed has one, that of the first
            :class:`~zoo.finetuning.pictures.Pictures` among them counts, or the default.
    """
    if settings.fit is not None:
        return settings
    folder = None if settings.out is None or not settings.resume else RunFolder(path=Path(settings.out))
    begun = None if folder is None else folder.begun()
    if begun is not None:
        return replace(settings, fit=begun.get("fit", FIT_BEFORE))
    own = (one.fit for one in given if isinstance(one, Pictures))
    return replace(settings, fit=next(own, DEFAULT_FIT))


def check_folder(out: str | os.PathLike[str], *, resume: bool) -> None:
    """Check that a run can be written into its folder; one that is finished is only told again.

    Raises:
        ArgumentError: There is something in it and nothing is to go on, or what writes the report is missing.
    """
    folder = RunFolder(path=Path(out))
    if not (resume and folder.is_finished):
        check_libraries()
        folder.check(resume=resume)


def began_before(plan: Mapping[str, Any] | None) -> bool:
    """Tell whether a run was begun by a version whose runs do not tell how images are fitted."""
    return plan is not None and "fit" not in plan


def conflicts_of(settings: Settings) -> str:
    """Return what to do with images that are there more than once: nothing in a run that did nothing then."""
    folder = None if settings.out is None or not settings.resume else RunFolder(path=Path(settings.out))
    is_old = folder is not None and not folder.is_finished and began_before(folder.begun())
    return KEEP if is_old else settings.conflicts


def check_same(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Check that a run was asked for what is asked for now, of all that is known of both, but for epochs.

    Args:
        folder: Of the run.
        before: What it was asked for; JSON.
        now: What is asked for; JSON.

    Raises:
        OtherRunError: Something differs.
    """
    before = {**_NEW, **before}
    for name in sorted({*before, *now} - {"phases", "format"}):
        was, value = before.get(name), now.get(name)
        if was != value and not is_number_of_epochs(name):
            raise OtherRunError(folder, name, value, was)


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a phase has done.

    Attributes:
        epochs: How many.
        best: Number of the best one; 0: none was better than the start.
        diverged: Whether its loss was no longer a number.
        is_ended: Whether a callback of the user's wanted no epoch after it.
    """

    epochs: int
    best: int
    diverged: bool
    is_ended: bool = False

    @classmethod
    def read(cls, folder: RunFolder, phase: str) -> Done | None:
        """Return what the checkpoint of a phase tells; ``None`` if it has not begun."""
        path = folder.checkpoint / phase / "state.json"
        if not path.is_file():
            return None
        state = json.loads(path.read_text("utf-8"))
        return cls(
            epochs=len(state["epochs"]),
            best=state["best"],
            diverged=state["diverged"],
            is_ended=state.get("is_ended", False),
        )

    def is_over_by_itself(self, patience: int) -> bool:
        """Whether more epochs would not have been used."""
        return self.diverged or self.is_ended or self.epochs - self.best >= patience


def check_epochs(folder: RunFolder, phases: tuple[TrainingPhase, ...]) -> None:
    """Check that a run with these phases would have done what was done so far.

    Args:
        folder: Of the run.
        phases: As they are asked for now.

    Raises:
        ArgumentError: A phase has done more epochs, or ended for want of some and another has begun since.
    """
    done = {phase.name: Done.read(folder, phase.name) for phase in phases}
    for place, phase in enumerate(phases):
        found = done[phase.name]
        if found is None:
            return
        if found.epochs > phase.epochs:
            raise ArgumentError(
                f"{folder.path}: phase {phase.name} has done {counted(found.epochs, 'epoch')} and is to have "
                f"{phase.epochs}; ask for as many or more"
            )
        later = [one.name for one in phases[place + 1 :] if done[one.name] is not None]
        if later and found.epochs < phase.epochs and not found.is_over_by_itself(phase.patience):
            raise ArgumentError(
                f"{folder.path}: phase {phase.name} ended with its {counted(found.epochs, 'epoch')}, and "
                f"{later[0]} went on from there: with {phase.epochs} it would have been another run; ask for "
                f"{phase.name}{PHASE_EPOCHS}={found.epochs} and {later[-1]}{PHASE_EPOCHS}=N"
            )


def asked_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run was asked for, by name, as far as its record tells."""
    fitted = {"fit": record.get("fit", FIT_BEFORE), "conflicts": _NEW["conflicts"]}
    if "asked" in record:
        return {**fitted, **record["asked"]}
    arguments = record.get("arguments") or {}
    # Runs of before recorded these as they were given, on the command line and in Python.
    told = {name: arguments[name] for name in (*typed_as_they_are(), "dropout") if name in arguments}
    named = ("network", "strategy", "classes", "data_format", "seed")
    told |= {name: record[name] for name in named if name in record}
    if "input" in record:
        told["input_size"] = record["input"][:2]
    if "weights" in record:
        told["weights"] = (record["weights"] or {}).get("sha256")
    return {**told, **fitted}


def where_from(
    data: object,
    train: object,
    valid: object,
    *,
    validation_share: float,
    weights: object,
    devices: object,
) -> dict[str, Any]:
    """Return where a run has its images and weights from, to be found again from any folder; JSON.

    What is no file or folder is ``None``, but for the name of a weights set.
    """
    places = dict(zip(SOURCES, map(_place, (data, train, valid)), strict=True))
    is_file = weights is not None and Path(str(weights)).exists()
    return {
        **places,
        "in_memory": [
            name
            for name, one in zip(SOURCES, (data, train, valid), strict=True)
            if one is not None and places[name] is None
        ],
        "validation_share": validation_share,
        "weights": address_of(weights) or (str(Path(str(weights)).resolve()) if is_file else weights),
        "devices": devices,
    }


def _place(data: object) -> str | None:
    return str(Path(data).resolve()) if isinstance(data, str | os.PathLike) else None


def resumed(said: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return all arguments of a run that is to be resumed, from its record and what is said besides.

    Args:
        said: Arguments of :func:`zoo.finetuning.finetune` that were given, ``resume`` with the folder among
            them.

    Returns:
        All arguments, ``out`` and ``resume=True`` among them; ``None`` if the run is finished and no other
        number of epochs is asked for.

    Raises:
        OtherRunError: What is said is not what the run was made with.
        TargetError: There is no run in the folder.
        ArgumentError: Its images have to be given again.
        NewerFileError: A later version wrote it.
    """
    settings = Settings(**{name: value for name, value in said.items() if name in OPTIONS})
    folder = RunFolder(path=Path(str(settings.out)))
    record = _record_in(folder)
    if record is None:
        raise _untold(folder)
    was, sources = with_numbers_of_plan(folder, asked_of(record)), record.get("sources")
    missing = [name for name in ("network", "strategy") if name not in was]
    if missing:
        raise FileFormatError(f"{folder.record}: not as a run writes it: it has no {missing[0]!r}")
    check_said(folder.path, was, sources, said, settings)
    asked = {name: value for name, value in said.items() if name != "resume"}
    known = {"name": was["network"], "strategy": was["strategy"], "out": folder.path, "resume": True}
    if folder.is_finished and not any(map(is_number_of_epochs, asked)):
        return None
    if sources is None:
        raise _untold(folder)
    about = {"about": {"arguments": record["arguments"]}} if "arguments" in record else {}
    return {**known, **about, **_options_of(was), **_sources(folder, sources, asked), **_changed(asked)}


def with_numbers_of_plan(folder: RunFolder, was: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run was asked for, with the numbers of epochs that it goes on with if it is not finished.

    The plan is the first that is written where a finished run is asked for more epochs: until the record
    follows it, that still tells the numbers of before.
    """
    plan = None if folder.is_finished else folder.begun()
    if plan is None or "epochs" not in plan:
        return dict(was)
    others = {name: value for name, value in was.items() if not is_number_of_epochs(name)}
    return {**others, **{name: value for name, value in plan.items() if is_number_of_epochs(name)}}


def _changed(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is said; a new number of epochs replaces all that the run had."""
    if not any(map(is_number_of_epochs, asked)):
        return dict(asked)
    numbers = ["epochs", *(name for name in names_of_own_options() if is_number_of_epochs(name))]
    return {**dict.fromkeys(numbers), **asked}


def _untold(folder: RunFolder) -> ArgumentError:
    return ArgumentError(
        f"{folder.path}: does not tell where its images and weights are; give network, images and options "
        "as you did then, with the same folder as out and resume=True (NAME PICTURES --out RUN --resume)"
    )


def _record_in(folder: RunFolder) -> dict[str, Any] | None:
    """Return the record of a run; ``None`` if it was begun by a version that wrote none before the end."""
    if not folder.record.is_file():
        if folder.begun() is not None:
            return None
        if not folder.path.is_dir():
            raise TargetError(f"{folder.path}: holds no run to resume: there is no such folder")
        raise TargetError(f"{folder.path}: holds no run to resume: it has no {folder.record.name}")
    try:
        return read_run(folder.record)
    except ValueError as error:
        raise FileFormatError(f"{folder.record}: not as a run writes it: {error}") from error


def check_said(
    folder: Path,
    was: Mapping[str, Any],
    sources: Mapping[str, Any] | None,
    said: Mapping[str, Any],
    settings: Settings,
) -> None:
    """Check that nothing is said that is not what a run was made with.

    Raises:
        OtherRunError: Something is.
    """
    options = without_names(json.loads(json.dumps(as_record(settings))))
    now = {name: options[name] for name in said if name in options}
    now |= {name: said[name] for name in ("dropout", "data_format", *names_of_own_options()) if name in said}
    if "name" in said:
        architecture(said["name"])
        now["network"] = said["name"]
    if said.get("strategy", "auto") != "auto":
        now["strategy"] = said["strategy"]
    if said.get("input_size") is not None:
        sides = said["input_size"]
        now["input_size"] = list(sides) if isinstance(sides, tuple | list) else [sides, sides]
    known = dict(was)
    if sources is not None and "validation_share" in said:
        known["validation_share"] = sources["validation_share"]
        now["validation_share"] = said["validation_share"]
    for name, value in now.items():
        if name in known and not is_number_of_epochs(name):
            _check_one(folder, known, name, value)


def _check_one(folder: Path, was: Mapping[str, Any], name: str, value: object) -> None:
    before = was[name]
    if name == "batch_size" and before is None:
        before = usual_batch_size(was.get("network"))
    if before != value:
        raise OtherRunError(folder, name, value, before)


def usual_batch_size(network: str | None) -> int:
    """Return the batch size of a network where none is asked for."""
    try:
        family = None if network is None else architecture(network).family
    except UnknownNameError:
        family = None
    return batch_size(family, None)


def _options_of(was: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that a run was made with, as the call takes them."""
    call = ("input_size", "dropout", "data_format")
    own = [name for name in STRATEGIES[was["strategy"]].options if was.get(name) is not None]
    names = [name for name, option in OPTIONS.items() if option.decides]
    found = {name: was[name] for name in (*call, *names, *own) if name in was}
    if isinstance(found.get("augmentation"), Mapping):
        import keras

        found["augmentation"] = keras.saving.deserialize_keras_object(found["augmentation"])
    if "input_size" in found:
        found["input_size"] = tuple(found["input_size"])
    return found


def _sources(folder: RunFolder, sources: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return where images and weights are; what is given anew takes the place of what was."""
    found = {name: sources[name] for name in ("validation_share", "weights", "devices")}
    if any(asked.get(name) is not None for name in SOURCES):
        return found
    if sources["in_memory"]:
        what = " and ".join(f"{name}=" for name in sources["in_memory"])
        raise ArgumentError(
            f"{folder.path}: its images were in memory, not in files; give them again: {what}"
        )
    places = {name: sources[name] for name in SOURCES}
    for name, place in places.items():
        if place is not None and not Path(place).exists():
            raise ArgumentError(
                f"{folder.path}: its images were in {place}, where nothing is now; say where: {name}="
            )
    return {**found, **places}


def begin(
    folder: RunFolder, plan: Mapping[str, Any], facts: Mapping[str, Any] | None, *, resume: bool
) -> None:
    """Make the folder of a run, or let the run in it go on.

    Args:
        folder: Of the run.
        plan: All that decides what the run does; JSON.
        facts: For the record, so that the run can be resumed by its folder alone; ``None``: it cannot.
        resume: Whether a run is to go on.

    Raises:
        ArgumentError: There is something in it and nothing is to go on.
    """
    folder.open(plan, resume=resume)
    if facts is not None:
        _write_first_record(folder, facts)


def _write_first_record(folder: RunFolder, facts: Mapping[str, Any]) -> None:
    """Write down what a run is asked for as it starts.

    What the record of a run tells that goes on after it was finished stays: its model is still there.
    """
    before = read_run(folder.record) if folder.record.is_file() else {"format": SCHEMA}
    write_json(folder.record, {**before, "status": _RUNNING, **facts})
