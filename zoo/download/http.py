"""From a URL to a verified file: redirects and pages are followed, bytes hashed as they come."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from zoo.checksums import CHUNK, Hashes, verify_file
from zoo.download import refusals
from zoo.download.addresses import check_address, next_address, origin
from zoo.download.drive import is_sign_in, read_page, way_on
from zoo.download.progress import Progress, Silence
from zoo.errors import CacheError, ChecksumError, DownloadError
from zoo.records import Digest

MAX_REDIRECTS: Final = 10
TIMEOUTS: Final = (10.0, 60.0)
"""Seconds to wait for a connection, and for the next bytes on it."""

_HEADERS = {
    "User-Agent": "keras-weight-zoo",
    "Accept": "*/*",
    "Accept-Encoding": "identity",  # digests are of the file, not of a compressed form of it
}


@dataclass(frozen=True, kw_only=True)
class Downloaded:
    """A file that was fetched and verified.

    Attributes:
        path: Where it was written.
        bytes: Its size.
        digests: Its digests by algorithm; ``sha256`` is always among them.
        url: The address that it came from in the end, after all redirects.
    """

    path: Path
    bytes: int
    digests: Mapping[str, str]
    url: str


def download(
    url: str,
    target: Path,
    *,
    size: int | None = None,
    digests: Iterable[Digest] = (),
    signature: bytes = refusals.HDF5_SIGNATURE,
    progress: Progress | None = None,
    what: str = "",
    timeouts: tuple[float, float] = TIMEOUTS,
) -> Downloaded:
    """Fetch a file and check that it is the published one.

    No credentials are ever sent, neither from the URL nor from ``~/.netrc``.

    Args:
        url: An https address, or an http one on the loopback address.
        target: Where to write; must not exist. Whatever is there after an error is the caller's to remove.
        size: The published size in bytes, where it is known.
        digests: Published digests; every one of them is checked.
        signature: What the file begins with; empty where that is not known.
        progress: Told about every piece of the file.
        what: What the progress calls it; the URL if left out.
        timeouts: Seconds to wait for a connection, and for the next bytes on it.

    Returns:
        The file, written to disk and synced; its folder is not.

    Raises:
        DownloadError: There is no such file to be had; the message is ``URL: reason``, one line.
        ChecksumError: What came has another size or another digest than was published.
        CacheError: The target cannot be written.
    """
    digests = tuple(digests)
    algorithms = ["sha256", *(digest.algorithm for digest in digests)]
    try:
        with _find_body(url, signature, timeouts) as body:
            expected = _expected_size(body, size)
            hashes = Hashes(algorithms, expected)
            with _reported(progress or Silence(), expected, what or url) as advance:
                _save(_no_longer_than(size, body.pieces()), target, hashes, advance)
            if expected is not None and hashes.size < expected:
                raise DownloadError(f"the connection ended after {hashes.size} of {expected} bytes")
    except DownloadError as error:
        raise type(error)(f"{url}: {error}") from error
    known = hashes.values()
    verify_file(target, digests, size, known=known, label=url)
    return Downloaded(path=target, bytes=hashes.size, digests=known, url=body.address)


class _Body:
    """An answer whose first bytes were read and found good."""

    def __init__(self, response: requests.Response, address: str) -> None:
        self.address = address
        self.response = response
        # What ends early is noticed by counting, which can say how many bytes came.
        response.raw.enforce_content_length = False
        self.head = self._read()

    @property
    def length(self) -> int | None:
        """What the host announces as the size of the body."""
        announced = self.response.headers.get("Content-Length", "")
        return int(announced) if announced.isdigit() else None

    def pieces(self) -> Iterator[bytes]:
        """Yield the whole body, the bytes already read first."""
        piece = self.head
        while piece:
            yield piece
            piece = self._read()

    def _read(self) -> bytes:
        try:
            piece: bytes = self.response.raw.read(CHUNK, decode_content=False)
        except HTTPError as error:
            where = origin(self.address)
            raise DownloadError(f"the connection to {where} broke off: {_cause(error)}") from error
        return piece


@contextmanager
def _find_body(url: str, signature: bytes, timeouts: tuple[float, float]) -> Iterator[_Body]:
    """Follow redirects and pages until there is a body that may be the file."""
    check_address(url)
    address = url
    with requests.Session() as session:  # keeps the cookies by which a page knows that it was read
        for _ in range(MAX_REDIRECTS + 1):
            with _ask(session, address, timeouts) as response:
                onward = _redirect(response)
                if onward is None:
                    body = _Body(response, address)
                    onward = _page_onward(body, url, signature)
                if onward is None:
                    yield body
                    return
            address = next_address(address, onward)
    raise DownloadError(f"more than {MAX_REDIRECTS} redirects")


def _ask(session: requests.Session, address: str, timeouts: tuple[float, float]) -> requests.Response:
    # Only loopback addresses are ever asked in plain http, and no proxy can reach those.
    proxies = {"no_proxy": urlsplit(address).hostname or ""} if address.startswith("http:") else None
    try:
        return session.get(
            address,
            headers=_HEADERS,
            auth=_no_credentials,
            allow_redirects=False,
            stream=True,
            timeout=timeouts,
            proxies=proxies,
        )
    except requests.RequestException as error:
        raise DownloadError(f"no answer from {origin(address)}: {_cause(error)}") from error


def _no_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leave a request as it is; without this, requests would look for credentials in ``~/.netrc``."""
    return request


def _redirect(response: requests.Response) -> str | None:
    if not response.is_redirect:
        return None
    location = response.headers["Location"]
    if is_sign_in(location):
        raise DownloadError(refusals.SIGN_IN)
    return location


def _page_onward(body: _Body, url: str, signature: bytes) -> str | None:
    """Return where a page leads, or ``None`` if the body is no page and may be the file.

    Raises:
        DownloadError: The body is neither.
    """
    headers, head = body.response.headers, body.head
    reason = refusals.of_status(body.response.status_code, url, head)
    if reason is None and headers.get("Content-Encoding", "identity") != "identity":
        reason = f"the body is encoded ({headers['Content-Encoding']}), although it was asked for as it is"
    if reason is None and refusals.looks_like_html(head, headers.get("Content-Type", "")):
        page = read_page(head.decode("utf-8", "replace"))
        onward = way_on(page)
        if onward is not None:
            return onward
        reason = refusals.of_page(page)
    reason = reason or refusals.of_head(head, signature)
    if reason is not None:
        raise DownloadError(reason)
    return None


def _expected_size(body: _Body, size: int | None) -> int | None:
    """Return how many bytes should come, if anybody knows.

    Raises:
        ChecksumError: The host announces another size than was published.
    """
    if size is not None and body.length not in (None, size):
        raise ChecksumError(f"the host announces {body.length} bytes, the published file has {size}")
    return body.length if size is None else size


@contextmanager
def _reported(progress: Progress, total: int | None, what: str) -> Iterator[Callable[[int], None]]:
    progress.start(total, what)
    try:
        yield progress.advance
    finally:
        progress.done()


def _no_longer_than(size: int | None, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield pieces until they are more than ``size`` bytes together, and then refuse the rest."""
    count = 0
    for piece in pieces:
        count += len(piece)
        if size is not None and count > size:
            raise ChecksumError(f"more came than the {size} bytes of the published file")
        yield piece


def _save(pieces: Iterable[bytes], target: Path, hashes: Hashes, advance: Callable[[int], None]) -> None:
    """Write pieces to a new file, hashing them on the way, and wait until the disk has them."""
    try:
        with target.open("xb") as file:
            for piece in pieces:
                hashes.update(piece)
                file.write(piece)
                advance(len(piece))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise CacheError(f"{target}: cannot be written: {error.strerror}") from error


def _cause(error: BaseException) -> str:
    """Return what the operating system says is behind an error of the HTTP libraries."""
    behind: BaseException | None = error
    while behind is not None:
        if isinstance(behind, TimeoutError):
            return "timed out"
        if isinstance(behind, OSError) and behind.strerror:
            return behind.strerror
        behind = behind.__cause__ or behind.__context__
    return type(error).__name__
