"""Pages in place of a file are recognised by what stands in them."""

from __future__ import annotations

import pytest

from zoo.download import pages
from zoo.download.failures import SourceError
from zoo.download.pages import is_sign_in, plain_text, read_page, way_on
from zoo.practice.server import page

FORM_PAGE = page(
    "Google Drive - Virus scan warning",
    '<form><input type="hidden" name="not" value="this one"></form>'
    '<form id="download-form" action="{action}" method="get"><input type="submit" name="go" value="Go"/>'
    '<input type="hidden" name="id" value="0B&amp;1"><input type="hidden" name="export" value="download">'
    '<input type="hidden" name="confirm" value="t"><input type="hidden" name="uuid" value="1-2">'
    '<input type="hidden" name="at" value="token:17"></form><input type="hidden" name="after" value="it">',
)


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("https://other.example/download", "https://other.example/download?"),
        ("/download", "/download?"),
        ("", "?"),
        ("download?authuser=0#part", "download?authuser=0&"),
    ],
)
def test_the_form_leads_on_with_all_its_hidden_fields(action: str, expected: str) -> None:
    """Only the hidden fields of the form itself are sent, in order, after what its action already says."""
    fields = "id=0B%261&export=download&confirm=t&uuid=1-2&at=token%3A17"
    assert way_on(read_page(FORM_PAGE.replace("{action}", action))) == expected + fields


def test_a_form_without_uuid_leads_on_too() -> None:
    """Which fields there are is the page's business."""
    text = page(
        "Warning", '<form id="download-form" action="/d"><input type=hidden name=confirm value=t></form>'
    )
    assert way_on(read_page(text)) == "/d?confirm=t"


def test_the_link_of_older_pages_leads_on() -> None:
    """Until 2022 the page had a link with a code for ``confirm``."""
    links = '<a href="/open?id=1">x</a><a href="/uc?export=download&amp;confirm=Ab1&amp;id=1">y</a>'
    assert way_on(read_page(page("Warning", links))) == "/uc?export=download&confirm=Ab1&id=1"


def test_the_address_in_a_script_leads_on() -> None:
    """Some pages name the file in JSON, with ``=`` and ``&`` escaped."""
    script = r'<script>x = {"downloadUrl":"https:\/\/h.example\/d?id\u003d1\u0026e\u003d2"}</script>'
    assert way_on(read_page(page("Viewer", script))) == "https://h.example/d?id=1&e=2"


def test_an_ordinary_page_leads_nowhere() -> None:
    """A page without any of these is called by its title."""
    read = read_page(page(" A  repository\n&middot; here ", '<a href="/elsewhere">x</a>'))
    assert way_on(read) is None
    assert str(pages.of_page(read)) == "an HTML page titled 'A repository · here' came instead of the file"


def test_a_quota_page_is_quoted() -> None:
    """The reason is the page's own text."""
    text = page(
        "Quota",
        '<p class="uc-error-caption">Not now.</p><p class="big uc-error-subcaption">Wait <b>a</b> day.</p>',
    )
    assert str(pages.of_page(read_page(text))) == "the host's page says: Not now. Wait a day."


@pytest.mark.parametrize(
    "body", ['<form action="https://a.example/v3/signin/x"></form>', '<input type="PASSWORD" name="p">']
)
def test_a_sign_in_page_is_recognised(body: str) -> None:
    """A page that wants a password, or leads to where one is asked for."""
    assert str(pages.of_page(read_page(page("Welcome", body)))) == pages.SIGN_IN


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://accounts.example/ServiceLogin?service=wise", True),
        ("/accounts/login", True),
        ("https://a.example/v3/signin/identifier", True),
        ("https://a.example/download?continue=/ServiceLogin", False),
        ("https://a.example/signings/file.h5", False),
    ],
)
def test_sign_in_addresses_are_told_by_their_path(address: str, expected: bool) -> None:
    """Whose host it is does not matter."""
    assert is_sign_in(address) is expected


def test_text_from_servers_is_made_harmless() -> None:
    """No control characters, one line, no more than asked for."""
    assert plain_text("a\x1b[31m b\n\tc\u202e") == "a [31m b c"
    assert plain_text("word " * 100, 12) == "word word w…"


@pytest.mark.parametrize(
    ("status", "head", "expected"),
    [
        (401, b"", f"401 Unauthorized: {pages.SIGN_IN}"),
        (403, b"<html>x", "403 Forbidden: the host refuses access to the file"),
        (
            403,
            b"<p>.. but your network may be sending automated queries",
            "403 Forbidden: the host takes this network for a robot: try again later or from another network",
        ),
        (404, b"", "404 Not Found: the host has no such file"),
        (410, b"", "410 Gone: the file was removed for good"),
        (429, b"", "429 Too Many Requests: the host asks to try again later"),
        (500, b"", "500 Internal Server Error: the host has a fault"),
        (204, b"", "204 No Content: no file came"),
        (299, b"", "299: no file came"),
    ],
)
def test_statuses_have_reasons(status: int, head: bytes, expected: str | None) -> None:
    """Each status that is no file says what that means."""
    assert str(pages.of_status(status, "https://files.example/x", head)) == expected


def test_a_missing_file_with_an_old_drive_id_may_lack_its_key() -> None:
    """Ids that begin with 0B need a resource key since 2021; without it they are not found."""
    reason = pages.of_status(404, "https://d.example/uc?export=download&id=0Byy2AcGyEVxfSTA4SHJVOHNuTXc", b"")
    assert str(reason) == (
        "404 Not Found: the host has no such file, or its old Drive id needs a resource key that is not known"
    )


def told(error: SourceError | None) -> str | None:
    """Return the message of an error, if there is one."""
    return None if error is None else str(error)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (pages.HDF5_SIGNATURE + b"rest", None),
        (b"", "an empty body came instead of the file"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><a/>", "XML (without an error code) came instead of the file"),
        (b"<Error><Code>NoSuchKey</Code></Error>", "XML (NoSuchKey) came instead of the file"),
        (b" [1, 2]", "a JSON text came instead of the file"),
        (b"PK\x03\x04....", "what came is no HDF5 file: it begins with b'PK\\x03\\x04....'"),
    ],
)
def test_what_is_no_hdf5_file_is_named(head: bytes, expected: str | None) -> None:
    """The first bytes tell what came."""
    assert told(pages.of_head(head, pages.HDF5_SIGNATURE)) == expected


@pytest.mark.parametrize(
    ("head", "expected"), [(b'{"0": 1}', None), (b"", "an empty body came instead of the file")]
)
def test_without_a_signature_any_content_may_be_the_file(head: bytes, expected: str | None) -> None:
    """A class index is JSON; only what can never be a file is refused."""
    assert told(pages.of_head(head, b"")) == expected
