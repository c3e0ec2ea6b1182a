"""What the arrays called ``running_std`` hold: deviations up to Keras 1.0.6, then variances."""

from __future__ import annotations

from converters.errors import ArgumentError
from converters.formats.description import Description
from converters.layers.model import Part
from converters.layers.rules import Rule
from converters.layers.table import (
    rules_of,
)
from converters.planning.placing import Ends


def running_std(description: Description, ends: Ends) -> str | None:
    """Return what the record says of variances: that they are, or were taken for them, or are deviations."""
    if not parts_with_deviations(description):
        return None
    network = description.record.network if description.record else None
    told = network.running_std if network else None
    if holds_deviations(description):
        return "variance" if ends.squares else "deviation"
    assumed = description.dialect == "keras1" and not description.version
    return told or ("variance, assumed" if assumed else "variance")


def parts_with_deviations(description: Description) -> list[Part]:
    """Return the layers with arrays that are standard deviations in files of old versions."""
    return [
        part
        for part in description.parts
        for role, rule in rules_of(part.kind).items()
        if rule is Rule.DEVIATION and part.array(role)
    ]


def holds_deviations(description: Description) -> bool:
    """Return whether ``running_std`` is a standard deviation: up to Keras 1.0.6, as far as is known.

    Raises:
        ArgumentError: If the user says a version that the record of a conversion contradicts.
    """
    if description.dialect == "keras0":
        return True
    if description.dialect != "keras1":
        return False
    old = bool(description.version) and description.version <= (1, 0, 6)
    network = description.record.network if description.record else None
    told = network.running_std if network else None
    if told == "variance" and old and description.version_said:
        if network and network.keras_version == description.keras_version:
            return False
        text = (
            f"a conversion has made variances of its running_std, so that Keras {description.keras_version}"
        )
        raise ArgumentError(f"{description.path}: {text} says nothing of them; leave keras_version out")
    return old


def becomes_variance(description: Description, dialect: str | None) -> bool:
    """Return whether deviations become variances: not where the new file says of itself that it is as old."""
    if not holds_deviations(description):
        return False
    return dialect is not None or (description.dialect == "keras1" and description.version_said)
