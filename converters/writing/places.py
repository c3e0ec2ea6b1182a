"""Folders that whole trees are read from and written to: on the disk, or wherever whoever calls can reach.

A file is called by its name within its folder, with slashes. What lies elsewhere is brought to this machine
to be read, and what is made of it here is sent when it is whole.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from converters.errors import ArgumentError, Doubt
from converters.writing.files import new_file, sha256_of, sweep


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file in a folder.

    Attributes:
        name: Its name there.
        bytes: Its size, if that is known yet.
        state: What changes whenever it does, if that is known yet.
    """

    name: str
    bytes: int | None = None
    state: str | None = None


def _nothing() -> None:
    """Do nothing: the file is where it belongs."""


@dataclass(frozen=True, kw_only=True)
class Local:
    """A file on this machine, which may stand for one elsewhere.

    Attributes:
        path: Where it is.
        folder: What its folder is called elsewhere; ``None`` if this is the file itself.
        send: Lets it appear where it belongs, when it was made anew.
    """

    path: Path
    folder: str | None = None
    send: Callable[[], None] = _nothing

    @property
    def called(self) -> Path | str:
        """What the file itself is called: its path, or its address."""
        return self.path if self.folder is None else self.told(str(self.path))

    def told(self, text: str) -> str:
        """Return a text about this file, and others beside it, with the names that these have elsewhere."""
        if self.folder is None:
            return text
        new = text.replace(f"{self.path.parent}{os.sep}", f"{self.folder}/")
        return Doubt(new) if isinstance(text, Doubt) else new


class Place(Protocol):
    """A folder of files.

    Each method may raise OSError, or a ZooError that says what could not be done with which file. What is
    given to workers is sent to them as it is.
    """

    def path(self, name: str) -> Path | str:
        """Return what reports call a file: its path, or an address."""
        ...

    def check(self, other: Place) -> None:
        """Check that files can be read here, and that another place is another one.

        Raises:
            ArgumentError: One of the two is not so.
        """
        ...

    def files(self, apart: Place) -> Iterator[Entry]:
        """Yield all files in the order of their names, but none of another place that is within this one."""
        ...

    def facts(self, entry: Entry, *, state: bool) -> Entry:
        """Return a file with its size and, if that is wanted and anything tells it, its state."""
        ...

    def head(self, name: str, count: int) -> bytes:
        """Return the first bytes of a file."""
        ...

    def state(self, name: str) -> str | None:
        """Return what changes whenever a file does; ``None`` if nothing tells it, or there is no file."""
        ...

    def bring(self, name: str, beside: str | None) -> AbstractContextManager[Local]:
        """Give a file to read, and another beside it if one is named."""
        ...

    def making(self, name: str) -> AbstractContextManager[Local]:
        """Give where a new file is to be written; what it may replace lies there."""
        ...

    def names(self) -> frozenset[str]:
        """Return the names of all files that are there; none if there is no such folder yet."""
        ...

    def sweep(self, names: Iterable[str]) -> None:
        """Remove what processes that were killed have left of new files."""
        ...

    def read(self, name: str) -> bytes | None:
        """Return what a small file holds, if there is one."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Write a small file, in place of the one that may be there."""
        ...


class Folder:
    """A folder on the disk.

    Args:
        folder: Its path.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """Return the path of a file."""
        return self.folder / name

    def check(self, other: Place) -> None:
        """Check that the folder is there, and that another place is another one."""
        if not self.folder.is_dir():
            raise ArgumentError(f"{self.folder}: not a folder")
        if isinstance(other, Folder) and other.folder.exists() and other.folder.samefile(self.folder):
            raise ArgumentError(f"{other.folder}: the new files need a folder of their own")

    def files(self, apart: Place) -> Iterator[Entry]:
        """Yield all files below the folder in the order of their names, but none of the new ones."""
        new = apart.folder if isinstance(apart, Folder) else None
        for folder, folders, names in os.walk(self.folder):
            here = Path(folder)
            folders[:] = sorted(name for name in folders if not _is_same(here / name, new))
            inner = here.relative_to(self.folder)
            yield from (Entry(name=(inner / name).as_posix()) for name in sorted(names))

    def facts(self, entry: Entry, *, state: bool) -> Entry:
        """Return a file with its size, and its digest if that is wanted."""
        size = self.path(entry.name).stat().st_size
        return replace(entry, bytes=size, state=self.state(entry.name) if state else None)

    def head(self, name: str, count: int) -> bytes:
        """Return the first bytes of a file; none of what is no file."""
        path = self.path(name)
        if not path.is_file():
            return b""
        with path.open("rb") as stream:
            return stream.read(count)

    def state(self, name: str) -> str | None:
        """Return the SHA-256 of a file."""
        path = self.path(name)
        return sha256_of(path) if path.is_file() else None

    @contextmanager
    def bring(self, name: str, beside: str | None) -> Iterator[Local]:
        """Give the file itself; what lies beside it does so already."""
        yield Local(path=self.path(name))

    @contextmanager
    def making(self, name: str) -> Iterator[Local]:
        """Give the file's own path, in a folder that is made."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        yield Local(path=path)

    def names(self) -> frozenset[str]:
        """Return the names of all files below the folder."""
        return frozenset(entry.name for entry in self.files(self))

    def sweep(self, names: Iterable[str]) -> None:
        """Remove what processes that were killed have left of new files."""
        sweep(map(self.path, names))

    def read(self, name: str) -> bytes | None:
        """Return what a small file holds, if there is one."""
        path = self.path(name)
        return path.read_bytes() if path.is_file() else None

    def write(self, name: str, data: bytes) -> None:
        """Write a small file under another name, and rename it."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with new_file(path.parent, path, force=True) as temporary:
            temporary.write_bytes(data)


def _is_same(folder: Path, other: Path | None) -> bool:
    return other is not None and other.exists() and other.samefile(folder)
