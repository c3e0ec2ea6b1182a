"""Convolutions of maps that have their channels first, by those that have them last.

On processors without AVX-512, oneDNN has none but its reference implementation for the former, which takes
minutes for a network at its published size. Networks are drawn with their channels first all the same:
TensorFlow's own function is what is replaced.
"""

from __future__ import annotations

import pytest


def turn_convolutions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let TensorFlow convolve maps (N, C, H, W) as (N, H, W, C) for the time of a test."""
    import tensorflow as tf

    convolve = tf.nn.convolution

    def turned(inputs, kernel, strides, padding, *, data_format, dilations):
        if data_format == "NHWC":
            return convolve(inputs, kernel, strides, padding, data_format=data_format, dilations=dilations)
        assert data_format == "NCHW"
        last = tf.transpose(inputs, (0, 2, 3, 1))
        computed = convolve(last, kernel, strides, padding, data_format="NHWC", dilations=dilations)
        return tf.transpose(computed, (0, 3, 1, 2))

    monkeypatch.setattr(tf.nn, "convolution", turned)
