"""``zoo trust``."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from zoo.cli import EXIT_DONE, output
from zoo.cli.noted import noted_cache
from zoo.errors import ArgumentError
from zoo.fetching.verification import check_whole
from zoo.registry import get_registry, weights_file
from zoo.registry.digests import contradicts, hash_file
from zoo.storage.cache import Cache
from zoo.storage.cleanup import Known, describe, keys_of


def run(arguments: argparse.Namespace) -> int:
    """Show which files are held to and which were refused, or hold to another one."""
    cache, known = noted_cache(), describe(get_registry())
    keys = keys_of(arguments.name, known, cache.memory.keys())
    said = None
    if arguments.accept:
        keys = [_the_one(cache, keys, arguments.accept)]
        said = _accept(cache, keys[0], _sha256(arguments.accept), known)
    elif arguments.forget:
        keys = [_only(keys)]
        cache.memory.forget(keys[0])
        said = f"{keys[0]}: nothing is held to; the next file that comes is the first one seen"
    facts = [_facts(cache, key, known) for key in keys]
    if arguments.json:
        output.print_json(facts)
    else:
        output.print_line(said) if said else _print(facts)
    return EXIT_DONE


def _accept(cache: Cache, key: str, sha256: str, known: Mapping[str, Known]) -> str:
    """Hold to a file from now on, and return what to say of it."""
    digests = known[key].item.digests if key in known else ()
    for digest in digests:
        if contradicts(digest, sha256):
            said = f"its published {digest.algorithm} is {digest.value}"
            raise ArgumentError(f"{key}: {said}; no other file can be accepted")
    _check_at_hand(cache, key, sha256, known)
    before = cache.memory.seen(key)
    cache.accept(key, sha256)
    was = f"; before, it was {before.sha256}" if before and before.sha256 != sha256 else ""
    return f"{key}: {sha256} is held to from now on{was}"


def _check_at_hand(cache: Cache, key: str, sha256: str, known: Mapping[str, Known]) -> None:
    """Check that a file which was refused is a whole one of its network, if it still lies on this machine.

    Raises:
        ZooError: It is not; what it lacks.
    """
    network = known[key].network if key in known else None
    urls = [one.url for one in cache.memory.refused(key) if one.sha256 == sha256]
    paths = [Path(unquote(urlsplit(url).path)) for url in urls if url.startswith("file://")]
    for path in paths if network else ():
        if path.is_file() and hash_file(path, ["sha256"])["sha256"] == sha256:
            check_whole(*weights_file(key), path, str(path))


def _the_one(cache: Cache, keys: Sequence[str], text: str) -> str:
    """Return which of a network's files a digest belongs to: the one that it was refused for."""
    sha256 = _sha256(text)
    refused = [key for key in keys if sha256 in {one.sha256 for one in cache.memory.refused(key)}]
    return _only(refused or keys)


def _only(keys: Sequence[str]) -> str:
    if len(keys) == 1:
        return keys[0]
    raise ArgumentError(f"say for which file: {', '.join(keys)}")


def _sha256(text: str) -> str:
    value = text.lower().removeprefix("sha256:")
    if not re.fullmatch("[0-9a-f]{64}", value):
        raise ArgumentError(f"{text!r} is no SHA-256: it must be 64 hexadecimal digits")
    return value


def _facts(cache: Cache, key: str, known: Mapping[str, Known]) -> dict[str, Any]:
    seen = cache.memory.seen(key)
    digests = known[key].item.digests if key in known else ()
    return {
        "id": key,
        "published": [f"{digest} (grade {digest.grade}: {digest.source})" for digest in digests],
        "first_seen": {"sha256": seen.sha256, "when": seen.first_seen, "from": seen.url} if seen else None,
        "refused": [
            {"sha256": one.sha256, "when": one.refused, "from": one.url} for one in cache.memory.refused(key)
        ],
    }


def _print(facts: list[dict[str, Any]]) -> None:
    for one in facts:
        refused = [_line(refusal) for refusal in one["refused"]]
        told = {
            "  published": "\n".join(one["published"]) or "no digest",
            "  first seen": _line(one["first_seen"]) if one["first_seen"] else "never",
            "  refused": "\n".join(refused) or "nothing",
        }
        if refused:
            told["  to accept"] = f"zoo trust {one['id']} --accept {one['refused'][-1]['sha256']}"
        output.print_line(one["id"])
        output.print_facts(told)


def _line(fact: Mapping[str, str]) -> str:
    return f"{fact['sha256']} on {fact['when']} from {fact['from']}"
