"""CIFAR-10 with any of the networks: the worked example of the fine-tuning tutorials.

    python examples/cifar10.py resnet50 --out run1/         # downloads CIFAR-10 (170 MB) and the weights
    python examples/cifar10.py --offline                    # handwritten digits and practice weights instead

3,000 images to learn from and 100 to check on, as in the original scripts. Arrays are all that
fine-tuning needs: images of shape (N, H, W, 3) with values from 0 to 255, and their labels. They
are brought to the network's size and preprocessed as its weights were trained, a batch at a time.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import zoo
from zoo.finetuning import finetune
from zoo.practice.digits import digits
from zoo.practice.stand_in import NETWORK, stand_in

TRAIN, VALID = 3_000, 100


def cifar10() -> tuple[Any, Any]:
    """Return CIFAR-10's first images, (N, 32, 32, 3), and their labels, (N,)."""
    import keras

    (pictures, labels), _ = keras.datasets.cifar10.load_data()
    return pictures[: TRAIN + VALID], labels[: TRAIN + VALID, 0]


def main(argv: Sequence[str] | None = None) -> float:
    """Fine-tune a network and return the accuracy on images it was not trained on."""
    parser = argparse.ArgumentParser(description="CIFAR-10 with any of the networks.")
    parser.add_argument("network", nargs="?", default=NETWORK, choices=zoo.list_models(), metavar="NETWORK")
    parser.add_argument("--strategy", default="head", help="default: head")
    parser.add_argument("--out", type=Path, help="run folder; with a report in the end")
    parser.add_argument("--offline", action="store_true", help="digits and practice weights, no network")
    arguments = parser.parse_args(argv)

    with tempfile.TemporaryDirectory() as folder:
        if arguments.offline:
            pictures, labels = digits()
            options = stand_in(Path(folder), network=arguments.network).options
        else:
            pictures, labels = cifar10()
            options = {}
        result = finetune(
            arguments.network,
            train=(pictures[:-VALID], labels[:-VALID]),
            valid=(pictures[-VALID:], labels[-VALID:]),
            strategy=arguments.strategy,
            out=arguments.out,
            report=print,
            **options,
        )
    print(f"{result.accuracy:.1%} of {VALID} images correctly classified; guessing would reach 10%")
    return result.accuracy


if __name__ == "__main__":
    main()
