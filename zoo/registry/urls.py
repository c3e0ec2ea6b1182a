"""Which addresses are trusted: HTTPS anywhere, plain HTTP on this machine alone."""

from __future__ import annotations

import re

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_LOOPBACK = rf"(?:localhost|127(?:\.{_OCTET}){{3}}|\[::1\])"
_REST = r"(?::[0-9]{1,5})?(?:[/?]\S*)?"

URL_PATTERN = rf"(?:https://[^\s/?#@:]+|http://{_LOOPBACK}){_REST}"
"""What a whole URL must match, in the syntax that Python and ECMA 262 share."""

URL_RULE = "be an https:// URL (plain http:// is for loopback only: localhost, 127.0.0.0/8, [::1])"
"""The same in words, to be read after "must"."""


def is_trusted(url: str) -> bool:
    """Tell whether a URL may be asked for a file: HTTPS, or HTTP to this machine.

    Scheme and host are compared without regard to case, as in a redirect from a server.
    """
    return re.fullmatch(URL_PATTERN, url, re.IGNORECASE) is not None
