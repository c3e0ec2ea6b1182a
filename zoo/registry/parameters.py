"""How many parameters a network has: a fact of its structure, read without the rest of it.

What reads whole structures needs NumPy, which takes longer to import than `zoo list` may last.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from converters import planning
from zoo.errors import FileFormatError
from zoo.registry.records import Architecture

STRUCTURES = Path(planning.__path__[0]) / "structures"
"""The folder of the known structures."""

_HEAD_BYTES = 2048
_PARAMETERS = re.compile(rb'"parameters": ?(\d+)')


def parameters_of(network: Architecture) -> int:
    """Return the number of values in all arrays of a network, as published for its first weights set.

    Raises:
        FileFormatError: Its structure does not say.
    """
    if network.parameters is not None:
        return network.parameters
    return _stated(network.default_graph.structures[0])


@cache
def _stated(structure: str) -> int:
    path = Path(structure) if structure.endswith(".json") else STRUCTURES / f"{structure}.json"
    with path.open("rb") as file:
        found = _PARAMETERS.search(file.read(_HEAD_BYTES))
    if found is None:
        raise FileFormatError(f"{path}: does not say how many parameters the structure has")
    return int(found[1])
