"""Layers and functions that are nobody's but a user's: today's code for what an old model has."""

from __future__ import annotations

import keras
from keras import ops


def doubled(x):
    """Return twice a value: an activation."""
    return 2 * x


def distance(values):
    """Return how far apart two values are, whatever is nearer to zero: what a Lambda computes."""
    return ops.abs(values[0] - values[1])


class Power(keras.Layer):
    """A value to a power, times an array."""

    def __init__(self, power, **more):
        super().__init__(**more)
        self.power = power

    def build(self, shape):
        """Make the array."""
        self.scale = self.add_weight(shape=(shape[-1],), name="scale")

    def compute_output_shape(self, shape):
        """Return the shape that comes in."""
        return shape

    def call(self, x):
        """Return what comes of it."""
        return x**self.power * self.scale


class Shifted(keras.Layer):
    """A layer that holds another, beside an array of its own."""

    def __init__(self, units, **more):
        super().__init__(**more)
        self.units = units
        self.dense = keras.layers.Dense(units, use_bias=False)

    def build(self, shape):
        """Make the arrays."""
        self.offset = self.add_weight(shape=(shape[-1],), name="offset")
        self.dense.build(shape)

    def compute_output_shape(self, shape):
        """Return what the layer in it gives."""
        return self.dense.compute_output_shape(shape)

    def call(self, x):
        """Return what comes of it."""
        return self.dense(x + self.offset)


class Distance(keras.Layer):
    """What takes the place of a Lambda."""

    def call(self, values):
        """Return how far apart two values are."""
        return distance(values)


class Broken(keras.Layer):
    """Code that fails."""

    def call(self, x):
        """Fail."""
        message = "not\ntoday"
        raise RuntimeError(message)


class Words(keras.Layer):
    """What leaves masked steps out, and gives the mask on."""

    def call(self, x, mask=None):
        """Return a sequence with zeros for what is masked."""
        return x if mask is None else x * ops.cast(mask, "float32")[..., None]


class Total(Words):
    """What gives no mask on."""

    def call(self, x, mask=None):
        """Return the sum of the steps that are not masked."""
        return ops.sum(super().call(x, mask), axis=1)

    def compute_mask(self, x, previous_mask=None):
        """Return nothing."""
        del x, previous_mask


class Noisy(Shifted):
    """A layer that draws random numbers in training, and so keeps the state of what draws them."""

    def __init__(self, units, **more):
        super().__init__(units, **more)
        self.dropout = keras.layers.Dropout(0.5)

    def call(self, x, training=False):
        """Return what comes of it."""
        return self.dropout(super().call(x), training=training)
