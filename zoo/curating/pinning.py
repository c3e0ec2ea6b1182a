"""What a cache has seen, as entries of an overlay: a lab vouches for the files that it has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from zoo.curating.entries import plain
from zoo.fetching.verification import is_attested
from zoo.registry.records import Architecture, Registry, StatedProof, WeightsFile
from zoo.storage.cleanup import describe, keys_of
from zoo.storage.pins import Memory, Seen
from zoo.storage.proofs import Proven

_HEADER = """\
# What a cache has seen of files of which nobody has published a digest that tells one from any other: laid
# over the registry (ZOO_REGISTRY), it holds all who use it to the same files. `zoo registry pin` wrote it.

schema: 1

"""


@dataclass(frozen=True, kw_only=True)
class Pinned:
    """Digests that were first seen.

    Attributes:
        ids: The files that they are of.
        text: The overlay that has them.
    """

    ids: tuple[str, ...]
    text: str


def pin(
    names: Sequence[str],
    registry: Registry,
    memory: Memory,
    proofs: Sequence[Proven] = (),
    by: str | None = None,
) -> Pinned:
    """Return an overlay with the digests of files that were first seen here and have none that was published.

    What is published of a file stays in it: a list of digests is replaced whole.

    Args:
        names: Networks, or ids of files; all if there are none.
        registry: What is published.
        memory: What was seen.
        proofs: What was proven: a file with the values of its authors' own is more than first seen.
        by: Who proved it: if that is said, so is each proof, of files with a published digest too.

    Raises:
        UnknownNameError: There is no network and no file of a name.
        CacheError: What is remembered is damaged.
    """
    seen = memory.all_seen()
    wanted = _wanted(names, registry, seen)
    networks: dict[str, Any] = {}
    ids = []
    for network, file in _files(registry):
        known = seen.get(file.id)
        # One whose size is not known was accepted by its digest, and has not come yet.
        if known is None or known.bytes is None or file.id not in wanted:
            continue
        found = _proofs(network, file, seen, proofs)
        entry = {**_digests(file, known, found), **(_stated(file, found, by) if by and found else {})}
        if entry:
            networks.setdefault(network.name, {"weights": {}})["weights"][file.id] = entry
            ids.append(file.id)
    body = {"architectures": networks} if networks else {}
    text = yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=200) if body else ""
    return Pinned(ids=tuple(ids), text=_HEADER + text)


def _wanted(names: Sequence[str], registry: Registry, seen: Iterable[str]) -> frozenset[str]:
    known = describe(registry)
    return frozenset(key for name in names for key in keys_of(name, known, ())) if names else frozenset(seen)


def _files(registry: Registry) -> Iterable[tuple[Architecture, WeightsFile]]:
    return ((one, file) for one in registry.architectures.values() for file in one.weights)


def _proofs(
    network: Architecture, file: WeightsFile, seen: Mapping[str, Seen], proofs: Iterable[Proven]
) -> list[Proven]:
    """Return what was found of a file by its authors' own: one that equals any other file is not proven.

    Nor is one by what was held to as the authors' before another file was accepted.
    """
    sets = {said.name for said in network.origins_of(file.set)}
    authors = {one.id: seen.get(one.id) for one in network.weights if one.set in sets}
    return [one for one in proofs if one.sha256 == seen[file.id].sha256 and _is_by(authors, one)]


def _is_by(authors: Mapping[str, Seen | None], proof: Proven) -> bool:
    held = authors.get(proof.origin or "")
    return proof.origin in authors and (held is None or held.sha256 == proof.origin_sha256)


def _digests(file: WeightsFile, seen: Seen, proofs: Sequence[Proven]) -> dict[str, Any]:
    """Return the digest of a file of which none was published."""
    if is_attested(file):
        return {}
    proof = next((one for one in proofs if one.proven), None)
    digest = _proven(seen, proof) if proof else _seen(seen)
    return {"bytes": seen.bytes, "digests": [*map(_published, file.digests), digest]}


def _stated(file: WeightsFile, proofs: Iterable[Proven], by: str) -> dict[str, Any]:
    """Return the proofs of a file, those that somebody stated before first."""
    found = [
        StatedProof(
            origin=str(one.origin),
            sha256=one.sha256,
            origin_sha256=one.origin_sha256,
            proven=one.proven,
            by=by,
            date=one.date,
        )
        for one in proofs
    ]
    return {"proofs": [plain(one) for one in dict.fromkeys((*file.proofs, *found))]}


def _published(digest: Any) -> dict[str, str]:  # noqa: ANN401 - a record with a text of its own
    facts = plain(digest)
    return {"digest": str(digest), "grade": facts["grade"], "source": facts["source"]}


def _seen(seen: Seen) -> dict[str, str]:
    source = f"first seen on {seen.first_seen}, from {seen.url}"
    return {"digest": f"sha256:{seen.sha256}", "grade": "seen", "source": source}


def _proven(seen: Seen, proof: Proven) -> dict[str, str]:
    source = f"proven on {proof.date} to hold the values of {proof.origin} (sha256:{proof.origin_sha256})"
    return {"digest": f"sha256:{seen.sha256}", "grade": "proven", "source": source}
