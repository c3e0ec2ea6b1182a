"""Draws a tiny network: convolutions of stride 2, each normalised, their mean over space, a classifier."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import keras
from keras import layers


def draw(
    pen: object, images: keras.KerasTensor, config: Mapping[str, Any], heads: Collection[str]
) -> keras.Model:
    """Draw a network on symbolic images.

    Args:
        pen: Draws the zoo's own families; Keras' layers do as well.
        images: Of shape (N, H, W, channels).
        config: The numbers, checked: ``filters`` and ``dropout``.
        heads: Names of the heads that are wanted, one or none.

    Returns:
        A model with its classifier, or up to its last feature map where no head is wanted.
    """
    del pen
    x = images
    for number, filters in enumerate(config["filters"], start=1):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False, name=f"conv{number}")(x)
        x = layers.BatchNormalization(epsilon=1e-3, name=f"bn{number}")(x)
        x = layers.ReLU(name=f"relu{number}")(x)
    if heads:
        x = layers.GlobalAveragePooling2D(name="pool")(x)
        x = layers.Dropout(config["dropout"], name="dropout")(x)
        x = layers.Dense(10, activation="softmax", name="classes")(x)
    return keras.Model(images, x)
