"""What of many networks is tried in each run, and what with all tests only."""

from __future__ import annotations

from collections.abc import Iterable

from tests.support.long import long_but
from zoo.registry import load_registry

NETWORKS = load_registry(()).architectures
FIRST_OF_FAMILY = {network.family: name for name, network in reversed(NETWORKS.items())}
"""The first network of each family, by the family. Others have the same builder and differ in depth alone."""


def first_of_families(names: Iterable[str]) -> list:
    """Return networks as parameters of a test, those that are not the first of their family long."""
    return long_but(FIRST_OF_FAMILY.values(), names)
