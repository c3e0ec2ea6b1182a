"""Where a mirror can be written: a folder, or a bucket that fsspec knows how to reach."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from zoo.errors import CacheError, TargetError
from zoo.registry.digests import CHUNK, hash_file, hash_stream
from zoo.storage import disk
from zoo.storage.remote import filesystem, storage_errors

_ADVICE = "see that the mirror's folder can be written, and run the same again"

Advance = Callable[[int], None]


class Destination(Protocol):
    """A tree of files; names are relative, with slashes.

    Every method raises CacheError if the tree cannot be reached.
    """

    def name(self, name: str) -> str:
        """Return what messages call a file."""
        ...

    def size(self, name: str) -> int | None:
        """Return a file's size in bytes; ``None`` if there is no such file."""
        ...

    def read(self, name: str) -> bytes | None:
        """Return a small file's content; ``None`` if there is no such file."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Write a small file in one step, in place of the one that may be there."""
        ...

    def put(self, name: str, source: Path, advance: Advance) -> None:
        """Copy a file there; it appears under its name when it is whole."""
        ...

    def sha256(self, name: str, advance: Advance) -> str:
        """Return the SHA-256 of a file."""
        ...

    def state(self, name: str) -> str | None:
        """Return what changes whenever a file does; ``None`` if nothing is sure to, or there is no file."""
        ...


def destination(place: str) -> Destination:
    """Return the tree at a path, at a ``file://`` URL, or in a bucket (``s3://``, ``gs://``).

    Raises:
        ArgumentError: Nothing that is installed can reach it.
        TargetError: There cannot be a folder: it is a file, or lies below one.
    """
    scheme, colon, _ = place.partition("://")
    if not colon:
        return Folder(_no_file(Path(place)))
    if scheme == "file":
        return Folder(_no_file(Path(unquote(urlsplit(place).path))))
    return Bucket(place)


def _no_file(path: Path) -> Path:
    """Return the path of a folder, which need not be there; before anything is fetched for it."""
    for one in (path, *path.parents):
        if one.exists() and not one.is_dir():
            raise TargetError(
                f"{one}: is a file; name a folder for the mirror, which is made if it is not there"
            )
    return path


class Folder:
    """A folder on this machine.

    Args:
        folder: Made when the first file comes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def name(self, name: str) -> str:
        """Return the path of a file."""
        return str(self._folder / name)

    def size(self, name: str) -> int | None:
        """Return a file's size in bytes; ``None`` if there is no such file."""
        try:
            return (self._folder / name).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def read(self, name: str) -> bytes | None:
        """Return a small file's content; ``None`` if there is no such file."""
        path = self._folder / name
        with disk.reading(path):
            return path.read_bytes() if path.exists() else None

    def write(self, name: str, data: bytes) -> None:
        """Write a small file in one step."""
        path = self._folder / name
        with disk.writing(path, _ADVICE):
            disk.replace(path, data)

    def put(self, name: str, source: Path, advance: Advance) -> None:
        """Copy a file under a temporary name, wait until the disk has it, and rename it."""
        path = self._folder / name
        with disk.writing(path, _ADVICE), disk.replacing(path) as temporary:
            disk.copy(source, temporary, lambda piece: advance(len(piece)))

    def sha256(self, name: str, advance: Advance) -> str:
        """Return the SHA-256 of a file."""
        path = self._folder / name
        with disk.reading(path):
            return hash_file(path, ["sha256"], advance)["sha256"]

    def state(self, name: str) -> str | None:
        """Return ``None``: a disk can lose bits without telling, and hashing costs no more than reading."""
        return None


class Bucket:
    """A bucket, or part of one; objects appear in it when they are whole.

    Args:
        place: Its URL, for example ``s3://bucket/zoo``.

    Raises:
        ArgumentError: Nothing that is installed can reach it.
    """

    def __init__(self, place: str) -> None:
        self._system, root = filesystem(place.rstrip("/"))
        self._root = root.rstrip("/")
        self._place = place.rstrip("/")

    def name(self, name: str) -> str:
        """Return the URL of an object."""
        return f"{self._place}/{name}"

    def size(self, name: str) -> int | None:
        """Return an object's size in bytes; ``None`` if there is no such object."""
        facts = self._facts(name)
        return None if facts is None else int(facts["size"])

    def state(self, name: str) -> str | None:
        """Return the object's ETag, which the storage changes with its content, if it tells one."""
        facts = self._facts(name) or {}
        etag = facts.get("ETag") or facts.get("etag")
        return None if etag is None else str(etag)

    def _facts(self, name: str) -> dict[str, Any] | None:
        with self._asking(name):
            self._system.invalidate_cache()
            try:
                found: dict[str, Any] = self._system.info(self._path(name))
            except FileNotFoundError:
                return None
        return found

    def read(self, name: str) -> bytes | None:
        """Return a small object's content; ``None`` if there is no such object."""
        with self._asking(name):
            try:
                return bytes(self._system.cat_file(self._path(name)))
            except FileNotFoundError:
                return None

    def write(self, name: str, data: bytes) -> None:
        """Write a small object."""
        with self._asking(name):
            self._system.pipe_file(self._path(name), data)

    def put(self, name: str, source: Path, advance: Advance) -> None:
        """Copy a file there and look whether all of it came."""
        from fsspec.callbacks import Callback

        class Told(Callback):  # type: ignore[misc]
            """Carries what fsspec says to whoever wants to know."""

            def relative_update(self, inc: int = 1) -> None:
                advance(inc)

        with self._asking(name):
            self._system.put_file(str(source), self._path(name), callback=Told())
        there, size = self.size(name), source.stat().st_size
        if there != size:
            raise CacheError(
                f"{self.name(name)}: has {there} bytes after {size} were sent; run the same again"
            )

    def sha256(self, name: str, advance: Advance) -> str:
        """Return the SHA-256 of an object, which is fetched for it."""
        with self._asking(name), self._system.open(self._path(name), "rb", block_size=8 * CHUNK) as file:
            return hash_stream(file.read, ["sha256"], advance=advance)["sha256"]

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextmanager
    def _asking(self, name: str) -> Iterator[None]:
        try:
            yield
        except storage_errors() as error:
            raise CacheError(f"{self.name(name)}: the bucket refuses: {error}") from error
