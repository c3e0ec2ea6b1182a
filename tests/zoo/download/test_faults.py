"""Faults that pass are waited out and end in the right file; no wrong byte is ever taken for the file's."""

from __future__ import annotations

from email.utils import formatdate
from pathlib import Path

import pytest

from tests.support.downloads import BODY, PATIENT, SIZE, FakeClock, Recorder, fetch, left_in
from tests.support.raw_host import Call, RawHost, Script, half, head, honest, status, whole
from zoo.download import failures
from zoo.download.asking import TransferLimits
from zoo.download.failures import SourceError
from zoo.errors import ChecksumError, DownloadError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of partials."""
    return tmp_path / "partial"


def silent_after(count: int) -> Script:
    """Return a script that sends so many bytes and then nothing more."""

    def script(call: Call) -> None:
        call.send(head(), BODY[:count])
        call.wait_for_the_end()

    return script


def chunked(call: Call) -> None:
    """Send the file in chunks, without its length."""
    pieces = [BODY[i : i + 100] for i in range(0, SIZE, 100)]
    frames = (b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    call.send(head(Content_Length=None, Transfer_Encoding="chunked"), *frames, b"0\r\n\r\n")


def chunked_then_broken(call: Call) -> None:
    """Hang up in the middle of a chunk."""
    call.send(head(Content_Length=None, Transfer_Encoding="chunked"), b"800\r\n", BODY[:1000])


def reset_at_once(call: Call) -> None:
    """Reset the connection before a byte was answered."""
    call.reset()


PASSING: list[tuple[str, Script, str]] = [
    ("reset before the answer", reset_at_once, "no answer from {origin}: Connection reset by peer"),
    ("end before the answer", lambda call: None, "no answer from {origin}: it hung up"),
    ("end after the head", lambda call: call.send(head()), f"the connection ended after 0 of {SIZE} bytes"),
    (
        "end within the signature",
        lambda call: call.send(head(), BODY[:5]),
        f"the connection ended after 5 of {SIZE} bytes",
    ),
    ("early end in the middle", half, f"the connection ended after {SIZE // 2} of {SIZE} bytes"),
    (
        "early end at the last byte",
        lambda call: call.send(head(), BODY[:-1]),
        f"the connection ended after {SIZE - 1} of {SIZE} bytes",
    ),
    ("silence in the middle", silent_after(1000), "the connection to {origin} broke off: timed out"),
    ("silence before the answer", lambda call: call.wait_for_the_end(), "no answer from {origin}: timed out"),
    ("chunks end early", chunked_then_broken, "the connection to {origin} broke off: it hung up"),
    ("500", status("500 Internal Server Error"), "500 Internal Server Error: the host has a fault"),
    ("503", status("503 Service Unavailable"), "503 Service Unavailable: the host has a fault"),
    ("408", status("408 Request Timeout"), "408 Request Timeout: the host waited too long for the request"),
    ("429", status("429 Too Many Requests"), "429 Too Many Requests: the host asks to try again later"),
]
"""Faults by name: what the host does, and what is said of it where nothing is tried again."""

QUICK = TransferLimits(budget_s=60, connect_s=5, read_s=0.05)
ONCE = TransferLimits(budget_s=0, connect_s=5, read_s=0.05)


@pytest.mark.parametrize("fault", [case[1] for case in PASSING], ids=[case[0] for case in PASSING])
def test_a_passing_fault_ends_in_the_right_file(folder: Path, fault: Script) -> None:
    """After one wait the same source gives the file; nothing else is left."""
    clock = FakeClock()
    with RawHost(fault, honest) as host:
        body, _ = fetch(host.url, folder, limits=QUICK, clock=clock)
        assert len(host.calls) == 2
    assert body == BODY
    assert clock.waits == [0.75]
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("fault", "reason"), [case[1:] for case in PASSING], ids=[case[0] for case in PASSING]
)
def test_a_fault_that_does_not_pass_is_told(folder: Path, fault: Script, reason: str) -> None:
    """Without a budget the first failure is the last, and its message is the reason."""
    with RawHost(fault) as host, pytest.raises(SourceError) as caught:
        fetch(host.url, folder, limits=ONCE)
    origin = host_origin(caught.value)
    assert str(caught.value) == reason.format(origin=origin)
    assert caught.value.passing


def host_origin(error: SourceError) -> str:
    """Return the origin that a message names, if it names one."""
    words = [word.rstrip(":") for word in str(error).split() if word.startswith("http://")]
    return words[0] if words else ""


@pytest.mark.parametrize("count", [1, SIZE // 2, SIZE - 1], ids=["start", "middle", "last byte"])
def test_a_reset_loses_nothing(folder: Path, count: int) -> None:
    """What came before the reset is on the disk, and only the rest is asked for."""
    with RawHost(reset_when_read(count), honest) as host:
        body, _ = fetch(host.url, folder, limits=PATIENT)
        ranges = [call.get("range") for call in host.calls]
    assert body == BODY
    assert ranges in ([None, f"bytes={count}-"], [None, None])


def reset_when_read(count: int) -> Script:
    """Return a script that sends so many bytes and resets the connection."""

    def script(call: Call) -> None:
        call.send(head(), BODY[:count])
        call.reset()

    return script


def test_a_stalled_transfer_counts_as_broken(folder: Path) -> None:
    """Less than 1 kB/s for 30 s, by a clock of the test's own; then the rest is fetched."""
    clock = FakeClock(step=31)
    clock.on_sleep = lambda: setattr(clock, "step", 0)
    recorder = Recorder()
    with RawHost(silent_after(1000), honest) as host:
        body, _ = fetch(host.url, folder, limits=TransferLimits(budget_s=600), clock=clock, progress=recorder)
    assert body == BODY
    told = [event[2] for event in recorder.events if event[0] == "start" and event[1] == 0]
    assert told == ["it: the transfer stalled: 8 bytes in 31 s; trying again in 1 s"]


@pytest.mark.parametrize("script", [chunked, lambda call: call.send(head(Content_Length=None), BODY)])
def test_a_body_of_unknown_length_is_taken(folder: Path, script: Script) -> None:
    """In chunks, or ended by the end of the connection."""
    with RawHost(script) as host:
        assert fetch(host.url, folder)[0] == BODY


@pytest.mark.parametrize(
    ("value", "wait"),
    [("7", 7.0), (formatdate(1_600_000_009, usegmt=True), 9.0), ("soon", 0.75), ("0", 0.75)],
    ids=["seconds", "date", "nonsense", "none"],
)
def test_a_host_s_own_wish_is_granted(folder: Path, value: str, wait: float) -> None:
    """Retry-After in seconds or as a date; a wait is never shorter than without it."""
    clock = FakeClock(born=1_600_000_000)
    with RawHost(status("429 Too Many Requests", Retry_After=value), whole) as host:
        assert fetch(host.url, folder, limits=PATIENT, clock=clock)[0] == BODY
    assert clock.waits == [wait]


def test_a_wish_beyond_the_budget_ends_the_tries(folder: Path) -> None:
    """Nobody waits an hour without having been asked to."""
    clock = FakeClock()
    with (
        RawHost(status("503 Service Unavailable", Retry_After="3600")) as host,
        pytest.raises(SourceError) as caught,
    ):
        fetch(host.url, folder, limits=PATIENT, clock=clock)
    assert (str(caught.value), clock.waits) == ("503 Service Unavailable: the host has a fault", [])
    assert caught.value.retry_after == 3600


def test_waits_double_up_to_a_bound_and_end_with_the_budget(folder: Path) -> None:
    """Three quarters of 1, 2, 4, ... seconds with the test's chance; the sum stays within the budget."""
    clock = FakeClock()
    with RawHost(status("500 Internal Server Error")) as host, pytest.raises(SourceError) as caught:
        fetch(host.url, folder, limits=TransferLimits(budget_s=60), clock=clock)
    assert clock.waits == [0.75, 1.5, 3.0, 6.0, 12.0, 22.5]
    assert len(host.calls) == 7
    expected = "500 Internal Server Error: the host has a fault (the last of 7 tries in 46 s)"
    assert str(caught.value) == expected
    assert caught.value.meaning == failures.BUSY


def test_the_budget_starts_anew_when_enough_has_come(folder: Path) -> None:
    """A line that breaks all the time but goes on costs patience, not the file."""
    clock = FakeClock()

    def a_little(call: Call) -> None:
        start = call.start
        span = f"bytes {start}-{SIZE - 1}/{SIZE}"
        line = "206 Partial Content" if start else "200 OK"
        call.send(head(line, Content_Length=SIZE - start, Content_Range=span), BODY[start : start + 100])

    with RawHost(a_little) as host:
        body, _ = fetch(host.url, folder, limits=TransferLimits(budget_s=2, progress_bytes=100), clock=clock)
    assert body == BODY
    assert clock.waits == [0.75] * (SIZE // 100)


PERMANENT: list[tuple[str, Script, type[DownloadError], str]] = [
    ("403", status("403 Forbidden"), SourceError, "403 Forbidden: the host refuses access to the file"),
    ("404", status("404 Not Found"), SourceError, "404 Not Found: the host has no such file"),
    ("410", status("410 Gone"), SourceError, "410 Gone: the file was removed for good"),
    (
        "416 without a range",
        status("416 Range Not Satisfiable"),
        SourceError,
        "416 Requested Range Not Satisfiable: no file came",
    ),
    (
        "206 without a range",
        status("206 Partial Content", BODY[:9], Content_Range=f"bytes 0-8/{SIZE}"),
        SourceError,
        "206 Partial Content: a part came, although the whole file was asked for",
    ),
    (
        "one byte more",
        lambda call: call.send(head(Content_Length=SIZE + 1), BODY, b"x"),
        ChecksumError,
        f"the host announces {SIZE + 1} bytes, the published file has {SIZE}",
    ),
    (
        "one byte more, not announced",
        lambda call: call.send(head(Content_Length=None), BODY, b"x"),
        ChecksumError,
        f"more came than the {SIZE} bytes that there may be",
    ),
    (
        "one byte less",
        lambda call: call.send(head(Content_Length=SIZE - 1), BODY[:-1]),
        ChecksumError,
        f"the host announces {SIZE - 1} bytes, the published file has {SIZE}",
    ),
    (
        "gzip",
        lambda call: call.send(head(Content_Encoding="gzip"), BODY),
        SourceError,
        "the body is encoded (gzip), although it was asked for as it is",
    ),
]


@pytest.mark.parametrize(
    ("fault", "kind", "reason"), [case[1:] for case in PERMANENT], ids=[case[0] for case in PERMANENT]
)
def test_a_permanent_fault_is_not_tried_again(
    folder: Path, fault: Script, kind: type[DownloadError], reason: str
) -> None:
    """One request, its reason, and nothing left, however large the budget."""
    clock = FakeClock()
    with RawHost(fault) as host, pytest.raises(kind) as caught:
        fetch(host.url, folder, limits=PATIENT, clock=clock)
    assert (str(caught.value), clock.waits, len(host.calls)) == (reason, [], 1)
    assert left_in(folder) == []


def test_where_no_size_is_known_there_is_a_bound(folder: Path) -> None:
    """The connection is ended as soon as more has come; what is announced beyond it is not even begun."""
    limits = TransferLimits(budget_s=0, max_bytes=1000)
    message = "more came than the 1000 bytes that there may be"
    unannounced = RawHost(lambda call: call.send(head(Content_Length=None), BODY))
    with unannounced as host, pytest.raises(ChecksumError, match=message):
        fetch(host.url, folder, size=None, digests=(), limits=limits)
    with RawHost(whole) as host, pytest.raises(ChecksumError) as caught:
        fetch(host.url, folder, size=None, digests=(), limits=limits)
    assert str(caught.value) == f"the host announces {SIZE} bytes, at most 1000 are taken"
    assert left_in(folder) == []


def test_nothing_after_the_bound_is_read(folder: Path) -> None:
    """A host that never stops sending is hung up on."""
    sent = []

    def endless(call: Call) -> None:
        call.send(head(Content_Length=None), BODY)
        while True:
            call.send(bytes(1 << 16))
            sent.append(1)

    with RawHost(endless) as host, pytest.raises(ChecksumError):
        fetch(host.url, folder)
    assert len(sent) < 1000


def test_names_from_servers_are_never_used(folder: Path) -> None:
    """Content-Disposition says where the file shall lie; nobody listens."""
    disposition = 'attachment; filename="../../evil.h5"'
    with RawHost(lambda call: call.send(head(Content_Disposition=disposition), BODY)) as host:
        _, got = fetch(host.url, folder)
    assert got.path.name == "data"
    assert got.path.parent.parent == folder


def test_the_usual_limits() -> None:
    """30 s under 1 kB/s, 10 redirects, 4 GiB."""
    limits = TransferLimits()
    assert (limits.stall_bytes_s, limits.stall_s) == (1000, 30)
    assert (limits.max_redirects, limits.max_bytes) == (10, 4 * 2**30)


def leads_to(location: str, body: bytes = b"") -> Script:
    """Return a script that sends on to an address."""
    return status("302 Found", body, Location=location)


def page(text: str) -> Script:
    """Return a script that sends a page."""
    return status("200 OK", f"<html><title>it</title>{text}</html>".encode(), Content_Type="text/html")


NO_ADDRESS = "a redirect to something that is no web address was refused"
NO_HTTPS = "a redirect to something that is no https address was refused"
LIES: list[tuple[str, Script, str]] = [
    ("a bracket that is not closed", leads_to("http://[bad"), NO_ADDRESS),
    ("an endless label", leads_to(f"https://{'a' * 64}.org/x"), NO_HTTPS),
    ("an empty label", leads_to("https://a..org/x"), NO_HTTPS),
    ("no such port", leads_to("https://a.example:65536/x"), NO_HTTPS),
    (
        "a link to nowhere",
        page('<a href="http://[bad">x</a>'),
        "an HTML page titled 'it' came instead of the file",
    ),
    (
        "a form to nowhere",
        page('<form id="download-form" action="http://[bad/signin">'),
        "an HTML page titled 'it' came instead of the file",
    ),
    (
        "a date that no calendar has",
        status("503 Service Unavailable", Retry_After="Mon, 01 Jan 99999999999 00:00:00 GMT"),
        "503 Service Unavailable: the host has a fault",
    ),
]
"""Answers that are no answers: what the host sends, and what is said of it."""


@pytest.mark.parametrize(("lie", "reason"), [case[1:] for case in LIES], ids=[case[0] for case in LIES])
def test_what_makes_no_sense_is_told_in_one_line(folder: Path, lie: Script, reason: str) -> None:
    """Whatever a host sends; nothing is left of it."""
    with RawHost(lie) as host, pytest.raises(SourceError) as caught:
        fetch(host.url, folder, limits=ONCE)
    assert str(caught.value) == reason
    assert left_in(folder) == []


def test_a_length_of_thousands_of_digits_is_none(folder: Path) -> None:
    """The published size tells how much there is."""
    with RawHost(lambda call: call.send(head(Content_Length="9" * 5000), BODY)) as host:
        assert fetch(host.url, folder, limits=ONCE)[0] == BODY


def test_the_body_of_a_redirect_is_not_read(folder: Path) -> None:
    """It could be without end."""

    def endless(call: Call) -> None:
        call.send(head("302 Found", Location="/other", Content_Length=1 << 40), b"x" * 4096)
        call.wait_for_the_end()

    with RawHost(endless, honest) as host:
        assert fetch(host.url, folder, limits=ONCE)[0] == BODY
