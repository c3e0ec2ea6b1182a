"""What a format's writer is told: the arrays of a new file, of which layers, and where each may lie."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from converters.arrays.form import Form, Shape
from converters.arrays.moves import Values
from converters.arrays.planned import Output
from converters.formats.description import Description
from converters.layers.network import Network

_ALIGNMENT = 64
"""Bytes: values begin at multiples of it in files that are laid out here, for whoever maps them."""


class NewArray(Protocol):
    """An array of a new file."""

    @property
    def layer(self) -> str:
        """The layer that it belongs to, or lies in."""

    @property
    def owner(self) -> str:
        """The layer inside that one, where there is one; else the same."""

    @property
    def target_path(self) -> str:
        """Where it lies."""

    @property
    def target_shape(self) -> Shape:
        """Its shape."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Its type."""


class Arrays(Protocol):
    """The arrays of a new file, whose places are known; a plan has them, and so has an upgrade."""

    @property
    def outputs(self) -> Sequence[NewArray]:
        """Its arrays, in order."""


class Contents(Protocol):
    """The contents of a new file; a plan is one."""

    @property
    def path(self) -> Path:
        """The file that they come from."""

    @property
    def description(self) -> Description:
        """Its layers."""

    @property
    def target(self) -> Form:
        """Layout and kernels of the new file."""

    @property
    def to(self) -> str | None:
        """The new file's format."""

    @property
    def outputs(self) -> Sequence[Output]:
        """Its arrays, in order."""

    @property
    def network(self) -> Network:
        """What is known of the network, for the record."""

    @property
    def flatten(self) -> Mapping[str, Any]:
        """What the rows of layers are, by the file's names."""


@dataclass(frozen=True, kw_only=True)
class Extent:
    """Where an array's values lie in a file, one behind the other: from ``offset`` bytes on."""

    offset: int
    shape: Shape
    dtype: np.dtype[Any]

    @property
    def end(self) -> int:
        """Where they end."""
        return self.offset + math.prod(self.shape) * self.dtype.itemsize

    def of(self, data: Values) -> Values:
        """Return the array as a view of the file's bytes."""
        array: Values = data[self.offset : self.end].view(self.dtype).reshape(self.shape)
        return array


Extents = dict[str, Extent]
"""Where each array lies, by its path in the new file."""


def one_after_another(contents: Contents, start: int) -> Extents:
    """Return where arrays lie if each begins where the one before it ends.

    Args:
        contents: The contents.
        start: Where the first begins, in bytes.
    """
    extents = {}
    for output in contents.outputs:
        extents[output.target_path] = Extent(offset=start, shape=output.target_shape, dtype=output.dtype)
        start += output.nbytes
    return extents


def make_room(path: Path, extents: Extents) -> None:
    """Make a file, or empty it, that is long enough for its arrays."""
    with path.open("wb") as stream:
        stream.truncate(max((extent.end for extent in extents.values()), default=0))


def padded(length: int) -> int:
    """Return the next place at which values may begin: a multiple of 64 bytes."""
    return -(-length // _ALIGNMENT) * _ALIGNMENT
