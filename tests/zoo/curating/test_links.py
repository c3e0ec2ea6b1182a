"""What becomes of links: every kind of answer that hosts have, and how politely they are asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.support import hosts
from tests.support.command import Command
from tests.support.downloads import FakeClock
from tests.support.hosts import DRIVE_URL, PLAIN_URL, RELEASE_URL, Fault, FaultyServer
from zoo.curating import links
from zoo.curating.links import AT_ONCE, PAUSE_S, Answered, Asked
from zoo.errors import CacheError, DownloadError
from zoo.practice.server import Answer, Request
from zoo.progress.protocol import Silence
from zoo.registry.digests import hash_file
from zoo.registry.records import Digest

BODY = b"\x89HDF\r\n\x1a\n" + bytes(range(256)) * 8
KINDS = {"plain": PLAIN_URL, "release": RELEASE_URL, "drive": DRIVE_URL}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[FaultyServer]:
    """Serve one file as each kind of host does; Drive asks whether it may go unscanned."""
    path = tmp_path / "weights.h5"
    path.write_bytes(BODY)
    with FaultyServer(dict.fromkeys(KINDS.values(), path), scan_limit_bytes=100) as server:
        yield server


def link(server: FaultyServer, url: str, **known: object) -> Asked:
    """Return a link of a file that is as it was published."""
    asked = Asked(network="tiny", file="tiny-tf", url=server.local(url), bytes=len(BODY), digests=())
    return replace(asked, **known)


def ask(*asked: Asked, clock: FakeClock | None = None) -> list[Answered]:
    """Ask, and wait for nothing."""
    return links.ask(asked, Silence(), clock=clock or FakeClock())


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_there_is_alive(kind: str, served: FaultyServer) -> None:
    """Through redirects and pages, with nothing fetched but headers and those pages."""
    asked = link(served, KINDS[kind])
    assert ask(asked) == [Answered(asked=asked, state="alive")]
    whole = [one for one in served.requests if one.method == "GET" and "range" not in one.headers]
    assert len(whole) == (1 if kind == "drive" else 0)


def _refusing_heads(server: FaultyServer, request: Request, answer: Answer) -> Answer:
    if request.method != "HEAD":
        return answer
    return hosts.status_answer(HTTPStatus.METHOD_NOT_ALLOWED)


def _hanging_up(server: FaultyServer, request: Request, answer: Answer) -> Answer:
    if request.method == "HEAD":
        raise ConnectionAbortedError
    return answer


def _moved(status: HTTPStatus) -> Fault:
    def fault(server: FaultyServer, request: Request, answer: Answer) -> Answer:
        if request.path.endswith("class_index.json") and not request.path.startswith("/new"):
            headers = {"Location": server.local(RELEASE_URL), "Content-Length": "0"}
            return Answer(status=status, headers=headers)
        return answer

    return fault


FAULTS: dict[str, tuple[Fault, str, str]] = {
    "no headers are given": (_refusing_heads, "alive", ""),
    "the host hangs up when asked for headers": (_hanging_up, "alive", ""),
    "a temporary redirect": (_moved(HTTPStatus.FOUND), "alive", ""),
    "a permanent one": (_moved(HTTPStatus.MOVED_PERMANENTLY), "moved", "to NEW"),
    "no file": (hosts.missing, "dead", "404 Not Found: the host has no such file"),
    "removed": (hosts.with_status(HTTPStatus.GONE), "dead", "410 Gone: the file was removed for good"),
    "an error for now": (
        hosts.with_status(HTTPStatus.SERVICE_UNAVAILABLE),
        "unknown",
        "503 Service Unavailable: the host has a fault",
    ),
    "another size": (hosts.shorter, "changed", "it has 2,047 bytes, the published file has 2,056"),
    "a pointer": (hosts.lfs_pointer, "changed", "it has 133 bytes, the published file has 2,056"),
    "a page": (
        hosts.html_page,
        "needs a browser",
        "an HTML page titled 'Repository · owner' came instead of the file",
    ),
    "a sign-in": (hosts.sign_in_page, "needs a browser", "the host asks for a sign-in"),
    "refused": (
        hosts.with_status(HTTPStatus.FORBIDDEN),
        "needs a browser",
        "403 Forbidden: the host refuses access to the file",
    ),
    "too many": (hosts.quota_page, "unknown", f"the host's page says: Not available. {hosts.QUOTA_TEXT}"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_what_else_a_host_may_answer(kind: str, served: FaultyServer) -> None:
    """Each has its state, and the reason in words."""
    served.fault, state, reason = FAULTS[kind]
    (found,) = ask(link(served, PLAIN_URL))
    assert (found.state, found.reason.replace(served.local(RELEASE_URL), "NEW")[: len(reason) or None]) == (
        state,
        reason,
    )


def test_a_digest_that_a_host_states_is_compared(served: FaultyServer, tmp_path: Path) -> None:
    """Google's hosts state the MD5 of a file."""
    md5 = hash_file(tmp_path / "weights.h5", ["md5"])["md5"]
    stated = "md5=" + __import__("base64").b64encode(bytes.fromhex(md5)).decode()

    def fault(server: FaultyServer, request: Request, answer: Answer) -> Answer:
        return replace(answer, headers={**answer.headers, "X-Goog-Hash": f"crc32c=AAAAAA==,{stated}"})

    served.fault = fault
    same = Digest(algorithm="md5", value=md5, grade="A", source="us")
    other = replace(same, value="0" * 32)
    assert ask(link(served, PLAIN_URL, digests=(same,)))[0].state == "alive"
    (found,) = ask(link(served, PLAIN_URL, digests=(other,)))
    assert (found.state, found.reason) == (
        "changed",
        f"its md5 is {md5}, that of the published file is {'0' * 32}",
    )


def test_a_host_is_asked_one_thing_after_the_other(served: FaultyServer) -> None:
    """With a pause in between, each address once, and by a name that says who asks."""
    clock = FakeClock()
    asked = [link(served, PLAIN_URL), link(served, RELEASE_URL), link(served, PLAIN_URL, file="other")]
    assert [one.state for one in ask(*asked, clock=clock)] == ["alive"] * 3
    assert clock.waits == [PAUSE_S]
    assert AT_ONCE == 4
    assert {one.headers["user-agent"] for one in served.requests} == {"keras-weight-zoo"}


def test_nobody_is_asked_who_is_not_to_be(served: FaultyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is a link called dead where this machine reaches nobody at all."""
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    with pytest.raises(CacheError):
        ask(link(served, PLAIN_URL))
    monkeypatch.delenv("ZOO_OFFLINE")
    gone = replace(link(served, PLAIN_URL), url="http://127.0.0.1:9/gone.h5")
    with pytest.raises(DownloadError):
        ask(gone)
    (dead, alive) = ask(gone, link(served, PLAIN_URL))
    assert (dead.state, alive.state) == ("dead", "alive")


def test_the_command_names_what_is_lost(
    zoo: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 1 where no link of a network leads to a file any more."""
    path = tmp_path / "weights.h5"
    path.write_bytes(BODY)
    overlay = tmp_path / "overlay.yaml"
    monkeypatch.setattr("zoo.curating.links.PAUSE_S", 0)
    monkeypatch.setenv("ZOO_REGISTRY", str(overlay))
    with FaultyServer({PLAIN_URL: path}) as server:
        url = server.local(PLAIN_URL)
        file = "{set: imagenet, structure: googlenet, top: true, layout: th, kernels: th, dialect: keras1,"
        rest = f"filename: a.h5, bytes: null, digests: [], licence: a, source: b, urls: ['{url}']"
        overlay.write_text(
            f"architectures:\n  googlenet:\n    weights:\n    - {file[:1]}id: a, {file[1:]} {rest}}}\n",
            "utf-8",
        )
        code, out, err = zoo("registry", "check", "--online", "googlenet", "-q")
        assert (code, out, err) == (0, f"a\n  alive: {url}\n", "")
        server.fault = hosts.missing
        code, out, err = zoo("registry", "check", "--online", "googlenet", "-q")
        reason = "404 Not Found: the host has no such file"
        assert (code, out) == (1, f"a\n  dead: {url}\n    {reason}\n")
        assert err == "zoo: googlenet: no link leads to a file of it any more\n"
        assert json.loads(zoo("registry", "check", "--online", "a", "--json")[1]) == [
            {
                "network": "googlenet",
                "file": "a",
                "url": url,
                "state": "dead",
                "reason": reason,
                "moved_to": None,
            }
        ]
