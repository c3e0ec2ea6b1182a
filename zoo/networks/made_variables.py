"""How a network's variables are made where there are hundreds of them: cheaply, and holding given arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from converters.arrays.blocks import ALIGNMENT, aligned_empty
from zoo.surgery.tensors import Tensor

_NAME = "variable"


@contextmanager
def named_alike() -> Iterator[None]:
    """Give all variables one name of TensorFlow's; Keras' own names and paths, by which all goes, stay.

    TensorFlow makes a kernel anew for each name and shape, which takes half a millisecond. It tells variables
    apart by their handles. This goes for the thread that it is called in, and for TensorFlow alone.
    """
    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    def make(next_creator: Callable[..., Any], **options: Any) -> Any:  # noqa: ANN401 - TensorFlow's own
        with tf.name_scope(""):
            return next_creator(**{**options, "name": _NAME})

    with tf.variable_creator_scope(make):
        yield


def tensor_of(values: NDArray[np.float32], dtype: Any) -> Tensor:  # noqa: ANN401 - Keras' own type of types
    """Return an array that nobody else holds as the backend's tensor.

    Args:
        values: The array.
        dtype: What the tensor is to hold.
    """
    if keras.backend.backend() != "tensorflow" or keras.backend.standardize_dtype(dtype) != "float32":
        return keras.ops.convert_to_tensor(values, dtype)
    import tensorflow as tf

    if values.ctypes.data % ALIGNMENT or not values.flags.c_contiguous:
        aligned = aligned_empty(values.shape, values.dtype)
        aligned[...] = values
        values = aligned
    # TensorFlow would copy the array twice; this is the array itself.
    return tf.experimental.dlpack.from_dlpack(values.__dlpack__())
