"""``zoo features``."""

from __future__ import annotations

import argparse
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from zoo.cli import EXIT_DONE, output
from zoo.cli.bars import keras_verbosity, progress
from zoo.cli.early import check_training
from zoo.cli.keras_import import import_keras, quiet_workers
from zoo.cli.weights import with_weights
from zoo.errors import ArgumentError
from zoo.finetuning.arguments import file_to_write, number_or_name, weights_named
from zoo.registry import architecture
from zoo.storage.remote import is_remote, shown
from zoo.work.engines import engine


def run(arguments: argparse.Namespace) -> int:
    """Write the bottleneck features of images and print the path of the file, alone."""
    architecture(arguments.name)  # a misspelt name is told before Keras is imported
    if _is_folder(arguments):
        return _write_shards(arguments)  # whose workers bring the weights themselves
    return _write_file(arguments)


@with_weights
def _write_file(arguments: argparse.Namespace) -> int:
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


def _is_folder(arguments: argparse.Namespace) -> bool:
    """Tell whether features are to go to a folder: it is written as one, or only a folder can have them.

    Raises:
        ArgumentError: One file is to be written elsewhere.
    """
    if arguments.out.endswith("/") or arguments.cluster is not None or arguments.format is not None:
        return True
    if is_remote(arguments.out):
        raise ArgumentError(
            f"--out {shown(arguments.out)}: features go to a folder there: write a / behind it"
        )
    return False


def _write_shards(arguments: argparse.Namespace) -> int:
    """Write a folder of features and print its path, alone; Keras is for those who compute."""
    if arguments.devices is not None:
        raise ArgumentError(
            "--devices is for one file; a folder is written by --cluster, one thread a worker"
        )
    quiet_workers()
    from zoo.finetuning.shards import feature_shards

    with _engine(arguments.cluster) as executor:
        found = feature_shards(
            arguments.name,
            arguments.data,
            arguments.out,
            format=arguments.format or "npz",
            executor=executor,
            input_size=arguments.input_size,
            fit=arguments.fit,
            weights=weights_named(arguments.weights),
            fused=arguments.fused,
            report=lambda problem: output.say(f"zoo: {problem.file}: {problem.problem}"),
            progress=progress(),
        )
    output.note(f"zoo: {found}, {found.taken} of them there before")
    output.print_json(found.as_dict()) if arguments.json else output.print_line(shown(str(found.folder)))
    return EXIT_DONE


def _engine(cluster: str | None) -> AbstractContextManager[Executor | None]:
    return nullcontext() if cluster is None else engine(cluster)
