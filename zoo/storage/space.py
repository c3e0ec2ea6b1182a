"""Whether a disk has room, asked before the first byte is written, and what it says during the writing."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from zoo.errors import CacheError
from zoo.storage.disk import writing
from zoo.storage.partials import Partial
from zoo.variables import HOME

_ELSEWHERE: Final = f"{HOME} names the folder to use"
_FULL: Final = f"make room or let {HOME} name a folder on another disk"
_GONE: Final = "the folder was removed or unmounted meanwhile: run the same command again"

ADVICE: Final[Mapping[int, str]] = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: f"no file may be so large here (ulimit -f): {_ELSEWHERE}",
    errno.EIO: f"the disk or its connection is failing: {_ELSEWHERE}",
    errno.ENOENT: _GONE,
    errno.ESTALE: _GONE,
}
"""What to do, by what the disk says; anything else is a folder that cannot be used."""


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
        f" {HOME} name a folder on another disk"
    )


@contextmanager
def writing_partial(partial: Partial) -> Iterator[None]:
    """Turn what the operating system says into one clear line that tells what is kept.

    Raises:
        CacheError: In place of any OSError.
    """
    try:
        yield
    except OSError as error:
        advice = ADVICE.get(error.errno or 0, _ELSEWHERE)
        raise CacheError(
            f"{partial.folder.parent}: cannot be written: {error.strerror}; {advice}{_kept(partial)}"
        ) from error


def _kept(partial: Partial) -> str:
    try:
        count = partial.size
    except OSError:
        return ""  # the disk that has just failed does not tell
    if not count or partial.about is None or not partial.about.is_enough:
        return ""
    return f"; the {count} bytes that have come are kept, and the same command goes on from there"
