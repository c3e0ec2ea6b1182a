"""Images into the form that a network was trained on, and its outputs back into names of classes.

NumPy only: images can be prepared where no framework is installed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from converters.errors import warn
from zoo.calling import public
from zoo.errors import ArgumentError
from zoo.fetching.fetcher import fetch_class_index
from zoo.numbers import is_whole
from zoo.registry import architecture, weights_files
from zoo.registry.records import Architecture, Preprocessing
from zoo.surgery.channels import RGB, check_channels, kind_of_images, recipe_for
from zoo.surgery.tensors import DataFormat

Prediction = tuple[str, str, float]
"""WordNet identifier, name of the class, probability."""


@public("data_format", "channels")
def preprocess_input(
    name: str,
    images: ArrayLike,
    data_format: DataFormat = "channels_last",
    *,
    channels: int = RGB,
    weights: str | None = None,
) -> NDArray[np.float32]:
    """Return images as the published weights of a network expect them.

    Every network has its own recipe: ``(image - mean) * scale`` for each channel, in the order RGB or BGR.
    Nothing is resized.

    Args:
        name: Name of an architecture, for example ``densenet161``.
        images: RGB images with values 0 to 255 of any integer or float type, of shape (N, H, W, 3) or (H, W,
            3); (N, 3, H, W) or (3, H, W) for ``channels_first``. Never modified.
        data_format: Where the channels are, in the images and in the result.
        channels: Of the images, for a model that :func:`zoo.load` made for so many (shapes are then (N, H, W,
            channels) and so on). With 1 mean and scale are the means of those of the three colours. With
            other numbers than 3 channel i has those of red, green or blue (i mod 3), and the channels stay
            in the order that they come in.
        weights: The weights set that they are for, which may have a recipe of its own; by default the
            network's.

    Returns:
        A new array of the same shape, float32.

    Raises:
        UnknownNameError: There is no such architecture or weights set.
        ArgumentError: The images have another shape, or are not numbers.

    Warns:
        ConversionWarning: The images are floats from 0 to 1, and so most likely divided by 255 already; they
            are taken as they are. It is said once.

    Examples:
        >>> import numpy as np
        >>> import zoo
        >>> red = np.full((1, 224, 224, 3), (255, 0, 0), np.uint8)
        >>> zoo.preprocess_input("inception_v3", red)[0, 0, 0].tolist()
        [1.0, -1.0, -1.0]
    """
    network = architecture(name)
    if weights is not None:
        weights_files(network, weights)
    recipe = recipe_for(network.with_images_of(weights).recipe, check_channels(channels))
    given = np.asarray(images)
    prepared = apply_recipe(recipe, given, data_format)
    warn_of_scale(given, stacklevel=2)
    return prepared


def warn_of_scale(images: NDArray[Any], *, stacklevel: int = 1) -> None:
    """Warn, once in a process, of images with values 0 to 1 where 0 to 255 are expected.

    Args:
        images: Images of any shape. Integers and images that are all black are not suspected.
        stacklevel: Whose line the warning shows: 1 is that of the function that calls this one.

    Raises:
        ConversionWarning: If the user has made these warnings errors.
    """
    if not np.issubdtype(images.dtype, np.floating) or images.size == 0:
        return
    if _SCALE in _SAID or not (0 < images.max() <= 1 and images.min() >= 0):
        return
    text = "images have values from 0 to 1, and are taken as they are: 0 to 255 is expected; multiply by 255"
    warn(text, stacklevel=stacklevel + 1)
    _SAID.add(_SCALE)


_SCALE = "the scale of images"
_SAID: set[str] = set()
"""What has been said in this process, and is not said again."""


def apply_recipe(
    recipe: Preprocessing, images: ArrayLike, data_format: DataFormat = "channels_last"
) -> NDArray[np.float32]:
    """Do what :func:`preprocess_input` does, by a recipe.

    Args:
        recipe: What is to be done; it has a mean for each channel of the images.
        images: As there.
        data_format: As there.

    Raises:
        ArgumentError: The images have another shape, or are not numbers.
    """
    axis = _channel_axis(data_format)
    # A copy in float32 before anything is subtracted: uint8 would wrap around.
    prepared = np.array(_checked(np.asarray(images), axis, len(recipe.mean)), dtype=np.float32, order="C")
    if recipe.channel_order == "bgr":
        prepared = np.ascontiguousarray(np.flip(prepared, axis))
    prepared -= _by_channel(recipe.mean, axis)
    prepared *= _by_channel(recipe.scale, axis)
    return prepared


@public("top")
def decode_predictions(name: str, predictions: ArrayLike, top: int = 5) -> list[list[Prediction]]:
    """Name the classes that a network with its published head finds most probable.

    The names come from the network's class index, which is fetched and verified on first use. Outputs that
    stand before its first class (Inception-V4's output 0) are called ``background`` and have no WordNet
    identifier. Nor have the classes of a network that a user added with their names.

    Args:
        name: Name of an architecture.
        predictions: Probabilities of one head, of shape (N, classes).
        top: How many classes to name for each image.

    Returns:
        For each image, ``top`` tuples (WordNet identifier, class, probability), the most probable first.

    Raises:
        UnknownNameError: There is no such architecture.
        ArgumentError: The predictions are not of this network's published head, or ``top`` is not a count.
        DownloadError: The class index cannot be had.
    """
    network = architecture(name)
    rows = _checked_predictions(np.asarray(predictions), network)
    if not is_whole(top) or not 1 <= top <= network.classes:
        raise ArgumentError(f"top={top!r}: must be an integer from 1 to {network.classes}")
    labels = _labels(network)
    # A stable sort, so that equal probabilities come in the order of the classes.
    best = np.argsort(-rows, axis=1, kind="stable")[:, :top]
    return [
        [(*labels[place], float(row[place])) for place in places]
        for row, places in zip(rows, best, strict=True)
    ]


def _channel_axis(data_format: DataFormat) -> int:
    """Return the axis of the channels, counted from the end."""
    axes = {"channels_last": -1, "channels_first": -3}
    if data_format not in axes:
        raise ArgumentError(f"data_format={data_format!r}: must be 'channels_last' or 'channels_first'")
    return axes[data_format]


def _checked(images: NDArray[Any], axis: int, channels: int) -> NDArray[Any]:
    if not (np.issubdtype(images.dtype, np.integer) or np.issubdtype(images.dtype, np.floating)):
        raise ArgumentError(f"images are {images.dtype}: must be integers or floats from 0 to 255")
    if images.ndim not in (3, 4) or images.shape[axis] != channels:
        expected, other = f"(N, H, W, {channels}) or (H, W, {channels})", "channels_first"
        if axis == -3:
            expected, other = f"(N, {channels}, H, W) or ({channels}, H, W)", "channels_last"
        kind = "RGB" if channels == RGB else kind_of_images(channels)
        hint = f"; data_format={other!r} is for the other order of axes"
        raise ArgumentError(f"images have shape {images.shape}: must be {kind}, {expected}{hint}")
    return images


def _by_channel(values: Sequence[float], axis: int) -> NDArray[np.float32]:
    """Return a number for each channel in a shape that broadcasts along them."""
    shape = [1, 1, 1]
    shape[axis] = len(values)
    return np.array(values, np.float32).reshape(shape)


def _checked_predictions(predictions: NDArray[Any], network: Architecture) -> NDArray[Any]:
    if predictions.ndim == 2 and predictions.shape[1] == network.classes:
        return predictions
    message = (
        f"predictions have shape {predictions.shape}: must be (N, {network.classes}), what {network.name}"
    )
    if predictions.ndim == 3:
        message += (
            " gives for one of its heads; pass the outputs of one head, predictions[-1] for the main one"
        )
    elif predictions.ndim == 2:
        message += " gives with its published head; the classes of another head are known to you alone"
    else:
        message += " gives for N images"
    raise ArgumentError(message)


def _labels(network: Architecture) -> list[tuple[str, str]]:
    """Return (WordNet identifier, name) for each output."""
    network.check_named()
    if network.class_index is None:
        return [("", name) for name in network.class_names]
    index = json.loads(fetch_class_index(network.class_index).read_text("utf-8"))
    classes = [tuple(index[str(place)]) for place in range(len(index))]
    return [("", "background")] * network.class_offset + classes
