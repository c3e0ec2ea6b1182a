"""A compiled copy of a large registry file, of which a single entry can be read.

YAML is slow to read: a registry of 10,000 networks takes half a minute. What such a file says is written once
more into the cache's folder, as JSON, entry by entry, with the place of each in a head::

    HOME/_registry/DIGEST-VERSION.index

It is called by the digest of the file's bytes and the version of this package, so that one that is stale is
never looked at; head and entries have check sums, so that in place of one that is damaged YAML is read again.
It says what the file says and no more: all checks are made of what is read from it. What is made of several
files together is kept in the same form, by a digest of all of them: :mod:`zoo.registry.kept_rows`.
"""

from __future__ import annotations

import json
import os
import re
import time
import zlib
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters.boundary import uncollected
from converters.version import VERSION
from zoo.errors import ArgumentError
from zoo.registry.places import FOLDER, MOST_BYTES, Layer
from zoo.variables import default_home

if TYPE_CHECKING:
    import hashlib

WORTH_BYTES = 32 << 10
"""Bytes of the smallest file of which a compiled copy is kept."""

OWNERS = "owners"
"""Where a compiled copy has which network each weights file belongs to, by the ids of the files."""

IDS = "ids"
"""The ids alone, which are quicker to read."""

KEPT = 12
"""Compiled copies that are kept; the oldest goes first."""

_MAGIC = b"zoo registry index 3\n"
"""What a compiled copy begins with; the number is another after each change of what stands in it."""

_ENDING = ".index"
_OURS = re.compile(
    r"[0-9a-f]{40}-[0-9A-Za-z.+]+\.index|\.[0-9a-f]{40}-[0-9A-Za-z.+]+\.index-[0-9a-f]{16}\.part"
)
_UNFINISHED_AGE = 24 * 3600.0
"""Seconds after which a temporary file is nobody's any more."""

Parts = Mapping[str, Mapping[str, Any]]
"""What a file says, by part of the registry and name."""


class Damaged(Exception):  # noqa: N818 - never seen outside of the registry
    """A compiled copy is not what it was, or is there no more."""


def digest_of(content: bytes) -> str:
    """Return what tells the bytes of a file from those of any other."""
    if len(content) < _LARGE:
        return _blake(content)
    middle, whole = len(content) // 2, memoryview(content)
    return _joined(_sha256(whole[:middle]).digest(), _sha256(whole[middle:]).digest())


_DIGITS = 40
_LARGE = 8 << 20
"""Bytes from which on it pays to load OpenSSL, whose SHA-256 uses what processors have for it."""
_PIECE = 1 << 20


def _blake(content: bytes) -> str:
    try:  # the same function; hashlib loads OpenSSL, which takes longer than all the rest
        from _blake2 import blake2b
    except ImportError:
        from hashlib import blake2b
    return blake2b(content, digest_size=_DIGITS // 2).hexdigest()


def _sha256(content: bytes | memoryview = b"") -> hashlib._Hash:
    from hashlib import sha256  # only who has a large file pays for OpenSSL

    return sha256(content)


def _joined(first: bytes, second: bytes) -> str:
    """Return the digest of a large file by those of its halves, which two processors make side by side."""
    return _sha256(first + second).hexdigest()[:_DIGITS]


def digest_of_file(path: Path) -> str | None:
    """Return the same of a file that is not read whole at a time; ``None`` if it cannot be had."""
    try:
        size = path.stat().st_size
        if size < _LARGE:
            return digest_of(path.read_bytes())
        return None if size > MOST_BYTES else _joined(*_halves(path, size // 2))
    except OSError:
        return None


def _halves(path: Path, middle: int) -> tuple[bytes, bytes]:
    """Return the digests of what a file has up to a place, and from there to its end.

    Raises:
        OSError: It cannot be read.
    """
    from concurrent.futures import ThreadPoolExecutor  # only who has a large file pays for this import

    with ThreadPoolExecutor(1) as beside:
        first = beside.submit(_digest_of_part, path, 0, middle)
        second = _digest_of_part(path, middle, MOST_BYTES)
    return first.result(), second


def _digest_of_part(path: Path, start: int, end: int) -> bytes:
    digest, piece, left = _sha256(), memoryview(bytearray(_PIECE)), end - start
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        while left and (size := file.readinto(piece[:left])):
            digest.update(piece[:size])
            left -= size
    return digest.digest()


def digest_of_layer(layer: Layer, content: bytes | None = None) -> str | None:
    """Return what tells what a layer's file holds from anything else.

    Args:
        layer: The file; one from an address is known by its digest, wherever it is now.
        content: What was read of it, if anything was.

    Returns:
        ``None`` if it cannot be had, of which whoever reads it is told.
    """
    if layer.sha256 is not None:
        return digest_of(layer.sha256.encode())
    return digest_of_file(layer.path) if content is None else digest_of(content)


class Compiled:
    """A compiled copy.

    Args:
        digest: Of the file that was compiled.

    Raises:
        Damaged: There is none, or it cannot be used.
    """

    def __init__(self, digest: str) -> None:
        self._path = _path(digest)
        try:
            with self._path.open("rb") as file:
                if file.readline(len(_MAGIC)) != _MAGIC:
                    raise Damaged
                size, check = map(int, file.readline(32).split())
                self._start = file.tell() + size
                head = _checked(file.read(size), size, check)
        except (OSError, ValueError) as error:
            raise Damaged from error
        self.top: dict[str, Any] = head["top"]
        self._places: Mapping[str, Mapping[str, tuple[int, int, int]]] = head["parts"]
        self._whole: tuple[int, int] = head["whole"]

    @property
    def parts(self) -> Collection[str]:
        """The parts of a registry that the file says something of."""
        return self._places.keys() - {OWNERS}

    def names(self, part: str) -> Mapping[str, object]:
        """Return the names in a part of the registry, in the file's order."""
        return self._places.get(part, {})

    def written(self, part: str) -> dict[str, bytes | memoryview]:
        """Return all entries of a part as they are written, in their order, from one look at the copy.

        Raises:
            Damaged: The copy is not what it was, or is there no more.
        """
        try:
            with self._path.open("rb", buffering=0) as file:
                # One byte more tells whether there is more; a buffer would have all of it copied twice.
                content = os.pread(file.fileno(), self._whole[0] + 1, self._start)
            body = memoryview(_unchanged(content, *self._whole))
        except OSError as error:
            raise Damaged from error
        places = self._places.get(part, {})
        with uncollected():
            return {name: body[start : start + size] for name, (start, size, _) in places.items()}

    def entry(self, part: str, name: str) -> Any:  # noqa: ANN401 - whatever a registry file can hold
        """Return what the file says of one name.

        Raises:
            Damaged: The copy is not what it was, or is there no more.
        """
        start, size, check = self._places[part][name]
        try:
            with self._path.open("rb") as file:
                file.seek(self._start + start)
                return _checked(file.read(size), size, check)
        except (OSError, ValueError) as error:
            raise Damaged from error


def _checked(content: bytes, size: int, check: int) -> Any:  # noqa: ANN401
    with uncollected():
        return json.loads(_unchanged(content, size, check))


def _unchanged(content: bytes, size: int, check: int) -> bytes:
    if (len(content), zlib.crc32(content)) != (size, check):
        raise Damaged
    return content


def _as_json(entry: Any) -> bytes:  # noqa: ANN401
    return json.dumps(entry).encode()


def keep(
    digest: str, top: Mapping[str, Any], parts: Parts, written: Callable[[Any], bytes] = _as_json
) -> None:
    """Write a compiled copy; where that is not possible there is none.

    Args:
        digest: Of the file.
        top: What it says beside the parts.
        parts: The parts.
        written: Returns an entry as JSON.
    """
    with suppress(OSError, Damaged):
        path = _path(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, _content(top, parts, written))
        _tidy(path.parent)


def _content(top: Mapping[str, Any], parts: Parts, written: Callable[[Any], bytes]) -> bytes:
    blobs: list[bytes] = []
    places: dict[str, dict[str, tuple[int, int, int]]] = {}
    start = 0
    for part, entries in parts.items():
        places[part] = {}
        for name, entry in entries.items():
            blobs.append(written(entry))
            places[part][name] = (start, len(blobs[-1]), zlib.crc32(blobs[-1]))
            start += len(blobs[-1])
    body = b"".join(blobs)
    head = json.dumps({"top": top, "parts": places, "whole": (len(body), zlib.crc32(body))}).encode()
    return b"".join([_MAGIC, b"%d %d\n" % (len(head), zlib.crc32(head)), head, body])


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}-{os.urandom(8).hex()}.part")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _tidy(folder: Path) -> None:
    """Remove compiled copies beyond those that are kept, and what was never finished; nothing else."""
    ours = [Path(entry) for entry in os.scandir(folder) if _OURS.fullmatch(entry.name)]
    ages = sorted(((time.time() - path.stat().st_mtime, path) for path in ours), key=lambda pair: pair[0])
    finished = [path for _, path in ages if path.name.endswith(_ENDING)]
    unfinished = [path for age, path in ages if path not in finished and age > _UNFINISHED_AGE]
    for path in [*finished[KEPT:], *unfinished]:
        path.unlink(missing_ok=True)


def _path(digest: str) -> Path:
    """Return where the compiled copy of a file is.

    Raises:
        Damaged: There is no folder for it.
    """
    try:
        return default_home() / FOLDER / f"{digest}-{VERSION}{_ENDING}"
    except ArgumentError as error:
        raise Damaged from error
