"""What of many networks is tried in each run, and what with all tests only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from zoo.registry import load_registry

NETWORKS = load_registry(()).architectures
FIRST_OF_FAMILY = {network.family: name for name, network in reversed(NETWORKS.items())}
"""The first network of each family, by the family. Others have the same builder and differ in depth alone."""


def first_of_families(names: Iterable[str], values: Mapping[str, object] | None = None) -> list:
    """Return parameters of a test, one for each network, those that are not the first of their family long.

    Args:
        names: Names of networks.
        values: What the test is given of each; the name itself if left out.
    """
    firsts = set(FIRST_OF_FAMILY.values())
    return [
        pytest.param(
            name if values is None else values[name],
            id=name,
            marks=() if name in firsts else pytest.mark.long,
        )
        for name in names
    ]
