"""Where a registry comes from: files of one form, each laid over those before it.

1. the registry that ships with the package;
2. the registries that plug-ins bring;
3. the user's own, ``registry.yaml`` in the folder that ``ZOO_HOME`` names, read whenever it is there;
4. what ``ZOO_REGISTRY`` names, in its order.

Later ones win.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zoo.errors import ArgumentError, RegistryError
from zoo.variables import default_home, path_list_variable

VARIABLE = "ZOO_REGISTRY"
"""The environment variable that names overlays."""

FILENAME = "registry.yaml"
"""What the shipped registry is called, and the user's own in the cache's folder."""

MOST_BYTES = 64 << 20
"""Bytes of the largest file that is read; 10,000 networks with 30,000 weights files take half of it."""

Origin = Literal["shipped", "plug-in", "own", "ZOO_REGISTRY"]
"""Who brings a layer."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One file of those that make a registry.

    Attributes:
        path: The file.
        origin: Who brings it.
        label: What messages call it.
    """

    path: Path
    origin: Origin
    label: str


def layers() -> tuple[Layer, ...]:
    """Return the layers of the registry, the lowest first.

    Raises:
        RegistryError: The shipped one is missing.
        ArgumentError: ``ZOO_REGISTRY`` names a home directory that is not known.
    """
    return (shipped_layer(), *_own_layer(), *map(overlay_layer, overlays_from_environment()))


def shipped_layer() -> Layer:
    """Return the layer at the bottom.

    Raises:
        RegistryError: It is missing.
    """
    return Layer(path=find_registry(), origin="shipped", label=FILENAME)


def overlay_layer(path: Path) -> Layer:
    """Return the layer of a file that ``ZOO_REGISTRY`` names."""
    return Layer(path=path, origin="ZOO_REGISTRY", label=str(path))


def _own_layer() -> tuple[Layer, ...]:
    """Return the layer of the user's own registry, if it is there.

    A folder that cannot be looked into keeps nobody from the rest; whoever uses the cache says what is wrong.
    """
    try:
        path = own_registry()
        path.lstat()
    except (OSError, ArgumentError):
        return ()
    return (Layer(path=path, origin="own", label=str(path)),)


def own_registry() -> Path:
    """Return where the user's own registry is, or would be.

    Raises:
        ArgumentError: ``ZOO_HOME`` names a home directory that is not known.
    """
    return default_home() / FILENAME


def find_registry() -> Path:
    """Return the base registry: the packaged copy, or in a checkout the file at its root.

    Raises:
        RegistryError: There is neither; the installation is incomplete.
    """
    here = Path(__file__).resolve()
    for folder in here.parents[1:3]:
        candidate = folder / FILENAME
        if candidate.is_file():
            return candidate
    raise RegistryError(f"{FILENAME}: is missing from {here.parents[1]}; install keras-weight-zoo again")


def overlays_from_environment() -> tuple[Path, ...]:
    """Return the overlays that ``ZOO_REGISTRY`` names, in the order in which they are applied."""
    return path_list_variable(VARIABLE)


def read_bytes(path: Path, label: str) -> bytes:
    """Return what a file holds, if it is not too large for a registry.

    Raises:
        RegistryError: It is, or it cannot be read.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
            size = max(path.stat().st_size, len(content))
    except OSError as error:
        raise RegistryError(f"{label}: cannot be read: {error.strerror}") from error
    if len(content) > MOST_BYTES:
        raise RegistryError(
            f"{label}: has {size:,} bytes; a registry of more than {MOST_BYTES:,} is not read"
        )
    return content
