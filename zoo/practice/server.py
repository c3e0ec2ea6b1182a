"""A real web server on the loopback address that plays Google Drive and GitHub releases.

It answers with the status codes, headers and pages that these hosts were seen to send, from files on disk, so
that the whole way from a URL to a verified file can be walked without a network. Two ports stand for the two
hosts of each service: the one that people link to, and the one that holds the bytes.

What an answer is, is decided by :meth:`PracticeServer.answer`, a plain function from a request to an
:class:`Answer`; the rest only carries answers over the wire.
"""

from __future__ import annotations

import html
import secrets
import socket
import sys
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Literal
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from zoo.errors import ArgumentError
from zoo.practice.crc32c import goog_hash

Host = Literal["front", "content"]
_Socket = socket.socket | tuple[bytes, socket.socket]
_Address = tuple[str, int] | str

SCAN_LIMIT_BYTES = 100_000_000  # about where Drive stops scanning plain files and sends the warning page

_DRIVE_FRONT = "/uc"
_DRIVE_CONTENT = "/download"
_ASSET_FOLDER = "/github-production-release-asset"
_HTML = "text/html; charset=utf-8"
_BINARY = "application/octet-stream"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a client asked for.

    Attributes:
        host: Which of the two ports was asked.
        path: Path of the URL, without the query.
        query: Fields of the query.
        headers: Headers by lower-case name.
    """

    host: Host
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    method: str = "GET"

    @property
    def target(self) -> str:
        """Path and query, as they stand in a URL."""
        return self.path + (f"?{urlencode(self.query)}" if self.query else "")


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Bytes ``start`` to ``stop`` (exclusive) of a file on disk."""

    path: Path
    start: int
    stop: int


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the server says: a status, headers, and bytes or a part of a file.

    ``Content-Length`` is one of the headers, so that a test can make it disagree with the body.
    """

    status: HTTPStatus
    headers: Mapping[str, str]
    body: bytes | Slice = b""


@dataclass
class _Running:
    """One listening socket and the thread that serves it."""

    server: _Server
    thread: threading.Thread

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"


class PracticeServer:
    """Serves files on loopback under the paths of their published URLs, as the hosts of those URLs would.

    A URL with ``/uc`` as its path is played as Google Drive, one with ``/releases/download/`` as a GitHub
    release, any other as a plain file. Use it as a context manager::

        with PracticeServer({"https://drive.google.com/uc?export=download&id=ID": path}) as server:
            requests.get(server.local("https://drive.google.com/uc?export=download&id=ID"))

    Args:
        files: Files on disk by published URL.
        scan_limit_bytes: Drive files larger than this get the virus-scan warning first.

    Raises:
        ArgumentError: Two URLs have the same path, which one server cannot tell apart.
    """

    def __init__(self, files: Mapping[str, Path], *, scan_limit_bytes: int = SCAN_LIMIT_BYTES) -> None:
        self._scan_limit_bytes = scan_limit_bytes
        self._drive: dict[str, Path] = {}
        self._assets: dict[str, Path] = {}
        self._plain: dict[str, Path] = {}
        for url, path in files.items():
            self.place(url, path)
        self._signatures: dict[str, str] = {}
        self._confirmations: dict[str, str] = {}
        self._running: dict[Host, _Running] = {}

    def place(self, url: str, path: Path) -> None:
        """Serve one more file.

        Args:
            url: Where it was published.
            path: Where it lies on disk.

        Raises:
            ArgumentError: Another file is served under the same path.
        """
        parts = urlsplit(url)
        if parts.path == _DRIVE_FRONT:
            shelf, key = self._drive, dict(parse_qsl(parts.query)).get("id", "")
        elif "/releases/download/" in parts.path:
            shelf, key = self._assets, parts.path
        else:
            shelf, key = self._plain, parts.path
        if shelf.setdefault(key, path) != path:
            raise ArgumentError(f"{url}: the practice server already has another file under {key}")

    # Life.

    def __enter__(self) -> PracticeServer:
        """Listen on two free ports of 127.0.0.1, each served by a thread of its own."""
        for host in ("front", "content"):
            server = _Server(self, host)
            thread = threading.Thread(target=server.serve_forever, args=(0.02,), name=f"practice {host}")
            self._running[host] = _Running(server, thread)
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening, hang up on every client and wait until all threads have ended."""
        for running in self._running.values():
            running.server.shutdown()
            running.server.hang_up()
            running.server.server_close()
            running.thread.join()
        self._running.clear()

    def origin(self, host: Host = "front") -> str:
        """Return ``http://127.0.0.1:PORT`` of one of the two hosts."""
        return self._running[host].origin

    def local(self, url: str) -> str:
        """Return the address under which this server plays a published URL."""
        parts = urlsplit(url)
        return self.origin() + parts.path + (f"?{parts.query}" if parts.query else "")

    # Answers.

    def answer(self, request: Request) -> Answer:
        """Return what the host in question answers to a request."""
        if request.host == "front":
            return self._front(request)
        return self._content(request)

    def _front(self, request: Request) -> Answer:
        if request.path == _DRIVE_FRONT:
            return self._drive_redirect(request)
        if request.path in self._assets:
            return self._asset_redirect(request)
        if request.path in self._plain:
            path = self._plain[request.path]
            return file_answer(request, path, {"Content-Type": _plain_type(path), "ETag": _etag(path)})
        return not_found()

    def _content(self, request: Request) -> Answer:
        if request.path == _DRIVE_CONTENT:
            return self._drive_content(request)
        return self._asset(request)

    def _drive_redirect(self, request: Request) -> Answer:
        # `confirm` is not carried over to the content host, and `export` only when it was asked for.
        kept = {key: request.query[key] for key in ("id", "export") if key in request.query}
        location = f"{self.origin('content')}{_DRIVE_CONTENT}?{urlencode(kept)}"
        return redirect(HTTPStatus.SEE_OTHER, location, "application/binary")

    def _drive_content(self, request: Request) -> Answer:
        file_id = request.query.get("id", "")
        path = self._drive.get(file_id)
        if path is None:
            return not_found()
        if path.stat().st_size > self._scan_limit_bytes and not self._confirmed(request.query):
            self._confirmations.setdefault(file_id, str(uuid.uuid4()))
            action = f"{self.origin('content')}{_DRIVE_CONTENT}"
            return html_answer(scan_warning_page(file_id, path, action, self._confirmations[file_id]))
        headers = {
            "Content-Type": _BINARY,
            "Content-Disposition": _attachment(path.name),
            "X-GUploader-UploadID": secrets.token_urlsafe(24),
            "Access-Control-Allow-Origin": "*",
            "Cache-Control": "private, max-age=0",
        }
        checksum = _goog_hash(path, path.stat().st_size, path.stat().st_mtime_ns)
        return file_answer(request, path, headers | ({"X-Goog-Hash": checksum} if checksum else {}))

    def _confirmed(self, query: Mapping[str, str]) -> bool:
        known = self._confirmations.get(query.get("id", ""))
        return query.get("confirm") == "t" and known is not None and query.get("uuid") == known

    def _asset_redirect(self, request: Request) -> Answer:
        name = PurePosixPath(request.path).name
        signature = self._signatures.setdefault(request.path, secrets.token_urlsafe(32))
        query = urlencode(
            {
                "sp": "r",
                "sr": "b",
                "rscd": f"attachment; filename={name}",
                "rsct": _BINARY,
                "sig": signature,
                "response-content-disposition": f"attachment; filename={name}",
                "response-content-type": _BINARY,
            }
        )
        location = f"{self.origin('content')}{_ASSET_FOLDER}{request.path}?{query}"
        return redirect(HTTPStatus.FOUND, location, _HTML)

    def _asset(self, request: Request) -> Answer:
        published = request.path.removeprefix(_ASSET_FOLDER)
        path = self._assets.get(published)
        if path is None:
            return not_found()
        if request.query.get("sig") != self._signatures.get(published):
            return expired_link()
        headers = {
            "Content-Type": _BINARY,
            "ETag": _etag(path),
            "Content-Disposition": f"attachment; filename={PurePosixPath(published).name}",
            "Server": "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0",
            "Via": "1.1 varnish, 1.1 varnish",
        }
        return file_answer(request, path, headers)


def redirect(status: HTTPStatus, location: str, content_type: str) -> Answer:
    """Return a redirect without a body."""
    headers = {"Location": location, "Content-Type": content_type, "Content-Length": "0"}
    return Answer(status=status, headers=headers)


def page(title: str, body: str) -> str:
    """Return an HTML page in one line, as the pages of Google Drive are."""
    return f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{body}</body></html>"


def html_answer(text: str, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    """Return a page; Drive's warnings and refusals come with status 200."""
    body = text.encode()
    return Answer(status=status, headers={"Content-Type": _HTML, "Content-Length": str(len(body))}, body=body)


def not_found() -> Answer:
    """Return the 404 page of a host that does not have the file."""
    return html_answer(page("Error 404 (Not Found)", "<p>Nothing is here.</p>"), HTTPStatus.NOT_FOUND)


def expired_link() -> Answer:
    """Return what a storage host says to a signed address after its time."""
    body = (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code>'
        b"<Message>Request has expired</Message><X-Amz-Expires>300</X-Amz-Expires></Error>"
    )
    headers = {"Content-Type": "application/xml", "Content-Length": str(len(body))}
    return Answer(status=HTTPStatus.FORBIDDEN, headers=headers, body=body)


def scan_warning_page(file_id: str, path: Path, action: str, confirmation: str) -> str:
    """Return Drive's page for a file too large to be scanned, with the form that leads on to the file."""
    fields = {"id": file_id, "export": "download", "authuser": "0", "confirm": "t", "uuid": confirmation}
    fields["at"] = f"{secrets.token_urlsafe(16)}:1700000000000"
    hidden = "".join(f'<input type="hidden" name="{k}" value="{html.escape(v)}">' for k, v in fields.items())
    name = f'<a href="/open?id={html.escape(file_id)}">{html.escape(path.name)}</a>'
    size = f"{path.stat().st_size // 1_000_000}M"
    return page(
        "Google Drive - Virus scan warning",
        '<div class="uc-main"><div id="uc-dl-icon" class="image-container"></div><div id="uc-text">'
        '<p class="uc-warning-caption">No virus scan was made of this practice file.</p>'
        f'<p class="uc-warning-subcaption"><span class="uc-name-size">{name} ({size})</span>'
        " is larger than what is scanned. Download it all the same?</p>"
        f'<form id="download-form" action="{html.escape(action)}" method="get">'
        '<input type="submit" id="uc-download-link" class="goog-inline-block jfk-button jfk-button-action"'
        f' value="Download anyway"/>{hidden}</form></div></div>'
        '<div class="uc-footer"><hr class="uc-footer-divider"></div>',
    )


def file_answer(request: Request, path: Path, headers: Mapping[str, str]) -> Answer:
    """Return a file, or the part of it that a ``Range`` header asks for.

    A range is honoured only while ``If-Range``, if sent, still names this state of the file.
    """
    size = path.stat().st_size
    common = {**headers, "Last-Modified": _modified(path), "Accept-Ranges": "bytes"}
    wanted = _byte_range(request.headers, common, size)
    if wanted is None:
        common["Content-Length"] = str(size)
        return Answer(status=HTTPStatus.OK, headers=common, body=Slice(path=path, start=0, stop=size))
    start, stop = wanted
    if start >= size:
        common |= {"Content-Range": f"bytes */{size}", "Content-Length": "0"}
        return Answer(status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=common)
    common |= {"Content-Range": f"bytes {start}-{stop - 1}/{size}", "Content-Length": str(stop - start)}
    return Answer(
        status=HTTPStatus.PARTIAL_CONTENT, headers=common, body=Slice(path=path, start=start, stop=stop)
    )


def _byte_range(asked: Mapping[str, str], offered: Mapping[str, str], size: int) -> tuple[int, int] | None:
    unit, _, numbers = asked.get("range", "").partition("=")
    first, dash, last = numbers.partition("-")
    if unit != "bytes" or not dash or not first.isdigit() or (last and not last.isdigit()):
        return None
    if asked.get("if-range", "") not in ("", offered.get("ETag"), offered["Last-Modified"]):
        return None
    return int(first), min(int(last) + 1, size) if last else size


@lru_cache(maxsize=64)
def _goog_hash(path: Path, size: int, modified_ns: int) -> str | None:
    # Size and time are arguments so that a file that changes is read again.
    return goog_hash(path)


def _etag(path: Path) -> str:
    status = path.stat()
    return f'"0x{(status.st_mtime_ns ^ status.st_size):015X}"'


def _modified(path: Path) -> str:
    return formatdate(path.stat().st_mtime, usegmt=True)


def _attachment(name: str) -> str:
    return f"attachment; filename=\"{name}\"; filename*=UTF-8''{quote(name)}"


def _plain_type(path: Path) -> str:
    return "application/json" if path.suffix == ".json" else _BINARY


class _Server(ThreadingHTTPServer):
    """One listening socket; knows its clients so that it can hang up on them."""

    daemon_threads = False
    request_queue_size = 64

    def __init__(self, owner: PracticeServer, host: Host) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.owner = owner
        self.host = host
        self._clients: set[socket.socket] = set()
        self._guard = threading.Lock()

    def process_request(self, request: _Socket, client_address: _Address) -> None:
        with self._guard:
            if isinstance(request, socket.socket):
                self._clients.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: _Socket) -> None:
        with self._guard:
            if isinstance(request, socket.socket):
                self._clients.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Wake every thread that waits for a client's next request."""
        with self._guard:
            for client in self._clients:
                with _gone_clients_ignored():
                    client.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: _Socket, client_address: _Address) -> None:
        # Called from an `except` block; only what is no client's doing is worth a traceback.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def _gone_clients_ignored() -> Iterator[None]:
    try:
        yield
    except OSError:
        return  # the client closed its end first: nothing is left to be hung up


class _Handler(BaseHTTPRequestHandler):
    """Carries one client's requests to the owner and its answers back."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        answer = self.server.owner.answer(self._request())
        self._send_head(answer)
        if self.command == "GET":
            self._send_body(answer)

    do_HEAD = do_GET  # noqa: N815 (the name is http.server's)

    def _request(self) -> Request:
        parts = urlsplit(self.path)
        return Request(
            host=self.server.host,
            path=parts.path,
            query=dict(parse_qsl(parts.query)),
            headers={name.lower(): value for name, value in self.headers.items()},
            method=self.command,
        )

    def _send_head(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.headers.get("Content-Length") is None:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()

    def _send_body(self, answer: Answer) -> None:
        if isinstance(answer.body, bytes):
            self.wfile.write(answer.body)
            sent = len(answer.body)
        else:
            sent = answer.body.stop - answer.body.start
            with answer.body.path.open("rb") as file:
                if sent:
                    self.connection.sendfile(file, answer.body.start, sent)
        if str(sent) != answer.headers.get("Content-Length"):
            self.close_connection = True  # the client must see that nothing more will come

    def send_response(self, code: int, message: str | None = None) -> None:
        self.log_request(code)
        self.send_response_only(code, message)
        self.send_header("Date", self.date_time_string())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: standard error belongs to whoever runs the server."""
