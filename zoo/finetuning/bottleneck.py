"""Bottleneck features of images by a network's name, as ``zoo features`` writes them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from converters.errors import counted
from zoo.calling import public
from zoo.errors import ArgumentError
from zoo.files.given import weights_at_hand
from zoo.finetuning import runs
from zoo.finetuning.arguments import file_to_write
from zoo.finetuning.features import save_features
from zoo.finetuning.job import Data
from zoo.finetuning.pictures import Pictures, Problem
from zoo.finetuning.shelves import Features
from zoo.networks.fitting import Fit
from zoo.progress.asked import Asked
from zoo.progress.protocol import shown


@dataclass(frozen=True, kw_only=True)
class Bottleneck:
    """What a network makes of images just before it classifies them.

    Attributes:
        features: Shape (N, F), float32.
        labels: Shape (N,): for each image, the place of its class in ``classes``.
        files: For each image, where it is from.
        classes: Their names.
        problems: What was left out, and what the user should know.
    """

    features: Features = field(repr=False)
    labels: NDArray[np.int64] = field(repr=False)
    files: tuple[str, ...] = field(repr=False)
    classes: tuple[str, ...]
    problems: tuple[Problem, ...] = field(repr=False)

    def __repr__(self) -> str:
        """Return what there is in one line; each attribute can be looked at."""
        return f"<{self}>"

    def __str__(self) -> str:
        """Return one line."""
        count, width = self.features.shape
        classes = counted(len(self.classes), "class")
        return f"{counted(width, 'feature')} of {counted(count, 'image')} of {classes}"


@public("*")
@weights_at_hand
def features(
    name: str,
    data: Data,
    *,
    out: str | os.PathLike[str] | None = None,
    input_size: int | tuple[int, int] | None = None,
    fit: Fit | None = None,
    weights: str | os.PathLike[str] | None = "imagenet",
    devices: str | int | None = None,
    cache: bool = True,
    fused: bool = False,
    progress: Asked = None,
) -> Bottleneck:
    """Return the bottleneck features of images, as ``zoo features`` writes them.

    Args:
        name: Name of an architecture.
        data: A folder with a folder per class, or of images alone; a CSV file; ``(images, labels)``; or
            whatever else :func:`zoo.finetune` takes.
        out: An ``.npz`` file to write them to as well: ``features``, ``labels``, ``files``, ``classes``. One
            that holds features is replaced when the new one is whole; nothing else that is there is.
        input_size: Side of the images in pixels, or (H, W); ``None`` is the published size.
        fit: What becomes of images of another shape: ``crop``, ``pad`` or ``stretch``. ``None``: what
            :class:`~zoo.finetuning.pictures.Pictures` have, or ``crop``.
        weights: As for :func:`zoo.load`.
        devices: ``"all"``, or how many.
        cache: Whether features are looked up and kept in the zoo's cache.
        fused: Fold batch normalisation into the convolutions: faster, equal but for rounding.
        progress: As for :func:`zoo.fetch`, of the download and of the images.

    Returns:
        What the main classifier would take, and of which images.

    Raises:
        UnknownNameError: There is no such architecture or weights set.
        ArgumentError: An argument is not allowed.
        ZooError: The weights cannot be had, or the images cannot be used.
    """
    _passed_over = True
    path = None if out is None else _checked(out)
    found, pictures = runs.features(
        name,
        data,
        input_size=input_size,
        fit=fit,
        weights=weights,
        devices=devices,
        cache=cache,
        fused=fused,
        progress=shown(),
    )
    if path is not None:
        save_features(path, found, pictures)
    return _of(found, pictures)


def _checked(out: str | os.PathLike[str]) -> Path:
    if not isinstance(out, str | os.PathLike):
        raise ArgumentError(f"out={out!r}: must be the path of a file to write, or None")
    return file_to_write(Path(out), f"out={str(out)!r}")


def _of(found: Features, pictures: Pictures) -> Bottleneck:
    return Bottleneck(
        features=found,
        labels=pictures.labels,
        files=tuple(pictures.names),
        classes=tuple(pictures.classes),
        problems=tuple(pictures.problems),
    )
