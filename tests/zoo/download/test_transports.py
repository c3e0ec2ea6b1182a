"""The table from scheme to opener: whatever a registry may list can be opened, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pkgutil import resolve_name

import pytest

from tests.support.downloads import BODY, IMPATIENT, SHA256, FakeClock, fetch, left_in
from zoo.download.asking import Asking, Beginning, Body, NotContinuedError
from zoo.download.failures import UNSAFE, SourceError
from zoo.download.sources import Mirror
from zoo.download.transports import TRANSPORTS, open_body
from zoo.errors import ArgumentError
from zoo.registry.urls import ADDRESSES

SHELF = {"shelf:/it": BODY}
CUT = len(BODY) // 2


class ShelfBody(Body):
    """A body out of memory, that ends early at first."""

    def __init__(self, url: str, start: int, end: int) -> None:
        """Take so many bytes of what lies there."""
        super().__init__(url, length=len(BODY) - start, etag='"1"')
        self.start = start
        self._rest = SHELF[url][start:end]

    def read_into(self, target: memoryview) -> int:
        """Give a few bytes."""
        count = min(len(target), len(self._rest), 100)
        target[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


@contextmanager
def open_shelf(
    url: str, asking: Asking, *, signature: bytes = b"", beginning: Beginning | None = None
) -> Iterator[Body]:
    """Give half of the file, then the rest of it."""
    if beginning is not None and beginning.validator != '"1"':
        raise NotContinuedError
    yield ShelfBody(url, beginning.bytes, len(BODY)) if beginning else ShelfBody(url, 0, CUT)


def test_whatever_a_registry_may_list_can_be_opened() -> None:
    """Each opener is there, and each scheme of an address has one."""
    assert set(ADDRESSES) <= set(TRANSPORTS)
    assert all(callable(resolve_name(name)) for name in TRANSPORTS.values())


@pytest.mark.parametrize("url", ["ftp://files.example/w.h5", "shelf:/it", "/etc/passwd", ""])
def test_another_scheme_is_refused(url: str) -> None:
    """With what it means."""
    with pytest.raises(SourceError) as caught:
        open_body(url, Asking(limits=IMPATIENT, clock=FakeClock()))
    assert (str(caught.value), caught.value.meaning) == ("this is no https address", UNSAFE)


def test_one_entry_makes_a_scheme_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What came is kept, the rest is asked for, the whole is checked; a mirror may have such an address."""
    folder = tmp_path / "partials"
    with pytest.raises(ArgumentError, match="must be the https:// or http:// address of a mirror"):
        Mirror.at("shelf://lab/zoo")
    monkeypatch.setitem(TRANSPORTS, "shelf", f"{__name__}:open_shelf")
    monkeypatch.setattr("zoo.download.transports.resolve_name", lambda name: open_shelf)
    assert Mirror.at("shelf://lab/zoo").index_url == "shelf://lab/zoo/index.json"
    with pytest.raises(SourceError, match=f"the connection ended after {CUT} of {len(BODY)} bytes"):
        fetch("shelf:/it", folder)
    assert left_in(folder) == [BODY[:CUT]]
    body, got = fetch("shelf:/it", folder)
    assert (body, got.resumed_at, got.digests["sha256"]) == (BODY, CUT, SHA256.value)
