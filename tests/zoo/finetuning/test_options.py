"""The options of a strategy: said once, and the same to type checkers, the command line and records."""

from __future__ import annotations

import argparse
import inspect
from dataclasses import fields
from pkgutil import resolve_name

import numpy as np
import pytest

from zoo.cli.finetune import _options as typed_options
from zoo.cli.parser import build_parser
from zoo.errors import ArgumentError
from zoo.finetuning.arguments import Argument
from zoo.finetuning.data import as_pictures
from zoo.finetuning.options import OPTIONS, Options, Settings, as_record, typed_as_they_are
from zoo.finetuning.resuming import with_fit
from zoo.finetuning.runs import _own
from zoo.finetuning.schedule import STRATEGIES, Strategy, check_strategy, own_options


def test_type_checkers_are_told_the_same():
    """Names and types of the table, and a line about each."""
    assert Options.__annotations__.keys() == {one.name for one in fields(Settings)}
    for one in fields(Settings):
        assert Options.__annotations__[one.name].__forward_arg__ == one.type
        assert f"        {one.name}: " in Options.__doc__


def test_what_is_not_typed_is_the_default():
    """The command line's defaults are those of Python."""
    typed = typed_options(build_parser().parse_args(["finetune", "resnet50", "photos", "--out", "run"]))
    assert Settings(**{name: value for name, value in typed.items() if name in OPTIONS}) == Settings(
        out="run", learning_rate_factors={}
    )
    own = {name: value for name, value in typed.items() if name not in OPTIONS}
    assert own == {"last": None, "pretrain_epochs": None, "finetune_epochs": None}


def test_images_that_have_a_fit_keep_it_unless_another_is_asked_for():
    """Those to train on decide, where both parts have one."""
    pixels, labels = np.zeros((2, 8, 6, 3), np.uint8), ["a", "b"]
    stretched = as_pictures((pixels, labels), fit="stretch")
    assert with_fit(Settings(), None, stretched, (pixels, labels)).fit == "stretch"
    assert with_fit(Settings(fit="pad"), stretched).fit == "pad"
    assert with_fit(Settings(), (pixels, labels)).fit == "crop"


@pytest.mark.parametrize(
    ("typed", "name", "value"),
    [
        (["--epochs", "3"], "epochs", 3),
        (["--learning-rate", "0.5"], "learning_rate", 0.5),
        (["--no-class-weights"], "class_weights", False),
        (["--no-freeze-batch-norm"], "freeze_batch_norm", False),
        (["--learning-rate-factor", "head=10"], "learning_rate_factors", {"head": 10.0}),
        (["--augmentation", "none"], "augmentation", False),
        (["--resume"], "resume", True),
        (["--resume", "run1"], "resume", "run1"),
        (["--fit", "pad"], "fit", "pad"),
        (["--pretrain-epochs", "3"], "pretrain_epochs", 3),
        (["--fused"], "fused", True),
        (["--last", "3"], "last", 3),
        (["--last", "res5"], "last", "res5"),
    ],
)
def test_what_is_typed_arrives(typed, name, value):
    """As the value that Python takes."""
    given = build_parser().parse_args(["finetune", "resnet50", "photos", "--out", "run", *typed])
    assert typed_options(given)[name] == value


def test_every_argument_has_an_option_or_is_the_call_s_own():
    """Nothing can be typed that goes nowhere."""
    own = {"name", "data", "strategy", "train", "valid", "validation_share", "dropout", "input_size"}
    own |= {"hosts", "coordinator", "process", "processes", "weights", "devices"}
    own |= {"json", "quiet", "verbose", "module", "command"}
    given = vars(build_parser().parse_args(["finetune", "resnet50", "--out", "run"]))
    arguments = {name: one.argument for name, one in OPTIONS.items() if one.argument}
    arguments |= {name: one for strategy in STRATEGIES.values() for name, one in strategy.options.items()}
    parsers = {name: argparse.ArgumentParser() for name in arguments}
    for name, one in arguments.items():
        one.add_to(parsers[name], name)
    known = {action.dest for parser in parsers.values() for action in parser._actions} - {"help"}
    assert given.keys() == own | known


def test_what_decides_is_recorded():
    """Where and how a run is shown is not."""
    left_out = {"out", "resume", "cache", "verbose", "report", "callbacks", "about"}
    assert as_record(Settings()).keys() == OPTIONS.keys() - left_out
    assert typed_as_they_are() == [
        "epochs", "batch_size", "learning_rate", "patience", "seed",
        "class_weights", "freeze_batch_norm", "fit", "conflicts", "preprocessing",
        "include_preprocessing", "fused",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("epochs", 0, "an integer from 1"),
        ("seed", None, "an integer from 0"),
        ("learning_rate", -1.0, "a number above 0"),
        ("fused", "yes", "True or False"),
        ("freeze_batch_norm", 1, "True, False or None"),
        ("augmentation", "all", "True, False or a Keras layer"),
        ("cache", 3, "True, False or a folder"),
        ("report", "print", "a function that takes a line of text"),
        ("callbacks", print, "a list of Keras callbacks"),
        ("callbacks", [print], "a list of Keras callbacks"),
    ],
)
def test_what_is_not_allowed_is_told(name, value, message):
    """With the option, the value and what it may be."""
    with pytest.raises(ArgumentError) as caught:
        Settings(**{name: value})
    assert str(caught.value) == f"{name}={value!r}: must be {message}"


def test_numbers_of_numpy_become_python_s():
    """They can be written down then."""
    settings = Settings(epochs=np.int64(3), learning_rate=np.float32(0.5), fused=np.bool_(True))
    assert [type(value) for value in (settings.epochs, settings.learning_rate, settings.fused)] == [
        int,
        float,
        bool,
    ]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_strategy_s_functions_are_there_and_take_what_its_record_says(strategy):
    """The names in the table are those of functions."""
    record = STRATEGIES[strategy]
    taken = inspect.signature(resolve_name(record.function)).parameters
    assert {*record.options, *(["fresh_head"] if record.fresh_head else [])} <= taken.keys()
    assert record.check is None or callable(resolve_name(record.check))


def test_one_record_makes_a_strategy_known(monkeypatch):
    """To the command line, with its own option, to the checks, and to ``finetune()``."""
    mine = Argument(help="mine", more={"type": float, "metavar": "X"})
    record = Strategy(function="m:f", suits="few", source="here", options={"sharpness": mine})
    monkeypatch.setitem(STRATEGIES, "nearest-mean", record)
    check_strategy("nearest-mean")
    typed = [
        "finetune",
        "resnet50",
        "photos",
        "--out",
        "run",
        "--strategy",
        "nearest-mean",
        "--sharpness",
        "2",
    ]
    given = build_parser().parse_args(typed)
    assert (given.strategy, typed_options(given)["sharpness"]) == ("nearest-mean", 2.0)
    options = {"epochs": 3, "sharpness": np.int64(2)}
    own = {"last": None, "pretrain_epochs": None, "finetune_epochs": None}
    assert _own(options, **own) == {**own, "sharpness": 2}
    assert options == {"epochs": 3}
    with pytest.raises(ArgumentError, match="sharpness=2: is for the strategy nearest-mean, not svm"):
        own_options({"sharpness": 2}, "svm")
