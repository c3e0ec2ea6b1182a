"""Labelled images, wherever they come from: which classes they have, and what they look like in a frame."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from zoo.finetuning.sources import Source
from zoo.networks.fitting import DEFAULT_FIT, Fit, Frame
from zoo.networks.images import UNDECIDED, Depth, Picture, PictureError

Size = tuple[int, int]
"""Height and width in pixels."""

_UNREADABLE_GREY = 128
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something about the data that the user should know.

    Attributes:
        file: The file, folder or class that it is about.
        problem: What it is.
        used: Whether it is used all the same.
    """

    file: str
    problem: str
    used: bool


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Labelled images.

    Attributes:
        classes: Names of the classes, sorted unless they were given.
        labels: Class of each image as a place in ``classes``, shape (N,).
        names: A file, or ``picture 17``, for each image.
        problems: What was left out and what was done to images to make them usable.
        numbered: Whether integers, as labels, are places in ``classes``, not names of classes.
        depth: The scale of those that have more than 8 bits a channel, one for all.
        fit: What becomes of an image whose shape is not the one that is asked for: ``crop`` takes its middle,
            ``pad`` adds black, ``stretch`` distorts it.
        source: Where the images are read from.
        places: Number of each image in the source, shape (N,).
    """

    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    names: tuple[str, ...]
    problems: tuple[Problem, ...] = ()
    numbered: bool = False
    depth: Depth = UNDECIDED
    fit: Fit = DEFAULT_FIT
    source: Source = field(repr=False)
    places: NDArray[np.int64] = field(repr=False)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)

    @property
    def readable(self) -> NDArray[np.bool_]:
        """Whether each image could be read whenever it was asked for, shape (N,).

        Known of the images, not of this part of them: all that is divided from the same source sees it.
        """
        return np.array([int(place) not in self.source.unreadable for place in self.places], np.bool_)

    @property
    def unreadable(self) -> tuple[str, ...]:
        """Names of the images that could be read once and no longer."""
        return tuple(self.names[index] for index in np.flatnonzero(~self.readable))

    @property
    def counts(self) -> NDArray[np.int64]:
        """Number of images of each class, shape (classes,)."""
        return np.bincount(self.labels, minlength=len(self.classes))

    def batch(self, indices: Sequence[int] | NDArray[np.int64], height: int, width: int) -> NDArray[np.uint8]:
        """Return some images at a size.

        Args:
            indices: Which, n of them.
            height: In pixels.
            width: In pixels.

        Returns:
            RGB, shape (n, height, width, 3). An image that can no longer be read is grey all over.
        """
        return self.read(indices, (height, width))[0]

    def read(
        self, indices: Sequence[int] | NDArray[np.int64], size: Size
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Return some images at a size, and whether each could be read.

        One that failed once is not tried again, so that it counts the same in every epoch.

        Args:
            indices: Which, n of them.
            size: Height and width in pixels.

        Returns:
            RGB, shape (n, height, width, 3), and (n,).
        """
        frame = Frame(height=size[0], width=size[1], fit=self.fit)
        images = np.full((len(indices), *size, 3), _UNREADABLE_GREY, np.uint8)
        readable = np.ones(len(indices), np.bool_)
        for row, index in enumerate(indices):
            picture = self._read(int(self.places[index]), frame)
            if picture is None:
                readable[row] = False
            else:
                images[row] = picture
        return images, readable

    def _read(self, place: int, frame: Frame) -> Picture | None:
        unreadable = self.source.unreadable
        if place in unreadable:
            return None
        try:
            return self.source.read(place, frame, self.depth)
        except PictureError as error:
            unreadable.add(place)
            _LOG.warning("%s; it counts for nothing from now on", error)
            return None

    def digests(self) -> list[str]:
        """Return what tells each image's content from any other's."""
        return [self.source.digest(int(place), self.depth) for place in self.places]

    def digests_at(self, size: Size) -> list[str]:
        """Return what tells each image at a size from any other: content, and fit where that counts.

        Args:
            size: Height and width, in pixels.

        Returns:
            A text for each image, in their order.
        """
        frame = Frame(height=size[0], width=size[1], fit=self.fit)
        marks = (frame.mark(*self.source.shape(int(place))) for place in self.places)
        told = zip(self.digests(), marks, strict=True)
        return [digest if mark is None else f"{digest}, {mark}" for digest, mark in told]

    def at_depth(self, depth: Depth) -> Pictures:
        """Return the same images on another scale, and what is said of them with it.

        Args:
            depth: How many bits integers have, and between what values floating-point ones lie.
        """
        renamed = {
            before: now
            for before, now in zip(self.depth.notes, depth.of(self.depth).notes, strict=True)
            if before != now
        }
        problems = tuple(
            replace(one, problem=renamed[one.problem]) if one.problem in renamed else one
            for one in self.problems
        )
        return replace(self, depth=depth, problems=problems)

    def subset(self, indices: NDArray[np.int64]) -> Pictures:
        """Return some of the images, with all classes and problems.

        Args:
            indices: Which ones, counted from 0, in the order in which they are wanted; shape (n,).
        """
        return replace(
            self,
            labels=self.labels[indices],
            names=tuple(self.names[index] for index in indices),
            places=self.places[indices],
        )


def digest_images(pictures: Pictures) -> str:
    """Return what tells images and their classes, in their order, from any others."""
    text = "\n".join(
        f"{digest} {label}" for digest, label in zip(pictures.digests(), pictures.labels, strict=True)
    )
    return hashlib.sha256(text.encode()).hexdigest()


def of_one_depth(train: Pictures, valid: Pictures) -> tuple[Pictures, Pictures]:
    """Return two sets of images on one scale, so that the same grey is the same in both."""
    depth = train.depth.joined(valid.depth)
    return train.at_depth(depth), valid.at_depth(depth)
