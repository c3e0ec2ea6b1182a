"""Partial downloads: who owns one, whether it can be gone on with, and when it is swept away.

A partial is a folder with two files: ``data``, and ``about.json``, which says what the bytes in ``data`` are
the beginning of. Its name tells its owner, and it is taken over by renaming it. A rename is atomic on every
file system, the networked ones among them, so of several that try exactly one wins, and no lock is needed::

    KEY~free~NONCE                       given back: whoever renames it first owns it
    KEY~PLACE-PID-START~NONCE            owned by a process of this place (a boot of a machine)
    KEY~PLACE-PID-START~NONCE~scratch    the same, of no use to anybody but its owner

The bytes of one that was given back are synced, and their digest is noted. One whose owner is dead for
certain (same boot of the same machine, no such process any more) is as good: what it wrote is what is read.
All others are left alone until they have not been touched for days: their owner may still write to them.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from converters.version import newer_fault
from converters.writing.disk import UNFINISHED, wait_for_disk
from zoo.errors import ChecksumError, FileFormatError, RegistryError, StructureMismatchError
from zoo.storage.disk import make_folder, writing

SCHEMA: Final = 1
"""The number of the form of ``about.json``, which 0.1.0 left out."""

DATA: Final = "data"
ABOUT: Final = "about.json"
FREE: Final = "free"
MAX_AGE_S: Final = 7 * 24 * 3600.0
"""Seconds without a change after which a partial is of no use to anybody."""

_VERDICTS = (ChecksumError, FileFormatError, StructureMismatchError, RegistryError)
"""Errors that say something about the bytes themselves: after them no byte is worth keeping."""

_OWNER: Final = re.compile(r"(?P<place>[0-9a-f]+)-(?P<pid>[0-9]+)-(?P<start>[0-9]+)")
_NAME: Final = re.compile(
    rf"(?P<key>[^~]+)~(?P<owner>{FREE}|[0-9a-f]+-[0-9]+-[0-9]+)~(?P<nonce>[0-9a-f]+)(?P<scratch>~scratch)?"
)
_FILE: Final = re.compile(rf"data|about\.json(?:\.new)?|\.data{UNFINISHED}")
"""All that a partial can hold, what the converter writes in it counted: a folder with more is the user's."""


@dataclass(frozen=True, kw_only=True)
class About:
    """What the bytes of a partial are the beginning of.

    Attributes:
        url: The address that was asked first; signed addresses that it led to are worth nothing later.
        etag: The strong validator of that state of the file, if the host sent one.
        modified: When the host says that it was changed last, as it said it.
        total: The size of the whole file.
        bytes: How many bytes were synced when the partial was given back.
        sha256: Their digest.
    """

    url: str
    etag: str | None = None
    modified: str | None = None
    total: int | None = None
    bytes: int | None = None
    sha256: str | None = None

    @property
    def validator(self) -> str | None:
        """What goes into ``If-Range``."""
        return self.etag or self.modified

    @property
    def is_enough(self) -> bool:
        """Whether a host can be asked to go on."""
        return self.validator is not None and self.total is not None


@dataclass(kw_only=True)
class Partial:
    """A partial that belongs to this process.

    Attributes:
        folder: Where it lies; the name says whose it is.
        about: What its bytes are the beginning of, if it has any that are worth something.
    """

    folder: Path
    about: About | None = None

    @property
    def data(self) -> Path:
        """Where the bytes are."""
        return self.folder / DATA

    @property
    def size(self) -> int:
        """How many bytes there are that can be gone on from."""
        return self.data.stat().st_size if self.about and self.data.exists() else 0

    def begin(self, about: About) -> None:
        """Throw all bytes away and say what the next ones will be."""
        self.about = None
        self.data.unlink(missing_ok=True)
        (self.folder / ABOUT).unlink(missing_ok=True)
        self.data.touch(exist_ok=False)
        self._note(about)

    def forget(self) -> None:
        """Let nobody go on from the bytes that are there."""
        self.about = None
        (self.folder / ABOUT).unlink(missing_ok=True)

    def _note(self, about: About) -> None:
        temporary = self.folder / f"{ABOUT}.new"
        temporary.write_text(json.dumps({"schema": SCHEMA, **asdict(about)}), "utf-8")
        temporary.replace(self.folder / ABOUT)
        self.about = about

    def give_back(self) -> None:
        """Let the next one go on from here; without bytes to go on from, leave nothing."""
        if not self.size or self.about is None or not self.about.is_enough:
            self.discard()
            return
        with self.data.open("rb") as file:
            wait_for_disk(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        self._note(replace(self.about, bytes=self.size, sha256=digest))
        key = self.folder.name.partition("~")[0]
        self.folder.rename(self.folder.with_name(f"{key}~{FREE}~{secrets.token_hex(8)}"))

    def discard(self) -> None:
        """Remove it."""
        shutil.rmtree(self.folder, ignore_errors=True)  # what is left is swept with the old ones


def key_of(stem: str, url: str) -> str:
    """Return the key of a partial: a readable beginning, and a digest that tells one address from another."""
    digest = hashlib.sha256(url.encode()).hexdigest()[:12]
    return f"{plain_key(stem)}-{digest}"


def plain_key(stem: str) -> str:
    """Return a name as the part of a file's name that keeps what is readable in it."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", stem)[:100]


@contextmanager
def claimed(home: Path, key: str, now: float) -> Iterator[Partial]:
    """Own a partial for a while: one that is there if it can be had, else a new one.

    It is given back if the block ends in an error that says nothing against its bytes, and removed otherwise.

    Args:
        home: The folder of partials; made if it is missing.
        key: What the partial is of, from :func:`key_of`.
        now: Seconds since 1970; old partials are swept first.

    Raises:
        CacheError: The folder cannot be written.
    """
    with writing(home):
        make_folder(home)
        sweep(home, now=now)
        partial = _taken_over(home, key) or _new(home, key)
    try:
        yield partial
    except _VERDICTS:
        partial.discard()
        raise
    except BaseException:
        _give_back_if_possible(partial)
        raise
    partial.discard()


@contextmanager
def scratch(home: Path, stem: str, now: float) -> Iterator[Path]:
    """Give the name of a file that does not exist, in a folder of its own that is removed in the end.

    Raises:
        CacheError: The folder cannot be made.
    """
    with writing(home):
        make_folder(home)
        sweep(home, now=now)
        partial = _new(home, plain_key(stem), "~scratch")
    try:
        yield partial.data
    finally:
        partial.discard()


def sweep(
    folder: Path, *, now: float, max_age: float = MAX_AGE_S, dry_run: bool = False
) -> list[tuple[Path, int]]:
    """Remove partials that nobody will resume, never one that a living process owns.

    Args:
        folder: The folder of partials.
        now: Seconds since 1970.
        max_age: Seconds without a change that make one old.
        dry_run: Only say what would be removed.

    Returns:
        What was removed or would be, with its bytes.
    """
    removed = []
    for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
        name = _parsed(entry)
        if name is None or not _is_useless(entry, name, now, max_age):
            continue
        size = sum(_size(path) for path in _files(entry))
        if dry_run or _removed(entry, name["key"]):
            removed.append((entry, size))
    return removed


def progress_of_others(folder: Path, stem: str) -> int:
    """Return how many bytes the furthest partial of something has, whoever owns it.

    Args:
        folder: The folder of partials.
        stem: What keys of it begin with.
    """
    return max((_size(path) for path in folder.glob(f"{plain_key(stem)}-*~*~*/{DATA}")), default=0)


def remove_superseded(folder: Path, stem: str) -> None:
    """Remove what nobody owns of the partials of something that has come in the meantime."""
    for entry in folder.glob(f"{plain_key(stem)}-????????????~*"):
        name = _parsed(entry)
        if name and _is_ownerless(name["owner"]):
            _removed(entry, name["key"])


def _taken_over(home: Path, key: str) -> Partial | None:
    """Return the partial of a key with the most bytes that could be claimed."""
    found = []
    for entry in home.glob(f"{key}~*"):
        name = _parsed(entry)
        claimable = name and name["key"] == key and not name["scratch"] and _is_ownerless(name["owner"])
        if claimable and not newer_fault(_said(entry).get("schema"), SCHEMA):
            found.append((_size(entry / DATA), entry))
    for _, entry in sorted(found, reverse=True):
        mine = home / _own_name(key)
        if _renamed(entry, mine):
            return Partial(folder=mine, about=_read_about(mine))
    return None


def _new(home: Path, key: str, ending: str = "") -> Partial:
    folder = home / (_own_name(key) + ending)
    folder.mkdir()
    return Partial(folder=folder)


def _read_about(folder: Path) -> About | None:
    """Return what a partial says of itself, or ``None`` if that cannot be read: then it is begun anew."""
    raw = _said(folder)
    raw.pop("schema", None)
    known = {field.name for field in fields(About)}
    if set(raw) != known or not isinstance(raw["url"], str):
        return None
    return About(**raw)


def _said(folder: Path) -> dict[str, Any]:
    """Return the values in which a partial says what it is; none if they cannot be read."""
    try:
        raw = json.loads((folder / ABOUT).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return raw if isinstance(raw, dict) else {}


def _give_back_if_possible(partial: Partial) -> None:
    # What ended the download is what the user is told; that nothing could be kept as well adds nothing to it.
    try:
        partial.give_back()
    except OSError:
        partial.discard()


def _parsed(entry: Path) -> re.Match[str] | None:
    """Return what the name of a partial says; ``None`` if it is none, but something of the user's."""
    name = _NAME.fullmatch(entry.name)
    if name is None or entry.is_symlink() or not entry.is_dir():
        return None
    known = all(_FILE.fullmatch(path.name) and not path.is_dir() for path in _files(entry))
    return name if known else None


def _is_useless(entry: Path, name: re.Match[str], now: float, max_age: float) -> bool:
    if name["scratch"] and _lives(name["owner"]) is False:
        return True
    try:
        changed = max(path.stat().st_mtime for path in (entry, *_files(entry)))
    except OSError:
        return False  # gone, or just being claimed: then it is in use
    return now - changed > max_age and not _lives(name["owner"])


def _files(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []  # somebody has just claimed or removed it


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # somebody has just claimed or removed it


def _removed(entry: Path, key: str) -> bool:
    """Claim a partial and remove it; say whether it could be claimed."""
    mine = entry.with_name(_own_name(key) + "~scratch")
    if not _renamed(entry, mine):
        return False
    shutil.rmtree(mine, ignore_errors=True)
    return True


def _renamed(entry: Path, mine: Path) -> bool:
    try:
        entry.rename(mine)
    except FileNotFoundError:
        return False  # somebody else was faster
    return True


# Whose is it?


def _own_name(key: str) -> str:
    pid = os.getpid()
    return f"{key}~{_place()}-{pid}-{_start_of(pid) or 0}~{secrets.token_hex(8)}"


@cache
def _place() -> str:
    """Return what is the same for all processes that can see each other, and differs after a restart.

    Where nothing tells one start of the machine from another, every process is a place of its own: nobody
    then takes it for dead, and what it wrote for what is on the disk.
    """
    parts = [socket.gethostname(), _boot() or secrets.token_hex(8)]
    try:
        parts.append(os.readlink("/proc/self/ns/pid"))  # noqa: PTH115 - no path, but the name of a namespace
    except OSError:
        parts.append("")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _boot() -> str | None:
    """Return what differs from one start of the machine to the next; macOS has no /proc, but sysctl."""
    if told := _text(Path("/proc/sys/kernel/random/boot_id")):
        return told
    import subprocess  # not needed on Linux

    command = ["sysctl", "-n", "kern.bootsessionuuid"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() or None
    except (OSError, subprocess.CalledProcessError):
        return None


def _is_ownerless(owner: str) -> bool:
    """Say whether it is certain that nobody will write any more."""
    return owner == FREE or _lives(owner) is False


def _lives(owner: str) -> bool | None:
    """Say whether an owner still runs; ``None`` where that cannot be told from here."""
    found = _OWNER.fullmatch(owner)
    if found is None or found["place"] != _place():
        return None
    return _runs(int(found["pid"]), int(found["start"]))


def _runs(pid: int, start: int) -> bool:
    """Say whether a process runs, and is the one that started at that tick of the machine's clock."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it runs, as another user
    started = _start_of(pid)
    return started is None or start in (0, started)


def _start_of(pid: int) -> int | None:
    """Return when a process started, in ticks since the machine did, where the system tells.

    A process that has ended but was not yet waited for counts as one that is no more.
    """
    status = _text(Path(f"/proc/{pid}/stat"))
    if status is None:
        return None
    after_name = status.rpartition(")")[2].split()
    return -1 if after_name[0] in "ZX" else int(after_name[19])


def _text(path: Path) -> str | None:
    try:
        return path.read_text("ascii", "replace").strip()
    except OSError:
        return None
