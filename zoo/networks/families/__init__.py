"""One builder for each family of networks, drawn with Keras' own layers.

This package imports no framework; a family's module, which does, is imported when it is asked for. What else
there is to know of a family is in its record, in :data:`zoo.registry.families.FAMILIES`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from zoo.registry.families import FAMILIES, builder_of

if TYPE_CHECKING:
    import keras

    from zoo.networks.families.drawing import Drawing, Pen
    from zoo.surgery.tensors import Tensor

    Build = Callable[[Pen, Tensor, Mapping[str, Any], Collection[str]], Drawing | keras.Model]

__all__ = ["FAMILIES", "builder"]


def builder(family: str) -> Build:
    """Import a family's module and return its builder.

    Args:
        family: A key of ``FAMILIES``, or the name of a plug-in's family.

    Returns:
        ``build(pen, images, config, heads)``, which draws the network on the symbolic tensor ``images`` from
        the numbers of a graph's ``config``: up to the dense layers of the named ``heads`` as a
        :class:`zoo.networks.families.drawing.Drawing`, or as a whole model with these heads in it, whose
        output without any is the last feature map.

    Raises:
        KeyError: There is no such family; a validated registry names no other.
        RegistryError: It is a plug-in's, and cannot be imported.
    """
    build: Build = builder_of(family)
    return build
