"""Preprocessing as Keras layers inside a model, so that a saved one takes images as they are."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
import numpy as np

from zoo.calling import public
from zoo.errors import ArgumentError
from zoo.registry import architecture
from zoo.registry.records import Preprocessing
from zoo.surgery.channels import PREPROCESSING_LAYER, RGB, check_channels, kind_of_images, recipe_for
from zoo.surgery.graph import Operation, check_drawn, redraw
from zoo.surgery.tensors import DataFormat, Tensor, operation


def draw_preprocessing(
    images: Tensor, recipe: Preprocessing, channel_axis: int, name: str = PREPROCESSING_LAYER
) -> Tensor:
    """Draw what turns images with values 0 to 255 into what a network was trained on.

    Standard layers only, so that a saved model opens without this package. ``Rescaling`` and not
    ``Normalization``, the numbers of which tf2onnx takes for inputs of the model.

    Args:
        images: Symbolic images of rank 4.
        recipe: What is to be done: ``(image - mean) * scale`` for each channel, in the order RGB or BGR.
            Images that are not RGB have one of their own (:func:`zoo.surgery.channels.recipe_for`).
        channel_axis: 1 or 3.
        name: Of the layer.

    Returns:
        Symbolic images of the same shape.
    """
    if recipe.channel_order == "bgr":
        flip = operation(partial(keras.ops.flip, axis=channel_axis), rank=4)
        images = keras.layers.Activation(flip, name="rgb_to_bgr")(images)
    scale, offset = _scale_and_offset(recipe)
    layer = keras.layers.Rescaling(
        _by_channel(scale, channel_axis), _by_channel(offset, channel_axis), name=name
    )
    return layer(images)


def _scale_and_offset(recipe: Preprocessing) -> tuple[list[float], list[float]]:
    """Return what images are multiplied by, and what is added then: (x - mean) * scale for each channel."""
    scale = list(recipe.scale)
    return scale, [-mean * factor for mean, factor in zip(recipe.mean, scale, strict=True)]


def _by_channel(numbers: list[float], channel_axis: int) -> list[Any]:
    """Return numbers in the shape (C, 1, 1) or (1, 1, C); one axis Keras would place by its default order."""
    return np.reshape(numbers, (-1, 1, 1) if channel_axis == 1 else (1, 1, -1)).tolist()


def is_drawn_recipe(layer: keras.Layer, recipe: Preprocessing) -> bool:
    """Tell whether a layer is what :func:`draw_preprocessing` drew for a recipe, by its name and numbers.

    Models of before that were drawn with a ``Normalization`` layer, which is known by its numbers too.
    """
    if layer.name != PREPROCESSING_LAYER:
        return False
    wanted: tuple[Sequence[float], Sequence[float]]
    if isinstance(layer, keras.layers.Normalization):
        drawn = (layer.input_mean, layer.input_variance)
        wanted = (recipe.mean, [scale**-2 for scale in recipe.scale])
    elif isinstance(layer, keras.layers.Rescaling):
        drawn, wanted = (layer.scale, layer.offset), _scale_and_offset(recipe)
    else:
        return False
    return all(
        one is not None and np.size(one) == np.size(other) and np.allclose(np.ravel(one), other)
        for one, other in zip(drawn, wanted, strict=True)
    )


@public("data_format", "channels")
def with_preprocessing(
    model: keras.Model,
    recipe: str | Preprocessing,
    *,
    data_format: DataFormat | None = None,
    channels: int = RGB,
) -> keras.Model:
    """Return a model that takes RGB images with values 0 to 255, integers or not.

    Nothing is resized: the images have the size that the model takes.

    Args:
        model: A functional or ``Sequential`` model of one input, which takes preprocessed images. It stays as
            it is.
        recipe: Name of the architecture whose recipe it is, for example ``densenet161``, or the recipe.
        data_format: Order of the model's channels; ``None`` tells it by the axis that is ``channels`` long.
        channels: Of the images, as in :func:`zoo.preprocess_input`.

    Returns:
        A functional model with layers and weights of its own, named as before. It is not compiled.

    Raises:
        UnknownNameError: There is no such architecture.
        ArgumentError: The model does not take one batch of images with so many channels.

    Examples:
        >>> import keras
        >>> import zoo
        >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten()])
        >>> raw = zoo.with_preprocessing(model, "inception_v3")  # 0 to 255 becomes -1 to 1
        >>> float(raw(255 * keras.ops.ones((1, 8, 8, 3)))[0, 0])
        1.0
    """
    check_drawn(model)
    axis = _channel_axis(model, data_format, check_channels(channels))
    known = recipe if isinstance(recipe, Preprocessing) else architecture(recipe).recipe
    found = recipe_for(known, channels)
    taken = {layer.name for layer in model.layers}
    numbered = (f"{PREPROCESSING_LAYER}_{number}" for number in itertools.count(2))
    name = next(one for one in itertools.chain([PREPROCESSING_LAYER], numbered) if one not in taken)
    prepared: dict[int, Tensor] = {}

    def through(tensor: Any) -> Any:  # noqa: ANN401 - an argument of a layer
        is_tensor = isinstance(tensor, keras.KerasTensor)
        if not is_tensor or not isinstance(tensor._keras_history.operation, keras.layers.InputLayer):
            return tensor
        if id(tensor) not in prepared:
            prepared[id(tensor)] = draw_preprocessing(tensor, found, axis, name)
        return prepared[id(tensor)]

    def call(operation: Operation, *args: Any, **kwargs: Any) -> Tensor:  # noqa: ANN401 - a layer's own
        return operation(*keras.tree.map_structure(through, args), **kwargs)

    return redraw(model, call)


def _channel_axis(model: keras.Model, data_format: DataFormat | None, channels: int) -> int:
    shapes = [tuple(tensor.shape) for tensor in model.inputs]
    axes = {"channels_first": (1,), "channels_last": (3,), None: (3, 1)}
    if data_format not in axes:
        raise ArgumentError(
            f"data_format={data_format!r}: must be 'channels_first', 'channels_last' or None (by the shape)"
        )
    fitting = [axis for axis in axes[data_format] if len(shapes[0]) == 4 and shapes[0][axis] == channels]
    if len(shapes) != 1 or not fitting:
        taken = " and ".join(map(str, shapes))
        raise ArgumentError(
            f"model {model.name!r} takes {taken}: must take one batch of {kind_of_images(channels)}"
        )
    return fitting[0]
