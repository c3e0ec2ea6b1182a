"""What the registry says of a whole model, found out from its file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Whole:
    """What a whole model is.

    Attributes:
        height: Of its images, in pixels; ``None`` for any.
        width: Of its images, in pixels; ``None`` for any.
        channels: Of its images.
        classes: Its outputs.
        parameters: Values in all arrays.
        dialect: Who wrote the file.
        layout: Where its channels are.
        kernels: How its kernels are stored.
    """

    height: int | None
    width: int | None
    channels: int
    classes: int
    parameters: int
    dialect: str
    layout: str
    kernels: str
