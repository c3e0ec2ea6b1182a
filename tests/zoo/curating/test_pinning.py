"""What a cache has seen becomes an overlay that holds others to it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.support.command import Command
from tests.support.shelf import GOOGLENET, THEANO, URL, everything, fixed_cache, keep, sha256
from zoo.registry import load_registry, weights_file
from zoo.storage.cache import Cache, Item

BODY, OTHER = b"\x89HDF\r\n\x1a\nweights", b"\x89HDF\r\n\x1a\nothers!"
PUBLISHED = "densenet161-tf-flyyufelix"
"""A file of which somebody published a digest."""


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cache:
    """Return a cache that has seen three files, one of them with a published digest."""
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    made = fixed_cache(tmp_path / "home")
    for key, body in ((THEANO, BODY), (GOOGLENET, OTHER), (PUBLISHED, BODY)):
        keep(made, everything()[key].item, body)
    return made


def entry(body: bytes) -> dict[str, object]:
    """Return what is said of a file that was seen."""
    source = f"first seen on 2026-11-20T08:30:05Z, from {URL}"
    digest = {"digest": f"sha256:{sha256(body)}", "grade": "seen", "source": source}
    return {"bytes": len(body), "digests": [digest]}


def test_what_was_first_seen_is_printed(zoo: Command, cache: Cache) -> None:
    """Of the files that nobody else vouches for."""
    code, out, err = zoo("registry", "pin")
    assert (code, err) == (0, "zoo: 2 files pinned; ZOO_REGISTRY=FILE holds to what is in the overlay\n")
    assert yaml.safe_load(out) == {
        "schema": 1,
        "architectures": {
            "googlenet": {"weights": {GOOGLENET: entry(OTHER)}},
            "densenet161": {"weights": {THEANO: entry(BODY)}},
        },
    }
    told = json.loads(zoo("registry", "pin", "densenet161", "--json")[1])
    assert (told["files"], told["written"]) == ([THEANO], None)


def test_who_reads_it_is_held_to_it(
    zoo: Command, cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The overlay is valid, and its digests are checked like published ones."""
    file = tmp_path / "pins.yaml"
    assert zoo("registry", "pin", "--output", file, "-q") == (0, f"{file}\n", "")
    monkeypatch.setenv("ZOO_REGISTRY", str(file))
    network, pinned = weights_file(THEANO)
    assert [(str(one), one.grade) for one in pinned.digests] == [(f"sha256:{sha256(BODY)}", "seen")]
    assert Item.of_weights(network.name, pinned).bytes == len(BODY)
    assert zoo("registry", "check", "-q") == (0, "", "")
    assert "nothing pinned" in zoo("registry", "pin")[2]
    assert load_registry(overlays=[file]).architectures["densenet161"] == network


def test_weaker_digests_stay(zoo: Command, cache: Cache) -> None:
    """A published checksum that is no protection is kept beside what was seen."""
    keep(cache, everything()["vgg16-th-gist"].item, BODY)
    out = yaml.safe_load(zoo("registry", "pin", "vgg16")[1])
    digests = out["architectures"]["vgg16"]["weights"]["vgg16-th-gist"]["digests"]
    assert [one["digest"] for one in digests] == ["cksum:1652526697", f"sha256:{sha256(BODY)}"]
    assert [one["grade"] for one in digests] == ["D", "seen"]


def test_nothing_seen_is_a_valid_overlay_too(zoo: Command, tmp_path: Path) -> None:
    """And that there is nothing in it is said."""
    code, out, err = zoo("registry", "pin")
    assert (code, yaml.safe_load(out)) == (0, {"schema": 1})
    assert err.startswith("zoo: no file was first seen here: nothing pinned")
    assert zoo("registry", "pin", "resnet51")[0] == 2
