"""Training on more than one device: the strategy under which a model is loaded and fitted."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

from zoo.errors import ArgumentError
from zoo.numbers import is_whole


def scope(devices: str | int | None) -> AbstractContextManager[Any]:
    """Return a context in which models are made for several devices, each holding a copy of the weights.

    Load, compile and fit inside of it. Every batch is shared out among the devices, so that a batch of 32 on
    two of them is 16 on each; batch normalisation that is trained sees its own share alone. With GPUs, keep
    to one number of them in a process: TensorFlow cannot tell the sums of two groups apart.

    Args:
        devices: ``"all"``: every GPU, or every logical processor device where there is no GPU. A number: so
            many of them. ``None``: the one that Keras takes by itself.

    Raises:
        ArgumentError: There are not so many devices, or Keras runs on another backend than TensorFlow.
    """
    if devices is None:
        return nullcontext()
    import keras

    if keras.backend.backend() != "tensorflow":
        backend = keras.backend.backend()
        raise ArgumentError(f"devices={devices!r}: needs TensorFlow, but Keras runs on {backend}")
    import tensorflow as tf

    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    names = tuple(device.name for device in tf.config.list_logical_devices(kind))
    count = len(names) if devices == "all" else devices
    if not is_whole(count) or not 1 <= count <= len(names):
        there = ", ".join(names)
        raise ArgumentError(
            f"devices={devices!r}: must be 'all', None or a number from 1 to {len(names)} ({there})"
        )
    context: AbstractContextManager[Any] = _strategy(kind, names[:count]).scope()
    return context


def check_devices(devices: str | int | None) -> None:
    """Check what can be told of a number of devices before any are counted, which takes a framework.

    Raises:
        ArgumentError: It is none, wherever it is said.
    """
    if devices in ("all", None) or (is_whole(devices) and devices >= 1):
        return
    raise ArgumentError(f"devices={devices!r}: must be 'all', None or a number from 1")


@cache
def _strategy(kind: str, names: tuple[str, ...]) -> Any:  # noqa: ANN401 - TensorFlow tells no types
    """Return the one strategy of this process for these devices.

    The sums over GPUs that each strategy makes by default carry numbers that begin anew with every strategy,
    and two models of one process that were made under two of them get in each other's way.
    """
    import tensorflow as tf

    # Processors need none of those: what is shared is memory.
    sums = tf.distribute.ReductionToOneDevice() if kind == "CPU" else None
    return tf.distribute.MirroredStrategy(names, cross_device_ops=sums)
