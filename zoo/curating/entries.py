"""What a registry is to say of a file of a user's own, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from converters.errors import counted
from converters.planning.structures import load_structure
from zoo.curating.recognising import Found
from zoo.errors import ArgumentError, StructureMismatchError
from zoo.networks.own_head import layers_of
from zoo.networks.whole_facts import Whole
from zoo.registry.fields import default_of
from zoo.registry.records import WHOLE_MODEL, Registry

OWN_SET = "own"
"""What the weights set of an entry of the user's own is called."""

NO_LICENCE = "not stated"


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a user says of a network beside its file; ``None`` is what nobody says.

    Attributes:
        title: Its name in print.
        preprocessing: Name of a recipe of the registry.
        classes: Names of its classes, or the name of a class index.
        licence: Of the weights.
        input_size: Height and width of its images in pixels.
    """

    title: str | None = None
    preprocessing: str | None = None
    classes: tuple[str, ...] | str | None = None
    licence: str | None = None
    input_size: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a file is from.

    Attributes:
        filename: Its name there, without blanks.
        sha256: Its digest.
        bytes: Its size.
        when: The day on which it was added.
        url: Its address, if it has one.
        path: Where it lies on this machine, if it has none.
    """

    filename: str
    sha256: str
    bytes: int
    when: str
    url: str | None = None
    path: str | None = None


def of_network(name: str, found: Found, source: Source, told: Told, known: Registry) -> Any:  # noqa: ANN401
    """Return the entry of a file that holds a network of the registry.

    Raises:
        StructureMismatchError: Its classifiers are other layers than the network's.
        ArgumentError: What is said does not fit it.
    """
    network, head = found.network, found.head
    if head is not None and not head.fits:
        layers = ", ".join(map(repr, head.layers))
        text = f"the head in the file ({layers}, {counted(head.classes, 'class')}) has other layers than "
        text += f"{network.name}'s"
        advice = "save the whole model (model.save) and add that, so that it is known how these compute"
        raise StructureMismatchError(f"{source.filename}: {text}; {advice}")
    own = head is not None
    size = plain(network.input)
    if told.input_size is not None:
        size |= {"height": told.input_size[0], "width": told.input_size[1]}
    graph = found.graph
    if own:
        whole = load_structure(graph.structures[0])
        heads = layers_of([one.layer for one in graph.heads], graph, whole)
        more = {"own_heads": True, "parameters": whole.with_classes(heads, found.classes).parameters}
    else:
        more = {}
    what = f"the network of {network.name}{' with heads of its own' if own else ''}"
    file = {
        "structure": found.match.structure.name,
        "top": found.top,
        "layout": found.layout,
        "kernels": found.kernels,
        "dialect": found.dialect,
    }
    return {
        "title": told.title or name,
        "family": network.family,
        "input": size,
        "classes": found.classes,
        **_named(found.classes, told, known, {network.class_index: network.class_offset}),
        **_recipe(told, known),
        **more,
        "graphs": {graph.name: plain(graph)},
        "weights": [_file(name, file, source, told, what)],
    }


def of_whole_model(name: str, whole: Whole, source: Source, told: Told, known: Registry) -> Any:  # noqa: ANN401
    """Return the entry of a whole model.

    Raises:
        ArgumentError: What is said does not fit it.
    """
    height, width = told.input_size or (whole.height, whole.width)
    fixed = [side for side in (whole.height, whole.width) if side is not None]
    file = {"top": True, "layout": whole.layout, "kernels": whole.kernels, "dialect": whole.dialect}
    return {
        "title": told.title or name,
        "family": WHOLE_MODEL,
        "input": {
            "height": height,
            "width": width,
            "channels": whole.channels,
            "min_size": min(fixed, default=1),
        },
        "classes": whole.classes,
        **_named(whole.classes, told, known, {}),
        **_recipe(told, known),
        "parameters": whole.parameters,
        "weights": [_file(name, file, source, told, "a whole model")],
    }


def _named(classes: int, told: Told, known: Registry, offsets: Mapping[str | None, int]) -> dict[str, Any]:
    """Return what is said of the names of classes."""
    if isinstance(told.classes, str):
        offset = offsets.get(told.classes, 0)
        named = known.class_indexes[told.classes].classes + offset
        if named != classes:
            must = f"must name {counted(classes, 'class')}, as many as the file has"
            raise ArgumentError(f"classes={told.classes!r}: {must}; it names {named}")
        return {"class_index": told.classes, "class_offset": offset}
    if told.classes is not None and len(told.classes) != classes:
        must = f"must be {counted(classes, 'name')}, as many as the file has classes"
        raise ArgumentError(f"classes={'...'!r}: {must}; there are {len(told.classes)}")
    return {"class_offset": 0} | ({"class_names": list(told.classes)} if told.classes else {})


def _recipe(told: Told, known: Registry) -> dict[str, Any]:
    if told.preprocessing is None:
        return {}
    if told.preprocessing not in known.preprocessing:
        there = ", ".join(known.preprocessing)
        raise ArgumentError(f"preprocessing={told.preprocessing!r}: must be one of {there}")
    return {"preprocessing": told.preprocessing}


def _file(name: str, facts: Mapping[str, Any], source: Source, told: Told, what: str) -> dict[str, Any]:
    place = {"urls": [source.url]} if source.url else {"path": source.path}
    seen = {
        "digest": f"sha256:{source.sha256}",
        "grade": "seen",
        "source": f"computed on {source.when}, when the file was added",
    }
    return {
        "id": file_id(name),
        "set": OWN_SET,
        **facts,
        "filename": source.filename,
        "bytes": source.bytes,
        "digests": [seen],
        **place,
        "licence": told.licence or NO_LICENCE,
        "source": f"{source.filename}, added on {source.when}; holds {what}",
    }


def file_id(name: str) -> str:
    """Return what the file of a user's own network is called."""
    return f"{name}-{OWN_SET}"


def plain(value: Any) -> Any:  # noqa: ANN401 - whatever a record holds
    """Return records, mappings and tuples as YAML has them, without what has its default.

    The name of a record is the key that it stands under.
    """
    if is_dataclass(value):
        told = {one.name: (getattr(value, one.name), default_of(one)) for one in fields(value)}
        named = {"name"} if hasattr(value, "structures") else set()
        return {key: plain(now) for key, (now, usual) in told.items() if now != usual and key not in named}
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value
