"""The tables of docs/networks.md, from the registry: `python -m tests.networks_page` writes them there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from tests.readme_table import HEADINGS, all_networks, row, table
from tests.support.pages import with_part
from zoo.registry import get_registry
from zoo.registry.families import FAMILIES
from zoo.registry.records import Architecture, WeightsFile

PAGE = Path(__file__).parent.parent / "docs" / "networks.md"

OPERATORS: Mapping[str, str] = {
    "amazonaws.com": "Amazon S3",
    "dropbox.com": "Dropbox",
    "dropboxusercontent.com": "Dropbox",
    "github.com": "GitHub",
    "githubusercontent.com": "GitHub",
    "google.com": "Google",
    "googleapis.com": "Google",
    "googleusercontent.com": "Google",
    "huggingface.co": "Hugging Face",
    "pytorch.org": "PyTorch",
    "zenodo.org": "Zenodo",
}
"""Who runs hosts, by the ends of their names: what one of them loses, all of them may lose at once."""


def operator(url: str) -> str:
    """Return who runs the host of an address; of one that is not known, its domain."""
    host = (urlsplit(url).hostname or "").split(".")
    domain = ".".join(host[-2:])
    return OPERATORS.get(domain, domain)


def known(network: Architecture) -> tuple[str, ...]:
    """Return what is known of a network, and what is not."""
    files = network.weights
    return (
        f"`{network.name}`",
        str(len(files)),
        _sizes(files),
        str(sum(len(file.urls) for file in files)),
        _hosts(files),
        _digests(files),
        "; ".join(dict.fromkeys(file.licence for file in files)),
        _errors(network),
    )


_KNOWN = (
    "name",
    "files",
    "exact size",
    "addresses",
    "hosts, and files on only one",
    "best digests",
    "licences",
    "errors stated in",
)


def _sizes(files: Iterable[WeightsFile]) -> str:
    stated = [file.bytes is not None for file in files]
    return "all" if all(stated) else f"{sum(stated)} of {len(stated)}"


def _hosts(files: Iterable[WeightsFile]) -> str:
    """Return the independent hosts, and how many files only one of them has."""
    by_file = [{operator(url) for url in file.urls} for file in files]
    hosts = ", ".join(sorted(set().union(*by_file))) or "none"
    return f"{hosts}; {sum(len(hosts) < 2 for hosts in by_file)}"


def _digests(files: Iterable[WeightsFile]) -> str:
    """Return how many files have which grade as the best of their digests."""
    best = Counter(min((digest.grade for digest in file.digests), default="none") for file in files)
    return ", ".join(f"{count} {grade}" for grade, count in sorted(best.items()))


def _errors(network: Architecture) -> str:
    """Return where the errors of each weights set are stated."""
    told = []
    for name in network.weights_sets:
        accuracy = network.about(name).accuracy
        numbers = (accuracy.top1_error_percent, accuracy.top5_error_percent) if accuracy else (None, None)
        if accuracy and numbers != (None, None):
            lacks = "".join(f", no top-{k}" for k, one in zip((1, 5), numbers, strict=True) if one is None)
            told.append(f"{name}: {accuracy.source}{lacks}")
        else:
            told.append(f"{name}: nowhere")
    return "<br>".join(told)


def recipes() -> list[tuple[str, ...]]:
    """Return the rows of the recipes of preprocessing."""
    found = get_registry().preprocessing.values()
    return [(f"`{one.name}`", one.in_words.partition(": ")[2], one.source) for one in found]


def own_classes() -> list[tuple[str, ...]]:
    """Return the rows of the families with layers of classes whose place an ``.h5`` file does not tell."""
    found = []
    for family, record in FAMILIES.items():
        names = [f"`{network.name}`" for network in all_networks() if network.family == family]
        for place in record.own_classes:
            module, _, name = place.partition(":")
            found.append((family, ", ".join(names), f"`{name}`", f"`from {module} import {name}`"))
    return found


def summary() -> str:
    """Return what all of it comes to, in a sentence."""
    networks = all_networks()
    files = [file for network in networks for file in network.weights]
    single = sum(len({operator(url) for url in file.urls}) < 2 for file in files)
    bare = sum(not any(digest.grade in "ABC" for digest in file.digests) for file in files)
    unsized = sum(file.bytes is None for file in files)
    return (
        f"Of {len(files)} files of {len(networks)} networks {bare} have no published cryptographic digest,\n"
        f"{unsized} no stated size, and {single} lie on one host alone.\n"
    )


def parts() -> dict[str, str]:
    """Return what the page holds between marks, by their names."""
    networks = all_networks()
    return {
        "networks": table(HEADINGS, map(row, networks)),
        "summary": summary(),
        "known": table(_KNOWN, map(known, networks)),
        "classes": table(("family", "networks", "class of layers", "where it is"), own_classes()),
        "recipes": table(("recipe", "what is done to images x", "stated in"), recipes()),
    }


def with_tables(text: str) -> str:
    """Return the page with its tables as they should be."""
    for name, part in parts().items():
        begin = f"<!-- {name}: written by tests/networks_page.py -->\n"
        text = with_part(text, begin, f"<!-- /{name} -->", part)
    return text


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text("utf-8")), "utf-8")
