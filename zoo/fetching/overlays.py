"""Registries that ``ZOO_REGISTRY`` names by an address and a digest: fetched once, then kept in the cache."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

from zoo.download.asking import TransferLimits
from zoo.download.engine import Setting, fetch_text
from zoo.errors import CacheError, DownloadError, RegistryError
from zoo.registry.places import MOST_BYTES, VARIABLE
from zoo.storage import disk
from zoo.storage.cache import PARTIAL, is_offline
from zoo.variables import default_home


def fetch_overlay(url: str, sha256: str, path: Path) -> bytes:
    """Fetch a registry, and keep it if the cache can be written.

    Args:
        url: Its address.
        sha256: What it must be.
        path: Where it is kept.

    Returns:
        What it holds.

    Raises:
        RegistryError: It cannot be had, or is another.
    """
    if is_offline():
        raise RegistryError(f"{url}: is not in the cache, and ZOO_OFFLINE forbids to fetch it")
    setting = Setting(partials=default_home() / PARTIAL, limits=TransferLimits.from_environment())
    try:
        content = fetch_text(url, setting, what=VARIABLE, most=MOST_BYTES)
    except DownloadError as error:
        raise RegistryError(f"{url}: cannot be fetched: {error}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise RegistryError(
            f"{url}: is not the registry that {VARIABLE} names: its sha256 is {found}, not {sha256}"
        )
    with suppress(CacheError), disk.writing(path):
        disk.make_folder(path.parent)
        disk.replace(path, content)
    return content
