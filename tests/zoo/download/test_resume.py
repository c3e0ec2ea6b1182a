"""A partial is gone on with only if the host confirms the same file; anything else starts over."""

from __future__ import annotations

import json
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path

import pytest

from tests.support.downloads import (
    BODY,
    IMPATIENT,
    MD5,
    PATIENT,
    SHA256,
    SIZE,
    FakeClock,
    Recorder,
    fetch,
    left_in,
)
from tests.support.hosts import RELEASE_URL, FaultyServer
from tests.support.raw_host import MODIFIED, Call, RawHost, Script, half, head, honest, rest, status, whole
from zoo.download.failures import SourceError
from zoo.errors import ChecksumError
from zoo.registry.records import Digest

HALF = SIZE // 2


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of partials."""
    return tmp_path / "partial"


def begin(folder: Path, host: RawHost) -> None:
    """Fetch what a host gives before it fails."""
    with pytest.raises(SourceError):
        fetch(host.url, folder, limits=IMPATIENT)


def test_the_next_call_asks_for_the_rest_alone(folder: Path) -> None:
    """The range begins where the partial ends, under the condition that the file is the same."""
    recorder = Recorder()
    with RawHost(half, honest) as host:
        begin(folder, host)
        assert left_in(folder) == [BODY[:HALF]]
        body, got = fetch(host.url, folder, progress=recorder)
        first, second = host.calls
    assert (body, got.resumed_at, got.digests) == (BODY, HALF, {"sha256": SHA256.value, "md5": MD5.value})
    assert "range" not in first
    assert (second["range"], second["if-range"]) == (f"bytes={HALF}-", '"v1"')
    assert recorder.events[0] == ("start", SIZE, "fetching it")
    assert sum(event[1] for event in recorder.events if event[0] == "advance") == SIZE
    assert list(folder.iterdir()) == []


def test_within_one_call_too(folder: Path) -> None:
    """A body that ends early is gone on with after a wait."""
    with RawHost(half, honest) as host:
        body, got = fetch(host.url, folder, limits=PATIENT)
    assert (body, got.resumed_at) == (BODY, HALF)


def other_range(call: Call) -> None:
    """Answer with 206, but for other bytes."""
    span = f"bytes 0-{HALF - 1}/{SIZE}"
    call.send(head("206 Partial Content", Content_Length=HALF, Content_Range=span), BODY[:HALF])


def answer_206(**headers: str | int | None) -> Script:
    """Return a script that sends the rest with some headers changed."""

    def script(call: Call) -> None:
        start = call.start
        usual = {"Content_Length": SIZE - start, "Content_Range": f"bytes {start}-{SIZE - 1}/{SIZE}"}
        call.send(head("206 Partial Content", **{**usual, **headers}), BODY[start:])

    return script


REFUSED: list[tuple[str, Script]] = [
    ("another range", other_range),
    ("another total", answer_206(Content_Range=f"bytes {HALF}-{SIZE - 1}/{SIZE + 1}")),
    ("a shorter range", answer_206(Content_Range=f"bytes {HALF}-{SIZE - 2}/{SIZE}")),
    ("a total that nobody knows", answer_206(Content_Range=f"bytes {HALF}-{SIZE - 1}/*")),
    ("no Content-Range", answer_206(Content_Range=None)),
    ("a length that does not fit", answer_206(Content_Length=SIZE)),
    ("another ETag", answer_206(ETag='"v2"')),
    ("416", status("416 Range Not Satisfiable", Content_Range=f"bytes */{HALF}")),
]


@pytest.mark.parametrize("answer", [case[1] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_does_not_fit_starts_over(folder: Path, answer: Script) -> None:
    """The whole file is asked for at once, without a range."""
    with RawHost(half, answer, whole) as host:
        begin(folder, host)
        body, got = fetch(host.url, folder)
        assert [call.get("range") for call in host.calls] == [None, f"bytes={HALF}-", None]
    assert (body, got.resumed_at) == (BODY, 0)


def test_a_200_to_a_range_is_the_whole_file(folder: Path) -> None:
    """A host that knows no ranges, or has another file now, sends everything; one request is enough."""
    with RawHost(half, whole) as host:
        begin(folder, host)
        body, got = fetch(host.url, folder)
        assert len(host.calls) == 2
    assert (body, got.resumed_at) == (BODY, 0)


def test_a_file_that_changed_between_tries_is_never_mixed(folder: Path) -> None:
    """No digest is known; the old half must not stand before the new one."""
    new = BODY[:8] + BODY[8:][::-1]

    def changed(call: Call) -> None:
        assert call.headers["if-range"] == '"v1"'
        call.send(head(ETag='"v2"'), new)

    with RawHost(half, changed) as host:
        with pytest.raises(SourceError):
            fetch(host.url, folder, digests=())
        body, _ = fetch(host.url, folder, digests=())
    assert body == new


def test_a_part_of_another_day_is_not_gone_on_with(folder: Path) -> None:
    """A host without an ETag that heeds no ``If-Range`` tells by its date that the file has changed."""
    day = formatdate(1_600_000_000, usegmt=True)
    with RawHost(
        lambda call: call.send(head(ETag=None), BODY[:HALF]), answer_206(ETag=None, Last_Modified=day), whole
    ) as host:
        begin(folder, host)
        body, got = fetch(host.url, folder, digests=())
        assert [call.get("range") for call in host.calls] == [None, f"bytes={HALF}-", None]
    assert (body, got.resumed_at) == (BODY, 0)


@pytest.mark.parametrize(
    ("etag", "validator"), [('W/"v1"', MODIFIED), (None, MODIFIED), ('"v1"', '"v1"'), ("v1", MODIFIED)]
)
def test_only_strong_validators_are_trusted(folder: Path, etag: str | None, validator: str) -> None:
    """A weak ETag says that two files are alike, not that they are the same; the date is better."""
    with RawHost(lambda call: call.send(head(ETag=etag), BODY[:HALF]), rest) as host:
        begin(folder, host)
        fetch(host.url, folder)
        assert host.calls[1]["if-range"] == validator


@pytest.mark.parametrize(
    "headers",
    [{"ETag": None, "Last_Modified": None}, {"ETag": 'W/"v1"', "Last_Modified": None}],
    ids=["none", "weak"],
)
def test_without_a_validator_nothing_is_kept(folder: Path, headers: dict[str, None]) -> None:
    """What cannot be gone on with takes no room."""
    with RawHost(lambda call: call.send(head(**headers), BODY[:HALF]), whole) as host:
        begin(folder, host)
        assert list(folder.iterdir()) == []
        assert fetch(host.url, folder)[0] == BODY
        assert "range" not in host.calls[1]


def spoil_middle(data: Path) -> None:
    """Change one byte."""
    content = bytearray(data.read_bytes())
    content[100] ^= 1
    data.write_bytes(content)


SPOILED: list[tuple[str, Callable[[Path], object]]] = [
    ("a changed byte", spoil_middle),
    ("cut off", lambda data: data.write_bytes(BODY[:50])),
    ("no record", lambda data: (data.parent / "about.json").unlink()),
    ("half a record", lambda data: (data.parent / "about.json").write_text('{"url": ')),
    ("another record", lambda data: (data.parent / "about.json").write_text('{"format": 7}')),
    ("no data", lambda data: data.unlink()),
]


@pytest.mark.parametrize("spoil", [case[1] for case in SPOILED], ids=[case[0] for case in SPOILED])
@pytest.mark.parametrize("digests", [(MD5,), ()], ids=["digest", "no digest"])
def test_a_partial_that_was_tampered_with_is_not_believed(
    folder: Path, spoil: Callable[[Path], object], digests: tuple[Digest, ...]
) -> None:
    """Its bytes are hashed again and compared with what was noted; whatever is odd starts over."""
    with RawHost(half, honest, honest) as host:
        begin(folder, host)
        spoil(next(folder.glob("*/data")))
        body, _ = fetch(host.url, folder, digests=digests)
    assert body == BODY
    assert list(folder.iterdir()) == []


def test_a_wrong_whole_after_a_resume_is_fetched_once_more(folder: Path) -> None:
    """The fault may be that of the bytes that were there, not the source's."""

    def wrong_rest(call: Call) -> None:
        start = call.start
        span = f"bytes {start}-{SIZE - 1}/{SIZE}"
        call.send(
            head("206 Partial Content", Content_Length=SIZE - start, Content_Range=span), bytes(SIZE - start)
        )

    with RawHost(half, wrong_rest, whole) as host:
        begin(folder, host)
        assert fetch(host.url, folder)[0] == BODY
        assert len(host.calls) == 3


def test_a_wrong_whole_is_thrown_away(folder: Path) -> None:
    """Nothing of it is ever gone on with."""
    with RawHost(lambda call: call.send(head(), BODY[:-1], b"x")) as host, pytest.raises(ChecksumError):
        fetch(host.url, folder)
    assert list(folder.iterdir()) == []


def test_a_whole_partial_is_confirmed_by_its_last_byte(folder: Path) -> None:
    """Where only the last step failed, one byte is fetched again."""

    def fail() -> None:
        raise KeyboardInterrupt

    with RawHost(honest) as host:
        with pytest.raises(KeyboardInterrupt):
            fetch(host.url, folder, then=fail)
        assert left_in(folder) == [BODY]
        assert fetch(host.url, folder)[0] == BODY
        assert host.calls[1]["range"] == f"bytes={SIZE - 1}-"


def test_another_published_size_starts_over(folder: Path) -> None:
    """The registry has learned since what the file must be."""
    with RawHost(half, whole) as host:
        with pytest.raises(SourceError):
            fetch(host.url, folder, size=None)
        about = next(folder.glob("*/about.json"))
        about.write_text(json.dumps({**json.loads(about.read_text()), "total": SIZE + 1}))
        assert fetch(host.url, folder)[0] == BODY
        assert "range" not in host.calls[1]


def test_a_signed_address_is_asked_for_anew(tmp_path: Path, folder: Path) -> None:
    """The address that the release page leads to has changed meanwhile; the old one would be refused."""
    served = tmp_path / "weights_tf.h5"
    served.write_bytes(BODY)
    broken: list[int] = []

    def once(server: FaultyServer, request, answer):
        if isinstance(answer.body, bytes) or broken:
            return answer
        broken.append(1)
        server._signatures.clear()  # 300 seconds have passed
        return type(answer)(status=answer.status, headers=answer.headers, body=BODY[:HALF])

    with FaultyServer({RELEASE_URL: served}, once) as server:
        body, got = fetch(server.local(RELEASE_URL), folder, limits=PATIENT)
        hosts = [request.host for request in server.requests]
    assert (body, got.resumed_at) == (BODY, HALF)
    assert hosts == ["front", "content", "front", "content"]
    about_url = [request.headers.get("range") for request in server.requests]
    assert about_url == [None, None, f"bytes={HALF}-", f"bytes={HALF}-"]


def test_two_sources_never_share_a_partial(folder: Path) -> None:
    """Half of one source's file is no beginning of another source's."""
    with RawHost(half) as first, RawHost(honest) as second:
        begin(folder, first)
        fetch(second.url, folder)
        assert "range" not in second.calls[0]
    assert list(folder.iterdir()) == []  # the file is there now, so what the first had given is of no use


def test_a_refusal_in_between_keeps_what_has_come(folder: Path) -> None:
    """Drive's quota page today, the rest tomorrow."""
    with RawHost(half, status("403 Forbidden"), honest) as host:
        begin(folder, host)
        with pytest.raises(SourceError, match="403 Forbidden"):
            fetch(host.url, folder, limits=PATIENT, clock=FakeClock())
        assert left_in(folder) == [BODY[:HALF]]
        assert fetch(host.url, folder)[1].resumed_at == HALF
