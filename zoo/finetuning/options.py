"""What every strategy takes besides the model and the data, and its defaults."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypedDict

import keras

from zoo.errors import ArgumentError
from zoo.numbers import is_flag, is_real, is_whole

Report = Callable[[str], object]
"""Told one line of text for each step."""


class Options(TypedDict, total=False):
    """What every strategy takes besides the model and the data.

    Attributes:
        out: Folder for the run: model, record, history, predictions, logs, report. ``None`` writes nothing.
        resume: Go on with an interrupted run in that folder.
        epochs: At most so many, instead of the strategy's own number. Of several phases it is the epochs over
            pictures that this counts.
        batch_size: Pictures to a step; by default 16, and 8 for DenseNet.
        learning_rate: Of the first phase, instead of the strategy's own; later phases keep their ratio to it.
        patience: Epochs without a smaller validation loss after which a phase ends.
        seed: Of all that is drawn at random.
        augmentation: Changes pictures at random in training: ``True`` for Keras layers that flip, rotate,
            shift, zoom and change the colours a little, ``False`` for none, or a Keras layer of your own for
            images (N, H, W, 3) with values 0 to 255.
        class_weights: Whether all classes count the same, however many pictures they have.
        learning_rate_factors: Of the learning rate, by group of layers: ``{"head": 10, "res5*": 0.1}``.
        freeze_batch_norm: Whether batch normalisation that could learn stays in inference mode; ``None``
            leaves it to the strategy.
        preprocessing: Name of a recipe of the registry; ``auto`` for the one that belongs to the model by its
            name, ``none`` for images from 0 to 255.
        include_preprocessing: Whether the model that comes out takes images as they are, from 0 to 255.
        cache: Folder for features; ``True`` for one in the zoo's cache, ``False`` for none.
        fused: Compute features with batch normalisation folded into the convolutions: faster, and equal but
            for rounding.
        verbose: As for Keras' ``fit``.
        report: Called with one line of text for each step.
        about: What ``run.json`` shall say besides: where the weights are from, what the user typed.
    """

    out: str | os.PathLike[str] | None
    resume: bool
    epochs: int | None
    batch_size: int | None
    learning_rate: float | None
    patience: int | None
    seed: int
    augmentation: bool | keras.Layer
    class_weights: bool
    learning_rate_factors: Mapping[str, float] | None
    freeze_batch_norm: bool | None
    preprocessing: str
    include_preprocessing: bool
    cache: bool | str | os.PathLike[str]
    fused: bool
    verbose: int
    report: Report | None
    about: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The options of a strategy with their defaults; see :class:`Options`."""

    out: str | os.PathLike[str] | None = None
    resume: bool = False
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    patience: int | None = None
    seed: int = 0
    augmentation: bool | keras.Layer = True
    class_weights: bool = True
    learning_rate_factors: Mapping[str, float] | None = None
    freeze_batch_norm: bool | None = None
    preprocessing: str = "auto"
    include_preprocessing: bool = False
    cache: bool | str | os.PathLike[str] = True
    fused: bool = False
    verbose: int = 0
    report: Report | None = None
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the options, and make NumPy's numbers Python's, which can be written down.

        Raises:
            ArgumentError: One is not allowed.
        """
        for name in _COUNTS:
            self._settle(name, int)
        for name in _RATES:
            self._settle(name, float)
        for name in (*_FLAGS, *_KINDS):
            self._settle(name, lambda value: bool(value) if is_flag(value) else value)
        if self.report is not None and not callable(self.report):
            raise ArgumentError(f"report={self.report!r}: must be a function that takes a line of text")

    def _settle(self, name: str, plain: Callable[[Any], object]) -> None:
        value = getattr(self, name)
        if value is None and name in _OPTIONAL:
            return
        if not _is_allowed(name, value):
            raise ArgumentError(f"{name}={value!r}: must be {_allowed(name)}")
        object.__setattr__(self, name, plain(value))


_COUNTS: Mapping[str, int] = {"epochs": 1, "patience": 1, "seed": 0, "batch_size": 1}
"""Whole numbers, and what they are at least."""

_RATES = ("learning_rate",)
_FLAGS = ("resume", "class_weights", "freeze_batch_norm", "include_preprocessing", "fused")
_KINDS: Mapping[str, tuple[Any, str]] = {
    "augmentation": (keras.Layer, "True, False or a Keras layer"),
    "cache": ((str, os.PathLike), "True, False or a folder"),
}
"""What may be a thing of its own beside ``True`` and ``False``."""

_OPTIONAL = frozenset({"epochs", "patience", "batch_size", "learning_rate", "freeze_batch_norm"})


def _is_allowed(name: str, value: Any) -> bool:  # noqa: ANN401 - whatever a user gave
    if name in _COUNTS:
        return is_whole(value) and value >= _COUNTS[name]
    if name in _RATES:
        return is_real(value) and value > 0
    return is_flag(value) or (name in _KINDS and isinstance(value, _KINDS[name][0]))


def _allowed(name: str) -> str:
    """Return in words what an option may be."""
    if name in _COUNTS:
        return f"a whole number from {_COUNTS[name]}"
    if name in _RATES:
        return "a number above 0"
    if name in _KINDS:
        return _KINDS[name][1]
    return "True, False or None" if name in _OPTIONAL else "True or False"


_SHOWN = frozenset({"out", "resume", "verbose", "report", "about", "cache"})
"""Options that say where and how a run is shown, and not what it does."""


def as_record(settings: Settings) -> dict[str, Any]:
    """Return the options that decide what a run does; JSON."""
    chosen = {one.name: getattr(settings, one.name) for one in fields(settings) if one.name not in _SHOWN}
    factors = settings.learning_rate_factors or {}
    chosen["learning_rate_factors"] = {group: float(factor) for group, factor in factors.items()}
    if isinstance(settings.augmentation, keras.Layer):
        chosen["augmentation"] = keras.saving.serialize_keras_object(settings.augmentation)
    return chosen


def without_names(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a configuration without the names of its layers, which Keras makes up anew in each process."""
    if isinstance(value, Mapping):
        return {key: without_names(one) for key, one in value.items() if key not in _NAMING}
    return [without_names(one) for one in value] if isinstance(value, list | tuple) else value


_NAMING = frozenset({"name", "shared_object_id"})  # keys of Keras' configurations
