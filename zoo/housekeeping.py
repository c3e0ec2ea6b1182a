"""What lies in a cache: listing it, hashing it again, and removing what is not wanted any more.

Folders whose names start with an underscore hold what the cache remembers and what downloads have not
finished; they are none of the files that are listed here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from zoo import disk, fields
from zoo.cache import PARTIAL, Cache, Item, is_unchanged, verified
from zoo.checksums import CHUNK, Hashes
from zoo.download.progress import Progress, Silence
from zoo.errors import UnknownNameError
from zoo.memory import SUMMARY, Memory, Verified
from zoo.records import Architecture, Layout, Registry, WeightsFile

UNFINISHED_AGE = 24 * 3600.0
"""Seconds after which a temporary file is nobody's any more."""

_TEMPORARY = re.compile(r"\..+-[0-9a-f]{16}\.part")


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
    """

    path: Path
    bytes: int
    what: str
    key: str | None
    form: Layout | None
    sha256: str | None
    source: str | None


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
    near = ", ".join(fields.nearest(name, [*networks, *keys]))
    hint = "`zoo list` shows the networks, `zoo show NAME` their files"
    raise UnknownNameError(
        f"no network and no file is called {name!r}{f'; nearest: {near}' if near else ''}; {hint}"
    )


def entries(cache: Cache, known: Mapping[str, Known]) -> list[Entry]:
    """Return every file in a cache, by name, without what is machinery or unfinished.

    Raises:
        CacheError: What is remembered is damaged.
    """
    remembered = cache.memory.all_verified()
    adopted = _unrecorded(cache, known)
    found = []
    for path, status in _files(cache.home):
        name = _name(cache, path)
        if not name.startswith("_") and name != SUMMARY and not _TEMPORARY.fullmatch(path.name):
            found.append(_entry(path, status.st_size, remembered.get(name), adopted.get(name), known))
    return found


def _unrecorded(cache: Cache, known: Mapping[str, Known]) -> dict[str, Known]:
    """Return by name the published files that were seen, whose names tell what they are without a record."""
    seen = cache.memory.all_seen()
    return {one.item.name(seen[key].sha256): one for key, one in known.items() if key in seen}


def _entry(
    path: Path, size: int, record: Verified | None, named: Known | None, known: Mapping[str, Known]
) -> Entry:
    if record is not None:
        title = known[record.key].title if record.key in known else "described by no registry"
        converted = f", converted to {record.form}" if record.form else ""
        return Entry(
            path=path,
            bytes=size,
            what=title + converted,
            key=record.key,
            form=record.form,
            sha256=record.sha256,
            source=record.source,
        )
    what, key = (named.title, named.item.key) if named else ("unknown", None)
    return Entry(path=path, bytes=size, what=what, key=key, form=None, sha256=None, source=None)


def _files(home: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield every file below a cache's folder that no download owns; others may come and go meanwhile."""
    for folder, folders, names in os.walk(home):
        folders.sort()
        if Path(folder) == home and PARTIAL in folders:
            folders.remove(PARTIAL)
        for name in sorted(names):
            path = Path(folder, name)
            try:
                status = path.stat()
            except FileNotFoundError:
                continue  # removed since the folder was read
            yield path, status


def _name(cache: Cache, path: Path) -> str:
    return path.relative_to(cache.home).as_posix()


def verify(cache: Cache, known: Mapping[str, Known], progress: Progress | None = None) -> Iterator[Checked]:
    """Hash every file again, by every algorithm that something was published in, and say what each is.

    A file that is right is remembered as it lies there now, so that the next fetch need not hash it.

    Raises:
        CacheError: What is remembered is damaged or cannot be written.
    """
    for entry in entries(cache, known):
        problem = _problem(cache, entry, known, progress or Silence())
        if problem is None:
            _remember(cache, entry)
        yield Checked(entry=entry, problem=problem)


def _problem(cache: Cache, entry: Entry, known: Mapping[str, Known], progress: Progress) -> str | None:
    """Return what is wrong with a file."""
    if entry.key is None:
        return "is unknown here: nobody recorded what it should be"
    seen = cache.memory.seen(entry.key)
    expected = entry.sha256 or (seen.sha256 if seen else "")
    item = known[entry.key].item if entry.key in known else None
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
    hashes = Hashes(algorithms, entry.bytes)
    progress.start(entry.bytes, f"hashing {entry.path.name}")
    try:
        with disk.reading(entry.path), entry.path.open("rb") as file:
            while piece := file.read(CHUNK):
                hashes.update(piece)
                progress.advance(len(piece))
    finally:
        progress.done()
    return hashes.values()


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
    doomed = [
        Removed(path=entry.path, bytes=entry.bytes, reason=entry.what)
        for entry in entries(cache, known)
        if entry.key in keys
    ]
    if not dry_run:
        _remove(cache, doomed)
    return doomed


def prune(cache: Cache, known: Mapping[str, Known], *, now: float, dry_run: bool = False) -> list[Removed]:
    """Remove what nobody can use any more.

    That is: files that nobody recorded, temporary files and partial downloads that were left behind, files
    that another one was accepted in place of, copies whose source is gone, and files that no registry
    describes.

    Args:
        cache: The cache.
        known: What the registry describes.
        now: Seconds since 1970, to tell old temporary files from those being written.
        dry_run: Only say what would be removed.

    Raises:
        CacheError: A file cannot be removed, or what is remembered is damaged.
    """
    from zoo.download.partials import sweep

    found = entries(cache, known)
    reasons = [(entry, _useless(cache, entry, found, known)) for entry in found]
    doomed = [
        Removed(path=entry.path, bytes=entry.bytes, reason=reason) for entry, reason in reasons if reason
    ]
    doomed += [
        Removed(path=path, bytes=status.st_size, reason="left behind half written")
        for path, status in _files(cache.home)
        if _TEMPORARY.fullmatch(path.name) and now - status.st_mtime > UNFINISHED_AGE
    ]
    if not dry_run:
        _remove(cache, doomed)
        for name in cache.memory.all_verified():
            if not (cache.home / name).exists():
                cache.memory.drop(name)
    with disk.writing(cache.partials):
        swept = sweep(cache.partials, now=now, dry_run=dry_run)
    return doomed + [
        Removed(path=path, bytes=size, reason="a download that nobody went on with") for path, size in swept
    ]


def _useless(cache: Cache, entry: Entry, found: Iterable[Entry], known: Mapping[str, Known]) -> str | None:
    """Return why nobody can use a file any more."""
    if entry.key is None:
        return "nobody recorded what it is"
    if entry.key not in known:
        return f"no registry describes {entry.key} any more"
    seen = cache.memory.seen(entry.key)
    if seen is not None and entry.source not in (None, seen.sha256):
        return f"another file was accepted as {entry.key}"
    if entry.form and not _has_source(cache, entry, found, known):
        return f"was converted from a file of {entry.key} that is gone"
    return None


def _has_source(cache: Cache, copy: Entry, found: Iterable[Entry], known: Mapping[str, Known]) -> bool:
    if any(entry.key == copy.key and entry.form is None for entry in found):
        return True
    if cache.shared is None or copy.key is None or copy.source is None:
        return False
    seen = Memory(cache.shared).seen(copy.key)
    return seen is not None and (cache.shared / known[copy.key].item.name(copy.source)).exists()


def _remove(cache: Cache, doomed: Iterable[Removed]) -> None:
    for one in doomed:
        with disk.writing(one.path):
            one.path.unlink(missing_ok=True)
        cache.memory.drop(_name(cache, one.path))
