"""Images into the form that a network was trained on, and its outputs back into names of classes.

NumPy only: images can be prepared where no framework is installed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zoo.calling import public
from zoo.errors import ArgumentError
from zoo.fetching.fetcher import fetch_class_index
from zoo.numbers import is_whole
from zoo.registry import architecture
from zoo.registry.records import Architecture, Preprocessing
from zoo.surgery.tensors import DataFormat

Prediction = tuple[str, str, float]
"""WordNet identifier, name of the class, probability."""


@public("data_format")
def preprocess_input(
    name: str, images: ArrayLike, data_format: DataFormat = "channels_last"
) -> NDArray[np.float32]:
    """Return images as the published weights of a network expect them.

    Every network has its own recipe: ``(image - mean) * scale`` for each channel, in the order RGB or BGR.
    Nothing is resized.

    Args:
        name: Name of an architecture, for example ``densenet161``.
        images: RGB images with values 0 to 255 of any integer or float type, of shape (N, H, W, 3) or (H, W,
            3); (N, 3, H, W) or (3, H, W) for ``channels_first``. Never modified.
        data_format: Where the channels are, in the images and in the result.

    Returns:
        A new array of the same shape, float32.

    Raises:
        UnknownNameError: There is no such architecture.
        ArgumentError: The images have another shape, or are not numbers.

    Examples:
        >>> import numpy as np
        >>> import zoo
        >>> red = np.full((1, 224, 224, 3), (255, 0, 0), np.uint8)
        >>> zoo.preprocess_input("inception_v3", red)[0, 0, 0].tolist()
        [1.0, -1.0, -1.0]
    """
    return apply_recipe(architecture(name).preprocessing, images, data_format)


def apply_recipe(
    recipe: Preprocessing, images: ArrayLike, data_format: DataFormat = "channels_last"
) -> NDArray[np.float32]:
    """Do what :func:`preprocess_input` does, by a recipe.

    Args:
        recipe: What is to be done.
        images: As there.
        data_format: As there.

    Raises:
        ArgumentError: The images have another shape, or are not numbers.
    """
    axis = _channel_axis(data_format)
    # A copy in float32 before anything is subtracted: uint8 would wrap around.
    prepared = np.array(_checked(np.asarray(images), axis), dtype=np.float32, order="C")
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
    identifier.

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


def _checked(images: NDArray[Any], axis: int) -> NDArray[Any]:
    if not (np.issubdtype(images.dtype, np.integer) or np.issubdtype(images.dtype, np.floating)):
        raise ArgumentError(f"images are {images.dtype}: must be integers or floats from 0 to 255")
    if images.ndim not in (3, 4) or images.shape[axis] != 3:
        expected, other = "(N, H, W, 3) or (H, W, 3)", "channels_first"
        if axis == -3:
            expected, other = "(N, 3, H, W) or (3, H, W)", "channels_last"
        hint = f"; data_format={other!r} is for the other order of axes"
        raise ArgumentError(f"images have shape {images.shape}: must be RGB, {expected}{hint}")
    return images


def _by_channel(values: Sequence[float], axis: int) -> NDArray[np.float32]:
    """Return three numbers in a shape that broadcasts along the channels."""
    shape = [1, 1, 1]
    shape[axis] = 3
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
    index = json.loads(fetch_class_index(network.class_index).read_text("utf-8"))
    classes = [tuple(index[str(place)]) for place in range(len(index))]
    return [("", "background")] * network.class_offset + classes
