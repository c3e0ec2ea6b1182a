"""A file's bytes come a stretch at a time, each once and in their order."""

from __future__ import annotations

import mmap
import os
from itertools import pairwise

import pytest

from converters.arrays import mapped

PAGE = mmap.ALLOCATIONGRANULARITY
SIZE = 5 * PAGE + 123


@pytest.mark.parametrize("populated", [True, False], ids=["at once", "one after another"])
@pytest.mark.parametrize(
    ("start", "end"),
    [(0, SIZE), (0, 0), (1, SIZE), (PAGE, PAGE + 1), (PAGE + 7, 4 * PAGE), (2 * PAGE - 1, 2 * PAGE + 1)],
)
def test_all_bytes_come_once(start, end, populated, tmp_path, monkeypatch):
    """Wherever they begin and end, and whether or not the system brings pages in at once."""
    monkeypatch.setattr(mapped, "STRETCH", 2 * PAGE)
    if not populated:
        monkeypatch.delattr(mmap, "MAP_POPULATE", raising=False)
    data = os.urandom(SIZE)
    path = tmp_path / "file"
    path.write_bytes(data)
    with path.open("rb") as stream:
        found = [bytes(view) for view in mapped.stretches(stream.fileno(), start, end)]
    assert b"".join(found) == data[start:end]
    assert all(len(stretch) <= 2 * PAGE for stretch in found)
    assert all(len(before) > PAGE for before, _ in pairwise(found))
