"""Distracted drivers: ten kinds of behaviour, folders c0 to c9, and log loss as the score.

    python examples/drivers.py photos/ --out run1/     # photos/c0/*.jpg (drives safely) to photos/c9/*.jpg
    python examples/drivers.py --offline               # handwritten digits instead

Cameras, cars and poses differ from ImageNet's photographs but its edges, hands and faces are
useful: the last layers are trained, the first ones stay. Log loss punishes a model that is sure and
wrong; a larger dropout, early stopping and augmentation keep it low. No mirroring: texting with the
right hand and with the left are two classes here.

Images of one driver in training and in validation make the validation too easy. Give --valid a
folder with other drivers' images.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from zoo.finetuning import default_augmentation, finetune
from zoo.practice.stand_in import NETWORK, stand_in

DIGITS = {f"c{digit}": digit for digit in range(10)}  # what stands in for what


def main(argv: Sequence[str] | None = None) -> float:
    """Fine-tune a network and return the accuracy on images it was not trained on."""
    parser = argparse.ArgumentParser(description="Distracted drivers, ten folders.")
    parser.add_argument("photos", nargs="?", type=Path, help="a folder with the folders c0 to c9")
    parser.add_argument("--valid", type=Path, help="likewise, of other drivers; default: a fifth of photos")
    parser.add_argument("--network", default="resnet50", help="default: resnet50")
    parser.add_argument("--out", type=Path, default=Path("run-drivers"), help="run folder to write")
    parser.add_argument("--offline", action="store_true", help="digits and practice weights, no network")
    arguments = parser.parse_args(argv)

    network, photos = arguments.network, arguments.photos
    options = {"augmentation": default_augmentation(flip=False)}
    with tempfile.TemporaryDirectory() as folder:
        if arguments.offline:
            source = stand_in(Path(folder), DIGITS)
            network, photos = NETWORK, source.photos
            options |= source.options
        elif photos is None:
            parser.error("name a folder of photos, or say --offline")
        result = finetune(
            network,
            data=None if arguments.valid else photos,
            train=photos if arguments.valid else None,
            valid=arguments.valid,
            strategy="last-layers",
            dropout=0.3,
            out=arguments.out,
            report=print,
            **options,
        )
    print(f"log loss {result.log_loss:.3f}; a model that knows nothing has 2.303")
    print(f"{result.accuracy:.1%} correctly classified; guessing would reach 10%")
    print(f"look at {arguments.out / 'report.html'}, then: zoo predict {arguments.out} new-picture.jpg")
    return result.accuracy


if __name__ == "__main__":
    main()
