"""A process that is killed between any two changes it makes to a disk, played in this one."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

_CHANGES = ("replace", "rename", "link", "unlink", "remove", "mkdir", "rmdir")
"""What of :mod:`os` changes the names in a folder; contents count once they have their name."""


class KilledError(BaseException):
    """The process is gone."""


def killed_after(changes: int, work: Callable[[], object]) -> bool:
    """Do some work that is ended after so many changes to the disk, for good: nothing is tidied up either.

    Returns:
        Whether it was ended; if not, it makes no more changes than that.
    """
    left = changes

    def counted(change: Callable[..., object]) -> Callable[..., object]:
        def called(*given: object, **named: object) -> object:
            nonlocal left
            if not left:
                raise KilledError
            left -= 1
            return change(*given, **named)

        return called

    with pytest.MonkeyPatch.context() as patch:
        for name in _CHANGES:
            patch.setattr(os, name, counted(getattr(os, name)))
        try:
            work()
        except KilledError:
            return True
    return False
