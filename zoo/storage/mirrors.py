"""A mirror: published files as a static tree that any web server or bucket can serve as it is.

    index.json                                          which files there are, by the registry's ids
    files/SHA256.h5, files/SHA256.caffemodel, ...       the files, named by their content
    checked.json                                        in a bucket: in which states files were right

A file appears under its name only when it is whole, and in the index only when it is there; so a mirror that
was interrupted is a smaller mirror, and the next run continues. Each run hashes what is there already, and
brings again what is damaged; an object of a bucket that still is in the state in which it was right, as its
ETag tells, is not fetched for that.

Who runs a mirror does not matter for a file with a published digest, because everybody checks that. Of a file
without one a mirror says what it says: whoever fetches it there trusts the mirror as whatever is first seen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from converters.version import newer_fault
from zoo.errors import CacheError, ChecksumError, DownloadError, ZooError
from zoo.progress.protocol import Progress, Silence
from zoo.registry.digests import any_strong, hash_file
from zoo.registry.fields import Anything, Choice, Mistake, Record, Text, Whole
from zoo.storage.cache import ENDING, Cache, Item
from zoo.storage.destinations import Destination

SCHEMA = 1
"""The number of the form of both lists, which call it ``format``."""

INDEX = "index.json"
CHECKED = "checked.json"
LARGEST_INDEX = 4 << 20
"""Bytes; an index of the largest registry takes a hundredth of it."""


@dataclass(frozen=True, kw_only=True)
class Held:
    """A file that a mirror holds.

    Attributes:
        sha256: Its digest.
        bytes: Its size.
        path: Where it lies below the mirror; made of the digest and an ending, nothing else.
    """

    sha256: str
    bytes: int
    path: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a file on its way to a mirror, or of one that was checked there.

    Attributes:
        key: The registry's id of the file.
        state: One word: ``added``, ``there`` or ``failed``; of a check ``right`` or ``damaged``.
        bytes: Its size, if it is there.
        problem: What is wrong, if anything.
        fault: The name of the class of errors that this is.
        notes: What the user should know, one line each.
    """

    key: str
    state: str
    bytes: int | None = None
    problem: str | None = None
    fault: str = ChecksumError.__name__
    notes: tuple[str, ...] = ()


_HELD = Record(
    Held,
    {
        "sha256": (Text(pattern="[0-9a-f]{64}", must="be 64 hexadecimal digits in lower case"), "Digest"),
        "bytes": (Whole(0), "Size"),
        "path": (
            Text(pattern=rf"files/[0-9a-f]{{64}}{ENDING}", must="be files/SHA256 and an ending"),
            "Place",
        ),
    },
)
_INDEX: Record[dict[str, object]] = Record(
    dict,
    {
        "format": (Choice((SCHEMA,)), "Version of this form"),
        "files": (Anything(), "The files, by the registry's id"),
    },
)


def parse_index(data: bytes, label: str) -> dict[str, Held]:
    """Read an index that somebody else may have written.

    Args:
        data: The index, as bytes.
        label: What messages call it.

    Returns:
        What the mirror holds, by key: the id of a weights file, or ``class_indexes/NAME``.

    Raises:
        DownloadError: It is none.
    """
    try:
        files = _listed(data, label)
        held = {key: _HELD.check(entry, ("files", key)) for key, entry in files.items()}
    except ValueError as error:
        raise DownloadError(f"{label}: is no index of a mirror: it is not JSON") from error
    except Mistake as mistake:
        raise DownloadError(f"{label}: is no index of a mirror: {mistake}") from mistake
    for key, entry in held.items():
        if entry.sha256 not in entry.path:
            raise DownloadError(f"{label}: is no index of a mirror: files.{key}: path and sha256 differ")
    return held


def _listed(data: bytes, label: str) -> dict[str, object]:
    """Return what a list has under ``files``.

    Raises:
        DownloadError: A later version wrote it.
        ValueError: It is not JSON.
        Mistake: It is no such list.
    """
    raw = json.loads(data)
    if fault := newer_fault(raw.get("format") if isinstance(raw, dict) else None, SCHEMA):
        raise DownloadError(f"{label}: {fault}")
    files = _INDEX.check(raw, ())["files"]
    assert isinstance(files, dict)
    return files


def write_index(held: Mapping[str, Held]) -> bytes:
    """Return the index of a mirror that holds these files."""
    files = {key: asdict(entry) for key, entry in sorted(held.items())}
    return (json.dumps({"format": SCHEMA, "files": files}, indent=1) + "\n").encode()


def mirror(
    destination: Destination,
    wanted: Iterable[Item],
    obtain: Callable[[Item], Path],
    cache: Cache,
    progress: Progress | None = None,
) -> Iterator[Outcome]:
    """Bring files to a mirror, each as soon as it is asked for; what fails does not keep the others away.

    Args:
        destination: Where the mirror is.
        wanted: What it shall hold; what it holds besides stays.
        obtain: Brings a verified file into the cache.
        cache: That cache.
        progress: Told about long steps.

    Raises:
        DownloadError: What is there as the index is none.
        CacheError: The destination cannot be read.
    """
    held, hashed = read_index(destination), _Hashed(destination, progress or Silence())
    for item in wanted:
        known = held.get(item.key)
        damage = None
        try:
            if known is not None and _is_wanted(known, item, cache):
                damage = hashed.problem(known)
                if damage is None:
                    yield Outcome(key=item.key, state="there", bytes=known.bytes)
                    continue
            entry = _bring(hashed, item, obtain(item), cache, progress or Silence())
            held[item.key] = entry
            destination.write(INDEX, write_index(held))
        except ZooError as error:
            fault = type(error).__name__
            yield Outcome(key=item.key, state="failed", problem=str(error), fault=fault)
        else:
            mended = (f"{damage}; it was brought again",) if damage else ()
            notes = (*mended, *_notes(item))
            yield Outcome(key=item.key, state="added", bytes=entry.bytes, notes=notes)
    hashed.remember()


def read_index(destination: Destination) -> dict[str, Held]:
    """Return what a mirror holds; nothing if there is none yet.

    Raises:
        DownloadError: What is there as the index is none.
        CacheError: The destination cannot be read.
    """
    data = destination.read(INDEX)
    return {} if data is None else parse_index(data, destination.name(INDEX))


def check(destination: Destination, progress: Progress | None = None) -> Iterator[Outcome]:
    """Hash every file of a mirror again.

    Raises:
        DownloadError: There is no index, or what is there is none.
        CacheError: The destination cannot be read.
    """
    held = read_index(destination)
    if not held:
        raise DownloadError(f"{destination.name(INDEX)}: there is no mirror here; `zoo mirror` makes one")
    for key, entry in held.items():
        problem = _problem(destination, entry, progress or Silence())
        state = "damaged" if problem else "right"
        yield Outcome(key=key, state=state, bytes=entry.bytes, problem=problem)


def _problem(destination: Destination, entry: Held, progress: Progress) -> str | None:
    name, size = destination.name(entry.path), destination.size(entry.path)
    if size is None:
        return f"{name}: is missing"
    if size != entry.bytes:
        return f"{name}: has {size} bytes, the index says {entry.bytes}"
    progress.start(size, f"hashing {entry.path}")
    try:
        sha256 = destination.sha256(entry.path, progress.advance)
    finally:
        progress.done()
    return None if sha256 == entry.sha256 else f"{name}: is damaged: its sha256 is {sha256}"


class _Hashed:
    """Says what is wrong with files of a mirror, hashing each once and only if it may have changed since.

    Args:
        destination: Where the mirror is.
        progress: Told about each file that is put there; of those that are hashed the outcome tells.
    """

    def __init__(self, destination: Destination, progress: Progress) -> None:
        self._destination = destination
        self._progress = progress
        self._before = _read_checked(destination)
        self._now = dict(self._before)
        self._told: dict[str, str | None] = {}

    def problem(self, entry: Held) -> str | None:
        """Return what is wrong with a file, in words, or ``None``."""
        if entry.path not in self._told:
            state = self._destination.state(entry.path)
            if state is None or self._before.get(entry.path) != state:
                self._told[entry.path] = _problem(self._destination, entry, Silence())
                self._note(entry, state if self._told[entry.path] is None else None)
        return self._told.get(entry.path)

    def put(self, entry: Held, source: Path) -> None:
        """Put a file there, which was hashed before."""
        self._destination.put(entry.path, source, self._progress.advance)
        self._told[entry.path] = None
        self._note(entry, self._destination.state(entry.path))

    def _note(self, entry: Held, state: str | None) -> None:
        self._now.pop(entry.path, None)
        if state is not None:
            self._now[entry.path] = state

    def remember(self) -> None:
        """Write down for the next run what is known by now."""
        if self._now != self._before:
            text = json.dumps({"format": SCHEMA, "files": self._now}, indent=1, sort_keys=True)
            self._destination.write(CHECKED, f"{text}\n".encode())


def _read_checked(destination: Destination) -> dict[str, str]:
    """Return in which state files were when they were hashed; nothing if that cannot be read.

    Raises:
        DownloadError: A later version wrote it.
    """
    try:
        files = _listed(destination.read(CHECKED) or b"", destination.name(CHECKED))
    except (ValueError, Mistake):
        return {}  # then they are hashed again
    return {str(path): str(state) for path, state in files.items()}


def _is_wanted(held: Held, item: Item, cache: Cache) -> bool:
    """Say whether what the index names is the file that everybody else knows by this id."""
    seen = cache.remembered(item)
    published = {digest.value for digest in item.digests if digest.algorithm == "sha256"}
    known = published | ({seen.sha256} if seen else set())
    return known <= {held.sha256} and item.bytes in (None, held.bytes)


def _bring(hashed: _Hashed, item: Item, path: Path, cache: Cache, progress: Progress) -> Held:
    """Put a file of the cache in its place, unless it is there already."""
    seen = cache.remembered(item)
    if seen is None:
        raise CacheError(f"{item.key}: is not in the cache any more; run the same again")
    target = Held(sha256=seen.sha256, bytes=path.stat().st_size, path=f"files/{seen.sha256}{item.ending}")
    if hashed.problem(target) is None:
        return target
    sha256 = hash_file(path, ["sha256"])["sha256"]
    if sha256 != seen.sha256:
        raise ChecksumError(
            f"{path}: is damaged: its sha256 is {sha256}, it was {seen.sha256}; remove it (zoo cache remove"
            f" {item.key}) and run the same again"
        )
    progress.start(target.bytes, f"mirroring {item.key}")
    try:
        hashed.put(target, path)
    finally:
        progress.done()
    return target


def _notes(item: Item) -> tuple[str, ...]:
    if any_strong(item.digests):
        return ()
    return (
        f"{item.key}: no cryptographic digest of this file was ever published: whoever fetches it from this"
        " mirror trusts the mirror, as whatever is first seen",
    )
