"""Whether a weights file holds what the registry says: its layers, their names and shapes.

This is what stands in for a digest where none was published, and what finds a wrong entry where one was.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from converters.errors import counted
from zoo.errors import FileFormatError, RegistryError, StructureMismatchError
from zoo.registry.digests import any_strong
from zoo.registry.records import Architecture, ClassIndex, Graph, WeightsFile

if TYPE_CHECKING:
    from converters.formats.description import Description
    from converters.planning.structures import Match, Structure


def get_ready(*, converts: bool) -> None:
    """Import what looks into a file: it takes longer than the look itself, and a file takes time to come.

    Args:
        converts: Whether a file of another form will be converted, by what is then imported too.
    """
    import_module("converters.formats.dialects")
    import_module("converters.planning.structures")
    if converts:
        import_module("converters.planning.making")
        import_module("converters.writing.execute")


class Opened(NamedTuple):
    """A file that was found to hold what its registry entry says, for whoever needs to know more of it.

    Attributes:
        description: What it is.
        match: How its layers are those of its structure.
    """

    description: Description
    match: Match

    def at(self, path: Path) -> Opened:
        """Return the same of the file under another name."""
        return self._replace(description=replace(self.description, path=path))


def expected_structure(network: Architecture, file: WeightsFile) -> Structure:
    """Return what a published file must hold: its structure, without the classifier if it has none.

    The registry names the classifier's layers as the graph's first structure does; other structures list the
    same weighted layers in the same order.
    """
    from converters.planning.structures import load_structure

    structure, graph = load_structure(file.structure), network.graph_of(file.structure)
    if not file.top:
        return structure.without(_called(graph.top, graph, structure))
    if network.own_heads:
        return structure.with_classes(heads_in(graph, structure), network.classes)
    return structure


def heads_in(graph: Graph, structure: Structure) -> list[str]:
    """Return what a structure of a graph calls the graph's classifiers.

    Args:
        graph: The graph.
        structure: One of its structures.
    """
    return _called([head.layer for head in graph.heads], graph, structure)


def _called(names: Sequence[str], graph: Graph, structure: Structure) -> list[str]:
    """Return what a structure calls layers that are named as in the graph's first one."""
    from converters.layers.model import plain_name
    from converters.planning.structures import load_structure

    wanted = {plain_name(name) for name in names}
    pairs = zip(load_structure(graph.structures[0]).weighted, structure.weighted, strict=True)
    return [own.name for first, own in pairs if plain_name(first.name) in wanted]


def _matched(network: Architecture, file: WeightsFile, description: Description) -> Match:
    """Return how a file's layers are those of its structure, in one of the forms that it may have."""
    from converters.planning.structures import match

    expected = expected_structure(network, file)
    if file.format is not None and expected.scales:  # normalisation and scale are one layer in PyTorch
        with suppress(StructureMismatchError):
            return match(description, expected)
        with suppress(StructureMismatchError):
            return match(description, expected.folded())
    for variant in _variants(network, file, expected):
        with suppress(StructureMismatchError):
            return match(description, variant)
    return match(description, expected)


def _variants(network: Architecture, file: WeightsFile, expected: Structure) -> list[Structure]:
    """Return what else a user's own file may hold: no auxiliary heads, ``Scale`` layers folded, or both."""
    if all(digest.grade != "seen" for digest in file.digests):
        return []
    graph = network.graph_of(file.structure)
    auxiliary = [name for name in graph.top if name != graph.heads[-1].layer]
    wholes = [expected]
    if file.top and len(graph.heads) > 1:
        wholes.append(expected.without(_called(auxiliary, graph, expected)))
    return [*wholes[1:], *(whole.folded() for whole in wholes if whole.scales)]


def _below_the_top(network: Architecture, file: WeightsFile, description: Description) -> Description:
    """Return other software's file without its classifier, where the registry says that it has none."""
    if file.top or file.format is None:
        return description
    from converters.planning.structures import load_structure

    structure, graph = load_structure(file.structure), network.graph_of(file.structure)
    top = _called(graph.top, graph, structure)
    unread = {names.get(layer) for names in structure.known_as.values() for layer in top}
    return replace(
        description, layers=tuple(layer for layer in description.layers if layer.name not in unread)
    )


def check_structure(
    network: Architecture,
    file: WeightsFile,
    path: Path,
    label: str,
    *,
    structure: Structure | None = None,
) -> Opened:
    """Check that a file holds exactly what its registry entry says, and return what was found.

    Args:
        network: The network.
        file: The registry entry.
        path: The file.
        label: What messages call the file, whose path may be a temporary one.
        structure: What it must hold, where that is known; by default one of the forms that the entry allows.

    Raises:
        FileFormatError: It is no Keras weights file.
        StructureMismatchError: It holds something else.
        RegistryError: The same, of a file that has every published digest; so the registry must be wrong.
    """
    from converters.formats.dialects import describe
    from converters.planning.structures import match

    try:
        description = _below_the_top(network, file, describe(path))
        matched = match(description, structure) if structure else _matched(network, file, description)
        if matched.layout not in (None, file.layout):
            reason = f"its shapes are those of layout {matched.layout}, expected layout {file.layout}"
            raise StructureMismatchError(f"{path}: {reason}")
    except (FileFormatError, StructureMismatchError) as error:
        reason = str(error).replace(str(path), label)
        if is_attested(file) and path.exists():  # somebody may have removed it
            message = (
                f"{file.id}: the registry is wrong: a file with all published digests is not what it says"
            )
            raise RegistryError(f"{message} ({reason})") from error
        raise type(error)(reason) from error
    return Opened(description, matched)


def without_top(network: Architecture, file: WeightsFile, opened: Opened) -> Opened:
    """Return a file that has the classifier as one that lacks it, for whoever copies the rest.

    Args:
        network: The network.
        file: The registry entry of the file.
        opened: What was found in it.
    """
    expected = expected_structure(network, replace(file, top=False))
    places = {layer.name: place for place, layer in enumerate(expected.weighted)}
    match = opened.match
    gone = {pair.layer.name for pair in match.layers if pair.expected.name not in places}
    pairs = (pair for pair in match.layers if pair.layer.name not in gone)
    kept = replace(
        match,
        structure=expected,
        layers=tuple(replace(pair, index=places[pair.expected.name]) for pair in pairs),
        listed=tuple(layer for layer in match.listed if layer.name not in gone),
    )
    return opened._replace(match=kept)


def check_whole(network: Architecture, file: WeightsFile, path: Path, label: str) -> Opened | None:
    """Check that a file holds exactly what its registry entry says and nothing of it is missing; return it.

    Of a whole model nothing is returned: no structure says what must be in it.

    That is what a file must pass before anything is held to it, or offered to be. Of a file that has a
    published digest the digest tells whether it is whole; of any other each packed value is unpacked.

    Args:
        network: The network.
        file: The registry entry.
        path: The file.
        label: What messages call the file, whose path may be a temporary one.

    Raises:
        FileFormatError: It is no Keras weights file, or is cut short or damaged.
        StructureMismatchError: It holds something else.
        RegistryError: The same, of a file that has every published digest.
    """
    from converters.formats.opening import open_untrusted
    from converters.hdf5.metadata import datasets_of

    if not file.structure:
        check_whole_model(file, path, label)
        return None
    opened = check_structure(network, file, path, label)
    if is_attested(file):
        return opened
    try:
        with open_untrusted(path, known=opened.description.stamp) as source:
            for dataset in datasets_of(source.tree).values():
                # Contiguous values lie within the file: the reader has seen to it.
                for _ in source.blocks(dataset) if dataset.layout == "chunked" else ():
                    pass
    except FileFormatError as error:
        raise FileFormatError(str(error).replace(str(path), label)) from error
    return opened


def check_whole_model(file: WeightsFile, path: Path, label: str) -> None:
    """Check that a file holds a network with its weights.

    Raises:
        FileFormatError: It does not.
    """
    from converters.formats.dialects import describe

    try:
        whole = describe(path).model_config is not None
    except FileFormatError as error:
        raise FileFormatError(str(error).replace(str(path), label)) from error
    if not whole:
        raise FileFormatError(f"{label}: is no whole model, as {file.id} is: it holds weights alone")


def check_class_index(index: ClassIndex, path: Path, label: str) -> None:
    """Check that a file names as many classes as the registry says.

    Args:
        index: The registry entry.
        path: The file.
        label: What messages call it.

    Raises:
        FileFormatError: It does not.
    """
    try:
        found = json.loads(path.read_bytes())
    except ValueError as error:
        raise FileFormatError(f"{label}: is no class index: it is not JSON, or cut short") from error
    wanted = {str(number) for number in range(index.classes)}
    if not isinstance(found, dict) or set(found) != wanted:
        count = len(found) if isinstance(found, dict) else 0
        raise FileFormatError(
            f"{label}: names {counted(count, 'class')}, the class index has {index.classes}"
        )


def is_attested(file: WeightsFile) -> bool:
    """Say whether a digest was published that nobody can forge; ``cksum`` and prefixes have 32 bits only."""
    return any_strong(file.digests)
