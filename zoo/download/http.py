"""From a URL to a body that may be the file: redirects and pages are followed, everything else is refused.

Every reason raised here stands alone: whoever asked for a URL puts it in front.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse, IncompleteRead, RemoteDisconnected
from typing import Final
from urllib.parse import urljoin, urlsplit

import requests
from requests.utils import requote_uri
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from zoo.download import failures, pages
from zoo.download.asking import CRC32C, Asking, Beginning, Body, NotContinuedError, StallWatch
from zoo.download.failures import DEAD_PROXY, UNSAFE, SourceError, Unreached
from zoo.download.pages import is_sign_in, read_page, way_on
from zoo.download.proxies import Proxy, proxy_for
from zoo.download.reach import Hosts
from zoo.registry.urls import is_address, is_trusted, origin
from zoo.storage.clock import Clock

PAGE_BYTES: Final = 1 << 20
"""How much of a body is looked at to tell what it is."""

_ENOUGH: Final = 1024  # bytes by which a page, a text or an XML error is told from a file
NUMBER: Final = r"[0-9]{1,18}"
"""A number of bytes, as a pattern: no file has more, and Python refuses to read thousands of digits."""

_CONTENT_RANGE = re.compile(rf"bytes ({NUMBER})-({NUMBER})/({NUMBER})")

_LOG = logging.getLogger(__name__)

_HEADERS = {
    "User-Agent": "keras-weight-zoo",
    "Accept": "*/*",
    "Accept-Encoding": "identity",  # digests are of the file, not of a compressed form of it
}


class Session(requests.Session):
    """Keeps connections and cookies, and leaves where an answer leads to whoever asked.

    To have the next request at hand, requests reads the whole body of a redirect and the address that it
    names, even where it is told to follow none: a body without end would fill the memory.
    """

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Say that there is none."""


class HttpBody(Body):
    """The body of an answer."""

    def __init__(self, response: requests.Response, address: str, asking: Asking) -> None:
        self._response = response
        super().__init__(
            address,
            length=announced(response),
            etag=self._strong_etag(),
            modified=self.header("Last-Modified") or None,
            stated=_stated(self.header("X-Goog-Hash")),
        )
        self._watch = StallWatch(asking.clock, asking.limits)
        self._left = self.length
        # What ends early is noticed by counting, which can say how many bytes came.
        response.raw.enforce_content_length = False

    @property
    def status(self) -> int:
        """The status of the answer."""
        return self._response.status_code

    def _strong_etag(self) -> str | None:
        value = self.header("ETag")
        return value if re.fullmatch(r'"[\x21\x23-\x7e]*"', value) else None

    def header(self, name: str) -> str:
        """Return a header, or an empty text."""
        return self._response.headers.get(name, "")

    def look(self, signature: bytes) -> bytes:
        """Read as much of the beginning as it takes to tell what the body is, and remember it."""
        self._fill(max(len(signature), 1))
        if not signature or not self.head.startswith(signature):
            self._fill(_ENOUGH)
        if pages.looks_like_html(self.head, self.header("Content-Type")):
            self._fill(PAGE_BYTES)
        return self.head

    def read_into(self, target: memoryview) -> int:
        """Put the next bytes into a buffer, as many as come at once, and return how many; 0 at the end.

        Raises:
            SourceError: The connection broke, or is far too slow.
        """
        self._watch.asks()
        count = self._receive(target if self._left is None else target[: self._left])
        if self._left is not None:
            self._left -= count
        self._watch.saw(count)
        return count

    def cut_short(self) -> SourceError | None:
        """Return what to raise if the connection ended within the bytes that were looked at."""
        if self._left and not self.read_into(memoryview(bytearray(1))):
            reason = f"the connection ended after {len(self.head)} of {self.length} bytes"
            return SourceError(reason, meaning=failures.BROKEN, passing=True)
        return None

    def _fill(self, wanted: int) -> None:
        buffer = memoryview(bytearray(wanted))
        while len(self.head) < wanted and (count := self.read_into(buffer[: wanted - len(self.head)])):
            self.head += buffer[:count]

    def _receive(self, target: memoryview) -> int:
        if not target:
            return 0
        try:
            # With a length the bytes can go from the socket to where they are needed; chunks must be taken
            # out of their frames first.
            stream = self._response.raw._original_response
            if self._left is not None and isinstance(stream, HTTPResponse) and not stream.chunked:
                return stream.fp.readinto1(target) if stream.fp else 0
            piece = self._response.raw.read1(len(target), decode_content=False) or b""
        except (HTTPError, HTTPException, OSError) as error:
            where = origin(self.address)
            reason = f"the connection to {where} broke off: {cause_of(error)}"
            raise SourceError(reason, meaning=failures.BROKEN, passing=True) from error
        target[: len(piece)] = piece
        return len(piece)


def announced(response: requests.Response) -> int | None:
    """Return how many bytes the body of an answer has, if that is said."""
    stated = response.headers.get("Content-Length", "")
    return int(stated) if re.fullmatch(NUMBER, stated) else None


@contextmanager
def find_body(
    url: str, asking: Asking, *, signature: bytes = b"", beginning: Beginning | None = None
) -> Iterator[HttpBody]:
    """Follow redirects and pages until there is a body that may be the file.

    No credentials are ever sent, neither from the URL nor from ``~/.netrc``. What is on the way, a page's
    cookies for example, goes back only to the host that it came from.

    Args:
        url: The address.
        asking: How to ask.
        signature: What the file begins with; empty where that is not known.
        beginning: What is there already; only what comes after it is asked for.

    Raises:
        SourceError: There is no such body.
        NotContinuedError: There is a beginning, and the host does not confirm that it belongs to its file.
    """
    check_address(url, asking.plain)
    address = url
    with Session() as session:
        for _ in range(asking.limits.max_redirects + 1):
            with closing(ask(session, address, asking, _rest(beginning))) as response:
                onward = redirect_of(response)
                if onward is None:
                    body = HttpBody(response, address, asking)
                    onward = _judged(body, url, signature, beginning, asking.clock)
                if onward is None:
                    yield body
                    return
            address = next_address(address, onward, asking.plain)
    raise SourceError(f"more than {asking.limits.max_redirects} redirects", meaning=failures.UNSAFE)


def _rest(beginning: Beginning | None) -> dict[str, str]:
    """Return the headers that ask for what comes after the beginning of a file."""
    if beginning is None:
        return {}
    return {"Range": f"bytes={beginning.bytes}-", "If-Range": beginning.validator}


def ask(
    session: requests.Session,
    address: str,
    asking: Asking,
    headers: Mapping[str, str],
    method: str = "GET",
) -> requests.Response:
    """Send one request and return the answer, whose body is not read yet.

    Args:
        session: What keeps connections and cookies.
        address: The URL.
        asking: How to ask.
        headers: What is asked besides.
        method: ``GET`` or ``HEAD``.

    Raises:
        SourceError: There is no answer.
    """
    # No proxy can reach this machine by its loopback address.
    host = urlsplit(address).hostname or ""
    is_loopback = host in ("localhost", "::1") or host.startswith("127.")
    proxy = None if is_loopback else proxy_for(address)
    ways = [*([str(proxy)] if proxy else []), origin(address)]
    for way in ways:
        asking.hosts.check(way, asking.clock.monotonic())
    shown = address.partition("?")[0]  # what follows may be a secret
    _LOG.info("asking %s%s", shown, f", through {proxy}" if proxy else "")
    if not is_loopback and not asking.hosts.has_answered(origin(address)):
        _check_name(asking.hosts, origin(address), proxy)
    try:
        response = session.request(
            method,
            address,
            headers=_HEADERS | dict(headers),
            auth=_no_credentials,
            allow_redirects=False,
            stream=True,
            timeout=(asking.limits.connect_s, asking.limits.read_s),
            proxies={"no_proxy": host} if is_loopback else None,
        )
    except requests.exceptions.SSLError as error:
        reason = f"{origin(address)} does not prove that it is who it says: {_certificate(error)}"
        raise SourceError(reason, meaning=failures.INTERCEPTED) from error
    except requests.RequestException as error:
        raise _no_answer(error, origin(address), proxy) from error
    for way in ways:
        asking.hosts.note_answer(way)
    _LOG.info("%s answered %d %s", shown, response.status_code, response.reason)
    return response


def _check_name(hosts: Hosts, host: str, proxy: Proxy | None) -> None:
    """See that a name server says something of the name that is to be connected to.

    Raises:
        SourceError: None does, in the time that there is for it.
    """
    if hosts.has_name(urlsplit(proxy.address if proxy else host).hostname or ""):
        return
    cause = "the name server is silent"
    if proxy is not None:
        raise _lost_proxy(proxy, cause, DEAD_PROXY, passing=True)
    unreached = Unreached(host=host, cause=cause)
    reason = f"no answer from {host}: {cause}"
    raise SourceError(reason, meaning=failures.SILENT, passing=True, unreached=unreached)


def _no_answer(error: requests.RequestException, host: str, proxy: Proxy | None) -> SourceError:
    """Return what it means that there is no answer: not even a connection, or one that broke off."""
    if proxy is not None and isinstance(error, ValueError):
        return _lost_proxy(proxy, str(error), "the proxy's address cannot be used", passing=False)
    cause = cause_of(error)
    if proxy is not None and _never_connected(error):
        return _lost_proxy(proxy, cause, DEAD_PROXY, passing=True)
    if isinstance(error, requests.exceptions.ProxyError):
        reason = f"{proxy} does not lead to {host}: {cause}"
        unreached = Unreached(host=host, cause=f"{proxy} does not lead there: {cause}")
        return SourceError(reason, meaning=failures.NOT_LED, passing=True, unreached=unreached)
    silent = Unreached(host=host, cause=cause) if _never_connected(error) else None
    reason = f"no answer from {host}: {cause}"
    return SourceError(reason, meaning=failures.SILENT, passing=True, unreached=silent)


def _lost_proxy(proxy: Proxy, cause: str, meaning: str, *, passing: bool) -> SourceError:
    return SourceError(
        f"no answer from {proxy}: {cause}",
        meaning=f"{meaning}: correct {proxy.variable}, or unset it",
        passing=passing,
        unreached=Unreached(host=str(proxy), cause=cause),
    )


def _never_connected(error: BaseException) -> bool:
    """Tell whether a request failed because no connection was made at all."""
    return any(isinstance(one, ConnectTimeoutError | NewConnectionError) for one in _behind(error))


def _behind(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what led to it, the last thing first."""
    behind: BaseException | None = error
    while behind is not None:
        yield behind
        behind = behind.__cause__ or behind.__context__


def _no_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leave a request as it is; without this, requests would look for credentials in ``~/.netrc``."""
    return request


def _stated(header: str) -> Mapping[str, str]:
    """Return what Google's hosts state of the whole file: its CRC-32C, among other digests."""
    pairs = (part.strip().partition("=") for part in header.split(","))
    return {name: value for name, _, value in pairs if name == CRC32C}


def redirect_of(response: requests.Response) -> str | None:
    """Return where an answer sends on to.

    Raises:
        SourceError: To a page where one signs in.
    """
    if not response.is_redirect:
        return None
    location = response.headers["Location"]
    if is_sign_in(location):
        raise pages.sign_in()
    return location


def _judged(
    body: HttpBody, url: str, signature: bytes, beginning: Beginning | None, clock: Clock
) -> str | None:
    """Return where a page leads, or ``None`` if the body is no page and may be the file.

    Raises:
        SourceError: The body is neither.
        NotContinuedError: It is not the rest of what is there.
    """
    if body.status == HTTPStatus.PARTIAL_CONTENT or (
        beginning and body.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    ):
        _check_continued(body, beginning)
        return None
    head = body.look(signature if body.status == HTTPStatus.OK else b"")
    if body.status != HTTPStatus.OK:
        raise pages.of_status(body.status, url, head, _retry_after(body.header("Retry-After"), clock))
    _check_encoding(body)
    is_page = pages.looks_like_html(head, body.header("Content-Type"))
    if is_page and not (signature and head.startswith(signature)):
        page = read_page(head.decode("utf-8", "replace"))
        onward = way_on(page)
        if onward is None:
            raise pages.of_page(page)
        return onward
    refusal = pages.of_head(head, signature)
    if refusal is not None:
        raise body.cut_short() or refusal
    return None


def _check_encoding(body: HttpBody) -> None:
    encoding = body.header("Content-Encoding")
    if encoding and encoding != "identity":
        reason = f"the body is encoded ({encoding}), although it was asked for as it is"
        raise SourceError(reason, meaning=failures.NOT_THE_FILE)


def _check_continued(body: HttpBody, beginning: Beginning | None) -> None:
    """Accept a part of a file only if it is exactly the rest of what is there."""
    if beginning is None:
        reason = "206 Partial Content: a part came, although the whole file was asked for"
        raise SourceError(reason, meaning=failures.NOT_THE_FILE)
    found = _CONTENT_RANGE.fullmatch(body.header("Content-Range").strip())
    rest = (beginning.bytes, beginning.total - 1, beginning.total)
    if body.status != HTTPStatus.PARTIAL_CONTENT or not found or tuple(map(int, found.groups())) != rest:
        raise NotContinuedError
    validator = body.etag if beginning.validator.startswith('"') else body.modified
    if validator not in (None, beginning.validator):
        raise NotContinuedError
    if body.length not in (None, beginning.total - beginning.bytes):
        raise NotContinuedError
    _check_encoding(body)
    body.start = beginning.bytes


def _retry_after(value: str, clock: Clock) -> float | None:
    """Return how many seconds a host wants to be left alone for; it says so in seconds or as a date."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(moment.timestamp() - clock.time(), 0.0)


def cause_of(error: BaseException) -> str:
    """Return what the operating system says is behind an error of the HTTP libraries."""
    for behind in _behind(error):
        if isinstance(behind, TimeoutError):
            return "timed out"
        if isinstance(behind, RemoteDisconnected | IncompleteRead):
            return "it hung up"
        if isinstance(behind, OSError) and behind.strerror:
            return behind.strerror
        if type(behind) is OSError and behind.args:  # http.client, of a proxy's refusal
            return str(behind)
    return type(error).__name__


def _certificate(error: BaseException) -> str:
    messages = (str(getattr(behind, "verify_message", "")) for behind in _behind(error))
    return next(filter(None, messages), "") or cause_of(error)


# Where an answer may lead.


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


def _is_accepted(url: str, plain: str | None) -> bool:
    # A password in an address is refused everywhere: it would end in messages and in the cache's memory.
    if not is_address(url):
        return False
    return is_trusted(url) or (plain is not None and origin(url) == plain and "@" not in urlsplit(url).netloc)


def _unsafe(reason: str) -> SourceError:
    return SourceError(reason, meaning=UNSAFE)


def _scheme(url: str) -> str:
    return url.partition(":")[0].lower()
