"""What the strategies do, as tables: phases, epochs, learning rates, batches; and which one suits.

The numbers are those of the fine-tuning tutorials of 2016 and 2017: stochastic gradient descent with Nesterov
momentum 0.9, a learning rate of 1e-3 and ten times less where good weights are touched, batches of 16 (8 for
DenseNet, whose feature maps take much memory), ten epochs over images.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from zoo.calling import public
from zoo.errors import ArgumentError, UnknownNameError
from zoo.finetuning.arguments import Argument, number_or_name
from zoo.numbers import is_whole
from zoo.registry.families import FAMILIES, brought, family_of
from zoo.registry.fields import did_you_mean

Trained = Literal["classifier", "last", "all"]

PATIENCE = 3
"""Epochs without a smaller validation loss after which a phase ends."""

FEATURE_PATIENCE = 5

BATCH_SIZE = 16
"""Pictures, where the record of a network's family says nothing else."""

FEATURE_EPOCHS = 50
"""Over features that were computed once: an epoch takes a fraction of a second."""

IMAGE_EPOCHS = 10

PHASE_EPOCHS = "_epochs"
"""What the option for the epochs of one phase ends in, behind the name of the phase."""

HIDDEN_UNITS = 256
HIDDEN_DROPOUT = 0.5
"""Of the small dense layer that freeze-pretrain-finetune puts before the softmax."""

FIRST_LAYERS = 10
"""Entries of the published list of layers that ``last-layers`` leaves frozen: edges and colours are the same
in all images."""

SVM_COST = 0.01
"""Of the linear SVM, on standardised features: the smaller, the wider its margin."""


@dataclass(frozen=True, kw_only=True)
class TrainingPhase:
    """One stretch of training.

    Attributes:
        name: As in ``history.csv``.
        trained: Which layers learn: the new classifier on features computed once, those behind the frozen
            first ones, or all.
        epochs: At most.
        learning_rate: Of stochastic gradient descent.
        patience: Epochs without improvement after which it ends.
        freeze_batch_norm: Whether batch normalisation that could learn stays as it was trained, in inference
            mode. With few images its statistics would be worse than those it has.
    """

    name: str
    trained: Trained
    epochs: int
    learning_rate: float
    patience: int
    freeze_batch_norm: bool = True


@dataclass(frozen=True, kw_only=True)
class Suits:
    """For how many images ``auto`` takes a strategy.

    Attributes:
        reason: What the user is told; ``{images}``, ``{each}`` (a class), ``{least}`` and ``{below}`` stand
            for the numbers.
        least: Images to train on, at least.
        below: Fewer than so many.
        least_each: Images a class, at least.
        below_each: Fewer than so many.
    """

    reason: str
    least: int = 0
    below: float = math.inf
    least_each: int = 0
    below_each: float = math.inf

    def holds(self, images: int, classes: int) -> bool:
        """Tell whether a strategy suits so many images of so many classes."""
        return self.least <= images < self.below and self.least_each <= images / classes < self.below_each

    def told(self, images: int, classes: int) -> str:
        """Return the reason with its numbers."""
        return self.reason.format(images=images, each=images / classes, least=self.least, below=self.below)


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """A way of fine-tuning, from which the command line, ``auto``, checks and records follow.

    Attributes:
        function: As ``module:function``, imported when it is run. It takes the model, the images to train on
            and to validate with, ``options`` of its own and those of
            :class:`~zoo.finetuning.options.Options`, and returns a :class:`~zoo.finetuning.job.Result`.
        suits: What it is for, in a few words.
        source: Where it comes from.
        phases: What it trains, one after the other.
        auto: When ``auto`` takes it: the first of the table that suits. ``None`` for never.
        options: Of its own, and how they are typed.
        fresh_head: Whether it can be told, with ``fresh_head=True``, that the classifier has learned nothing.
        keeps_head: Whether the model's own classifier gets what was learned, so that it must have a bias.
        check: As ``module:function``: called with a :class:`~zoo.finetuning.strategies.Intended` before
            anything is fetched; raises if the strategy cannot be used.
    """

    function: str
    suits: str
    source: str
    phases: tuple[TrainingPhase, ...] = ()
    auto: Suits | None = None
    options: Mapping[str, Argument] = field(default_factory=dict)
    fresh_head: bool = False
    keeps_head: bool = True
    check: str | None = None


_FEW = 1_000
_FEW_PER_CLASS = 1_000
_VERY_MANY = 50_000

STRATEGIES: Mapping[str, Strategy] = {
    "svm": Strategy(
        function="zoo.finetuning.strategies:svm",
        suits="under about 1,000 images",
        source="Donahue et al., DeCAF, 2013; Razavian et al., CNN Features off-the-shelf, 2014",
        auto=Suits(
            below=_FEW,
            reason="{images:,} images are under {below:,}: a linear SVM has the least to overfit with",
        ),
        check="zoo.finetuning.strategies:check_svm",
    ),
    "head": Strategy(
        function="zoo.finetuning.strategies:head",
        suits="the same, or a first look",
        source="the softmax cut off and one's own put on: Caffe's fine-tuning example, 2014",
        phases=(
            TrainingPhase(
                name="classifier",
                trained="classifier",
                epochs=FEATURE_EPOCHS,
                learning_rate=1e-3,
                patience=FEATURE_PATIENCE,
            ),
        ),
    ),
    "last-layers": Strategy(
        function="zoo.finetuning.strategies:last_layers",
        suits="a few thousand a class",
        source="Yosinski et al., How transferable are features in deep neural networks?, 2014",
        phases=(
            TrainingPhase(
                name="last-layers",
                trained="last",
                epochs=IMAGE_EPOCHS,
                learning_rate=1e-3,
                patience=PATIENCE,
            ),
        ),
        auto=Suits(
            least=_FEW,
            below=_VERY_MANY,
            least_each=_FEW_PER_CLASS,
            reason="{images:,} images, {each:,.0f} a class: enough to train all but the first layers",
        ),
        options={
            "last": Argument(
                help="for last-layers: how many, or from which on",
                more={"metavar": "N|LAYER"},
                read=number_or_name,
            ),
        },
        fresh_head=True,
        check="zoo.finetuning.strategies:check_last_layers",
    ),
    "freeze-pretrain-finetune": Strategy(
        function="zoo.finetuning.strategies:freeze_pretrain_finetune",
        suits="a few hundred a class",
        source="F. Chollet, Building powerful image classification models using very little data, 2016",
        phases=(
            TrainingPhase(
                name="pretrain",
                trained="classifier",
                epochs=FEATURE_EPOCHS,
                learning_rate=1e-3,
                patience=FEATURE_PATIENCE,
            ),
            TrainingPhase(
                name="finetune",
                trained="all",
                epochs=IMAGE_EPOCHS,
                learning_rate=1e-4,
                patience=PATIENCE,
            ),
        ),
        options={
            "pretrain_epochs": Argument(
                help="for freeze-pretrain-finetune: of the new layers alone, over features"
                f" (default: half of --epochs, {FEATURE_EPOCHS} at most)",
                more={"type": int, "metavar": "N"},
            ),
            "finetune_epochs": Argument(
                help="for freeze-pretrain-finetune: of all layers, over images (default: the rest of"
                f" --epochs, or {IMAGE_EPOCHS})",
                more={"type": int, "metavar": "N"},
            ),
        },
        auto=Suits(
            least=_FEW,
            below=_VERY_MANY,
            below_each=_FEW_PER_CLASS,
            reason="{images:,} images, {each:,.0f} a class: the new layers first, then everything slowly",
        ),
        keeps_head=False,
    ),
    "all": Strategy(
        function="zoo.finetuning.strategies:train_all",
        suits="very many, or images that look nothing like ImageNet's",
        source="Girshick et al., Rich feature hierarchies, 2013",
        phases=(
            TrainingPhase(
                name="all",
                trained="all",
                epochs=IMAGE_EPOCHS,
                learning_rate=1e-3,
                patience=PATIENCE,
                freeze_batch_norm=False,
            ),
        ),
        auto=Suits(
            least=_VERY_MANY,
            reason="{images:,} images are {least:,} or more: enough to train every layer",
        ),
        fresh_head=True,
    ),
}
"""By the name that is typed."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A strategy and why it was chosen."""

    strategy: str
    reason: str


@public()
def choose_strategy(pictures: int, classes: int) -> Choice:
    """Choose a strategy by the number of images to train on.

    Args:
        pictures: How many there are.
        classes: How many classes they belong to.

    Returns:
        ``svm`` under 1,000 images, ``all`` from 50,000, and between these ``freeze-pretrain-finetune`` under
        1,000 images a class and ``last-layers`` from there. Data that look nothing like ImageNet's want more
        of the network trained than this, which a count cannot tell.

    Examples:
        >>> from zoo import finetuning
        >>> finetuning.choose_strategy(240, 10).strategy
        'svm'
        >>> finetuning.choose_strategy(20_000, 2).strategy
        'last-layers'
    """
    return next(
        Choice(strategy=name, reason=strategy.auto.told(pictures, classes))
        for name, strategy in STRATEGIES.items()
        if strategy.auto is not None and strategy.auto.holds(pictures, classes)
    )


def phase_epochs(
    strategy: Strategy, epochs: int | None = None, own: Mapping[str, int | None] = MappingProxyType({})
) -> dict[str, int]:
    """Return how many epochs each phase of a strategy has at most.

    Args:
        strategy: The strategy.
        epochs: Of the whole training, at most; ``None``: each phase has its own number.
        own: Of single phases, by name; they come out of the whole.

    Returns:
        By name. What the whole leaves is shared evenly among the other phases, but each takes no more than
        its own number, save the last, which takes all that is left.

    Raises:
        ArgumentError: A number is none, or the whole is too small for the phases.
    """
    given = {name: _checked_epochs(name, number) for name, number in own.items() if number is not None}
    if epochs is None:
        return {phase.name: given.get(phase.name, phase.epochs) for phase in strategy.phases}
    rest, found = epochs - sum(given.values()), {}
    free = [phase for phase in strategy.phases if phase.name not in given]
    if rest < len(free) or (rest and strategy.phases and not free):
        raise ArgumentError(f"epochs={epochs}: {_too_few(strategy, given)}")
    for place, phase in enumerate(free):
        left = len(free) - place
        found[phase.name] = rest if left == 1 else min(phase.epochs, rest // left)
        rest -= found[phase.name]
    return {phase.name: (given | found)[phase.name] for phase in strategy.phases}


def own_epochs(own: Mapping[str, Any]) -> dict[str, int | None]:
    """Return the numbers of epochs of single phases among the options of a strategy, by phase."""
    return {
        name.removesuffix(PHASE_EPOCHS): value for name, value in own.items() if name.endswith(PHASE_EPOCHS)
    }


def _checked_epochs(phase: str, number: object) -> int:
    if not is_whole(number) or number < 1:
        raise ArgumentError(f"{phase}{PHASE_EPOCHS}={number!r}: must be an integer from 1")
    return int(number)


def _too_few(strategy: Strategy, given: Mapping[str, int]) -> str:
    names = [phase.name for phase in strategy.phases]
    if not given:
        return f"{' and '.join(names)} share them; must be {len(names)} at least"
    told = " and ".join(f"{name}{PHASE_EPOCHS}={number}" for name, number in given.items())
    others = [name for name in names if name not in given]
    return f"{told} leave none for {' and '.join(others)}" if others else f"{told} come to another number"


def own_options(given: Mapping[str, Any], strategy: str) -> dict[str, Any]:
    """Return what of the options that belong to one strategy alone was given for this one.

    Raises:
        ArgumentError: One was given that belongs to another.
    """
    chosen = {name: value for name, value in given.items() if value is not None}
    for name, value in chosen.items():
        owners = [owner for owner, one in STRATEGIES.items() if name in one.options]
        if strategy not in owners:
            raise ArgumentError(
                f"{name}={value!r}: is for the strategy {' or '.join(owners)}, not {strategy}"
            )
    return chosen


def names_of_own_options() -> list[str]:
    """Return the names of all options that belong to one strategy alone."""
    return list(dict.fromkeys(name for one in STRATEGIES.values() for name in one.options))


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


def check_callbacks(callbacks: Sequence[object], strategy: str) -> None:
    """Check that there are epochs to call callbacks in.

    Raises:
        ArgumentError: The strategy trains none.
    """
    if callbacks and not STRATEGIES[strategy].phases:
        training = ", ".join(name for name, one in STRATEGIES.items() if one.phases)
        raise ArgumentError(
            f"callbacks: the strategy {strategy} trains no epochs, in which they would be called; "
            f"leave them out, or say strategy= with one that does: {training}"
        )


def batch_size(family: str | None, asked: int | None) -> int:
    """Return how many images go through the network at once in training.

    Args:
        family: Of the network; ``None`` for one that is not in the registry.
        asked: What the user wants.

    Raises:
        ArgumentError: That is no count.
    """
    if asked is None:
        known = family_of(family) if family and (family in FAMILIES or family in brought()) else None
        return (known.batch_size if known else None) or BATCH_SIZE
    if not is_whole(asked) or asked < 1:
        raise ArgumentError(f"batch_size={asked!r}: must be an integer from 1")
    return int(asked)
