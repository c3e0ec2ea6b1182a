"""Pruning while somebody fetches: wherever one comes in between, what was fetched is there and is found."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.shelf import THEANO, everything, fixed_cache, keep, keep_converted
from zoo.storage.cache import Cache
from zoo.storage.cleanup import entries, prune, remove, verify
from zoo.storage.pins import CopyForm, Memory

KNOWN = everything()
ITEM = KNOWN[THEANO].item
BODY, COPY = b"\x89HDF\r\n\x1a\nweights", b"converted"
LOOKS = [(os, "walk")]
LOOKS += [(Memory, name) for name in ("all_verified", "all_seen", "seen", "verified", "verify", "drop")]
LOOKS += [(Path, name) for name in ("exists", "lstat", "stat", "replace")]
"""What looks at a cache, or changes it; somebody else may come before each of them."""


class Interruption:
    """Lets somebody else do something just before the n-th look that is taken at a cache.

    Args:
        patch: Puts the looks back in the end.
        number: Which look, from 0.
        other: What the other one does.
    """

    def __init__(self, patch: pytest.MonkeyPatch, number: int, other: Callable[[], None]) -> None:
        self.happened = False
        self._left = number
        self._other = other
        self._busy = False
        for owner, name in LOOKS:
            patch.setattr(owner, name, self._before(getattr(owner, name)))

    def _before(self, look: Callable[..., Any]) -> Callable[..., Any]:
        def looking(*args: Any, **options: Any) -> Any:
            self._come()
            found = look(*args, **options)
            return list(found) if isinstance(found, Iterator) else found

        return looking

    def _come(self) -> None:
        if self._busy or self.happened:
            return
        self._busy = True
        if self._left == 0:
            self._other()
            self.happened = True
        self._left -= 1
        self._busy = False


def fetched(cache: Cache) -> tuple[Path, Path]:
    """Return the file and its copy, from the cache where they are there."""
    source = cache.find(ITEM) or keep(cache, ITEM, BODY)
    return source, cache.find(ITEM, "tf") or keep_converted(cache, ITEM, COPY)


def empty(cache: Cache) -> None:
    """Leave the cache as it is."""


def without_source(cache: Cache) -> None:
    """Leave the copy alone."""
    fetched(cache)[0].unlink()


def without_files(cache: Cache) -> None:
    """Leave only what is remembered."""
    for path in fetched(cache):
        path.unlink()


BEFORE = pytest.mark.parametrize("before", [empty, without_source, without_files])


def check(cache: Cache, paths: tuple[Path, Path]) -> None:
    """Check that what was fetched is there, known and found."""
    assert [path.read_bytes() for path in paths] == [BODY, COPY]
    assert (cache.find(ITEM), cache.find(ITEM, "tf")) == paths
    assert sorted(cache.memory.all_verified()) == sorted(str(path.relative_to(cache.home)) for path in paths)
    assert [entry.key for entry in entries(cache, KNOWN)] == [THEANO, THEANO]


def at_every_look(folder: Path, meet: Callable[[Cache, int], bool]) -> None:
    """Let two meet in a cache of their own at the first look, the second, and so on to the last."""
    number = 0
    while meet(fixed_cache(folder / str(number)), number):
        number += 1
    assert number > 2


@BEFORE
def test_who_fetches_while_somebody_prunes_keeps_the_files(
    tmp_path: Path, before: Callable[[Cache], None]
) -> None:
    """Whenever it happens."""

    def meet(cache: Cache, number: int) -> bool:
        before(cache)
        paths: list[tuple[Path, Path]] = []
        with pytest.MonkeyPatch.context() as patch:
            meeting = Interruption(patch, number, lambda: paths.append(fetched(cache)))
            prune(cache, KNOWN, now=0.0)
        for found in paths:
            check(cache, found)
        return meeting.happened

    at_every_look(tmp_path, meet)


@BEFORE
def test_who_prunes_while_somebody_fetches_removes_nothing_of_it(
    tmp_path: Path, before: Callable[[Cache], None]
) -> None:
    """Whenever it happens."""

    def meet(cache: Cache, number: int) -> bool:
        before(cache)
        with pytest.MonkeyPatch.context() as patch:
            meeting = Interruption(patch, number, lambda: prune(cache, KNOWN, now=0.0))
            found = fetched(cache)
        check(cache, found)
        return meeting.happened

    at_every_look(tmp_path, meet)


@pytest.mark.parametrize("form", [None, "tf"])
def test_who_looks_for_a_file_while_somebody_removes_it_has_it_or_has_not(
    tmp_path: Path, form: CopyForm | None
) -> None:
    """Whenever it happens, and whether or not the file must be hashed again."""

    def meet(cache: Cache, number: int) -> bool:
        path = fetched(cache)[1 if form else 0]
        os.utime(path, ns=(0, 0))
        with pytest.MonkeyPatch.context() as patch:
            meeting = Interruption(patch, number, lambda: without_files_of(cache))
            found = cache.find(ITEM, form)
        assert found in (None, path)
        assert meeting.happened is not path.exists()
        return meeting.happened

    at_every_look(tmp_path, meet)


def test_who_hashes_while_somebody_removes_passes_over_what_is_gone(tmp_path: Path) -> None:
    """Whenever it happens; what is left is right."""

    def meet(cache: Cache, number: int) -> bool:
        for path in fetched(cache):
            os.utime(path, ns=(0, 0))
        with pytest.MonkeyPatch.context() as patch:
            meeting = Interruption(patch, number, lambda: without_files_of(cache))
            checked = list(verify(cache, KNOWN))
        assert [one.problem for one in checked] == [None] * len(checked)
        assert meeting.happened or len(checked) == 2
        return meeting.happened

    at_every_look(tmp_path, meet)


def without_files_of(cache: Cache) -> None:
    """Remove all files of the item."""
    remove(cache, [THEANO], KNOWN)


def test_who_looks_for_a_copy_while_it_is_made_anew_has_the_new_one_or_none(
    tmp_path: Path,
) -> None:
    """Never the old one for the new; a process that is killed there leaves nothing that is in the way."""

    def meet(cache: Cache, number: int) -> bool:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("zoo.storage.cache.RULES_NUMBER", 1)
            path = fetched(cache)[1]
        found: list[Path | None] = []
        with pytest.MonkeyPatch.context() as patch:
            meeting = Interruption(patch, number, lambda: found.append(cache.find(ITEM, "tf")))
            keep_converted(cache, ITEM, b"by new rules")
        assert found in ([], [None], [path])
        assert cache.find(ITEM, "tf") == path
        assert path.read_bytes() == b"by new rules"
        return meeting.happened

    at_every_look(tmp_path, meet)


def test_what_comes_after_the_files_were_listed_is_not_taken_for_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are listed first, and what is remembered is read then."""
    cache, paths, walk = fixed_cache(tmp_path), [], os.walk

    def listed(home: Path) -> list[Any]:
        found = list(walk(home))
        paths.append(keep(cache, ITEM, BODY))
        return found

    monkeypatch.setattr(os, "walk", listed)
    assert prune(cache, KNOWN, now=0.0) == []
    assert paths[0].exists()
