"""From checked values to records: what they refer to is looked up, and checked to fit together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from converters.errors import counted
from converters.planning.structure_files import structure_file, structure_files
from zoo.errors import RegistryError
from zoo.registry import fields
from zoo.registry.families import FAMILIES, family_of
from zoo.registry.fields import Mistake, did_you_mean
from zoo.registry.records import (
    WHOLE_MODEL,
    Architecture,
    ClassIndex,
    Graph,
    Preprocessing,
    ReadOnly,
    WeightsFile,
    WeightsSet,
    read_only,
    writable,
)

_Entry = TypeVar("_Entry")


def check_whole(raw: Mapping[str, Any]) -> None:
    """Check that everything fits together which the form of a registry has let through.

    Raises:
        Mistake: Two values do not.
    """
    ids, indexes = Names(), Names()
    for name in raw["class_indexes"]:
        indexes.add(name, ("class_indexes", name))
    for name, entry in raw["architectures"].items():
        network = architecture_of(entry, raw["preprocessing"], raw["class_indexes"])
        _check_complete(network)
        for place, file in enumerate(network.weights):
            here = ("architectures", name, "weights", place)
            ids.add(file.id, here, (*here, "id"))


def _check_complete(network: Architecture) -> None:
    """Check the numbers of a plug-in's family too.

    Raises:
        Mistake: They break its form, or the plug-in cannot be used.
    """
    try:
        complete(network)
    except Mistake:
        raise
    except RegistryError as error:
        raise Mistake(("architectures", network.name, "family"), str(error)) from error


class Names:
    """Names that the cache calls its files by, weights files' ids and class indexes, each given once.

    What differs in case alone is one name on the disks that macOS has by default: of two such files, one
    would be taken for the other, changed.
    """

    def __init__(self) -> None:
        self._found: dict[str, tuple[str, fields.Path]] = {}

    def add(self, name: str, owner: fields.Path, at: fields.Path = ()) -> None:
        """Take in a name.

        Args:
            name: The name.
            owner: What has it.
            at: Where it is written; by default it is that of its owner.

        Raises:
            Mistake: Something else has it already.
        """
        known, other = self._found.setdefault(name.lower(), (name, owner))
        if other is owner:
            return
        raise Mistake(at or owner, clash(name, known, other))


def clash(name: str, known: str, other: fields.Path) -> str:
    """Return why a name cannot be given, where ``other`` is called ``known``."""
    if known == name:
        return f"{name!r} is the id of {fields.dotted(other)} already"
    of_other = f"differs from {known!r}, of {fields.dotted(other)}, in case alone"
    return f"{name!r} {of_other}: on many disks that is one name; give it another"


def architecture_of(
    entry: dict[str, Any], recipes: Mapping[str, Preprocessing], indexes: Mapping[str, ClassIndex]
) -> Architecture:
    """Make the record of a network from what its form has let through.

    Args:
        entry: What was let through.
        recipes: The recipes of the registry.
        indexes: Its class indexes.

    Raises:
        Mistake: Two values do not fit together.
    """
    path: fields.Path = ("architectures", entry["name"])
    recipe = _known_if_any(entry["preprocessing"], recipes, (*path, "preprocessing"))
    index = _known_if_any(entry["class_index"], indexes, (*path, "class_index"))
    _check_classes(entry, index, path)
    graphs = _graphs(entry, path)
    for place, file in enumerate(entry["weights"]):
        _check_sources(file, (*path, "weights", place))
    _check_files(entry["weights"], graphs, (*path, "weights"))
    _check_sets(entry, graphs, path)
    for place, file in enumerate(entry["weights"]):
        _check_proofs(file, entry, (*path, "weights", place, "proofs"))
    told = {
        "sets": _sets(entry["sets"], recipes, path),
        **{key: ReadOnly(entry[key]) for key in ("differs_from", "left_out")},
    }
    return Architecture(**{**entry, "preprocessing": recipe, "graphs": ReadOnly(graphs), **told})


def _sets(
    sets: Mapping[str, WeightsSet], recipes: Mapping[str, Preprocessing], path: fields.Path
) -> Mapping[str, WeightsSet]:
    """Return what is said of weights sets, each with its recipe in the place of the name of that."""
    made = {}
    for name, said in sets.items():
        called: Any = said.preprocessing  # a name until here
        recipe = _known_if_any(called, recipes, (*path, "sets", name, "preprocessing"))
        made[name] = replace(said, config=read_only(said.config), preprocessing=recipe)
    return ReadOnly(made)


def _graphs(entry: Mapping[str, Any], path: fields.Path) -> dict[str, Graph]:
    """Return the graphs of a network, checked; a whole model has none."""
    is_whole = entry["family"] == WHOLE_MODEL
    if is_whole and entry["graphs"]:
        raise Mistake(
            (*path, "graphs"), f"has no place beside the family {WHOLE_MODEL}: the file has the graph"
        )
    if is_whole:
        return {}
    if not entry["graphs"]:
        raise Mistake((*path, "graphs"), "is missing")
    if entry["family"] in FAMILIES:
        graphs = _with_numbers(entry["graphs"], entry["family"], path)
    else:
        graphs = {
            name: replace(graph, config=read_only(graph.config)) for name, graph in entry["graphs"].items()
        }
    for name, graph in graphs.items():
        _check_graph(graph, None if entry["own_heads"] else entry["classes"], (*path, "graphs", name))
    _check_structures_have_one_graph(graphs, path)
    return graphs


def _with_numbers(graphs: Mapping[str, Graph], family: str, path: fields.Path) -> dict[str, Graph]:
    """Return graphs with the numbers that a family needs, checked, and those that were left out.

    Raises:
        Mistake: They break its form.
        RegistryError: It is a plug-in's, which cannot be used.
    """
    form = family_of(family).form
    return {
        name: replace(
            graph,
            config=read_only(form.check(graph.config, (*path, "graphs", name, "config"))),
        )
        for name, graph in graphs.items()
    }


def complete(network: Architecture) -> Architecture:
    """Return a network with the numbers that its family needs.

    Those of a plug-in's family are as its registry has them until somebody asks for the network by its name:
    what checks them is in the plug-in, and whoever looks through all networks need not import it.

    Raises:
        Mistake: They break the family's form.
        RegistryError: The plug-in cannot be used.
    """
    if network.family in FAMILIES or network.family == WHOLE_MODEL:
        return network
    path = ("architectures", network.name)
    stated = {name: replace(graph, config=writable(graph.config)) for name, graph in network.graphs.items()}
    _check_set_numbers(network.weights, network.sets, stated, network.family, path)
    return replace(network, graphs=ReadOnly(_with_numbers(stated, network.family, path)))


def _check_sources(file: WeightsFile, path: fields.Path) -> None:
    """Check that somebody has a file, that one on this machine is told from any other, and its format."""
    if not file.urls and file.path is None:
        raise Mistake((*path, "urls"), "is missing")
    if (file.dialect == "foreign") != (file.format is not None):
        raise Mistake((*path, "format"), "is said of files of the dialect foreign, and of no others")
    if file.path is not None and all(digest.algorithm != "sha256" for digest in file.digests):
        raise Mistake(
            (*path, "path"), "names a file that anybody may change, and digests has no sha256 of it"
        )


def _known_if_any(name: str | None, known: Mapping[str, _Entry], path: fields.Path) -> _Entry | None:
    return None if name is None else _known(name, known, path)


def _known(name: str, known: Mapping[str, _Entry], path: fields.Path) -> _Entry:
    if name not in known:
        raise Mistake(path, f"{name!r} is not one of {', '.join(known)}{did_you_mean(name, known)}")
    return known[name]


def _check_classes(entry: Mapping[str, Any], index: ClassIndex | None, path: fields.Path) -> None:
    names = entry["class_names"]
    if index is not None and names:
        raise Mistake((*path, "class_names"), f"has no place beside the class index {index.name!r}")
    if names and len(names) != entry["classes"]:
        raise Mistake(
            (*path, "class_names"),
            f"{counted(len(names), 'name')}, but the architecture has {counted(entry['classes'], 'class')}",
        )
    if index is None:
        return
    named = entry["class_offset"] + index.classes
    if entry["classes"] != named:
        raise Mistake(
            (*path, "classes"),
            f"{counted(entry['classes'], 'class')}, but class_offset and the class index {index.name!r} "
            f"make {named}",
        )


class _Structure:
    """The layers of the file of a structure, read only as far as somebody asks.

    Parsing all of those files takes longer than reading the registry itself, and to know a head one layer is
    enough.
    """

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self._text = text
        self._found: dict[str, dict[str, Any] | None] = {}

    def find(self, layer: str) -> dict[str, Any] | None:
        """Return one layer that has weights, or ``None`` if there is none of this name."""
        if layer not in self._found:
            self._found[layer] = self._look_for(layer)
        return self._found[layer]

    def _look_for(self, layer: str) -> dict[str, Any] | None:
        start = self._text.find(f'{{"name": {json.dumps(layer)},')
        if start < 0:
            return None
        entry: dict[str, Any] = json.JSONDecoder().raw_decode(self._text, start)[0]
        return entry if "arrays" in entry else None

    def weighted(self) -> list[dict[str, Any]]:
        """Return all layers that have weights, in file order."""
        return [entry for entry in json.loads(self._text)["layers"] if "arrays" in entry]


def _structure(name: str, path: fields.Path) -> _Structure:
    try:
        file = structure_file(name)
    except RegistryError as error:
        raise Mistake(path, str(error)) from None
    if file is None:
        raise Mistake(path, f"there is no structure {name!r}{did_you_mean(name, structure_files())}")
    return _read_structure(file)


@lru_cache(maxsize=128)
def _read_structure(file: Path) -> _Structure:
    return _Structure(file.stem, file.read_text(encoding="utf-8"))


def _check_graph(graph: Graph, classes: int | None, path: fields.Path) -> None:
    structures = [
        _structure(name, (*path, "structures", place)) for place, name in enumerate(graph.structures)
    ]
    for place, other in enumerate(structures[1:], start=1):
        _check_same_layers(structures[0], other, (*path, "structures", place))
    for key, names in (("top", graph.top), ("neck", graph.neck)):
        for place, name in enumerate(names):
            if structures[0].find(name) is None:
                known = [layer["name"] for layer in structures[0].weighted()]
                hint = did_you_mean(name, known)
                raise Mistake(
                    (*path, key, place), f"{name!r} is not a weighted layer of {structures[0].name}{hint}"
                )
    for place, head in enumerate(graph.heads):
        _check_head(head.layer, graph, structures[0], classes, (*path, "heads", place, "layer"))


def _check_head(
    name: str, graph: Graph, structure: _Structure, classes: int | None, path: fields.Path
) -> None:
    layer = structure.find(name)
    if layer is None or not _is_classifier(layer):
        known = ", ".join(entry["name"] for entry in structure.weighted() if entry["kind"] == "Dense")
        raise Mistake(path, f"{name!r} is not a dense layer of {structure.name}, which has {known}")
    units = layer["arrays"]["kernel"][-1]
    if classes is not None and units != classes:
        raise Mistake(
            path,
            f"{name!r} has {counted(units, 'output')}, but the architecture has {counted(classes, 'class')}",
        )
    if name not in graph.top:
        raise Mistake(path, f"{name!r} is not in top, so a file without the top would hold this head")


def _is_classifier(layer: Mapping[str, Any]) -> bool:
    """Tell whether a layer may be a classifier: a dense layer, or a 1x1 convolution."""
    if layer["kind"] == "Conv2D":
        return bool(layer["arrays"]["kernel"][:2] == [1, 1])
    return bool(layer["kind"] == "Dense")


def _check_same_layers(first: _Structure, other: _Structure, path: fields.Path) -> None:
    ours, theirs = first.weighted(), other.weighted()
    if len(ours) != len(theirs):
        raise Mistake(
            path,
            f"{other.name} has {counted(len(theirs), 'weighted layer')}, but {first.name} has {len(ours)}",
        )
    for our, their in zip(ours, theirs, strict=True):
        if our | {"name": their["name"]} != their:
            raise Mistake(
                path, f"{their['name']!r} of {other.name} differs from {our['name']!r} of {first.name}"
            )


def _check_structures_have_one_graph(graphs: Mapping[str, Graph], path: fields.Path) -> None:
    owners: dict[str, str] = {}
    for graph in graphs.values():
        for place, structure in enumerate(graph.structures):
            if structure in owners:
                here = (*path, "graphs", graph.name, "structures", place)
                raise Mistake(here, f"{structure!r} belongs to the graph {owners[structure]!r} already")
            owners[structure] = graph.name


def _check_files(files: Iterable[WeightsFile], graphs: Mapping[str, Graph], path: fields.Path) -> None:
    graph_of = {structure: graph.name for graph in graphs.values() for structure in graph.structures}
    graph_of_set: dict[str, str] = {}
    for place, file in enumerate(files):
        here = (*path, place)
        if not graphs:
            continue
        if not file.structure:
            raise Mistake((*here, "structure"), "is missing")
        graph = _known(file.structure, graph_of, (*here, "structure"))
        if graph_of_set.setdefault(file.set, graph) != graph:
            raise Mistake(
                (*here, "set"),
                f"{file.set!r} is for the graph {graph_of_set[file.set]!r}, this file for {graph!r};"
                " give it a weights set of its own",
            )


def _check_sets(entry: Mapping[str, Any], graphs: Mapping[str, Graph], path: fields.Path) -> None:
    """Check what weights sets say of their graphs, and of other sets with the same values."""
    if entry["family"] in FAMILIES:
        _check_set_numbers(entry["weights"], entry["sets"], graphs, entry["family"], path)
    for name, said in entry["sets"].items():
        here = (*path, "sets", name)
        if said.same_values_as is None:
            continue
        if said.same_values_as == name:
            raise Mistake((*here, "same_values_as"), "is the set itself")
        for key in ("claim", "stated_by"):
            if getattr(said, key) is None:
                raise Mistake((*here, key), "is missing: same_values_as needs somebody who says so")


def _check_proofs(file: WeightsFile, entry: Mapping[str, Any], path: fields.Path) -> None:
    """Check that what a file is said to be compared with is its authors' own, and both are those of here."""
    files = {one.id: one for one in entry["weights"]}
    origins = {name for name, said in entry["sets"].items() if said.same_values_as == file.set}
    for place, proof in enumerate(file.proofs):
        origin = files.get(proof.origin)
        if origin is None or origin.set not in origins:
            text = f"{proof.origin!r} is no file of a weights set that has same_values_as: {file.set}"
            raise Mistake((*path, place, "origin"), text)
        for key, compared in (("sha256", file), ("origin_sha256", origin)):
            known = [one.value for one in compared.digests if one.algorithm == "sha256"]
            if known and getattr(proof, key) not in known:
                text = f"is not the published sha256 of {compared.id}, {known[0]}"
                raise Mistake((*path, place, key), text)


def _check_set_numbers(
    files: Iterable[WeightsFile],
    sets: Mapping[str, WeightsSet],
    graphs: Mapping[str, Graph],
    family: str,
    path: fields.Path,
) -> None:
    """Check the numbers that weights sets have in place of those of their graphs."""
    structures = {file.set: file.structure for file in files}
    owners = {structure: graph for graph in graphs.values() for structure in graph.structures}
    for name, said in sets.items():
        graph = owners.get(structures.get(name, ""))
        if said.config and graph:
            numbers = {**writable(graph.config), **writable(said.config)}
            family_of(family).form.check(numbers, (*path, "sets", name, "config"))
