"""Parameters of which some are tried in each run, and the others with all tests only."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import pytest


def long_but(often: Collection[str], names: Iterable[str]) -> list:
    """Return names as parameters of a test, long all but those that are to be tried often."""
    return [pytest.param(name, id=name, marks=() if name in often else pytest.mark.long) for name in names]
