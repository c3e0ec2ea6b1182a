"""Where files live, and what is remembered about them.

A file under its final name is always a whole, verified file: it is written under a temporary name in the
same folder, checked, and only then renamed. Names come from registry and content, never from a server::

    HOME/densenet161/densenet161-th-flyyufelix-0123456789abcdef.h5      as published, named by its own SHA-256
    HOME/densenet161/densenet161-th-flyyufelix-0123456789abcdef-tf.h5   converted, named by that of its source
    HOME/class_indexes/imagenet-0123456789abcdef.json
    HOME/seen.yaml                                                      what is remembered

``seen.yaml`` has two parts. ``seen`` says what each published file was when it was first fetched; it is held
to from then on, even when the file itself is gone. ``files`` says what lies in the cache now.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import yaml

from zoo.checksums import DIGEST_PATTERN, hash_file, parse_digest
from zoo.errors import CacheError, ChecksumError, RegistryError
from zoo.fields import Anything, Choice, ListOf, Maybe, Mistake, Record, Text, Whole
from zoo.records import ClassIndex, Digest, Layout, WeightsFile
from zoo.registry_yaml import read_yaml

VARIABLE = "ZOO_HOME"
"""The environment variable that names the cache's folder."""

MEMORY = "seen.yaml"

_Entry = TypeVar("_Entry")

_NAME_DIGITS = 16
_HEADER = """\
# What this cache remembers. To accept a file that has changed since it was first fetched, remove its entry
# under `seen`.
"""


@dataclass(frozen=True, kw_only=True)
class Item:
    """Something published that the cache can hold.

    Attributes:
        key: Its name in ``seen.yaml``; a slash in it keeps class indexes apart from weights files.
        folder: Folder below the cache's home.
        stem: What its names begin with.
        ending: What its names end in.
        bytes: The published size, if known.
        digests: The published digests.
    """

    key: str
    folder: str
    stem: str
    ending: str
    bytes: int | None
    digests: tuple[Digest, ...]

    @classmethod
    def of_weights(cls, architecture: str, file: WeightsFile) -> Item:
        """Return the item of a weights file of an architecture."""
        return cls(
            key=file.id,
            folder=architecture,
            stem=file.id,
            ending=".h5",
            bytes=file.bytes,
            digests=file.digests,
        )

    @classmethod
    def of_class_index(cls, index: ClassIndex) -> Item:
        """Return the item of a class index."""
        return cls(
            key=f"class_indexes/{index.name}",
            folder="class_indexes",
            stem=index.name,
            ending=".json",
            bytes=index.bytes,
            digests=index.digests,
        )

    def name(self, sha256: str, form: Layout | None = None) -> str:
        """Return the path below the cache's home.

        Args:
            sha256: Digest of the published file.
            form: The form that it was converted to; ``None`` for the published file itself.
        """
        suffix = f"-{form}" if form else ""
        return f"{self.folder}/{self.stem}-{sha256[:_NAME_DIGITS]}{suffix}{self.ending}"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a published file was when it was first fetched.

    Attributes:
        sha256: The digest by which one file is told from another.
        bytes: Its size.
        url: Where it came from.
        first_seen: When, UTC.
        other_digests: Its digests by other algorithms, as ``ALGORITHM:VALUE``.
    """

    sha256: str
    bytes: int
    url: str
    first_seen: str
    other_digests: tuple[str, ...]

    @property
    def digests(self) -> dict[str, str]:
        """Its digests by algorithm."""
        return {"sha256": self.sha256, **dict(parse_digest(text) for text in self.other_digests)}

    def with_digests(self, digests: Mapping[str, str]) -> Seen:
        """Return the same with these digests; ``sha256`` stays what it is."""
        others = tuple(f"{name}:{value}" for name, value in digests.items() if name != "sha256")
        return replace(self, other_digests=others)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A file in the cache as it was when verified; time and inode tell whether it was touched since."""

    sha256: str
    bytes: int
    mtime_ns: int
    inode: int


@dataclass(frozen=True, kw_only=True)
class _Memory:
    """The content of ``seen.yaml``."""

    seen: Mapping[str, Seen]
    files: Mapping[str, Kept]


_TEXT = Text()
_SHA256 = Text(pattern="[0-9a-f]{64}", must="be 64 hexadecimal digits in lower case")
_DIGEST = Text(pattern=DIGEST_PATTERN, must="be a digest, ALGORITHM:VALUE")
_SEEN = Record(
    Seen,
    {
        "sha256": (_SHA256, "Digest of the file as it was first seen"),
        "bytes": (Whole(0), "Its size"),
        "url": (_TEXT, "Where it came from"),
        "first_seen": (_TEXT, "When, UTC"),
        "other_digests": (ListOf(_DIGEST), "Its digests by other algorithms"),
    },
)
_KEPT = Record(
    Kept,
    {
        "sha256": (_SHA256, "Digest of the file"),
        "bytes": (Whole(0), "Its size"),
        "mtime_ns": (Whole(0), "When it was last changed, in nanoseconds since 1970"),
        "inode": (Whole(0), "Its number in the file system"),
    },
)
_FORM: Record[dict[str, Any]] = Record(
    dict,
    {
        "format": (Choice((1,)), "Version of this form"),
        "seen": (Maybe(Anything()), "What published files were when they were first fetched, by id"),
        "files": (Maybe(Anything()), "What lies in the cache, by path below its folder"),
    },
)


def default_home() -> Path:
    """Return the cache's folder: ``ZOO_HOME``, or ``keras-weight-zoo`` in the user's folder for caches."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen)
    caches = os.environ.get("XDG_CACHE_HOME")
    return (Path(caches) if caches else Path.home() / ".cache") / "keras-weight-zoo"


def utc_now() -> datetime:
    """Return the time of day."""
    return datetime.now(UTC)


class Cache:
    """A folder of verified files and what is remembered about them.

    Args:
        home: The folder; made when the first file comes.
        now: Tells the time.
    """

    def __init__(self, home: Path, *, now: Callable[[], datetime] = utc_now) -> None:
        self.home = home
        self._now = now

    @property
    def memory_path(self) -> Path:
        """Where ``seen.yaml`` lies."""
        return self.home / MEMORY

    def seen(self, item: Item) -> Seen | None:
        """Return what an item was when it was first fetched, if it ever was.

        Raises:
            CacheError: ``seen.yaml`` is damaged.
        """
        return self._recall().seen.get(item.key)

    def find(self, item: Item, form: Layout | None = None) -> Path | None:
        """Return an item's verified file, or ``None`` if it is not in the cache.

        Size, time and inode are compared with what they were when the file was verified. If one of them
        differs the file is hashed again.

        Args:
            item: What is wanted.
            form: The form that it was converted to; ``None`` for the published file itself.

        Raises:
            CacheError: The file was changed since, or is not what the registry describes now, or
                ``seen.yaml`` is damaged.
        """
        memory = self._recall()
        seen = memory.seen.get(item.key)
        if seen is None:
            return None
        name = item.name(seen.sha256, form)
        kept, path = memory.files.get(name), self.home / name
        if kept is None or not path.exists():
            return None
        unknown = {digest.algorithm for digest in item.digests} - set(seen.digests)
        if unknown and form:
            return (
                None  # published since; only the file itself, not its copy, can show whether it is that one
            )
        self._check_unchanged(name, kept)
        if unknown:
            seen = self._learn(item, seen, hash_file(path, unknown))
        self._check_published(item, seen)
        return path

    def check_seen(self, item: Item, sha256: str, label: str) -> None:
        """Accept a file only if it is the one that was first seen under this name, or the first one.

        Args:
            item: What the file is said to be.
            sha256: Its digest.
            label: What messages call it.

        Raises:
            ChecksumError: It is another one; the message says how to accept it.
            CacheError: ``seen.yaml`` is damaged.
        """
        seen = self.seen(item)
        if seen is not None and seen.sha256 != sha256:
            raise ChecksumError(
                f"{label}: this is another file than the one first seen: its sha256 is {sha256}, on"
                f" {seen.first_seen} it was {seen.sha256} (from {seen.url}); to accept the new one, remove"
                f" the entry {item.key!r} under 'seen' in {self.memory_path}"
            )

    @contextmanager
    def temporary(self, item: Item) -> Iterator[Path]:
        """Give a name that is free, in the folder where the item belongs; what is left under it is removed.

        Raises:
            CacheError: The folder cannot be made.
        """
        path = self.home / item.folder / f".{item.stem}-{secrets.token_hex(8)}.part"
        with self._writing(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def keep(self, temporary: Path, item: Item, *, digests: Mapping[str, str], url: str) -> Path:
        """Give a verified file its final name.

        Args:
            temporary: The file, written to disk and synced, under a name from :meth:`temporary`.
            item: What it is.
            digests: Its digests; ``sha256`` must be among them.
            url: Where it came from.

        Returns:
            Its final path.

        Raises:
            ChecksumError: Another file was first seen under this name.
            CacheError: The cache cannot be written, or ``seen.yaml`` is damaged.
        """
        sha256 = digests["sha256"]
        self.check_seen(item, sha256, item.key)
        moment = self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        size = temporary.stat().st_size
        seen = Seen(sha256=sha256, bytes=size, url=url, first_seen=moment, other_digests=())
        return self._place(temporary, item.name(sha256), sha256, {item.key: seen.with_digests(digests)})

    def keep_converted(self, temporary: Path, item: Item, form: Layout) -> Path:
        """Give a converted copy of an item its final name.

        Args:
            temporary: The copy, written to disk and synced, under a name from :meth:`temporary`.
            item: What it was converted from; it has been kept before.
            form: The form that it was converted to.

        Returns:
            Its final path.

        Raises:
            CacheError: The source is not known, or the cache cannot be written.
        """
        source = self.seen(item)
        if source is None:
            raise CacheError(f"{item.key}: a converted copy cannot be kept of a file that was never seen")
        sha256 = hash_file(temporary, ["sha256"])["sha256"]
        return self._place(temporary, item.name(source.sha256, form), sha256, {})

    def _place(self, temporary: Path, name: str, sha256: str, seen: Mapping[str, Seen]) -> Path:
        # First remembered, then renamed: a file that has its name is always known, and what is remembered of
        # a file that never got its name does no harm.
        memory = self._recall()
        status = temporary.stat()
        kept = Kept(bytes=status.st_size, sha256=sha256, mtime_ns=status.st_mtime_ns, inode=status.st_ino)
        self._remember(
            _Memory(seen={**seen, **memory.seen}, files={**memory.files, name: kept}),
        )
        path = self.home / name
        with self._writing(path):
            temporary.replace(path)
            _sync_folder(path.parent)
        return path

    def _check_unchanged(self, name: str, kept: Kept) -> None:
        path = self.home / name
        status = path.stat()
        if status.st_size != kept.bytes:
            raise CacheError(
                f"{path}: has {status.st_size} bytes, it had {kept.bytes} when it was verified; remove it and"
                " fetch it again"
            )
        if (status.st_mtime_ns, status.st_ino) == (kept.mtime_ns, kept.inode):
            return
        sha256 = hash_file(path, ["sha256"])["sha256"]
        if sha256 != kept.sha256:
            raise CacheError(
                f"{path}: was changed after it was verified: its sha256 is {sha256}, it was {kept.sha256};"
                " remove it and fetch it again"
            )
        memory = self._recall()
        touched = replace(kept, mtime_ns=status.st_mtime_ns, inode=status.st_ino)
        self._remember(replace(memory, files={**memory.files, name: touched}))

    def _learn(self, item: Item, seen: Seen, digests: Mapping[str, str]) -> Seen:
        """Remember further digests of the file that was first seen."""
        wiser = seen.with_digests(seen.digests | dict(digests))
        memory = self._recall()
        self._remember(replace(memory, seen={**memory.seen, item.key: wiser}))
        return wiser

    def _check_published(self, item: Item, seen: Seen) -> None:
        """Compare what was seen with what the registry says now, which need not be what it said then."""
        facts = [(digest.algorithm, digest.value, seen.digests[digest.algorithm]) for digest in item.digests]
        if item.bytes is not None:
            facts.insert(0, ("size in bytes", str(item.bytes), str(seen.bytes)))
        for what, published, actual in facts:
            if actual != published:
                raise CacheError(
                    f"{item.key}: the registry describes another file than the one in the cache: its {what}"
                    f" is {published}, that of the cached one {actual}; to fetch that one, remove the entry"
                    f" {item.key!r} under 'seen' in {self.memory_path}, or set {VARIABLE} to another folder"
                )

    def _recall(self) -> _Memory:
        path = self.memory_path
        if not path.exists():
            return _Memory(seen={}, files={})
        advice = "put it right, or remove it to begin anew (what was first seen is then forgotten)"
        try:
            if not path.stat().st_size:
                raise RegistryError(f"{path}: is empty")
            return _memory_of(read_yaml(path, str(path)))
        except Mistake as mistake:
            raise CacheError(f"{path}: {mistake}; {advice}") from mistake
        except RegistryError as error:
            raise CacheError(f"{error}; {advice}") from error

    def _remember(self, memory: _Memory) -> None:
        content = {
            "format": 1,
            "seen": {key: asdict(seen) for key, seen in memory.seen.items()},
            "files": {name: asdict(kept) for name, kept in memory.files.items()},
        }
        text = _HEADER + yaml.safe_dump(content, sort_keys=False, width=200)
        temporary = self.memory_path.with_name(f".{MEMORY}-{secrets.token_hex(8)}.part")
        with self._writing(self.memory_path):
            try:
                with temporary.open("x", encoding="utf-8") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(self.memory_path)
            finally:
                temporary.unlink(missing_ok=True)
            _sync_folder(self.home)

    @contextmanager
    def _writing(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise CacheError(
                f"{path}: cannot be written: {error.strerror}; {VARIABLE} names the folder to use"
            ) from error


def _memory_of(raw: object) -> _Memory:
    """Check what was read from ``seen.yaml``."""
    parts = _FORM.check(raw, ())
    return _Memory(seen=_section(parts, "seen", _SEEN), files=_section(parts, "files", _KEPT))


def _section(parts: Mapping[str, Any], name: str, entry: Record[_Entry]) -> dict[str, _Entry]:
    """Check one part of ``seen.yaml``, which may have no entries (any more)."""
    return {key: entry.check(value, (name, key)) for key, value in (parts[name] or {}).items()}


def _sync_folder(folder: Path) -> None:
    """Wait until the disk knows the names in a folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
