"""Symbolic tensors, and what is done to them by operations that are no layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

DataFormat = Literal["channels_first", "channels_last"]
"""Images (C, H, W) or (H, W, C), in Keras' words."""

Tensor: TypeAlias = Any
"""A symbolic tensor; Keras does not say of which type."""


def operation(function: Callable[[Tensor], Tensor], rank: int = 1) -> Any:  # noqa: ANN401 - Keras' own type
    """Return what a function of ``keras.ops`` does, as an object that saved files keep in an ``Activation``.

    Of the function itself a saved file would keep the bare name, which Keras looks for among its activations.

    Args:
        function: It gives an array of the shape that it takes.
        rank: How many axes that has.
    """
    import keras  # here, so that who wants a type alone does not wait for it

    return function(keras.KerasTensor((1,) * rank))._keras_history.operation
