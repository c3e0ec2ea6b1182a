"""Where the structures of networks lie: in this distribution, and in plug-ins.

What they say is read by :mod:`converters.planning.structures`, which needs NumPy; whoever wants to know a
number of one, or its head, reads the file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from converters.errors import RegistryError
from converters.planning.plugins import WITHOUT, structures_folders

OWN = Path(__file__).resolve().parent / "structures"
"""The folder of those that come with this distribution."""


def structure_files() -> Mapping[str, tuple[Path, ...]]:
    """Return the files by the names of their structures, reading none of them.

    Raises:
        RegistryError: A plug-in has no registry where it says.
    """
    return _listed((OWN, *structures_folders()))


@cache
def _listed(folders: tuple[Path, ...]) -> Mapping[str, tuple[Path, ...]]:
    # The files of what is installed do not change while it runs, and are asked for again and again.
    found: dict[str, tuple[Path, ...]] = {}
    for folder in folders:
        for name in sorted(os.listdir(folder)) if folder.is_dir() else ():  # noqa: PTH208 - names are enough
            stem, ending = os.path.splitext(name)  # noqa: PTH122
            if ending == ".json":
                found[stem] = (*found.get(stem, ()), folder / name)
    return dict(sorted(found.items()))


def structure_file(name: str) -> Path | None:
    """Return the file of a structure, if there is one.

    Raises:
        RegistryError: There are several, or a plug-in has no registry where it says.
    """
    files = structure_files().get(name, ())
    if len(files) > 1:
        where = " and in ".join(map(str, files))
        raise RegistryError(f"structure {name!r}: is in {where}; uninstall the package of one; {WITHOUT}")
    return files[0] if files else None
