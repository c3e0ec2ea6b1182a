"""What Inception V3 and V4 share: convolution, batch normalisation and rectifier as one unit, by number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zoo.networks.families.drawing import AutoNames, Pen
from zoo.surgery.tensors import Tensor

Kernel = tuple[int, int, int]
"""Filters, rows and columns of a convolution."""


@dataclass(frozen=True, kw_only=True)
class Units:
    """Draws the pieces of which Inception modules are made.

    Attributes:
        pen: Draws the layers.
        names: Numbers them.
        bias: Whether convolutions have a bias.
        scale: Whether batch normalisation has a gamma.
        relu_first: Whether ReLU belongs to the convolution, before batch normalisation.
    """

    pen: Pen
    names: AutoNames
    bias: bool
    scale: bool
    relu_first: bool

    def conv(self, x: Tensor, kernel: Kernel, *, strides: int = 1, padding: str = "same") -> Tensor:
        """Draw one unit; ``"same"`` is only ever used with stride 1 and odd sizes."""
        filters, rows, columns = kernel
        x = self.pen.conv(
            x,
            self.names.next("conv"),
            filters,
            (rows, columns),
            strides=strides,
            padding=padding,
            bias=self.bias,
            activation="relu" if self.relu_first else None,
        )
        x = self.pen.batch_norm(x, self.names.next("batch_norm"), scale=self.scale)
        return x if self.relu_first else self.pen.relu(x, self.names.next("activation"))

    def chain(self, x: Tensor, *kernels: Kernel) -> Tensor:
        """Draw units one on top of the other."""
        for kernel in kernels:
            x = self.conv(x, kernel)
        return x

    def shrink(self, x: Tensor, filters: int) -> Tensor:
        """Draw a 3x3 unit with stride 2 that pads nothing."""
        return self.conv(x, (filters, 3, 3), strides=2, padding="valid")

    def max_pool(self, x: Tensor) -> Tensor:
        """Draw a 3x3 maximum with stride 2 that pads nothing."""
        return self.pen.max_pool(x, self.names.next("max_pool"), 3, strides=2)

    def average_pool(self, x: Tensor, *, strides: int = 1) -> Tensor:
        """Draw a 3x3 mean: of the same size with stride 1, padding nothing with stride 2."""
        padding = "same" if strides == 1 else "valid"
        return self.pen.average_pool(x, self.names.next("average_pool"), 3, strides=strides, padding=padding)

    def concatenate(self, branches: Sequence[Tensor], name: str | None = None) -> Tensor:
        """Draw branches one behind the other, under a given name or the next number."""
        return self.pen.concatenate(branches, name or self.names.next("merge"))

    def fork(self, x: Tensor, filters: int, name: str | None = None) -> Tensor:
        """Draw a 1x3 and a 3x1 unit side by side."""
        return self.concatenate([self.conv(x, (filters, 1, 3)), self.conv(x, (filters, 3, 1))], name)
