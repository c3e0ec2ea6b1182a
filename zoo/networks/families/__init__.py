"""One builder for each family of networks, drawn with Keras' own layers.

This package imports no framework; a family's module, which does, is imported when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.networks.families.drawing import Drawing, Pen
    from zoo.surgery.tensors import Tensor

    Draw = Callable[[Pen, Tensor, Mapping[str, Any], Collection[str]], Drawing]

FAMILIES: Mapping[str, str] = {
    "densenet": "zoo.networks.families.densenet",
    "googlenet": "zoo.networks.families.googlenet",
    "inception_v3": "zoo.networks.families.inception_v3",
    "inception_v4": "zoo.networks.families.inception_v4",
    "resnet": "zoo.networks.families.resnet",
    "vgg": "zoo.networks.families.vgg",
}


def builder(family: str) -> Draw:
    """Import a family's module and return its ``draw`` function.

    Args:
        family: A key of ``FAMILIES``.

    Returns:
        ``draw(pen, images, config, heads)``, which draws the network on the symbolic tensor ``images`` up to
        the dense layers of the named ``heads``, from the numbers of a graph's ``config``.

    Raises:
        KeyError: There is no such family; a validated registry names no other.
    """
    module = import_module(FAMILIES[family])
    draw: Draw = module.draw
    return draw
