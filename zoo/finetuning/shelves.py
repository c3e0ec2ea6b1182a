"""Features that are kept on disk: a file for each model, in it a row for each picture."""

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

Features = NDArray[np.float32]
Compute = Callable[[NDArray[np.int64]], tuple[Features, NDArray[np.bool_]]]

PIECE = 4_096
"""Pictures after which what is computed is put on the shelf: as much is lost where somebody interrupts."""

LIMIT = 4 << 30
"""Bytes that all shelves of a folder may take; those that nobody has asked for the longest are deleted."""

_SHELF = re.compile(r"\.?.+-[0-9a-f]{16}\.npz(\.[0-9a-f]{8})?")  # half-written ones too
_LOG = logging.getLogger(__name__)


def shelf_path(folder: Path, name: str, digest: str) -> Path:
    """Return the file for a model of this name and digest."""
    return folder / f"{name}-{digest[:16]}.npz"


def looked_up(shelf: Path, digests: Sequence[str], compute: Compute) -> Features:
    """Return features of pictures by their digests, computing those that are not on the shelf.

    Args:
        shelf: From :func:`shelf_path`; it is made if there is none. Processes may share it: the last one to
            write wins, and what another one added meanwhile is computed again when it is asked for.
        digests: Of the pictures.
        compute: Takes places of pictures, (n,); returns features (n, F), and whether each is of the picture
            and may be kept, (n,).

    Returns:
        Shape (N, F).
    """
    kept = _read(shelf)
    missing = np.array([place for place, digest in enumerate(digests) if digest not in kept], np.int64)
    fresh: dict[int, Features] = {}
    for begin in range(0, missing.size, PIECE):
        places = missing[begin : begin + PIECE]
        computed, are_sure = compute(places)
        fresh |= dict(zip(places.tolist(), computed, strict=True))
        added = {digests[place]: fresh[place] for place in places[are_sure].tolist()}
        if added:
            kept |= added
            _write(
                shelf, kept if _size(kept) <= LIMIT else {one: kept[one] for one in digests if one in kept}
            )
    return np.stack([fresh[place] if place in fresh else kept[one] for place, one in enumerate(digests)])


def trim(folder: Path, limit: int) -> None:
    """Delete shelves until the others take no more than a number of bytes, the longest unused ones first."""
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


def _read(shelf: Path) -> dict[str, Features]:
    try:
        with shelf.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            found = dict(zip(file["digests"].tolist(), file["features"], strict=True))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        _LOG.warning("%s: cannot be read (%s); the features are computed anew", shelf, error)
        return {}
    with contextlib.suppress(OSError):  # a folder that may only be read is not trimmed either
        os.utime(shelf)
    return found


def _write(shelf: Path, kept: dict[str, Features]) -> None:
    if _size(kept) > LIMIT:
        return
    shelf.parent.mkdir(parents=True, exist_ok=True)
    temporary = shelf.with_name(f".{shelf.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("wb") as file:
            np.savez(file, digests=np.array(list(kept)), features=np.stack(list(kept.values())))
        temporary.replace(shelf)
    finally:
        temporary.unlink(missing_ok=True)
    trim(shelf.parent, LIMIT)


def _size(kept: dict[str, Features]) -> int:
    return sum(row.nbytes for row in kept.values())
