"""Dogs and cats from a folder: freeze, pre-train, fine-tune.

    python examples/dogs_and_cats.py photos/ --out run1/    # photos/cats/*.jpg and photos/dogs/*.jpg
    python examples/dogs_and_cats.py --offline              # handwritten threes and eights instead

The way for a few hundred images a class. Two small dense layers are trained on the frozen network
first: their random weights would otherwise spoil the network's good ones in the first steps. Then
everything goes on together, ten times slower.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from zoo.finetuning import finetune
from zoo.practice.stand_in import NETWORK, stand_in

DIGITS = {"cats": 3, "dogs": 8}  # what stands in for whom


def main(argv: Sequence[str] | None = None) -> float:
    """Fine-tune a network and return the accuracy on images it was not trained on."""
    parser = argparse.ArgumentParser(description="Dogs and cats from a folder.")
    parser.add_argument("photos", nargs="?", type=Path, help="a folder with the folders cats and dogs")
    parser.add_argument("--network", default="resnet50", help="default: resnet50")
    parser.add_argument("--out", type=Path, default=Path("run-dogs-and-cats"), help="run folder to write")
    parser.add_argument("--offline", action="store_true", help="digits and practice weights, no network")
    arguments = parser.parse_args(argv)

    network, photos, options = arguments.network, arguments.photos, {}
    with tempfile.TemporaryDirectory() as folder:
        if arguments.offline:
            source = stand_in(Path(folder), DIGITS)
            network, photos, options = NETWORK, source.photos, source.options
        elif photos is None:
            parser.error("name a folder of photos, or say --offline")
        result = finetune(
            network, photos, strategy="freeze-pretrain-finetune", out=arguments.out, report=print, **options
        )
    print(f"{result.accuracy:.1%} correctly classified; guessing would reach 50%")
    print(f"look at {arguments.out / 'report.html'}, then: zoo predict {arguments.out} new-picture.jpg")
    return result.accuracy


if __name__ == "__main__":
    main()
