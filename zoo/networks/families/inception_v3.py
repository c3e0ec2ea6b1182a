"""Inception V3, in the two forms that were published for Keras: of 2016 and of 2017.

C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens and Z. Wojna, Rethinking the Inception Architecture for Computer
Vision, 2015.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from zoo.networks.families.drawing import AutoNames, Drawing, Neck, Pen
from zoo.networks.families.inception import Units
from zoo.surgery.tensors import Tensor


def draw(pen: Pen, images: Tensor, config: Mapping[str, Any], heads: Collection[str]) -> Drawing:
    """Draw Inception V3.

    Args:
        pen: Draws the layers.
        images: Symbolic images of rank 4.
        config: ``naming`` (``keras1`` or ``keras2``), ``conv_bias``, ``batch_norm_scale``,
            ``relu_before_batch_norm``, ``pool_filters`` of mixed0 to mixed2, ``factorised_filters`` of mixed4
            to mixed7 (the width of the 7x7 branches and the first width of the longer one),
            ``last_reduction_pool`` (``average`` or ``max``, in mixed8).
        heads: Names of the heads to prepare, one or none.

    Returns:
        The last feature map, and what the head stands on: its mean over space.
    """
    units = Units(
        pen=pen,
        names=AutoNames(config["naming"]),
        bias=config["conv_bias"],
        scale=config["batch_norm_scale"],
        relu_first=config["relu_before_batch_norm"],
    )
    x = _stem(units, images)
    for index, filters in enumerate(config["pool_filters"]):
        x = _module_35(units, x, filters, f"mixed{index}")
    x = _reduction_35(units, x, "mixed3")
    for index, widths in enumerate(config["factorised_filters"], start=4):
        x = _module_17(units, x, widths, f"mixed{index}")
    x = _reduction_17(units, x, config["last_reduction_pool"], "mixed8")
    for index in range(2):
        x = _module_8(units, x, f"mixed9_{index}", f"mixed{9 + index}")
    return Drawing(features=x, necks={head: Neck(tensor=pen.global_average(x, "avg_pool")) for head in heads})


def _stem(units: Units, x: Tensor) -> Tensor:
    x = units.shrink(x, 32)
    x = units.conv(x, (32, 3, 3), padding="valid")
    x = units.max_pool(units.conv(x, (64, 3, 3)))
    x = units.conv(x, (80, 1, 1), padding="valid")
    return units.max_pool(units.conv(x, (192, 3, 3), padding="valid"))


def _module_35(units: Units, x: Tensor, pool_filters: int, name: str) -> Tensor:
    """Draw a module of the 35x35 grid."""
    branches = [
        units.conv(x, (64, 1, 1)),
        units.chain(x, (48, 1, 1), (64, 5, 5)),
        units.chain(x, (64, 1, 1), (96, 3, 3), (96, 3, 3)),
        units.conv(units.average_pool(x), (pool_filters, 1, 1)),
    ]
    return units.concatenate(branches, name)


def _reduction_35(units: Units, x: Tensor, name: str) -> Tensor:
    """Draw the module from 35x35 to 17x17."""
    branches = [
        units.shrink(x, 384),
        units.shrink(units.chain(x, (64, 1, 1), (96, 3, 3)), 96),
        units.max_pool(x),
    ]
    return units.concatenate(branches, name)


def _module_17(units: Units, x: Tensor, widths: Sequence[int], name: str) -> Tensor:
    """Draw a module of the 17x17 grid, whose 7x7 kernels are split into rows and columns."""
    width, first = widths
    branches = [
        units.conv(x, (192, 1, 1)),
        units.chain(x, (width, 1, 1), (width, 1, 7), (192, 7, 1)),
        units.chain(x, (first, 1, 1), (width, 7, 1), (width, 1, 7), (width, 7, 1), (192, 1, 7)),
        units.conv(units.average_pool(x), (192, 1, 1)),
    ]
    return units.concatenate(branches, name)


def _reduction_17(units: Units, x: Tensor, pool: str, name: str) -> Tensor:
    """Draw the module from 17x17 to 8x8."""
    branches = [
        units.shrink(units.conv(x, (192, 1, 1)), 320),
        units.shrink(units.chain(x, (192, 1, 1), (192, 1, 7), (192, 7, 1)), 192),
        units.max_pool(x) if pool == "max" else units.average_pool(x, strides=2),
    ]
    return units.concatenate(branches, name)


def _module_8(units: Units, x: Tensor, fork_name: str, name: str) -> Tensor:
    """Draw a module of the 8x8 grid, whose last kernels lie side by side."""
    branches = [
        units.conv(x, (320, 1, 1)),
        units.fork(units.conv(x, (384, 1, 1)), 384, fork_name),
        units.fork(units.chain(x, (448, 1, 1), (384, 3, 3)), 384),
        units.conv(units.average_pool(x), (192, 1, 1)),
    ]
    return units.concatenate(branches, name)
