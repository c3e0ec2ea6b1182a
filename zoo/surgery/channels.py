"""Images that are not RGB: first kernels and preprocessing for another number of channels.

NumPy only. What becomes of the kernels is what timm does (``adapt_input_conv`` in
``timm/models/_manipulate.py``): for one channel they are summed over the colours; for n channels the kernel
of channel i is that of colour i mod 3 (red, green, blue, red, ...), times 3 / n, so that what goes in adds up
to as much as before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from converters.errors import counted
from zoo.errors import ArgumentError
from zoo.numbers import is_whole
from zoo.registry.records import Preprocessing

RGB = 3
_COLOURS = ("red", "green", "blue")

PREPROCESSING_LAYER = "preprocessing"
"""What the layer is called that does it inside a model, unless that has another one of that name."""


def check_channels(channels: int) -> int:
    """Return a number of channels.

    Raises:
        ArgumentError: It is none.
    """
    if not is_whole(channels) or channels < 1:
        raise ArgumentError(f"channels={channels!r}: must be an integer from 1")
    return int(channels)


def kind_of_images(channels: int) -> str:
    """Return what images of so many channels are called."""
    if channels == RGB:
        return "RGB images"
    return f"images of {counted(channels, 'channel')}"


def recipe_for(recipe: Preprocessing, channels: int) -> Preprocessing:
    """Return a recipe for images of another number of channels, in the order that they come in.

    Args:
        recipe: That of RGB images.
        channels: Of the images. For one channel, mean and scale are the means of those of the three colours;
            for several, channel i has those of colour i mod 3.

    Returns:
        A recipe whose ``mean`` and ``scale`` have an entry for each channel; the same recipe for 3.
    """
    if channels == RGB:
        return recipe
    mean, scale = (_for_channels(_in_rgb(values, recipe), channels) for values in (recipe.mean, recipe.scale))
    triple = cast("tuple[float, float, float]", mean), cast("tuple[float, float, float]", scale)
    return replace(recipe, channel_order="rgb", mean=triple[0], scale=triple[1])


def kernel_for(
    kernel: NDArray[np.float32], channels: int, recipe: Preprocessing
) -> NDArray[np.float32] | None:
    """Return what a kernel of RGB images becomes for images of another number of channels.

    Args:
        kernel: Of shape (H, W, 3, filters), its channels in the order of the recipe.
        channels: Of the images.
        recipe: That of RGB images.

    Returns:
        Of shape (H, W, channels, filters); ``None`` if the kernel does not read three channels.
    """
    if kernel.ndim != 4 or kernel.shape[2] != RGB:
        return None
    rgb = kernel[:, :, ::-1] if recipe.channel_order == "bgr" else kernel
    if channels == 1:
        summed: NDArray[np.float32] = np.asarray(
            np.sum(rgb, axis=2, keepdims=True, dtype=np.float64), np.float32
        )
        return summed
    repeated = rgb[:, :, [place % RGB for place in range(channels)]]
    scaled: NDArray[np.float32] = (repeated * np.float32(RGB / channels)).astype(np.float32)
    return scaled


def said_of(layer: str, channels: int) -> str:
    """Return what :func:`kernel_for` did, for people."""
    if channels == 1:
        return f"the kernel of layer {layer!r} for RGB images is summed over the colours, for one channel"
    shown = ", ".join(_COLOURS[place % RGB] for place in range(min(channels, RGB + 1)))
    more = ", ..." if channels > RGB + 1 else ""
    repeated = f"the kernel of layer {layer!r} for RGB images is repeated for {channels} channels"
    return f"{repeated} ({shown}{more}) and multiplied by 3/{channels}"


def _in_rgb(values: Sequence[float], recipe: Preprocessing) -> Sequence[float]:
    return values[::-1] if recipe.channel_order == "bgr" else values


def _for_channels(values: Sequence[float], channels: int) -> tuple[float, ...]:
    if channels == 1:
        return (sum(values) / RGB,)
    return tuple(values[place % RGB] for place in range(channels))
