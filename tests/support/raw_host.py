"""A host whose every byte a test decides: for faults below HTTP, and answers that no library sends."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from types import TracebackType

from tests.support.downloads import BODY, SIZE

MODIFIED = formatdate(1_500_000_000, usegmt=True)


@dataclass(frozen=True)
class Call:
    """One request, and the means to answer it.

    Attributes:
        headers: Its headers, by lower-case name.
        connection: What it came over.
    """

    headers: dict[str, str]
    connection: socket.socket

    @property
    def start(self) -> int:
        """The first byte that was asked for."""
        return int(self.headers.get("range", "bytes=0-")[6:].rstrip("-"))

    def send(self, *parts: bytes) -> None:
        """Send bytes."""
        self.connection.sendall(b"".join(parts))

    def reset(self) -> None:
        """End the connection as a machine does that has lost its memory of it."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def wait_for_the_end(self) -> None:
        """Say nothing more until the client hangs up."""
        while self.connection.recv(1024):
            pass


Script = Callable[[Call], None]


class RawHost:
    """Listens on loopback; each request is answered by the next script, the last one forever.

    Attributes:
        calls: The headers of every request, in order.
    """

    def __init__(self, *scripts: Script) -> None:
        self._scripts = scripts
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, name="raw host")
        self.calls: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        """An address of this host."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/folder/weights.h5"

    def __enter__(self) -> RawHost:
        """Begin to listen."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, after the call that is being answered."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # told to stop
            with connection:
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            piece = connection.recv(4096)
            if not piece:
                return
            request += piece
        lines = request.decode().split("\r\n")[1:-2]
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        self.calls.append(headers)
        script = self._scripts[min(len(self.calls), len(self._scripts)) - 1]
        try:
            script(Call(headers, connection))
        except ConnectionError:
            return  # the client has had enough


def head(status: str = "200 OK", **headers: str | int | None) -> bytes:
    """Return the head of an answer with an ETag; ``Content_Length=None`` leaves a header out."""
    fields = {
        "ETag": '"v1"',
        "Last_Modified": MODIFIED,
        "Content_Length": SIZE,
        "Connection": "close",
        **headers,
    }
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items() if value is not None]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


def whole(call: Call) -> None:
    """Send the file, whatever was asked for."""
    call.send(head(), BODY)


def half(call: Call) -> None:
    """Send half of the file, and hang up."""
    call.send(head(), BODY[: SIZE // 2])


def rest(call: Call) -> None:
    """Do as a range asks, as a good host does."""
    start = call.start
    span = f"bytes {start}-{SIZE - 1}/{SIZE}"
    call.send(head("206 Partial Content", Content_Length=SIZE - start, Content_Range=span), BODY[start:])


def honest(call: Call) -> None:
    """Send the rest if ``If-Range`` names this state of the file, else the whole."""
    named = call.headers.get("if-range")
    (rest if "range" in call.headers and named in ('"v1"', MODIFIED) else whole)(call)


def status(line: str, text: bytes = b"no", **headers: str | int | None) -> Script:
    """Return a script that answers with a status."""
    return lambda call: call.send(head(line, Content_Length=len(text), **headers), text)
