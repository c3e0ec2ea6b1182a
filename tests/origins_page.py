"""The tables of docs/origins.md, from the registry: `python -m tests.origins_page` writes them there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tests.networks_page import operator
from tests.readme_table import table
from tests.support.pages import with_part
from zoo.registry import get_registry
from zoo.registry.digests import any_strong
from zoo.registry.families import FAMILIES
from zoo.registry.records import NOT_STATED, Architecture, WeightsFile, WeightsSet

PAGE = Path(__file__).parent.parent / "docs" / "origins.md"
_HEADINGS = (
    *("network", "Keras files on", "origin", "which is on", "hosts in all", "its digests", "same values"),
    *("proven by", "not known"),
)
_NONE = "none that is read"
_OF_SETS = ("network", "set", "files, and their digests", "on", "preprocessing", "scaled to", "error")


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
    origins = [file for file in network.weights if network.about(file.set).same_values_as is not None]
    digests = [f"{digest.algorithm} {digest.grade}" for file in origins for digest in file.digests]
    claims = [
        f"{said.claim}: {said.stated_by}" for said in network.sets.values() if said.same_values_as is not None
    ]
    proofs = [f"`{file.id}`: {proof}" for file in network.weights for proof in file.proofs]
    return (
        f"`{network.name}`",
        ", ".join(sorted(hosts_of(keras))),
        ", ".join(f"`{file.id}`" for file in origins) or _NONE,
        ", ".join(sorted(hosts_of(origins))) or "-",
        str(len(hosts_of([*keras, *origins]))),
        ", ".join(dict.fromkeys(digests)) or "-",
        "; ".join(dict.fromkeys(claims)) or "-",
        "; ".join(proofs) or "nothing yet",
        "; ".join(_not_known(network, keras, origins)) or "-",
    )


def _not_known(
    network: Architecture, keras: Sequence[WeightsFile], origins: Sequence[WeightsFile]
) -> Iterator[str]:
    """Yield what nobody has stated of a network's files."""
    bare = [file for file in keras if not any_strong(file.digests)]
    if bare:
        yield f"a cryptographic digest of {len(bare)} of {len(keras)} Keras files"
    short = [file for file in origins if not any_strong(file.digests)]
    if short:
        yield f"a whole digest of {', '.join(f'`{file.id}`' for file in short)}"
    sets = dict.fromkeys(file.set for file in keras)
    lost = [name for name in sets if not network.origins_of(name)]
    if lost:
        yield f"an origin of the set {', '.join(f'`{name}`' for name in lost)}"


def own_sets() -> Iterator[tuple[str, ...]]:
    """Yield a row for each weights set of other software that holds values of its own."""
    for network in ported():
        for name in network.weights_sets:
            said, files = network.about(name), [file for file in network.weights if file.set == name]
            if said.same_values_as is None and files[0].format is not None:
                yield _set_row(network, said, files)


def _set_row(network: Architecture, said: WeightsSet, files: Sequence[WeightsFile]) -> tuple[str, ...]:
    digests = (", ".join(f"{one.algorithm} {one.grade}" for one in file.digests) or "none" for file in files)
    recipe = said.preprocessing or network.recipe
    return (
        f"`{network.name}`",
        f"`{said.name}`",
        ", ".join(f"`{file.id}` ({stated})" for file, stated in zip(files, digests, strict=True)),
        ", ".join(sorted(hosts_of(files))),
        f"`{recipe.name}`",
        f"{said.resize}, {said.interpolation}",
        str(said.accuracy) if said.accuracy else NOT_STATED,
    )


def with_tables(text: str) -> str:
    """Return the page with its tables as they should be."""
    begin = "<!-- origins: written by tests/origins_page.py -->\n"
    text = with_part(text, begin, "<!-- /origins -->", table(_HEADINGS, map(provenance, ported())))
    begin = "<!-- sets: written by tests/origins_page.py -->\n"
    return with_part(text, begin, "<!-- /sets -->", table(_OF_SETS, own_sets()))


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text("utf-8")), "utf-8")
