"""Whether a link still leads to a file, found out without fetching it.

The headers are asked for, and where a host does not give them the first byte; where a page comes, it is read
for the way on, as for a download.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from http import HTTPStatus
from pkgutil import resolve_name
from typing import Final, cast

import requests

from zoo.download import failures, pages
from zoo.download.asking import Asking
from zoo.download.failures import SourceError
from zoo.download.http import (
    NUMBER,
    PAGE_BYTES,
    HttpBody,
    Session,
    announced,
    ask,
    check_address,
    next_address,
    redirect_of,
)
from zoo.download.transports import PROBES, open_body

_PERMANENT: Final = (HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.PERMANENT_REDIRECT)
_FIRST_BYTE: Final = {"Range": "bytes=0-0"}
_TOTAL = re.compile(rf"bytes (?:\d+-\d+|\*)/({NUMBER})")


class BrowserError(SourceError):
    """A page came that only a person in a browser gets past."""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What a link leads to.

    Attributes:
        address: Where the file is in the end.
        moved_to: The address that the host wants to be asked for from now on; ``None`` for the same.
        bytes: The file's size, if the host says it.
        digests: What the host states of the file, by algorithm, in hexadecimal.
    """

    address: str
    moved_to: str | None = None
    bytes: int | None = None
    digests: Mapping[str, str] = field(default_factory=dict)


def probe(url: str, asking: Asking) -> Probe:
    """Return what a link leads to, as its scheme wants it.

    Raises:
        SourceError: It leads to no file.
    """
    name = PROBES.get(url.partition(":")[0].lower())
    if name is not None:
        return cast("Callable[[str, Asking], Probe]", resolve_name(name))(url, asking)
    with open_body(url, asking) as body:
        return Probe(address=body.address, bytes=body.total)


def probe_http(url: str, asking: Asking) -> Probe:
    """Return what a link leads to, following redirects and pages.

    Raises:
        SourceError: It leads to no file.
        BrowserError: It leads to a page that shows no way on.
    """
    check_address(url, asking.plain)
    address, moved_to, permanent = url, None, True
    with Session() as session:
        for _ in range(asking.limits.max_redirects + 1):
            found, onward, forever = _step(session, url, address, asking)
            if onward is None:
                size, digests = found
                return Probe(address=address, moved_to=moved_to, bytes=size, digests=digests)
            address = next_address(address, onward, asking.plain)
            permanent = permanent and forever
            moved_to = address if permanent else moved_to
    raise SourceError(f"more than {asking.limits.max_redirects} redirects", meaning=failures.UNSAFE)


_Facts = tuple[int | None, Mapping[str, str]]
"""A file's size and its digests, as far as they are stated."""

_Step = tuple[_Facts, str | None, bool]
"""What is known of a file, or where it goes on from here, and whether for good."""


def _step(session: requests.Session, url: str, address: str, asking: Asking) -> _Step:
    """Ask one address: for the headers, and where they are not given or are those of a page for more."""
    found, is_page = _headers(session, address, asking)
    if found is None and not is_page:
        found = _first_byte(session, url, address, asking, _FIRST_BYTE)
    return found or cast("_Step", _first_byte(session, url, address, asking, {}))


def _headers(session: requests.Session, address: str, asking: Asking) -> tuple[_Step | None, bool]:
    """Ask for the headers alone; ``None`` if they tell nothing, and whether they are those of a page."""
    try:
        with closing(ask(session, address, asking, {}, "HEAD")) as response:
            onward = redirect_of(response)
            if onward is not None:
                return ((None, {}), onward, response.status_code in _PERMANENT), False
            if response.status_code != HTTPStatus.OK or _is_page(response):
                return None, response.status_code == HTTPStatus.OK
            return (_facts(response), None, False), False
    except SourceError as error:
        if error.meaning != failures.SILENT or error.unreached is not None:
            raise
        return None, False  # some hang up at a question that they do not know


def _first_byte(
    session: requests.Session, url: str, address: str, asking: Asking, headers: Mapping[str, str]
) -> _Step | None:
    """Ask for a file and read no more than its beginning; ``None`` if that is a part of a page."""
    with closing(ask(session, address, asking, headers)) as response:
        onward = redirect_of(response)
        if onward is not None:
            return (None, {}), onward, response.status_code in _PERMANENT
        if headers and _is_page(response):
            return None
        body = HttpBody(response, address, asking)
        head = body.look(b"")
        if response.status_code not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
            raise pages.of_status(response.status_code, url, head)
        if pages.looks_like_html(head, body.header("Content-Type")):
            return (None, {}), _way_on(head), False
        refusal = pages.of_head(head, b"") if response.status_code == HTTPStatus.OK else None
        if refusal is not None:
            raise refusal
        return _facts(response), None, False


def _way_on(head: bytes) -> str:
    """Return where a page leads.

    Raises:
        BrowserError: Nowhere.
        SourceError: It says that too many have fetched the file.
    """
    page = pages.read_page(head[:PAGE_BYTES].decode("utf-8", "replace"))
    onward = pages.way_on(page)
    if onward is None:
        refusal = pages.of_page(page)
        if refusal.meaning == failures.QUOTA:
            raise refusal
        raise BrowserError(str(refusal), meaning=refusal.meaning)
    return onward


def _is_page(response: requests.Response) -> bool:
    return response.headers.get("Content-Type", "").lower().startswith("text/html")


def _facts(response: requests.Response) -> _Facts:
    total = _TOTAL.fullmatch(response.headers.get("Content-Range", "").strip())
    size = int(total[1]) if total else announced(response)
    if response.status_code == HTTPStatus.PARTIAL_CONTENT and not total:
        size = None
    return size, _digests(response.headers)


def _digests(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the MD5 that a host states of a file, if it does: Google's in a header of its own."""
    stated = dict(
        (name, value)
        for part in headers.get("X-Goog-Hash", "").split(",")
        for name, _, value in [part.strip().partition("=")]
    )
    for text in (stated.get("md5"), headers.get("Content-MD5")):
        try:
            value = base64.b64decode(text or "", validate=True)
        except (binascii.Error, ValueError):
            continue
        if len(value) == _MD5_BYTES:
            return {"md5": value.hex()}
    return {}


_MD5_BYTES: Final = 16
