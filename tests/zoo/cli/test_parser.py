"""What may be typed: options and names in any order, and a mistake shown with the usage of its command."""

from __future__ import annotations

import itertools

import pytest

from zoo.cli.parser import parse

TYPED = {
    "convert": (("old.h5", "new.h5"), ("--th-to-tf",), ("--flatten", "fc=6x3x4")),
    "fetch": (("resnet50", "googlenet"), ("--backend", "th"), ("--json",)),
    "mirror": (("folder", "resnet50"), ("--check",), ("--json",)),
    "upgrade": (("old.json", "weights.h5", "new.keras"), ("--check",), ("--backend", "theano")),
    "diff": (("a.h5", "b.h5"), ("--from-layout", "th"), ("--json",)),
    "predict": (("resnet50", "a.jpg", "b.jpg"), ("--top", "3"), ("--json",)),
    "finetune": (("resnet50", "photos"), ("--out", "run"), ("--epochs", "3")),
}
"""The names, and the options, each of which may stand between any two of them."""


def orders(names, options):
    """Yield every order of names and options in which the names stand in theirs."""
    places = range(len(names) + 1)
    for chosen in itertools.product(places, repeat=len(options)):
        typed = []
        for place in places:
            typed += [
                word for at, option in zip(chosen, options, strict=True) if at == place for word in option
            ]
            typed += names[place : place + 1]
        yield typed


@pytest.mark.parametrize("command", TYPED)
def test_options_and_names_stand_in_any_order(command):
    """All orders mean the same."""
    names, *options = TYPED[command]
    first, *others = (vars(parse([command, *typed])) for typed in orders(names, options))
    assert others
    assert all(other == first for other in others)


@pytest.mark.parametrize(
    ("typed", "usage", "message"),
    [
        (["fetch", "resnet50", "--nope"], "zoo fetch [-h]", "unrecognized arguments: --nope"),
        (["convert", "a", "b", "c"], "zoo convert [-h]", "unrecognized arguments: c"),
        (["convert", "--th-to-tf"], "zoo convert [-h]", "the following arguments are required: OLD"),
        (["diff", "a.h5"], "zoo diff [-h]", "the following arguments are required: B"),
        (["cache", "remove"], "zoo cache remove [-h]", "the following arguments are required: NAME"),
        (["fetch", "a", "--jobs", "x"], "zoo fetch [-h]", "argument --jobs: invalid int value: 'x'"),
    ],
)
def test_a_mistake_shows_the_usage_of_its_command(capsys, typed, usage, message):
    """And the exit code is that of wrong usage."""
    with pytest.raises(SystemExit) as exit_:
        parse(typed)
    said = capsys.readouterr().err
    assert exit_.value.code == 2
    assert said.startswith(f"usage: {usage}")
    assert said.endswith(f": error: {message}\n")
