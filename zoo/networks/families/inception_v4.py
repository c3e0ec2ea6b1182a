"""Inception V4.

C. Szegedy, S. Ioffe, V. Vanhoucke and A. Alemi, Inception-v4, Inception-ResNet and the Impact of Residual
Connections on Learning, 2016.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from zoo.networks.families.drawing import AutoNames, Drawing, Neck, Pen
from zoo.networks.families.inception import Units
from zoo.surgery.tensors import Tensor


def draw(pen: Pen, images: Tensor, config: Mapping[str, Any], heads: Collection[str]) -> Drawing:
    """Draw Inception V4.

    Args:
        pen: Draws the layers.
        images: Symbolic images of rank 4.
        config: ``naming`` (``keras1`` or ``keras2``), ``blocks`` (numbers of A, B and C modules),
            ``batch_norm_scale``, ``dropout`` before the head.
        heads: Names of the heads to prepare, one or none.

    Returns:
        The last feature map, and what the head stands on: its mean over space.
    """
    names = AutoNames(config["naming"])
    units = Units(pen=pen, names=names, bias=False, scale=config["batch_norm_scale"], relu_first=False)
    modules_a, modules_b, modules_c = config["blocks"]
    x = _stem(units, images)
    for _ in range(modules_a):
        x = _module_a(units, x)
    x = _reduction_a(units, x)
    for _ in range(modules_b):
        x = _module_b(units, x)
    x = _reduction_b(units, x)
    for _ in range(modules_c):
        x = _module_c(units, x)
    return Drawing(features=x, necks={head: _neck(units, x, config["dropout"]) for head in heads})


def _neck(units: Units, features: Tensor, rate: float) -> Neck:
    pooled = units.pen.global_average(features, units.names.next("average_pool"))
    return Neck(tensor=pooled, dropout=rate, dropout_name=units.names.next("dropout"))


def _stem(units: Units, x: Tensor) -> Tensor:
    x = units.shrink(x, 32)
    x = units.conv(x, (32, 3, 3), padding="valid")
    x = units.conv(x, (64, 3, 3))
    x = units.concatenate([units.max_pool(x), units.shrink(x, 96)])
    branches = [
        units.conv(units.conv(x, (64, 1, 1)), (96, 3, 3), padding="valid"),
        units.conv(units.chain(x, (64, 1, 1), (64, 1, 7), (64, 7, 1)), (96, 3, 3), padding="valid"),
    ]
    x = units.concatenate(branches)
    return units.concatenate([units.shrink(x, 192), units.max_pool(x)])


def _module_a(units: Units, x: Tensor) -> Tensor:
    """Draw a module of the 35x35 grid."""
    branches = [
        units.conv(x, (96, 1, 1)),
        units.chain(x, (64, 1, 1), (96, 3, 3)),
        units.chain(x, (64, 1, 1), (96, 3, 3), (96, 3, 3)),
        units.conv(units.average_pool(x), (96, 1, 1)),
    ]
    return units.concatenate(branches)


def _reduction_a(units: Units, x: Tensor) -> Tensor:
    """Draw the module from 35x35 to 17x17."""
    branches = [
        units.shrink(x, 384),
        units.shrink(units.chain(x, (192, 1, 1), (224, 3, 3)), 256),
        units.max_pool(x),
    ]
    return units.concatenate(branches)


def _module_b(units: Units, x: Tensor) -> Tensor:
    """Draw a module of the 17x17 grid."""
    branches = [
        units.conv(x, (384, 1, 1)),
        units.chain(x, (192, 1, 1), (224, 1, 7), (256, 7, 1)),
        units.chain(x, (192, 1, 1), (192, 7, 1), (224, 1, 7), (224, 7, 1), (256, 1, 7)),
        units.conv(units.average_pool(x), (128, 1, 1)),
    ]
    return units.concatenate(branches)


def _reduction_b(units: Units, x: Tensor) -> Tensor:
    """Draw the module from 17x17 to 8x8."""
    branches = [
        units.shrink(units.conv(x, (192, 1, 1)), 192),
        units.shrink(units.chain(x, (256, 1, 1), (256, 1, 7), (320, 7, 1)), 320),
        units.max_pool(x),
    ]
    return units.concatenate(branches)


def _module_c(units: Units, x: Tensor) -> Tensor:
    """Draw a module of the 8x8 grid, whose last kernels lie side by side."""
    branches = [
        units.conv(x, (256, 1, 1)),
        units.fork(units.conv(x, (384, 1, 1)), 256),
        units.fork(units.chain(x, (384, 1, 1), (448, 3, 1), (512, 1, 3)), 256),
        units.conv(units.average_pool(x), (256, 1, 1)),
    ]
    return units.concatenate(branches)
