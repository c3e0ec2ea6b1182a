"""Where files live, under which names, and how a file is found again without hashing it.

A file under its final name is always a whole, verified file: it is written under a temporary name on the same
file system, checked, and only then renamed. Names come from registry and content, never from a server, so
that files which were published under one name lie side by side::

    HOME/densenet161/densenet161-th-flyyufelix-0123456789abcdef.h5      as published, named by its own SHA-256
    HOME/densenet161/densenet161-th-flyyufelix-0123456789abcdef-tf.h5   converted, named by that of its source
    HOME/class_indexes/imagenet-0123456789abcdef.json
    HOME/_partial/                                                      what downloads have not finished
    HOME/_memory/, HOME/seen.yaml                                       what is remembered: zoo.storage.pins
    HOME/_registry/                                                     registries, compiled and fetched
    HOME/_proofs/                                                       what was proven: zoo.storage.proofs
    HOME/registry.yaml                                                  the user's own: zoo.registry.places

Sixteen digits in a name tell files of one id apart and can be read by people; what is compared is always the
whole digest, which is remembered.

A second folder of the same form, ``ZOO_SHARED``, is searched first and never written to: a lab's shared disk.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from converters.version import RULES_NUMBER
from zoo.errors import CacheError, ChecksumError
from zoo.registry.digests import hash_file
from zoo.registry.places import FOLDER as REGISTRIES
from zoo.registry.records import ClassIndex, Digest, Layout, WeightsFile
from zoo.storage import disk
from zoo.storage.pins import FOLDER, Converted, CopyForm, Memory, Refused, Seen, Verified
from zoo.storage.proofs import FOLDER as PROOFS
from zoo.variables import HOME, SHARED, default_home, path_variable

OFFLINE = "ZOO_OFFLINE"
"""The environment variable that says that there is no network."""

PARTIAL = "_partial"
FEATURES = "_features"
MACHINERY = frozenset({PARTIAL, FEATURES, PROOFS, REGISTRIES, FOLDER})
"""Folders of a cache that hold no published files; no architecture can have these names."""

ENDING = r"(?:\.[A-Za-z0-9_]+)?"
"""What names of files end in, as a pattern: it tells formats apart and holds nothing that leads elsewhere."""

_NAME_DIGITS = 16
_NO_PLAN = "0" * 64
_MISSING = "there is no such folder"
_FORMS: tuple[Layout | None, ...] = (None, "th", "tf")


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
        facts: What the registry says of it that a conversion goes by.
    """

    key: str
    folder: str
    stem: str
    ending: str
    bytes: int | None
    digests: tuple[Digest, ...]
    facts: str = "nothing"

    @classmethod
    def of_weights(cls, architecture: str, file: WeightsFile) -> Item:
        """Return the item of a weights file of an architecture."""
        return cls(
            key=file.id,
            folder=architecture,
            stem=file.id,
            ending=_ending_of(file),
            bytes=file.bytes,
            digests=file.digests,
            facts=f"{file.structure}, layout {file.layout}, kernels {file.kernels}",
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

    def name(self, sha256: str, form: CopyForm | None = None) -> str:
        """Return the path below the cache's home.

        Args:
            sha256: Digest of the published file.
            form: The form that it was converted to; ``None`` for the published file itself.
        """
        suffix = f"-{form}" if form else ""
        # What was converted is HDF5, whatever it was before.
        ending = ".h5" if form else self.ending
        return f"{self.folder}/{self.stem}-{sha256[:_NAME_DIGITS]}{suffix}{ending}"


def _ending_of(file: WeightsFile) -> str:
    """Return what names of a file end in; where its own ending cannot be used, nothing."""
    ending = ".h5" if file.is_hdf5 else Path(file.filename).suffix
    return ending if re.fullmatch(ENDING, ending) else ""


def is_offline() -> bool:
    """Say whether ``ZOO_OFFLINE`` forbids the network: set, and neither empty nor ``0``."""
    return os.environ.get(OFFLINE, "") not in ("", "0")


def _fault_of_folder(path: Path) -> str | None:
    """Return why a folder cannot be looked into, or ``None`` if it can."""
    try:
        with os.scandir(path) as entries:
            next(entries, None)
    except FileNotFoundError:
        return _MISSING
    except NotADirectoryError:
        return "this is no folder"
    except OSError as error:
        return f"the folder cannot be read: {error.strerror}"
    return None


def utc_now() -> datetime:
    """Return the time of day."""
    return datetime.now(UTC)


class Cache:
    """A folder of verified files and what is remembered about them.

    Several threads and processes may use one folder at once, whether or not locks work there.

    Args:
        home: The folder; made when the first file comes.
        shared: A folder of the same form that is searched first and never written to.
        now: Tells the time.
        problem: What the user should know of a shared folder that had to be left out.
    """

    def __init__(
        self,
        home: Path,
        *,
        shared: Path | None = None,
        now: Callable[[], datetime] = utc_now,
        problem: str | None = None,
    ) -> None:
        self.home = home
        self.shared = shared
        self.problem = problem
        self.memory = Memory(home)
        self._now = now

    @classmethod
    def from_environment(cls) -> Cache:
        """Return the cache that ``ZOO_HOME`` and ``ZOO_SHARED`` name, the latter only if it can be read."""
        home, shared = default_home(), path_variable(SHARED)
        if shared is None or shared == home:
            return cls(home)
        fault = _fault_of_folder(shared)
        if fault is None:
            return cls(home, shared=shared)
        # One that is not there does no harm, and may come: a disk that is not mounted yet.
        kept = shared if fault == _MISSING else None
        return cls(home, shared=kept, problem=f"{SHARED}={shared}: {fault}; it was left out")

    @property
    def partials(self) -> Path:
        """The folder of what downloads have not finished."""
        return self.home / PARTIAL

    def seen(self, item: Item) -> Seen | None:
        """Return what an item was when it was first fetched, if it ever was.

        Raises:
            CacheError: What is remembered is damaged.
        """
        return self.memory.seen(item.key)

    def remembered(self, item: Item) -> Seen | None:
        """Return the same, or if this cache never saw the item what the shared one has seen.

        Raises:
            CacheError: What is remembered is damaged.
        """
        return self.seen(item) or (Memory(self.shared).seen(item.key) if self.shared else None)

    def has_stood_in(self, item: Item) -> bool:
        """Tell whether an item stood in, here or in the shared cache, for a set that no source had."""
        memories = [self.memory, *([Memory(self.shared)] if self.shared else [])]
        return any(memory.has_stood_in(item.key) for memory in memories)

    def stand_in(self, item: Item) -> None:
        """Remember that an item stood in.

        Raises:
            CacheError: It cannot be written.
        """
        self.memory.stand_in(item.key, self.moment())

    def find(self, item: Item, form: CopyForm | None = None) -> Path | None:
        """Return an item's verified file, or ``None`` if it is not in the cache.

        Size, time and inode are compared with what they were when the file was verified. If one of them
        differs the file is hashed again.

        Args:
            item: What is wanted.
            form: The form that it was converted to; ``None`` for the published file itself.

        Raises:
            CacheError: The file was changed since, or is not what the registry describes now, or what is
                remembered is damaged.
            ChecksumError: The shared file is another one than this cache has seen first.
        """
        if self.shared is not None:
            shelf = _Shelf(self.shared, Memory(self.shared), writable=False)
            path = shelf.find(item, form)
            if path is not None:
                self.check_seen(item, shelf.source(item), str(path))
                return path
        return _Shelf(self.home, self.memory, writable=True).find(item, form)

    def forms_of(self, item: Item) -> tuple[Layout | None, ...]:
        """Return in which forms an item seems to be here, whole: nothing is hashed, nobody is warned.

        Args:
            item: What is asked about.

        Returns:
            ``None`` for the published file itself, and each form that it was converted to.

        Raises:
            CacheError: What is remembered is damaged.
        """
        shelves = [_Shelf(self.home, self.memory, writable=True)]
        if self.shared is not None:
            shelves.insert(0, _Shelf(self.shared, Memory(self.shared), writable=False))
        held = {form for shelf in shelves for form in shelf.forms(item)}
        return tuple(form for form in _FORMS if form in held)

    def check_seen(self, item: Item, sha256: str, label: str, *, url: str | None = None) -> Seen | None:
        """Accept a file only if it is the one that was first seen under this name, or the first one.

        A refusal is remembered, so that the user can look at it and accept it.

        Args:
            item: What the file is said to be.
            sha256: Its digest.
            label: Where it came from; messages begin with it.
            url: The same as an address, where the label is none.

        Returns:
            What it was when it was first seen, if it ever was.

        Raises:
            ChecksumError: It is another one; the message says how to accept it.
            CacheError: What is remembered is damaged, or the refusal cannot be written down.
        """
        seen = self.seen(item)
        if seen is None or seen.sha256 == sha256:
            return seen
        raise self._refused(item, seen, sha256, label, url or label)

    def _refused(self, item: Item, seen: Seen, sha256: str, label: str, url: str) -> ChecksumError:
        """Remember that a file was refused, and return the error that says so."""
        self.memory.refuse(item.key, Refused(sha256=sha256, url=url, refused=self.moment()))
        return ChecksumError(
            f"{label}: this is another file than the one first seen: its sha256 is {sha256}, on"
            f" {seen.first_seen} it was {seen.sha256} (from {seen.url}); to accept the new one:"
            f" zoo trust {item.key} --accept {sha256}"
        )

    def accept(self, key: str, sha256: str) -> Seen:
        """Hold to this file from now on, whatever was seen first; return what is remembered now.

        Raises:
            CacheError: It cannot be written down.
        """
        known = self.memory.seen(key)
        if known is None or known.sha256 != sha256:
            urls = [refused.url for refused in self.memory.refused(key) if refused.sha256 == sha256]
            url = urls[-1] if urls else "zoo trust"
            named = Seen(sha256=sha256, bytes=None, url=url, first_seen=self.moment(), other_digests=())
            if known is not None and known.bytes is not None:
                self.memory.set_aside(key, known)
            self.memory.hold_to(key, named)
            known = named
        self.memory.pardon(key, sha256)
        return known

    def reject(self, item: Item, sha256: str) -> str | None:
        """Take back that a file is held to which the user named before it came, and which is no right one.

        What was held to before is held to again.

        Args:
            item: What the file is said to be.
            sha256: Its digest.

        Returns:
            What was undone, in words; ``None`` if there was nothing to undo.

        Raises:
            CacheError: What is remembered is damaged or cannot be written.
        """
        seen = self.seen(item)
        if seen is None or seen.sha256 != sha256 or seen.bytes is not None:
            return None
        before = self.memory.aside(item.key)
        if before is None:
            self.memory.forget(item.key)
            return "it was accepted before it had come, and is not held to any more"
        self.memory.hold_to(item.key, before)
        return f"it was accepted before it had come; {before.sha256} is held to again"

    def keep(self, temporary: Path, item: Item, *, digests: Mapping[str, str], url: str) -> Path:
        """Give a verified file its final name.

        Args:
            temporary: The file, written to disk and synced, on the file system of the cache. If another
                process has kept the same file meanwhile it stays where it is.
            item: What it is.
            digests: Its digests; ``sha256`` must be among them.
            url: Where it came from.

        Returns:
            Its final path.

        Raises:
            ChecksumError: Another file was first seen under this name.
            CacheError: The cache cannot be written, or what is remembered is damaged.
        """
        sha256 = digests["sha256"]
        with disk.writing(temporary):
            size = temporary.stat().st_size
        seen = Seen(sha256=sha256, bytes=size, url=url, first_seen=self.moment(), other_digests=())
        first = self.memory.see(item.key, seen.with_digests(digests))
        if first.sha256 != sha256:
            raise self._refused(item, first, sha256, item.key, item.key)
        if first.bytes is None:  # the user named this digest before the file had come
            self.memory.hold_to(item.key, seen.with_digests(digests))
            self.memory.discard_aside(item.key)
        return self._place(temporary, item, None, source=sha256, sha256=sha256)

    def keep_converted(self, temporary: Path, item: Item, form: CopyForm, *, plan: str = _NO_PLAN) -> Path:
        """Give a converted copy of an item its final name.

        Args:
            temporary: The copy, written to disk and synced, on the file system of the cache.
            item: What it was converted from; it has been kept before, here or in the shared folder.
            form: The form that it was converted to.
            plan: SHA-256 of the plan that was carried out.

        Returns:
            Its final path.

        Raises:
            CacheError: The source is not known, or the cache cannot be written.
        """
        own = self.seen(item)
        source = own or self.remembered(item)
        if source is None:
            raise CacheError(f"{item.key}: a converted copy cannot be kept of a file that was never seen")
        if own is None:
            self.memory.see(item.key, source)
        with disk.writing(temporary):
            sha256 = hash_file(temporary, ["sha256"])["sha256"]
        made = Converted(rules=RULES_NUMBER, plan=plan, source=item.facts, sha256=sha256)
        name = item.name(source.sha256, form)
        self._discard_outdated(name, sha256)
        self.memory.convert(name, made)
        return self._place(temporary, item, form, source=source.sha256, sha256=sha256)

    def _discard_outdated(self, name: str, sha256: str) -> None:
        """Remove an earlier copy: nobody shall find it under the records of the one that takes its place."""
        known = self.memory.verified(name)
        if known is not None and known.sha256 != sha256:
            with disk.writing(self.home / name):
                (self.home / name).unlink(missing_ok=True)

    def moment(self) -> str:
        """Return the time of day as it is written down, for example ``2026-11-20T08:30:05Z``."""
        return self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _place(self, temporary: Path, item: Item, form: CopyForm | None, *, source: str, sha256: str) -> Path:
        # First remembered, then renamed: a file that has its name is always known, and what is remembered of
        # a file that never got its name does no harm.
        name = item.name(source, form)
        path = self.home / name
        with disk.writing(path):
            disk.make_folder(path.parent)
            known = self.memory.verified(name)
            if known is not None and known.sha256 == sha256 and is_unchanged(path, known):
                return path
            disk.sync_folder(temporary.parent)
            record = verified(temporary, item.key, form, source=source, sha256=sha256)
            self.memory.verify(name, record)
            temporary.replace(path)
            disk.sync_folder(path.parent)
            if self.memory.verified(name) is None:  # somebody took it for the record of a file that is gone
                self.memory.verify(name, record)
        return path


def verified(path: Path, key: str, form: CopyForm | None, *, source: str, sha256: str) -> Verified:
    """Return how a file is now, which somebody has just hashed.

    Raises:
        OSError: It is gone.
    """
    status = path.stat()
    return Verified(
        key=key,
        form=form,
        source=source,
        sha256=sha256,
        bytes=status.st_size,
        mtime_ns=status.st_mtime_ns,
        inode=status.st_ino,
    )


def is_name_of(name: str, record: Verified) -> bool:
    """Say whether a path below a cache's home is the one that :meth:`Item.name` gives to a recorded file."""
    stem = re.escape(record.key.rpartition("/")[2])
    form = f"-{record.form}" if record.form else ""
    return re.fullmatch(rf"[^/]+/{stem}-{record.source[:_NAME_DIGITS]}{form}{ENDING}", name) is not None


def is_unchanged(path: Path, known: Verified) -> bool:
    """Say whether a file has the size, time and inode that it had when it was verified."""
    try:
        status = path.stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns, status.st_ino) == (known.bytes, known.mtime_ns, known.inode)


class _Shelf:
    """One folder of verified files: the user's, or the shared one, which is only looked at."""

    def __init__(self, home: Path, memory: Memory, *, writable: bool) -> None:
        self._home = home
        self._memory = memory
        self._writable = writable

    def source(self, item: Item) -> str:
        """Return the SHA-256 of an item that was found here."""
        seen = self._memory.seen(item.key)
        assert seen is not None
        return seen.sha256

    def forms(self, item: Item) -> tuple[Layout | None, ...]:
        """Return in which forms an item lies here; a file may have been changed since it was verified."""
        seen = self._memory.seen(item.key)
        if seen is None:
            return ()
        return tuple(form for form in _FORMS if self._is_there(item, item.name(seen.sha256, form), form))

    def _is_there(self, item: Item, name: str, form: CopyForm | None) -> bool:
        if not (self._home / name).exists():
            return False
        # What a converted copy should be is known from its records alone.
        return form is None or self._is_up_to_date(item, name)

    def find(self, item: Item, form: CopyForm | None) -> Path | None:
        """Return an item's verified file; see :meth:`Cache.find`."""
        try:
            return self._find(item, form)
        except FileNotFoundError:
            return None  # somebody has removed it since it was looked for

    def _find(self, item: Item, form: CopyForm | None) -> Path | None:
        seen = self._memory.seen(item.key)
        if seen is None:
            return None
        name = item.name(seen.sha256, form)
        if not self._is_there(item, name, form):
            return None
        path, known = self._home / name, self._memory.verified(name)
        unknown = {digest.algorithm for digest in item.digests} - set(seen.digests)
        if unknown and form:
            return None  # published since: only the file itself can show whether it is that one
        self._check_unchanged(item, form, path, known, seen)
        if unknown:
            seen = self._learn(item, seen, hash_file(path, unknown))
        self._check_published(item, seen)
        return path

    def _is_up_to_date(self, item: Item, name: str) -> bool:
        """Say whether today's rules, from what the registry says today, would make the same copy."""
        made, known = self._memory.converted(name), self._memory.verified(name)
        if made is None or known is None:
            return False
        return (made.rules, made.source, made.sha256) == (RULES_NUMBER, item.facts, known.sha256)

    def _check_unchanged(
        self, item: Item, form: CopyForm | None, path: Path, known: Verified | None, seen: Seen
    ) -> None:
        if known is not None and is_unchanged(path, known):
            return
        size, expected = path.stat().st_size, known.bytes if known else seen.bytes
        if expected is not None and size != expected:
            raise CacheError(
                f"{path}: has {size} bytes, it had {expected} when it was verified; {self._remedy(item)}"
            )
        sha256, right = hash_file(path, ["sha256"])["sha256"], known.sha256 if known else seen.sha256
        if sha256 != right:
            raise CacheError(
                f"{path}: was changed after it was verified: its sha256 is {sha256}, it was {right};"
                f" {self._remedy(item)}"
            )
        if self._writable:
            name = item.name(seen.sha256, form)
            self._memory.verify(name, verified(path, item.key, form, source=seen.sha256, sha256=sha256))

    def _remedy(self, item: Item) -> str:
        if self._writable:
            return f"remove it (zoo cache remove {item.key}) and fetch it again"
        return f"tell whoever keeps the shared folder, or unset {SHARED}"

    def _learn(self, item: Item, seen: Seen, digests: Mapping[str, str]) -> Seen:
        """Remember further digests of the file that was first seen."""
        wiser = seen.with_digests(seen.digests | dict(digests))
        if self._writable:
            self._memory.hold_to(item.key, wiser)
        return wiser

    def _check_published(self, item: Item, seen: Seen) -> None:
        """Compare what was seen with what the registry says now, which need not be what it said then."""
        facts = [(digest.algorithm, digest.value, seen.digests[digest.algorithm]) for digest in item.digests]
        if item.bytes is not None and seen.bytes is not None:
            facts.insert(0, ("size in bytes", str(item.bytes), str(seen.bytes)))
        for what, published, actual in facts:
            if actual != published:
                raise CacheError(
                    f"{item.key}: the registry describes another file than the one in {self._home}: its"
                    f" {what} is {published}, that of the one there {actual}; {self._other(item)}"
                )

    def _other(self, item: Item) -> str:
        if self._writable:
            return f"to fetch that one, run: zoo trust {item.key} --forget (or set {HOME} to another folder)"
        return f"unset {SHARED} to fetch that one"
