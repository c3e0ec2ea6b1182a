"""`zoo trust`: which files are held to, which were refused, and how one is accepted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.command import Command
from tests.support.hosts import FaultyServer, flipped_byte
from tests.support.shelf import GOOGLENET, THEANO, URL, everything, fixed_cache, keep, sha256
from zoo import practice
from zoo.errors import ChecksumError
from zoo.storage.cache import Cache

BODY, OTHER = b"\x89HDF\r\n\x1a\nweights", b"\x89HDF\r\n\x1a\nothers!"
ITEM = everything()[THEANO].item
TENSORFLOW = "densenet161-tf-flyyufelix"
OTHERS = "densenet161-caffe, densenet161-torchvision, densenet161-timm"
PUBLISHED = "190946f7fb4e45e4c78c2e320cbb8f6b10f145b09aca98ab06f34f8b20ec8746"


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cache:
    """Return the empty cache that the environment names."""
    monkeypatch.setenv("ZOO_HOME", str(tmp_path))
    return fixed_cache(tmp_path)


def refuse(cache: Cache) -> None:
    """Keep a file and let another one come under its name."""
    keep(cache, ITEM, BODY)
    with pytest.raises(ChecksumError):
        cache.check_seen(ITEM, sha256(OTHER), "https://elsewhere.example.org/x.h5")


def test_a_network_shows_all_its_files(zoo: Command, cache: Cache) -> None:
    """Published digests, what was first seen, and what was refused with the way to accept it."""
    refuse(cache)
    code, out, err = zoo("trust", "densenet161")
    assert (code, err) == (0, "")
    assert out.startswith(
        f"{THEANO}\n"
        "  published   no digest\n"
        f"  first seen  {sha256(BODY)} on 2026-11-20T08:30:05Z from {URL}\n"
        f"  refused     {sha256(OTHER)} on 2026-11-20T08:30:05Z from https://elsewhere.example.org/x.h5\n"
        f"  to accept   zoo trust {THEANO} --accept {sha256(OTHER)}\n"
        f"{TENSORFLOW}\n"
        f"  published   sha256:{PUBLISHED} (grade C: "
    )
    assert out.endswith("  first seen  never\n  refused     nothing\n")


def test_json_has_the_same(zoo: Command, cache: Cache) -> None:
    """An array with one object for each file."""
    refuse(cache)
    assert json.loads(zoo("trust", THEANO, "--json")[1]) == [
        {
            "id": THEANO,
            "published": [],
            "first_seen": {"sha256": sha256(BODY), "when": "2026-11-20T08:30:05Z", "from": URL},
            "refused": [
                {
                    "sha256": sha256(OTHER),
                    "when": "2026-11-20T08:30:05Z",
                    "from": "https://elsewhere.example.org/x.h5",
                }
            ],
        }
    ]


@pytest.mark.parametrize("name", ["densenet161", THEANO])
@pytest.mark.parametrize("spelt", ["{}", "sha256:{}"])
def test_a_changed_file_is_accepted_by_its_digest(zoo: Command, cache: Cache, name: str, spelt: str) -> None:
    """For the file that it was refused for; from then on the old one is refused."""
    refuse(cache)
    code, out, _ = zoo("trust", name, "--accept", spelt.format(sha256(OTHER).upper()))
    assert (code, out) == (
        0,
        f"{THEANO}: {sha256(OTHER)} is held to from now on; before, it was {sha256(BODY)}\n",
    )
    assert cache.find(ITEM) is None
    path = keep(cache, ITEM, OTHER)
    assert cache.find(ITEM) == path
    assert json.loads(zoo("trust", THEANO, "--json")[1])[0]["refused"] == []
    with pytest.raises(ChecksumError):
        keep(cache, ITEM, BODY)


def test_a_digest_can_be_named_before_the_file_comes(zoo: Command, cache: Cache) -> None:
    """Whoever knows it from elsewhere pins it: any other file is refused."""
    line = f"{GOOGLENET}: {sha256(BODY)} is held to from now on\n"
    assert zoo("trust", GOOGLENET, "--accept", sha256(BODY)) == (0, line, "")
    item = everything()[GOOGLENET].item
    with pytest.raises(ChecksumError, match=f"it was {sha256(BODY)} \\(from zoo trust\\)"):
        keep(cache, item, OTHER)
    assert keep(cache, item, BODY) == cache.find(item)
    (seen,) = [fact["first_seen"] for fact in json.loads(zoo("trust", GOOGLENET, "--json")[1])]
    assert seen["from"] == URL


def test_json_after_a_change_shows_what_is_held_to_now(zoo: Command, cache: Cache) -> None:
    """For the one file that was changed."""
    refuse(cache)
    code, out, _ = zoo("trust", "densenet161", "--accept", sha256(OTHER), "--json")
    assert code == 0
    (fact,) = json.loads(out)
    assert (fact["id"], fact["first_seen"]["sha256"], fact["refused"]) == (THEANO, sha256(OTHER), [])


def test_forgetting_lets_the_next_file_be_the_first(zoo: Command, cache: Cache) -> None:
    """In seen.yaml too."""
    refuse(cache)
    line = f"{THEANO}: nothing is held to; the next file that comes is the first one seen\n"
    assert zoo("trust", THEANO, "--forget") == (0, line, "")
    assert THEANO not in (cache.home / "seen.yaml").read_text()
    assert keep(cache, ITEM, OTHER) == cache.find(ITEM)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (
            ["densenet161", "--accept", "0" * 64],
            f"say for which file: {THEANO}, {TENSORFLOW}, {OTHERS}",
        ),
        (["densenet161", "--forget"], f"say for which file: {THEANO}, {TENSORFLOW}, {OTHERS}"),
        ([THEANO, "--accept", "abc"], "'abc' is no SHA-256: it must be 64 hexadecimal digits"),
        (
            [TENSORFLOW, "--accept", "0" * 64],
            f"{TENSORFLOW}: its published sha256 is {PUBLISHED}; no other file can be accepted",
        ),
        (
            ["inception_v4-cadene", "--accept", "0" * 64],
            "inception_v4-cadene: its published sha256-prefix8 is 8e4777a0; no other file can be accepted",
        ),
    ],
)
def test_wrong_usage_is_told(zoo: Command, cache: Cache, argv: list[str], message: str) -> None:
    """Exit code 2, and nothing is changed."""
    assert zoo("trust", *argv) == (2, "", f"zoo: {message}\n")
    assert list(cache.home.iterdir()) == []


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    """Lead the registry to a host of a file of which nobody published anything."""
    url = "https://files.example.org/densenet121_weights_th.h5"
    folder = tmp_path / "published"
    catalogue = yaml.safe_load(practice.build(folder, ["densenet121"]).read_text("utf-8"))
    (entry,) = catalogue["architectures"]["densenet121"]["weights"]
    with FaultyServer({url: next(folder.rglob("*.h5"))}) as server:
        entry |= {"id": "somebodys", "bytes": None, "digests": [], "urls": [server.local(url)]}
        overlay = {"schema": 1, "architectures": {"densenet121": {"weights": [entry]}}}
        (folder / "overlay.yaml").write_text(yaml.safe_dump(overlay), "utf-8")
        monkeypatch.setenv("ZOO_REGISTRY", str(folder / "overlay.yaml"))
        monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
        yield server


def test_the_whole_story_of_a_file_that_changes(zoo: Command, hosts: FaultyServer) -> None:
    """Fetched, changed by its host, refused with both digests, accepted as the message says, and fetched."""
    code, old, err = zoo("fetch", "densenet121", "--backend", "th")
    assert code == 0
    assert "somebodys: no cryptographic digest of this file was ever published" in err
    assert zoo("cache", "remove", "somebodys")[0] == 0
    hosts.fault = flipped_byte
    code, out, err = zoo("fetch", "densenet121", "--backend", "th")
    assert (code, out) == (1, "")
    advice = re.search("to accept the new one: zoo (trust somebodys --accept [0-9a-f]{64})", err)
    assert advice is not None
    assert err.count(Path(old.strip()).stem.rpartition("-")[2]) == 1
    assert advice[1].split()[-1] in zoo("trust", "densenet121")[1]
    assert zoo(*advice[1].split())[0] == 0
    code, new, _ = zoo("fetch", "densenet121", "--backend", "th")
    assert code == 0
    assert Path(new.strip()).stem == f"somebodys-{advice[1].split()[-1][:16]}"
    hosts.fault = None
    assert zoo("cache", "remove", "somebodys")[0] == 0
    assert zoo("fetch", "densenet121", "--backend", "th")[0] == 1
