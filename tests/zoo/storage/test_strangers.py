"""A cache's folder may be somebody's home: nothing that this program did not make is ever lost there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.shelf import GOOGLENET, THEANO, everything, fixed_cache, keep, keep_converted, sha256
from zoo.storage.cache import Cache
from zoo.storage.cleanup import prune, remove, verify
from zoo.storage.partials import remove_superseded, sweep

KNOWN = everything()
BODY = b"\x89HDF\r\n\x1a\nweights"
LATER = 4e9
"""Seconds since 1970: whatever is there now has been there for years."""

HEX = "0123456789abcdef"
FOLDERS = ["", "resnet50", "thesis", ".ssh", "densenet161", "class_indexes", "googlenet/x", "_mine"]
NAMES = [
    "notes.txt",
    "main.tex",
    "id_ed25519",
    ".bashrc",
    "my_resnet50.h5",
    f"x-y-z-{HEX}.h5",
    f"densenet161-th-flyyufelix-{HEX}.h5",
    f"densenet161-th-flyyufelix-{HEX}-tf.h5",
    f"densenet161-th-flyyufelix-{sha256(BODY)[:15]}.h5",
    f"imagenet-{HEX}.json",
    f".googlenet-th-{HEX}.part",
    f".x-{HEX}.part",
    f"vgg16-{HEX[:12]}~free~{HEX}",
    "seen.yml",
]
MACHINERY = {
    "_partial": [f"vgg16-{HEX[:12]}~free~{HEX}/main.tex", "a~b~0f/data", "thesis~mine~00/x", "plan.txt"],
    "_memory": ["notes.txt", f".notes.txt-{HEX}.part", f"x/.y-{HEX}.part"],
    "_features": ["my.npz"],
}
PLACES = st.one_of(
    st.tuples(st.sampled_from(FOLDERS), st.sampled_from(NAMES)).map(lambda pair: "/".join(pair).lstrip("/")),
    st.sampled_from([f"{folder}/{name}" for folder, names in MACHINERY.items() for name in names]),
    st.text("abc-._~0123456789 é", min_size=1, max_size=40).filter(lambda name: set(name) - {"."}),
)
KINDS = st.sampled_from(["file", "link to a file", "link to nothing", "link to a folder"])
ACTIONS = st.lists(
    st.sampled_from(["prune", "prune --unknown", "remove", "verify", "sweep", "forget"]),
    min_size=1,
    max_size=4,
)


@contextmanager
def somebody() -> Iterator[tuple[Path, Path]]:
    """Give an empty home, and a folder beside it that links may lead to."""
    with tempfile.TemporaryDirectory() as folder:
        home, outside = Path(folder, "home"), Path(folder, "outside")
        home.mkdir()
        outside.mkdir()
        (outside / "data").write_bytes(b"outside")
        yield home, outside


def put(home: Path, outside: Path, place: str, kind: str) -> None:
    """Put something of the user's there, unless something is in the way."""
    path = home / place
    if any(part.is_file() or part.is_symlink() for part in (path, *path.parents)) or path.is_dir():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "file":
        path.write_bytes(f"mine: {place}".encode())
    else:
        targets = {"link to a file": outside / "data", "link to a folder": outside}
        path.symlink_to(targets.get(kind, outside / "gone"))


def snapshot(*folders: Path) -> dict[Path, bytes | str]:
    """Return all files and links below some folders."""
    found: dict[Path, bytes | str] = {}
    for folder in folders:
        for root, below, names in os.walk(folder):
            for path in (Path(root, name) for name in (*below, *names)):
                if path.is_symlink():
                    found[path] = str(path.readlink())
                elif path.is_file():
                    found[path] = path.read_bytes()
    return found


def act(cache: Cache, action: str) -> None:
    """Do what could remove something."""
    if action.startswith("prune"):
        prune(cache, KNOWN, now=LATER, unknown=action.endswith("unknown"))
    elif action == "remove":
        remove(cache, set(KNOWN), KNOWN)
    elif action == "verify":
        list(verify(cache, KNOWN))
    elif action == "sweep":
        sweep(cache.partials, now=LATER)
        remove_superseded(cache.partials, "vgg16")
    else:
        cache.memory.forget(GOOGLENET)


@settings(max_examples=40)
@given(st.lists(st.tuples(PLACES, KINDS), max_size=8), ACTIONS, st.booleans())
def test_nothing_of_the_users_is_lost(tree: list[tuple[str, str]], actions: list[str], used: bool) -> None:
    """Whatever lies there under whatever name, in a cache and in a folder that never was one."""
    with somebody() as (home, outside):
        for place, kind in tree:
            put(home, outside, place, kind)
        before = snapshot(home, outside)
        cache = fixed_cache(home)
        if used:
            keep(cache, KNOWN[THEANO].item, BODY)
            keep_converted(cache, KNOWN[THEANO].item, b"converted")
        for action in actions:
            act(cache, action)
        after = snapshot(home, outside)
        assert before.items() <= after.items()
        if not used:
            assert after == before


@pytest.mark.parametrize("action", ["prune", "prune --unknown", "remove", "verify"])
def test_a_folder_that_is_no_cache_does_not_become_one(tmp_path: Path, action: str) -> None:
    """Not even an empty folder is made in it."""
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "main.tex").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    act(fixed_cache(tmp_path), action)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("action", ["prune --unknown", "remove", "verify"])
def test_a_link_in_the_place_of_a_file_stays(tmp_path: Path, action: str) -> None:
    """Whoever moved a large file to another disk loses neither the file nor the link."""
    cache, elsewhere = fixed_cache(tmp_path / "home"), tmp_path / "disk.h5"
    path = keep(cache, KNOWN[THEANO].item, BODY)
    path.replace(elsewhere)
    path.symlink_to(elsewhere)
    act(cache, action)
    assert path.readlink() == elsewhere
    assert elsewhere.read_bytes() == BODY
    assert cache.find(KNOWN[THEANO].item) == path


def test_a_record_of_a_name_that_is_never_given_makes_nothing_ours(tmp_path: Path) -> None:
    """Whoever wrote it."""
    cache = fixed_cache(tmp_path)
    keep(cache, KNOWN[THEANO].item, BODY)
    (record,) = (tmp_path / "_memory" / "verified").rglob("*.json")
    for name in ("thesis/main.tex", "densenet161/mine.h5", f"{THEANO}-{sha256(BODY)[:16]}.h5"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"mine")
        copy = tmp_path / "_memory" / "verified" / f"{name}.json"
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(record.read_bytes())
    for action in ("prune --unknown", "remove", "verify"):
        act(cache, action)
    kept = [path.name for path in snapshot(tmp_path) if "_memory" not in path.parts]
    assert sorted(kept) == [
        f"{THEANO}-{sha256(BODY)[:16]}.h5",
        "main.tex",
        "mine.h5",
        "seen.yaml",
    ]
