"""What a user gives to be converted: a file, or the name of a network whose published file is fetched.

Files need neither the registry nor the network, so that these are imported for names and for mistakes alone.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from converters.arrays.form import Form
from converters.formats.table import format_of
from zoo.errors import ArgumentError, FileFormatError
from zoo.naming import hidden_note, is_written_as_path
from zoo.storage.remote import is_remote

if TYPE_CHECKING:
    from zoo.progress.protocol import Progress

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Source:
    """What to convert.

    Attributes:
        path: The file: its path, or its URL.
        form: What the registry says it is, if it was fetched by a network's name.
        target: Where the new file goes unless the user says; ``None`` is beside the old one.
        licence: Of the weights, if the registry says it.
    """

    path: Path | str
    form: Form | None = None
    target: str | None = None
    licence: str | None = None


def there(given: str | os.PathLike[str]) -> Source:
    """Return the file that is named; whether there is one at a URL is seen when it is brought.

    Raises:
        FileFormatError: There is none.
    """
    if is_remote(given):
        return Source(path=os.fspath(given))
    path = Path(given)
    if not path.exists():
        raise FileFormatError(_nothing_of(path))
    return Source(path=path)


def _nothing_of(path: Path) -> str:
    """Return what to tell a user who gave neither a path at which something lies nor a network's name."""
    from zoo.registry import list_models
    from zoo.registry.fields import did_you_mean

    guess = "" if is_written_as_path(str(path)) else did_you_mean(path, list_models())
    return f"{path}: there is no such file, nor a network of this name{guess}"


def fetched(name: str, asked: Mapping[str, Any], progress: Progress | None = None) -> Source:
    """Return the fetched file of a network; what the user should know of it is logged.

    Args:
        name: The network's name.
        asked: What the conversion should do, as :func:`zoo.convert` takes it.
        progress: Told about the download; what the function that was called shows it to if left out.

    Raises:
        ArgumentError: Nothing says which form to convert.
        ZooError: As :func:`zoo.fetch`.
    """
    from zoo.fetching.fetcher import resolve

    start, end = ends(asked)
    if start is None:
        raise ArgumentError(f"direction=None: say which form of {name} to convert: 'th-to-tf' or 'tf-to-th'")
    if hidden := hidden_note(name, "network"):
        _LOG.warning("%s", hidden)
    found = resolve(name, backend=cast(Literal["th", "tf"], start), progress=progress)
    for note in found.notes:
        _LOG.warning("%s", note)
    form = None if found.converted else Form(layout=found.file.layout, kernels=found.file.kernels)
    target = _new_name(name, end, asked["to"])
    return Source(path=found.path, form=form, target=target, licence=found.file.licence)


def ends(asked: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return the layouts of the old file and of the new one, as far as they are said."""
    direction: str | None = asked["direction"]
    if direction:
        return direction.partition("-")[0], direction.rpartition("-")[2]
    return asked["from_layout"], asked["to_layout"]


def _new_name(network: str, form: str | None, to: str | None) -> str:
    """Name a fetched network's new file, in the working folder: the cache is not for the user's files.

    Args:
        network: The network's name.
        form: The new layout, if it is said.
        to: The new format, if it is said.
    """
    new = format_of(to)
    if new is not None and new.ending is not None:
        return f"{network}{new.ending}"
    return f"{network}_{form or 'converted'}.h5"
