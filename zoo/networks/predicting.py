"""What a network, or a model that was fine-tuned, sees in images."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from zoo.calling import public
from zoo.fetching.fetcher import fetch_class_index
from zoo.files.given import weights_at_hand
from zoo.naming import hidden_note
from zoo.networks.fitting import Frame
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
from zoo.networks.predictors import Names, Run, Source, WholeModel, predictor, source_at_hand
from zoo.networks.preprocessing import apply_recipe, decode_predictions
from zoo.networks.weights import as_trained, choose_weights, set_for
from zoo.networks.whole_models import images_of, opened, recipe_of
from zoo.progress.asked import Asked
from zoo.progress.protocol import Count, Progress, step
from zoo.registry.records import Architecture, Interpolation, Preprocessing
from zoo.surgery.tensors import DataFormat

CROP = 0.875
"""Share of the shorter side that is looked at: 224 of 256 pixels, 299 of 342.

So the published errors of all these networks were measured, on a single crop in the centre.
"""

BATCH = 16

_TOLD = 3  # classes that stand in one line

Images = Any
"""An image as :func:`zoo.networks.given.entries` takes it, or several."""

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

    def __repr__(self) -> str:
        """Return what was seen in one line; each attribute can be looked at."""
        return f"<{self}>"

    def __str__(self) -> str:
        """Return one line, with the likeliest classes."""
        if self.problem:
            return self.problem
        seen = [f"{guess.name} {guess.probability:.1%}" for guess in self.guesses[:_TOLD]]
        return f"{self.name}: {', '.join(seen)}"


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


@public("pictures", "top", "classes", "preprocessing", "fit")
@weights_at_hand
def predict(
    source: str | os.PathLike[str] | keras.Model,
    pictures: Images,
    *,
    top: int = 5,
    weights: str | os.PathLike[str] = "imagenet",
    classes: Names | None = None,
    preprocessing: str | None = None,
    fit: str | None = None,
    progress: Asked = None,
) -> list[Predicted]:
    """Name what images show.

    A published network sees each image as it was tested: shrunk until the shorter side is its size by
    0.875, the middle cut out, and preprocessed by its own recipe. A fine-tuned model sees it as in its
    training. Images of more than 8 bits a channel are on the scale that those of the run were on; where
    there is none, on one that suits all of the given images.

    Args:
        source: Name of an architecture; the folder of a fine-tuning run, or the model in it; or any whole
            model, in a file or in memory. A folder or a file by path, or by a URL that fsspec knows.
        pictures: An image file, or a folder of them (all below it); an array of RGB images (H, W, 3) or
            (N, H, W, 3), uint8 or floats, with values from 0 to 255; a Pillow image; or several of these, of
            any kinds.
        top: How many classes to name, at most: a model of fewer names them all.
        weights: Of a published network: as in :func:`zoo.load`. The file must have the published head.
        classes: Of a whole model: names in the order of its outputs, or a file with one a line, or JSON.
        preprocessing: Of a whole model: name of a recipe of the registry, or ``none`` for images from 0 to
            255. ``None``: the model holds what it needs.
        fit: Of a whole model: what becomes of images of another shape, ``crop``, ``pad`` or ``stretch``.
        progress: As for :func:`zoo.fetch`, of downloads and of the images.

    Returns:
        One entry for each image, in order, with its path or where it stands in what was given; an image that
        cannot be read has its problem told instead.

    Raises:
        UnknownNameError: There is no such architecture.
        ArgumentError: ``top`` is no count, there are no images, or an array is none of images.
        FileFormatError: The folder is not that of a finished run.
        DownloadError: The weights, or the names of the classes, cannot be had.
        CacheError: A URL cannot be read.
    """
    given = entries(pictures)
    told: dict[str, Any] = {"classes": classes, "preprocessing": preprocessing, "fit": fit}
    found: list[Predicted] = []
    with source_at_hand(source, classes) as asked:
        each = predict_each(asked, given, top=top, weights=weights, **told)
        for one in each:
            found.append(one)
            if one.problem is None:  # by then the model is there, and what was fetched has been shown
                break
        if left := len(given) - len(found):
            with step(Count(left, "images"), "looking at images") as advance:
                for one in each:
                    found.append(one)
                    advance(1)
    return found


def predict_each(
    source: Source,
    pictures: Images,
    *,
    top: int = 5,
    weights: str | os.PathLike[str] = "imagenet",
    classes: Names | None = None,
    preprocessing: str | None = None,
    fit: str | None = None,
    progress: Progress | None = None,
) -> Iterator[Predicted]:
    """Do what :func:`predict` does, telling of each image as soon as it is known.

    The model is made when an image has been read: of images none of which can be, nothing is fetched.
    """
    files = entries(pictures)
    asked = predictor(source, top=top, classes=classes, preprocessing=preprocessing, fit=fit)
    if isinstance(asked, Architecture):
        if note := hidden_note(asked.name, "network", Path.is_dir):
            _LOG.warning("%s", note)
        return _predicted(cache(partial(_from_network, asked, int(top), weights, progress)), files, UNDECIDED)
    if isinstance(asked, Run):
        depth = Depth.from_record(asked.record.get("depth"))
        return _predicted(cache(partial(_from_run, asked, int(top))), files, depth)
    return _predicted(cache(partial(_from_whole, asked, int(top))), files, UNDECIDED)


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


def centre(
    picture: Picture,
    height: int,
    width: int,
    shorter: int | None = None,
    how: Interpolation | None = None,
) -> Picture:
    """Return the middle of an image at a network's size, never distorted.

    Args:
        picture: uint8, shape (H, W, 3).
        height: In pixels.
        width: In pixels.
        shorter: Pixels to which the shorter side is scaled first; by default 1 / 0.875 of the network's.
        how: How it is scaled; bilinear by default.

    Returns:
        uint8, shape (height, width, 3).
    """
    rows, columns = picture.shape[:2]
    share = CROP if shorter is None else min(height, width) / shorter
    factor = max(round(height / share) / rows, round(width / share) / columns)
    size = max(height, round(rows * factor)), max(width, round(columns * factor))
    whole = resize(picture, *size, how or "bilinear")
    above, left = (whole.shape[0] - height) // 2, (whole.shape[1] - width) // 2
    return whole[above : above + height, left : left + width]


def _from_network(
    network: Architecture, top: int, weights: str | os.PathLike[str], progress: Progress | None
) -> _Seer:
    trained = as_trained(network, weights)
    name, recipe, size = network.name, trained.recipe, trained.input
    said = network.about(str(set_for(network, weights)))
    network.check_named()
    if progress is not None and network.graphs:
        # Fetched here, where somebody is told of it; what follows finds it in the cache.
        choose_weights(network, weights, progress=progress)[1]()
        if network.class_index is not None:
            fetch_class_index(network.class_index, progress=progress)
    model = load(name, weights=weights, aux_heads=False, data_format="channels_last", compile=False)

    def named(rows: NDArray[np.float32]) -> list[tuple[Guess, ...]]:
        return [
            tuple(Guess(id=id_, name=label, probability=probability) for id_, label, probability in row)
            for row in decode_predictions(name, rows, top)
        ]

    return _Seer(
        model=model,
        fit=lambda picture: centre(picture, size.height, size.width, said.resize, said.interpolation),
        recipe=recipe,
        data_format="channels_last",
        name=named,
    )


def _from_run(run: Run, top: int) -> _Seer:
    record = run.record
    height, width = record["input"][:2]
    recipe = run.recipe
    return _Seer(
        model=keras.saving.load_model(run.model, compile=False),
        fit=Frame(height=height, width=width, fit=run.fit).of,
        recipe=recipe,
        data_format=record["data_format"],
        name=partial(_named, record["classes"], top),
    )


def _from_whole(asked: WholeModel, top: int) -> _Seer:
    """Return a model of the user's own, and tell what is taken for granted of it."""
    model = opened(asked)
    order, height, width = images_of(model, asked)
    return _Seer(
        model=model,
        fit=Frame(height=height, width=width, fit=asked.fit).of,
        recipe=recipe_of(model, asked),
        data_format=order,
        name=partial(_named, asked.classes, top),
    )


def _named(classes: Sequence[str], top: int, rows: NDArray[np.float32]) -> list[tuple[Guess, ...]]:
    """Return the likeliest classes of each row of probabilities, (N, classes)."""
    best = np.argsort(-rows, axis=1, kind="stable")[:, :top]
    return [
        tuple(Guess(id="", name=classes[place], probability=float(row[place])) for place in places)
        for row, places in zip(rows, best, strict=True)
    ]
