"""What is known of a network, whatever form its weights are in: what a conversion passes on to the next one.

Layers in the network's order, their kinds and the arrays that they have, the feature map in front of a
matrix: none of it depends on layout, kernels or dialect, so it holds for every file that a file is converted
into. As text it is the JSON of the attribute ``zoo_network``; :data:`SCHEMA` is the number of its form.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from converters.arrays.rows import Flattened, parse_flattened
from converters.errors import FileFormatError, NewerFileError
from converters.limits import load_json, shown
from converters.version import newer_fault

ATTRIBUTE = "zoo_network"
SCHEMA = 1
RUNNING_STD = ("variance", "variance, assumed", "deviation")


@dataclass(frozen=True, kw_only=True)
class PartFacts:
    """What is known of a layer without layers inside.

    Attributes:
        name: Its name.
        kind: Its kind, or None.
        own_class: The name of its class, if it is of a kind without a rule.
        doubtful: Whether its kind was taken from shapes that another kind shares.
        roles: Its arrays, by what they are to it; None if it has all that its kind can have.
        flattened: What its rows are, or None if that is not known.
    """

    name: str
    kind: str | None = None
    own_class: str | None = None
    doubtful: bool = False
    roles: tuple[str, ...] | None = None
    flattened: Flattened | None = None


@dataclass(frozen=True, kw_only=True)
class LayerFacts:
    """What is known of a layer.

    Attributes:
        name: Its name.
        kind: Its kind, or None.
        parts: The layers inside it, or the layer itself; empty if it has no arrays.
    """

    name: str
    kind: str | None = None
    parts: tuple[PartFacts, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Network:
    """What is known of a network.

    Attributes:
        layers: All layers, those without arrays too, in the network's order where that is known.
        ordered: Whether it is; a file of Keras 3 may not tell it.
        keras_version: The version of Keras that its user said, where the file has no word of its own.
        running_std: What the arrays of that name in Keras 1 hold, one of :data:`RUNNING_STD`; None if there
            are none.
        old_1d: Whether Keras 1 keeps its 1-D kernels as it did up to 1.0.8.
        folds: The layers that are slope and offset of a batch normalisation, with its name.
    """

    layers: tuple[LayerFacts, ...]
    ordered: bool = True
    keras_version: str | None = None
    running_std: str | None = None
    old_1d: bool = False
    folds: Mapping[str, str] = field(default_factory=dict)

    def by_name(self) -> dict[str, LayerFacts]:
        """Return the layers by their names."""
        return {layer.name: layer for layer in self.layers}

    def as_text(self) -> str:
        """Return the facts as :func:`parse_network` reads them."""
        facts = {
            "schema": SCHEMA,
            "ordered": None if self.ordered else False,
            "keras_version": self.keras_version,
            "running_std": self.running_std,
            "old_1d": self.old_1d or None,
            "folds": dict(self.folds) or None,
            "layers": [_layer_dict(layer) for layer in self.layers],
        }
        return json.dumps(_told(facts), separators=(",", ":"))


def _told(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value is not None}


def _layer_dict(layer: LayerFacts) -> dict[str, Any]:
    facts = {"name": layer.name, "kind": layer.kind}
    if len(layer.parts) == 1 and (layer.parts[0].name, layer.parts[0].kind) == (layer.name, layer.kind):
        return _told({**_part_dict(layer.parts[0]), **facts})
    inside = [_part_dict(part) for part in layer.parts]
    return _told({**facts, "parts": inside or None, "weights": None if inside else False})


def _part_dict(part: PartFacts) -> dict[str, Any]:
    return _told(
        {
            "name": part.name,
            "kind": part.kind,
            "own_class": part.own_class,
            "doubtful": part.doubtful or None,
            "roles": list(part.roles) if part.roles is not None else None,
            "flatten": part.flattened.text if part.flattened else None,
        }
    )


def parse_network(text: str) -> Network:
    """Return the facts that a text holds.

    Raises:
        NewerFileError: If a later version wrote it.
        FileFormatError: If it holds something else.
    """
    facts = load_json(text, ATTRIBUTE)
    if fault := newer_fault(facts.get("schema") if isinstance(facts, dict) else None, SCHEMA):
        raise NewerFileError(f"{ATTRIBUTE} {fault}")
    if not isinstance(facts, dict) or not isinstance(facts.get("layers"), list):
        raise FileFormatError(f"{ATTRIBUTE} is not a list of layers")
    if facts.get("schema") != SCHEMA:
        raise FileFormatError(
            f"{ATTRIBUTE} has schema {shown(facts.get('schema'))}; this version reads {SCHEMA}"
        )
    running = _text(facts, "running_std")
    if running not in (None, *RUNNING_STD):
        raise FileFormatError(f"{ATTRIBUTE} says {shown(running)} of running_std")
    return Network(
        layers=tuple(_layer(entry) for entry in facts["layers"]),
        ordered=facts.get("ordered") is not False,
        keras_version=_text(facts, "keras_version"),
        running_std=running,
        old_1d=facts.get("old_1d") is True,
        folds=_folds(facts),
    )


def _folds(facts: Mapping[str, Any]) -> dict[str, str]:
    found = facts.get("folds", {})
    if not isinstance(found, dict):
        raise FileFormatError(f"{ATTRIBUTE}: folds is {shown(found)}, not names by names")
    return {name: norm for name in found if (norm := _text(found, name)) is not None}


def _layer(entry: Any) -> LayerFacts:  # noqa: ANN401 - whatever JSON may hold
    part = _part(entry)
    if entry.get("weights") is False:
        return LayerFacts(name=part.name, kind=part.kind)
    inside = entry.get("parts", [entry])
    if not isinstance(inside, list):
        raise FileFormatError(f"{ATTRIBUTE}: the parts of {shown(part.name)} are not a list")
    return LayerFacts(name=part.name, kind=part.kind, parts=tuple(map(_part, inside)))


def _part(entry: Any) -> PartFacts:  # noqa: ANN401 - whatever JSON may hold
    name = _text(entry, "name") if isinstance(entry, dict) else None
    if name is None:
        raise FileFormatError(f"{ATTRIBUTE} has a layer without a name")
    flatten, roles = _text(entry, "flatten"), entry.get("roles")
    if roles is not None and not (isinstance(roles, list) and all(isinstance(role, str) for role in roles)):
        raise FileFormatError(f"{ATTRIBUTE}: the roles of {shown(name)} are not names")
    return PartFacts(
        name=name,
        kind=_text(entry, "kind"),
        own_class=_text(entry, "own_class"),
        doubtful=entry.get("doubtful") is True,
        roles=None if roles is None else tuple(roles),
        flattened=None if flatten is None else parse_flattened(flatten, "record"),
    )


def _text(facts: Mapping[str, Any], name: str) -> str | None:
    value = facts.get(name)
    if value is None or isinstance(value, str):
        return value
    raise FileFormatError(f"{ATTRIBUTE}: {name} is {shown(value)}, not text")
