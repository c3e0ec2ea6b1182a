"""DenseNet: every layer of a block reads the maps of all layers before it.

G. Huang, Z. Liu, L. van der Maaten and K. Q. Weinberger, Densely Connected Convolutional Networks, 2016.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from zoo.networks.families.drawing import Drawing, Neck, Pen
from zoo.surgery.tensors import Tensor


def draw(pen: Pen, images: Tensor, config: Mapping[str, Any], heads: Collection[str]) -> Drawing:
    """Draw a DenseNet with bottlenecks and compression.

    Args:
        pen: Draws the layers.
        images: Symbolic images of rank 4.
        config: ``blocks`` (layers in each), ``growth_rate`` (maps that a layer adds), ``stem_filters``,
            ``compression`` (share of the maps that a transition keeps).
        heads: Names of the heads to prepare, one or none.

    Returns:
        The last feature map, and what the head stands on: its mean over space.
    """
    x = pen.zero_pad(images, "conv1_zeropadding", 3)
    x = pen.conv(x, "conv1", config["stem_filters"], 7, strides=2, bias=False)
    x = pen.relu(pen.batch_norm(x, "conv1_bn"), "relu1")
    x = pen.max_pool(pen.zero_pad(x, "pool1_zeropadding", 1), "pool1", 3, strides=2)
    maps = config["stem_filters"]
    for stage, layers in enumerate(config["blocks"], start=2):
        if stage > 2:
            maps = int(maps * config["compression"])
            x = _transition(pen, x, stage - 1, maps)
        x = _dense_block(pen, x, stage, layers, config["growth_rate"])
        maps += layers * config["growth_rate"]
    x = pen.relu(pen.batch_norm(x, f"conv{stage}_blk_bn"), f"relu{stage}_blk")
    return Drawing(features=x, necks={head: Neck(tensor=pen.global_average(x, "pool5")) for head in heads})


def _dense_block(pen: Pen, x: Tensor, stage: int, layers: int, growth_rate: int) -> Tensor:
    """Draw the layers of one block: 1x1 to four times the growth rate, then 3x3 to the growth rate."""
    for layer in range(1, layers + 1):
        label = f"{stage}_{layer}"
        y = pen.relu(pen.batch_norm(x, f"conv{label}_x1_bn"), f"relu{label}_x1")
        y = pen.conv(y, f"conv{label}_x1", 4 * growth_rate, 1, bias=False)
        y = pen.relu(pen.batch_norm(y, f"conv{label}_x2_bn"), f"relu{label}_x2")
        y = pen.zero_pad(y, f"conv{label}_x2_zeropadding", 1)
        y = pen.conv(y, f"conv{label}_x2", growth_rate, 3, bias=False)
        x = pen.concatenate([x, y], f"concat_{label}")
    return x


def _transition(pen: Pen, x: Tensor, stage: int, maps: int) -> Tensor:
    """Halve the size between two blocks and keep ``maps`` maps."""
    x = pen.relu(pen.batch_norm(x, f"conv{stage}_blk_bn"), f"relu{stage}_blk")
    x = pen.conv(x, f"conv{stage}_blk", maps, 1, bias=False)
    return pen.average_pool(x, f"pool{stage}", 2, strides=2)
