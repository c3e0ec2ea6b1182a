"""The size of images that a network is asked to take, without Keras."""

from __future__ import annotations

from zoo.errors import ArgumentError
from zoo.finetuning.pictures import Size
from zoo.numbers import is_whole
from zoo.registry.records import Architecture


def size_of(network: Architecture, asked: int | tuple[int, int] | None) -> Size:
    """Return height and width in pixels: those asked for, or the published ones.

    Args:
        network: The network, with the images of the weights in question
            (:func:`zoo.networks.weights.as_trained`).
        asked: Side, or height and width, as a user gives them.

    Raises:
        ArgumentError: They are no sizes, or smaller than the network takes.
    """
    if asked is None:
        return network.input.height, network.input.width
    sides = (asked, asked) if is_whole(asked) else asked
    if not isinstance(sides, tuple | list) or len(sides) != 2 or not all(is_whole(side) for side in sides):
        raise ArgumentError(f"input_size={asked!r}: must be a number of pixels, or height and width")
    if min(sides) < network.input.min_size:
        raise ArgumentError(
            f"input_size={asked!r}: {network.name} takes images from {network.input.min_size} pixels upwards"
        )
    return int(sides[0]), int(sides[1])
