"""What tests of the command line have in common."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder with six bright images and six dark ones."""
    for place, name in enumerate(("bright", "dark")):
        folder = tmp_path / "photos" / name
        folder.mkdir(parents=True)
        for number in range(6):
            shade = 200 * (1 - place) + number
            (folder / f"{number}.ppm").write_bytes(b"P6 64 64 255 " + bytes([shade]) * (3 * 64 * 64))
    return tmp_path / "photos"
