"""What was proven here: which file holds the values of which file of its authors, one proof a file.

A proof is of two contents, so it is named by both digests: ``HOME/_proofs/SHA256-SHA256.json``. It counts as
long as both files are the ones that they were.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from zoo.errors import CacheError
from zoo.registry.fields import Flag, Maybe, Mistake, Record, Text
from zoo.registry.kinds import SHA256
from zoo.storage import disk

FOLDER = "_proofs"


@dataclass(frozen=True, kw_only=True)
class Proven:
    """That a file was compared with one of its authors.

    Attributes:
        id: Its id in the registry; ``None`` of a user's own file.
        sha256: Its digest.
        origin: The id of its authors' file; ``None`` of one that was given by its path.
        origin_sha256: The digest of that.
        proven: Whether all values are equal.
        date: When, UTC.
    """

    id: str | None
    sha256: str
    origin: str | None
    origin_sha256: str
    proven: bool
    date: str


_FORM = Record(
    Proven,
    {
        "id": (Maybe(Text()), "Id of the file"),
        "sha256": (SHA256, "Its digest"),
        "origin": (Maybe(Text()), "Id of its authors' file"),
        "origin_sha256": (SHA256, "The digest of that"),
        "proven": (Flag(), "Whether all values are equal"),
        "date": (Text(), "When, UTC"),
    },
)


def save_proof(home: Path, found: Proven) -> Path:
    """Keep what was found, in place of what was found of the same two files before.

    Args:
        home: The folder of the cache.
        found: What was found.

    Raises:
        CacheError: It cannot be written.
    """
    path = home / FOLDER / f"{found.sha256}-{found.origin_sha256}.json"
    with disk.writing(path):
        disk.make_folder(path.parent)
        disk.replace(path, (json.dumps(asdict(found), indent=1) + "\n").encode())
    return path


def saved_proofs(home: Path) -> tuple[Proven, ...]:
    """Return all that was kept, by name.

    Args:
        home: The folder of the cache.

    Raises:
        CacheError: One of them cannot be read, or is damaged.
    """
    return tuple(_read(path) for path in sorted((home / FOLDER).glob("*.json")))


def _read(path: Path) -> Proven:
    with disk.reading(path):
        data = path.read_bytes()
    try:
        return _FORM.check(json.loads(data), ())
    except ValueError as error:
        raise CacheError(f"{path}: is damaged: it is not JSON; remove it") from error
    except Mistake as mistake:
        raise CacheError(f"{path}: is damaged: {mistake}; remove it") from mistake
