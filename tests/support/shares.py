"""What of many networks is tried in each run, and what with all tests only."""

from __future__ import annotations

from collections.abc import Iterable

from tests.support.long import long_but
from zoo.registry import load_registry
from zoo.registry.families import FAMILIES
from zoo.registry.parameters import parameters_of

EVERY_NETWORK = load_registry(()).architectures
"""All networks of the registry."""

OF_KERAS = {
    name: network
    for name, network in EVERY_NETWORK.items()
    if "constructor" in FAMILIES[network.family].numbers
}
"""Those that constructors of keras.applications draw; ``zoo/networks/test_applications.py`` tries these."""

NETWORKS = {name: network for name, network in EVERY_NETWORK.items() if name not in OF_KERAS}
"""Those that have builders of our own, and values that the original software computed."""

STAND_INS = {
    f"{name} {said.name}": (said, network)
    for name, network in NETWORKS.items()
    for said in network.sets.values()
    if said.same_values_as is not None
}
"""What may stand in for Keras files: the weights set of their origin, and the network."""

ORIGINS = {
    network.name: (said, network)
    for said, network in STAND_INS.values()
    if any(file.format == "caffemodel" for file in network.weights if file.set == said.name)
}
"""Those of networks whose authors published files of Caffe, by the network's name."""

SMALLEST_OF_FAMILY = {
    network.family: name
    for name, network in sorted(OF_KERAS.items(), key=lambda one: parameters_of(one[1]), reverse=True)
}
"""By the family, the smallest of those of keras.applications: these are tried in each run, others long."""

FIRST_OF_FAMILY = {network.family: name for name, network in reversed(NETWORKS.items())}
"""The first network of each family, by the family. Others have the same builder and differ in depth alone."""


def first_of_families(names: Iterable[str]) -> list:
    """Return networks as parameters of a test, those that are not the first of their family long."""
    return long_but(FIRST_OF_FAMILY.values(), names)
