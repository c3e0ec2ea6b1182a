"""A few dozen pictures: bottleneck features and a linear support vector machine.

    python examples/svm_few_pictures.py photos/ --out run1/    # photos/CLASS/*.jpg
    python examples/svm_few_pictures.py --offline              # handwritten digits instead

With so few images a softmax learns them by heart. The network, as published, turns each image
into some thousand numbers; a support vector machine finds the clearest boundary between the classes
in them. It takes seconds.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from zoo.finetuning import finetune
from zoo.practice.stand_in import NETWORK, stand_in


def main(argv: Sequence[str] | None = None) -> float:
    """Fine-tune a network and return the accuracy on images it was not trained on."""
    parser = argparse.ArgumentParser(description="An SVM on few images.")
    parser.add_argument("photos", nargs="?", type=Path, help="a folder with a folder for each class")
    parser.add_argument("--network", default="resnet50", help="default: resnet50")
    parser.add_argument("--out", type=Path, default=Path("run-svm"), help="run folder to write")
    parser.add_argument("--offline", action="store_true", help="digits and practice weights, no network")
    arguments = parser.parse_args(argv)

    network, photos, options = arguments.network, arguments.photos, {}
    with tempfile.TemporaryDirectory() as folder:
        if arguments.offline:
            source = stand_in(Path(folder), count=150)
            network, photos, options = NETWORK, source.photos, source.options
        elif photos is None:
            parser.error("name a folder of photos, or say --offline")
        result = finetune(network, photos, strategy="svm", out=arguments.out, report=print, **options)
    print(f"{result.accuracy:.1%} correctly classified; guessing would reach {1 / len(result.classes):.0%}")
    print(f"look at {arguments.out / 'report.html'}, then: zoo predict {arguments.out} new-picture.jpg")
    return result.accuracy


if __name__ == "__main__":
    main()
