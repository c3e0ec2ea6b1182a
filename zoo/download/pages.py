"""What comes in place of a file: pages of file hosts, above all Google Drive's, errors, and other texts.

A page is recognised by what stands in it, never by who sent it. Some lead on to the file: the virus-scan
warning with its form, and the older pages with a link or a JSON field. Others say why there is no file, as
statuses and the first bytes of a body do. What such an answer means is an error whose message is one line
without the address, or ``None`` where there is nothing to refuse.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http import HTTPStatus
from urllib.parse import SplitResult, parse_qs, parse_qsl, urlencode, urlsplit

from zoo.download import failures
from zoo.download.failures import SourceError

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"

SIGN_IN = "the host asks for a sign-in: the file is private or was removed"

STATUS_REASONS = {
    401: (SIGN_IN, failures.CLOSED),
    403: ("the host refuses access to the file", failures.CLOSED),
    404: ("the host has no such file", failures.GONE),
    408: ("the host waited too long for the request", failures.BUSY),
    410: ("the file was removed for good", failures.GONE),
    429: ("the host asks to try again later", failures.BUSY),
}
PASSING = frozenset({408, 429})
"""Statuses below 500 that may well be another one a little later."""

_LFS_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:.*\n)*?oid sha256:([0-9a-f]{64})\nsize (\d+)"
)
_BLANK = b"\xef\xbb\xbf \t\r\n"  # a byte-order mark and white space
_XML_CODE = re.compile(rb"<Code>([^<]*)</Code>")
_XML_MESSAGE = re.compile(rb"<Message>([^<]*)</Message>")
_LEGACY_DRIVE_ID = re.compile(r"0B[\w-]{26}")

_DOWNLOAD_FORM = "download-form"
_QUOTA_CLASSES = ("uc-error-caption", "uc-error-subcaption")
_SIGN_IN_PATH = re.compile(r"/(ServiceLogin|v\d+/signin|signin|accounts/login)(/|$)", re.IGNORECASE)
_JSON_URL = re.compile(r'"downloadUrl"\s*:\s*"([^"]+)"')


@dataclass(kw_only=True)
class Page:
    """What a page says that matters here.

    Attributes:
        title: Its title, or an empty text.
        form_action: Where the form with id ``download-form`` goes, if there is one.
        form_fields: The hidden fields of that form, in order.
        links: Targets of its links.
        errors: The texts of Drive's error captions, in order.
        asks_password: Whether it has a field for a password or sends a form to a sign-in address.
        json_url: The value of ``"downloadUrl"`` in a script, if there is one.
    """

    title: str = ""
    form_action: str | None = None
    form_fields: dict[str, str] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    asks_password: bool = False
    json_url: str | None = None


class _Reader(HTMLParser):
    """Fills a :class:`Page` from HTML."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()
        self._in_form = False
        self._text_of: str | None = None
        self._text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open_form(values)
        elif tag == "input":
            self._field(values)
        elif tag == "a":
            self.page.links.append(values.get("href", ""))
        elif tag == "title" or (tag == "p" and set(values.get("class", "").split()) & set(_QUOTA_CLASSES)):
            self._text_of, self._text = tag, []

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._in_form = False
        if tag != self._text_of:
            return
        text = plain_text("".join(self._text))
        if tag == "p":
            self.page.errors.append(text)
        elif not self.page.title:
            self.page.title = text
        self._text_of = None

    def handle_data(self, data: str) -> None:
        if self._text_of:
            self._text.append(data)

    def _open_form(self, values: Mapping[str, str]) -> None:
        action = values.get("action", "")
        self.page.asks_password |= is_sign_in(action)
        if values.get("id") == _DOWNLOAD_FORM:
            self._in_form = True
            self.page.form_action = action

    def _field(self, values: Mapping[str, str]) -> None:
        kind = values.get("type", "").lower()
        self.page.asks_password |= kind == "password"
        if self._in_form and kind == "hidden" and "name" in values:
            self.page.form_fields[values["name"]] = values.get("value", "")


def read_page(text: str) -> Page:
    """Return what an HTML page says."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    found = _JSON_URL.search(text)
    if found:
        reader.page.json_url = found[1].replace("\\u003d", "=").replace("\\u0026", "&").replace("\\/", "/")
    return reader.page


def way_on(page: Page) -> str | None:
    """Return the address under which a page offers the file, relative to the page, or ``None``.

    A form is submitted as a browser would submit a GET form, with the query that its action may already have.
    The forms of 2023, which were posted, carried everything in their action, so the same is right for them.
    """
    if page.form_action is not None and (parts := _parted(page.form_action)):
        query = urlencode({**dict(parse_qsl(parts.query, keep_blank_values=True)), **page.form_fields})
        return parts._replace(query=query, fragment="").geturl()
    for link in page.links:
        parts = _parted(link)
        if parts and parts.path.endswith("/uc") and dict(parse_qsl(parts.query)).get("export") == "download":
            return link
    return page.json_url


def is_sign_in(address: str) -> bool:
    """Say whether an address is a page where one signs in, by its path."""
    parts = _parted(address)
    return parts is not None and bool(_SIGN_IN_PATH.search(parts.path))


def _parted(address: str) -> SplitResult | None:
    """Return the parts of an address that anybody may have written; ``None`` where it is none."""
    try:
        return urlsplit(address)
    except ValueError:
        return None


def plain_text(text: str, limit: int = 300) -> str:
    """Return a server's text as one printable line of at most ``limit`` characters.

    What a server sends must not be able to move the cursor or change colours in the user's terminal.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def sign_in() -> SourceError:
    """Return what to raise where a host asks for a sign-in."""
    return SourceError(SIGN_IN, meaning=failures.CLOSED)


def of_status(status: int, url: str, head: bytes, retry_after: float | None = None) -> SourceError:
    """Return what to raise for a status that brings no file.

    Args:
        status: The HTTP status.
        url: The URL that was asked first; its Drive id may explain a 404.
        head: The first bytes of the body; they may say more than the status.
        retry_after: Seconds after which the host wants to be asked again, if it has said so.
    """
    passing = status >= 500 or status in PASSING
    if looks_like_xml(head):
        of_body = of_xml(head)
        meaning = failures.BUSY if passing else of_body.meaning
        return SourceError(
            f"{_phrase(status)}: {of_body}", meaning=meaning, passing=passing, retry_after=retry_after
        )
    unknown = ("the host has a fault", failures.BUSY) if passing else ("no file came", failures.NOT_THE_FILE)
    reason, meaning = STATUS_REASONS.get(status, unknown)
    if status == HTTPStatus.NOT_FOUND and _has_legacy_drive_id(url):
        reason += ", or its old Drive id needs a resource key that is not known"
    if b"automated queries" in head:
        reason = "the host takes this network for a robot: try again later or from another network"
        meaning = failures.BUSY
    reason = f"{_phrase(status)}: {reason}"
    return SourceError(reason, meaning=meaning, passing=passing, retry_after=retry_after)


def of_page(page: Page) -> SourceError:
    """Return what to raise for a page that offers no way on to the file."""
    if page.errors:
        return SourceError(f"the host's page says: {' '.join(page.errors)}", meaning=failures.QUOTA)
    if page.asks_password:
        return sign_in()
    reason = f"an HTML page titled '{page.title}' came instead of the file"
    return SourceError(reason, meaning=failures.NOT_THE_FILE)


def of_head(head: bytes, signature: bytes) -> SourceError | None:
    """Return what to raise for a body that is no file with a signature.

    Args:
        head: The first bytes of the body, 8 or more unless the body is shorter.
        signature: What the file must begin with; empty where nothing is known.
    """
    if signature and head.startswith(signature):
        return None
    if looks_like_xml(head):
        return of_xml(head)
    reason = _of_text(head) or (_not_hdf5(head) if signature else None)
    return SourceError(reason, meaning=failures.NOT_THE_FILE) if reason else None


def _of_text(head: bytes) -> str | None:
    if not head:
        return "an empty body came instead of the file"
    if pointer := _LFS_POINTER.match(head):
        return (
            "a git-lfs pointer came instead of the file: it stands for "
            f"sha256:{pointer[1].decode()} ({int(pointer[2])} bytes), which lies elsewhere"
        )
    return None


def _not_hdf5(head: bytes) -> str:
    if head.lstrip()[:1] in (b"{", b"["):
        return "a JSON text came instead of the file"
    return f"what came is no HDF5 file: it begins with {head[:8]!r}"


def of_xml(head: bytes) -> SourceError:
    """Return what to raise for an XML error of a storage host."""
    found = [pattern.search(head) for pattern in (_XML_CODE, _XML_MESSAGE)]
    said = ": ".join(plain_text(match[1].decode("utf-8", "replace")) for match in found if match)
    if "expired" in said:
        reason = f"an expired signed link: XML ({said}) came instead of the file"
    else:
        reason = f"XML ({said or 'without an error code'}) came instead of the file"
    return SourceError(reason, meaning=failures.NOT_THE_FILE)


def looks_like_html(head: bytes, content_type: str) -> bool:
    """Say whether a body is an HTML page, by its beginning or by what its sender calls it."""
    start = head[:1024].lstrip(_BLANK).lower()
    if content_type.lower().startswith("text/html"):
        return start.startswith(b"<")
    return start.startswith((b"<!doctype html", b"<html"))


def looks_like_xml(head: bytes) -> bool:
    """Say whether a body begins as the XML of a storage host does."""
    return head.lstrip(_BLANK).startswith((b"<?xml", b"<Error>"))


def _phrase(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _has_legacy_drive_id(url: str) -> bool:
    ids = parse_qs(urlsplit(url).query).get("id", [])
    return any(_LEGACY_DRIVE_ID.fullmatch(file_id) for file_id in ids)
