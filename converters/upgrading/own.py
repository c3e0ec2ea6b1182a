"""Classes and functions of somebody's own, as far as whoever draws a network has to know them.

The converter runs none of them and imports nothing for them: whoever calls it says, by name, what a class
gives and where its arrays go. :mod:`zoo.networks.own` asks Keras.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from converters.arrays.form import Shape
from converters.arrays.moves import Values as Array
from converters.upgrading.today import Settings, Sizes


@dataclass(frozen=True, kw_only=True)
class Coming:
    """What comes into a layer of somebody's own, and what it is.

    Attributes:
        name: What the layer is called.
        settings: Its configuration in the old model.
        shapes: The shape of each value that comes in, of a batch, in the old model's order of axes.
        masked: Whether steps of the first may be masked.
        arrays: The shapes of its arrays in the old file, in their order there.
        stepwise: Whether it lies in a TimeDistributed, which asks it for the shape that it gives.
    """

    name: str
    settings: Settings
    shapes: tuple[Sizes, ...]
    masked: bool
    arrays: tuple[Shape, ...]
    stepwise: bool = False


@dataclass(frozen=True, kw_only=True)
class Looked:
    """What a layer of somebody's own is today.

    Attributes:
        entry: The layer as today's configuration lists it: ``module``, ``class_name``, ``config`` and
            ``registered_name``.
        shapes: The shape of each value that it gives.
        arrays: Where its arrays lie below its group, in the order in which Keras 2 kept them.
        masked: Whether steps of what it gives are masked as those that come in.
        given: What it keeps besides, by its place there: the state of what draws random numbers.
    """

    entry: Mapping[str, Any]
    shapes: tuple[Sizes, ...]
    arrays: tuple[str, ...]
    masked: bool = False
    given: Mapping[str, Array] = field(default_factory=dict)


class OwnLayer(Protocol):
    """A class of layers of somebody's own, or what takes a layer's place."""

    @property
    def by_name(self) -> bool:
        """Whether it takes the place of the layer that is called so, not of those whose class is."""

    def look(self, coming: Coming) -> Looked:
        """Return what one of its layers is today.

        Args:
            coming: What the old layer is, and what flows into it.

        Raises:
            ValueError: If there can be none, with the reason.
        """


@dataclass(frozen=True, kw_only=True)
class OwnFunction:
    """A function of somebody's own: an activation, or what the Lambda layer of that name computes.

    Attributes:
        entry: The function as today's configuration has it; None if it has no name to be found by.
        layer: What takes the place of a Lambda layer.
    """

    entry: Mapping[str, Any] | None
    layer: OwnLayer | None = None


@dataclass(frozen=True, kw_only=True)
class OwnClass:
    """A class of layers of which its user says what has to be known, where no Keras is to be asked.

    Its configuration is passed on as it is, and its arrays in their order.

    Attributes:
        module: The module that it is imported from.
        class_name: What it is called there.
        shape: Returns the shape that a layer gives, by its configuration and the shapes that come in.
        by_name: Whether it takes the place of the layer that is called so, not of those whose class is.

    Examples:
        >>> import converters
        >>> own = converters.OwnClass(
        ...     module="mine.layers", class_name="Swish", shape=lambda settings, shapes: shapes[0]
        ... )
        >>> own.class_name
        'Swish'
    """

    module: str
    class_name: str
    shape: Callable[[Settings, Sequence[Sizes]], Sizes]
    by_name: bool = False

    def look(self, coming: Coming) -> Looked:
        """Return what one of its layers is today: see :class:`OwnLayer`."""
        config = {key: value for key, value in coming.settings.items() if key not in OF_INPUTS}
        return Looked(
            entry={
                "module": self.module,
                "class_name": self.class_name,
                "config": {**config, "name": coming.name},
                "registered_name": self.class_name,
            },
            shapes=(self.shape(coming.settings, coming.shapes),),
            arrays=tuple(f"vars/{number}" for number in range(len(coming.arrays))),
        )


OF_INPUTS = ("batch_input_shape", "input_dtype", "input_shape", "input_dim", "input_length")
"""Settings that older versions wrote of what comes into a layer, which the layers before it say today."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the user says of single layers.

    Attributes:
        own: The classes and functions of the user's own by their names in the old model, or what takes a
            layer's place by that layer's name.
        lambdas: What Lambda layers compute, by their names: expressions, or names of them.
    """

    own: Mapping[str, OwnLayer | OwnFunction] = field(default_factory=dict)
    lambdas: Mapping[str, str] = field(default_factory=dict)

    @property
    def places(self) -> tuple[str, ...]:
        """The names of layers whose places others take; a function may be an activation's name instead."""
        own = ((name, found) for name, found in self.own.items() if not isinstance(found, OwnFunction))
        return tuple(name for name, found in own if found.by_name)

    def layer(self, name: str, class_name: str) -> OwnLayer | None:
        """Return what the user says of a layer, by its name or by its class."""
        named = self.own.get(name)
        if isinstance(named, OwnFunction):
            named = named.layer if class_name == "Lambda" else None
        if named is not None and named.by_name:
            return named
        known = (self.own.get(called) for called in (class_name, class_name.rpartition(">")[2]))
        found = next((own for own in known if own is not None and not isinstance(own, OwnFunction)), None)
        return found if found is not None and not found.by_name else None

    def function(self, name: str) -> Mapping[str, Any] | None:
        """Return a function that the user knows, as today's configuration has it."""
        found = self.own.get(name)
        return found.entry if isinstance(found, OwnFunction) else None
