"""What every strategy takes besides the model and the data: a table, from which everything else follows.

The checks, the arguments of ``zoo finetune``, and what ``--resume`` compares are made of the fields of
:class:`Settings`; :class:`Options` tells type checkers the same. Keras is imported only where a layer is one
of the options: the command line reads the table for its help.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypedDict

from zoo.errors import ArgumentError
from zoo.finetuning.arguments import FUSED, Argument, augmentation_named, learning_rate_factors
from zoo.networks.fitting import DEFAULT_FIT, FITS, Fit, fit_words
from zoo.numbers import is_flag, is_real, is_whole

if TYPE_CHECKING:
    import keras

Report = Callable[[str], object]
"""Told one line of text for each step."""


class Options(TypedDict, total=False):
    """What every strategy takes besides the model and the data.

    Attributes:
        out: Folder for the run: model, record, history, predictions, logs, report. ``None`` writes nothing.
        resume: Go on with an interrupted run in that folder; or the folder itself, in place of ``out``. A
            finished run goes on where more ``epochs`` are asked for and it had not stopped by itself.
        epochs: At most so many in the whole of the training, instead of the strategy's own number. Several
            phases share them: each but the last has its share of what is left, and never more than its own
            number.
        batch_size: Images to a step; by default 16, and 8 for DenseNet.
        learning_rate: Of the first phase, instead of the strategy's own; later phases keep their ratio to it.
        patience: Epochs without a smaller validation loss after which a phase ends.
        seed: Of all that is drawn at random.
        augmentation: Changes images at random in training: ``True`` for Keras layers that flip, rotate,
            shift, zoom and change the colours a little, ``False`` for none, or a Keras layer of your own for
            images (N, H, W, 3) with values 0 to 255.
        class_weights: Whether all classes count the same, however many images they have.
        learning_rate_factors: Of the learning rate, by group of layers: ``{"head": 10, "res5*": 0.1}``.
        freeze_batch_norm: Whether batch normalisation that could learn stays in inference mode; ``None``
            leaves it to the strategy.
        fit: What becomes of images of another shape than the network's: ``crop`` takes the middle, ``pad``
            adds black, ``stretch`` distorts. ``None``: what a run that is resumed had, or
            :class:`~zoo.finetuning.pictures.Pictures` have, or ``crop``.
        conflicts: What to do where the same image is in two classes: ``refuse``, or ``drop`` it from both.
        preprocessing: Name of a recipe of the registry; ``auto`` for the one that belongs to the model by its
            name, ``none`` for images from 0 to 255.
        include_preprocessing: Whether the model that comes out takes images as they are, from 0 to 255.
        cache: Folder for features; ``True`` for one in the zoo's cache, ``False`` for none.
        fused: Compute features with batch normalisation folded into the convolutions: faster, and equal but
            for rounding.
        verbose: As for Keras' ``fit``.
        report: Called with one line of text for each step, and for each epoch where Keras shows none
            (``verbose=0``).
        callbacks: Keras callbacks of your own, called in every phase that trains: after ours, which take each
            epoch down. One that sets ``model.stop_training`` ends the phase, whose best weights are kept as
            ever. A resumed run calls them for the epochs that are left; what they held in memory is theirs
            to bring back. ``svm`` trains no epochs and takes none.
        about: What ``run.json`` shall say besides: where the weights are from, what the user typed.
    """

    out: str | os.PathLike[str] | None
    resume: bool | str | os.PathLike[str]
    epochs: int | None
    batch_size: int | None
    learning_rate: float | None
    patience: int | None
    seed: int
    augmentation: bool | keras.Layer
    class_weights: bool
    learning_rate_factors: Mapping[str, float] | None
    freeze_batch_norm: bool | None
    fit: Fit | None
    conflicts: str
    preprocessing: str
    include_preprocessing: bool
    cache: bool | str | os.PathLike[str]
    fused: bool
    verbose: int
    report: Report | None
    callbacks: Sequence[keras.callbacks.Callback]
    about: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """What an option may be, besides ``None`` where that is its default.

    Attributes:
        words: The same, to be read after "must be".
        holds: Tells whether a value is allowed.
        plain: Makes NumPy's numbers Python's, which can be written down.
    """

    words: str
    holds: Callable[[Any], bool] = lambda value: True
    plain: Callable[[Any], Any] = lambda value: value


def _whole(least: int) -> Allowed:
    return Allowed(
        words=f"an integer from {least}",
        holds=lambda value: is_whole(value) and value >= least,
        plain=int,
    )


def _flag_or(words: str, holds: Callable[[Any], bool] = lambda value: False) -> Allowed:
    return Allowed(
        words=words,
        holds=lambda value: is_flag(value) or holds(value),
        plain=lambda value: bool(value) if is_flag(value) else value,
    )


def _is_layer(value: Any) -> bool:  # noqa: ANN401 - whatever a user gave
    import keras

    return isinstance(value, keras.Layer)


def _are_callbacks(value: Any) -> bool:  # noqa: ANN401 - whatever a user gave
    if not isinstance(value, list | tuple):
        return False
    if not value:
        return True
    import keras

    return all(isinstance(one, keras.callbacks.Callback) for one in value)


ANYTHING = Allowed(words="anything")
RATE = Allowed(words="a number above 0", holds=lambda value: is_real(value) and value > 0, plain=float)
FLAG = _flag_or("True or False")
FLAG_OR_NONE = _flag_or("True, False or None")
FLAG_OR_LAYER = _flag_or("True, False or a Keras layer", _is_layer)
FLAG_OR_FOLDER = _flag_or("True, False or a folder", lambda value: isinstance(value, str | os.PathLike))
FIT = Allowed(words=fit_words(), holds=lambda value: value in FITS)
CONFLICTS = Allowed(words="refuse or drop", holds=lambda value: value in ("refuse", "drop"))
FUNCTION = Allowed(words="a function that takes a line of text", holds=callable)
CALLBACKS = Allowed(words="a list of Keras callbacks", holds=_are_callbacks, plain=tuple)


@dataclass(frozen=True, kw_only=True)
class Option:
    """All that is said of an option beside its default: the checks, the command line and records follow.

    Attributes:
        allowed: What it may be.
        argument: How it is typed; ``None`` if it cannot be.
        decides: Whether it decides what a run does, so that ``--resume`` wants the same again, rather than
            where and how the run is shown.
    """

    allowed: Allowed = ANYTHING
    argument: Argument | None = None
    decides: bool = True


_OPTION = "option"  # key of a field's metadata


def _says(**facts: Any) -> Mapping[str, Option]:  # noqa: ANN401 - what an Option takes
    return {_OPTION: Option(**facts)}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The options of a strategy, each said once; what they mean is in :class:`Options`."""

    out: str | os.PathLike[str] | None = field(
        default=None,
        metadata=_says(
            decides=False,
            argument=Argument(
                help="folder for the model, its record and the report", more={"metavar": "RUN"}
            ),
        ),
    )
    epochs: int | None = field(
        default=None,
        metadata=_says(
            allowed=_whole(1),
            argument=Argument(
                help="of the whole training, at most (default: 10 over images, 50 over features, or both)",
                more={"type": int, "metavar": "N"},
            ),
        ),
    )
    batch_size: int | None = field(
        default=None,
        metadata=_says(
            allowed=_whole(1),
            argument=Argument(
                help="default: 16, for densenet 8, for densenet_keras 8", more={"type": int, "metavar": "N"}
            ),
        ),
    )
    learning_rate: float | None = field(
        default=None,
        metadata=_says(
            allowed=RATE,
            argument=Argument(help="default: 0.001, then a tenth", more={"type": float, "metavar": "RATE"}),
        ),
    )
    patience: int | None = field(
        default=None,
        metadata=_says(
            allowed=_whole(1),
            argument=Argument(
                help="epochs without a smaller validation loss", more={"type": int, "metavar": "N"}
            ),
        ),
    )
    seed: int = field(
        default=0,
        metadata=_says(
            allowed=_whole(0),
            argument=Argument(help="default: 0", more={"type": int, "default": 0, "metavar": "N"}),
        ),
    )
    augmentation: bool | keras.Layer = field(
        default=True,
        metadata=_says(
            allowed=FLAG_OR_LAYER,
            argument=Argument(
                help="changes at random in training (default: all)",
                more={"default": "all", "choices": ("all", "no-flip", "none")},
                read=augmentation_named,
            ),
        ),
    )
    learning_rate_factors: Mapping[str, float] | None = field(
        default=None,
        metadata=_says(
            argument=Argument(
                help="multiplies the learning rate of head, backbone, a layer or a pattern; may be repeated",
                flag="--learning-rate-factor",
                more={"action": "append", "default": [], "metavar": "GROUP=FACTOR"},
                read=learning_rate_factors,
            )
        ),
    )
    class_weights: bool = field(
        default=True,
        metadata=_says(
            allowed=FLAG,
            argument=Argument(
                help="each image counts the same",
                flag="--no-class-weights",
                dest="class_weights",
                more={"action": "store_false"},
            ),
        ),
    )
    freeze_batch_norm: bool | None = field(
        default=None,
        metadata=_says(
            allowed=FLAG_OR_NONE,
            argument=Argument(
                help="whether batch normalisation stays in inference mode"
                " (default: but for the strategy all)",
                more={"action": argparse.BooleanOptionalAction},
            ),
        ),
    )
    fit: Fit | None = field(
        default=None,
        metadata=_says(
            allowed=FIT,
            argument=Argument(
                help="images of another shape: cut to the middle, laid on black, or distorted"
                f" (default: {DEFAULT_FIT})",
                more={"choices": tuple(FITS)},
            ),
        ),
    )
    conflicts: str = field(
        default="refuse",
        metadata=_says(
            allowed=CONFLICTS,
            argument=Argument(
                help="the same image in two classes: stop, or leave it out of both (default: refuse)",
                more={"choices": ("refuse", "drop"), "default": "refuse"},
            ),
        ),
    )
    preprocessing: str = field(
        default="auto",
        metadata=_says(
            argument=Argument(
                help="recipe for the images (default: the network's own)",
                more={"default": "auto", "metavar": "RECIPE"},
            )
        ),
    )
    include_preprocessing: bool = field(
        default=False,
        metadata=_says(
            allowed=FLAG,
            argument=Argument(
                help="the saved model takes values from 0 to 255", more={"action": "store_true"}
            ),
        ),
    )
    fused: bool = field(
        default=False,
        metadata=_says(
            allowed=FLAG,
            argument=FUSED,
        ),
    )
    resume: bool | str | os.PathLike[str] = field(
        default=False,
        metadata=_says(
            allowed=FLAG_OR_FOLDER,
            decides=False,
            argument=Argument(
                help="go on with the run in RUN, which says all the rest; more --epochs may be asked for",
                more={"nargs": "?", "const": True, "default": False, "metavar": "RUN"},
            ),
        ),
    )
    cache: bool | str | os.PathLike[str] = field(
        default=True, metadata=_says(allowed=FLAG_OR_FOLDER, decides=False)
    )
    verbose: int = field(default=0, metadata=_says(decides=False))
    report: Report | None = field(default=None, metadata=_says(allowed=FUNCTION, decides=False))
    callbacks: Sequence[keras.callbacks.Callback] = field(
        default=(), metadata=_says(allowed=CALLBACKS, decides=False)
    )
    about: Mapping[str, Any] = field(default_factory=dict, metadata=_says(decides=False))

    def __post_init__(self) -> None:
        """Check the options, and make NumPy's numbers Python's, which can be written down.

        Raises:
            ArgumentError: One is not allowed.
        """
        for one in fields(self):
            value, allowed = getattr(self, one.name), one.metadata[_OPTION].allowed
            if value is None and one.default is None:
                continue
            if not allowed.holds(value):
                raise ArgumentError(f"{one.name}={value!r}: must be {allowed.words}")
            object.__setattr__(self, one.name, allowed.plain(value))
        if not is_flag(self.resume):
            self._resume_in(str(self.resume))

    def _resume_in(self, folder: str) -> None:
        """Take the folder of a run that is to be resumed for the one to write into."""
        if self.out is not None and os.path.abspath(self.out) != os.path.abspath(folder):  # noqa: PTH100
            raise ArgumentError(
                f"resume={folder!r}: the run is to be in out={str(self.out)!r}; name one folder"
            )
        object.__setattr__(self, "out", self.out or folder)
        object.__setattr__(self, "resume", True)


OPTIONS: Mapping[str, Option] = {one.name: one.metadata[_OPTION] for one in fields(Settings)}
"""By name; in the order of the command line's help."""


def typed_as_they_are() -> list[str]:
    """Return the options that decide what a run does and are typed as they are given in Python."""
    return [
        name
        for name, option in OPTIONS.items()
        if option.decides and option.argument is not None and option.argument.read is None
    ]


def as_record(settings: Settings) -> dict[str, Any]:
    """Return the options that decide what a run does; JSON."""
    chosen = {name: getattr(settings, name) for name, option in OPTIONS.items() if option.decides}
    factors = settings.learning_rate_factors or {}
    chosen["learning_rate_factors"] = {group: float(factor) for group, factor in factors.items()}
    if not isinstance(settings.augmentation, bool):
        import keras

        chosen["augmentation"] = keras.saving.serialize_keras_object(settings.augmentation)
    return chosen


def without_names(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a configuration without the names of its layers, which Keras makes up anew in each process."""
    if isinstance(value, Mapping):
        return {key: without_names(one) for key, one in value.items() if key not in _NAMING}
    return [without_names(one) for one in value] if isinstance(value, list | tuple) else value


_NAMING = frozenset({"name", "shared_object_id"})  # keys of Keras' configurations
