"""The table of docs/origins.md, from the registry: `python -m tests.origins_page` writes it there."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.networks_page import operator
from tests.readme_table import table
from tests.support.pages import with_part
from zoo.registry import get_registry
from zoo.registry.families import FAMILIES
from zoo.registry.records import Architecture, WeightsFile

PAGE = Path(__file__).parent.parent / "docs" / "origins.md"
_HEADINGS = ("network", "Keras files on", "origin", "which is on", "its digests", "same values", "proven by")
_NONE = "none that is read"


def ported() -> list[Architecture]:
    """Return the networks whose Keras files are not those of Keras itself."""
    own = ("vgg", "googlenet", "inception_v3", "inception_v4", "resnet", "densenet")
    assert set(own) <= set(FAMILIES)
    return [network for network in get_registry().architectures.values() if network.family in own]


def hosts_of(files: Iterable[WeightsFile]) -> set[str]:
    """Return who runs the hosts of files: what one of them loses, all of its files may lose at once."""
    return {operator(url) for file in files for url in file.urls}


def provenance(network: Architecture) -> tuple[str, ...]:
    """Return the row of a network."""
    keras = [file for file in network.weights if file.format is None]
    origins = [file for file in network.weights if file.format is not None]
    digests = [f"{digest.algorithm} {digest.grade}" for file in origins for digest in file.digests]
    claims = [
        f"{said.claim}: {said.stated_by}" for said in network.sets.values() if said.same_values_as is not None
    ]
    return (
        f"`{network.name}`",
        ", ".join(sorted(hosts_of(keras))),
        ", ".join(f"`{file.id}`" for file in origins) or _NONE,
        ", ".join(sorted(hosts_of(origins))) or "-",
        ", ".join(digests) or "-",
        "; ".join(claims) or "-",
        "; ".join(f"`{file.id}`: {proof}" for file in network.weights for proof in file.proofs)
        or "nothing yet",
    )


def with_tables(text: str) -> str:
    """Return the page with its table as it should be."""
    begin = "<!-- origins: written by tests/origins_page.py -->\n"
    return with_part(text, begin, "<!-- /origins -->", table(_HEADINGS, map(provenance, ported())))


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text("utf-8")), "utf-8")
