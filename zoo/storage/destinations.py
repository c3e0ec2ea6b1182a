"""Where files can be written: a folder, or a bucket that fsspec knows how to reach.

An object store shows an object when all of it is there: a PUT is atomic, and so is the end of an upload in
parts. Whatever else fsspec reaches gets a file under a temporary name first, which is then moved to its own.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from converters.writing.files import by_folder, is_left, sweep, temporary_name
from zoo.errors import ArgumentError, CacheError, TargetError
from zoo.registry.digests import CHUNK, hash_file, hash_stream
from zoo.storage import disk
from zoo.storage.aside import passing_folder
from zoo.storage.remote import WEB, bring, filesystem, local_path, scheme_of, shown, storage_errors

_ADVICE = "see that the mirror's folder can be written, and run the same again"

OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss"})
"""Where an object appears when it is whole, and takes the place of another in one step."""

_PART = 50 << 20
"""Bytes of the parts in which s3fs sends what is large."""
_IN_PARTS = 5 << 20
"""Bytes below which nothing is ever sent in parts."""

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

    def names(self) -> list[str]:
        """Return the names of what lies in the tree itself, files and folders; none if it is not there."""
        ...

    def making(self, name: str) -> AbstractContextManager[Path]:
        """Give a path to write a file at, which in the end appears there under its name, when it is whole."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        ...

    def sweep(self, names: Iterable[str]) -> None:
        """Remove what processes that were killed have left of files; what is being written stays."""
        ...


def destination(place: str, advice: str = _ADVICE) -> Destination:
    """Return the tree at a path, at a ``file://`` URL, or in a bucket (``s3://``, ``gs://``).

    Args:
        place: Where it is.
        advice: What to do when a folder cannot be written.

    Raises:
        ArgumentError: Nothing that is installed can reach it, or nothing is written there.
        TargetError: There cannot be a folder: it is a file, or lies below one.
    """
    if "://" not in place or scheme_of(place) == "file":
        return Folder(_no_file(local_path(place)), advice)
    return Bucket(writable(place))


def writable(place: str) -> str:
    """Return a URL at which files can be written.

    Raises:
        ArgumentError: It is one of the web, where files are only read.
    """
    if scheme_of(place) in WEB:
        raise ArgumentError(
            f"{shown(place)}: nothing is written there; name a folder, or a bucket (s3://, gs://)"
        )
    return place


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
        advice: What to do when it cannot be written.
    """

    def __init__(self, folder: Path, advice: str = _ADVICE) -> None:
        self._folder, self._advice = folder, advice

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
        with disk.writing(path, self._advice), _replacing(path) as temporary:
            temporary.write_bytes(data)

    def put(self, name: str, source: Path, advance: Advance) -> None:
        """Copy a file under a temporary name, wait until the disk has it, and rename it."""
        path = self._folder / name
        with disk.writing(path, self._advice), _replacing(path) as temporary:
            disk.copy(source, temporary, lambda piece: advance(len(piece)))

    def sha256(self, name: str, advance: Advance) -> str:
        """Return the SHA-256 of a file."""
        path = self._folder / name
        with disk.reading(path):
            return hash_file(path, ["sha256"], advance)["sha256"]

    def state(self, name: str) -> str | None:
        """Return ``None``: a disk can lose bits without telling, and hashing costs no more than reading."""
        return None

    def names(self) -> list[str]:
        """Return the names of what lies in the folder."""
        with disk.reading(self._folder):
            return [path.name for path in self._folder.iterdir()] if self._folder.is_dir() else []

    @contextmanager
    def making(self, name: str) -> Iterator[Path]:
        """Give a temporary name in the same folder; in the end the file is synced and renamed."""
        path = self._folder / name
        with disk.writing(path, self._advice), _replacing(path) as temporary:
            yield temporary

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        path = self._folder / name
        with disk.writing(path, self._advice):
            path.unlink(missing_ok=True)

    def sweep(self, names: Iterable[str]) -> None:
        """Remove what processes that were killed have left of files."""
        with disk.writing(self._folder, self._advice):
            sweep(self._folder / name for name in names)


def _replacing(path: Path) -> AbstractContextManager[Path]:
    """Give a name to write a file under that says who does; in the end it is synced and renamed."""
    return disk.replacing(path, path.with_name(temporary_name(path.name)))


class Bucket:
    """A bucket, or part of one, or another tree that fsspec reaches.

    Args:
        place: Its URL, for example ``s3://bucket/zoo``.

    Raises:
        ArgumentError: Nothing that is installed can reach it.
    """

    def __init__(self, place: str) -> None:
        self._system, root = filesystem(place.rstrip("/"))
        self._root = root.rstrip("/")
        self.place = place.rstrip("/")

    def __reduce__(self) -> tuple[Any, ...]:
        """Let whoever it is sent to open it anew, with keys of their own."""
        return type(self), (self.place,)

    def name(self, name: str) -> str:
        """Return the URL of an object, without what lets in whoever has it."""
        return shown(self.url(name))

    def url(self, name: str) -> str:
        """Return the URL of an object; on the web names are quoted."""
        return f"{self.place}/{self._quoted(name)}"

    def size(self, name: str) -> int | None:
        """Return an object's size in bytes; ``None`` if there is no such object."""
        facts = self.facts(name)
        return None if facts is None else int(facts["size"])

    def state(self, name: str) -> str | None:
        """Return the object's ETag, which the storage changes with its content, if it tells one."""
        facts = self.facts(name) or {}
        etag = facts.get("ETag") or facts.get("etag")
        return None if etag is None else str(etag)

    def facts(self, name: str) -> dict[str, Any] | None:
        """Return what the storage tells of an object; ``None`` if there is no such object."""
        with self._asking(name):
            self._system.invalidate_cache()
            try:
                found: dict[str, Any] = self._system.info(self._path(name))
            except FileNotFoundError:
                return None
        return found if found.get("type") == "file" else None

    def read(self, name: str) -> bytes | None:
        """Return a small object's content; ``None`` if there is no such object."""
        with self._asking(name):
            try:
                return bytes(self._system.cat_file(self._path(name)))
            except FileNotFoundError:
                return None

    def write(self, name: str, data: bytes) -> None:
        """Write a small object."""
        with self._placing(name) as path:
            self._system.pipe_file(path, data)

    def put(self, name: str, source: Path, advance: Advance = lambda count: None) -> None:
        """Copy a file there and look whether all of it came: its size, and its digest."""
        from fsspec.callbacks import Callback

        class Told(Callback):  # type: ignore[misc]
            """Carries what fsspec says to whoever wants to know."""

            def relative_update(self, inc: int = 1) -> None:
                advance(inc)

        with self._placing(name) as path:
            self._system.put_file(str(source), path, callback=Told())
        self._check(name, source)
        self._forget_others(name, source)

    def sha256(self, name: str, advance: Advance) -> str:
        """Return the SHA-256 of an object, which is fetched for it."""
        with self._asking(name), self._system.open(self._path(name), "rb", block_size=8 * CHUNK) as file:
            return hash_stream(file.read, ["sha256"], advance=advance)["sha256"]

    def names(self) -> list[str]:
        """Return the names of what lies at the URL itself."""
        with self._asking(""):
            self._system.invalidate_cache()
            try:
                found = self._system.ls(self._root, detail=False)
            except FileNotFoundError:
                return []
        return [name for one in found if (name := _below(str(one), self._root))]

    def bring(self, name: str, local: Path) -> None:
        """Copy an object to a path.

        Raises:
            DataError: There is no such object.
            CacheError: It cannot be read.
        """
        bring(self._system, self._path(name), self.url(name), local)

    def head(self, name: str, count: int) -> bytes:
        """Return the first bytes of an object, and ask for no more where that can be."""
        path = self._path(name)
        with self._asking(name):
            if scheme_of(self.place) in WEB:
                with self._system.open(path, "rb", block_size=0) as stream:  # not all servers give a part
                    return bytes(stream.read(count))
            try:
                return bytes(self._system.cat_file(path, start=0, end=count))
            except OSError:  # of what is empty no part can be asked for
                if self.size(name) != 0:
                    raise
                return b""

    @contextmanager
    def making(self, name: str) -> Iterator[Path]:
        """Give a path on this machine; in the end the file is sent."""
        with passing_folder() as folder:
            local = folder / name.rpartition("/")[2]
            yield local
            self.put(name, local)

    def remove(self, name: str) -> None:
        """Remove an object, if it is there."""
        with self._asking(name), suppress(FileNotFoundError):
            self._system.rm_file(self._path(name))

    def sweep(self, names: Iterable[str]) -> None:
        """Remove what processes that were killed have left of files, where these have other names first."""
        if scheme_of(self.place) in OBJECT_STORES:
            return
        for folder, those in by_folder(map(self._path, names)).items():
            with self._asking(""), suppress(FileNotFoundError):
                for facts in self._system.ls(folder, detail=True):
                    path = str(facts["name"])
                    if is_left(path.rpartition("/")[2], those, partial(_age, facts)):
                        self._system.rm_file(path)

    def _path(self, name: str) -> str:
        return f"{self._root}/{self._quoted(name)}"

    def _quoted(self, name: str) -> str:
        return quote(name) if scheme_of(self.place) in WEB else name

    @contextmanager
    def _placing(self, name: str) -> Iterator[str]:
        """Give the path to write at: the object's own where it appears in one step, or else one beside it."""
        path = self._path(name)
        with self._asking(name):
            if scheme_of(self.place) in OBJECT_STORES:
                yield path
                return
            folder, _, last = path.rpartition("/")
            self._system.makedirs(folder, exist_ok=True)
            temporary = f"{folder}/{temporary_name(last)}"
            try:
                yield temporary
                self._system.mv(temporary, path)
            except BaseException:
                with suppress(*storage_errors()):
                    self._system.rm_file(temporary)
                raise

    def _check(self, name: str, source: Path) -> None:
        """Check that an object is the file that was sent.

        What the storage tells of its content settles that; where it tells nothing, or something that is no
        digest, as of what it encrypts by keys of its own, the object is read.

        Raises:
            CacheError: It is not.
        """
        size, there = source.stat().st_size, self.size(name)
        if there != size:
            raise CacheError(
                f"{self.name(name)}: has {there} bytes after {size} were sent; run the same again"
            )
        etag = (self.state(name) or "").strip('"')
        if not _is_etag_of(etag, source) and self.sha256(name, lambda count: None) != _sha256(source):
            raise CacheError(f"{self.name(name)}: holds something else than was sent; run the same again")

    def _forget_others(self, name: str, source: Path) -> None:
        """End uploads in parts of the same object that were cut off: they are not seen, but are paid for."""
        listed = getattr(self._system, "list_multipart_uploads", None)
        if listed is None or source.stat().st_size < _IN_PARTS:
            return
        bucket, _, key = self._path(name).partition("/")
        with suppress(*storage_errors()):  # who may not list them may still write
            for one in listed(bucket):
                if one["Key"] == key:
                    asked = {"Bucket": bucket, "Key": key, "UploadId": one["UploadId"]}
                    self._system.call_s3("abort_multipart_upload", **asked)

    @contextmanager
    def _asking(self, name: str) -> Iterator[None]:
        try:
            yield
        except storage_errors() as error:
            told = shown(str(error)) or type(error).__name__
            raise CacheError(f"{self.name(name)}: the bucket refuses: {told}") from error


def _age(facts: Mapping[str, Any]) -> float:
    """Return how many seconds ago a file was written, by what fsspec tells of it; 0 if it does not."""
    when = facts.get("mtime") or facts.get("created") or time.time()
    return time.time() - float(when.timestamp() if isinstance(when, datetime) else when)


def _below(path: str, root: str) -> str:
    """Return the name of what lies in a folder, by the path that a list gives; empty for the folder."""
    return path.rstrip("/").rpartition("/")[2] if path.strip("/") != root.strip("/") else ""


def _sha256(path: Path) -> str:
    return hash_file(path, ["sha256"])["sha256"]


def _is_etag_of(etag: str, path: Path) -> bool:
    """Tell whether an ETag is the MD5 of a file, or that of the MD5s of its parts, as s3fs cuts them."""
    if re.fullmatch("[0-9a-f]{32}", etag):
        return etag == hash_file(path, ["md5"])["md5"]
    if not re.fullmatch("[0-9a-f]{32}-[0-9]+", etag):
        return False
    parts = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while part := file.read(_PART):
            parts.update(hashlib.md5(part, usedforsecurity=False).digest())
    return etag.partition("-")[0] == parts.hexdigest()
