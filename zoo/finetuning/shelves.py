"""Features that are kept on disk: a shelf of files for each model, in them a row for each image.

What is added goes into a file of its own beside those that are there, so that nothing is written twice, and
what breaks off loses what was being added alone.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoo.storage import disk

Features = NDArray[np.float32]
Compute = Callable[[NDArray[np.int64]], tuple[Features, NDArray[np.bool_]]]

PIECE = 4_096
"""Images after which what is computed is put on the shelf: as much is lost where somebody interrupts."""

LIMIT = 4 << 30
"""Bytes that all shelves of a folder may take; those that nobody has asked for the longest are deleted."""

# What a process leaves that is killed as it writes ends so, the second from 0.1.0.
_HALF = r"-[0-9a-f]{16}\.part|\.[0-9a-f]{8}"
_SHELF = re.compile(rf"\.?.+-[0-9a-f]{{16}}(\.[0-9a-f]{{8}})?\.npz({_HALF})?")
_LOG = logging.getLogger(__name__)


def shelf_path(folder: Path, name: str, digest: str) -> Path:
    """Return the first file of the shelf for a model of this name and digest.

    Those that are added later are called like it, with a number of their own before the ending. Shelves of
    before have this one alone.
    """
    return folder / f"{name}-{digest[:16]}.npz"


def looked_up(shelf: Path, digests: Sequence[str], compute: Compute) -> Features:
    """Return features of images by their digests, computing those that are not on the shelf.

    Args:
        shelf: From :func:`shelf_path`; it is made if there is none. Processes may share it: each adds files
            of its own.
        digests: Of the images.
        compute: Takes places of images, (n,); returns features (n, F), and whether each is of the image
            and may be kept, (n,).

    Returns:
        Shape (N, F).
    """
    kept = _Shelf(shelf, digests)
    missing = np.array([place for place, digest in enumerate(digests) if digest not in kept.rows], np.int64)
    fresh: dict[int, Features] = {}
    for begin in range(0, missing.size, PIECE):
        places = missing[begin : begin + PIECE]
        computed, are_sure = compute(places)
        fresh |= dict(zip(places.tolist(), computed, strict=True))
        kept.add({digests[place]: fresh[place] for place in places[are_sure].tolist()})
    return np.stack([fresh[place] if place in fresh else kept.rows[one] for place, one in enumerate(digests)])


def trim(folder: Path, limit: int) -> None:
    """Delete files of shelves until the others take no more than a number of bytes, longest unused first."""
    found = []
    for path in folder.iterdir():
        if _SHELF.fullmatch(path.name):
            with contextlib.suppress(FileNotFoundError):  # another process was faster
                status = path.stat()
                found.append((status.st_mtime_ns, status.st_size, path))
    total = 0
    for _, size, path in sorted(found, reverse=True):
        total += size
        if total > limit:
            path.unlink(missing_ok=True)


class _Shelf:
    """The files of one shelf.

    Attributes:
        rows: What was on it and what was added, by the digests of the images.
    """

    def __init__(self, first: Path, asked: Sequence[str]) -> None:
        """Read all files; one that is damaged is told, and written over by what is added next.

        Args:
            first: Its first file, which need not be there.
            asked: Digests of the images that are asked for now, which go before others where room is short.
        """
        self.rows: dict[str, Features] = {}
        self._first, self._asked = first, asked
        self._files = sorted({*first.parent.glob(f"{_escaped(first.stem)}.*{first.suffix}"), first})
        self._damaged: list[Path] = []
        for path in self._files:
            rows = _read(path)
            if rows is None:
                self._damaged.append(path)
            else:
                self.rows |= rows

    def add(self, rows: dict[str, Features]) -> None:
        """Write rows into a file of their own; nothing if they would take too much room."""
        if not rows:
            return
        self.rows |= rows
        if _size(self.rows) <= LIMIT:
            self._save(rows, self._free())
            return
        wanted = {one: self.rows[one] for one in self._asked if one in self.rows}
        if _size(wanted) <= LIMIT and len(wanted) < len(self.rows):
            self._write_over(wanted)

    def _write_over(self, rows: dict[str, Features]) -> None:
        """Keep these rows alone: once in a look-up, since what is asked for is all that is left then."""
        self._save(rows, self._first)
        for path in self._files:
            if path != self._first:
                path.unlink(missing_ok=True)
        self._files, self.rows = [self._first], dict(rows)

    def _free(self) -> Path:
        """Return where to write: over a damaged file, or where there is none."""
        if self._damaged:
            return self._damaged.pop()
        if not self._first.exists():
            return self._first
        return self._first.with_name(f"{self._first.stem}.{secrets.token_hex(4)}{self._first.suffix}")

    def _save(self, rows: dict[str, Features], path: Path) -> None:
        with disk.replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, digests=np.array(list(rows)), features=np.stack(list(rows.values())))
        self._files.append(path)
        trim(path.parent, LIMIT)


def _escaped(name: str) -> str:
    """Return a pattern for file names that stands for this text alone."""
    return re.sub(r"([*?[])", r"[\1]", name)


def _read(path: Path) -> dict[str, Features] | None:
    """Return the rows of a file, none if there is no file; ``None`` if it is damaged."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            found = dict(zip(file["digests"].tolist(), file["features"], strict=True))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        _LOG.warning("%s: cannot be read (%s); the features are computed anew", path, error)
        return None
    with contextlib.suppress(OSError):  # a folder that may only be read is not trimmed either
        os.utime(path)
    return found


def _size(rows: dict[str, Features]) -> int:
    return sum(row.nbytes for row in rows.values())
