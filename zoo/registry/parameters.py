"""How many parameters a network has: a fact of its structure, read without the rest of it.

What reads whole structures needs NumPy, which takes longer to import than `zoo list` may last.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from converters.planning.structure_files import structure_file
from zoo.errors import FileFormatError
from zoo.registry.records import Architecture

_HEAD_BYTES = 2048
_PARAMETERS = re.compile(rb'"parameters": ?(\d+)')


def parameters_of(network: Architecture) -> int:
    """Return the number of values in all arrays of a network, as published for its first weights set.

    Raises:
        FileFormatError: Its structure does not say.
    """
    if network.parameters is not None:
        return network.parameters
    structure = network.default_graph.structures[0]
    return _stated(structure_file(structure) or Path(structure))


@cache
def _stated(path: Path) -> int:
    with path.open("rb") as file:
        found = _PARAMETERS.search(file.read(_HEAD_BYTES))
    if found is None:
        raise FileFormatError(f"{path}: does not say how many parameters the structure has")
    return int(found[1])
