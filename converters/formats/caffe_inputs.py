"""What comes into each layer of a network of Caffe's, as far as the names of inputs and outputs tell.

A layer names the blobs that it takes and gives. So it is known of most matrices whether the outputs of
another one come in, which never were a map, or a map, and of how many channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

DEPTHWISE = ("ConvolutionDepthwise", "DepthwiseConvolution")
"""What forks of Caffe call a convolution with a group for each channel, which they compute faster.

Source: OpenCV's modules/dnn/src/caffe/caffe_importer.cpp takes the first for a Convolution.
"""
_VECTORS = frozenset({"Embed", "Reshape", "RNN", "LSTM"})
"""Layers behind which there is no map, and of whose values nothing tells whether they were one."""
_BY_VALUE = frozenset({"ReLU", "PReLU", "ELU", "Sigmoid", "TanH", "AbsVal", "Power", "Exp", "Log", "BNLL"})
_BY_VALUE |= {"Dropout", "Threshold", "Softmax", "LRN", "BatchNorm", "Scale", "Bias"}
_BY_VALUE |= {"Split", "Concat", "Eltwise"}
"""Layers that give what they take, value by value or side by side."""


class Kind(Enum):
    """What values are: a map, or what may be one; a vector that may have been one; outputs of a matrix."""

    MAP = auto()
    VECTOR = auto()
    OUTPUTS = auto()


_MAKES = dict.fromkeys(("Convolution", *DEPTHWISE, "Deconvolution", "Pooling"), Kind.MAP)
_MAKES["InnerProduct"] = Kind.OUTPUTS
"""What layers make whatever they take."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a layer takes or gives.

    Attributes:
        kind: What it is.
        size: The channels of a map or of what was one, or the number of outputs; 0 if nothing tells.
    """

    kind: Kind = Kind.MAP
    size: int = 0


class Told(Protocol):
    """A layer as a file tells of it."""

    @property
    def type(self) -> str:
        """Its type."""

    @property
    def bottoms(self) -> Sequence[str]:
        """What it takes."""

    @property
    def tops(self) -> Sequence[str]:
        """What it gives."""

    @property
    def joins_channels(self) -> bool:
        """Whether it puts the channels of what it takes side by side, if it is a Concat."""

    @property
    def outputs(self) -> int:
        """How many channels or outputs its arrays give; 0 if it has none."""


def inputs_of(layers: Iterable[Told]) -> Iterator[Given]:
    """Yield what comes into each layer; a map is expected where nothing tells.

    Args:
        layers: They, in the file's order, which is that of computing.
    """
    given: dict[str, Given] = {}
    for layer in layers:
        taken = _together(layer, [given.get(bottom, Given()) for bottom in layer.bottoms] or [Given()])
        given |= dict.fromkeys(layer.tops, _gives(layer, taken))
        yield taken


def _together(layer: Told, taken: Sequence[Given]) -> Given:
    """Return what several inputs are together; the first counts where they differ."""
    kind = taken[0].kind
    if kind is Kind.OUTPUTS and any(one.kind is not kind for one in taken):
        kind = Kind.VECTOR
    sizes = [one.size for one in taken]
    if layer.type == "Concat":
        return Given(kind=kind, size=sum(sizes) if all(sizes) and layer.joins_channels else 0)
    return Given(kind=kind, size=sizes[0] if len(set(sizes)) == 1 else 0)


def _gives(layer: Told, taken: Given) -> Given:
    if layer.type in _MAKES:
        return Given(kind=_MAKES[layer.type], size=taken.size if layer.type == "Pooling" else layer.outputs)
    if layer.type in _BY_VALUE or (layer.type == "Flatten" and taken.kind is not Kind.MAP):
        return taken
    if layer.type == "Flatten":
        return Given(kind=Kind.VECTOR, size=taken.size)
    gone = layer.type in _VECTORS or taken.kind is Kind.OUTPUTS
    return Given(kind=Kind.VECTOR if gone else taken.kind)
