"""What the strategies do, as tables: phases, epochs, learning rates, batches; and which one suits.

The numbers are those of the fine-tuning tutorials of 2016 and 2017: stochastic gradient descent with Nesterov
momentum 0.9, a learning rate of 1e-3 and ten times less where good weights are touched, batches of 16 (8 for
DenseNet, whose feature maps take much memory), ten epochs over pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from zoo.errors import ArgumentError, UnknownNameError
from zoo.numbers import is_whole
from zoo.registry.families import FAMILIES
from zoo.registry.fields import did_you_mean

Trained = Literal["classifier", "last", "all"]

MOMENTUM = 0.9
PATIENCE = 3
"""Epochs without a smaller validation loss after which a phase ends."""

FEATURE_PATIENCE = 5

BATCH_SIZE = 16
"""Pictures, where the record of a network's family says nothing else."""

FEATURE_EPOCHS = 50
"""Over features that were computed once: an epoch takes a fraction of a second."""

PICTURE_EPOCHS = 10

HIDDEN_UNITS = 256
HIDDEN_DROPOUT = 0.5
"""Of the small dense layer that freeze-pretrain-finetune puts before the softmax."""

FIRST_LAYERS = 10
"""Entries of the published list of layers that ``last-layers`` leaves frozen: edges and colours are the same
in all pictures."""

SVM_COST = 0.01
"""Of the linear SVM, on standardised features: the smaller, the wider its margin."""


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One stretch of training.

    Attributes:
        name: As in ``history.csv``.
        trained: Which layers learn: the new classifier on features computed once, those behind the frozen
            first ones, or all.
        epochs: At most.
        learning_rate: Of stochastic gradient descent.
        patience: Epochs without improvement after which it ends.
        freeze_batch_norm: Whether batch normalisation that could learn stays as it was trained, in inference
            mode. With few pictures its statistics would be worse than those it has.
    """

    name: str
    trained: Trained
    epochs: int
    learning_rate: float
    patience: int
    freeze_batch_norm: bool = True


_CLASSIFIER = Phase(
    name="classifier",
    trained="classifier",
    epochs=FEATURE_EPOCHS,
    learning_rate=1e-3,
    patience=FEATURE_PATIENCE,
)

PHASES: Mapping[str, tuple[Phase, ...]] = {
    "svm": (),
    "head": (_CLASSIFIER,),
    "last-layers": (
        Phase(
            name="last-layers",
            trained="last",
            epochs=PICTURE_EPOCHS,
            learning_rate=1e-3,
            patience=PATIENCE,
        ),
    ),
    "freeze-pretrain-finetune": (
        Phase(
            name="pretrain",
            trained="classifier",
            epochs=FEATURE_EPOCHS,
            learning_rate=1e-3,
            patience=FEATURE_PATIENCE,
        ),
        Phase(
            name="finetune",
            trained="all",
            epochs=PICTURE_EPOCHS,
            learning_rate=1e-4,
            patience=PATIENCE,
        ),
    ),
    "all": (
        Phase(
            name="all",
            trained="all",
            epochs=PICTURE_EPOCHS,
            learning_rate=1e-3,
            patience=PATIENCE,
            freeze_batch_norm=False,
        ),
    ),
}
"""By strategy."""

STRATEGIES = tuple(PHASES)

_FEW = 1_000
_FEW_PER_CLASS = 1_000
_VERY_MANY = 50_000


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A strategy and why it was chosen."""

    strategy: str
    reason: str


def choose_strategy(pictures: int, classes: int) -> Choice:
    """Choose a strategy by the number of pictures to train on.

    Args:
        pictures: How many there are.
        classes: How many classes they belong to.

    Returns:
        ``svm`` under 1,000 pictures, ``all`` from 50,000, and between these ``freeze-pretrain-finetune``
        under 1,000 pictures a class and ``last-layers`` from there. Data that look nothing like ImageNet's
        want more of the network trained than this, which a count cannot tell.
    """
    each = f"{pictures / classes:,.0f} a class"
    if pictures < _FEW:
        reason = f"{pictures:,} pictures are under {_FEW:,}: a linear SVM has the least to overfit with"
        return Choice(strategy="svm", reason=reason)
    if pictures >= _VERY_MANY:
        reason = f"{pictures:,} pictures are {_VERY_MANY:,} or more: enough to train every layer"
        return Choice(strategy="all", reason=reason)
    if pictures / classes < _FEW_PER_CLASS:
        reason = f"{pictures:,} pictures, {each}: the new layers first, then everything slowly"
        return Choice(strategy="freeze-pretrain-finetune", reason=reason)
    reason = f"{pictures:,} pictures, {each}: enough to train all but the first layers"
    return Choice(strategy="last-layers", reason=reason)


def check_strategy(name: str) -> None:
    """Check that there is such a strategy.

    Raises:
        UnknownNameError: There is not.
    """
    if name not in (*STRATEGIES, "auto"):
        known = ", ".join((*STRATEGIES, "auto"))
        raise UnknownNameError(
            f"strategy={name!r}: must be one of {known}{did_you_mean(name, (*STRATEGIES, 'auto'))}"
        )


def batch_size(family: str | None, asked: int | None) -> int:
    """Return how many pictures go through the network at once in training.

    Args:
        family: Of the network; ``None`` for one that is not in the registry.
        asked: What the user wants.

    Raises:
        ArgumentError: That is no count.
    """
    if asked is None:
        known = FAMILIES.get(family or "")
        return (known.batch_size if known else None) or BATCH_SIZE
    if not is_whole(asked) or asked < 1:
        raise ArgumentError(f"batch_size={asked!r}: must be a whole number from 1")
    return int(asked)
