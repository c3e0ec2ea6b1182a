"""How an image of any shape becomes one of a network's size: cropped, padded or stretched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from zoo.errors import ArgumentError
from zoo.networks.images import Picture, resize

Fit = Literal["crop", "pad", "stretch"]

DEFAULT_FIT: Fit = "crop"

FIT_BEFORE: Fit = "stretch"
"""What was done to images by those runs that do not say it."""


def crop(picture: Picture, height: int, width: int) -> Picture:
    """Return the largest part of this shape in the middle of an image, at a size; never distorted.

    The same as to resize the shorter side and then to cut off both ends of the longer one.

    Args:
        picture: uint8, shape (H, W, 3).
        height: In pixels.
        width: In pixels.

    Returns:
        uint8, shape (height, width, 3).
    """
    rows, columns = picture.shape[:2]
    kept_rows = min(rows, max(1, round(columns * height / width)))
    kept_columns = min(columns, max(1, round(rows * width / height)))
    above, left = (rows - kept_rows) // 2, (columns - kept_columns) // 2
    middle = picture[above : above + kept_rows, left : left + kept_columns]
    return resize(np.ascontiguousarray(middle), height, width)


def pad(picture: Picture, height: int, width: int) -> Picture:
    """Return all of an image in the middle of a size, never distorted; black where it does not reach.

    Args:
        picture: uint8, shape (H, W, 3).
        height: In pixels.
        width: In pixels.

    Returns:
        uint8, shape (height, width, 3).
    """
    rows, columns = picture.shape[:2]
    factor = min(height / rows, width / columns)
    small = resize(
        picture, min(height, max(1, round(rows * factor))), min(width, max(1, round(columns * factor)))
    )
    if small.shape[:2] == (height, width):
        return small
    whole = np.zeros((height, width, 3), np.uint8)
    above, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    whole[above : above + small.shape[0], left : left + small.shape[1]] = small
    return whole


FITS: Mapping[Fit, Callable[[Picture, int, int], Picture]] = {"crop": crop, "pad": pad, "stretch": resize}
"""By name; as Keras' ``crop_to_aspect_ratio`` and ``pad_to_aspect_ratio`` do, and neither of them."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What images are brought into.

    Attributes:
        height: In pixels.
        width: In pixels.
        fit: What becomes of an image of another shape.
    """

    height: int
    width: int
    fit: Fit = DEFAULT_FIT

    def of(self, picture: Picture) -> Picture:
        """Return an image (H, W, 3) in the frame, (height, width, 3)."""
        return FITS[self.fit](picture, self.height, self.width)

    def mark(self, rows: int, columns: int) -> str | None:
        """Return what tells an image of so many rows and columns from the same one stretched; if anything.

        All fits are the same to the bit for an image whose shape is the frame's.
        """
        is_alike = rows * self.width == columns * self.height
        return None if self.fit == "stretch" or is_alike else self.fit


def check_fit(fit: object) -> Fit:
    """Return a fit, if it is one.

    Raises:
        ArgumentError: It is not.
    """
    for known in FITS:
        if fit == known:
            return known
    raise ArgumentError(f"fit={fit!r}: must be {fit_words()}")


def fit_words() -> str:
    """Return the names of all fits in words."""
    *first, last = FITS
    return f"{', '.join(first)} or {last}"
