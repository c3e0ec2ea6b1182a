"""GoogLeNet: the first Inception network, with two auxiliary classifiers.

C. Szegedy et al., Going Deeper with Convolutions, 2014, as it was trained in Caffe. Caffe rounds the size of
a pooled map up; the published graph gets there by padding on all sides and cropping the first row and column.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import keras

from zoo.networks.families.drawing import Drawing, Neck, Pen
from zoo.networks.families.names import keras_name
from zoo.surgery.tensors import Tensor, operation

_POOLED_AFTER: Mapping[str, tuple[str, int]] = {
    "inception_3b": ("pool3/3x3_s2", 3),
    "inception_4e": ("pool4/3x3_s2", 4),
}
_HEAD_AFTER: Mapping[str, tuple[str, int]] = {"inception_4a": ("loss1", 1), "inception_4d": ("loss2", 2)}
_MAIN_HEAD = "loss3"


def draw(pen: Pen, images: Tensor, config: Mapping[str, Any], heads: Collection[str]) -> Drawing:
    """Draw GoogLeNet.

    Args:
        pen: Draws the layers.
        images: Symbolic images of rank 4.
        config: ``modules`` with six numbers of filters each (1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool
            projection), ``renamed`` for layers whose published name breaks the pattern.
        heads: Names of the heads to prepare, among ``loss1``, ``loss2``, ``loss3``.

    Returns:
        The last feature map, and what each head stands on.
    """
    x = _stem(pen, images)
    necks: dict[str, Neck] = {}
    for module, filters in config["modules"].items():
        output = f"{module}/output"
        x = _module(pen, x, module, filters, config["renamed"].get(output, output))
        if module in _POOLED_AFTER:
            x = _pool(pen, x, *_POOLED_AFTER[module])
        head, number = _HEAD_AFTER.get(module, ("", 0))
        if head in heads:
            necks[head] = _auxiliary_neck(pen, x, head, number)
    if _MAIN_HEAD in heads:
        pooled = pen.global_average(x, "pool5/7x7_s2")
        necks[_MAIN_HEAD] = Neck(tensor=pooled, dropout=0.4, dropout_name="dropout_3")
    return Drawing(features=x, necks=necks)


def _stem(pen: Pen, images: Tensor) -> Tensor:
    # Padded by a layer of its own: with stride 2 TensorFlow's "same" would shift the image by one pixel.
    x = pen.zero_pad(images, "conv1/zeropadding", 3)
    x = pen.conv(x, "conv1/7x7_s2", 64, 7, strides=2, activation="relu")
    x = _pool(pen, x, "pool1/3x3_s2", 1)
    x = _normalise(pen, x, "pool1/norm1")
    x = pen.conv(x, "conv2/3x3_reduce", 64, 1, activation="relu")
    x = pen.conv(x, "conv2/3x3", 192, 3, padding="same", activation="relu")
    x = _normalise(pen, x, "conv2/norm2")
    return _pool(pen, x, "pool2/3x3_s2", 2)


def _pool(pen: Pen, x: Tensor, name: str, number: int) -> Tensor:
    """Draw Caffe's 3x3 pooling with stride 2, whose last window may hang over the edge."""
    x = pen.zero_pad(x, f"zeropadding2d_{number}", 1)
    x = pen.crop_first(x, f"poolhelper_{number}")
    return pen.max_pool(x, name, 3, strides=2)


def _module(pen: Pen, x: Tensor, name: str, filters: Sequence[int], output: str) -> Tensor:
    """Draw one Inception module: 1x1, 3x3, 5x5 and pooled branches side by side."""
    one, three_reduce, three, five_reduce, five, projection = filters

    def conv(x: Tensor, branch: str, filters: int, size: int) -> Tensor:
        return pen.conv(x, f"{name}/{branch}", filters, size, padding="same", activation="relu")

    pooled = pen.max_pool(x, f"{name}/pool", 3, strides=1, padding="same")
    branches = [
        conv(x, "1x1", one, 1),
        conv(conv(x, "3x3_reduce", three_reduce, 1), "3x3", three, 3),
        conv(conv(x, "5x5_reduce", five_reduce, 1), "5x5", five, 5),
        conv(pooled, "pool_proj", projection, 1),
    ]
    return pen.concatenate(branches, output)


def _auxiliary_neck(pen: Pen, x: Tensor, head: str, number: int) -> Neck:
    """Draw what stands between a feature map halfway up and an auxiliary classifier."""
    x = pen.average_pool(x, f"{head}/ave_pool", 5, strides=3)
    x = pen.conv(x, f"{head}/conv", 128, 1, activation="relu")
    x = pen.flatten(x, f"flatten_{number}")
    x = pen.dense(x, f"{head}/fc", 1024, activation="relu")
    return Neck(tensor=x, dropout=0.7, dropout_name=f"dropout_{number}")


def _normalise(pen: Pen, x: Tensor, name: str) -> Tensor:
    """Draw local response normalisation across five neighbouring channels.

    Each value is divided by (1 + 1e-4 / 5 * s) ** 0.75, with s the sum of squares of its channel and the two
    on either side (section 3.3 of Krizhevsky et al., 2012, with the constants of the published network).
    Written with Keras' own layers alone, so that a saved model opens without one of ours, and a .h5 file too:
    it keeps nothing of an operation that is no layer but a name under which Keras looks for a layer.
    """
    own = keras_name(name)
    squares = keras.layers.Multiply(name=f"{own}__squares")([x, x])
    total = _sum_of_neighbours(pen, squares, own)
    base = keras.layers.Rescaling(1e-4 / 5, offset=1.0, name=f"{own}__base")(total)
    # base ** -0.75 is base ** -0.5 times the root of it.
    root = keras.layers.Activation(operation(keras.ops.rsqrt), name=f"{own}__root")(base)
    fourth = keras.layers.Activation(operation(keras.ops.sqrt), name=f"{own}__fourth_root")(root)
    return keras.layers.Multiply(name=own)([x, root, fourth])


def _sum_of_neighbours(pen: Pen, x: Tensor, name: str) -> Tensor:
    """Draw the sum over each channel and the two on either side, zeros beyond the first and the last."""
    layers, first = keras.layers, pen.channel_axis == 1
    # Padding and cropping work on the two axes of space, in the order of channels that the network has: the
    # channels take the place of one of them.
    turned = layers.Permute((2, 3, 1) if first else (3, 1, 2), name=f"{name}__turned")(x)

    def margins(before: int, after: int) -> tuple[tuple[int, int], tuple[int, int]]:
        return ((0, 0), (before, after)) if first else ((before, after), (0, 0))

    order = {"data_format": pen.data_format}
    padded = layers.ZeroPadding2D(margins(2, 2), **order, name=f"{name}__padded")(turned)
    shifted = [
        layers.Cropping2D(margins(start, 4 - start), **order, name=f"{name}__shifted_{start}")(padded)
        for start in range(5)
    ]
    total = layers.Add(name=f"{name}__sum")(shifted)
    return layers.Permute((3, 1, 2) if first else (2, 3, 1), name=f"{name}__turned_back")(total)
