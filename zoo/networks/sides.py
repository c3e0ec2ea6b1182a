"""The images that a model takes: sides in pixels, or open, and channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from zoo.errors import ArgumentError
from zoo.numbers import is_whole
from zoo.registry.records import Architecture
from zoo.surgery.channels import RGB

Sides: TypeAlias = tuple[int | None, int | None, int | None]
"""The shape of one image; a side that is ``None`` may have any length."""


def ordered(sides: tuple[int | None, int | None, int], data_format: str) -> Sides:
    """Return height, width and channels in an order of channels."""
    height, width, channels = sides
    return (channels, height, width) if data_format == "channels_first" else (height, width, channels)


def checked_sides(
    network: Architecture, shape: Sequence[int | None] | None, data_format: str
) -> tuple[int | None, int | None, int]:
    """Return height, width and channels of the images that a model is to take.

    Args:
        network: The network.
        shape: The shape of one image as a user gives it, ``None`` for the published one.
        data_format: Where its channels are.

    Raises:
        ArgumentError: It is no shape, or the network takes no images that small.
    """
    published = network.input
    if shape is None:
        return published.height, published.width, RGB
    height, width, channels = _unordered(shape, data_format)
    lengths = [side for side in (height, width) if side is not None]
    if lengths and min(lengths) < published.min_size:
        if _is_in_the_other_order(shape, published.min_size, data_format):
            raise _no_shape(shape, data_format)
        smallest = ordered((published.min_size, published.min_size, channels), data_format)
        raise ArgumentError(f"input_shape={shape!r}: {network.name} takes images from {smallest} upwards")
    return height, width, channels


def _unordered(shape: Sequence[int | None], data_format: str) -> tuple[int | None, int | None, int]:
    """Return height, width and channels of a shape.

    Raises:
        ArgumentError: It is none.
    """
    if not isinstance(shape, (tuple, list)) or len(shape) != 3:
        raise _no_shape(shape, data_format)
    sides = shape[1:] if data_format == "channels_first" else shape[:2]
    channels = shape[0 if data_format == "channels_first" else 2]
    if not all(side is None or is_whole(side) for side in sides) or not is_whole(channels) or channels < 1:
        raise _no_shape(shape, data_format)
    height, width = (None if side is None else int(side) for side in sides)
    return height, width, int(channels)


def _is_in_the_other_order(shape: Sequence[int | None], smallest: int, data_format: str) -> bool:
    """Tell whether a shape makes sense if its channels are at the other end."""
    *rest, channels = shape if data_format == "channels_first" else reversed(shape)
    few = channels is not None and 1 <= channels <= RGB + 1
    return few and all(side is None or side >= smallest for side in rest)


def _no_shape(shape: object, data_format: str) -> ArgumentError:
    expected, other = "(H, W, 3)", "channels_first"
    if data_format == "channels_first":
        expected, other = "(3, H, W) with channels_first", "channels_last"
    sides = "H and W integers, or None for any"
    hint = f"data_format={other!r} is for the other order of axes"
    text = f"{expected}, {sides}, and 3 may be another number of channels; {hint}"
    return ArgumentError(f"input_shape={shape!r}: must be {text}")
