"""Hosts that misbehave: the practice server with one fault at a time laid over its answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from zoo import practice
from zoo.practice import overlay
from zoo.practice.server import (
    Answer,
    PracticeServer,
    Request,
    Slice,
    expired_link,
    html_answer,
    not_found,
    page,
)

Fault = Callable[["FaultyServer", Request, Answer], Answer]

DRIVE_URL = "https://drive.google.com/uc?export=download&id=0Byy2AcGyEVxfSTA4SHJVOHNuTXc"
RELEASE_URL = "https://github.com/owner/repo/releases/download/v0.1/weights_tf.h5"
PLAIN_URL = "https://files.example.org/folder/class_index.json"

QUOTA_TEXT = "Sorry, this file was fetched too often. Come back in a day."


class FaultyServer(PracticeServer):
    """A practice server that spoils the answers of its content host, or all answers, with one fault.

    Attributes:
        requests: Every request that came, in order.
        fault: What is done to an answer; ``None`` for an honest server.
    """

    def __init__(
        self, files: Mapping[str, Path], fault: Fault | None = None, *, scan_limit_bytes: int = 10**8
    ) -> None:
        super().__init__(files, scan_limit_bytes=scan_limit_bytes)
        self.fault = fault
        self.requests: list[Request] = []

    def answer(self, request: Request) -> Answer:
        """Return the honest answer, spoiled by the fault if there is one."""
        self.requests.append(request)
        honest = super().answer(request)
        return self.fault(self, request, honest) if self.fault else honest


def body_of(answer: Answer) -> bytes:
    """Return the bytes of an answer."""
    if isinstance(answer.body, Slice):
        return answer.body.path.read_bytes()[answer.body.start : answer.body.stop]
    return answer.body


def _on_files(spoil: Callable[[bytes, Mapping[str, str]], Answer]) -> Fault:
    """Return a fault that replaces only whole files, so that redirects and pages stay honest."""

    def fault(server: FaultyServer, request: Request, answer: Answer) -> Answer:
        return spoil(body_of(answer), answer.headers) if isinstance(answer.body, Slice) else answer

    return fault


def _instead(answer: Answer) -> Fault:
    """Return a fault that sends something else than the file."""
    return _on_files(lambda body, headers: answer)


def _with_body(body: bytes, headers: Mapping[str, str], **changed: str) -> Answer:
    return Answer(status=HTTPStatus.OK, headers={**headers, **changed}, body=body)


def _without_length(body: bytes, headers: Mapping[str, str]) -> Answer:
    kept = {name: value for name, value in headers.items() if name != "Content-Length"}
    return Answer(status=HTTPStatus.OK, headers=kept, body=body)


def text_answer(text: bytes, content_type: str = "text/plain") -> Answer:
    """Return an honest answer with another text as its body."""
    headers = {"Content-Type": content_type, "Content-Length": str(len(text))}
    return Answer(status=HTTPStatus.OK, headers=headers, body=text)


def status_answer(status: HTTPStatus, text: str = "Something is wrong.") -> Answer:
    """Return a page with an error status."""
    return html_answer(page(status.phrase, f"<p>{text}</p>"), status)


flipped_byte = _on_files(lambda body, headers: _with_body(body[:-1] + bytes([body[-1] ^ 1]), headers))
"""The last byte of the file differs in one bit."""

truncated = _on_files(lambda body, headers: _with_body(body[: len(body) // 2], headers))
"""The connection ends after half of the file; Content-Length is that of the whole."""

shorter = _on_files(
    lambda body, headers: _with_body(body[:-9], headers, **{"Content-Length": str(len(body) - 9)})
)
"""A file of another size, announced as such."""

longer_than_stated = _on_files(lambda body, headers: _with_body(body + b"more", headers))
"""More bytes than Content-Length announces."""

longer_unannounced = _on_files(lambda body, headers: _without_length(body + b"more", headers))
"""More bytes than the file has, with no Content-Length."""

unannounced = _on_files(_without_length)
"""The right file with no Content-Length; the end of the connection is its end."""

gzipped = _on_files(lambda body, headers: _with_body(body, headers, **{"Content-Encoding": "gzip"}))
"""A body that is said to be compressed."""

html_page = _instead(html_answer(page("Repository &middot; owner", "<p>Sign up for news!</p>")))
"""A page of a web site with status 200."""

quota_page = _instead(
    html_answer(
        page(
            "Google Drive - Quota exceeded",
            '<div class="uc-main"><p class="uc-error-caption">Not available.</p>'
            f'<p class="uc-error-subcaption">{QUOTA_TEXT}</p></div>',
        )
    )
)
"""Drive's page for a file that too many have fetched."""

lfs_pointer = _instead(
    text_answer(
        b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"ab" * 32 + b"\nsize 33552480\n"
    )
)
"""What a raw link gives for a file that lies in git-lfs."""

expired = _instead(expired_link())
"""A storage host's XML for a signed link after its time, with status 403."""

expired_with_200 = _instead(text_answer(body_of(expired_link()), "application/xml"))
"""The same XML, with status 200."""

empty = _instead(text_answer(b""))
"""Nothing at all."""

json_text = _instead(text_answer(b'{"error": "no"}', "application/json"))
"""JSON in place of the file."""

other_binary = _instead(text_answer(b"PK\x03\x04 and so on", "application/octet-stream"))
"""A file of another kind."""

missing = _instead(not_found())
"""The file is gone."""


def with_status(status: HTTPStatus, text: str = "Something is wrong.") -> Fault:
    """Return a fault that answers with an error page."""
    return _instead(status_answer(status, text))


def redirect_to(location: str) -> Fault:
    """Return a fault that redirects from the file to somewhere else."""
    headers = {"Location": location, "Content-Type": "text/html", "Content-Length": "0"}
    return _instead(Answer(status=HTTPStatus.FOUND, headers=headers))


def redirect_to_itself(server: FaultyServer, request: Request, answer: Answer) -> Answer:
    """Answer every request with a redirect to the same address."""
    headers = {"Location": request.target, "Content-Length": "0"}
    return Answer(status=HTTPStatus.FOUND, headers=headers)


def sign_in(server: FaultyServer, request: Request, answer: Answer) -> Answer:
    """Redirect from the file to a sign-in page, as Drive does for a private file."""
    if request.path == "/ServiceLogin":
        return html_answer(page("Welcome", "<script>/* the form is drawn by a script */</script>"))
    if isinstance(answer.body, Slice):
        location = f"{server.origin()}/ServiceLogin?service=wise&continue={urlsplit(DRIVE_URL).path}"
        return replace(
            answer, status=HTTPStatus.FOUND, headers={"Location": location, "Content-Length": "0"}, body=b""
        )
    return answer


def sign_in_page(server: FaultyServer, request: Request, answer: Answer) -> Answer:
    """Send the sign-in page itself, with status 200."""
    if isinstance(answer.body, Slice):
        return html_answer(
            page("Sign in", '<form action="/v3/signin/identifier"><input type="email"></form>')
        )
    return answer


@contextmanager
def practice_hosts(published: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    """Lead the registry to hosts of a practice zoo, and yield them; they are honest until given a fault."""
    servers: list[FaultyServer] = []

    def server(files: dict[str, Path]) -> FaultyServer:
        servers.append(FaultyServer(files))
        return servers[-1]

    monkeypatch.setattr(overlay, "PracticeServer", server)
    with practice.serve(published) as served:
        monkeypatch.setenv("ZOO_REGISTRY", str(served.registry))
        yield servers[0]
