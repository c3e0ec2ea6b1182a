"""VGG: blocks of 3x3 convolutions, each ending in a pooling layer, and two dense layers of 4,096.

K. Simonyan and A. Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, 2014.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from zoo.networks.families.drawing import AutoNames, Drawing, Neck, Pen
from zoo.surgery.tensors import Tensor


def draw(pen: Pen, images: Tensor, config: Mapping[str, Any], heads: Collection[str]) -> Drawing:
    """Draw a VGG network.

    Args:
        pen: Draws the layers.
        images: Symbolic images of rank 4.
        config: ``convolutions`` and ``filters`` of each block, units of the ``dense`` layers, the rate of the
            ``dropout`` behind each of them.
        heads: Names of the heads to prepare, one or none.

    Returns:
        The last pooled map, and what the head stands on: the second dense layer.
    """
    names = AutoNames("keras1")
    x = images
    for convolutions, filters in zip(config["convolutions"], config["filters"], strict=True):
        for _ in range(convolutions):
            x = pen.zero_pad(x, names.next("zero_pad"), 1)
            x = pen.conv(x, names.next("conv"), filters, 3, activation="relu")
        x = pen.max_pool(x, names.next("max_pool"), 2, strides=2)
    return Drawing(features=x, necks={head: _neck(pen, names, x, config) for head in heads})


def _neck(pen: Pen, names: AutoNames, features: Tensor, config: Mapping[str, Any]) -> Neck:
    """Draw the dense layers; the dropout behind the last one is left to the head."""
    rate = config["dropout"]
    x = pen.flatten(features, names.next("flatten"))
    *hidden, last = config["dense"]
    for units in hidden:
        x = pen.dense(x, names.next("dense"), units, activation="relu")
        x = pen.dropout(x, names.next("dropout"), rate)
    x = pen.dense(x, names.next("dense"), last, activation="relu")
    return Neck(tensor=x, dropout=rate, dropout_name=names.next("dropout"))
