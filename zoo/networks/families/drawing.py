"""What the builders share: a pen that draws standard Keras layers in one channel order.

Every layer is told its channel order, so Keras' global ``image_data_format`` never matters. Paddings are
explicit wherever ``"same"`` would mean one thing in TensorFlow (more on the far side) and another in the
published networks (as much on either side); for odd sizes with stride 1 the two agree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from zoo.networks.families.names import keras_name
from zoo.surgery.tensors import DataFormat, Tensor

Size = int | tuple[int, int]
Initial = Callable[[str, str], Any]
"""From a layer's published name and an array's role to what Keras takes for an initialiser."""

DEFAULTS: Mapping[str, str] = {
    "kernel": "glorot_uniform",
    "bias": "zeros",
    "gamma": "ones",
    "beta": "zeros",
    "moving_mean": "zeros",
    "moving_variance": "ones",
}
"""What an array of each role starts from where nothing is known of it."""


def default(layer: str, role: str) -> str:
    """Return the name of the initialiser that Keras itself takes for a role, whatever the layer.

    Roles that no pen draws start from zeros, whatever Keras takes.
    """
    return DEFAULTS.get(role, "zeros")


@dataclass(frozen=True, kw_only=True)
class Neck:
    """What a classifier stands on.

    Attributes:
        tensor: What its dense layer reads, of shape (N, features); or maps of one pixel.
        dropout: Published rate of the dropout layer between the two, 0 where there is none.
        dropout_name: Name of that layer, if one is needed.
        after: What gives the classifier's numbers the shape (N, classes), where it is a 1x1 convolution on
            maps of one pixel.
    """

    tensor: Tensor
    dropout: float = 0.0
    dropout_name: str = "dropout"
    after: tuple[keras.Layer, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A network without its classifiers.

    Attributes:
        features: The last feature map, of rank 4.
        necks: For each head that was asked for, by name, what its dense layer stands on.
    """

    features: Tensor
    necks: Mapping[str, Neck]


class AutoNames:
    """Numbers layers by their kind in the order they are drawn, as Keras does with layers nobody named."""

    _PREFIXES: Mapping[str, Mapping[str, str]] = {
        "keras1": {
            "activation": "activation",
            "average_pool": "averagepooling2d",
            "batch_norm": "batchnormalization",
            "conv": "convolution2d",
            "dense": "dense",
            "dropout": "dropout",
            "flatten": "flatten",
            "max_pool": "maxpooling2d",
            "merge": "merge",
            "zero_pad": "zeropadding2d",
        },
        "keras2": {
            "activation": "activation",
            "average_pool": "average_pooling2d",
            "batch_norm": "batch_normalization",
            "conv": "conv2d",
            "dropout": "dropout",
            "max_pool": "max_pooling2d",
            "merge": "concatenate",
        },
    }

    def __init__(self, style: str) -> None:
        """Start counting.

        Args:
            style: ``keras1`` or ``keras2``, whose prefixes differ.
        """
        self._prefixes = self._PREFIXES[style]
        self._counts: Counter[str] = Counter()

    def next(self, kind: str) -> str:
        """Return the next name of a kind, for example ``convolution2d_7``."""
        self._counts[kind] += 1
        return f"{self._prefixes[kind]}_{self._counts[kind]}"


class Pen:
    """Draws named layers in one channel order, with one epsilon and one source of first values."""

    def __init__(self, *, data_format: DataFormat, epsilon: float | None, initial: Initial = default) -> None:
        """Choose what all layers of a network have in common.

        Args:
            data_format: Channel order of images and feature maps.
            epsilon: Added to the variance by batch normalisation; ``None`` for a network without it.
            initial: What each array starts from. It is asked when a layer is drawn, and what it gives is
                called when Keras makes the variable, so that no value is made only to be overwritten.
        """
        self.data_format = data_format
        self.channel_axis = 1 if data_format == "channels_first" else 3
        self.epsilon = epsilon
        self.initial = initial

    def _initializers(self, name: str, *roles: str) -> dict[str, Any]:
        """Return the initialisers of a layer's arrays, under the names that Keras' layers take them."""
        return {f"{role}_initializer": self.initial(name, role) for role in roles}

    def conv(
        self,
        x: Tensor,
        name: str,
        filters: int,
        size: Size,
        *,
        strides: int = 1,
        padding: str = "valid",
        bias: bool = True,
        activation: str | None = None,
    ) -> Tensor:
        """Draw a convolution."""
        return keras.layers.Conv2D(
            filters,
            size,
            strides=strides,
            padding=padding,
            use_bias=bias,
            activation=activation,
            data_format=self.data_format,
            name=keras_name(name),
            **self._initializers(name, "kernel", "bias"),
        )(x)

    def batch_norm(self, x: Tensor, name: str, *, scale: bool = True) -> Tensor:
        """Draw batch normalisation over the channels; without ``scale`` it has no gamma."""
        return keras.layers.BatchNormalization(
            axis=self.channel_axis,
            epsilon=self.epsilon,
            scale=scale,
            name=keras_name(name),
            **self._initializers(name, "gamma", "beta", "moving_mean", "moving_variance"),
        )(x)

    def relu(self, x: Tensor, name: str) -> Tensor:
        """Draw a rectifier."""
        return keras.layers.Activation("relu", name=keras_name(name))(x)

    def zero_pad(self, x: Tensor, name: str, margin: int) -> Tensor:
        """Draw ``margin`` rows or columns of zeros on each of the four sides."""
        return keras.layers.ZeroPadding2D(margin, data_format=self.data_format, name=keras_name(name))(x)

    def zero_pad_last(self, x: Tensor, name: str) -> Tensor:
        """Draw a last row and a last column of zeros."""
        return keras.layers.ZeroPadding2D(
            ((0, 1), (0, 1)), data_format=self.data_format, name=keras_name(name)
        )(x)

    def crop_first(self, x: Tensor, name: str) -> Tensor:
        """Take the first row and the first column away."""
        return keras.layers.Cropping2D(((1, 0), (1, 0)), data_format=self.data_format, name=keras_name(name))(
            x
        )

    def max_pool(self, x: Tensor, name: str, size: int, *, strides: int, padding: str = "valid") -> Tensor:
        """Draw a pooling layer that takes the maximum."""
        return keras.layers.MaxPooling2D(
            size, strides, padding=padding, data_format=self.data_format, name=keras_name(name)
        )(x)

    def average_pool(
        self, x: Tensor, name: str, size: int, *, strides: int, padding: str = "valid"
    ) -> Tensor:
        """Draw a pooling layer that takes the mean, never counting what ``"same"`` pads."""
        return keras.layers.AveragePooling2D(
            size, strides, padding=padding, data_format=self.data_format, name=keras_name(name)
        )(x)

    def global_average(self, x: Tensor, name: str) -> Tensor:
        """Draw the mean over all of space: (N, H, W, C) or (N, C, H, W) becomes (N, C)."""
        return keras.layers.GlobalAveragePooling2D(data_format=self.data_format, name=keras_name(name))(x)

    def global_max(self, x: Tensor, name: str) -> Tensor:
        """Draw the maximum over all of space: (N, H, W, C) or (N, C, H, W) becomes (N, C)."""
        return keras.layers.GlobalMaxPooling2D(data_format=self.data_format, name=keras_name(name))(x)

    def concatenate(self, branches: Sequence[Tensor], name: str) -> Tensor:
        """Draw feature maps one behind the other along the channels."""
        return keras.layers.Concatenate(axis=self.channel_axis, name=keras_name(name))(branches)

    def add(self, branches: Sequence[Tensor], name: str) -> Tensor:
        """Draw the sum of feature maps."""
        return keras.layers.Add(name=keras_name(name))(branches)

    def flatten(self, x: Tensor, name: str) -> Tensor:
        """Draw (N, features), in the order (H, W, C) whatever the channel order."""
        return keras.layers.Flatten(data_format=self.data_format, name=keras_name(name))(x)

    def dense(self, x: Tensor, name: str, units: int, *, activation: str | None = None) -> Tensor:
        """Draw a dense layer."""
        return keras.layers.Dense(
            units,
            activation=activation,
            name=keras_name(name),
            **self._initializers(name, "kernel", "bias"),
        )(x)

    def dropout(self, x: Tensor, name: str, rate: float) -> Tensor:
        """Draw a dropout layer that zeroes a share ``rate`` of its inputs while training."""
        return keras.layers.Dropout(rate, name=keras_name(name))(x)
