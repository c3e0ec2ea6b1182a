"""Everything that a tutorial needs and that would otherwise come over the network: images and weights."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import TargetError
from zoo.practice.digits import COUNT, SIDE, write_digits
from zoo.practice.files import write_published
from zoo.practice.telling import STOPS, said_of
from zoo.practice.values import recipe
from zoo.registry import architecture

NETWORK = "googlenet"
"""The network with the smallest weights file; its practice values take images of any brightness."""

LEARNING_RATE = 1e-6
HEAD_FACTOR = 1_000
"""Practice values make activations and gradients grow from layer to layer as learned weights do not: what is
right for a new classifier, 1e-3, is a thousand times too much for the layers below it."""


@dataclass(frozen=True, kw_only=True)
class StandIn:
    """What stands in for photographs and for published weights.

    Attributes:
        photos: A folder for each class, with images in it.
        weights: A weights file as it was published for Theano, with practice values.
        side: Height and width of the images that the network is given, in pixels.
        preprocessing: The recipe that images need for these values; ``None`` if it is the network's own.
    """

    photos: Path
    weights: Path
    side: int = SIDE
    preprocessing: str | None = None

    @property
    def options(self) -> dict[str, Any]:
        """What to tell ``finetune`` besides the network's name and the images."""
        return {
            "weights": self.weights,
            "input_size": self.side,
            "learning_rate": LEARNING_RATE,
            "learning_rate_factors": {"head": HEAD_FACTOR},
            "augmentation": False,  # the digits are upright, centred and grey, in training as elsewhere
            **({"preprocessing": self.preprocessing} if self.preprocessing else {}),
        }


def stand_in(
    folder: Path, classes: Mapping[str, int] | None = None, *, network: str = NETWORK, count: int = COUNT
) -> StandIn:
    """Write handwritten digits as images, and practice weights for a network.

    Args:
        folder: Where to write; made if it is missing.
        classes: Which digit stands in for which class; all ten under their own names by default.
        network: Name of the network.
        count: How many digits are drawn, of all ten, up to 1,797. A digit that was not among them has no
            folder.

    Returns:
        Where they are.

    Raises:
        ArgumentError: scikit-learn or Pillow is not installed.
        TargetError: The folder holds a stand-in.
        UnknownNameError: There is no such network.
    """
    known = architecture(network)  # a wrong name comes to light before anything is written
    photos = folder / "photos"
    if photos.exists():
        raise TargetError(f"{photos}: is there already; name another folder")
    names = classes or {str(digit): digit for digit in range(10)}
    drawn = write_digits(folder / "digits", count=count, side=SIDE)
    photos.mkdir()
    for name, digit in names.items():
        if (drawn / str(digit)).is_dir():
            (drawn / str(digit)).rename(photos / name)
    weights = folder / f"{network}_th.h5"
    write_published(network, weights, "th")
    needed = recipe(known)
    other = None if needed == known.recipe.name else needed
    side = max(SIDE, known.input.min_size)  # a few networks take no images as small as the digits'
    return StandIn(photos=photos, weights=weights, side=side, preprocessing=other)


def main(argv: Sequence[str] | None = None) -> int:
    """Write a stand-in into a folder and print a command that uses it.

    Args:
        argv: The arguments after the program's name; those of the process by default.

    Returns:
        0 when done, 1 when not.
    """
    parser = argparse.ArgumentParser(
        prog="python -m zoo.practice.stand_in",
        description="Write handwritten digits as images, a folder each, and weights with practice values.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--network", default=NETWORK, metavar="NAME", help=f"default: {NETWORK}")
    parser.add_argument("--count", type=int, default=COUNT, metavar="N", help=f"digits (default: {COUNT})")
    arguments = parser.parse_args(argv)
    try:
        source = stand_in(arguments.folder, network=arguments.network, count=arguments.count)
    except STOPS as error:
        sys.stderr.write(f"zoo.practice.stand_in: {said_of(error)}\n")
        return 1
    command = ["zoo", "finetune", arguments.network, source.photos, "--weights", source.weights]
    command += ["--input-size", source.side, "--augmentation", "none"]
    command += ["--preprocessing", source.preprocessing] if source.preprocessing else []
    command += ["--learning-rate", LEARNING_RATE, "--learning-rate-factor", f"head={HEAD_FACTOR}"]
    command += ["--out", "run1"]
    sys.stdout.write(f"{shlex.join(map(str, command))}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
