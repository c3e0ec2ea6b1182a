"""Which addresses are trusted: HTTPS anywhere, plain HTTP on this machine alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_LOOPBACK = rf"(?:localhost|127(?:\.{_OCTET}){{3}}|\[::1\])"
_REST = r"(?::[0-9]{1,5})?(?:[/?]\S*)?"

ADDRESSES: Mapping[str, str] = {
    "https": r"https://[^\s/?#@:]+",
    "http": rf"http://{_LOOPBACK}",
}
"""By the schemes in which a registry may list a file: what scheme and host must match."""

URL_PATTERN = rf"(?:{'|'.join(ADDRESSES.values())}){_REST}"
"""What a whole URL must match, in the syntax that Python and ECMA 262 share."""

URL_RULE = "be an https:// URL (plain http:// is for loopback only: localhost, 127.0.0.0/8, [::1])"
"""The same in words, to be read after "must"."""


def is_trusted(url: str) -> bool:
    """Tell whether a URL may be asked for a file: HTTPS, or HTTP to this machine.

    Scheme and host are compared without regard to case, as in a redirect from a server.
    """
    return re.fullmatch(URL_PATTERN, url, re.IGNORECASE) is not None


def is_address(url: str) -> bool:
    """Tell whether a URL has parts, a host that can be somebody's name, and a port that there is."""
    try:
        parts = urlsplit(url)
        (parts.hostname or "").encode("idna")
        return parts.port != 0
    except ValueError:  # a UnicodeError is one
        return False


def origin(url: str) -> str:
    """Return scheme, host and port of a URL: signed paths and queries do not belong in messages."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
