"""A learning rate of its own for each group of layers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from typing import Any

import keras

from zoo.calling import public
from zoo.errors import ArgumentError, UnknownNameError
from zoo.numbers import is_real
from zoo.registry.fields import did_you_mean

HEAD = "head"
BACKBONE = "backbone"


@keras.saving.register_keras_serializable(package="zoo")
class GroupedSGD(keras.optimizers.SGD):  # type: ignore[misc]
    """Stochastic gradient descent that takes larger or smaller steps for some layers.

    The learning rate is multiplied by a layer's factor for all variables of that layer; layers without a
    factor have 1. Schedules, momentum, clipping and saving are those of ``keras.optimizers.SGD``.

    A model that was compiled with it opens again where :mod:`zoo.finetuning` is imported, and everywhere with
    ``compile=False``.
    """

    def __init__(
        self,
        learning_rate: Any = 1e-3,  # noqa: ANN401 - a number or a schedule
        *,
        factors: Mapping[str, float] | None = None,
        **options: Any,  # noqa: ANN401
    ) -> None:
        """Make the optimizer.

        Args:
            learning_rate: A number, or a schedule of Keras.
            factors: By name of a layer, as :func:`factors_by_layer` gives them.
            options: As for ``keras.optimizers.SGD``.
        """
        super().__init__(learning_rate=learning_rate, **options)
        self.factors = {name: float(factor) for name, factor in (factors or {}).items()}

    def build(self, variables: list[Any]) -> None:
        """Look up the factor of each variable, by the layers that its path names."""
        super().build(variables)
        self._factor_of = [self._factor(variable.path) for variable in variables]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:  # noqa: ANN401
        """Take a step along one gradient."""
        factor = self._factor_of[self._get_variable_index(variable)]
        super().update_step(gradient, variable, learning_rate * factor)

    def get_config(self) -> dict[str, Any]:
        """Return what the optimizer can be made from again."""
        return {**super().get_config(), "factors": self.factors}

    def _factor(self, path: str) -> float:
        layers = path.split("/")[:-1]
        return next((self.factors[name] for name in reversed(layers) if name in self.factors), 1.0)


@public()
def factors_by_layer(
    groups: Mapping[str, float] | None, layers: Collection[str], head: Collection[str]
) -> dict[str, float]:
    """Return the factor of each layer that has one.

    Args:
        groups: By group: ``head`` for the new classifier, ``backbone`` for all else, a layer's name, or a
            pattern of names, ``res5*``. Later ones overrule earlier ones.
        layers: Names of all layers.
        head: Names of the classifier's.

    Raises:
        ArgumentError: A factor is not a number from 0.
        UnknownNameError: A group has no layers.

    Examples:
        >>> from zoo import finetuning
        >>> layers = ["conv1", "res5a", "fc"]
        >>> finetuning.factors_by_layer({"head": 10, "res5*": 0.1}, layers, head=["fc"])
        {'fc': 10.0, 'res5a': 0.1}
    """
    found: dict[str, float] = {}
    for group, factor in (groups or {}).items():
        if not is_real(factor) or factor < 0:
            raise ArgumentError(f"learning-rate factor {group}={factor!r}: must be a number from 0")
        members = _members(group, layers, head)
        if not members:
            allowed = "must be head, backbone, a layer's name or a pattern like 'res5*'"
            guess = did_you_mean(group, layers)
            raise UnknownNameError(
                f"learning-rate factor {group!r}: there is no such layer; {allowed}{guess}"
            )
        found |= dict.fromkeys(members, float(factor))
    return found


def _members(group: str, layers: Collection[str], head: Collection[str]) -> list[str]:
    if group == HEAD:
        return list(head)
    if group == BACKBONE:
        return [name for name in layers if name not in head]
    wanted = group.replace("/", "__")
    return [name for name in layers if fnmatchcase(name, wanted)]
