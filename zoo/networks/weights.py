"""From a weights file to the arrays of a network, in the form and under the names that its layers have.

NumPy and HDF5 only. Which file holds which network is told by its layers, their names and shapes; a file that
is not exactly one of a network's structures, with or without its top, is refused.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from converters.arrays.form import TF, Form
from converters.arrays.planned import PlannedArray
from converters.boundary import uncollected
from converters.errors import ArgumentError, FileFormatError, StructureMismatchError, UnknownNameError
from converters.formats.description import Description
from converters.formats.dialects import describe, trained_in
from converters.layers.model import plain_name
from converters.planning.folding import FOLDED, folded_values, scale_pairs
from converters.planning.making import make_plan
from converters.planning.plan import Plan
from converters.planning.structures import Match, Structure, load_structure, match
from converters.writing.deviations import with_evidence
from converters.writing.execute import reader
from zoo.fetching.fetcher import find_cached, resolve
from zoo.fetching.verification import Opened, check_structure
from zoo.naming import hidden_note, is_written_as_path
from zoo.networks.own_head import OwnHead, layers_of, own_heads, without_auxiliary
from zoo.networks.shown_sets import set_shown
from zoo.progress.protocol import Progress
from zoo.registry import fields, weights_files
from zoo.registry.families import family_of
from zoo.registry.records import DEFAULT_SET, Architecture, Graph, Kernels, WeightsFile

Values = NDArray[np.float32]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Weights:
    """A weights file that holds a graph of a network.

    Attributes:
        path: The file.
        graph: The graph.
        plan: What each array needs to become what TensorFlow takes.
        names: The published name in the graph's first structure for each layer of the file's own structure.
        scales: For a batch normalisation that a ``Scale`` layer belongs to, the name of that layer.
        head: What is known of the file's classifiers, where they are not the published ones.
    """

    path: Path
    graph: Graph
    plan: Plan
    names: Mapping[str, str]
    scales: Mapping[str, str]
    head: OwnHead | None = None

    @cached_property
    def layers(self) -> frozenset[str]:
        """Published names of the layers that the file holds, ``Scale`` layers counted as part of others."""
        return frozenset(self.roles)

    @cached_property
    def roles(self) -> Mapping[str, tuple[str, ...]]:
        """For each of ``layers``, the roles of its arrays."""
        found: dict[str, tuple[str, ...]] = {}
        for name, role in self._arrays:
            found[name] = (*found.get(name, ()), role)
        scales = set(self.scales.values())
        return {name: roles for name, roles in found.items() if name not in scales}

    def shape(self, layer: str, role: str) -> tuple[int, ...]:
        """Return the shape of an array as it is read."""
        return self._arrays[layer, role].target_shape

    @cached_property
    def _arrays(self) -> Mapping[tuple[str, str], PlannedArray]:
        return {(self.names[str(one.structure_layer)], one.role): one for one in self.plan.arrays}

    @contextmanager
    def open(self) -> Iterator[Callable[[str, str], Values]]:
        """Open the file to read arrays of its layers, one at a time and in any order.

        A ``Scale`` layer is folded into the batch normalisation before it (see
        :mod:`converters.planning.folding`).

        Yields:
            A function from the published name of one of ``layers`` and the role of an array to its values:
            float32, as TensorFlow takes them.
        """
        arrays = self._arrays
        with reader(self.plan) as read_planned:

            def stored(layer: str, role: str) -> Values:
                return read_planned(arrays[layer, role]).astype(np.float32, copy=False)

            def read(layer: str, role: str) -> Values:
                scale = self.scales.get(layer)
                if scale is None or role not in FOLDED:
                    return stored(layer, role)
                return folded_values(role, layer, scale, stored)

            yield read


def choose_weights(
    network: Architecture,
    weights: str | os.PathLike[str],
    kernels: Kernels | None = None,
    *,
    headless: bool = False,
    origin: bool = True,
    progress: Progress | None = None,
) -> tuple[Graph, Callable[[], Weights]]:
    """Choose which weights of a network to read, fetching nothing yet.

    Args:
        network: The network.
        weights: Name of one of its weights sets, or the path of a file.
        kernels: How the convolution kernels of the file at that path are stored, if the user knows.
        headless: Whether the classifiers are not wanted, so that a file without them is enough.
        origin: Whether the file that a set was converted from may stand in where no source of it answers.
        progress: Told about the download, if there is one.

    Returns:
        The graph that the weights belong to, and a function that fetches them if need be and works out how to
        read them.

    Raises:
        UnknownNameError: The network has no such weights set.
        ArgumentError: ``weights`` or ``kernels`` is not allowed.
        FileFormatError: The file at the path holds no Keras weights.
        StructureMismatchError: It holds another network.
    """
    if kernels not in (None, "th", "tf"):
        raise ArgumentError(f"kernels={kernels!r}: must be 'th', 'tf' or None")
    if is_path(weights):
        found = _opened(Path(weights), network, graphs_of(network, weights), kernels=kernels)
        return found.graph, lambda: found
    if not network.graphs:
        raise ArgumentError(f"{network.name}: is a whole model, which is loaded as it is in its file")
    name = network.set_of(str(weights))
    _check_set(network, name)
    if kernels is not None:
        reason = f"the registry tells it for the weights set {name!r}"
        raise ArgumentError(f"kernels={kernels!r}: is for files given by their path; {reason}")
    complete = weights_files(network, name, top=True)
    reduced = weights_files(network, name, top=False)
    tops = [True] if complete and not (headless and reduced) else [False]
    tops += [True] if complete and tops == [False] else []  # the classifiers of a file may stay unread
    graph = network.graph_for(name)
    return graph, partial(_fetched, network, graph, name, tops=tops, origin=origin, progress=progress)


def set_for(network: Architecture, weights: object) -> object:
    """Return the weights set that tells how a file at a path was trained; anything else as it is.

    Other software draws a network in its own way and trains it on images of its own: a file in its format, or
    converted from one, is taken for one as the registry's first set of that format is, whatever its values. A
    model that was saved shows in its configuration as which set's graph it was drawn.
    """
    if not isinstance(weights, str | os.PathLike) or not weights or not is_path(weights):
        return weights
    if all(file.format is None for file in network.weights):
        return weights
    found = trained_in(weights)
    sets = (file.set for file in network.weights if found is not None and file.format == found)
    shown = next(sets, None)
    if shown is None and len(network.weights_sets) > 1:  # of one set alone there is nothing to be told
        shown = set_shown(network, Path(weights))
    return weights if shown in (None, DEFAULT_SET) else shown


def as_trained(network: Architecture, weights: object) -> Architecture:
    """Return a network with the images that weights were trained on.

    Args:
        network: The network.
        weights: Name of one of its weights sets, the path of a file, or None.
    """
    return network.with_images_of(set_for(network, weights))


def graphs_of(network: Architecture, weights: object) -> tuple[Graph, ...]:
    """Return the graphs that a file at a path may hold, one of them with the numbers of :func:`set_for`."""
    name = set_for(network, weights)
    if name not in network.weights_sets or (isinstance(weights, str) and name == weights):
        return tuple(network.graphs.values())
    trained = network.graph_for(str(name))
    return tuple(trained if one.name == trained.name else one for one in network.graphs.values())


def _fetched(
    network: Architecture,
    graph: Graph,
    weights_set: str,
    *,
    tops: Sequence[bool],
    origin: bool,
    progress: Progress | None,
) -> Weights:
    """Return weights of a set from the cache, whatever file of it is there, else from the network.

    Args:
        network: The network.
        graph: The graph that they belong to.
        weights_set: The set.
        tops: Whether files with the classifiers will do, or without, or both: first what is wanted most.
        origin: Whether the file that the set was converted from may stand in.
        progress: Told about the download, if there is one.
    """
    kinds = (False, True) if origin else (False,)
    here = (find_cached(network, weights_set, top=top, origin=kind) for kind in kinds for top in tops)
    found = next((found for found in here if found), None)
    if found is None:
        # A file for Theano is read as it is: converting it first would only cost time and room.
        found = resolve(
            network.name, weights=weights_set, top=tops[0], convert=False, origin=origin, progress=progress
        )
    for note in found.notes:
        _LOG.warning("%s", note)
    # A converted copy has another form than its source; its own record tells it.
    if found.converted:
        return _opened(found.path, network, (graph,))
    return _opened(found.path, network, (graph,), registered=found.file, known=found.opened)


def is_path(weights: object) -> bool:
    """Tell the path of a file from the name of a weights set.

    Raises:
        ArgumentError: It can be neither.
    """
    if not isinstance(weights, str | os.PathLike) or not weights:
        raise ArgumentError(f"weights={weights!r}: must be a weights set's name, the path of a file or None")
    return is_written_as_path(weights)


def _check_set(network: Architecture, name: str) -> None:
    if name in network.weights_sets:
        note = hidden_note(name, "weights set", Path.is_file)
        if note:
            _LOG.warning("%s", note)
        return
    known = ", ".join(network.weights_sets)
    guess = fields.did_you_mean(name, network.weights_sets)
    hint = f"; for the file of that name here, write weights='./{name}'" if Path(name).exists() else ""
    message = f"weights={name!r}: {network.name} has the weights sets {known}, or None for random weights"
    raise UnknownNameError(f"{message}{network.why_not(name)}{guess}{hint}")


@uncollected()
def _opened(
    path: Path,
    network: Architecture,
    graphs: Collection[Graph],
    *,
    kernels: Kernels | None = None,
    registered: WeightsFile | None = None,
    known: Opened | None = None,
) -> Weights:
    description = known.description if known else describe(path)
    head = None
    if known:
        graph, found = next(iter(graphs)), known.match
    elif registered and (network.own_heads or registered.format):
        graph = next(iter(graphs))
        description, found = check_structure(network, registered, path, str(path))
    elif registered:
        graph, found = _recognised(description, graphs)
    else:
        graph, found, description, head = _recognised_below(description, graphs)
    form = None
    if registered is not None:
        form = Form(layout=registered.layout, kernels=registered.kernels)
    plan = make_plan(description, target=TF, from_kernels=kernels, registry_form=form, match=found)
    plan = plan if registered else with_evidence(plan)
    names = _published_names(graph, found.structure)
    pairs = _PAIRS[family_of(network.family).scales](found.structure)
    scales = {names[norm]: names[scale] for norm, scale in pairs.items()}
    return Weights(path=path, graph=graph, plan=plan, names=names, scales=scales, head=head)


def _unpaired(structure: Structure) -> dict[str, str]:
    """Return no pairs, of a structure without ``Scale`` layers.

    Raises:
        FileFormatError: It has one.
    """
    if structure.scales:
        text = f"layer {structure.scales[0].name!r} is a Scale layer, and the network's family has none"
        raise FileFormatError(f"structure {structure.name}: {text}; its record says how such layers pair")
    return {}


_PAIRS: Mapping[str | None, Callable[[Structure], dict[str, str]]] = {
    "by position": scale_pairs,
    None: _unpaired,
}
"""By what the record of a family says of ``Scale`` layers."""


def _recognised(description: Description, graphs: Collection[Graph]) -> tuple[Graph, Match]:
    """Return which graph a file holds; where it holds none, say how it differs from the nearest one.

    Raises:
        StructureMismatchError: It holds none.
    """
    candidates = [candidate for graph in graphs for candidate in _candidates(graph)]
    candidates.sort(key=lambda candidate: _likeness(description, candidate[1]), reverse=True)
    mistakes = []
    for graph, structure in candidates:
        try:
            return graph, match(description, structure)
        except StructureMismatchError as mistake:
            mistakes.append(mistake)
    raise mistakes[0]


def _recognised_below(
    description: Description, graphs: Collection[Graph]
) -> tuple[Graph, Match, Description, OwnHead | None]:
    """Return which graph a user's file holds, whatever its classifiers, and the file with what is read of it.

    Raises:
        StructureMismatchError: It holds none, below the classifiers either.
    """
    try:
        return *_recognised(description, graphs), description, None
    except StructureMismatchError:
        for graph in graphs:
            for structure, kept, head in own_heads(description, graph):
                with suppress(StructureMismatchError):
                    return graph, match(kept, structure), kept, head
        raise


def _candidates(graph: Graph) -> Iterator[tuple[Graph, Structure]]:
    """Yield the structures that a graph's files may have, each with its top and without, folded and not."""
    for structure in map(load_structure, graph.structures):
        whole = (structure, structure.without(layers_of(graph.top, graph, structure)))
        for held in (*whole, *without_auxiliary(graph, structure)):
            yield graph, held
            if structure.scales:
                yield graph, held.folded()


def _likeness(description: Description, structure: Structure) -> tuple[int, int]:
    """Return how near a file comes to a structure: layers that agree, then layers that one of them lacks."""
    held = {(plain_name(layer.name), len(layer.arrays)) for layer in description.weighted}
    asked = {(plain_name(layer.name), len(layer.arrays)) for layer in structure.weighted}
    return len(held & asked), -abs(len(description.weighted) - len(structure.weighted))


def _published_names(graph: Graph, structure: Structure) -> dict[str, str]:
    """Return the first structure's name for each layer of another; weighted layers have the same order."""
    whole = load_structure(structure.name)
    published = load_structure(graph.structures[0])
    return {layer.name: first.name for layer, first in zip(whole.weighted, published.weighted, strict=True)}


def recognised(
    description: Description, graphs: Collection[Graph]
) -> tuple[Graph, Match, Description, OwnHead | None]:
    """Return which graph a user's file holds, how, and what is known of its classifiers if they are its own.

    Returns:
        The graph, how the layers match it, the file with those layers alone, and its own classifiers.

    Raises:
        StructureMismatchError: It holds none; how it differs from the nearest.
    """
    return _recognised_below(description, graphs)
