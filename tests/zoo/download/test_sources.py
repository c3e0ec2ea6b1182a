"""Sources in order, the user's mirror first; what failed is told; what the user forbids is not done."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.support import hosts
from tests.support.downloads import PATIENT
from tests.support.hosts import FaultyServer
from tests.support.world import DRIVE, RELEASE, RELEASE_TH, World, sha256_of, tiny_arrays, write_h5
from zoo.download import failures
from zoo.download.asking import TransferLimits
from zoo.download.failures import NoSourceError, SourceError
from zoo.download.http import check_address, next_address
from zoo.download.sources import Mirror
from zoo.errors import ArgumentError, CacheError, DownloadError
from zoo.registry.records import ClassIndex

MIRROR = "https://mirror.example/zoo"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Return a world whose server runs."""
    world = World(tmp_path)
    with world.server:
        yield world


def mirrored(world: World, monkeypatch: pytest.MonkeyPatch, **held: Path) -> str:
    """Let the server hold a mirror of some files, by registry id, and return its address."""
    files = {}
    for key, path in held.items():
        name = f"files/{sha256_of(path)}.h5"
        world.server.place(f"{MIRROR}/{name}", path)
        files[key.replace("_", "-")] = {
            "sha256": sha256_of(path),
            "bytes": path.stat().st_size,
            "path": name,
        }
    index = world.folder / "index.json"
    index.write_text(json.dumps({"format": 1, "files": files}))
    world.server.place(f"{MIRROR}/index.json", index)
    monkeypatch.setenv("ZOO_MIRROR", world.server.local(MIRROR) + "/")
    return world.server.local(MIRROR)


def on_path(path: str, fault: hosts.Fault) -> hosts.Fault:
    """Return a fault that spoils the answers for one path alone."""

    def spoil(server: FaultyServer, request: hosts.Request, answer: hosts.Answer) -> hosts.Answer:
        return fault(server, request, answer) if path in request.path else answer

    return spoil


# Sources of the registry.


def test_a_permanent_refusal_goes_to_the_next_source_at_once(world: World) -> None:
    """No wait for what will not come."""
    world.limits = PATIENT
    dead = "https://files.example.org/dead.h5"
    found = world.resolve(world.published("tf", dead, RELEASE))
    assert found.path.read_bytes() == world.tf.read_bytes()
    assert world.clock.waits == []
    assert world.asked() == ["/dead.h5", "/owner/repo/releases/download/v0.1/tiny_tf.h5"]


def test_a_passing_failure_is_waited_out_and_then_the_next_source_is_asked(world: World) -> None:
    """Each source has the budget for itself."""
    world.limits = TransferLimits(budget_s=3)
    busy = hosts.with_status(HTTPStatus.SERVICE_UNAVAILABLE)
    world.server.fault = on_path("tiny_th", busy)
    found = world.resolve(world.published("th", RELEASE_TH, DRIVE), backend="th")
    assert world.clock.waits == [0.75, 1.5]
    assert found.notes == (
        f"tiny-th: {world.server.local(RELEASE_TH)}: 503 Service Unavailable: the host has a fault"
        " (the last of 3 tries in 2 s)",
    )
    waits = [what for total, what, _ in world.recorder.steps if total == 0]
    busy = "tiny-th: 503 Service Unavailable: the host has a fault"
    assert waits == [f"{busy}; trying again in {n} s" for n in (1, 2)]


def test_what_came_from_a_source_that_failed_is_gone_on_with(world: World) -> None:
    """The next call, with the host well again, asks for the rest alone."""
    world.server.fault = hosts.truncated
    with pytest.raises(NoSourceError) as caught:
        world.resolve(world.published("tf", RELEASE))
    size = world.tf.stat().st_size
    (attempt,) = caught.value.attempts
    assert attempt.happened == f"the connection ended after {size // 2} of {size} bytes"
    assert attempt.meaning == failures.BROKEN
    (left,) = (world.kept()[:1],)
    assert left[0].endswith("/about.json")
    world.server.fault = None
    world.server.requests.clear()
    assert world.resolve(world.published("tf", RELEASE)).path.read_bytes() == world.tf.read_bytes()
    assert world.server.requests[0].headers["range"] == f"bytes={size // 2}-"
    assert len([name for name in world.kept() if "data" in name]) == 0


def test_the_budget_is_the_user_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number of seconds; anything else is refused by name."""
    monkeypatch.setenv("ZOO_RETRY_SECONDS", "7.5")
    assert TransferLimits.from_environment().budget_s == 7.5
    monkeypatch.delenv("ZOO_RETRY_SECONDS")
    assert TransferLimits.from_environment() == TransferLimits()
    for wrong in ("soon", "-1", "inf", "nan"):
        monkeypatch.setenv("ZOO_RETRY_SECONDS", wrong)
        with pytest.raises(ArgumentError) as caught:
            TransferLimits.from_environment()
        assert str(caught.value) == f"ZOO_RETRY_SECONDS={wrong!r}: must be a number of seconds, 0 or more"


# The mirror.


def test_the_mirror_is_asked_first(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its index, then the file; nobody else is asked."""
    mirrored(world, monkeypatch, tiny_tf=world.tf)
    found = world.resolve(world.published("tf", RELEASE))
    assert (found.path.read_bytes(), found.notes) == (world.tf.read_bytes(), ())
    assert world.asked() == ["/zoo/index.json", f"/zoo/files/{sha256_of(world.tf)}.h5"]


def test_what_the_mirror_lacks_comes_from_elsewhere(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a word: nothing is wrong."""
    mirrored(world, monkeypatch, other=world.th)
    found = world.resolve(world.published("tf", RELEASE))
    assert (found.path.read_bytes(), found.notes) == (world.tf.read_bytes(), ())


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (hosts.missing, "404 Not Found: the host has no such file"),
        (hosts.text_answer, "is no index of a mirror: it is not JSON"),
        (hosts.empty, "is no index of a mirror: it is not JSON"),
    ],
    ids=["none", "nonsense", "empty"],
)
def test_a_mirror_that_is_none_is_told_once(
    world: World, monkeypatch: pytest.MonkeyPatch, fault: hosts.Fault, reason: str
) -> None:
    """And the file comes from its host, as does the next one."""
    mirror = mirrored(world, monkeypatch, tiny_tf=world.tf)
    if fault is hosts.text_answer:
        fault = hosts._instead(hosts.text_answer(b"hello"))
    world.server.fault = on_path("index.json", fault)
    dead = "https://files.example.org/dead.h5"
    found = world.resolve(world.published("tf", dead), world.published("th", DRIVE))
    assert found.path.exists()
    if fault is hosts.empty:
        reason = "an empty body came instead of the file"
    assert found.notes[0] == f"ZOO_MIRROR: {mirror}/index.json: {reason}"
    assert world.asked().count("/zoo/index.json") == 1


def test_a_mirror_s_index_has_a_bound(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody fills this machine's memory with an index."""
    mirrored(world, monkeypatch, tiny_tf=world.tf)
    world.server.fault = on_path("index.json", hosts._instead(hosts.text_answer(bytes(5 << 20))))
    found = world.resolve(world.published("tf", RELEASE))
    assert "index.json: it has more than 4194304 bytes" in found.notes[0]


def test_a_mirror_with_another_file_is_not_believed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The published digest decides, whoever runs the mirror: the file comes from its own host."""
    other = write_h5(world.folder / "other.h5", tiny_arrays(seed=1))
    mirror = mirrored(world, monkeypatch, tiny_tf=other)
    found = world.resolve(replace(world.published("tf", RELEASE), bytes=None))
    assert found.path.read_bytes() == world.tf.read_bytes()
    assert found.notes[0].startswith(
        f"tiny-tf: ZOO_MIRROR: {mirror}/files/{sha256_of(other)}.h5: its md5 is "
    )


def test_a_contradiction_is_seen_before_a_byte_is_fetched(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index states another size than the registry."""
    other = write_h5(world.folder / "other.h5", {**tiny_arrays(), "more": {"W": tiny_arrays()["fc"]["W"]}})
    mirrored(world, monkeypatch, tiny_tf=other)
    found = world.resolve(world.published("tf", RELEASE))
    sizes = (other.stat().st_size, world.tf.stat().st_size)
    assert (
        "the mirror has another file: its size in bytes is {}, the published file's is {}".format(*sizes)
        in found.notes[0]
    )
    assert not any("/zoo/files/" in path for path in world.asked())


def test_a_file_that_is_not_what_the_index_says_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mirror must be true to its own word, also where nothing was published."""
    mirror = mirrored(world, monkeypatch, tiny_tf=world.tf)
    name = f"{sha256_of(world.tf)}.h5"
    world.server.fault = on_path("/zoo/files/", hosts.flipped_byte)
    found = world.resolve(world.file("tf", RELEASE))
    assert found.notes[0].startswith(f"tiny-tf: ZOO_MIRROR: {mirror}/files/{name}: its sha256 is ")
    assert found.path.read_bytes() == world.tf.read_bytes()


def test_without_a_digest_the_mirror_is_trusted_as_first_seen_and_that_is_said(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The note names the mirror."""
    mirror = mirrored(world, monkeypatch, tiny_tf=world.tf)
    found = world.resolve(world.file("tf", RELEASE))
    assert found.notes == (
        "tiny-tf: no cryptographic digest of this file was ever published; it came from the mirror"
        f" {mirror}, which is trusted as first seen only; its layers, names and shapes are right, and its"
        f" sha256 {sha256_of(world.tf)} is held to from now on: a different file will be refused",
    )


FOLDER_HINT = "; a folder that this machine can read is named by ZOO_SHARED, if it was a ZOO_HOME"


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("ftp://m.example", ""),
        ("mirror.example/zoo", "; write https://mirror.example/zoo"),
        ("https://", ""),
        ("http://[::1", ""),
        ("http://lab.example:99999", ""),
        ("https://m.example/?q=1", ""),
        ("file:///srv/zoo", FOLDER_HINT),
        ("/srv/zoo", FOLDER_HINT),
        ("./zoo", FOLDER_HINT),
    ],
)
def test_a_mirror_is_a_web_address(monkeypatch: pytest.MonkeyPatch, url: str, hint: str) -> None:
    """Anything else is refused by name, with what may have been meant."""
    monkeypatch.setenv("ZOO_MIRROR", url)
    with pytest.raises(ArgumentError) as caught:
        Mirror.from_environment()
    expected = f"ZOO_MIRROR={url!r}: must be the https:// or http:// address of a mirror{hint}"
    assert str(caught.value) == expected


def test_a_password_in_a_mirror_s_address_is_refused_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would end in messages and in what the cache remembers."""
    monkeypatch.setenv("ZOO_MIRROR", "https://me:secret@m.example")
    with pytest.raises(ArgumentError) as caught:
        Mirror.from_environment()
    assert "secret" not in str(caught.value)


def test_plain_http_is_for_a_mirror_that_the_user_named() -> None:
    """Only there, and only from there to itself; never with a password."""
    plain = Mirror.at("http://lab.example:8080/zoo/").origin
    check_address("http://lab.example:8080/zoo/index.json", plain)
    assert next_address("http://lab.example:8080/zoo", "/a", plain) == "http://lab.example:8080/a"
    for url in ("http://lab.example/zoo", "http://other.example:8080/", "http://a:b@lab.example:8080/"):
        with pytest.raises(SourceError, match="is refused"):
            check_address(url, plain)
    with pytest.raises(SourceError, match="was refused"):
        next_address("http://lab.example:8080/zoo", "http://other.example/", plain)
    with pytest.raises(SourceError, match="was refused"):
        next_address("https://lab.example/zoo", "http://lab.example:8080/", plain)


def test_a_class_index_comes_from_the_mirror_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under its own id."""
    path = world.folder / "class_index.json"
    path.write_text('{"0": ["n01440764", "tench"]}')
    name = f"files/{sha256_of(path)}.json"
    index = world.folder / "index.json"
    entry = {"sha256": sha256_of(path), "bytes": path.stat().st_size, "path": name}
    index.write_text(json.dumps({"format": 1, "files": {"class_indexes/two": entry}}))
    world.server.place(f"{MIRROR}/index.json", index)
    world.server.place(f"{MIRROR}/{name}", path)
    monkeypatch.setenv("ZOO_MIRROR", world.server.local(MIRROR))
    wanted = ClassIndex(name="two", classes=1, bytes=None, digests=(), urls=())
    assert world.fetcher().class_index(wanted).read_bytes() == path.read_bytes()


# What the user forbids.


def test_offline_nobody_is_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in the cache is there, converted if need be; the rest is named."""
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    with pytest.raises(CacheError) as caught:
        world.resolve(world.published("tf", RELEASE), world.published("th", DRIVE))
    assert str(caught.value) == (
        "tiny: ZOO_OFFLINE is set, and the cache has none of tiny-tf, tiny-th; unset it to fetch them"
    )
    with pytest.raises(CacheError, match="class_indexes/two: ZOO_OFFLINE is set"):
        world.fetcher().class_index(ClassIndex(name="two", classes=1, bytes=None, digests=(), urls=()))
    assert world.asked() == []
    monkeypatch.delenv("ZOO_OFFLINE")
    world.resolve(world.published("th", DRIVE), backend="th")
    world.asked()
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    assert world.resolve(world.published("tf", RELEASE), world.published("th", DRIVE)).converted
    assert world.asked() == []


def test_a_published_digest_can_be_required(world: World) -> None:
    """Files without one are left out, in the cache too; if none is left that is an error."""
    world.resolve(world.file("tf", RELEASE))
    found = world.resolve(world.file("tf", RELEASE), world.published("th", DRIVE), require_checksum=True)
    assert (found.file.id, found.converted) == ("tiny-th", True)
    with pytest.raises(DownloadError) as caught:
        world.resolve(world.file("tf", RELEASE), require_checksum=True)
    assert str(caught.value).splitlines()[:2] == [
        "tiny: --require-checksum refuses every file:",
        "  tiny-tf: no cryptographic digest of this file was published",
    ]


def test_one_published_file_can_be_had_as_it_is(world: World) -> None:
    """From its sources, then from the cache; what failed is a table."""
    file = world.published("th", RELEASE_TH)
    first = world.fetcher().published(world.network(file), file)
    assert first.path.read_bytes() == world.th.read_bytes()
    world.asked()
    assert world.fetcher().published(world.network(file), file).path == first.path
    assert world.asked() == []
    dead = world.published("tf", "https://files.example.org/dead.h5")
    with pytest.raises(NoSourceError, match="tiny-tf: no source gave the weights file:"):
        world.fetcher().published(world.network(dead), dead)


# What Google states of its files.


def test_the_crc_of_drive_is_checked(world: World) -> None:
    """Damage on the way is seen where no digest was published and the structure would not tell."""
    world.server.fault = hosts.flipped_byte
    with pytest.raises(NoSourceError) as caught:
        world.resolve(world.file("th", DRIVE), backend="th")
    (attempt,) = caught.value.attempts
    assert attempt.happened.startswith("its CRC-32C is ")
    assert attempt.happened.endswith("it was damaged on the way")
    assert attempt.meaning == failures.DAMAGED


def test_without_the_library_that_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not checked is not passed over."""
    monkeypatch.setattr("zoo.download.transfer.has_crc32c", lambda: False)
    found = world.resolve(world.published("th", DRIVE), backend="th")
    assert found.notes == (
        f"{world.server.local(DRIVE)}: the CRC-32C that the host states was not checked: google-crc32c is"
        " not installed (pip install 'google-crc32c>=1.6')",
    )


def test_the_library_is_found() -> None:
    """By its name, without being imported."""
    from zoo.download.transfer import has_crc32c

    assert has_crc32c()


def test_space_for_a_conversion_is_looked_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of a file that was in the cache already."""
    world.resolve(world.published("th", DRIVE), backend="th")
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1})())
    with pytest.raises(CacheError, match="to convert are needed"):
        world.resolve(world.published("th", DRIVE), backend="tf")
