"""Whether a disk has room, asked before the first byte is written."""

from __future__ import annotations

import shutil
from pathlib import Path

from zoo.errors import CacheError
from zoo.storage.cache import VARIABLE
from zoo.storage.disk import writing


def check_space(folder: Path, **needs: int) -> None:
    """Check that a disk has room for what will be written.

    Args:
        folder: A folder on that disk; it exists.
        needs: Bytes by what needs them, in a word: ``fetch=553479920``.

    Raises:
        CacheError: It has not; the message says how much is missing.
    """
    with writing(folder):
        free = shutil.disk_usage(folder).free
    needed = sum(needs.values())
    if needed <= free:
        return
    parts = " and ".join(f"{count / 1e6:.1f} MB to {what}" for what, count in needs.items() if count)
    raise CacheError(
        f"{folder}: the disk is too full: {parts} are needed, {free / 1e6:.1f} MB are free; make room, or let"
        f" {VARIABLE} name a folder on another disk"
    )
