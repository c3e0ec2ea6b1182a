"""What a cache remembers: what was first seen, what was refused, and how each file was when it was verified.

Every fact has a small file of its own, so that two processes never write the same one and nothing can be lost
between reading and writing, whether or not locks work where the cache lies::

    HOME/_memory/seen/KEY.json              what a published file was when it was first fetched
    HOME/_memory/aside/KEY.json             the same, until the file comes that was accepted in its place
    HOME/_memory/refused/KEY/SHA256.json    another file that came later under the same name
    HOME/_memory/verified/NAME.json         size, time and inode of a file of the cache when it was hashed
    HOME/_memory/converted/NAME.json        what a converted copy was made by
    HOME/seen.yaml                          all that was first seen, for people

``seen.yaml`` is written anew after each change. An entry that stands only there counts as well, so that it
can be handed on; where both say something the small file is right.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from converters.version import FIRST_SCHEMA, newer_fault
from zoo.errors import CacheError, RegistryError
from zoo.registry.digests import DIGEST_PATTERN, parse_digest
from zoo.registry.fields import Anything, Choice, ListOf, Maybe, Mistake, Record, Text, Whole
from zoo.storage import disk

SUMMARY = "seen.yaml"
FOLDER = "_memory"
"""No architecture can have this name: theirs start with a letter or a digit."""

SCHEMA = 1
"""The number of the form of the small files, which each of them says; 0.1.0 wrote none."""

SUMMARY_SCHEMA = 1
"""The number of the form of ``seen.yaml``, which calls it ``format``."""

_HEADER = """\
# What published files were when this cache first saw them. A file that differs is refused from then on;
# `zoo trust ID` shows what was refused and accepts a new one.
"""

CopyForm = Literal["th", "tf", "th-notop", "tf-notop"]
"""What a file may be converted to: a form, without the classifier where the file has it and the copy not."""

_Entry = TypeVar("_Entry", "Seen", "Refused", "Verified", "Converted", "StoodIn")


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a published file was when it was first fetched, or what the user said it should be.

    Attributes:
        sha256: The digest by which one file is told from another.
        bytes: Its size; ``None`` until a file that the user accepted is fetched.
        url: Where it came from.
        first_seen: When, UTC.
        other_digests: Its digests by other algorithms, as ``ALGORITHM:VALUE``.
    """

    sha256: str
    bytes: int | None
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
class Refused:
    """A file that was refused because another one was first seen under its name.

    Attributes:
        sha256: Its digest.
        url: Where it came from.
        refused: When it was last refused, UTC.
    """

    sha256: str
    url: str
    refused: str


@dataclass(frozen=True, kw_only=True)
class Verified:
    """A file in the cache as it was when it was hashed; time and inode tell whether it was touched since.

    Attributes:
        key: What it is, or was converted from.
        form: The form that it was converted to; ``None`` for a published file.
        source: SHA-256 of the published file that it is or was converted from.
        sha256: Its own digest.
        bytes: Its size.
        mtime_ns: When it was last changed, in nanoseconds since 1970.
        inode: Its number in the file system.
    """

    key: str
    form: CopyForm | None
    source: str
    sha256: str
    bytes: int
    mtime_ns: int
    inode: int


@dataclass(frozen=True, kw_only=True)
class Converted:
    """What a converted copy in the cache was made by; where that is another by now it is made anew.

    Attributes:
        rules: The number of the converter's rules (:mod:`converters.version`).
        plan: SHA-256 of the plan that was carried out.
        source: What the registry said of the published file, which the plan goes by.
        sha256: Digest of the copy, which tells it from one that was made since.
    """

    rules: int
    plan: str
    source: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class StoodIn:
    """That a file stood in for a weights set of which no source answered.

    Attributes:
        first: When it first did so, UTC.
    """

    first: str


_TEXT = Text()
_SHA256 = Text(pattern="[0-9a-f]{64}", must="be 64 hexadecimal digits in lower case")
_DIGEST = Text(pattern=DIGEST_PATTERN, must="be a digest, ALGORITHM:VALUE")
_SEEN = Record(
    Seen,
    {
        "sha256": (_SHA256, "Digest of the file as it was first seen"),
        "bytes": (Maybe(Whole(0)), "Its size"),
        "url": (_TEXT, "Where it came from"),
        "first_seen": (_TEXT, "When, UTC"),
        "other_digests": (ListOf(_DIGEST), "Its digests by other algorithms"),
    },
)
_REFUSED = Record(
    Refused,
    {
        "sha256": (_SHA256, "Digest of the file that was refused"),
        "url": (_TEXT, "Where it came from"),
        "refused": (_TEXT, "When, UTC"),
    },
)
_VERIFIED = Record(
    Verified,
    {
        "key": (_TEXT, "What it is or was converted from"),
        "form": (Maybe(Choice(get_args(CopyForm))), "What it was converted to"),
        "source": (_SHA256, "Digest of the published file"),
        "sha256": (_SHA256, "Digest of the file"),
        "bytes": (Whole(0), "Its size"),
        "mtime_ns": (Whole(0), "When it was last changed, in nanoseconds since 1970"),
        "inode": (Whole(0), "Its number in the file system"),
    },
)
_CONVERTED = Record(
    Converted,
    {
        "rules": (Whole(0), "Number of the converter's rules"),
        "plan": (_SHA256, "Digest of the plan"),
        "source": (_TEXT, "What the published file was said to be"),
        "sha256": (_SHA256, "Digest of the copy"),
    },
)
_STOOD_IN = Record(StoodIn, {"first": (_TEXT, "When it first stood in for a weights set, UTC")})
_SUMMARY: Record[dict[str, Any]] = Record(
    dict,
    {
        "format": (Choice((SUMMARY_SCHEMA,)), "Version of this form"),
        "seen": (Maybe(Anything()), "What published files were when they were first fetched, by key"),
    },
)


class Memory:
    """The memory of one cache folder.

    Args:
        home: The cache's folder; made when there is something to remember.
    """

    def __init__(self, home: Path) -> None:
        self.summary_path = home / SUMMARY
        self._seen = home / FOLDER / "seen"
        self._aside = home / FOLDER / "aside"
        self._refused = home / FOLDER / "refused"
        self._verified = home / FOLDER / "verified"
        self._converted = home / FOLDER / "converted"
        self._stood_in = home / FOLDER / "stood-in"

    # What was first seen.

    def seen(self, key: str) -> Seen | None:
        """Return what a file was when it was first fetched, if it ever was.

        Raises:
            CacheError: What is remembered is damaged.
        """
        return _read(_entry(self._seen, key), _SEEN) or self._summary().get(key)

    def all_seen(self) -> dict[str, Seen]:
        """Return everything that was first seen, by key."""
        return dict(sorted({**self._summary(), **_read_all(self._seen, _SEEN)}.items()))

    def see(self, key: str, seen: Seen) -> Seen:
        """Remember what a file is unless something was seen before; of several at once one is first.

        Returns:
            What is remembered now: ``seen``, or what was first.

        Raises:
            CacheError: It cannot be written, or what is there is damaged.
        """
        known = self.seen(key)
        if known is None:
            path = _entry(self._seen, key)
            with disk.writing(path):
                created = disk.create(path, _json(seen))
            known = seen if created else _read(path, _SEEN)
            self._write_summary()
        return known or seen

    def hold_to(self, key: str, seen: Seen) -> None:
        """Remember something in place of what was first seen.

        Raises:
            CacheError: It cannot be written.
        """
        self._summary()  # if it cannot be read, nothing is written
        self._write(_entry(self._seen, key), seen)
        self._write_summary()

    def forget(self, key: str) -> None:
        """Forget what was first seen under a key: the next file that comes is the first one again.

        Raises:
            CacheError: The memory cannot be written.
        """
        path, listed = _entry(self._seen, key), self._summary()
        if not path.exists() and key not in listed:
            return  # where nothing is remembered nothing is written
        _discard(path)
        self.discard_aside(key)
        self._write_summary(without=key)

    # What was first seen, while the file is awaited that the user accepted in its place.

    def aside(self, key: str) -> Seen | None:
        """Return what was set aside for a file that was accepted and has not come yet."""
        return _read(_entry(self._aside, key), _SEEN)

    def set_aside(self, key: str, seen: Seen) -> None:
        """Keep what was seen until the file comes that was accepted in its place.

        Raises:
            CacheError: It cannot be written.
        """
        self._write(_entry(self._aside, key), seen)

    def discard_aside(self, key: str) -> None:
        """Forget what was set aside.

        Raises:
            CacheError: The memory cannot be written.
        """
        _discard(_entry(self._aside, key))

    # What was refused.

    def refused(self, key: str) -> tuple[Refused, ...]:
        """Return the files that were refused under a key, the latest last."""
        found = _read_all(self._refused / key, _REFUSED).values()
        return tuple(sorted(found, key=lambda refused: refused.refused))

    def refuse(self, key: str, refused: Refused) -> None:
        """Remember that a file was refused.

        Raises:
            CacheError: It cannot be written.
        """
        self._write(_entry(self._refused / key, refused.sha256), refused)

    def pardon(self, key: str, sha256: str) -> None:
        """Remember no longer that a file was refused.

        Raises:
            CacheError: The memory cannot be written.
        """
        _discard(_entry(self._refused / key, sha256))

    def keys(self) -> tuple[str, ...]:
        """Return every key under which something was seen or refused."""
        refused = {path.parent.relative_to(self._refused).as_posix() for path in _files(self._refused)}
        return tuple(sorted({*self.all_seen(), *refused}))

    # What was verified.

    def verified(self, name: str) -> Verified | None:
        """Return how a file was when it was verified; ``name`` is its path below the cache's folder."""
        return _read(_entry(self._verified, name), _VERIFIED)

    def all_verified(self) -> dict[str, Verified]:
        """Return the same of all files, by name."""
        return _read_all(self._verified, _VERIFIED)

    def verify(self, name: str, verified: Verified) -> None:
        """Remember how a file is now that it was verified.

        Raises:
            CacheError: It cannot be written.
        """
        self._write(_entry(self._verified, name), verified)

    def drop(self, name: str) -> None:
        """Forget that a file was verified.

        Raises:
            CacheError: The memory cannot be written.
        """
        _discard(_entry(self._verified, name))

    # What was converted.

    def converted(self, name: str) -> Converted | None:
        """Return what a converted copy was made by; ``name`` is its path below the cache's folder."""
        return _read(_entry(self._converted, name), _CONVERTED)

    def convert(self, name: str, converted: Converted) -> None:
        """Remember what a converted copy was made by.

        Raises:
            CacheError: It cannot be written.
        """
        self._write(_entry(self._converted, name), converted)

    # What stood in for something else.

    def has_stood_in(self, key: str) -> bool:
        """Tell whether a file stood in for a weights set of which no source answered."""
        return _read(_entry(self._stood_in, key), _STOOD_IN) is not None

    def stand_in(self, key: str, moment: str) -> None:
        """Remember that a file stood in for a weights set, unless that is known.

        Raises:
            CacheError: It cannot be written.
        """
        if not self.has_stood_in(key):
            self._write(_entry(self._stood_in, key), StoodIn(first=moment))

    # The files.

    def _write(self, path: Path, entry: Seen | Refused | Verified | Converted | StoodIn) -> None:
        _refuse_newer(path)
        with disk.writing(path):
            disk.replace(path, _json(entry))

    def _write_summary(self, without: str | None = None) -> None:
        # Two who write at once may each miss what the other has just added. Whoever writes last looks again
        # afterwards and finds everything, so no lock is needed.
        import yaml

        entries = None
        while entries != (current := _read_all(self._seen, _SEEN)):
            entries = current
            merged = sorted({**self._summary(), **entries}.items())
            kept = {key: asdict(seen) for key, seen in merged if key != without or key in entries}
            content = {"format": SUMMARY_SCHEMA, "seen": kept}
            text = _HEADER + yaml.safe_dump(_plain(content), sort_keys=False, width=200)
            with disk.writing(self.summary_path):
                disk.replace(self.summary_path, text.encode())

    def _summary(self) -> Mapping[str, Seen]:
        path = self.summary_path
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            raise CacheError(f"{path}: cannot be read: {error.strerror}; {disk.HOME_ADVICE}") from error
        return _read_summary(path, (status.st_mtime_ns, status.st_size, status.st_ino))


@lru_cache(maxsize=8)
def _read_summary(path: Path, stamp: tuple[int, int, int]) -> Mapping[str, Seen]:
    """Read ``seen.yaml``; the stamp only tells one state of it from another."""
    from zoo.registry.strict_yaml import read_yaml

    advice = "put it right, or remove it; the small files beside it say the same"
    try:
        raw = read_yaml(path, str(path))
        _check_schema(path, raw.get("format"), SUMMARY_SCHEMA)
        raw.pop("files", None)  # written by an earlier version; what it says is found out again
        entries = _SUMMARY.check(raw, ())["seen"] or {}
        return {key: _SEEN.check(value, ("seen", key)) for key, value in entries.items()}
    except Mistake as mistake:
        raise CacheError(f"{path}: {mistake}; {advice}") from mistake
    except RegistryError as error:
        raise CacheError(f"{error}; {advice}") from error


def _discard(path: Path) -> None:
    """Remove a file of the memory, if it is there.

    Raises:
        CacheError: It cannot be removed.
    """
    _refuse_newer(path)
    with disk.writing(path):
        path.unlink(missing_ok=True)


def _entry(folder: Path, name: str) -> Path:
    return folder / f"{name}.json"


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.json") if not path.name.startswith("."))


def _read_all(folder: Path, form: Record[_Entry]) -> dict[str, _Entry]:
    """Read every entry below a folder, by name; one that goes away meanwhile is left out."""
    found = {path.relative_to(folder).as_posix(): _read(path, form) for path in _files(folder)}
    return {name.removesuffix(".json"): entry for name, entry in found.items() if entry is not None}


def _read(path: Path, form: Record[_Entry]) -> _Entry | None:
    data = _bytes(path)
    if data is None:
        return None
    try:
        raw = json.loads(data)
        if isinstance(raw, dict):
            _check_schema(path, raw.pop("schema", FIRST_SCHEMA), SCHEMA)
        return form.check(raw, ())
    except ValueError as error:
        raise CacheError(f"{path}: is damaged: it is not JSON; remove it") from error
    except Mistake as mistake:
        raise CacheError(f"{path}: is damaged: {mistake}; remove it") from mistake


def _bytes(path: Path) -> bytes | None:
    """Return what a file of the memory holds; None if there is none."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise CacheError(f"{path}: cannot be read: {error.strerror}; {disk.HOME_ADVICE}") from error


def _refuse_newer(path: Path) -> None:
    """Raise before a file is written over or removed that a later version wrote; a damaged one may be."""
    try:
        raw = json.loads(_bytes(path) or b"null")
    except ValueError:
        return
    if isinstance(raw, dict):
        _check_schema(path, raw.get("schema"), SCHEMA)


def _check_schema(path: Path, found: object, known: int) -> None:
    if fault := newer_fault(found, known):
        raise CacheError(f"{path}: {fault}")


def _json(entry: Seen | Refused | Verified | Converted | StoodIn) -> bytes:
    return (json.dumps({"schema": SCHEMA, **asdict(entry)}, indent=1) + "\n").encode()


def _plain(value: Any) -> Any:  # noqa: ANN401 - YAML is any of its types
    """Return tuples as lists, which is what YAML has."""
    return json.loads(json.dumps(value))
