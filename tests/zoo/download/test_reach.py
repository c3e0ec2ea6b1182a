"""Hosts that are not reached are known in seconds; those that have answered keep all the patience."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.downloads import BODY, PATIENT, FakeClock, fetch
from tests.support.raw_host import RawHost, half, honest, status
from tests.support.world import World
from zoo.download import failures, reach
from zoo.download.asking import Asking, TransferLimits
from zoo.download.failures import NoSourceError, SourceError
from zoo.download.proxies import proxy_for
from zoo.download.reach import REMEMBERED_S, Hosts
from zoo.download.transports import open_body
from zoo.errors import CacheError
from zoo.fetching.fetcher import Fetcher
from zoo.storage.cache import Cache

MINUTES = TransferLimits(budget_s=60.0)
NETWORK = failures.NO_NETWORK
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what the machine's own proxies are."""
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world of which nothing answers, with a minute of patience."""
    world = World(tmp_path)
    world.limits = MINUTES
    return world


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let no name resolve, as on a machine without a network; return those that were looked up."""
    asked: list[str] = []

    def lookup(host: str, *rest: Any, **named: Any) -> Any:
        asked.append(host)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    return asked


@pytest.fixture
def closed() -> Iterator[Callable[[], int]]:
    """Return a function that gives ports on which nobody listens, and nobody will for as long."""
    held: list[socket.socket] = []

    def port() -> int:
        held.append(socket.socket())
        held[-1].bind(("127.0.0.1", 0))
        return int(held[-1].getsockname()[1])

    yield port
    for one in held:
        one.close()


def failure_of(world: World, *urls: str, fetcher: Fetcher | None = None) -> str:
    """Return what is said of a tf and a th file at these addresses, none of which gives them."""
    files = (world.published("tf"), world.published("th"))
    files = tuple(type(file)(**{**fields_of(file), "urls": urls}) for file in files)
    with pytest.raises(NoSourceError) as caught:
        (fetcher or world.fetcher()).resolve(world.network(*files))
    return str(caught.value)


def fields_of(record: Any) -> dict[str, Any]:
    """Return the fields of a record with slots."""
    return {name: getattr(record, name) for name in record.__slots__}


ADVICE = "get the file in another way, then run: zoo fetch tiny --from FILE"


def test_names_that_do_not_resolve_are_known_in_seconds(world: World, lookups: list[str]) -> None:
    """Two hosts with two links each, for two files: four seconds in all, and one row."""
    urls = [f"https://{host}.example/{n}.h5" for n in (1, 2) for host in ("a", "b")]
    assert failure_of(world, *urls) == (
        "tiny: no source gave the weights file:\n"
        "  files          tiny-tf, tiny-th\n"
        "  source         https://a.example, https://b.example\n"
        "  what happened  no answer: Temporary failure in name resolution\n"
        f"  what it means  {failures.SILENT}\n\n{NETWORK}\n{ADVICE}"
    )
    assert world.clock.waits == [0.75, 1.5, 0.75]
    assert lookups == ["a.example"] * (1 + 3) + ["b.example"] * (1 + 2)  # once to see who answers


def test_a_silent_name_server_is_not_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """By itself a look-up may last for half a minute; for the second name there is less time."""
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: released.wait())
    monkeypatch.setattr(reach, "LOOKUP_S", 0.02)
    monkeypatch.setattr(reach, "LATER_LOOKUP_S", 0.01)
    joined: list[float] = []
    join = threading.Thread.join
    monkeypatch.setattr(
        reach.Thread, "join", lambda self, timeout=None: (joined.append(timeout), join(self, timeout))
    )
    world.limits = TransferLimits(budget_s=0)
    told = failure_of(world, "https://a.example/x.h5", "https://b.example/x.h5")
    released.set()
    assert "  what happened  no answer: the name server is silent\n" in told
    assert [seconds for seconds in joined if seconds] == [0.02, 0.01]
    assert reach.Hosts().has_name("a.example")


def test_the_lines_of_waiting_name_the_file(world: World, lookups: list[str]) -> None:
    """And who did not answer."""
    failure_of(world, "https://a.example/x.h5")
    assert [what for total, what, _ in world.recorder.steps if total == 0] == [
        "tiny-tf: no answer from https://a.example: Temporary failure in name resolution;"
        f" trying again in {seconds} s"
        for seconds in (1, 2)
    ]


def test_refused_connections_are_known_in_seconds(world: World, closed: Callable[[], int]) -> None:
    """A host is its port too: ten of them, all of which refuse, cost no more."""
    hosts = [f"http://127.0.0.1:{closed()}" for _ in range(10)]
    told = failure_of(world, *(f"{host}/x.h5" for host in hosts))
    assert f"  source         {', '.join(hosts)}\n  what happened  no answer: Connection refused\n" in told
    assert len(told.splitlines()) == 8
    assert sum(world.clock.waits) <= 4


def test_one_host_says_how_often_it_was_tried(world: World, closed: Callable[[], int]) -> None:
    """With the time that took; its second file is not tried again."""
    host = f"http://127.0.0.1:{closed()}"
    told = failure_of(world, f"{host}/x.h5")
    refused = f"no answer from {host}: Connection refused (the last of 3 tries in 2 s)"
    assert f"  what happened  {refused}\n" in told
    assert world.clock.waits == [0.75, 1.5]


def test_commands_share_what_they_know(world: World, lookups: list[str]) -> None:
    """The second of several networks does not wait again, until a minute has passed."""
    hosts, urls = Hosts(), ["https://a.example/x.h5", "https://b.example/x.h5"]
    for _ in range(2):
        failure_of(world, *urls, fetcher=fetcher_with(world, hosts))
    assert (world.clock.waits, len(lookups)) == ([0.75, 1.5, 0.75], 7)
    world.clock.now += REMEMBERED_S
    failure_of(world, *urls, fetcher=fetcher_with(world, hosts))
    assert len(lookups) == 10


def fetcher_with(world: World, hosts: Hosts) -> Fetcher:
    """Return a fetcher that knows of hosts what others know."""
    return Fetcher(world.cache, world.recorder, limits=world.limits, clock=world.clock, hosts=hosts)


def test_who_has_no_patience_waits_for_nobody(world: World, lookups: list[str]) -> None:
    """ZOO_RETRY_SECONDS=0 counts here as well."""
    world.limits = TransferLimits(budget_s=0)
    failure_of(world, "https://a.example/x.h5", "https://a.example/y.h5")
    assert (world.clock.waits, lookups) == ([], ["a.example"] * 2)


def test_a_host_that_has_answered_keeps_its_patience(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The network is lost in the middle of a file, and comes back half a minute later."""
    lookup, clock = socket.getaddrinfo, FakeClock()

    def flaky(host: str, *rest: Any, **named: Any) -> Any:
        if 0 < len(clock.waits) < 5:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return lookup(host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", flaky)
    with RawHost(half, honest) as host:
        url = host.url.replace("127.0.0.1", "localhost")
        body, _ = fetch(url, tmp_path / "partial", limits=PATIENT, clock=clock)
    assert (body, clock.waits) == (BODY, [0.75, 1.5, 3.0, 6.0, 12.0])


def test_a_host_that_answers_with_faults_keeps_its_patience(tmp_path: Path) -> None:
    """503 is an answer."""
    clock = FakeClock()
    with RawHost(status("503 Service Unavailable")) as host, pytest.raises(SourceError):
        fetch(host.url, tmp_path / "partial", limits=PATIENT, clock=clock)
    assert clock.waits == [0.75, 1.5, 3.0, 6.0, 12.0, 22.5]


# Proxies.


@pytest.mark.parametrize("variable", ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
def test_a_dead_proxy_is_called_one(
    world: World, monkeypatch: pytest.MonkeyPatch, closed: Callable[[], int], variable: str
) -> None:
    """With its variable and address, without its password; all hosts behind it share its tries."""
    port = closed()
    monkeypatch.setenv(variable, f"http://me:secret@127.0.0.1:{port}")
    proxy = f"the proxy http://127.0.0.1:{port} ({variable})"
    assert failure_of(world, "https://a.example/x.h5", "https://b.example/x.h5") == (
        "tiny: no source gave the weights file:\n"
        "  files          tiny-tf, tiny-th\n"
        f"  source         {proxy}\n"
        f"  what happened  no answer from {proxy}: Connection refused (the last of 3 tries in 2 s)\n"
        f"  what it means  this is a dead proxy, or not its address: correct {variable}, or unset it\n\n"
        f"{NETWORK}\n{ADVICE}"
    )
    assert world.clock.waits == [0.75, 1.5]


def test_what_cannot_be_a_proxy_is_not_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong with its address is said."""
    monkeypatch.setenv("HTTPS_PROXY", "http://:::")
    told = failure_of(world, "https://a.example/x.h5")
    assert "  what it means  the proxy's address cannot be used: correct HTTPS_PROXY, or unset it\n" in told
    assert "(HTTPS_PROXY): Failed to parse: ':::' is not a valid host or port\n" in told
    assert world.clock.waits == []


def test_a_proxy_that_leads_nowhere_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers, and refuses: it may not be allowed to, or have no network itself."""
    with RawHost(status("502 Bad Gateway")) as host:
        address = host.url.rpartition("/folder")[0]
        monkeypatch.setenv("HTTPS_PROXY", address)
        told = failure_of(world, "https://a.example/x.h5")
    reason = "Tunnel connection failed: 502 Bad Gateway (the last of 3 tries in 2 s)"
    assert (
        f"  what happened  the proxy {address} (HTTPS_PROXY) does not lead to https://a.example: {reason}\n"
        f"  what it means  {failures.NOT_LED}\n"
    ) in told


def test_a_proxy_that_has_answered_is_known_to_be_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it keeps its patience too, when it is lost in the middle of a file."""
    hosts = Hosts()
    asking = Asking(limits=PATIENT, clock=FakeClock(), plain="http://lab.example", hosts=hosts)
    with RawHost(honest) as host:
        address = host.url.rpartition("/folder")[0]
        monkeypatch.setenv("HTTP_PROXY", address)
        with open_body("http://lab.example/x.h5", asking):
            pass
    assert hosts.has_answered(f"the proxy {address} (HTTP_PROXY)")
    assert hosts.has_answered("http://lab.example")


@pytest.mark.parametrize("scheme", ["", "http://", "socks5h://"])
def test_the_password_of_a_proxy_is_never_told(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    """Nor the name before it, also where no scheme is written."""
    monkeypatch.setenv("HTTPS_PROXY", f"{scheme}me:sec@ret@proxy.example:3128")
    assert str(proxy_for("https://a.example/x")) == f"the proxy {scheme}proxy.example:3128 (HTTPS_PROXY)"


def test_who_is_exempt_from_a_proxy_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As NO_PROXY says it."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    assert str(proxy_for("https://a.example/x")) == "the proxy http://proxy.example:3128 (HTTPS_PROXY)"
    assert proxy_for("http://a.example/x") is None
    monkeypatch.setenv("NO_PROXY", "a.example")
    assert proxy_for("https://a.example/x") is None


# The mirror and the shared folder.


def test_a_mirror_that_is_not_reached_stands_in_the_table(
    world: World, monkeypatch: pytest.MonkeyPatch, lookups: list[str]
) -> None:
    """Under its variable's name; for the second file too, though it is not asked again."""
    monkeypatch.setenv("ZOO_MIRROR", "https://mirror.example/zoo")
    fetcher = world.fetcher()
    for _ in range(2):
        told = failure_of(world, "https://a.example/x.h5", fetcher=fetcher)
        assert told.startswith(
            "tiny: no source gave the weights file:\n"
            "  ZOO_MIRROR     https://mirror.example/zoo/index.json\n"
            "  what happened  no answer from https://mirror.example: Temporary failure in name resolution"
            " (the last of 3 tries in 2 s)\n"
            f"  what it means  {failures.SILENT}\n\n"
            "  files          tiny-tf, tiny-th\n"
            "  source         https://a.example\n"
        )
    assert lookups.count("mirror.example") == 4


def test_a_mirror_that_lacks_the_file_stands_in_the_table(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was asked, and is no news where somebody else has the file."""
    index = world.folder / "index.json"
    index.write_text('{"format": 1, "files": {}}')
    world.server.place("https://mirror.example/zoo/index.json", index)
    with world.server:
        mirror = world.server.local("https://mirror.example/zoo")
        monkeypatch.setenv("ZOO_MIRROR", mirror)
        told = failure_of(world, world.server.local("https://files.example.org/dead.h5"))
    assert (
        "  file           tiny-tf\n"
        f"  ZOO_MIRROR     {mirror}/index.json\n"
        "  what happened  the mirror does not have the file\n"
        f"  what it means  {failures.LACKING}\n"
    ) in told
    assert NETWORK not in told


def no_folder(path: Path) -> str:
    """Leave nothing there."""
    return "there is no such folder"


def a_file(path: Path) -> str:
    """Put a file there."""
    path.write_text("")
    return "this is no folder"


def a_circle(path: Path) -> str:
    """Put a link there that leads to itself, which nobody can read."""
    path.symlink_to(path)
    return "the folder cannot be read: Too many levels of symbolic links"


@pytest.mark.parametrize("make", [no_folder, a_file, a_circle])
def test_a_wrong_shared_folder_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], str], lookups: list[str]
) -> None:
    """As a note on what is there all the same, in a failure, and offline; nothing breaks by it."""
    shared = world.folder / "shared"
    problem = f"ZOO_SHARED={shared}: {make(shared)}; it was left out"
    monkeypatch.setenv("ZOO_SHARED", str(shared))
    monkeypatch.setenv("ZOO_HOME", str(world.cache.home))
    world.cache = Cache.from_environment()
    file, network = world.published("tf"), world.network(world.published("tf"))
    found = world.fetcher().resolve(network, from_file=world.tf)
    assert found.notes == (problem,)
    assert world.fetcher().resolve(network).notes == (problem,)
    assert world.fetcher().published(network, file).notes == (problem,)
    found.path.unlink()
    told = failure_of(world, "https://a.example/x.h5")
    assert told.endswith(f"\n{NETWORK}\n{problem}\n{ADVICE}")
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    with pytest.raises(CacheError) as caught:
        world.fetcher().resolve(network)
    assert str(caught.value).endswith(f"unset it to fetch them; {problem}")
