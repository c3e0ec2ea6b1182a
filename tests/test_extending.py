"""Each page on how something is added holds: its code, put where it says, runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.pages import EXTENDING, blocks, copy_packages, put

PAGES = sorted(EXTENDING.glob("*.md"))
TRIED = "try it"
ONE_SCREEN = 60
"""Lines."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_adds_runs(page: Path, tmp_path: Path) -> None:
    """What it shows is complete: nothing else has to be changed, and at most two files are."""
    found = blocks(page)
    added = [block for block in found if block.where != TRIED]
    assert 1 <= len({block.file for block in added}) <= 2
    copy_packages(tmp_path)
    for block in added:
        put(block, tmp_path)
    (tried,) = (block.code for block in found if block.where == TRIED)
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "ZOO_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-c", tried],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_fits_on_a_screen(page: Path) -> None:
    """It is read at one go."""
    assert len(page.read_text(encoding="utf-8").splitlines()) <= ONE_SCREEN
