"""A stand-in for photographs that needs no network: scikit-learn's handwritten digits as image files.

Real data, though small: 1,797 digits of 8 x 8 pixels, written by 43 people. ``python -m zoo.practice.digits
FOLDER`` writes some of them as PNG files, a folder for each digit.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoo.errors import ArgumentError
from zoo.extras import how_to_install
from zoo.practice.telling import STOPS, said_of

COUNT = 300
SIDE = 64  # pixels: eight for each of a digit's

_MOST = 1797
_ENLARGED = 8


def digits(
    count: int = COUNT, *, side: int = SIDE, seed: int = 0
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return handwritten digits as images, drawn without regard to who wrote them.

    Args:
        count: How many, up to 1,797.
        side: Height and width in pixels, a multiple of 8.
        seed: Of the draw.

    Returns:
        RGB images (N, S, S, 3) with values 0 to 255, and what they show, (N,).

    Raises:
        ArgumentError: scikit-learn is not installed, or a number is not allowed.
    """
    if not 1 <= count <= _MOST:
        raise ArgumentError(f"count={count!r}: there are {_MOST} digits")
    if side < _ENLARGED or side % _ENLARGED:
        raise ArgumentError(f"side={side!r}: must be a multiple of {_ENLARGED} pixels")
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise ArgumentError(f"the digits are scikit-learn's: {how_to_install('finetune')}") from error
    source = load_digits()
    chosen = np.random.default_rng(seed).permutation(_MOST)[:count]
    factor = side // _ENLARGED
    grey = np.kron(source.images[chosen] * (255 / 16), np.ones((1, factor, factor)))
    pictures = np.repeat(np.round(grey).astype(np.uint8)[..., np.newaxis], 3, axis=-1)
    return pictures, source.target[chosen].astype(np.int64)


def write_digits(folder: Path, *, count: int = COUNT, side: int = SIDE, seed: int = 0) -> Path:
    """Write handwritten digits as PNG files, ``FOLDER/7/digit-0042.png``.

    Args:
        folder: Where to write; made if it is missing.
        count: How many, up to 1,797.
        side: Height and width in pixels, a multiple of 8.
        seed: Of the draw.

    Returns:
        The folder.

    Raises:
        ArgumentError: scikit-learn or Pillow is not installed, or a number is not allowed.
    """
    pictures, labels = digits(count, side=side, seed=seed)
    try:
        from PIL import Image
    except ModuleNotFoundError as error:
        raise ArgumentError(f"writing images needs Pillow: {how_to_install('finetune')}") from error
    for place, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        path = folder / str(label) / f"digit-{place:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
    return folder


def main(argv: Sequence[str] | None = None) -> int:
    """Write digits into a folder and print its path.

    Args:
        argv: The arguments after the program's name; those of the process by default.

    Returns:
        0 when done, 1 when not.
    """
    parser = argparse.ArgumentParser(
        prog="python -m zoo.practice.digits",
        description="Write handwritten digits as images, a folder for each digit.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--count", type=int, default=COUNT, metavar="N", help=f"default: {COUNT}")
    parser.add_argument("--side", type=int, default=SIDE, metavar="PIXELS", help=f"default: {SIDE}")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    arguments = parser.parse_args(argv)
    try:
        folder = write_digits(
            arguments.folder, count=arguments.count, side=arguments.side, seed=arguments.seed
        )
    except STOPS as error:
        sys.stderr.write(f"zoo.practice.digits: {said_of(error)}\n")
        return 1
    sys.stdout.write(f"{folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
