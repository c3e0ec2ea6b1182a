"""A download ends with the published file or with one clear reason, against real servers on loopback."""

from __future__ import annotations

import hashlib
import socket
from http import HTTPStatus
from pathlib import Path
from queue import SimpleQueue

import pytest

from tests.support import hosts
from tests.support.downloads import BODY, MD5, SHA256, SIZE, Recorder, fetch
from tests.support.hosts import DRIVE_URL, PLAIN_URL, RELEASE_URL, FaultyServer
from zoo.download import transfer
from zoo.download.asking import TransferLimits
from zoo.download.failures import SourceError
from zoo.download.http import check_address, next_address
from zoo.download.transfer import Downloaded
from zoo.errors import ChecksumError, DownloadError
from zoo.registry.records import Digest


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """Return the file that the hosts hold."""
    path = tmp_path / "published" / "weights_tf.h5"
    path.parent.mkdir()
    path.write_bytes(BODY)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of partials."""
    return tmp_path / "partial"


def fetch_from(
    served: Path,
    url: str,
    fault: hosts.Fault | None = None,
    *,
    size: int | None = SIZE,
    scan_limit: int = 10**8,
) -> tuple[str, bytes, Downloaded]:
    """Download from a server with a fault; return the address asked for, the bytes and the result."""
    with FaultyServer({url: served}, fault, scan_limit_bytes=scan_limit) as server:
        local = server.local(url)
        return local, *fetch(local, served.parent.parent / "partial", size=size)


@pytest.mark.parametrize("url", [DRIVE_URL, RELEASE_URL, PLAIN_URL])
@pytest.mark.parametrize("size", [SIZE, None])
def test_the_file_comes_from_every_kind_of_host(served: Path, url: str, size: int | None) -> None:
    """Redirects are followed, the bytes verified, and every digest asked for is returned."""
    _, body, got = fetch_from(served, url, size=size)
    assert body == BODY
    assert (got.bytes, got.digests) == (SIZE, {"sha256": SHA256.value, "md5": MD5.value})


def test_the_warning_page_of_drive_is_answered(served: Path) -> None:
    """The form is sent, and the address in the end is the one that gave the file."""
    url, body, got = fetch_from(served, DRIVE_URL, scan_limit=100)
    assert body == BODY
    assert got.url.startswith("http://127.0.0.1:")
    assert "confirm=t&uuid=" in got.url
    assert got.url != url


def test_a_form_with_a_relative_action_is_answered(served: Path) -> None:
    """The form's address is taken relative to the page."""

    def relative(server: FaultyServer, request: hosts.Request, answer: hosts.Answer) -> hosts.Answer:
        body = hosts.body_of(answer).replace(server.origin("content").encode(), b"")
        return hosts.html_answer(body.decode()) if b"download-form" in body else answer

    _, body, _ = fetch_from(served, DRIVE_URL, relative, scan_limit=100)
    assert body == BODY


def test_cookies_of_a_page_come_back_with_its_link(served: Path) -> None:
    """Pages until 2022 set a cookie that their link's request had to bring."""

    def older(server: FaultyServer, request: hosts.Request, answer: hosts.Answer) -> hosts.Answer:
        if "confirm" in request.query:
            assert request.headers["cookie"] == "download_warning_1=Ab1"
            return hosts.text_answer(BODY)
        link = hosts.html_answer(
            hosts.page("Warning", '<a href="/uc?export=download&amp;confirm=Ab1&amp;id=1">x</a>')
        )
        return hosts.replace(link, headers={**link.headers, "Set-Cookie": "download_warning_1=Ab1"})

    _, body, _ = fetch_from(served, DRIVE_URL, older)
    assert body == BODY


def test_what_is_done_meanwhile_begins_once_the_file_comes(served: Path, folder: Path) -> None:
    """Before that it would keep the request from being sent; where nothing comes there is no need for it."""
    asked: SimpleQueue[int] = SimpleQueue()
    with FaultyServer({PLAIN_URL: served}) as server:
        url = server.local(PLAIN_URL)
        fetch(url, folder, meanwhile=lambda: asked.put(len(server.requests)))
        assert asked.get(timeout=60) == 1
        with pytest.raises(SourceError, match="404"):
            fetch(f"{url}.gone", folder, meanwhile=lambda: asked.put(0))
    assert asked.empty()


@pytest.mark.parametrize("fault", [hosts.unannounced, hosts.longer_than_stated])
def test_odd_answers_that_hold_the_file_are_taken(served: Path, fault: hosts.Fault) -> None:
    """No Content-Length is no fault; bytes beyond it are not part of the answer."""
    _, body, _ = fetch_from(served, DRIVE_URL, fault)
    assert body == BODY


LFS = (
    f"a git-lfs pointer came instead of the file: it stands for sha256:{'ab' * 32} (33552480 bytes),"
    " which lies elsewhere"
)
EXPIRED = "an expired signed link: XML (AccessDenied: Request has expired) came instead of the file"
REFUSED: list[tuple[str, hosts.Fault, type[DownloadError], str]] = [
    ("truncated", hosts.truncated, SourceError, "the connection ended after 1028 of 2056 bytes"),
    ("shorter", hosts.shorter, ChecksumError, "the host announces 2047 bytes, the published file has 2056"),
    (
        "longer",
        hosts.longer_unannounced,
        ChecksumError,
        "more came than the 2056 bytes that there may be",
    ),
    (
        "gzipped",
        hosts.gzipped,
        SourceError,
        "the body is encoded (gzip), although it was asked for as it is",
    ),
    (
        "html",
        hosts.html_page,
        SourceError,
        "an HTML page titled 'Repository · owner' came instead of the file",
    ),
    ("quota", hosts.quota_page, SourceError, f"the host's page says: Not available. {hosts.QUOTA_TEXT}"),
    ("lfs", hosts.lfs_pointer, SourceError, LFS),
    ("expired", hosts.expired, SourceError, f"403 Forbidden: {EXPIRED}"),
    ("expired 200", hosts.expired_with_200, SourceError, EXPIRED),
    ("empty", hosts.empty, SourceError, "an empty body came instead of the file"),
    ("json", hosts.json_text, SourceError, "a JSON text came instead of the file"),
    (
        "zip",
        hosts.other_binary,
        SourceError,
        "what came is no HDF5 file: it begins with b'PK\\x03\\x04 and'",
    ),
    ("404", hosts.missing, SourceError, "404 Not Found: the host has no such file"),
    (
        "429",
        hosts.with_status(HTTPStatus.TOO_MANY_REQUESTS),
        SourceError,
        "429 Too Many Requests: the host asks to try again later",
    ),
    (
        "500",
        hosts.with_status(HTTPStatus.INTERNAL_SERVER_ERROR),
        SourceError,
        "500 Internal Server Error: the host has a fault",
    ),
    (
        "sign-in redirect",
        hosts.sign_in,
        SourceError,
        "the host asks for a sign-in: the file is private or was removed",
    ),
    (
        "sign-in page",
        hosts.sign_in_page,
        SourceError,
        "the host asks for a sign-in: the file is private or was removed",
    ),
    (
        "plain http",
        hosts.redirect_to("http://example.invalid/weights.h5?token=secret"),
        SourceError,
        "a redirect to plain http (http://example.invalid) was refused",
    ),
    (
        "file",
        hosts.redirect_to("file:///etc/passwd"),
        SourceError,
        "a redirect to something that is no https address was refused",
    ),
    ("loop", hosts.redirect_to_itself, SourceError, "more than 10 redirects"),
]


@pytest.mark.parametrize(
    ("fault", "kind", "reason"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_what_is_not_the_file_is_refused_with_its_reason(
    served: Path, folder: Path, fault: hosts.Fault, kind: type[DownloadError], reason: str
) -> None:
    """Each fault has its own message: the address and one reason."""
    with FaultyServer({RELEASE_URL: served}, fault) as server, pytest.raises(DownloadError) as caught:
        fetch(server.local(RELEASE_URL), folder, digests=(MD5,))
    assert type(caught.value) is kind
    assert str(caught.value) == reason


def test_ten_redirects_are_followed_and_no_more(served: Path, folder: Path) -> None:
    """The first request and ten more."""
    with FaultyServer({PLAIN_URL: served}, hosts.redirect_to_itself) as server:
        with pytest.raises(DownloadError, match="more than 10 redirects"):
            fetch(server.local(PLAIN_URL), folder)
        assert len(server.requests) == 11


@pytest.mark.parametrize("digest", [MD5, SHA256], ids=["md5", "sha256"])
def test_a_flipped_bit_is_seen_by_every_digest(served: Path, folder: Path, digest: Digest) -> None:
    """Either digest alone refuses a file of the right size with one bit changed."""
    with (
        FaultyServer({RELEASE_URL: served}, hosts.flipped_byte) as server,
        pytest.raises(ChecksumError) as caught,
    ):
        fetch(server.local(RELEASE_URL), folder, digests=(digest,))
    changed = hashlib.new(digest.algorithm, BODY[:-1] + bytes([BODY[-1] ^ 1])).hexdigest()
    expected = (
        f": its {digest.algorithm} is {changed}, the published file's is {digest.value} (grade {digest.grade}"
    )
    assert expected in str(caught.value)


def test_a_digest_that_needs_the_size_first_is_checked_without_it(served: Path, folder: Path) -> None:
    """Git's digest begins with the size; where nobody announces that, the file is read again."""
    value = hashlib.sha1(b"blob %d\0" % SIZE + BODY).hexdigest()
    digest = Digest(algorithm="git-blob-sha1", value=value, grade="A", source="git")
    with FaultyServer({PLAIN_URL: served}, hosts.unannounced) as server:
        fetch(server.local(PLAIN_URL), folder, size=None, digests=(digest,))
        wrong = Digest(algorithm="git-blob-sha1", value="0" * 40, grade="A", source="git")
        with pytest.raises(ChecksumError):
            fetch(server.local(PLAIN_URL), folder, size=None, digests=(wrong,))


def test_a_compressed_body_is_never_asked_for(served: Path, folder: Path) -> None:
    """Requests ask for the bytes as they are."""
    with FaultyServer({PLAIN_URL: served}) as server:
        fetch(server.local(PLAIN_URL), folder)
        assert [request.headers["accept-encoding"] for request in server.requests] == ["identity"]


def test_no_credentials_are_sent(
    served: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the user's netrc nor anything else makes an Authorization header."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with FaultyServer({RELEASE_URL: served}) as server:
        fetch(server.local(RELEASE_URL), folder)
        assert len(server.requests) == 2
        assert all("authorization" not in request.headers for request in server.requests)


def test_loopback_is_not_asked_through_a_proxy(
    served: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy for the network's sake does not stand between this machine and itself."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with FaultyServer({PLAIN_URL: served}) as server:
        assert fetch(server.local(PLAIN_URL), folder)[1].bytes == SIZE


def test_a_host_that_is_not_there_is_named(folder: Path) -> None:
    """A refused connection is one line with the system's own words."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/weights.h5"
    with pytest.raises(DownloadError) as caught:
        fetch(url, folder)
    assert str(caught.value) == f"no answer from http://127.0.0.1:{port}: Connection refused"


def test_a_host_that_says_nothing_times_out(folder: Path) -> None:
    """A connection that is accepted and never answered ends at the time-out."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/weights.h5"
        with pytest.raises(DownloadError) as caught:
            fetch(url, folder, limits=TransferLimits(budget_s=0, connect_s=5, read_s=0.01))
    assert str(caught.value) == f"no answer from {url.removesuffix('/weights.h5')}: timed out"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (
            "http://files.example/weights.h5",
            "plain http (http://files.example) is refused: anyone on the way could change the file",
        ),
        ("ftp://files.example/weights.h5", "this is no https address"),
        ("https://user:secret@files.example/weights.h5", "this is no https address"),
    ],
)
def test_other_addresses_than_https_are_not_asked(folder: Path, url: str, reason: str) -> None:
    """They are refused before any connection is made."""
    with pytest.raises(DownloadError) as caught:
        fetch(url, folder)
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    "url", ["https://a.example/x", "http://localhost:1/x", "http://127.8.9.1/x", "http://[::1]:5/"]
)
def test_https_and_loopback_addresses_are_asked(url: str) -> None:
    """Https anywhere, http on this machine."""
    check_address(url)


@pytest.mark.parametrize(
    ("current", "location", "expected"),
    [
        ("https://a.example/x/y?q=1", "z?r=2", "https://a.example/x/z?r=2"),
        ("https://a.example/x", "//b.example/c d", "https://b.example/c%20d"),
        ("http://127.0.0.1:5/x", "http://localhost:6/y", "http://localhost:6/y"),
        ("http://127.0.0.1:5/x", "https://a.example/y", "https://a.example/y"),
    ],
)
def test_redirects_lead_to_addresses(current: str, location: str, expected: str) -> None:
    """Relative, to another host, on loopback, and from there to https."""
    assert next_address(current, location) == expected


@pytest.mark.parametrize(
    ("current", "location", "reason"),
    [
        (
            "https://a.example/x",
            "http://a.example/x",
            "a redirect to plain http (http://a.example) was refused",
        ),
        (
            "https://a.example/x",
            "HTTP://b.example/x",
            "a redirect to plain http (http://b.example) was refused",
        ),
        (
            "https://a.example/x",
            "http://127.0.0.1:8/x",
            "a redirect to plain http (http://127.0.0.1:8) was refused",
        ),
        (
            "http://127.0.0.1:8/x",
            "http://me:pw@b.example/",
            "a redirect to plain http (http://b.example) was refused",
        ),
        (
            "https://a.example/x",
            "file:///etc/x",
            "a redirect to something that is no https address was refused",
        ),
        ("https://a.example/x", "https://[::1", "a redirect to something that is no web address was refused"),
    ],
)
def test_redirects_that_could_harm_are_refused(current: str, location: str, reason: str) -> None:
    """Nothing leads from https to http, nor to another scheme; what is shown has no path and no password."""
    with pytest.raises(DownloadError) as caught:
        next_address(current, location)
    assert str(caught.value) == reason


def test_progress_is_told_of_every_piece(served: Path, folder: Path) -> None:
    """A start with the size, the pieces, an end."""
    recorder = Recorder()
    with FaultyServer({PLAIN_URL: served}) as server:
        fetch(server.local(PLAIN_URL), folder, progress=recorder)
    assert recorder.events == [("start", SIZE, "fetching it"), ("advance", SIZE), ("done",)]


def test_progress_ends_when_the_connection_does(served: Path, folder: Path) -> None:
    """An end is told even after a fault."""
    recorder = Recorder()
    with FaultyServer({PLAIN_URL: served}, hosts.truncated) as server, pytest.raises(DownloadError):
        fetch(server.local(PLAIN_URL), folder, progress=recorder)
    assert recorder.events == [("start", SIZE, "fetching it"), ("advance", SIZE // 2), ("done",)]


def test_a_large_file_comes_in_pieces(served: Path, folder: Path) -> None:
    """Memory does not grow with the file: no piece is larger than a mebibyte."""
    content = BODY + bytes(3 << 20)
    served.write_bytes(content)
    recorder = Recorder()
    with FaultyServer({RELEASE_URL: served}) as server:
        body, _ = fetch(server.local(RELEASE_URL), folder, size=None, digests=(), progress=recorder)
    assert body == content
    assert max(event[1] for event in recorder.events if event[0] == "advance") == 1 << 20


def test_the_disk_writes_while_the_rest_comes(
    served: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every byte, in the file's order: nothing is left for the end, when somebody waits."""
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(transfer, "begin_writing", lambda handle, start, count: told.append((start, count)))
    content = BODY + bytes(3 << 20)
    served.write_bytes(content)
    with FaultyServer({RELEASE_URL: served}) as server:
        fetch(server.local(RELEASE_URL), folder, size=None, digests=())
    ends = [start + count for start, count in told]
    assert [start for start, _ in told] == [0, *ends[:-1]]
    assert ends[-1] == len(content)
