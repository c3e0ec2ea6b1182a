"""ResNet: bottleneck blocks whose input is added to their output.

K. He, X. Zhang, S. Ren and J. Sun, Deep Residual Learning for Image Recognition, 2015. The stride of a stage
is in the first 1x1 convolution of its first block, as in the original release, or in the 3x3 convolution
behind it, as in v1.5 (https://github.com/facebookarchive/fb.resnet.torch).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from zoo.networks.families.drawing import AutoNames, Drawing, Neck, Pen
from zoo.surgery.tensors import Tensor

Namer = Callable[[str, str], str]


def draw(pen: Pen, images: Tensor, config: Mapping[str, Any], heads: Collection[str]) -> Drawing:
    """Draw a ResNet.

    Args:
        pen: Draws the layers.
        images: Symbolic images of rank 4.
        config: ``blocks`` of each stage, ``conv_bias``, ``numbered_stages`` (places of the stages whose later
            blocks are called b1, b2, ... and not b, c, ...), ``naming`` (``automatic`` or ``caffe``),
            ``pool_ceil`` (whether the first pooling keeps a last window that is cut off), ``pool_pad``
            (whether it has a border of one on every side), ``stride_in_3x3`` (where a stage has its stride).
        heads: Names of the heads to prepare, one or none.

    Returns:
        The last feature map, and what the head stands on: its mean over space.
    """
    naming = _namer(config["naming"])
    x = _stem(pen, naming, images, config)
    for stage, blocks in enumerate(config["blocks"], start=2):
        for index in range(blocks):
            label = f"{stage}{_letter(index, numbered=stage in config['numbered_stages'])}"
            strides = 2 if stage > 2 and index == 0 else 1
            x = _block(
                pen, naming, x, label, config, width=32 << (stage - 1), first=index == 0, strides=strides
            )
    return Drawing(features=x, necks={head: Neck(tensor=pen.global_average(x, "avg_pool")) for head in heads})


def _namer(naming: str) -> Namer:
    """Return a function from (kind, published name) to a weightless layer's name."""
    if naming == "caffe":
        return lambda kind, published: published
    names = AutoNames("keras1")
    return lambda kind, published: names.next(kind)


def _letter(index: int, *, numbered: bool) -> str:
    """Return a block's letter: a, b, c, ... or a, b1, b2, ..."""
    return f"b{index}" if numbered and index else chr(ord("a") + index)


def _stem(pen: Pen, naming: Namer, images: Tensor, config: Mapping[str, Any]) -> Tensor:
    x = pen.zero_pad(images, naming("zero_pad", "conv1_zeropadding"), 3)
    x = pen.conv(x, "conv1", 64, 7, strides=2, bias=config["conv_bias"])
    x = pen.batch_norm(x, "bn_conv1")
    x = pen.relu(x, naming("activation", "conv1_relu"))
    # Nothing is below zero behind a ReLU: a window that reaches over the edge keeps its maximum.
    if config["pool_ceil"]:
        x = pen.zero_pad_last(x, "pool1_zeropadding")
    if config["pool_pad"]:
        x = pen.zero_pad(x, "pool1_zeropadding", 1)
    return pen.max_pool(x, naming("max_pool", "pool1"), 3, strides=2)


def _block(
    pen: Pen,
    naming: Namer,
    x: Tensor,
    label: str,
    config: Mapping[str, Any],
    *,
    width: int,
    first: bool,
    strides: int,
) -> Tensor:
    """Draw one bottleneck; the first of a stage projects its input to the new width and size."""
    bias = config["conv_bias"]

    def unit(x: Tensor, branch: str, filters: int, size: int, strides: int = 1) -> Tensor:
        # A padding layer of its own and padding="same" are the same zeros for size 3, stride 1 alone.
        explicit = size == 3 and (config["naming"] == "caffe" or strides > 1)
        if explicit:
            x = pen.zero_pad(x, f"res{label}_{branch}_zeropadding", 1)
        padding = "valid" if explicit else "same"
        x = pen.conv(x, f"res{label}_{branch}", filters, size, strides=strides, padding=padding, bias=bias)
        return pen.batch_norm(x, f"bn{label}_{branch}")

    late = config["stride_in_3x3"]
    y = unit(x, "branch2a", width, 1, 1 if late else strides)
    y = pen.relu(y, naming("activation", f"res{label}_branch2a_relu"))
    y = unit(y, "branch2b", width, 3, strides if late else 1)
    y = pen.relu(y, naming("activation", f"res{label}_branch2b_relu"))
    y = unit(y, "branch2c", 4 * width, 1)
    shortcut = unit(x, "branch1", 4 * width, 1, strides) if first else x
    y = pen.add([y, shortcut], naming("merge", f"res{label}"))
    return pen.relu(y, naming("activation", f"res{label}_relu"))
