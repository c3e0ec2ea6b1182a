"""What a weights file holds, whoever wrote it: layers in order, their arrays, names and shapes.

Four dialects are read. Keras 0.x: ``nb_layers`` and ``layer_K/param_N`` without any names, or one group
``graph``. Keras 1: ``layer_names`` and ``weight_names``, arrays called ``conv1_W`` (``conv1_W:0`` on
TensorFlow). Keras 2, and the .h5 files of Keras 3: the same with ``conv1/kernel:0`` and the root attributes
``backend`` and ``keras_version``. In files of whole models the same lies under ``model_weights``. Keras 3:
``layers/conv2d/vars/0``, in a file of its own or in a .keras archive. Objects are found by these attributes
and names, never by walking, since a ``/`` in a name makes groups within groups. No array is read here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from converters.boundary import guarded, paced
from converters.errors import ArgumentError, FileFormatError, ZooError
from converters.formats.description import Description
from converters.formats.foreign import FORM, ForeignSource
from converters.formats.keras3 import in_order, is_in_order, keras3_layers
from converters.formats.opening import open_untrusted
from converters.formats.plain import plain_layers, read_told
from converters.formats.record import read_record
from converters.formats.source import PlainSource
from converters.hdf5.source import Node, identity_by
from converters.layers.config import order_of_config
from converters.layers.config_form import read_config
from converters.layers.model import (
    Array,
    Layer,
    LayerKinds,
    Raw,
    layer_of,
    named_array,
    numbered_parts,
    plain_name,
    settled,
)
from converters.layers.names import is_keras2_name
from converters.layers.network import Network
from converters.layers.rules import FOREIGN, Dialect
from converters.limits import check_name, clipped, first_repeated, load_json, name_fault


class Told(NamedTuple):
    """A model's configuration in a file of its own: its text, and that file."""

    text: str
    where: str


def describe(
    path: str | os.PathLike[str],
    *,
    keras_version: str | None = None,
    layers: Mapping[str, str] | None = None,
    order: Sequence[str] | None = None,
    config: Told | None = None,
) -> Description:
    """Describe a weights file of any version of Keras, or of Caffe or PyTorch, without reading its arrays.

    Args:
        path: The file.
        keras_version: The version that wrote it, if the user says it; counts more than the file's own word,
            but must be one of the same dialect.
        layers: The kinds of layers that the user says, by their names.
        order: The names of the layers with arrays in the network's order, if the user says it: files of
            Keras 3 do not.
        config: The model's configuration, where it lies in a file of its own.

    Returns:
        Its layers, arrays and attributes.

    Raises:
        FileFormatError: If it is not such a file; the message says what it is, or what is missing.
        ArgumentError: If the user names a layer or a kind that is not there, or a version that cannot be.
    """
    said = _Said(version=keras_version, layers=layers or {}, order=order, config=config)
    with open_untrusted(path) as source, guarded(path, limits=source.limits):
        if isinstance(source, ForeignSource):
            description = _describe_foreign(source, said)
        elif isinstance(source, PlainSource):
            description = _describe_plain(source, said)
        else:
            description = _describe(source.root, Path(path), said, source.texts)
        return replace(description, stamp=source.stamp)


def trained_in(path: str | os.PathLike[str]) -> str | None:
    """Return the format of other software that a file is in or was converted from; None if it is neither.

    Args:
        path: The file. One that cannot be read is in none: what is wrong with it is for others to say.
    """
    try:
        facts = Path(path).stat()
    except OSError:
        return None
    # All who draw, fill and feed a network ask this of one file, and each answer means to read its metadata.
    return _trained_in(Path(path), identity_by(facts))


@lru_cache(4)
def _trained_in(path: Path, identity: tuple[int, ...]) -> str | None:
    """Return the same of a file as it was, which the identity tells."""
    try:
        with open_untrusted(path) as source:
            if isinstance(source, ForeignSource):
                return source.format
            record = read_record(source.root)
            return record.trained_in if record else None
    except ZooError:
        return None


@dataclass(frozen=True, kw_only=True)
class _Said:
    """What the user says of a file."""

    version: str | None
    layers: Mapping[str, str]
    order: Sequence[str] | None
    config: Told | None


def _describe(top: Node, path: Path, said: _Said, beside: Mapping[str, str]) -> Description:
    config_text = beside.get("config.json")
    inside = "model_weights" if top.has("model_weights") and top.names("layer_names") is None else ""
    weights = top.group(inside) if inside else top
    text = config_text if config_text is not None else top.text("model_config")
    what = "config.json" if config_text is not None else "attribute 'model_config'"
    told = said.config or (None if text is None else Told(text, f"{path}: {what}"))
    config = None if told is None else read_config(told.text, told.where, top.limits)
    record = read_record(top)
    network = record.network if record else None
    own_version = _word(top, "keras_version") or _word(weights, "keras_version") or _version_beside(beside)
    backend = _word(top, "backend") or _word(weights, "backend")
    kinds = LayerKinds(said.layers, config, network)
    dialect, raw = _layers(weights, _Versions(own=own_version, said=said.version, backend=backend), kinds)
    _check_version(path, said.version, dialect, own_version)
    _refuse_shared(raw, weights)
    ordered = True
    if dialect == "keras3":
        raw, ordered = _in_order(path, raw, said.order, network, config)
    elif said.order is not None:
        raise ArgumentError(f"{path}: tells the order of its layers itself; leave order out")
    layers = settled([layer_of(layer, kinds, dialect) for layer in paced(raw)])
    version = said.version or own_version or (network.keras_version if network else None)
    kinds.check(path, layers)
    return Description(
        path=path,
        dialect=dialect,
        keras_version=version,
        backend=backend,
        root=inside,
        layers=layers,
        model_config=config,
        config_text=None if config is None or config_text is not None else text,
        record=record,
        whole_model=bool(inside) or config_text is not None,
        optimizer=top.has("optimizer_weights") or top.has("optimizer"),
        nbytes=path.stat().st_size,
        version_said=own_version is None and version is not None,
        ordered=ordered,
        folds=_folds(network, layers),
    )


def _folds(network: Network | None, layers: Sequence[Layer]) -> dict[str, str]:
    """Return the layers that a record says are slope and offset of a batch normalisation, with its name."""
    held = {plain_name(layer.name): layer.name for layer in layers}
    pairs = [tuple(map(plain_name, pair)) for pair in network.folds.items()] if network else []
    return {held[name]: held[norm] for name, norm in pairs if {name, norm} <= held.keys()}


def _describe_plain(source: PlainSource, said: _Said) -> Description:
    """Describe a container of plain arrays, by the description in it or else by the names of the arrays."""
    top, path = source.root, source.path
    record, told = read_record(top), read_told(top)
    network = record.network if record else None
    kinds = LayerKinds(said.layers, None, network)
    raw = plain_layers(top, told, network)
    ordered = told is not None and told.ordered
    if said.order is not None:
        raw, ordered = _in_said_order(path, raw, said.order), True
    elif network is not None:
        raw = _in_recorded_order(path, [layer for layer in raw if layer.arrays], network)
    layers = settled([layer_of(layer, kinds, "plain") for layer in paced(raw)])
    kinds.check(path, layers)
    return Description(
        path=path,
        dialect="plain",
        keras_version=said.version or (told.version if told else None),
        backend=None,
        root="",
        layers=layers,
        model_config=None,
        config_text=None,
        record=record,
        whole_model=False,
        optimizer=False,
        nbytes=path.stat().st_size,
        ordered=ordered,
        format=source.format,
        form=told.form if told else None,
        folds=_folds(network, layers),
    )


def _describe_foreign(source: ForeignSource, said: _Said) -> Description:
    """Describe a file of Caffe or PyTorch, whose layers its reader tells."""
    layers, ordered = source.layers(said.layers), source.ordered
    if said.order is not None and ordered:
        raise ArgumentError(f"{source.path}: tells the order of its layers itself; leave order out")
    if said.order is not None:
        held = {layer.name: layer for layer in layers}
        raw = [Raw(name=layer.name, arrays=layer.arrays) for layer in layers]
        layers, ordered = tuple(held[one.name] for one in _in_said_order(source.path, raw, said.order)), True
    if said.version is not None:
        raise ArgumentError(f"{source.path}: no version of Keras wrote it; leave keras_version out")
    return Description(
        path=source.path,
        dialect=FOREIGN,
        keras_version=None,
        backend=None,
        root="",
        layers=layers,
        model_config=None,
        config_text=None,
        record=None,
        whole_model=False,
        optimizer=False,
        nbytes=source.path.stat().st_size,
        format=source.format,
        form=FORM,
        ordered=ordered,
        folds=source.folds,
        inputs=source.inputs,
        notes=source.notes,
    )


# What a version of Keras that wrote a file of each dialect begins with; Keras 3 still writes .h5 files too.
_VERSIONS: Mapping[str, tuple[str, ...]] = {
    "keras0": ("0.",),
    "keras1": ("1.",),
    "keras2": ("2.", "3."),
    "keras3": ("3.",),
}


def _check_version(path: Path, said: str | None, dialect: Dialect, own: str | None) -> None:
    """Raise if the user says a version that the file contradicts.

    Raises:
        ArgumentError: With what the file is.
    """
    if said is None:
        return
    possible = _VERSIONS[dialect] if own is None else (f"{own.partition('.')[0]}.",)
    if not said.startswith(possible):
        versions = " or ".join(f"{start}x" for start in possible)
        text = f"keras_version {said} cannot be: the file is one of Keras {versions}"
        raise ArgumentError(f"{path}: {text}; leave it out, or say the version that wrote the file")


def _in_order(
    path: Path, raw: list[Raw], said: Sequence[str] | None, network: Network | None, config: object
) -> tuple[list[Raw], bool]:
    """Return the layers of a file of Keras 3 in the network's order where that is known, and whether it is.

    Raises:
        ArgumentError: If the user's order has not exactly the layers of the file.
        FileFormatError: If that of the record has not.
    """
    if said is not None:
        return _in_said_order(path, raw, said), True
    if network is not None:
        raw = _in_recorded_order(path, raw, network)
        if network.ordered:
            return raw, True
    ordered = in_order(raw, order_of_config(config))
    return (raw, is_in_order(raw)) if ordered is None else (ordered, True)


def _in_said_order(path: Path, raw: list[Raw], said: Sequence[str]) -> list[Raw]:
    ordered = in_order(raw, {name: said for name in said})
    if ordered is None or len(set(said)) != len(said):
        every = [layer.name for layer in raw if layer.arrays]
        every += [part.name for layer in raw for part in layer.parts or ()]
        missing = [name for name in every if plain_name(name) not in {plain_name(one) for one in said}]
        what = f"order does not name {missing[0]!r}" if missing else "order names a layer twice"
        raise ArgumentError(f"{path}: {what}; it lists each layer with weights once, inner ones too")
    return ordered


def _in_recorded_order(path: Path, raw: list[Raw], network: Network) -> list[Raw]:
    """Return the layers of a file of Keras 3 as the record has them, those without arrays too."""
    ordered = in_order(raw, {layer.name: [part.name for part in layer.parts] for layer in network.layers})
    known = {plain_name(layer.name): layer for layer in ordered or ()}
    weighted = {plain_name(layer.name) for layer in network.layers if layer.parts}
    if ordered is None or weighted != known.keys():
        text = "the record of an earlier conversion is damaged (its layers are not those of the file)"
        raise FileFormatError(f"{path}: {text}")
    return [
        replace(known[name], name=layer.name)
        if (name := plain_name(layer.name)) in known
        else Raw(name=layer.name, arrays=())
        for layer in network.layers
    ]


@dataclass(frozen=True, kw_only=True)
class _Versions:
    """What tells the version of Keras that wrote a file: the file, the user, the ``backend`` attribute."""

    own: str | None
    said: str | None
    backend: str | None


def _version_beside(texts: Mapping[str, str]) -> str | None:
    """Return the version that an archive's metadata name: tf-keras and Keras 3 both write archives."""
    try:
        found = load_json(texts.get("metadata.json", "{}"), "metadata.json")
    except FileFormatError:
        return None
    version = found.get("keras_version") if isinstance(found, dict) else None
    return version if isinstance(version, str) else None


def _word(node: Node, attribute: str) -> str | None:
    """Return an attribute that is one word."""
    text = node.text(attribute)
    if text and (fault := name_fault(text, node.limits)):
        raise FileFormatError(f"{node.file}: attribute {attribute!r} {fault}")
    return text


def _layers(weights: Node, versions: _Versions, kinds: LayerKinds) -> tuple[Dialect, list[Raw]]:
    names = weights.names("layer_names")
    if names is not None:
        _refuse_twice(names, "layer", weights)
        raw = [Raw(name=name, arrays=tuple(_named_arrays(weights, name))) for name in paced(names)]
        return _named_dialect(versions, raw), raw
    count = weights.attribute("nb_layers")
    if isinstance(count, int):
        return "keras0", [_numbered_layer(weights, f"layer_{number}") for number in paced(range(count))]
    if weights.has("graph"):
        return "keras0", _graph_layers(weights)
    if weights.has("layers") or weights.has("_layer_checkpoint_dependencies"):
        return "keras3", [_checked_names(raw, weights) for raw in paced(keras3_layers(weights, kinds))]
    raise FileFormatError(f"{weights.file}: not a Keras weights file: {_what_instead(weights)}")


def _checked_names(raw: Raw, weights: Node) -> Raw:
    """Return a layer of Keras 3, whose names stand in attributes, once they are names."""
    for name in (raw.name, *(part.name for part in raw.parts or ())):
        check_name(name, f"{weights.file}: layer", weights.limits)
    return raw


def _what_instead(weights: Node) -> str:
    shown = ", ".join(map(repr, weights.children()[:5])) or "nothing"
    return f"it has neither layer_names nor nb_layers (it holds {shown})"


def _named_arrays(weights: Node, layer: str) -> Iterator[Array]:
    group = weights.group(layer)
    names = group.names("weight_names")
    if names is None:
        raise FileFormatError(f"{weights.file}: layer {layer!r} has no attribute 'weight_names'")
    _refuse_twice(names, f"array of layer {layer!r}", weights)
    for name in names:
        dataset = group.dataset(name)
        yield named_array(name, _path(group, name), tuple(dataset.shape), dataset.dtype)


def _numbered_arrays(weights: Node, name: str) -> list[Array]:
    group = weights.group(name)
    count = group.attribute("nb_params")
    if not isinstance(count, int):
        raise FileFormatError(f"{weights.file}: layer {name!r} has no attribute 'nb_params'")
    datasets = ((f"param_{number}", group.dataset(f"param_{number}")) for number in range(count))
    return [
        Array(name=own, role=None, path=_path(group, own), shape=tuple(found.shape), dtype=found.dtype)
        for own, found in datasets
    ]


def _numbered_layer(weights: Node, name: str) -> Raw:
    arrays = _numbered_arrays(weights, name)
    parts = numbered_parts(name, arrays, several=False) if arrays else ()
    kind = parts[0].kind if len(parts) == 1 else None
    return Raw(name=name, arrays=tuple(arrays), kind=kind, parts=parts)


def _graph_layers(weights: Node) -> list[Raw]:
    """Cut the one group of a Graph into layers."""
    arrays = _numbered_arrays(weights, "graph")
    return [
        Raw(name=part.name, arrays=part.arrays, kind=part.kind, parts=(part,))
        for part in numbered_parts("graph", arrays, several=True)
    ]


def _path(group: Node, name: str) -> str:
    return f"{group.name}/{name}".lstrip("/")


def _named_dialect(versions: _Versions, layers: Sequence[Raw]) -> Dialect:
    if versions.own is not None:
        return "keras1" if versions.own.startswith("1.") else "keras2"
    names = [array.name for layer in layers for array in layer.arrays]
    if versions.backend or any(is_keras2_name(name) for name in names):
        return "keras2"
    telling = any(array.role for layer in layers for array in layer.arrays)
    return "keras2" if not telling and (versions.said or "").startswith(_VERSIONS["keras2"]) else "keras1"


def _refuse_twice(names: Sequence[str], what: str, weights: Node) -> None:
    if (twice := first_repeated(names)) is not None:
        raise FileFormatError(f"{weights.file}: {what} {clipped(twice)} is listed twice")


def _refuse_shared(layers: Sequence[Raw], weights: Node) -> None:
    """Raise if two layers list the same array: names with ``/`` in them can lead to one by two ways."""
    paths = (array.path for layer in layers for array in layer.arrays)
    if (twice := first_repeated(paths)) is not None:
        raise FileFormatError(f"{weights.file}: two layers have the array {clipped(twice)}")
