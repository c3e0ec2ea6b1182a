"""Pages that a file host sends in place of a file, above all Google Drive's.

A page is recognised by what stands in it, never by who sent it. Some lead on to the file: the virus-scan
warning with its form, and the older pages with a link or a JSON field. Others say why there is no file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlencode, urlsplit

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
    if page.form_action is not None:
        parts = urlsplit(page.form_action)
        query = urlencode({**dict(parse_qsl(parts.query, keep_blank_values=True)), **page.form_fields})
        return parts._replace(query=query, fragment="").geturl()
    for link in page.links:
        parts = urlsplit(link)
        if parts.path.endswith("/uc") and dict(parse_qsl(parts.query)).get("export") == "download":
            return link
    return page.json_url


def is_sign_in(address: str) -> bool:
    """Say whether an address is a page where one signs in, by its path."""
    return bool(_SIGN_IN_PATH.search(urlsplit(address).path))


def plain_text(text: str, limit: int = 300) -> str:
    """Return a server's text as one printable line of at most ``limit`` characters.

    What a server sends must not be able to move the cursor or change colours in the user's terminal.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
