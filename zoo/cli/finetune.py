"""``zoo finetune``."""

from __future__ import annotations

import argparse
import atexit
import os
import shlex
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.cli import EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED, is_misuse, output
from zoo.cli.bars import keras_verbosity, progress
from zoo.cli.early import check_training
from zoo.cli.keras_import import import_keras
from zoo.cli.silence import results_alone
from zoo.cli.weights import with_weights
from zoo.errors import ArgumentError
from zoo.files.given import address_of
from zoo.finetuning import hosts
from zoo.finetuning.arguments import (
    PLAIN_AUGMENTATION,
    Argument,
    augmentation_named,
    number_or_name,
    weights_named,
)
from zoo.finetuning.ended import Ended, read_facts, said_of_end
from zoo.finetuning.options import OPTIONS, Settings
from zoo.finetuning.resuming import OtherRunError, resumed
from zoo.finetuning.run_folder import RunFolder
from zoo.finetuning.schedule import STRATEGIES
from zoo.numbers import is_flag
from zoo.progress.protocol import Silence
from zoo.registry import get_registry

if TYPE_CHECKING:
    from zoo.finetuning.job import Result


@with_weights
def run(arguments: argparse.Namespace) -> int:
    """Fine-tune a network on images and say where the run folder is."""
    # What can be told without Keras is told before it is imported.
    asked = _asked(arguments)
    group = hosts.asked(**{name: getattr(arguments, name) for name in hosts.ARGUMENTS})
    finished = _check(asked)
    check_training(arguments)
    if finished is not None:
        return _told(_ended(finished), arguments)
    import_keras()
    from zoo.finetuning.training import TrainingError

    try:
        with _among(group) as own:
            result: Ended = _finetuned(asked, arguments, own)
    except OtherRunError as error:
        raise _as_typed(error) from error
    except TrainingError as error:
        if error.result is None:
            raise
        result = error.result
    except KeyboardInterrupt:
        folder = RunFolder(path=Path(asked.get("out") or asked["resume"]))
        if folder.record.is_file():  # before that is written there is nothing to go on from
            command = shlex.join(["zoo", "finetune", "--resume", str(folder.path)])
            output.note(f"zoo: `{command}` continues from the last whole epoch")
        raise
    return _told(result, arguments, is_first=own.is_first)


@contextmanager
def _among(group: hosts.Group | None) -> Iterator[hosts.Share]:
    """Join the processes that train together, if there are several, and tell which of them this one is."""
    if group is None:
        yield hosts.Share()
        return
    try:
        with results_alone(), hosts.joined(group):
            yield hosts.share()
    except BaseException as error:
        if not is_misuse(error):  # which all of them see
            _end_without_the_others(EXIT_INTERRUPTED if isinstance(error, KeyboardInterrupt) else EXIT_FAILED)
        raise


def _end_without_the_others(code: int) -> None:
    """Let this process end as soon as it has said why, with a code.

    JAX would have it wait for the others to end too, which wait for this one.
    """

    def end() -> None:
        output.flush()
        os._exit(code)

    atexit.register(end)


def _told(result: Ended, arguments: argparse.Namespace, *, is_first: bool = True) -> int:
    """Print what came of a run, once for all processes; return the exit code."""
    code = EXIT_DONE if result.failure is None else EXIT_FAILED
    if not is_first:
        return code
    if result.failure is not None:
        output.say(f"zoo: {result.failure}; what there is was kept in {result.out}")
    if arguments.json:
        output.print_json(_summary(result))
    else:
        output.print_facts(_facts(result))
    return code


def _asked(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what was typed as keywords of :func:`zoo.finetuning.finetune`.

    Raises:
        ArgumentError: It is neither a new run nor one to be resumed.
    """
    _put_in_order(arguments)
    found = {
        **{name: getattr(arguments, name) for name in _AS_TYPED},
        "weights": weights_named(arguments.weights),
        "devices": number_or_name(arguments.devices),
        **_options(arguments, later=("augmentation",)),
        "augmentation": arguments.augmentation,  # of which Keras makes layers, later
    }
    if not isinstance(arguments.resume, bool):
        return _of_a_run(arguments, found)
    if arguments.resume and arguments.out is None:
        raise ArgumentError("--resume: which run? --resume RUN, with the folder of one")
    if arguments.name is None or arguments.out is None:
        missing = "NAME" if arguments.name is None else "--out RUN"
        raise ArgumentError(f"{missing} is missing: zoo finetune NAME PICTURES --out RUN, or --resume RUN")
    return {**found, "about": {"arguments": _typed(arguments)}}


_WHERE = ("hosts", "coordinator", "process", "processes")
"""Where a run takes place, which decides nothing of what it does."""
_AS_TYPED = ("name", "data", "strategy", "train", "valid", "validation_share", "input_size", "dropout")


def _of_a_run(arguments: argparse.Namespace, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was said of a run besides its folder."""
    by_typed = {
        option.dest or (option.flag or name).lstrip("-").replace("-", "_"): name
        for name, option in _typed_options().items()
    }
    names = {by_typed.get(one, one) for one in getattr(arguments, "said", ())}
    return {name: value for name, value in found.items() if name in names and name != "out"}


def _put_in_order(arguments: argparse.Namespace) -> None:
    """Give back to NAME and PICTURES what ``--resume`` took from them, and to PICTURES what NAME took.

    ``--resume`` may be followed by the folder of a run; beside ``--out``, which names it, what follows is
    something else.
    """
    if isinstance(arguments.resume, str) and arguments.out is not None:
        taken, arguments.resume = arguments.resume, True
        if Path(taken) != Path(arguments.out):
            is_first = arguments.name is None or taken in get_registry().architectures
            names = [taken, arguments.name] if is_first else [arguments.name, taken]
            arguments.name, arguments.data = names
    elif isinstance(arguments.resume, str) and arguments.data is None and _is_path(arguments.name):
        arguments.name, arguments.data = None, arguments.name
        arguments.said = getattr(arguments, "said", frozenset()) - {"name"} | {"data"}


def _is_path(name: str | None) -> bool:
    """Tell images from a network's name, in a place where either may stand."""
    return name is not None and name not in get_registry().architectures and Path(name).exists()


def _check(asked: Mapping[str, Any]) -> RunFolder | None:
    """Check what can be checked without Keras; return the run that is to be resumed if it is finished.

    Raises:
        ZooError: Something is not allowed, or is not there.
    """
    plain = _without_layers(asked)
    Settings(**{name: value for name, value in plain.items() if name in OPTIONS})
    if "out" in asked:
        return None
    try:
        is_finished = resumed(plain) is None
    except OtherRunError as error:
        raise _as_typed(error) from error
    return RunFolder(path=Path(asked["resume"])) if is_finished and plain.keys() == asked.keys() else None


def _without_layers(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is asked for but what Keras makes layers of."""
    typed = asked.get("augmentation")
    if typed is None or typed in PLAIN_AUGMENTATION:
        return {**asked, **({} if typed is None else {"augmentation": PLAIN_AUGMENTATION[typed]})}
    return {name: value for name, value in asked.items() if name != "augmentation"}


def _ended(folder: RunFolder) -> Ended:
    """Return what a finished run tells, and say that it is one."""
    output.note(said_of_end(folder))
    return Ended(**read_facts(folder))


def _finetuned(asked: Mapping[str, Any], arguments: argparse.Namespace, own: hosts.Share) -> Result:
    from zoo.finetuning import finetune

    verbose = keras_verbosity(is_json=arguments.json) if own.is_first else 0
    shown = progress() if own.is_first else Silence()

    if "augmentation" in asked:
        asked = {**asked, "augmentation": augmentation_named(asked["augmentation"])}
    return finetune(**asked, progress=shown, verbose=verbose, report=output.note)


def _as_typed(error: OtherRunError) -> ArgumentError:
    """Return an error in the words of the command line."""
    typed = _typed_options().get(error.name, Argument(help=""))
    flag = "NAME" if error.name == "network" else typed.flag or f"--{error.name.replace('_', '-')}"
    if typed.more.get("action") in ("store_true", "store_false"):
        return ArgumentError(error.told(flag))
    if is_flag(error.value) and error.name != "augmentation":
        return ArgumentError(error.told(flag if error.value else f"--no-{flag.removeprefix('--')}"))
    return ArgumentError(error.told(f"{flag} {_typed_value(error.value)}"))


def _typed_value(value: object) -> str:
    """Return a value as it is typed."""
    if is_flag(value):
        return "all" if value else "none"
    if isinstance(value, Mapping):  # factors, or a layer that changes images
        is_layer = "config" in value
        return "no-flip" if is_layer else " ".join(f"{group}={factor:g}" for group, factor in value.items())
    return shlex.join(map(str, dict.fromkeys(value))) if isinstance(value, list) else str(value)


def _typed_options() -> dict[str, Argument]:
    """Return how options are typed, of every strategy and of one alone, by name."""
    typed = {name: option.argument for name, option in OPTIONS.items() if option.argument is not None}
    return typed | {name: one for strategy in STRATEGIES.values() for name, one in strategy.options.items()}


def _options(arguments: argparse.Namespace, later: Collection[str] = ()) -> dict[str, Any]:
    """Return the options, of every strategy and of one alone, by name."""
    return {name: one.value(name, arguments) for name, one in _typed_options().items() if name not in later}


def _typed(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments for the record, but those that say where and how the run is shown."""
    hidden = {"command", "json", "module", "out", "quiet", "resume", "said", "verbose", *_WHERE}
    found = {name: value for name, value in vars(arguments).items() if name not in hidden}
    return {**found, "weights": address_of(arguments.weights) or arguments.weights}


def _summary(result: Ended) -> dict[str, Any]:
    return {
        "strategy": result.strategy,
        "reason": result.reason,
        "classes": list(result.classes),
        "accuracy": result.accuracy,
        "log_loss": result.log_loss,
        "epochs": len(result.history),
        "seconds": result.seconds,
        "problems": [{"file": one.file, "problem": one.problem, "used": one.used} for one in result.problems],
        "out": str(result.out),
        "report": None if result.report is None else str(result.report),
        "failure": result.failure,
        **({"error": {"type": "TrainingError", "message": result.failure}} if result.failure else {}),
    }


def _facts(result: Ended) -> dict[str, str]:
    left_out = [one for one in result.problems if not one.used]
    facts = {
        "strategy": result.strategy,
        "accuracy": f"{result.accuracy:.1%} of the validation images",
        "log loss": f"{result.log_loss:.4f}",
        "run": str(result.out),
        **({} if result.report is None else {"report": str(result.report)}),
        "then": shlex.join(["zoo", "predict", str(result.out), "PICTURE"]),
    }
    if result.failure is not None:
        facts["failed"] = result.failure
    if left_out:
        facts["left out"] = "\n".join(f"{one.file}: {one.problem}" for one in left_out)
    return facts
