"""Where an answer may lead: redirects and the forms of pages.

Every reason raised here stands alone: whoever asked for a URL puts it in front.
"""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from requests.utils import requote_uri

from zoo.download.failures import UNSAFE, SourceError
from zoo.registry.urls import is_trusted


def check_address(url: str, plain: str | None = None) -> None:
    """Accept https anywhere, and http on the loopback address or where the user has said so.

    Args:
        url: The address.
        plain: Scheme, host and port of a mirror that the user has named.

    Raises:
        SourceError: The URL is anything else.
    """
    if _is_accepted(url, plain):
        return
    if _scheme(url) == "http":
        raise _unsafe(f"plain http ({origin(url)}) is refused: anyone on the way could change the file")
    raise _unsafe("this is no https address")


def next_address(current: str, location: str, plain: str | None = None) -> str:
    """Return where an answer leads.

    Args:
        current: The URL that was answered.
        location: What the answer names; it may be relative.
        plain: Scheme, host and port of a mirror that the user has named.

    Raises:
        SourceError: It leads to plain http on another machine, from https to http, or to no web address.
    """
    try:
        target = requote_uri(urljoin(current, location))
    except ValueError as error:
        raise _unsafe("a redirect to something that is no web address was refused") from error
    if _scheme(target) == "http" and not (_is_accepted(target, plain) and _scheme(current) == "http"):
        raise _unsafe(f"a redirect to plain http ({origin(target)}) was refused")
    if not _is_accepted(target, plain):
        raise _unsafe("a redirect to something that is no https address was refused")
    return target


def origin(url: str) -> str:
    """Return scheme, host and port of a URL: signed paths and queries do not belong in messages."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _is_accepted(url: str, plain: str | None) -> bool:
    # A password in an address is refused everywhere: it would end in messages and in the cache's memory.
    return is_trusted(url) or (plain is not None and origin(url) == plain and "@" not in urlsplit(url).netloc)


def _unsafe(reason: str) -> SourceError:
    return SourceError(reason, meaning=UNSAFE)


def _scheme(url: str) -> str:
    return url.partition(":")[0].lower()
