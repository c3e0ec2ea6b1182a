"""Folders of files to convert, and of new ones: by path, or by a URL that fsspec reaches."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from converters.writing.places import Entry, Folder, Local, Place
from zoo.errors import ArgumentError, ConversionError, DataError
from zoo.storage.aside import passing_folder
from zoo.storage.destinations import Bucket, writable
from zoo.storage.remote import facts_below, is_remote, local_path, scheme_of, shown, spelt, version_of


class Address:
    """A folder at a URL.

    Args:
        place: The URL.

    Raises:
        ArgumentError: Nothing that is installed can reach it.
    """

    def __init__(self, place: str) -> None:
        self._bucket = Bucket(place)

    def path(self, name: str) -> str:
        """Return the URL of a file, without what lets in whoever has it."""
        return self._bucket.name(name)

    def check(self, other: Place) -> None:
        """Check that another place is another one; whether files are here is seen when they are listed."""
        if isinstance(other, Address) and other._bucket.place == self._bucket.place:
            raise ArgumentError(f"{shown(other._bucket.place)}: the new files need a folder of their own")

    def files(self, apart: Place) -> Iterator[Entry]:
        """Yield all files below the URL, but none of the new ones.

        Raises:
            DataError: There is no such folder.
            CacheError: It cannot be listed.
        """
        place = self._bucket.place
        new = f"{apart._bucket.place}/" if isinstance(apart, Address) else None
        for within, facts in facts_below(place, hidden=True):
            if new is None or not f"{place}/{within}".startswith(new):
                yield Entry(name=spelt(place, within), bytes=facts.get("size"), state=version_of(facts))

    def facts(self, entry: Entry, *, state: bool) -> Entry:
        """Return a file with its size and state; the server is asked where they were not listed.

        Raises:
            DataError: It is gone.
            CacheError: The server does not answer.
        """
        if entry.bytes is not None and (entry.state is not None or not state):
            return entry
        facts = self._bucket.facts(entry.name)
        if facts is None:
            raise DataError(f"{self.path(entry.name)}: there is no such file")
        return replace(entry, bytes=facts.get("size"), state=version_of(facts))

    def head(self, name: str, count: int) -> bytes:
        """Return the first bytes of a file."""
        return self._bucket.head(name, count)

    def state(self, name: str) -> str | None:
        """Return the ETag of a file with its size, or what else changes with it; ``None`` if nothing does."""
        facts = self._bucket.facts(name)
        return None if facts is None else version_of(facts)

    @contextmanager
    def bring(self, name: str, beside: str | None) -> Iterator[Local]:
        """Give a copy of a file, and beside it of another one."""
        with passing_folder() as folder:
            for one in filter(None, (name, beside)):
                self._bucket.bring(one, folder / one.rpartition("/")[2])
            yield Local(path=folder / name.rpartition("/")[2], folder=self._folder_of(name))

    @contextmanager
    def making(self, name: str) -> Iterator[Local]:
        """Give where a new file is written before it is sent; what it may replace is brought there."""
        before = self._bucket.facts(name)
        with self._new(name, before) as local:
            if before is not None:
                self._bucket.bring(name, local.path)
            yield local

    @contextmanager
    def making_one(self, name: str, *, force: bool) -> Iterator[Local]:
        """Give where a new file is written before it is sent.

        Raises:
            ConversionError: It is there already, and may not be replaced.
        """
        before = self._bucket.facts(name)
        if before is not None and not force:
            raise ConversionError(
                f"{self.path(name)}: exists already; use --force (force=True) to replace it"
            )
        with self._new(name, before) as local:
            yield local

    @contextmanager
    def _new(self, name: str, before: Mapping[str, Any] | None) -> Iterator[Local]:
        with passing_folder() as folder:
            path = folder / name.rpartition("/")[2]

            def send() -> None:
                self._refuse_changed(name, before)
                self._bucket.put(name, path)

            yield Local(path=path, folder=self._folder_of(name), send=send)

    def names(self) -> frozenset[str]:
        """Return the names of all files below the URL.

        Raises:
            CacheError: They cannot be listed.
        """
        place = self._bucket.place
        with suppress(DataError):  # there is no such folder yet
            return frozenset(spelt(place, within) for within, _ in facts_below(place, hidden=True))
        return frozenset()

    def sweep(self, names: Iterable[str]) -> None:
        """Remove what processes that were killed have left of new files."""
        self._bucket.sweep(names)

    def read(self, name: str) -> bytes | None:
        """Return what a small file holds, if there is one."""
        return self._bucket.read(name)

    def write(self, name: str, data: bytes) -> None:
        """Write a small file."""
        self._bucket.write(name, data)

    def _folder_of(self, name: str) -> str:
        return self._bucket.name(name).rpartition("/")[0]

    def _refuse_changed(self, name: str, before: Mapping[str, Any] | None) -> None:
        """Raise if somebody else has written what a new file is to replace.

        Raises:
            ConversionError: It is another one than before.
        """
        now = self._bucket.facts(name)
        if (now and version_of(now)) != (before and version_of(dict(before))):
            raise ConversionError(
                f"{self.path(name)}: was written by somebody else meanwhile; run the same again"
            )


def place_at(given: str | os.PathLike[str], *, new: bool = False) -> Place:
    """Return the folder at a path or a URL.

    Args:
        given: The path or the URL.
        new: Whether files are to be written there.

    Raises:
        ArgumentError: Nothing that is installed can reach it, or nothing is written there.
    """
    place = os.fspath(given)
    if not is_remote(place) or scheme_of(place) == "file":
        return Folder(local_path(place))
    return Address(writable(place) if new else place)
