"""The configuration inside a whole-model file: its entries, whatever version of Keras wrote it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from converters.arrays.form import Layout
from converters.layers.table import Holds
from converters.limits import Limits, load_json

ORDERS: Mapping[Layout, tuple[str, str]] = {"th": ("th", "channels_first"), "tf": ("tf", "channels_last")}


ORDER_KEYS = ("dim_ordering", "data_format")


# What a layer's configuration sets: JSON of any form.
Setting: TypeAlias = Any


Config = dict[str, Any]


MAP_RANKS = {"2D": 3, "3D": 4}


AROUND_ONE = (Holds.LAYER, Holds.WAYS)


def load_config(text: str, where: str, limits: Limits | None = None) -> Any:  # noqa: ANN401 - any JSON
    """Read the JSON of a configuration; tuples, which some versions of tf.keras write as mappings, as lists.

    Args:
        text: The JSON.
        where: The file and what of it holds the text, for messages.
        limits: Caps; the environment's by default.

    Raises:
        FileFormatError: As :func:`converters.limits.load_json`.
    """
    return load_json(text, where, limits, read=_without_tuples)


def _without_tuples(found: Config) -> Config | list[Any]:
    items = found.get("items")
    return items if found.get("class_name") == "__tuple__" and isinstance(items, list) else found


def entries(config: object) -> Iterator[Config]:
    """Yield all in a configuration that has a class: layers, those of nested models too, and their parts."""
    waiting = [config]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            if "class_name" in found:
                yield found
            waiting += [value for value in reversed(found.values()) if isinstance(value, dict | list)]
        elif isinstance(found, list):
            waiting += [value for value in reversed(found) if isinstance(value, dict | list)]


def named_entries(config: object) -> Iterator[tuple[str, Config, Config]]:
    """Yield name, entry and settings of all in a configuration that have a class and a name of their own."""
    for entry in entries(config):
        own = entry.get("config")
        if isinstance(own, dict) and isinstance(own.get("name"), str):
            yield own["name"], entry, own


def layers_of(entry: Mapping[str, Any]) -> list[Any]:
    """Return a model's layers, which its entry lists under ``layers`` or as its configuration itself.

    Returns:
        Nothing where what is listed are no layers: classes of the user's own may list what they like.
    """
    inner = entry.get("config")
    layers = inner.get("layers") if isinstance(inner, Mapping) else inner
    return layers if isinstance(layers, list) and all(map(is_layer, layers)) else []


def name_of_entry(entry: Mapping[str, Any]) -> str | None:
    """Return a layer's name, which stands in its settings, in older models beside them, or nowhere."""
    inner = entry.get("config")
    own = inner.get("name") if isinstance(inner, Mapping) else None
    name = entry.get("name") if own is None else own
    return name if isinstance(name, str) else None


def wrapped(settings: object) -> Config | None:
    """Return the layer that a wrapper's settings hold, or None if they hold none."""
    inner = settings.get("layer") if isinstance(settings, Mapping) else None
    return inner if isinstance(inner, dict) and "class_name" in inner else None


Order = Mapping[str, Sequence[str]]
"""The names of a network's layers in its order, each with those of the layers inside it."""


def order_of_config(config: object) -> Order:
    """Return the order of a model's layers that its configuration tells."""
    return {
        name: [name_of_entry(layer) or "" for inside in _held(entry) for layer in _all_layers(inside)]
        for entry in (layers_of(config) if isinstance(config, Mapping) else ())
        if (name := name_of_entry(entry))
    }


def _all_layers(model: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the layers inside a model, each before those inside it."""
    for entry in layers_of(model):
        yield entry
        for inside in _held(entry):
            yield from _all_layers(inside)


def _held(entry: Config) -> list[Config]:
    """Return what may be a model: a layer itself, and what is in a wrapper."""
    inner = wrapped(entry["config"])
    return [entry] if inner is None else [entry, inner]


def is_layer(value: Setting) -> bool:
    """Return whether a value has the form of a layer: a class, and settings or layers."""
    return isinstance(value, dict) and "class_name" in value and isinstance(value.get("config"), dict | list)


def map_ranks(config: object) -> frozenset[int]:
    """Return the ranks (without the batch) of a model's feature maps: 3 if it has 2-D layers, 4 for 3-D."""
    endings = {str(entry["class_name"])[-2:] for entry in entries(config)}
    return frozenset(rank for ending, rank in MAP_RANKS.items() if ending in endings)
