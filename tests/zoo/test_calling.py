"""Every public function refuses wrong arguments in our own words, and stays what it is to who asks."""

from __future__ import annotations

import inspect
import typing
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Unpack

import keras
import numpy as np
import pytest

import zoo
import zoo.errors
import zoo.finetuning
from converters.errors import Doubt, warn_of
from tests.support.paths import DIALECTS
from zoo.calling import CallError, _holds, _in_words, public
from zoo.cli.parser import _COMMANDS
from zoo.errors import ArgumentError, UnknownNameError
from zoo.finetuning import from_arrays
from zoo.finetuning.batches import Preparation
from zoo.progress import shown
from zoo.progress.protocol import Silence, Telling

MODULES = (zoo, zoo.finetuning)
FUNCTIONS = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in MODULES
    for name in module.__all__
    if inspect.isfunction(getattr(module, name))
}
MODEL = keras.Sequential(
    [
        keras.Input((8, 8, 3)),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(2, activation="softmax"),
    ]
)
DIGITS = from_arrays(np.zeros((4, 8, 8, 3), np.uint8), [0, 0, 1, 1])
VALID: Mapping[str, object] = {
    "name": "resnet50",
    "source": "resnet50",
    "recipe": "caffe",
    "model": MODEL,
    "body": MODEL,
    "num_classes": 2,
    "extra_classes": 2,
    "data": (np.zeros((4, 8, 8, 3), np.uint8), [0, 0, 1, 1]),
    "images": np.zeros((4, 8, 8, 3), np.uint8),
    "labels": [0, 0, 1, 1],
    "share": 0.5,
    "seed": 0,
    "preparation": Preparation(height=8, width=8, data_format="channels_last", recipe=None),
    "train": DIGITS,
    "valid": DIGITS,
    "pictures": DIGITS,
    "groups": {},
    "layers": [],
    "head": [],
    "predictions": np.zeros((1, 1000)),
    "first": "a.h5",
    "second": "b.h5",
}
"""By name of an argument: what is right for it, as far as that matters to a call that is refused anyway."""
OF_ONE: Mapping[str, Mapping[str, object]] = {
    "zoo.predict": {"pictures": "x.png"},
    "zoo.finetuning.choose_strategy": {"pictures": 9, "classes": 2},
    "zoo.finetune": {"name": "resnet50"},
    "zoo.feature_shards": {"data": "photos"},
    "zoo.finetuning.finetune": {"name": "resnet50"},
}
"""The same, where a function means something else by a name, or needs it though it can be left out."""


def arguments(function) -> dict[str, inspect.Parameter]:
    """Return what a function takes by name."""
    taken = inspect.signature(function).parameters.values()
    return {one.name: one for one in taken if one.kind is not one.VAR_KEYWORD}


DATA = {"data", "train", "valid"}
"""What may be of many types, each with errors of its own."""
CASES = [(path, name) for path, function in FUNCTIONS.items() for name in arguments(function)]


def needed(path: str, name: str) -> dict[str, object]:
    """Return what else has to be given."""
    own = OF_ONE.get(path, {})
    return {
        one.name: own.get(one.name, VALID.get(one.name, "x"))
        for one in arguments(FUNCTIONS[path]).values()
        if (one.default is one.empty or one.name in own) and one.name != name
    }


@pytest.mark.parametrize(("path", "name"), CASES, ids=str)
def test_a_value_of_a_wrong_type_is_refused(path, name):
    """Each argument of each function, before anything is fetched or computed; the message names it."""
    function, wrong = FUNCTIONS[path], object()
    with pytest.raises((ArgumentError, UnknownNameError), match=None if name in DATA else name):
        function(**needed(path, name), **{name: wrong})


@pytest.mark.parametrize("path", FUNCTIONS)
def test_a_name_that_is_none_of_its_arguments_is_refused(path):
    """As an error of ours and one of types, which it was before."""
    function = FUNCTIONS[path]
    with pytest.raises(
        CallError, match=r"^\w+\(\): unknown argument 'no_such'; (did you mean|it takes) "
    ) as caught:
        function(**needed(path, ""), no_such=1)
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, zoo.ArgumentError)


@pytest.mark.parametrize("path", FUNCTIONS)
def test_a_function_stays_what_it_is_to_who_asks(path):
    """Signature, documentation, name and module are those of the function as it is written."""
    function = FUNCTIONS[path]
    written = function.__wrapped__
    assert inspect.signature(function) == inspect.signature(written)
    assert (function.__doc__, function.__module__, function.__qualname__) == (
        written.__doc__, written.__module__, written.__qualname__,
    )  # fmt: skip
    assert written.__doc__


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: zoo.load("resnet50", classes=10),
            "load(): unknown argument 'classes'; did you mean num_classes=?",
        ),
        (lambda: zoo.spec("resnet50", x=1), "spec(): unknown argument 'x'; it takes name"),
        (lambda: zoo.list_models(5), "pattern=5: must be a text"),
        (lambda: zoo.fetch("resnet50", top="no"), "top='no': must be True, False or None"),
        (
            zoo.fetch,
            "fetch(): missing a required argument: 'name'; it takes name, backend=, weights=, top=,"
            " from_file=, require_checksum=, origin=, progress=",
        ),
        (lambda: zoo.upgrade("a.h5", lambdas=[1]), "lambdas=[1]: must be a dict or None"),
        (lambda: zoo.fuse("resnet50"), "model='resnet50': must be a Keras model"),
        (lambda: zoo.predict(5, "a.png"), "source=5: must be a text, a path or a Keras model"),
        (
            lambda: zoo.convert("a.h5", direction="th"),
            "direction='th': must be 'th-to-tf', 'tf-to-th' or None",
        ),
        (
            lambda: zoo.finetune("resnet50", epoch=3),
            "finetune(): unknown argument 'epoch'; did you mean epochs=?",
        ),
    ],
)
def test_the_words(call, message):
    """What was given, and what is allowed."""
    with pytest.raises(ArgumentError) as caught:
        call()
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("value", "hint", "holds"),
    [
        (np.int64(3), int, True),
        (True, int, False),
        (np.bool_(True), bool, True),
        (1, bool, False),
        (3, float, True),
        (np.float32(0.5), float, True),
        ("3", float, False),
        ([1, 2], tuple[int, int], True),
        (Path("x"), str, False),
        ("th", Literal["th", "tf"], True),
        (["th"], Literal["th", "tf"], False),
        (np.str_("th"), Literal["th", "tf"], True),
        (True, Literal[1, 2], False),
        (None, int | None, True),
        ({}, Mapping[str, int], True),
        (5, Any, True),
        (5, Sequence[int], False),
        ("x", np.ndarray, False),
    ],
)
def test_what_is_of_a_type(value, hint, holds):
    """Numbers of NumPy's are numbers, truth values are none."""
    assert _holds(value, hint) is holds


def test_types_in_words():
    """As they are read after "must be"."""
    assert _in_words(int | str | None) == "an integer, a text or None"
    assert _in_words(Literal["a", "b"] | None) == "'a', 'b' or None"


class Few(typing.TypedDict, total=False):
    """Options."""

    often: bool


@public("own")
def sample(name: str, *, own: int = 1, progress: object = None, **options: Unpack[Few]) -> tuple[Any, ...]:
    """Return what it was called with, and warn."""
    warn_of(Path("x.h5"), [Doubt("doubt")], stacklevel=2)
    return name, own, progress, options, shown()


def test_what_is_right_passes_and_a_warning_shows_the_caller_s_line():
    """What the function checks itself goes through; progress is what is told, within the call alone."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        name, own, progress, options, within = sample("x", own="anything", progress=print, often=True)
    assert (name, own, options) == ("x", "anything", {"often": True})
    assert type(progress) is Telling
    assert within is progress
    assert type(shown()) is Silence
    assert [one.filename for one in told] == [__file__]


def test_an_upgrade_tells_its_progress():
    """In bytes, by the file's name."""
    told = []
    old = DIALECTS / "keras122_theano_th/conv2d_flatten_dense_dense.model.h5"
    zoo.upgrade(old, progress=lambda *what: told.append(what))
    done, total, what = told[-1]
    assert done == total > 0
    assert what == "upgrading conv2d_flatten_dense_dense.model.h5"


# The names.


def test_every_error_is_under_zoo():
    """The very classes, as few letters as any name."""
    for name in zoo.errors.__all__:
        assert getattr(zoo, name) is getattr(zoo.errors, name)
        assert name in zoo.__all__


AS_IN_PYTHON = {"list": "list_models", "show": "spec", "registry": "register"}
"""Commands whose function has another name, because theirs is taken or says something else in Python."""
LOOK_AFTER = {"cache", "trust", "mirror", "demo", "doctor", "completion"}
"""Commands that look after what is on a machine, which nobody does from within a program."""


def test_every_command_that_does_work_has_a_function_of_its_name():
    """Public, and a function."""
    for command in set(_COMMANDS) - LOOK_AFTER:
        assert f"zoo.{AS_IN_PYTHON.get(command, command)}" in FUNCTIONS, command
