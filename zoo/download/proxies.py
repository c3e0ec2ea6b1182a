"""The proxy that a request goes through, and which environment variable names it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies, select_proxy


@dataclass(frozen=True, kw_only=True)
class Proxy:
    """A proxy.

    Attributes:
        address: Where it is, without a password.
        variable: The environment variable that names it, or ``the system's settings``.
    """

    address: str
    variable: str

    def __str__(self) -> str:
        """Return what messages call it."""
        return f"the proxy {self.address} ({self.variable})"


def proxy_for(url: str) -> Proxy | None:
    """Return the proxy that an address is asked through, if there is one."""
    address = select_proxy(url, get_environ_proxies(url))
    if not address:
        return None
    stated = (name for name in _variables(url) if os.environ.get(name) == address)
    return Proxy(address=_without_password(address), variable=next(stated, "the system's settings"))


def _variables(url: str) -> list[str]:
    """Return the variables that may name a proxy, in the order in which they count."""
    names = [f"{kind}_proxy" for kind in (urlsplit(url).scheme, "all")]
    return [spelt for name in names for spelt in (name, name.upper())]


def _without_password(address: str) -> str:
    scheme, slashes, rest = address.rpartition("://")  # many write no scheme
    return f"{scheme}{slashes}{rest.rpartition('@')[2]}"
