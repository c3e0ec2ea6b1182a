"""What the shapes of a layer's arrays have to be to each other, where they alone have to tell its kind.

Each function takes the shapes of arrays in the order in which Keras 0 keeps them, of ranks that fit already.
"""

from __future__ import annotations

from collections.abc import Sequence

from converters.arrays.form import Shape


def chained(shapes: Sequence[Shape]) -> bool:
    """Return whether matrices, recurrent matrices and biases follow one another and fit."""
    units = shapes[2][0]
    return all(
        kernel[-1] == units and recurrent == (units, units) and bias == (units,) and kernel == shapes[0]
        for kernel, recurrent, bias in zip(shapes[::3], shapes[1::3], shapes[2::3], strict=True)
    )


def same(shapes: Sequence[Shape]) -> bool:
    """Return whether all arrays have one shape."""
    return len(set(shapes)) == 1


def square(shapes: Sequence[Shape]) -> bool:
    """Return whether there are two square matrices, each before a bias of its size."""
    size = shapes[0][0]
    return list(shapes) == [(size, size), (size,)] * 2


def biased(shapes: Sequence[Shape]) -> bool:
    """Return whether a bias has one value for each output of a kernel, which lie first or last."""
    return shapes[1][0] in (shapes[0][0], shapes[0][-1])


def paired(shapes: Sequence[Shape]) -> bool:
    """Return whether a bias has one value for each feature and output of a kernel of rank three."""
    return shapes[1] == (shapes[0][0], shapes[0][-1])


def whatever(_: Sequence[Shape]) -> bool:
    """Return True: one array fits to itself."""
    return True


def old_1d(shapes: Sequence[Shape]) -> bool:
    """Return whether a kernel of rank four may be a 1-D convolution's of Keras up to 1.0.8, (O,I,L,1)."""
    kernel, bias = shapes
    return kernel[3] == 1 and kernel[2] > 1 and bias == (kernel[0],)


def may_be_1d(kernel: Shape, bias: Shape) -> bool:
    """Return whether a kernel of Keras 0 or 1 may be a 1-D convolution's: (O,I,L,1) or (L,1,I,O)."""
    if len(kernel) != 4 or len(bias) != 1:
        return False
    return old_1d((kernel, bias)) or (kernel[1] == 1 and kernel[0] > 1 and bias[0] == kernel[3])
