"""What can be told of a command's arguments and files without a framework, which takes seconds to import."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from zoo.finetuning.arguments import number_or_name, weights_named
from zoo.finetuning.data import check_source
from zoo.finetuning.devices import check_devices
from zoo.finetuning.division import check_share, check_sources
from zoo.finetuning.resuming import check_folder
from zoo.finetuning.sizes import size_of
from zoo.networks.images import PictureError, pictures_at, read_picture
from zoo.networks.rates import check_dropout
from zoo.networks.weights import choose_weights
from zoo.registry import architecture


def check_training(arguments: argparse.Namespace) -> None:
    """Check what ``zoo finetune`` and ``zoo features`` are given: names, sizes, weights and folders.

    Raises:
        ZooError: Something is not allowed, cannot be read or is not there.
    """
    if arguments.name is not None:
        weights = weights_named(arguments.weights)
        network = architecture(arguments.name).with_images_of(weights)
        size_of(network, arguments.input_size)
        if weights is not None and network.graphs:
            choose_weights(network, weights)
    check_devices(number_or_name(arguments.devices))
    labelled = arguments.command == "finetune"
    if labelled:
        check_share(arguments.validation_share)
        check_dropout(arguments.dropout)
        if not arguments.resume:
            given = arguments.data, arguments.train, arguments.valid
            check_sources(*given, said=("PICTURES", "--train", "--valid"))
    if labelled and arguments.out is not None:
        check_folder(arguments.out, resume=bool(arguments.resume))
    for name in ("data", "train", "valid"):
        source = getattr(arguments, name, None)
        if source is not None:
            # Images to validate with have the classes of those that are trained on, whichever they show.
            check_source(source, labelled=labelled, least=1 if name == "valid" else 2)


def all_unreadable(given: Iterable[str]) -> dict[Path, PictureError] | None:
    """Return what is wrong with each image if all are unreadable: then no network need look.

    Args:
        given: Images, and folders of them.

    Raises:
        DataError: A folder has none.
    """
    found: dict[Path, PictureError] = {}
    for file in [file for path in given for file in pictures_at(Path(path))]:
        try:
            read_picture(file)
        except PictureError as error:
            found[file] = error
        else:
            return None
    return found
