"""The practice server behaves as the hosts that it plays were seen to behave."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.hosts import DRIVE_URL, PLAIN_URL, RELEASE_URL
from zoo.download.pages import read_page, way_on
from zoo.errors import ArgumentError
from zoo.practice.crc32c import crc32c_file
from zoo.practice.server import PracticeServer

BODY = bytes(range(256)) * 8


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file of 2048 bytes."""
    path = tmp_path / "weights_tf.h5"
    path.write_bytes(BODY)
    return path


@pytest.fixture
def server(file: Path) -> Iterator[PracticeServer]:
    """Return a server that holds the file in all three ways."""
    with PracticeServer({DRIVE_URL: file, RELEASE_URL: file, PLAIN_URL: file}) as running:
        yield running


@pytest.fixture
def warning_server(file: Path) -> Iterator[PracticeServer]:
    """Return a server that sends Drive's warning page for files of more than 2000 bytes."""
    with PracticeServer({DRIVE_URL: file}, scan_limit_bytes=2000) as running:
        yield running


def get(url: str, **headers: str) -> requests.Response:
    """Ask without following redirects."""
    return requests.get(url, headers=headers, allow_redirects=False, timeout=5)


def test_drive_redirects_to_another_host_and_keeps_only_id_and_export(server: PracticeServer) -> None:
    """The link host answers 303 and names the content host; ``confirm`` is not carried over."""
    answer = get(server.local(DRIVE_URL) + "&confirm=t")
    assert answer.status_code == 303
    assert answer.headers["Content-Type"] == "application/binary"
    expected = f"{server.origin('content')}/download?id=0Byy2AcGyEVxfSTA4SHJVOHNuTXc&export=download"
    assert answer.headers["Location"] == expected
    assert server.origin("content") != server.origin("front")


def test_drive_sends_a_small_file_at_once(server: PracticeServer) -> None:
    """The content host answers with the file, its name and its CRC-32C."""
    answer = requests.get(server.local(DRIVE_URL), timeout=5)
    assert answer.content == BODY
    headers = answer.headers
    assert (
        headers["Content-Disposition"]
        == "attachment; filename=\"weights_tf.h5\"; filename*=UTF-8''weights_tf.h5"
    )
    assert headers["Content-Length"] == "2048"
    assert headers["X-Goog-Hash"] == "crc32c=XzKLMQ=="
    assert "ETag" not in headers


def test_without_the_library_no_checksum_is_stated(
    server: PracticeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file comes all the same: the demo needs no library for it."""
    monkeypatch.setattr("zoo.practice.crc32c.find_spec", lambda name: None)
    answer = requests.get(server.local(DRIVE_URL), timeout=5)
    assert answer.content == BODY
    assert "X-Goog-Hash" not in answer.headers


def test_drive_warns_before_a_large_file(warning_server: PracticeServer) -> None:
    """A large file comes only after the page's form was sent with its uuid."""
    first = requests.get(warning_server.local(DRIVE_URL), timeout=5)
    assert first.status_code == 200
    assert first.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "Content-Disposition" not in first.headers
    assert "\n" not in first.text
    read = read_page(first.text)
    assert read.title == "Google Drive - Virus scan warning"
    assert list(read.form_fields) == ["id", "export", "authuser", "confirm", "uuid", "at"]
    onward = way_on(read)
    assert onward is not None
    assert requests.get(onward, timeout=5).content == BODY


def test_drive_does_not_accept_a_confirmation_without_the_uuid(warning_server: PracticeServer) -> None:
    """A fixed ``confirm=t`` brings the warning again."""
    requests.get(warning_server.local(DRIVE_URL), timeout=5)
    url = f"{warning_server.origin('content')}/download?id=0Byy2AcGyEVxfSTA4SHJVOHNuTXc&confirm=t"
    assert "Virus scan warning" in requests.get(url, timeout=5).text


def test_github_redirects_to_a_signed_address(server: PracticeServer) -> None:
    """The release host answers 302; the asset host has an entity tag and takes ranges."""
    first = get(server.local(RELEASE_URL))
    assert first.status_code == 302
    answer = get(first.headers["Location"])
    assert answer.content == BODY
    assert answer.headers["ETag"].startswith('"0x')
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["Last-Modified"].endswith(" GMT")
    assert answer.headers["Content-Disposition"] == "attachment; filename=weights_tf.h5"


def test_github_refuses_a_wrong_signature(server: PracticeServer) -> None:
    """An address whose signature is not the one just given gets the storage host's XML."""
    signed = get(server.local(RELEASE_URL)).headers["Location"]
    answer = get(signed.replace("sig=", "sig=x"))
    assert answer.status_code == 403
    assert "<Message>Request has expired</Message>" in answer.text


@pytest.mark.parametrize("url", [DRIVE_URL, RELEASE_URL, PLAIN_URL])
def test_ranges_are_answered_with_206(server: PracticeServer, url: str) -> None:
    """A range brings just these bytes and says which they are."""
    address = get(server.local(url)).headers.get("Location", server.local(url))
    answer = get(address, Range="bytes=2040-")
    assert (answer.status_code, answer.content) == (206, BODY[2040:])
    assert answer.headers["Content-Range"] == "bytes 2040-2047/2048"
    assert get(address, Range="bytes=1-3").content == BODY[1:4]
    beyond = get(address, Range="bytes=2048-")
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, "bytes */2048")


def test_if_range_with_another_tag_brings_the_whole_file(server: PracticeServer) -> None:
    """A range of a file that has changed is not given."""
    address = server.local(PLAIN_URL)
    tag = get(address).headers["ETag"]
    assert get(address, **{"Range": "bytes=1-3", "If-Range": tag}).status_code == 206
    assert get(address, **{"Range": "bytes=1-3", "If-Range": '"other"'}).content == BODY


@pytest.mark.parametrize(
    "path", ["/", "/uc?export=download&id=other", "/owner/repo/releases/download/v0.1/other.h5"]
)
def test_what_is_not_there_is_a_404_page(server: PracticeServer, path: str) -> None:
    """Unknown addresses get a page with status 404, as web hosts send it."""
    answer = requests.get(server.origin() + path, timeout=5)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


def test_head_brings_no_body(server: PracticeServer) -> None:
    """HEAD has the headers of GET and nothing else."""
    answer = requests.head(server.local(PLAIN_URL), timeout=5)
    assert (answer.headers["Content-Length"], answer.content) == ("2048", b"")


def test_two_files_under_one_path_are_refused(file: Path, tmp_path: Path) -> None:
    """What one server cannot tell apart is an error at once."""
    url = "https://elsewhere.example.org/folder/class_index.json"
    with pytest.raises(ArgumentError) as caught:
        PracticeServer({PLAIN_URL: file, url: tmp_path / "other"})
    assert (
        str(caught.value)
        == f"{url}: the practice server already has another file under /folder/class_index.json"
    )


def test_leaving_ends_all_threads_even_with_a_client_connected(file: Path) -> None:
    """A client that keeps its connection open does not keep the server alive."""
    before = threading.active_count()
    with requests.Session() as session, PracticeServer({PLAIN_URL: file}) as server:
        session.get(server.local(PLAIN_URL), timeout=5)
        assert threading.active_count() > before
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("content", "crc"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ],
)
def test_crc32c_has_the_published_values(tmp_path: Path, content: bytes, crc: int) -> None:
    """The check value of the CRC catalogue and the examples of RFC 3720 (section B.4) come out."""
    path = tmp_path / "file"
    path.write_bytes(content)
    assert crc32c_file(path) == crc


def test_crc32c_carries_over_from_block_to_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading in smaller blocks, the last of three bytes, gives the same."""
    path = tmp_path / "file"
    path.write_bytes(BODY + b"abc")
    whole = crc32c_file(path)
    monkeypatch.setattr("zoo.practice.crc32c._BLOCK_BYTES", 256)
    assert crc32c_file(path) == whole
