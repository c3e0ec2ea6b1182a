"""Where a registry comes from: files of one form, each laid over those before it.

1. the registry that ships with the package;
2. the registries that plug-ins bring;
3. the user's own, ``registry.yaml`` in the folder that ``ZOO_HOME`` names, read whenever it is there;
4. what ``ZOO_REGISTRY`` names, in its order: files, and addresses with a digest, as in
   ``https://example.org/lab.yaml#sha256=0123...``, which are fetched once and kept in the cache.

Later ones win.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from converters.planning import plugins
from converters.planning.plugins import entry_points, folder_of
from zoo.errors import ArgumentError, RegistryError
from zoo.variables import default_home, expanded

VARIABLE = "ZOO_REGISTRY"
"""The environment variable that names overlays."""

FILENAME = plugins.REGISTRY
"""What the shipped registry is called, those of plug-ins, and the user's own in the cache's folder."""

MOST_BYTES = 64 << 20
"""Bytes of the largest file that is read; 10,000 networks with 30,000 weights files take half of it."""

FOLDER = "_registry"
"""The folder in a cache of registries that came from addresses, and of compiled ones."""

Origin = Literal["shipped", "plug-in", "own", "ZOO_REGISTRY"]
"""Who brings a layer."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One file of those that make a registry.

    Attributes:
        path: The file.
        origin: Who brings it.
        label: What messages call it.
        sha256: What it must be, if it comes from an address, which is the label then.
        package: Name and version of the plug-in that brings it.
    """

    path: Path
    origin: Origin
    label: str
    sha256: str | None = None
    package: str | None = None


def layers() -> tuple[Layer, ...]:
    """Return the layers of the registry, the lowest first.

    Raises:
        RegistryError: As :func:`installed_layers`.
        ArgumentError: ``ZOO_REGISTRY`` names a home directory that is not known.
    """
    return (*installed_layers(), *_own_layer(), *_named_layers())


def installed_layers() -> tuple[Layer, ...]:
    """Return the layers that come with packages: the shipped one, and those of plug-ins.

    Raises:
        RegistryError: The shipped one is missing, or that of a plug-in.
    """
    return (shipped_layer(), *map(_plugin_layer, entry_points(plugins.REGISTRIES)))


def _plugin_layer(entry: plugins.EntryPoint) -> Layer:
    path = folder_of(entry) / FILENAME
    return Layer(path=path, origin="plug-in", label=f"{entry.package}: {path}", package=entry.package)


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
    """Return the overlays that ``ZOO_REGISTRY`` names, in the order in which they are applied.

    Of one that is named by an address, this is where the cache has it, or would have it.

    Raises:
        RegistryError: An address may not be asked, or comes without a digest.
    """
    return tuple(layer.path for layer in _named_layers())


def _named_layers() -> tuple[Layer, ...]:
    parts = split(os.environ.get(VARIABLE, ""), os.pathsep)
    return tuple(
        _address_layer(text) if "://" in text else overlay_layer(expanded(text, VARIABLE)) for text in parts
    )


_SCHEMES = ("http", "https", "ftp", "file", "s3")


def split(text: str, separator: str) -> list[str]:
    """Return the parts of a list of paths and addresses; empty ones are left out.

    Where paths are separated by colons an address is put together again: after its scheme, in the brackets
    of an IPv6 host and before its port. A colon that is elsewhere in one must be written ``%3A``.
    """
    parts: list[str] = []
    for part in text.split(separator):
        before = parts[-1] if parts else ""
        if separator == ":" and _goes_on(before, part):
            parts[-1] = f"{before}:{part}"
        else:
            parts.append(part)
    return [part for part in parts if part]


def _goes_on(before: str, part: str) -> bool:
    """Tell whether an address was cut in two by a colon in it."""
    if before.lower() in _SCHEMES:
        return part.startswith("//")
    scheme, found, rest = before.partition("://")
    if not found or scheme.lower() not in _SCHEMES or "/" in rest:
        return False
    return rest.startswith("[") > rest.endswith("]") or re.match(r"[0-9]{1,5}(?:[/?#]|$)", part) is not None


_DIGEST = re.compile(r"sha256=([0-9a-fA-F]{64})")


def _address_layer(text: str) -> Layer:
    """Return the layer of an address with a digest.

    Raises:
        RegistryError: The address may not be asked, or comes without a digest.
    """
    from zoo.registry.urls import URL_RULE, is_trusted  # few name addresses

    url, _, fragment = text.partition("#")
    if not is_trusted(url):
        raise RegistryError(f"{VARIABLE}: {url!r} must {URL_RULE}")
    stated = _DIGEST.fullmatch(fragment)
    if stated is None:
        raise RegistryError(
            f"{VARIABLE}: {url}: needs a digest, so that nobody can change it unseen: write"
            f" {url}#sha256=DIGEST, with the 64 digits that sha256sum prints for the file"
        )
    sha256 = stated[1].lower()
    path = default_home() / FOLDER / f"{sha256}.yaml"
    return Layer(path=path, origin="ZOO_REGISTRY", label=url, sha256=sha256)


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
