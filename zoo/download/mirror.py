"""The user's mirror: which files it has, and where.

A mirror is asked first for every file. What it gives must have every published digest, as anything else must;
of a file without one, its word is no better than that of whoever is asked first.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from zoo.download.addresses import origin
from zoo.download.engine import Setting, fetch_text
from zoo.errors import ArgumentError

if TYPE_CHECKING:
    from zoo.storage.mirrors import Held

VARIABLE: Final = "ZOO_MIRROR"
"""The environment variable with the address of a mirror."""


@dataclass(frozen=True, kw_only=True)
class Mirror:
    """A mirror that the user named.

    Attributes:
        url: Its address, without a slash at the end.
    """

    url: str

    @classmethod
    def from_environment(cls) -> Mirror | None:
        """Return the mirror that :data:`VARIABLE` names, if it names one.

        Raises:
            ArgumentError: It names no web address.
        """
        stated = os.environ.get(VARIABLE, "")
        return cls.at(stated) if stated else None

    @classmethod
    def at(cls, url: str) -> Mirror:
        """Return the mirror at an address.

        Raises:
            ArgumentError: It is no address of a web server, or has a password in it.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment:
            raise ArgumentError(f"{VARIABLE}={url!r}: must be the https:// or http:// address of a mirror")
        if "@" in parts.netloc:
            raise ArgumentError(f"{VARIABLE}: must not hold a password: it would end in messages and records")
        return cls(url=url.rstrip("/"))

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return origin(self.url)

    @property
    def index_url(self) -> str:
        """Where its index lies."""
        from zoo.storage.mirrors import INDEX

        return f"{self.url}/{INDEX}"

    def index(self, setting: Setting) -> dict[str, Held]:
        """Return what the mirror has, by the registry's ids.

        Raises:
            DownloadError: It cannot be asked, or what it says is no index.
        """
        from zoo.storage.mirrors import LARGEST_INDEX, parse_index

        return parse_index(fetch_text(self.index_url, setting, most=LARGEST_INDEX), self.index_url)

    def file_url(self, held: Held) -> str:
        """Return where a file lies; its name is made of a digest that was checked to be one."""
        return f"{self.url}/{held.path}"
