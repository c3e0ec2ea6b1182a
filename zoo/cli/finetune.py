"""``zoo finetune``."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING, Any

from zoo.cli import EXIT_DONE, EXIT_FAILED, output
from zoo.cli.bars import keras_verbosity, progress
from zoo.cli.early import check_training
from zoo.cli.keras_import import import_keras
from zoo.finetuning.arguments import learning_rate_factors, number_or_name, weights_named
from zoo.finetuning.options import OPTIONS
from zoo.finetuning.schedule import STRATEGIES

if TYPE_CHECKING:
    from zoo.finetuning.job import Result


def run(arguments: argparse.Namespace) -> int:
    """Fine-tune a network on images and say where the run folder is."""
    # What can be told without Keras is told before it is imported.
    learning_rate_factors(arguments.learning_rate_factor)
    check_training(arguments)
    import_keras()
    from zoo.finetuning.training import TrainingError

    try:
        result = _finetuned(arguments)
    except TrainingError as error:
        if error.result is None:
            raise
        result = error.result
        output.say(f"zoo: {error}; what there is was kept in {result.out}")
    except KeyboardInterrupt:
        output.note(
            f"zoo: the same command with --resume continues from the last whole epoch in {arguments.out}"
        )
        raise
    if arguments.json:
        output.print_json(_summary(result))
    else:
        output.print_facts(_facts(result))
    return EXIT_DONE if result.failure is None else EXIT_FAILED


def _finetuned(arguments: argparse.Namespace) -> Result:
    from zoo.finetuning import finetune

    return finetune(
        arguments.name,
        arguments.data,
        strategy=arguments.strategy,
        train=arguments.train,
        valid=arguments.valid,
        validation_share=arguments.validation_share,
        input_size=arguments.input_size,
        weights=weights_named(arguments.weights),
        dropout=arguments.dropout,
        devices=number_or_name(arguments.devices),
        **_options(arguments),
        progress=progress(),
        verbose=keras_verbosity(),
        report=output.note,
        about={"arguments": _typed(arguments)},
    )


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the options that were typed, of every strategy and of one alone, by name."""
    typed = {name: option.argument for name, option in OPTIONS.items()}
    typed |= {name: one for strategy in STRATEGIES.values() for name, one in strategy.options.items()}
    return {name: one.value(name, arguments) for name, one in typed.items() if one is not None}


def _typed(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments for the record, but those that say where and how the run is shown."""
    hidden = {"command", "json", "module", "out", "quiet", "resume", "verbose"}
    return {name: value for name, value in vars(arguments).items() if name not in hidden}


def _summary(result: Result) -> dict[str, Any]:
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
        "report": str(result.report),
        "failure": result.failure,
    }


def _facts(result: Result) -> dict[str, str]:
    left_out = [one for one in result.problems if not one.used]
    facts = {
        "strategy": result.strategy,
        "accuracy": f"{result.accuracy:.1%} of the validation images",
        "log loss": f"{result.log_loss:.4f}",
        "run": str(result.out),
        "report": str(result.report),
        "then": shlex.join(["zoo", "predict", str(result.out), "PICTURE"]),
    }
    if result.failure is not None:
        facts["failed"] = result.failure
    if left_out:
        facts["left out"] = "\n".join(f"{one.file}: {one.problem}" for one in left_out)
    return facts
