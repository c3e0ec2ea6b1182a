"""The optimizers that older versions had: what today's take for them, and where their state goes.

To add one is to add a record to :data:`OPTIMIZERS`. Rules are compared as they are written in the sources;
where today's differs, that is said, and how far the state still means the same.

Sources: keras/optimizers.py, Keras 1.2.2, 2.2.4 and 2.3.1; keras/optimizers/optimizer_v2 (optimizers/legacy)
and keras/optimizers, Keras 2.15; keras/src/optimizers, Keras 3.15.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from converters.errors import counted
from converters.formats.training import StateArray
from converters.layers.config import Setting
from converters.limits import clipped, shown
from converters.upgrading.named import (
    Check,
    Known,
    is_count,
    is_flag,
    is_number,
    is_share,
    or_none,
    parted,
    plain,
    today_of,
    written,
)
from converters.upgrading.today import OLDEST, TODAY, Version

Settings = Mapping[str, Setting]
Groups = tuple[tuple[str, ...], ...]
"""Slots in the order of today's state: those of one group stand side by side for each array."""


class Dropped(Exception):  # noqa: N818 - it never reaches a user: what is dropped does
    """Raised within this room where an optimizer has no place; whoever reads it tells the user."""


@dataclass(frozen=True, kw_only=True)
class Writer:
    """Who wrote an optimizer down, as far as its rule depends on it.

    Attributes:
        version: The version of Keras.
        of_tensorflow: Whether that was tf.keras.
        anew: Whether it is one of those that tf.keras has had since 2.11, which today's Keras took over.
    """

    version: tuple[int, ...]
    of_tensorflow: bool
    anew: bool


def _one(*slots: str) -> Callable[[Settings], Groups]:
    return lambda _: (slots,)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """An optimizer.

    Attributes:
        today: Today's class.
        settings: Its settings besides those that all have, and what each may be.
        groups: The slots that today's keeps, by its settings.
        spare: A slot that older ones keep where today's does not need it.
        rooted: Whether older ones add epsilon to the root, and today's under it.
        product: Whether today's keeps a product of momenta besides, behind all slots.
        first: What an array's slot begins with, by the settings; zero if it is not here.
        since: The first version of Keras that keeps the state in this order.
    """

    today: str
    settings: Mapping[str, Check]
    groups: Callable[[Settings], Groups]
    spare: str = ""
    rooted: bool = False
    product: bool = False
    first: str = ""
    since: Version = OLDEST


_BETAS = {"beta_1": is_number, "beta_2": is_number, "epsilon": is_number}


def _moments(settings: Settings) -> Groups:
    hats: Groups = (("velocity_hat",),) if settings.get("amsgrad") else ()
    return (("momentum", "velocity"), *hats)


def _mean_squares(settings: Settings) -> Groups:
    more: list[tuple[str, ...]] = [("momentum",)] if settings.get("momentum") else []
    more += [("average_gradient",)] if settings.get("centered") else []
    return (("velocity",), *more)


def _momentum(settings: Settings) -> Groups:
    return (("momentum",),) if settings.get("momentum") else ()


OPTIMIZERS: Mapping[str, Rule] = {
    "sgd": Rule(
        today="SGD",
        settings={"momentum": is_share, "nesterov": is_flag},
        groups=_momentum,
        spare="momentum",
    ),
    "rmsprop": Rule(
        today="RMSprop",
        settings={"rho": is_number, "momentum": is_number, "epsilon": is_number, "centered": is_flag},
        groups=_mean_squares,
        rooted=True,
    ),
    "adagrad": Rule(
        today="Adagrad",
        settings={"initial_accumulator_value": is_number, "epsilon": is_number},
        groups=_one("accumulator"),
        rooted=True,
        first="initial_accumulator_value",
    ),
    "adadelta": Rule(
        today="Adadelta",
        settings={"rho": is_number, "epsilon": is_number},
        groups=_one("accumulated_grad", "accumulated_delta_var"),
    ),
    "adam": Rule(
        today="Adam", settings={**_BETAS, "amsgrad": is_flag}, groups=_moments, spare="velocity_hat"
    ),
    "adamw": Rule(today="AdamW", settings={**_BETAS, "amsgrad": is_flag}, groups=_moments),
    "adamax": Rule(today="Adamax", settings=_BETAS, groups=_one("momentum", "norm")),
    "nadam": Rule(
        today="Nadam",
        settings=_BETAS,
        groups=_one("momentum", "velocity"),
        product=True,
        since=(3, 10, 0),
    ),
}


def versions() -> tuple[Version, ...]:
    """Return every version of Keras that a new file may need, the oldest first."""
    layers = {found.since for found in TODAY.values()}
    return tuple(sorted({OLDEST, *layers, *(rule.since for rule in OPTIMIZERS.values())}))


_STEPS = {"decay_steps": is_number, "initial_learning_rate": is_number}
SCHEDULES: Mapping[str, Known] = {
    **{
        name.lower(): Known(today=name, settings={**_STEPS, "decay_rate": is_number, "staircase": is_flag})
        for name in ("ExponentialDecay", "InverseTimeDecay")
    },
    "polynomialdecay": Known(
        today="PolynomialDecay",
        settings={**_STEPS, "end_learning_rate": is_number, "power": is_number, "cycle": is_flag},
    ),
    "cosinedecay": Known(
        today="CosineDecay",
        settings={
            **_STEPS,
            "alpha": is_number,
            "warmup_target": or_none(is_number),
            "warmup_steps": lambda value: is_number(value) and value >= 0,
        },
    ),
    "cosinedecayrestarts": Known(
        today="CosineDecayRestarts",
        settings={
            "initial_learning_rate": is_number,
            "first_decay_steps": is_count,
            **dict.fromkeys(("t_mul", "m_mul", "alpha"), is_number),
        },
    ),
    "piecewiseconstantdecay": Known(
        today="PiecewiseConstantDecay",
        settings=dict.fromkeys(
            ("boundaries", "values"), lambda value: isinstance(value, list) and all(map(is_number, value))
        ),
    ),
}
"""How learning rates change with the steps; all are computed today as they were."""

_CLIPPING = ("clipnorm", "clipvalue", "global_clipnorm")
_SILENT = frozenset(["name", "is_legacy_optimizer", "jit_compile", "ema_momentum", "ema_overwrite_frequency"])


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """An optimizer of today's Keras for an older one.

    Attributes:
        rule: Its record.
        settings: Its configuration.
        writer: Who wrote the older one down.
        notes: What is not as it was.
    """

    rule: Rule
    settings: Settings
    writer: Writer
    notes: tuple[str, ...] = ()

    @property
    def config(self) -> dict[str, Any]:
        """Its configuration as today's Keras writes it."""
        return written(self.rule.today, self.settings, "keras.optimizers")

    @property
    def groups(self) -> Groups:
        """The slots that it keeps."""
        return self.rule.groups(self.settings)

    @property
    def scheduled(self) -> bool:
        """Whether its learning rate is a schedule, and no number of its state."""
        return isinstance(self.settings["learning_rate"], Mapping)

    @property
    def first(self) -> float:
        """What slots begin with."""
        return float(self.settings.get(self.rule.first, 0.0))

    def found(self, state: Sequence[StateArray], count: int) -> Iterator[tuple[str, int, StateArray]]:
        """Yield the slots of an older state: a slot's name, the number of the array it is of, and its array.

        Older ones keep one slot of all arrays after another; those since 2.11 as today's do.

        Args:
            state: The arrays that are no numbers.
            count: How many arrays are trained.

        Raises:
            Dropped: If there are more or fewer than such an optimizer keeps.
        """
        slots = [slot for group in self.groups for slot in group]
        spare = [self.rule.spare] if self.rule.spare and self.rule.spare not in slots else []
        if len(state) not in (count * len(slots), count * len([*slots, *spare])):
            raise Dropped(
                f"{counted(len(state), 'array', 'is', 'are')} not those of {count} that are trained"
            )
        groups = self.groups if self.writer.anew else tuple((slot,) for slot in slots)
        places = [(slot, array) for group in groups for array in range(count) for slot in group]
        for (slot, array), found in zip(places, state, strict=False):
            yield slot, array, found


def read_optimizer(value: Setting, writer: Writer) -> Optimizer:
    """Return today's optimizer for an older one.

    Args:
        value: What the file says of it.
        writer: Who wrote it.

    Raises:
        Dropped: If it has no place.
    """
    found = parted(value)
    rule = OPTIMIZERS.get(plain(found[0])) if found else None
    if found is None or rule is None:
        raise Dropped(f"its class {clipped(found[0] if found else '')} is none that is known here")
    said = {key: setting for key, setting in found[1].items() if setting is not None and key not in _SILENT}
    notes: list[str] = []
    if isinstance(value, str):
        said = _usual(rule)
        notes.append(f"an archive tells its name alone: its learning rate is taken for {_USUAL[rule.today]}")
    settings = {
        "name": rule.today.lower(),
        "learning_rate": _rate(said, rule, notes),
        **_clipping(said, writer),
        **_own(said, rule, writer, notes),
    }
    if left := [key for key, setting in said.items() if setting]:
        raise Dropped(f"its setting {clipped(left[0])} has no place")
    return Optimizer(rule=rule, settings=settings, writer=writer, notes=tuple(notes))


def _usual(rule: Rule) -> dict[str, Setting]:
    """Return the settings of an optimizer that an archive of tf.keras names and tells no more of.

    They are the defaults of __init__() in tf_keras/src/optimizers, 2.15, as tf.keras takes them, too.
    """
    first: dict[str, Setting] = {rule.first: 0.1} if rule.first else {}
    return {"learning_rate": _USUAL[rule.today], **first}


_USUAL: Mapping[str, float] = {rule.today: 0.001 for rule in OPTIMIZERS.values()} | {"SGD": 0.01}


def _rate(said: dict[str, Setting], rule: Rule, notes: list[str]) -> Setting:
    """Return a learning rate, or how it changes; lr / (1 + decay steps) is a schedule today."""
    rates = [said.pop(key) for key in ("lr", "learning_rate") if key in said]
    decay = said.pop("decay", 0.0)
    if rule.product and (said.pop("schedule_decay", 0.0) or decay):
        notes.append("its momentum grows by another schedule today; all else goes on as it would have")
        decay = 0.0
    rate = rates[0] if rates else None
    if isinstance(rate, Mapping) and not decay:
        found = today_of(rate, SCHEDULES, _SCHEDULES_MODULE)
        if found is not None:
            return found
    if not is_number(rate) or not is_number(decay):
        raise Dropped("its learning rate is neither a number nor a schedule of today's Keras")
    if not decay:
        return float(rate)
    settings = {"initial_learning_rate": float(rate), "decay_steps": 1, "decay_rate": float(decay)}
    return written("InverseTimeDecay", {**settings, "staircase": False}, _SCHEDULES_MODULE)


_SCHEDULES_MODULE = "keras.optimizers.schedules"


def _clipping(said: dict[str, Setting], writer: Writer) -> dict[str, float]:
    """Return how gradients are clipped: Keras 1 and 2 by the norm of all together, tf.keras of each."""
    found = {key: said.pop(key) for key in _CLIPPING if key in said}
    if not writer.of_tensorflow and "clipnorm" in found:
        found["global_clipnorm"] = found.pop("clipnorm")
    found = {key: value for key, value in found.items() if value}
    if len(found) > 1 or not all(map(is_number, found.values())):
        raise Dropped("its gradients are clipped in two ways, of which today's has one")
    return found


def _own(said: dict[str, Setting], rule: Rule, writer: Writer, notes: list[str]) -> dict[str, Setting]:
    """Return the settings that are an optimizer's own."""
    checks: dict[str, Check] = {**rule.settings, "weight_decay": is_number}
    own = {key: said.pop(key) for key in checks if key in said}
    own = {key: float(value) if type(value) is int else value for key, value in own.items()}
    if wrong := [key for key, value in own.items() if not checks[key](value)]:
        raise Dropped(f"its {wrong[0]} is {shown(own[wrong[0]])}")
    if rule.first:
        own.setdefault(rule.first, 0.0)
    if "epsilon" in rule.settings:
        epsilon = own.get("epsilon", 1e-8 if writer.version < _SMALLER_BEFORE else 1e-7)
        # With momentum tf.keras has it under the root, too.
        if rule.rooted and not writer.anew and not own.get("momentum"):
            epsilon *= epsilon
            notes.append(
                "its epsilon stands under the root today, where its square does nearly what it did beside it"
            )
        own["epsilon"] = epsilon
    return own


_SMALLER_BEFORE = (2, 1, 3)
"""The version from which on epsilon is 1e-7 where nobody says it."""
