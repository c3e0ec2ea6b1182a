"""What may be typed: options and names in any order, and a mistake shown with the usage of its command."""

from __future__ import annotations

import itertools

import pytest

from zoo.cli.parser import COMMON, parse

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
        (
            ["fetch", "resnet50", "--nope"],
            "zoo fetch [-h]",
            "unrecognized arguments: --nope; did you mean --no-top?",
        ),
        (["convert", "a", "b", "c"], "zoo convert [-h]", "unrecognized arguments: c"),
        (["convert", "--th-to-tf"], "zoo convert [-h]", "the following arguments are required: OLD"),
        (["diff", "a.h5"], "zoo diff [-h]", "the following arguments are required: B"),
        (["mirror"], "zoo mirror [-h]", "the following arguments are required: DIR"),
        (
            ["--backend", "tf", "fetch", "a"],
            "zoo [-h]",
            "--backend: an option of a command stands behind it: zoo COMMAND --backend",
        ),
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


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["fethc", "resnet50"], "fetch"),
        (["cache", "lst"], "list"),
        (["cache", "rm"], "remove"),
        (["cache", "ls"], "list"),
        (["fetch", "resnet50", "--bakend", "th"], "--backend"),
        (["finetune", "a", "b", "--stratgy=svm"], "--strategy"),
        (["finetune", "a", "b", "--strategy", "last-layer"], "last-layers"),
        (["convert", "a.h5", "--to", "safetensor"], "safetensors"),
    ],
)
def test_what_was_nearly_typed_is_named(capsys, typed, meant):
    """A command, an action, an option and a value."""
    with pytest.raises(SystemExit):
        parse(typed)
    assert capsys.readouterr().err.endswith(f"; did you mean {meant}?\n")


def test_what_nothing_is_near_to_is_only_refused(capsys):
    """No guess is better than a wild one."""
    for typed in (
        ["resnet50"],
        ["fetch", "a", "--xyz"],
        ["fetch", "a", "--backend", "mx"],
        ["list", "a", "b"],
    ):
        with pytest.raises(SystemExit):
            parse(typed)
        assert "did you mean" not in capsys.readouterr().err


@pytest.mark.parametrize("command", [["list"], ["cache", "list"], ["fetch", "resnet50"]])
@pytest.mark.parametrize("common", COMMON)
def test_options_of_every_command_stand_before_it_too(command, common):
    """As with git and pip."""
    assert parse([common, *command]) == parse([*command, common])
    assert parse(["--json", "-v", *command]) == parse([*command, "--json", "-v"])


def test_behind_two_dashes_all_are_names():
    """Whatever they begin with, and options still stand before them in any order."""
    assert parse(["inspect", "--", "-x.h5"]).file == "-x.h5"
    found = parse(["convert", "old.h5", "--th-to-tf", "--", "--json"])
    assert (found.source, found.target, found.json, found.direction) == (
        "old.h5",
        "--json",
        False,
        "th-to-tf",
    )
    assert parse(["predict", "run", "--top", "2", "--", "-a.png", "--", "b.png"]).pictures == [
        "-a.png",
        "--",
        "b.png",
    ]
    assert parse(["finetune", "--out", "r", "--", "vgg16", "-photos"]).data == "-photos"


def test_a_name_too_many_behind_two_dashes_is_told_as_it_was_typed(capsys):
    """Without what marks it within."""
    with pytest.raises(SystemExit):
        parse(["inspect", "a.h5", "--", "-x.h5"])
    assert capsys.readouterr().err.endswith(": error: unrecognized arguments: -x.h5\n")
