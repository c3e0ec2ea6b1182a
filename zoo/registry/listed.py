"""What a list says of a network, as plain values: what ``zoo list --json`` prints, and filters look at.

Mappings, lists, texts and numbers alone, so that it can be kept and read again without the records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zoo.registry.lazy import Lazy
from zoo.registry.parameters import parameters_of
from zoo.registry.records import Architecture, Layout, WeightsFile

Row = dict[str, Any]
"""One network."""

Held = Mapping[str, Mapping[str, Sequence[Layout | None]]]
"""In which forms the cache has files, by their networks and ids: ``None`` as published, or converted."""

FLOAT32 = 4
"""Bytes of a value, as all published files have them."""


def listed(network: Architecture) -> Row:
    """Return what a list says of a network; ``None`` is what nobody states. Nothing of it is cached."""
    paper, accuracy, recipe, size = network.paper, network.accuracy, network.preprocessing, network.input
    parameters = parameters_of(network)
    own = (file for file in network.weights if file.format is None)  # others' formats have other sizes
    stated = [file.bytes for file in own if file.bytes and file.top]
    return {
        "name": network.name,
        "title": network.title,
        "family": network.family,
        "year": paper.year if paper else None,
        "paper": paper.url if paper else None,
        "parameters": parameters,
        "bytes": stated[0] if stated else FLOAT32 * parameters,
        "bytes_are_stated": bool(stated),
        "input": [size.height, size.width, size.channels],
        "smallest_side": size.min_size,
        "classes": network.classes,
        "preprocessing": recipe.name if recipe else None,
        "top1_error_percent": accuracy.top1_error_percent if accuracy else None,
        "top5_error_percent": accuracy.top5_error_percent if accuracy else None,
        "weights_sets": list(network.weights_sets),
        "weights": [file.id for file in network.weights],
        "files": [_file(file, network.entries_of(file)[0].id) for file in network.weights],
        "cached": [],
    }


def _file(file: WeightsFile, first: str) -> Row:
    """Return what is said of a file, and the first entry of the same one where this is another."""
    return {
        "id": file.id,
        "same_file_as": first if first != file.id else None,
        "set": file.set,
        "top": file.top,
        "layout": file.layout,
        "kernels": file.kernels,
        "bytes": file.bytes,
        "licence": file.licence,
        "origin": file.source,
        "cached": [],
    }


def listed_set(network: Architecture, name: str) -> Row:
    """Return what is known of a weights set; ``None`` is what nobody states, or not of all its files alike.

    Args:
        network: The network.
        name: Of the set.
    """
    said, files = network.about(name), [file for file in network.weights if file.set == name]
    size, origins = network.input_of(name), list(dict.fromkeys(file.source for file in files))
    recipe = said.preprocessing or network.preprocessing
    stated = [file.bytes for file in files if file.bytes and file.top]
    return {
        "name": name,
        "top1_error_percent": said.accuracy.top1_error_percent if said.accuracy else None,
        "top5_error_percent": said.accuracy.top5_error_percent if said.accuracy else None,
        "error_source": said.accuracy.source if said.accuracy else None,
        "input": [size.height, size.width, size.channels],
        "preprocessing": recipe.name if recipe else None,
        "resize": said.resize,
        "interpolation": said.interpolation,
        "bytes": stated[0] if stated else None,
        "files": [file.id for file in files],
        "recipe": said.recipe,
        "origin": said.origin or (origins[0] if len(origins) == 1 else None),
        "licences": list(dict.fromkeys(file.licence for file in files)),
        "source": said.source,
    }


def with_cached(rows: Mapping[str, Row], held: Held) -> Mapping[str, Row]:
    """Return rows that say in which layouts the cache has each network, and in which forms each file.

    Args:
        rows: Rows, by the names of the networks; each is read when it is first looked at.
        held: What the cache has.
    """

    def row(name: str) -> Row:
        return _with_cached(rows[name], held[name]) if name in held else rows[name]

    return Lazy(rows.keys, row)


def _with_cached(row: Row, held: Mapping[str, Sequence[Layout | None]]) -> Row:
    files = [
        file | {"cached": [form or "as published" for form in held.get(file["id"], ())]}
        for file in row["files"]
    ]
    layouts = {form or file["layout"] for file in row["files"] for form in held.get(file["id"], ())}
    return row | {"files": files, "cached": sorted(layouts)}
