"""What every strategy takes besides the model and the data, and its defaults."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict

import keras

from zoo.errors import ArgumentError
from zoo.head import is_whole

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
        """Check the numbers.

        Raises:
            ArgumentError: One is not allowed.
        """
        for name, least in (("epochs", 1), ("patience", 1), ("seed", 0)):
            value = getattr(self, name)
            if value is not None and (not is_whole(value) or value < least):
                raise ArgumentError(f"{name}={value!r}: must be a whole number from {least}")
        rate = self.learning_rate
        if rate is not None and (isinstance(rate, bool) or not 0 < rate < math.inf):
            raise ArgumentError(f"learning_rate={rate!r}: must be a number above 0")
