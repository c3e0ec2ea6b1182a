"""Which GPU there is, and how it is told to round: by Keras' backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import keras


def _on_tensorflow() -> str | None:
    import tensorflow as tf

    found = tf.config.list_physical_devices("GPU")
    return str(tf.config.experimental.get_device_details(found[0])["device_name"]) if found else None


def _on_jax() -> str | None:
    import jax

    found = [device for device in jax.devices() if device.platform == "gpu"]
    return str(found[0].device_kind) if found else None


def _on_torch() -> str | None:
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


_GPU: Mapping[str, Callable[[], str | None]] = {
    "tensorflow": _on_tensorflow,
    "jax": _on_jax,
    "torch": _on_torch,
}


def gpu() -> str | None:
    """Return the name of the GPU that Keras computes on; ``None`` without one."""
    return _GPU[keras.backend.backend()]()


def _tf32_of_tensorflow(wanted: bool) -> None:
    import tensorflow as tf

    tf.config.experimental.enable_tensor_float_32_execution(wanted)


def _tf32_of_jax(wanted: bool) -> None:
    import jax

    jax.config.update("jax_default_matmul_precision", "tensorfloat32" if wanted else "highest")


def _tf32_of_torch(wanted: bool) -> None:
    import torch

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = wanted


_TF32: Mapping[str, Callable[[bool], None]] = {
    "tensorflow": _tf32_of_tensorflow,
    "jax": _tf32_of_jax,
    "torch": _tf32_of_torch,
}


@contextmanager
def rounding(*, tf32: bool = False, policy: str = "float32") -> Iterator[None]:
    """Compute in a precision: float32 with all of its bits, with TensorFloat-32, or mixed.

    Args:
        tf32: Whether products of float32 may be taken of 10 bits of each factor.
        policy: Of Keras, for models that are made inside: ``mixed_bfloat16`` for example.
    """
    before = keras.config.dtype_policy()
    _TF32[keras.backend.backend()](tf32)
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
        _TF32[keras.backend.backend()](False)
