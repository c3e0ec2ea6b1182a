"""What a network, or a model that was fine-tuned, sees in images."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from zoo.calling import public
from zoo.errors import ArgumentError, FileFormatError, UnknownNameError
from zoo.fetching.fetcher import fetch_class_index
from zoo.naming import hidden_note, is_name, is_written_as_path
from zoo.networks.given import Entry, common_scale, entries
from zoo.networks.images import (
    UNDECIDED,
    Depth,
    Picture,
    PictureError,
    Seen,
    resize,
)
from zoo.networks.loading import load
from zoo.networks.preprocessing import apply_recipe, decode_predictions
from zoo.networks.run_record import INCLUDED, read_run
from zoo.networks.weights import choose_weights
from zoo.numbers import is_whole
from zoo.progress.asked import Asked
from zoo.progress.protocol import Count, step
from zoo.registry import architecture, get_registry
from zoo.registry.records import Architecture, Preprocessing
from zoo.storage.progress import Progress
from zoo.surgery.tensors import DataFormat

CROP = 0.875
"""Share of the shorter side that is looked at: 224 of 256 pixels, 299 of 342.

So the published errors of all these networks were measured, on a single crop in the centre.
"""

BATCH = 16

Images = Any
"""An image as :func:`zoo.networks.given.entries` takes it, or several."""

_MODEL, _RECORD = "model.keras", "run.json"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Guess:
    """One class that an image may show.

    Attributes:
        id: WordNet identifier; empty for classes that have none.
        name: Its name.
        probability: From 0 to 1.
    """

    id: str
    name: str
    probability: float


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """What was seen in one image.

    Attributes:
        name: The image: its path, or where it stands in what was given, ``pictures[2]``.
        file: Its path, if it is in a file.
        guesses: The likeliest classes, the likeliest first; none if the image could not be read.
        problem: Why it could not be read.
        notes: On which scale it was read, where it has more than 8 bits a channel.
    """

    name: str
    file: Path | None = None
    guesses: tuple[Guess, ...] = ()
    problem: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Seer:
    """A model and all that is needed to show it images and to understand its answer."""

    model: keras.Model
    fit: Callable[[Picture], Picture]
    recipe: Preprocessing | None
    data_format: DataFormat
    name: Callable[[NDArray[np.float32]], list[tuple[Guess, ...]]]

    def look(self, pictures: Sequence[Picture]) -> list[tuple[Guess, ...]]:
        """Return the guesses for each image."""
        images = np.stack([self.fit(picture) for picture in pictures]).astype(np.float32)
        if self.data_format == "channels_first":
            images = images.transpose(0, 3, 1, 2)
        if self.recipe is not None:
            images = apply_recipe(self.recipe, images, self.data_format)
        outputs = self.model(images, training=False)
        last = outputs[-1] if isinstance(outputs, (list, tuple)) else outputs
        return self.name(np.asarray(keras.ops.convert_to_numpy(last)))


@public("pictures", "top")
def predict(
    source: str | os.PathLike[str],
    pictures: Images,
    *,
    top: int = 5,
    weights: str | os.PathLike[str] = "imagenet",
    progress: Asked = None,
) -> list[Predicted]:
    """Name what images show.

    A published network sees each image as it was tested: shrunk until the shorter side is its size by
    0.875, the middle cut out, and preprocessed by its own recipe. A fine-tuned model sees it as in its
    training. Images of more than 8 bits a channel are on the scale that those of the run were on; where
    there is none, on one that suits all of the given images.

    Args:
        source: Name of an architecture, or the folder of a fine-tuning run.
        pictures: An image file, or a folder of them (all below it); an array of RGB images (H, W, 3) or
            (N, H, W, 3), uint8 or floats, with values from 0 to 255; a Pillow image; or several of these, of
            any kinds.
        top: How many classes to name, at most.
        weights: Of a published network: as in :func:`zoo.load`. The file must have the published head.
        progress: As for :func:`zoo.fetch`, of downloads and of the images.

    Returns:
        One entry for each image, in order, with its path or where it stands in what was given; an image that
        cannot be read has its problem told instead.

    Raises:
        UnknownNameError: There is no such architecture.
        ArgumentError: ``top`` is no count, there are no images, or an array is none of images.
        FileFormatError: The folder is not that of a finished run.
        DownloadError: The weights, or the names of the classes, cannot be had.
    """
    given = entries(pictures)
    each = predict_each(source, given, top=top, weights=weights)
    found = list(islice(each, 1))  # by then the model is there, and what was fetched has been shown
    with step(Count(len(given) - len(found), "images"), "looking at images") as advance:
        for one in each:
            found.append(one)
            advance(1)
    return found


def predict_each(
    source: str | os.PathLike[str],
    pictures: Images,
    *,
    top: int = 5,
    weights: str | os.PathLike[str] = "imagenet",
    progress: Progress | None = None,
) -> Iterator[Predicted]:
    """Do what :func:`predict` does, telling of each image as soon as it is known.

    The model is made when an image has been read: of images none of which can be, nothing is fetched.
    """
    files = entries(pictures)
    if not is_whole(top) or top < 1:
        raise ArgumentError(f"top={top!r}: must be an integer from 1")
    if _is_run(source):
        folder = Path(source)
        record = _read_record(folder)
        seer = cache(partial(_from_run, folder, record, int(top)))
        return _predicted(seer, files, Depth.from_record(record.get("depth")))
    try:
        network = architecture(str(source))
    except UnknownNameError as error:
        raise UnknownNameError(f"{error} There is no folder of this name either.") from error
    if top > network.classes:
        raise ArgumentError(f"top={top!r}: must be an integer from 1 to {network.classes}")
    return _predicted(cache(partial(_from_network, network, int(top), weights, progress)), files, UNDECIDED)


def _is_run(source: str | os.PathLike[str]) -> bool:
    """Tell the folder of a run from the name of a network; see :mod:`zoo.naming`."""
    if is_name(source, lambda: get_registry().architectures):
        note = hidden_note(source, "network", Path.is_dir)
        if note:
            _LOG.warning("%s", note)
        return False
    return Path(source).is_dir() or is_written_as_path(source)


def _predicted(seer: Callable[[], _Seer], given: Sequence[Entry], depth: Depth) -> Iterator[Predicted]:
    depth = depth.otherwise(common_scale(given))
    rest = iter(given)
    while batch := list(islice(rest, BATCH)):
        read = {place: picture_or_problem(entry, depth) for place, entry in enumerate(batch)}
        seen = {place: one for place, one in read.items() if not isinstance(one, str)}
        shown = [one.picture for one in seen.values()]
        guesses = dict(zip(seen, seer().look(shown), strict=True)) if seen else {}
        for place, entry in enumerate(batch):
            found = read[place]
            if isinstance(found, str):
                yield Predicted(name=entry.name, file=entry.file, problem=found)
            else:
                told, notes = guesses[place], found.depth_notes
                yield Predicted(name=entry.name, file=entry.file, guesses=told, notes=notes)


def picture_or_problem(entry: Entry, depth: Depth) -> Seen | str:
    """Return an image, or why it cannot be read."""
    try:
        return entry.see(depth)
    except PictureError as error:
        return str(error)


def centre(picture: Picture, height: int, width: int) -> Picture:
    """Return the middle of an image at a network's size: shrunk to 1 / 0.875 of it first, never distorted.

    Args:
        picture: uint8, shape (H, W, 3).
        height: In pixels.
        width: In pixels.

    Returns:
        uint8, shape (height, width, 3).
    """
    rows, columns = picture.shape[:2]
    factor = max(round(height / CROP) / rows, round(width / CROP) / columns)
    whole = resize(picture, max(height, round(rows * factor)), max(width, round(columns * factor)))
    above, left = (whole.shape[0] - height) // 2, (whole.shape[1] - width) // 2
    return whole[above : above + height, left : left + width]


def _from_network(
    network: Architecture, top: int, weights: str | os.PathLike[str], progress: Progress | None
) -> _Seer:
    name = network.name
    if progress is not None:
        # Fetched here, where somebody is told of it; what follows finds it in the cache.
        choose_weights(network, weights, progress=progress)[1]()
        fetch_class_index(network.class_index, progress=progress)
    model = load(name, weights=weights, aux_heads=False, data_format="channels_last", compile=False)
    size = network.input

    def named(rows: NDArray[np.float32]) -> list[tuple[Guess, ...]]:
        return [
            tuple(Guess(id=id_, name=label, probability=probability) for id_, label, probability in row)
            for row in decode_predictions(name, rows, top)
        ]

    return _Seer(
        model=model,
        fit=lambda picture: centre(picture, size.height, size.width),
        recipe=network.preprocessing,
        data_format="channels_last",
        name=named,
    )


def _from_run(folder: Path, record: Mapping[str, Any], top: int) -> _Seer:
    classes, (height, width) = record["classes"], record["input"][:2]
    model = keras.saving.load_model(folder / _MODEL, compile=False)

    def named(rows: NDArray[np.float32]) -> list[tuple[Guess, ...]]:
        best = np.argsort(-rows, axis=1, kind="stable")[:, :top]
        return [
            tuple(Guess(id="", name=classes[place], probability=float(row[place])) for place in places)
            for row, places in zip(rows, best, strict=True)
        ]

    return _Seer(
        model=model,
        fit=lambda picture: resize(picture, height, width),
        recipe=_recipe(folder, record["preprocessing"]),
        data_format=record["data_format"],
        name=named,
    )


def _read_record(folder: Path) -> dict[str, Any]:
    """Return what a finished run says of itself.

    Raises:
        FileFormatError: There is no finished run in the folder, or a later version wrote it.
    """
    path = folder / _RECORD
    if not path.is_file() or not (folder / _MODEL).is_file():
        missing = _RECORD if not path.is_file() else _MODEL
        message = f"{folder}: is no network's name, nor the folder of a finished run: it has no {missing}"
        raise FileFormatError(message)
    try:
        record = read_run(path)
        for key in ("classes", "input", "preprocessing", "data_format"):
            record[key]
        Depth.from_record(record.get("depth"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileFormatError(f"{path}: is not the record of a run ({error!r})") from error
    return record


def _recipe(folder: Path, name: str) -> Preprocessing | None:
    known = get_registry().preprocessing
    if name != INCLUDED and name not in known:
        there = ", ".join((*known, INCLUDED))
        raise UnknownNameError(f"{folder / _RECORD}: no preprocessing is called {name!r}; there is {there}")
    return known.get(name)
