"""Networks that are taken for one another, as their names or their papers are the same.

One of two says in what it differs, and both are asked: whoever looks at either is told of the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from zoo.registry.records import Architecture


def counterparts(network: Architecture, all_networks: Iterable[Architecture]) -> Mapping[str, str]:
    """Return the networks that one is taken for, by name, and in what they differ.

    Args:
        network: The network.
        all_networks: Among which the others are.
    """
    told = dict(_said(network))
    for other in all_networks:
        if network.name in _said(other) and other.name not in told:
            told[other.name] = f"which says of this network: {_said(other)[network.name]}"
    return told


def _said(network: Architecture) -> Mapping[str, str]:
    said: Mapping[str, str] = getattr(network, "differs_from", {})
    return said
