"""``zoo finetune``."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from zoo.cli import EXIT_DONE, EXIT_FAILED, output
from zoo.cli.bars import keras_verbosity, progress
from zoo.cli.keras_import import import_keras
from zoo.errors import ArgumentError
from zoo.registry import architecture

if TYPE_CHECKING:
    from zoo.finetuning.job import Result


def run(arguments: argparse.Namespace) -> int:
    """Fine-tune a network on pictures and say where the run folder is."""
    factors = learning_rate_factors(arguments.learning_rate_factor)
    architecture(arguments.name)  # a misspelt name is told before Keras is imported
    import_keras()
    from zoo.finetuning.training import TrainingError

    try:
        result = _finetuned(arguments, factors)
    except TrainingError as error:
        if error.result is None:
            raise
        result = error.result
        output.note(f"zoo: {error}; what there is was kept in {result.out}")
    except KeyboardInterrupt:
        output.note(
            f"zoo: the same command with --resume goes on from the last whole epoch in {arguments.out}"
        )
        raise
    if arguments.json:
        output.print_json(_summary(result))
    else:
        output.print_facts(_facts(result))
    return EXIT_DONE if result.failure is None else EXIT_FAILED


def _finetuned(arguments: argparse.Namespace, factors: dict[str, float]) -> Result:
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
        last=number_or_name(arguments.last),
        out=arguments.out,
        resume=arguments.resume,
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        learning_rate=arguments.learning_rate,
        patience=arguments.patience,
        seed=arguments.seed,
        augmentation=augmentation_named(arguments.augmentation),
        class_weights=arguments.class_weights,
        learning_rate_factors=factors,
        freeze_batch_norm=arguments.freeze_batch_norm,
        include_preprocessing=arguments.include_preprocessing,
        fused=arguments.fused,
        progress=progress(),
        verbose=keras_verbosity(),
        report=output.note,
        about={"arguments": _typed(arguments)},
    )


def learning_rate_factors(given: Sequence[str]) -> dict[str, float]:
    """Return the factors that were typed as ``GROUP=FACTOR``.

    Raises:
        ArgumentError: One is no such pair.
    """
    factors = {}
    for text in given:
        group, equals, factor = text.rpartition("=")
        try:
            factors[group] = float(factor)
        except ValueError:
            equals = ""
        if not equals or not group:
            raise ArgumentError(f"--learning-rate-factor {text}: must be GROUP=FACTOR, head=10 for example")
    return factors


def augmentation_named(text: str) -> Any:  # noqa: ANN401 - a Keras layer, or whether there is any
    """Return what changes pictures at random: all of it, all but mirroring, or nothing."""
    from zoo.finetuning import default_augmentation

    return default_augmentation(flip=False) if text == "no-flip" else text == "all"


def weights_named(text: str) -> str | None:
    """Return a weights set's name or a path as typed; ``none`` for random weights."""
    return None if text == "none" else text


def number_or_name(text: str | None) -> str | int | None:
    """Return a number of devices or layers as one; ``all``, or a layer's name, as typed."""
    return int(text) if text is not None and text.isdecimal() else text


def _typed(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments for the record, but those that say where and how the run is shown."""
    hidden = {"command", "json", "module", "out", "resume"}
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
        "accuracy": f"{result.accuracy:.1%} of the validation pictures",
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
