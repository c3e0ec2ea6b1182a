"""Proving a weights file by what its authors published: value by value, in the network's own order."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters.compare import Comparison, Held, LayerComparison, compare_held
from converters.errors import counted
from converters.hdf5.source import identity_of
from zoo.calling import public
from zoo.errors import ArgumentError, FileFormatError, StructureMismatchError, UnknownNameError
from zoo.fetching.verification import heads_in
from zoo.naming import is_written_as_path
from zoo.progress.asked import Asked, chosen
from zoo.progress.protocol import Progress
from zoo.registry import get_registry, look_up, weights_file
from zoo.registry.digests import hash_stream
from zoo.registry.records import DEFAULT_SET, Architecture, Graph, WeightsFile
from zoo.storage.cache import Cache
from zoo.storage.proofs import Proven, save_proof

if TYPE_CHECKING:
    from converters.planning.structures import Structure

_LOG = logging.getLogger(__name__)
_FOLDED = "slope and offset folded"
_NAMED = 3
"""Layers that are named in one line; the table has them all."""


@dataclass(frozen=True, kw_only=True)
class Proof:
    """Whether a file holds the values of its authors' file.

    Attributes:
        network: The network.
        id: The file's id in the registry; ``None`` of one that was given by its path.
        sha256: Its digest.
        origin: The id of the authors' file; ``None`` of one that was given by its path.
        origin_sha256: The digest of that.
        comparison: How the two compare, layer by layer, in the graph's names and order.
        left_out: Layers of the authors' file that a file without the classifier lacks.
    """

    network: str
    id: str | None
    sha256: str
    origin: str | None
    origin_sha256: str
    comparison: Comparison
    left_out: tuple[str, ...] = ()

    @property
    def proven(self) -> bool:
        """Whether all layers are equal, as they are or after a rule that is said."""
        return self.comparison.equal

    def __repr__(self) -> str:
        """Return the verdict in one line; each attribute can be looked at."""
        return f"<{self}>"

    def __str__(self) -> str:
        """Return the verdict in one line."""
        if self.proven and self.sha256 == self.origin_sha256:
            return f"proven: {self._names[0]} and {self._names[1]} are the same file (sha256 {self.sha256})"
        layers = self.comparison.layers
        counts = Counter(layer.status for layer in layers)
        found = f"{counts['equal']} equal bit for bit, {counts['permuted']} after a rule"
        if self.rules:
            found += "".join(f"; {rule}: {_listed(names)}" for rule, names in self.rules.items())
        different = [layer.name for layer in layers if layer.status == "different"]
        verdict = "proven"
        if not self.proven:
            verdict = f"not proven, {counted(len(different), 'layer')} different ({_listed(different)})"
        sides = f"{self._names[0]} (sha256 {self.sha256}) and {self._names[1]}"
        return f"{verdict}: {sides} (sha256 {self.origin_sha256}): of {counted(len(layers), 'layer')} {found}"

    @property
    def _names(self) -> tuple[str, str]:
        return self.id or str(self.comparison.first), self.origin or str(self.comparison.second)

    @property
    def rules(self) -> dict[str, tuple[str, ...]]:
        """The rules that values are equal after, by their names, with the layers that are; moves are none."""
        found: dict[str, list[str]] = {}
        for layer in self.comparison.layers:
            for rule in layer.rules if layer.status == "permuted" else ():
                found.setdefault(rule, []).append(layer.name)
        return {rule: tuple(names) for rule, names in found.items()}

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values that JSON can hold."""
        compared = self.comparison.as_dict()
        return {
            "proven": self.proven,
            "network": self.network,
            "file": {"id": self.id, "path": compared["first"], "sha256": self.sha256},
            "origin": {"id": self.origin, "path": compared["second"], "sha256": self.origin_sha256},
            "layers": compared["layers"],
            "rules": {rule: list(names) for rule, names in self.rules.items()},
            "left_out": list(self.left_out),
        }


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f", ... ({len(names)} layers)" if len(names) > _NAMED else "")


@public()
def prove(
    file: str | os.PathLike[str],
    *,
    origin: str | os.PathLike[str] | None = None,
    from_kernels: str | None = None,
    save: bool = False,
    progress: Asked = None,
) -> Proof:
    """Compare a weights file with what its authors published, as ``zoo prove`` does.

    Both are brought into the network's own order and form. A layer is equal bit for bit; or equal after a
    rule: kernels rotated, axes and rows moved, sums divided by their factor, slopes and offsets folded, the
    channels of the input in the other order, the scale of the input folded into the first kernel, class 0
    dropped; or different.

    Args:
        file: The id of a published file, which is fetched if need be; or the path of a file.
        origin: The same of its authors' file; if left out, the one that the registry says it was converted
            from.
        from_kernels: ``th`` or ``tf``: how the kernels of a file at a path are stored, where nothing tells.
        save: Whether what is found is kept in the cache: ``zoo show`` and ``zoo registry pin`` go by it.
        progress: As for :func:`zoo.fetch`.

    Raises:
        ArgumentError: Nothing says what the authors' file is, or what network the file holds; or it is said
            how a published file's kernels are stored.
        UnknownNameError: There is no such file.
        DownloadError: One of the files cannot be had.
        FileFormatError: One of the files cannot be read as weights, or was changed while it was compared.
        StructureMismatchError: The two hold different networks, or different graphs of one.
    """
    reporter = chosen(progress)
    first = _side(file, from_kernels, reporter)
    other = _side(_origin_of(first) if origin is None else origin, None, reporter)
    if first.network.name != other.network.name:
        text = f"holds {other.network.name}, and {first.path} holds {first.network.name}"
        raise StructureMismatchError(f"{other.path}: {text}: only files of one network can be compared")
    if first.graph.name != other.graph.name:
        other = _in_graph(other, first.graph)
    found = _proof(first, other)
    if save:
        cache = Cache.from_environment()
        save_proof(cache.home, _entry(found, cache.moment()))
    return found


@dataclass(frozen=True, kw_only=True)
class _Given:
    """One of the two files.

    Attributes:
        path: Where it lies.
        network: The network that it holds.
        graph: The graph of that.
        held: What the comparison needs of it.
        record: What the registry says of it, if it is a published one.
        weights_set: The weights set that it is one of, or stands for.
    """

    path: Path
    network: Architecture
    graph: Graph
    held: Held
    record: WeightsFile | None
    weights_set: str

    @property
    def id(self) -> str | None:
        """Its id in the registry."""
        return self.record.id if self.record else None


def _side(given: str | os.PathLike[str], kernels: str | None, progress: Progress | None) -> _Given:
    if is_written_as_path(given) or Path(given).is_file():
        return _at_path(Path(given), kernels)
    known = look_up(str(given))
    if kernels is not None:
        raise ArgumentError(f"from_kernels={kernels!r}: must be left out: the registry says it of {given}")
    if isinstance(known, Architecture):
        ids = ", ".join(file.id for file in known.weights)
        raise UnknownNameError(f"{given}: is a network: name one of its files, {ids}")
    return _published(str(given), progress)


def _published(name: str, progress: Progress | None) -> _Given:
    from converters.arrays.form import Form
    from zoo.fetching.fetcher import resolve
    from zoo.fetching.verification import check_structure

    found = resolve(name, progress=progress)
    for note in found.notes:
        _LOG.warning("%s", note)
    network, file = weights_file(name)
    opened = found.opened or check_structure(network, file, found.path, str(found.path))
    graph = network.graph_of(file.structure)
    form = Form(layout=file.layout, kernels=file.kernels)
    held = _held(opened.description, opened.match, form, network, graph)
    return _Given(path=found.path, network=network, graph=graph, held=held, record=file, weights_set=file.set)


def _at_path(path: Path, kernels: str | None) -> _Given:
    from converters.arrays.form import Form, checked_axis
    from converters.formats.dialects import describe
    from converters.planning.facts import learn_kernels, learn_layout
    from converters.planning.structures import recognise

    description = describe(path)
    owners = _owners()
    found = recognise(description) or recognise(description, _with_other_classes(owners))
    if found is None or found[1].structure.name not in owners:
        raise ArgumentError(f"{path}: holds no network that zoo knows, so nothing can be proven of it")
    match = found[1]
    network, graph = owners[match.structure.name]
    said = checked_axis(kernels, "from_kernels")
    layout = learn_layout(description, match=match)
    stored = learn_kernels(description, layout, user=said)
    form = Form(layout=layout.value, kernels=stored.value) if layout and stored else None
    held = _held(description, match, form, network, graph)
    return _Given(path=path, network=network, graph=graph, held=held, record=None, weights_set=DEFAULT_SET)


def _in_graph(given: _Given, graph: Graph) -> _Given:
    """Return a file as it fits another graph of its network, as other software's may fit several.

    Raises:
        StructureMismatchError: It does not.
    """
    from converters.planning.structures import load_structure, match, recognise

    description = given.held.description
    structures = [load_structure(name) for name in graph.structures]
    found = recognise(description, structures)
    matched = found[1] if found else match(description, structures[0])
    held = _held(description, matched, given.held.form, given.network, graph)
    return replace(given, graph=graph, held=held)


def _owners() -> dict[str, tuple[Architecture, Graph]]:
    networks = get_registry().architectures.values()
    return {
        name: (network, graph)
        for network in networks
        for graph in network.graphs.values()
        for name in graph.structures
    }


def _with_other_classes(owners: Mapping[str, tuple[Architecture, Graph]]) -> Iterator[Structure]:
    """Yield what files hold that have a class more than a network, or one less: the background."""
    from converters.planning.structures import load_structure

    for name, (network, graph) in owners.items():
        structure = load_structure(name)
        heads = heads_in(graph, structure)
        for classes in (network.classes - 1, network.classes + 1):
            yield structure.with_classes(heads, classes)


def _held(
    description: Any,  # noqa: ANN401 - of converters, as the next two
    match: Any,  # noqa: ANN401
    form: Any,  # noqa: ANN401
    network: Architecture,
    graph: Graph,
) -> Held:
    """Return a file for the comparison, with the names that its graph's first structure gives its layers."""
    from converters.planning.structures import load_structure

    listed, first = load_structure(match.structure.name), load_structure(graph.structures[0])
    called = {own.name: one.name for own, one in zip(listed.weighted, first.weighted, strict=True)}
    names = {pair.layer.name: called[pair.expected.name] for pair in match.layers}
    kernels = ((layer.name, layer.arrays.get("kernel", ())) for layer in first.weighted)
    takes_images = (name for name, shape in kernels if shape[-2:-1] == (network.input.channels,))
    return Held(
        description=description,
        match=match,
        form=form,
        names=names,
        first=next(takes_images, None),
        heads=heads_in(graph, first),
    )


def _origin_of(first: _Given) -> str:
    """Return the id of the file that a file was converted from.

    Raises:
        ArgumentError: Nobody says it.
    """
    sets = {said.name for said in first.network.origins_of(first.weights_set)}
    for file in first.network.weights:
        if file.set in sets:
            return file.id
    what = f"the weights set {first.weights_set!r} of {first.network.name}"
    raise ArgumentError(
        f"{first.id or first.path}: nobody states what {what} was converted from; --origin names a file"
    )


def _proof(first: _Given, other: _Given) -> Proof:
    compared = _compared(first, other)
    top = {*first.graph.top}
    lacks = [one.name for one in compared.layers if one.detail == "only in the second file"]
    # A file without the classifier lacks all of it, and nothing else.
    left_out = tuple(lacks) if {*lacks} == top else ()
    layers = tuple(one for one in compared.layers if one.name not in left_out)
    return Proof(
        network=first.network.name,
        id=first.id,
        sha256=_digest(first),
        origin=other.id,
        origin_sha256=_digest(other),
        comparison=replace(compared, layers=layers),
        left_out=left_out,
    )


def _digest(given: _Given) -> str:
    """Return the SHA-256 of what was compared.

    Raises:
        FileFormatError: Another file lies there by now, or it was written to.
    """
    stamp = given.held.description.stamp
    with given.path.open("rb") as stream:
        found = hash_stream(stream.read, ["sha256"], os.fstat(stream.fileno()).st_size)
        now = identity_of(stream)
    # The last is the time at which its names changed too, as when the cache gives it another.
    if stamp is None or stamp.identity[:-1] != now[:-1]:
        raise FileFormatError(f"{given.path}: was changed while it was compared; run the same again")
    return found["sha256"]


def _compared(first: _Given, other: _Given) -> Comparison:
    """Compare layer by layer as they are, and those that differ with slopes and offsets folded."""
    from converters.planning.folding import scale_pairs
    from converters.planning.structures import load_structure

    compared = compare_held(first.held, other.held)
    pairs = scale_pairs(load_structure(first.graph.structures[0]))
    if compared.equal or not pairs:
        return compared
    folded = {one.name: one for one in compare_held(first.held, other.held, fold=True).layers}
    return replace(compared, layers=tuple(_with_folded(compared.layers, pairs, folded)))


def _with_folded(
    layers: tuple[LayerComparison, ...], pairs: Mapping[str, str], folded: Mapping[str, LayerComparison]
) -> Iterator[LayerComparison]:
    """Yield layers; a normalisation and a Scale that differ alone are equal where together they are."""
    norms = {scale: norm for norm, scale in pairs.items()}
    partners = {**pairs, **norms}
    for layer in layers:
        together = folded.get(norms.get(layer.name, layer.name))
        is_told = layer.status != "different" or layer.name not in partners
        if is_told or together is None or together.status == "different":
            yield layer
        else:
            detail = f"{_FOLDED} into those of {partners[layer.name]}"
            detail += f"; {together.detail}" if layer.name in pairs else ""
            rules = (_FOLDED, *(together.rules if layer.name in pairs else ()))
            yield replace(
                layer, status="permuted", differing=0, largest=0.0, relative=0.0, detail=detail, rules=rules
            )


def _entry(found: Proof, date: str) -> Proven:
    return Proven(
        id=found.id,
        sha256=found.sha256,
        origin=found.origin,
        origin_sha256=found.origin_sha256,
        proven=found.proven,
        date=date,
    )
