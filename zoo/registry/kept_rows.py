"""What a list says of all networks, kept from one run to the next.

To make it every network is read and checked, which takes ten seconds of 10,000. So it is kept as it is
printed, beside the compiled copies of the files, under one digest of all that it is made of: every layer in
its order, the structures, and the code that checks. Whoever changes one of them changes the digest, and all
is made anew. Nothing is kept of a registry with a mistake: who lists it must be told.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from converters.planning.plugins import structures_folders
from converters.planning.structure_files import OWN
from zoo.progress.documents import item
from zoo.registry import compiled
from zoo.registry.families import FAMILIES
from zoo.registry.files import check, get_registry
from zoo.registry.lazy import Lazy
from zoo.registry.listed import Row, listed
from zoo.registry.places import Layer, layers
from zoo.registry.records import WHOLE_MODEL, Registry

Written = Mapping[str, bytes | memoryview]
"""What a list says of networks, by their names in the registry's order, each as the item of a document."""

_PART = "rows"


def all_rows() -> Written:
    """Return what a list says of all networks; where that is not kept, all are checked and it is kept.

    Raises:
        RegistryError: What a file says of one breaks the form.
    """
    digest = _digest(layers())
    kept = _kept(digest)
    return _made(digest) if kept is None else kept


def kept_rows() -> Written | None:
    """Return the same if it is kept; ``None`` if it would have to be made."""
    return _kept(_digest(layers()))


def rows_of(written: Written) -> Mapping[str, Row]:
    """Return rows that were written, each read when it is first looked at."""

    def row(name: str) -> Row:
        found: Row = json.loads(bytes(written[name]))
        return found

    return Lazy(written.keys, row)


def _kept(digest: str | None) -> Written | None:
    with suppress(compiled.Damaged):
        return compiled.Compiled(digest).written(_PART) if digest else None
    return None


def _made(digest: str | None) -> Written:
    registry = get_registry()
    check(registry)
    rows = {name: item(listed(network)) for name, network in registry.architectures.items()}
    if digest and _is_of_this_package(registry):
        compiled.keep(digest, {}, {_PART: rows}, written=bytes)
    return rows


def _is_of_this_package(registry: Registry) -> bool:
    """Tell whether all families are our own: what another package brings may change, or go, unseen."""
    known = {WHOLE_MODEL, *FAMILIES}
    return all(network.family in known for network in registry.architectures.values())


def _digest(chosen: Sequence[Layer]) -> str | None:
    """Return what tells this from rows of any other layers, or made of them by other rules.

    ``None`` if a file cannot be had.
    """
    told = [compiled.digest_of_layer(layer) for layer in chosen]
    known = [digest for digest in told if digest]
    if len(known) < len(told):
        return None
    return compiled.digest_of("\n".join([_PART, *known, *_stamps()]).encode())


def _stamps() -> Iterator[str]:
    """Yield how the files are that no layer holds: our code, our structures, those of plug-ins."""
    for folder in (Path(__file__).parent, OWN, *structures_folders()):
        with suppress(FileNotFoundError), os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.is_file():
                    status = entry.stat()
                    yield f"{entry.path} {status.st_size} {status.st_mtime_ns}"
