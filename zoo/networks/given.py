"""Images as a user gives them: files, folders, arrays and Pillow's images, each with a name for messages."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import ArgumentError
from zoo.networks.images import (
    UNDECIDED,
    Depth,
    Seen,
    common_depth,
    depth_of,
    pictures_at,
    see_image,
    see_picture,
)

EXPECTED = (
    "the path of an image or of a folder, an array (H, W, 3) or (N, H, W, 3) of RGB values from 0 to 255, or"
    " a Pillow image"
)

_WHITE = 255


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One image that was given.

    Attributes:
        name: Its path, or where it stands in what was given: ``pictures[2]``.
        see: Reads it on a scale, see :class:`~zoo.networks.images.Depth`.
        depth: Returns the scale that it would be on by itself.
        file: Its path, if it is in a file.
    """

    name: str
    see: Callable[[Depth], Seen]
    depth: Callable[[], Depth]
    file: Path | None = None


def entries(given: Any, name: str = "pictures") -> list[Entry]:  # noqa: ANN401 - whatever a user gives
    """Return the images that are given, in their order.

    Args:
        given: One of :data:`EXPECTED`, or several of them, of any kinds.
        name: What the argument is called.

    Raises:
        ArgumentError: It is something else, holds no image, or an array is none of images.
    """
    if _is_one(given):
        found = list(_entries(given, name))
    elif isinstance(given, Iterable) and not isinstance(given, bytes):
        found = [entry for place, one in enumerate(given) for entry in _entries(one, f"{name}[{place}]")]
    else:
        raise ArgumentError(f"{name}={given!r}: must be {EXPECTED}, or several of these")
    if not found:
        raise ArgumentError(f"{name}: none were given")
    return found


def common_scale(given: Iterable[Entry]) -> Depth:
    """Return the scale on which all images can be; what cannot be read decides nothing."""
    found = UNDECIDED
    for entry in given:
        found = found.joined(entry.depth())
    return found


def _is_one(given: object) -> bool:
    return isinstance(given, str | os.PathLike) or _is_image(given) or _is_array(given)


def _is_image(given: object) -> bool:
    pillow: Any = sys.modules.get("PIL.Image")  # where nobody has imported it there are no images of its
    return pillow is not None and isinstance(given, pillow.Image)


def _is_array(given: object) -> bool:
    return hasattr(given, "__array__")


def _entries(given: Any, name: str) -> Iterator[Entry]:  # noqa: ANN401 - whatever a user gives
    if isinstance(given, Entry):
        yield given
    elif isinstance(given, str | os.PathLike):
        if not os.fspath(given):
            raise ArgumentError(f"{name}={given!r}: must be {EXPECTED}")
        yield from _files(Path(given))
    elif _is_image(given):
        yield Entry(name=name, see=partial(see_image, given, name), depth=partial(depth_of, given, name))
    elif _is_array(given):
        yield from _arrays(np.asarray(given), name)
    else:
        raise ArgumentError(f"{name} is {type(given).__name__}: must be {EXPECTED}")


def _files(path: Path) -> Iterator[Entry]:
    for file in pictures_at(path):
        depth = partial(common_depth, [file])
        yield Entry(name=str(file), see=partial(see_picture, file), depth=depth, file=file)


def _arrays(array: NDArray[Any], name: str) -> Iterator[Entry]:
    values = checked(array, name)
    if values.ndim == 3:
        yield _in_memory(values, name)
    else:
        for place, one in enumerate(values):
            yield _in_memory(one, f"{name}[{place}]")


def _in_memory(values: NDArray[np.uint8], name: str) -> Entry:
    seen = Seen(picture=values, notes=())
    return Entry(name=name, see=lambda depth: seen, depth=lambda: UNDECIDED)


def checked(array: NDArray[Any], name: str) -> NDArray[np.uint8]:
    """Return an array of images as bytes.

    Args:
        array: Shape (H, W, 3) or (N, H, W, 3), RGB, integers or floats from 0 to 255.
        name: What it is called.

    Raises:
        ArgumentError: It is none; the message says what is there and what is expected.
    """
    shape = array.shape
    if array.ndim not in (3, 4) or shape[-1] != 3 or 0 in shape[-3:]:
        is_first = array.ndim in (3, 4) and shape[-3] == 3
        hint = "; move the channels to the end, with numpy.moveaxis(images, -3, -1)" if is_first else ""
        raise ArgumentError(f"{name} has shape {shape}: must be RGB, (H, W, 3) or (N, H, W, 3){hint}")
    if array.dtype == np.uint8:
        return array
    if not (np.issubdtype(array.dtype, np.integer) or np.issubdtype(array.dtype, np.floating)):
        raise ArgumentError(f"{name} is {array.dtype}: must be integers or floats from 0 to 255")
    if array.size:
        _check_range(array, name)
    return np.round(array).astype(np.uint8)


def _check_range(array: NDArray[Any], name: str) -> None:
    low, high = float(array.min()), float(array.max())
    if not (low >= 0 and high <= _WHITE):  # so that NaN is refused
        raise ArgumentError(f"{name} has values from {low:g} to {high:g}: must be from 0 to 255")
    if np.issubdtype(array.dtype, np.floating) and 0 < high <= 1:
        advice = "must be from 0 to 255; multiply by 255"
        raise ArgumentError(f"{name} has values from {low:g} to {high:g}, as if 1 were white: {advice}")
