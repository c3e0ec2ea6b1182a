"""A network of three layers and images of eight pixels a side, so that training takes a second."""

from __future__ import annotations

import keras
import numpy as np

from zoo.finetuning.data import from_arrays
from zoo.finetuning.division import split
from zoo.finetuning.pictures import Pictures
from zoo.practice.digits import digits

SIDE = 16
OPTIONS = {"preprocessing": "none", "cache": False, "augmentation": False}


def small_network(
    classes: int = 10, *, dropout: float = 0.0, data_format: str = "channels_last", seed: int = 0
) -> keras.Model:
    """Return a convolutional network for images (16, 16, 3) with values 0 to 255, drawn from a seed."""
    layers = keras.layers
    axis = 1 if data_format == "channels_first" else 3

    def drawn(place: int) -> keras.Initializer:
        return keras.initializers.HeNormal(seed=100 * seed + place)

    images = keras.Input((3, SIDE, SIDE) if axis == 1 else (SIDE, SIDE, 3), name="images")
    x = layers.Rescaling(1 / 128, offset=-1)(images)
    x = layers.Conv2D(
        12, 3, strides=2, padding="same", data_format=data_format, kernel_initializer=drawn(1), name="first"
    )(x)
    x = layers.BatchNormalization(axis=axis, name="norm")(x)
    x = layers.ReLU(name="rectified")(x)
    x = layers.Conv2D(
        24, 3, strides=2, padding="same", data_format=data_format, kernel_initializer=drawn(2), name="second"
    )(x)
    x = layers.ReLU(name="rectified_too")(x)
    if axis == 1:
        x = layers.Permute((2, 3, 1))(x)
    x = layers.Flatten(name="flat")(x)
    if dropout:
        x = layers.Dropout(dropout, name="dropped")(x)
    logits = layers.Dense(classes, kernel_initializer=drawn(3), name="classes")(x)
    return keras.Model(images, layers.Activation("softmax", name="probabilities")(logits), name="small")


def some_digits(count: int = 300, seed: int = 0) -> Pictures:
    """Return handwritten digits of 16 pixels a side."""
    images, labels = digits(count, side=SIDE, seed=seed)
    return from_arrays(images, labels, classes=[str(digit) for digit in range(10)])


def divided_digits(count: int = 300) -> tuple[Pictures, Pictures]:
    """Return digits to train on and digits to validate with."""
    return split(some_digits(count), 0.3, seed=0)


def weights_of(model: keras.Model) -> dict[str, list[np.ndarray]]:
    """Return a copy of the weights of each layer that has any."""
    return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}


def same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    """Tell whether two lists of arrays are equal bit for bit."""
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
