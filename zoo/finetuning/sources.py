"""Where images come from, by number: files or arrays, and those that stay decoded in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from zoo.networks.fitting import Frame
from zoo.networks.images import UNDECIDED, Depth, Picture, eight_bits, read_picture, see_picture
from zoo.registry.digests import hash_file

MEMORY = 1 << 30
"""Bytes of decoded images that are kept in memory; images beyond that are read anew in each epoch."""


class Source(Protocol):
    """Where images come from, by number.

    Attributes:
        unreadable: Images that failed to be read although they had been read before.
    """

    unreadable: set[int]

    def read(self, index: int, frame: Frame, depth: Depth) -> Picture:
        """Return an image in a frame, on the scale of its set, uint8 of shape (height, width, 3).

        Raises:
            PictureError: It can no longer be read.
        """

    def digest(self, index: int, depth: Depth) -> str:
        """Return what tells this image's content, on the scale of its set, from any other's."""

    def shape(self, index: int) -> tuple[int, int]:
        """Return how many rows and columns of pixels an image has."""


_Kept = tuple[int, Frame, Depth]
"""An image by its number, in a frame, and on a scale: undecided where it has 8 bits a channel anyway."""


class _Memory:
    """Decoded images, as many as there is room for."""

    def __init__(self) -> None:
        self._kept: dict[_Kept, Picture] = {}
        self._bytes = 0

    def get(self, key: _Kept) -> Picture | None:
        """Return an image that was kept."""
        return self._kept.get(key)

    def keep(self, key: _Kept, picture: Picture) -> None:
        """Keep an image if there is room."""
        if self._bytes + picture.nbytes <= MEMORY and key not in self._kept:
            self._kept[key] = picture
            self._bytes += picture.nbytes


class Files:
    """Images in files.

    Attributes:
        unreadable: As for :class:`Source`.
        depths: The scale that each image would be on by itself, of those that have more than 8 bits.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.unreadable: set[int] = set()
        self.depths: dict[int, Depth] = {}
        self._paths = paths
        self._digests: dict[int, str] = {}
        self._shapes: dict[int, tuple[int, int]] = {}
        self._memory = _Memory()

    def inspect(self, index: int, frame: Frame | None) -> tuple[str, ...]:
        """Read an image for the first time; return what had to be done to it, but for its depth.

        Raises:
            PictureError: It cannot be read.
        """
        path = self._paths[index]
        seen = see_picture(path)
        self._digests[index] = hash_file(path, ["sha256"])["sha256"]
        self._shapes[index] = seen.picture.shape[:2]
        if seen.own != UNDECIDED:
            self.depths[index] = seen.own  # what it looks like is known when all others are
        elif frame is not None:
            self._memory.keep((index, frame, UNDECIDED), frame.of(seen.picture))
        return seen.notes

    def notes(self, index: int, depth: Depth) -> tuple[str, ...]:
        """Return what a scale does to an image."""
        return self._used(index, depth).notes

    def read(self, index: int, frame: Frame, depth: Depth) -> Picture:
        """Return an image in a frame and on a scale."""
        key = (index, frame, self._used(index, depth))
        picture = self._memory.get(key)
        if picture is None:
            picture = frame.of(read_picture(self._paths[index], depth))
            self._memory.keep(key, picture)
        return picture

    def digest(self, index: int, depth: Depth) -> str:
        """Return the SHA-256 of the file as it was when first read, and with it the scale if that counts."""
        return "".join((self._digests[index], *(f", {note}" for note in self._marks(index, depth))))

    def shape(self, index: int) -> tuple[int, int]:
        """Return rows and columns of the image as it was when first read."""
        return self._shapes[index]

    def _marks(self, index: int, depth: Depth) -> Iterator[str]:
        used = self._used(index, depth)
        if used.bits is not None:
            yield f"{used.bits} bits"
        if used.floats is not None:
            yield f"from {used.floats[0]!r} to {used.floats[1]!r}"

    def _used(self, index: int, depth: Depth) -> Depth:
        return depth.of(self.depths.get(index, UNDECIDED))


class Arrays:
    """Images in memory.

    Attributes:
        unreadable: As for :class:`Source`; none ever is.
    """

    def __init__(self, pictures: Sequence[NDArray[Any]]) -> None:
        """Take images.

        Args:
            pictures: uint8 or, where the scale of the set decides what they look like, uint16, of shape (H,
                W, channels).
        """
        self.unreadable: set[int] = set()
        self._pictures = pictures
        self._digests: dict[tuple[int, Depth], str] = {}
        self._memory = _Memory()

    def read(self, index: int, frame: Frame, depth: Depth) -> Picture:
        """Return an image in a frame and on a scale."""
        stored = self._pictures[index]
        if stored.dtype == np.uint8 and stored.shape == (frame.height, frame.width, 3):
            return stored
        key = (index, frame, self._used(index, depth))
        picture = self._memory.get(key)
        if picture is None:
            picture = frame.of(rgb(stored, depth))
            self._memory.keep(key, picture)
        return picture

    def digest(self, index: int, depth: Depth) -> str:
        """Return the SHA-256 of the shape and the pixels."""
        key = (index, self._used(index, depth))
        if key not in self._digests:
            picture = rgb(self._pictures[index], depth)
            content = str(picture.shape).encode() + picture.tobytes()
            self._digests[key] = hashlib.sha256(content).hexdigest()
        return self._digests[key]

    def shape(self, index: int) -> tuple[int, int]:
        """Return rows and columns of the image."""
        rows, columns = self._pictures[index].shape[:2]
        return rows, columns

    def _used(self, index: int, depth: Depth) -> Depth:
        return UNDECIDED if self._pictures[index].dtype == np.uint8 else depth


def rgb(array: NDArray[Any], depth: Depth) -> Picture:
    """Return an image (H, W, channels) as uint8 of shape (H, W, 3); one of 16 bits is put on a scale."""
    if array.dtype == np.uint16:
        array = eight_bits(array, depth.bits or 16)
    if array.shape[-1] == 4:
        alpha = array[..., 3:].astype(np.float32) / 255
        array = np.round(array[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    return np.repeat(array, 3, axis=-1) if array.shape[-1] == 1 else np.ascontiguousarray(array)
