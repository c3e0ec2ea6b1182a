"""The hard sigmoid that is another function today, and which layers of a file use it.

Up to Keras 2 it is 0.2 x + 0.5, from Keras 3 on x / 6 + 0.5, both between 0 and 1. Weights that are converted
right give other outputs in a network that is drawn with today's function of that name. Where the gates of a
recurrent layer use it, the arrays that make up its argument can be multiplied by 1.2 instead.

Sources: hard_sigmoid() in keras/backend/theano_backend.py, Keras 1.2.2 and 2.2.4, and in
keras/src/activations/activations.py, Keras 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from converters.errors import ConversionError, counted
from converters.formats.description import Description
from converters.layers.config import named_entries, wrapped
from converters.layers.model import Layer, Part
from converters.layers.names import kind_of_entry
from converters.layers.table import GATED

CHOICES = ("keep", "scale")
_KEYS = ("recurrent_activation", "inner_activation")
_NAME = "hard_sigmoid"


@dataclass(frozen=True, kw_only=True)
class HardSigmoids:
    """Which layers of a file use the older hard sigmoid.

    Attributes:
        gates: Recurrent layers whose gates do, or by their version's default may.
        told: Whether a configuration says so.
        both: Those of them whose ``activation`` is the same function.
        others: Name and kind of every layer whose ``activation`` it is.
    """

    gates: tuple[Part, ...] = ()
    told: bool = False
    both: tuple[Part, ...] = ()
    others: tuple[tuple[str, str], ...] = ()


def find_hard_sigmoids(description: Description, *, asked: bool = False) -> HardSigmoids:
    """Return which layers of a file use the hard sigmoid of Keras up to 2.

    Args:
        description: The file.
        asked: Whether the user says that gates do, which counts where there is no configuration.
    """
    config = description.model_config
    new = _is_new(description)
    if new and (config is not None or not asked):
        return HardSigmoids()
    settings = _settings(config)
    recurrent = [
        (part, _settings_of(part, layer, settings))
        for layer in description.weighted
        for part in layer.parts
        if part.kind in GATED
    ]
    word = asked and config is None
    gates = [(part, own) for part, own in recurrent if word or _is_hard(part, own, description.version)]
    return HardSigmoids(
        gates=tuple(part for part, _ in gates),
        told=config is not None,
        both=tuple(part for part, own in gates if own.get("activation") == _NAME),
        others=tuple(
            (name, kind_of_entry(entry))
            for name, entry, own in named_entries(config)
            if own.get("activation") == _NAME
        ),
    )


def gates_to_scale(description: Description, found: HardSigmoids) -> tuple[Part, ...]:
    """Return the layers whose gates are to be scaled.

    Args:
        description: The file.
        found: What was found in it.

    Raises:
        ConversionError: If a layer has the function in another place too, or if that was done before.
    """
    if description.record is not None and description.record.scaled:
        text = "its gates have been multiplied by 1.2 already, for today's hard_sigmoid"
        raise ConversionError(f"{description.path}: {text}; leave --hard-sigmoid scale out")
    if found.both:
        part = found.both[0]
        text = (
            f"layer {part.name!r} ({part.kind}) has hard_sigmoid as its activation too, not only in its gates"
        )
        hint = "no scaling gives that: keep the weights, and draw the layer with 0.2 x + 0.5"
        raise ConversionError(f"{description.path}: {text}; {hint}")
    return found.gates


def hard_sigmoid_notes(found: HardSigmoids, *, scale: bool) -> list[str]:
    """Return what the user should know of the hard sigmoid, in a file for Keras 3.

    Args:
        found: What was found in the file.
        scale: Whether its gates are scaled.
    """
    was = "0.2 x + 0.5 up to Keras 2 and is x / 6 + 0.5 today"
    notes = []
    if found.gates:
        first = f"{counted(len(found.gates), 'recurrent layer')} ({found.gates[0].name!r} first)"
        one = len(found.gates) == 1
        gates = f"hard_sigmoid for {'its' if one else 'their'} gates"
        use = f"{'uses' if one else 'use'} {gates}" if found.told else f"may use {gates}, the default then"
        done = (
            "the gates' arrays are multiplied by 1.2, so that today's function gives the same up to rounding"
        )
        hint = "draw them with the old function, or say --hard-sigmoid scale"
        notes.append(f"{first} {use}, which was {was}: {done if scale else hint}")
    elif scale:
        notes.append("no gates with the older hard_sigmoid are known in this file: nothing is scaled")
    if found.others:
        name, kind = found.others[0]
        first = f"{counted(len(found.others), 'layer')} ({name!r}, {kind}, first)"
        have = "has hard_sigmoid as its" if len(found.others) == 1 else "have hard_sigmoid as their"
        notes.append(f"{first} {have} activation, which was {was}: draw the old function")
    return notes


def _is_new(description: Description) -> bool:
    """Return whether Keras 3 wrote the file, whose hard sigmoid is today's."""
    if description.dialect == "keras3":
        return not description.version or description.version >= (3,)
    return description.dialect in ("keras2", "plain") and description.version >= (3,)


def _is_hard(part: Part, own: Mapping[str, Any], version: tuple[int, ...]) -> bool:
    """Return whether a layer's gates use the hard sigmoid, by its configuration or else by the default."""
    said = next((own[key] for key in _KEYS if own.get(key) is not None), None)
    return said == _NAME if said is not None else version < GATED[str(part.kind)].hard_sigmoid_until


def _settings_of(part: Part, layer: Layer, settings: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    base = part.name.rpartition("/")[2]
    own = base.removeprefix("forward_").removeprefix("backward_")
    return next((settings[name] for name in (part.name, base, own, layer.name) if name in settings), {})


def _settings(config: object) -> dict[str, Mapping[str, Any]]:
    """Return each layer's configuration by its name; of a wrapper, that of the layer inside."""
    found = {}
    for name, _, own in named_entries(config):
        inside = (wrapped(own) or {}).get("config")
        found[name] = inside if isinstance(inside, Mapping) else own
    return found
