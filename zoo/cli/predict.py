"""``zoo predict``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from converters.limits import printable
from zoo.cli import EXIT_DONE, EXIT_FAILED, output
from zoo.cli.bars import progress
from zoo.cli.early import all_unreadable
from zoo.cli.keras_import import import_keras
from zoo.cli.weights import with_weights
from zoo.networks.images import PictureError
from zoo.networks.predictors import Source, predictor, source_at_hand
from zoo.networks.weights import choose_weights
from zoo.registry.records import Architecture

if TYPE_CHECKING:
    from zoo.networks.predicting import Predicted

_WIDTH = 30
_EIGHTHS = " ▏▎▍▌▋▊▉█"


@with_weights
def run(arguments: argparse.Namespace) -> int:
    """Name what images show; fail if one of them could not be read."""
    with source_at_hand(arguments.source, arguments.classes) as source:
        return _predict(arguments, source)


def _predict(arguments: argparse.Namespace, source: Source) -> int:
    told = {name: getattr(arguments, name) for name in ("classes", "preprocessing", "fit")}
    # What is wrong is told before Keras is imported.
    asked = predictor(source, top=arguments.top, **told)
    if isinstance(asked, Architecture) and asked.graphs:
        choose_weights(asked, arguments.weights)
    unreadable = all_unreadable(arguments.pictures)
    if unreadable is not None:
        for error in unreadable.values():
            output.say(f"zoo: {error}")
        if arguments.json:
            output.print_json([_failed(str(file), error) for file, error in unreadable.items()])
        return EXIT_FAILED
    import_keras()
    from zoo.networks.predicting import predict_each

    found = []
    for one in predict_each(
        source,
        arguments.pictures,
        top=arguments.top,
        weights=arguments.weights,
        **told,
        progress=progress(),
    ):
        found.append(one)
        for note in one.notes:
            output.note(f"zoo: {one.name}: {note}")
        if one.problem is not None:
            output.say(f"zoo: {one.problem}")
        elif not arguments.json:
            _print(one)
    if arguments.json:
        output.print_json([_plain(one) for one in found])
    return EXIT_FAILED if any(one.problem is not None for one in found) else EXIT_DONE


def _plain(one: Predicted) -> dict[str, Any]:
    guesses = [
        {"id": guess.id, "name": guess.name, "probability": guess.probability} for guess in one.guesses
    ]
    if one.problem is not None:
        return _failed(one.name, PictureError(one.problem))
    return {"file": one.name, "classes": guesses, "problem": None}


def _failed(name: str, error: PictureError) -> dict[str, Any]:
    return {"file": name, "classes": [], "problem": str(error), **output.failure(name, error)}


def _print(one: Predicted) -> None:
    output.print_line(printable(one.name))
    names = [printable(guess.name) for guess in one.guesses]
    width = max(map(len, names))
    for name, guess in zip(names, one.guesses, strict=True):
        line = f"  {name:<{width}} {guess.probability:>7.2%}  {bar(guess.probability)}"
        output.print_line(line.rstrip())


def bar(share: float) -> str:
    """Return a bar of up to 30 characters, in eighths of one where the terminal can show them."""
    try:
        _EIGHTHS.encode(output.out().encoding or "ascii")
    except UnicodeEncodeError:
        return "#" * round(share * _WIDTH)
    whole, rest = divmod(round(share * _WIDTH * 8), 8)
    return (_EIGHTHS[8] * whole + _EIGHTHS[rest]).rstrip()
