"""``zoo features``."""

from __future__ import annotations

import argparse
from pathlib import Path

from zoo.cli import EXIT_DONE, output
from zoo.cli.bars import keras_verbosity, progress
from zoo.cli.early import check_training
from zoo.cli.keras_import import import_keras
from zoo.finetuning.arguments import file_to_write, number_or_name, weights_named
from zoo.registry import architecture


def run(arguments: argparse.Namespace) -> int:
    """Write the bottleneck features of images and print the path of the file, alone."""
    architecture(arguments.name)  # a misspelt name is told before Keras is imported
    path = file_to_write(Path(arguments.out), f"--out {Path(arguments.out)}")
    check_training(arguments)
    import_keras()
    from zoo.finetuning.features import save_features
    from zoo.finetuning.runs import features

    found, pictures = features(
        arguments.name,
        arguments.data,
        input_size=arguments.input_size,
        fit=arguments.fit,
        weights=weights_named(arguments.weights),
        devices=number_or_name(arguments.devices),
        fused=arguments.fused,
        verbose=keras_verbosity(is_json=arguments.json),
        progress=progress(),
        report=output.note,
    )
    save_features(path, found, pictures)
    for problem in pictures.problems:
        output.say(f"zoo: {problem.file}: {problem.problem}")
    if arguments.json:
        output.print_json(
            {
                "path": str(path),
                "pictures": len(pictures),
                "features": found.shape[1],
                "classes": [name for name in pictures.classes if name],
            }
        )
    else:
        output.print_line(str(path))
    return EXIT_DONE
