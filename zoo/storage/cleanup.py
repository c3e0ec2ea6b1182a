"""What lies in a cache: listing it, hashing it again, and removing what is not wanted any more.

A cache's folder may hold anything besides: ``ZOO_HOME`` can be somebody's home. Only a file that this program
remembers to have kept, under the very name that it gives, is ever hashed or removed; all others are a
stranger's, which are listed and left alone. So are symbolic links, which this program never makes.

The folders of :data:`~zoo.storage.cache.MACHINERY` hold what the cache remembers and what downloads have not
finished; they are none of the files that are listed here.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from zoo.errors import CacheError
from zoo.progress.protocol import Progress, Silence
from zoo.registry import unknown_name
from zoo.registry.digests import hash_file
from zoo.registry.places import FILENAME
from zoo.registry.records import Architecture, Registry, WeightsFile
from zoo.storage import disk
from zoo.storage.cache import MACHINERY, Cache, Item, is_name_of, is_unchanged, verified
from zoo.storage.pins import FOLDER, SUMMARY, CopyForm, Memory, Verified
from zoo.storage.proofs import FOLDER as PROOFS

UNFINISHED_AGE = 24 * 3600.0
"""Seconds after which a temporary file is nobody's any more."""

_REMEMBERED = (FOLDER, PROOFS)
_TEMPORARY = re.compile(
    rf"(?:\.{re.escape(SUMMARY)}|\.{re.escape(FILENAME)}|(?:{'|'.join(_REMEMBERED)})/(?:.+/)?\.[^/]+\.json)"
    r"-[0-9a-f]{16}\.part"
)
"""Paths below the cache's folder under which :mod:`zoo.storage.disk` writes what is remembered."""

Stamp = tuple[int, int, int]
"""Inode, time of the last change in nanoseconds since 1970, size."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """Something published that the registry describes.

    Attributes:
        item: How the cache names it.
        title: What it is, in words.
        network: The architecture that it belongs to; ``None`` for a class index.
    """

    item: Item
    title: str
    network: str | None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file in the cache.

    Attributes:
        path: Where it lies.
        bytes: Its size.
        what: What it is, in words.
        key: The id of the published file that it is or was converted from; ``None`` if nobody knows it.
        form: The form that it was converted to; ``None`` for a published file.
        sha256: Its digest when it was verified; ``None`` if nobody knows it.
        source: That of the published file.
        stamp: How it lay there when it was listed.
        is_link: Whether it is a symbolic link.
        names: How many names it has on the disk: it may be there under two ids, and takes its room once.
    """

    path: Path
    bytes: int
    what: str
    key: str | None
    form: CopyForm | None
    sha256: str | None
    source: str | None
    stamp: Stamp
    is_link: bool
    names: int

    @property
    def is_ours(self) -> bool:
        """Whether this program made it, so that it may remove it."""
        return self.key is not None and not self.is_link


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What hashing a file again has shown; ``problem`` is ``None`` if it is what it was."""

    entry: Entry
    problem: str | None


@dataclass(frozen=True, kw_only=True)
class Removed:
    """A file that was removed, or would be, what that frees, and why."""

    path: Path
    bytes: int
    reason: str


def describe(registry: Registry) -> dict[str, Known]:
    """Return everything that a registry describes and a cache can hold, by key."""
    files = [
        Known(item=Item.of_weights(network.name, file), title=_title(network, file), network=network.name)
        for network in registry.architectures.values()
        for file in network.weights
    ]
    indexes = [
        Known(item=Item.of_class_index(index), title="class index", network=None)
        for index in registry.class_indexes.values()
    ]
    return {known.item.key: known for known in [*files, *indexes]}


def _title(network: Architecture, file: WeightsFile) -> str:
    form = file.layout if file.layout == file.kernels else f"layout {file.layout}, kernels {file.kernels}"
    return f"{network.title}, {file.set}, {form}{'' if file.top else ', no top'}"


def keys_of(name: str, known: Mapping[str, Known], others: Iterable[str]) -> list[str]:
    """Return the keys that a user's name stands for: those of a network, or one by its own name.

    Args:
        name: A network, the id of a weights file, or ``class_indexes/NAME``.
        known: What the registry describes.
        others: Keys that the cache alone knows.

    Raises:
        UnknownNameError: There is no such name; the message lists the nearest ones.
    """
    of_network = [key for key, one in known.items() if one.network == name]
    if of_network:
        return of_network
    keys = dict.fromkeys([*known, *others])
    if name in keys:
        return [name]
    networks = dict.fromkeys(one.network for one in known.values() if one.network)
    raise unknown_name(name, [*networks, *keys])


def entries(cache: Cache, known: Mapping[str, Known]) -> list[Entry]:
    """Return every file in a cache, by name, without what is machinery or unfinished.

    Raises:
        CacheError: What is remembered is damaged.
    """
    # First the files, then what is remembered: a file that comes in between is not listed, where the other
    # way round it would be one that nobody knows.
    files = [(_name(cache, path), path, status) for path, status in _files(cache.home)]
    remembered = cache.memory.all_verified()
    adopted = _unrecorded(cache, known)
    return [
        _entry(path, status, _record(name, remembered), adopted.get(name), known)
        for name, path, status in files
        if name not in (SUMMARY, FILENAME) and not _TEMPORARY.fullmatch(name)
    ]


def strangers(cache: Cache, known: Mapping[str, Known]) -> list[Path]:
    """Return every file in a cache's folder that this program did not make, by name.

    Raises:
        CacheError: What is remembered is damaged.
    """
    return sorted(entry.path for entry in entries(cache, known) if not entry.is_ours)


def undescribed(cache: Cache, known: Mapping[str, Known]) -> list[Path]:
    """Return every file that this program made and that the registry does not describe, by name.

    Raises:
        CacheError: What is remembered is damaged.
    """
    found = entries(cache, known)
    return sorted(entry.path for entry in found if entry.is_ours and entry.key not in known)


def _record(name: str, remembered: Mapping[str, Verified]) -> Verified | None:
    """Return what is remembered of a file, if its name is one that this program gives."""
    record = remembered.get(name)
    return record if record and is_name_of(name, record) else None


def _unrecorded(cache: Cache, known: Mapping[str, Known]) -> dict[str, Known]:
    """Return by name the published files that were seen, whose names tell what they are without a record."""
    seen = cache.memory.all_seen()
    return {one.item.name(seen[key].sha256): one for key, one in known.items() if key in seen}


def _entry(
    path: Path,
    status: os.stat_result,
    record: Verified | None,
    named: Known | None,
    known: Mapping[str, Known],
) -> Entry:
    is_link = stat.S_ISLNK(status.st_mode)
    if not path.is_file():  # a link that leads nowhere, a socket
        record = named = None
    what, key = (named.title, named.item.key) if named else ("unknown", None)
    if record is not None:
        title = known[record.key].title if record.key in known else "described by no registry"
        what, key = title + (f", converted to {record.form}" if record.form else ""), record.key
    return Entry(
        path=path,
        bytes=_size(path, status),
        what=what,
        key=key,
        form=record.form if record else None,
        sha256=record.sha256 if record else None,
        source=record.source if record else None,
        stamp=_stamp(status),
        is_link=is_link,
        names=status.st_nlink,
    )


def _files(home: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield every file below a cache's folder that is no machinery; others may come and go meanwhile."""
    for folder, folders, names in os.walk(home):
        folders[:] = sorted(set(folders) - (MACHINERY if Path(folder) == home else set()))
        for name in sorted(names):
            path = Path(folder, name)
            try:
                status = path.lstat()
            except OSError:
                continue  # removed since the folder was read, or out of reach for this user
            yield path, status


def _size(path: Path, status: os.stat_result) -> int:
    """Return how many bytes a file has, or what a link leads to."""
    try:
        return path.stat().st_size
    except OSError:
        return status.st_size


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_ino, status.st_mtime_ns, status.st_size


def _name(cache: Cache, path: Path) -> str:
    return path.relative_to(cache.home).as_posix()


def verify(cache: Cache, known: Mapping[str, Known], progress: Progress | None = None) -> Iterator[Checked]:
    """Hash every file again, by every algorithm that something was published in, and say what each is.

    A file that is right is remembered as it lies there now, so that the next fetch need not hash it. Files of
    strangers are left out.

    Raises:
        CacheError: What is remembered is damaged or cannot be written.
    """
    for entry in entries(cache, known):
        if entry.key is None:
            continue
        try:
            problem = _problem(cache, entry, entry.key, known, progress or Silence())
            if problem is None:
                _remember(cache, entry)
        except (CacheError, FileNotFoundError):
            if entry.path.exists():
                raise
            continue  # somebody has removed it since it was listed
        yield Checked(entry=entry, problem=problem)


def _problem(
    cache: Cache, entry: Entry, key: str, known: Mapping[str, Known], progress: Progress
) -> str | None:
    """Return what is wrong with a file."""
    seen = cache.memory.seen(key)
    expected = entry.sha256 or (seen.sha256 if seen else "")
    item = known[key].item if key in known else None
    published = item.digests if item and entry.form is None else ()
    found = _hash(entry, {"sha256", *(digest.algorithm for digest in published)}, progress)
    if found["sha256"] != expected:
        return f"is damaged: its sha256 is {found['sha256']}, it was {expected}"
    for digest in published:
        if found[digest.algorithm] != digest.value:
            return (
                f"is not what the registry describes: its {digest.algorithm} is {found[digest.algorithm]},"
                f" published is {digest.value}"
            )
    return None


def _hash(entry: Entry, algorithms: Collection[str], progress: Progress) -> dict[str, str]:
    progress.start(entry.bytes, f"hashing {entry.path.name}")
    try:
        with disk.reading(entry.path):
            return hash_file(entry.path, algorithms, progress.advance)
    finally:
        progress.done()


def _remember(cache: Cache, entry: Entry) -> None:
    name = _name(cache, entry.path)
    record = cache.memory.verified(name)
    if record is not None and not is_unchanged(entry.path, record):
        now = verified(entry.path, record.key, record.form, source=record.source, sha256=record.sha256)
        cache.memory.verify(name, now)


def remove(
    cache: Cache, keys: Collection[str], known: Mapping[str, Known], *, dry_run: bool = False
) -> list[Removed]:
    """Remove published files, and what was converted from them; what was first seen stays remembered.

    Args:
        cache: The cache.
        keys: Which files.
        known: What the registry describes.
        dry_run: Only say what would be removed.

    Raises:
        CacheError: A file cannot be removed, or what is remembered is damaged.
    """
    doomed = [entry for entry in entries(cache, known) if entry.is_ours and entry.key in keys]
    return _freeing(
        (entry, entry.what) for entry in doomed if dry_run or _removed(cache, entry, partial(str, entry.what))
    )


def _freeing(removed: Iterable[tuple[Entry, str]]) -> list[Removed]:
    """Return what is removed, with the reasons: of several names of a file the last one frees its bytes."""
    names: dict[Stamp, int] = {}
    found = []
    for entry, reason in removed:
        names[entry.stamp] = names.get(entry.stamp, entry.names) - 1
        freed = 0 if names[entry.stamp] > 0 else entry.bytes
        found.append(Removed(path=entry.path, bytes=freed, reason=reason))
    return found


def prune(
    cache: Cache,
    known: Mapping[str, Known],
    *,
    now: float,
    dry_run: bool = False,
    unknown: bool = False,
) -> list[Removed]:
    """Remove what nobody can use any more, of what this program made.

    That is: temporary files and partial downloads that were left behind, files that another one was accepted
    in place of, and copies whose source is gone. A file that was changed since it was kept stays, and so does
    one that the registry does not describe: it may have been fetched by way of another registry.

    Args:
        cache: The cache.
        known: What the registry describes.
        now: Seconds since 1970, to tell old temporary files from those being written.
        dry_run: Only say what would be removed.
        unknown: Remove files that the registry does not describe as well.

    Raises:
        CacheError: A file cannot be removed, or what is remembered is damaged.
    """
    from zoo.storage.partials import sweep

    doomed = []
    for entry in entries(cache, known):
        useless = partial(_useless, cache, entry, known, unknown=unknown)
        reason = useless() if dry_run else _removed(cache, entry, useless)
        if reason:
            doomed.append((entry, reason))
    pruned = _freeing(doomed)
    pruned += _prune_temporaries(cache, now, dry_run=dry_run)
    if not dry_run:
        _forget_gone(cache)
    with disk.writing(cache.partials):
        swept = sweep(cache.partials, now=now, dry_run=dry_run)
    return pruned + [
        Removed(path=path, bytes=size, reason="a download that nobody went on with") for path, size in swept
    ]


def _useless(cache: Cache, entry: Entry, known: Mapping[str, Known], *, unknown: bool) -> str | None:
    """Return why nobody can use a file any more, as things are at this moment."""
    key = entry.key
    if key is None or entry.is_link:
        return None
    if key not in known:
        return f"no registry describes {key} any more" if unknown and _is_as_kept(cache, entry) else None
    seen = cache.memory.seen(key)
    # One that was accepted and has not come yet may still prove to be none.
    came = seen.sha256 if seen and seen.bytes is not None else None
    is_superseded = came is not None and entry.source not in (None, came)
    if not (is_superseded or entry.form) or not _is_as_kept(cache, entry):
        return None
    if is_superseded:
        return f"another file was accepted as {key}"
    if entry.source and not _has_source(cache, known[key].item, entry.source):
        return f"was converted from a file of {key} that is gone"
    return None


def _is_as_kept(cache: Cache, entry: Entry) -> bool:
    """Say whether a file still holds what this program put there; one that was touched is hashed."""
    record = cache.memory.verified(_name(cache, entry.path))
    if record is None or is_unchanged(entry.path, record):
        return True
    if entry.bytes != record.bytes:
        return False
    with disk.reading(entry.path):
        return hash_file(entry.path, ["sha256"])["sha256"] == record.sha256


def _has_source(cache: Cache, item: Item, source: str) -> bool:
    """Say whether the published file with this digest is there, here or in the shared folder."""
    homes = [cache.home]
    if cache.shared is not None:
        seen = Memory(cache.shared).seen(item.key)
        homes += [cache.shared] if seen is not None else []
    return any((home / item.name(source)).exists() for home in homes)


def _removed(cache: Cache, entry: Entry, why: Callable[[], str | None]) -> str | None:
    """Remove a file if there is a reason to, unless another one has its name by now.

    Args:
        cache: The cache.
        entry: The file.
        why: Says at any moment why it should go. It is asked last: whoever needs the file by now keeps it.

    Returns:
        The reason for which it was removed; ``None`` if it was not.
    """
    name = _name(cache, entry.path)
    record = cache.memory.verified(name)
    with disk.writing(entry.path):
        if not _lies_as_listed(entry) or not (reason := why()):
            return None
        entry.path.unlink(missing_ok=True)
    if record is not None:
        _forget(cache, name, record)
    return reason


def _lies_as_listed(entry: Entry) -> bool:
    try:
        return _stamp(entry.path.lstat()) == entry.stamp
    except FileNotFoundError:
        return False  # somebody else was faster


def _forget_gone(cache: Cache) -> None:
    """Forget how files were that are no more."""
    for name, record in cache.memory.all_verified().items():
        if not (cache.home / name).exists():
            _forget(cache, name, record)


def _forget(cache: Cache, name: str, record: Verified) -> None:
    """Forget how a file was, unless somebody keeps it at this moment.

    A file is remembered just before it gets its name. Whoever forgets it in between finds the file afterwards
    and puts its record back; whoever keeps it looks as well (:meth:`Cache.keep`).
    """
    if cache.memory.verified(name) != record:
        return
    cache.memory.drop(name)
    if (cache.home / name).exists():
        cache.memory.verify(name, record)


def _prune_temporaries(cache: Cache, now: float, *, dry_run: bool) -> list[Removed]:
    """Remove what was left behind half written of what is remembered."""
    pruned = []
    for path in _temporaries(cache.home):
        status = path.lstat()
        if now - status.st_mtime <= UNFINISHED_AGE:
            continue
        if not dry_run:
            with disk.writing(path):
                path.unlink(missing_ok=True)
        pruned.append(Removed(path=path, bytes=status.st_size, reason="left behind half written"))
    return pruned


def _temporaries(home: Path) -> list[Path]:
    found = [*home.glob(f".{SUMMARY}-*.part")]
    found += [path for folder in _REMEMBERED for path in (home / folder).rglob(".*.part")]
    names = {path: path.relative_to(home).as_posix() for path in sorted(found)}
    return [
        path
        for path, name in names.items()
        if _TEMPORARY.fullmatch(name) and path.is_file() and not path.is_symlink()
    ]
