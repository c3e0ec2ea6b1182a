"""Where an answer may lead: redirects and the forms of pages.

Every reason raised here stands alone: whoever asked for a URL puts it in front.
"""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from requests.utils import requote_uri

from zoo.errors import DownloadError
from zoo.urls import is_trusted


def check_address(url: str) -> None:
    """Accept https anywhere and http on the loopback address.

    Raises:
        DownloadError: The URL is anything else.
    """
    if is_trusted(url):
        return
    if _scheme(url) == "http":
        raise DownloadError(f"plain http ({origin(url)}) is refused: anyone on the way could change the file")
    raise DownloadError("this is no https address")


def next_address(current: str, location: str) -> str:
    """Return where an answer leads.

    Args:
        current: The URL that was answered.
        location: What the answer names; it may be relative.

    Raises:
        DownloadError: It leads to plain http on another machine, from https to http, or to no web address.
    """
    try:
        target = requote_uri(urljoin(current, location))
    except ValueError as error:
        raise DownloadError("a redirect to something that is no web address was refused") from error
    if _scheme(target) == "http" and not (is_trusted(target) and _scheme(current) == "http"):
        raise DownloadError(f"a redirect to plain http ({origin(target)}) was refused")
    if not is_trusted(target):
        raise DownloadError("a redirect to something that is no https address was refused")
    return target


def origin(url: str) -> str:
    """Return scheme, host and port of a URL: signed paths and queries do not belong in messages."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _scheme(url: str) -> str:
    return url.partition(":")[0].lower()
