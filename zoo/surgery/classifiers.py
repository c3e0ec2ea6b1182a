"""What may be a classifier in a graph, and what only gives its numbers another shape."""

from __future__ import annotations

import keras

from zoo.surgery.graph import Operation

SHAPING = (keras.layers.Flatten, keras.layers.Identity, keras.layers.Reshape)
"""What only gives numbers another shape."""

_CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)


def is_pointwise(operation: Operation) -> bool:
    """Tell whether an operation is a 1x1 convolution, in however many dimensions."""
    return isinstance(operation, _CONVOLUTIONS) and set(operation.kernel_size) == {1}


def is_classifier(operation: Operation) -> bool:
    """Tell whether an operation is a layer that may be a classifier: a dense one, or a 1x1 convolution."""
    return isinstance(operation, keras.layers.Dense) or is_pointwise(operation)
