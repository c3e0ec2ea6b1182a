"""Which weights sets of a network a saved model can be of, by what its configuration shows, without Keras.

A model that was saved holds the graph that it was drawn as, which is that of its weights set: strides,
borders and epsilon differ between the sets of one network. What its images went through it does not hold,
unless that is a layer in it; the record of a fine-tuning run beside it tells it too.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from converters.errors import ZooError
from converters.formats.dialects import describe
from converters.hdf5.source import identity_by
from converters.layers.config import named_entries
from converters.layers.model import plain_name
from zoo.networks.run_record import MODEL, RECORD, read_run
from zoo.registry import get_registry
from zoo.registry.families import family_of
from zoo.registry.records import Architecture, Graph, Preprocessing
from zoo.surgery.channels import PREPROCESSING_LAYER

Layers = Sequence[tuple[str, str, Mapping[str, Any]]]
"""Name, class and settings of each layer, the settings as JSON."""

_NORM = "BatchNormalization"


def recipes_shown(network: Architecture, layers: Layers) -> tuple[Preprocessing | None, ...]:
    """Return what the weights of a model may have been trained with, the likeliest first.

    Args:
        network: The network that it is.
        layers: Its layers; where they show nothing it is the network's own recipe.
    """
    sets = _sets_shown(network, layers)
    found = dict.fromkeys(network.with_images_of(name).preprocessing for name in sets)
    return tuple(found) or (network.preprocessing,)


def set_shown(network: Architecture, path: Path) -> str | None:
    """Return the weights set whose graph and images those of a saved model are; ``None`` if nothing shows it.

    Args:
        network: The network that the model is.
        path: The file.
    """
    layers = _layers_in(path)
    sets = _sets_shown(network, layers)
    recipe = _recipe_beside(path) or _recipe_inside(layers)
    fed = [name for name in sets if recipe in (None, network.with_images_of(name).preprocessing)]
    return next(iter(fed or sets), None)


def _sets_shown(network: Architecture, layers: Layers) -> tuple[str, ...]:
    """Return the weights sets whose graph has the numbers that layers show; none where they show nothing."""
    told = {plain_name(name): settings for name, _, settings in layers}
    norms = (settings for _, kind, settings in layers if kind == _NORM)
    epsilons = [settings["epsilon"] for settings in norms if "epsilon" in settings]
    if not network.graphs or not told:
        return ()
    graphs = {name: network.graph_for(name) for name in network.weights_sets}
    shows = family_of(network.family).shows
    flags = {
        number: told.get(shown.layer, {}).get(shown.setting) == shown.value for number, shown in shows.items()
    }
    return tuple(name for name, graph in graphs.items() if _agrees(graph, flags, epsilons))


def _agrees(graph: Graph, flags: Mapping[str, bool], epsilons: Iterable[object]) -> bool:
    own = graph.batch_norm_epsilon
    return all(graph.config[number] == flag for number, flag in flags.items()) and all(
        isinstance(one, float) and own is not None and math.isclose(one, own, rel_tol=1e-6)
        for one in epsilons
    )


def _layers_in(path: Path) -> Layers:
    """Return the layers that a file tells the settings of; none where it tells none or cannot be read."""
    try:
        return _layers_of(path, identity_by(path.stat()))
    except (OSError, ZooError):  # what is wrong with it is for others to say
        return ()


@lru_cache(4)
def _layers_of(path: Path, identity: tuple[int, ...]) -> Layers:
    """Return the same of a file as it was, which the identity tells."""
    told = named_entries(describe(path).model_config)
    return tuple((name, str(entry["class_name"]), settings) for name, entry, settings in told)


def _recipe_beside(path: Path) -> Preprocessing | None:
    """Return what the record of the run says that a model is from, if there is one."""
    record = path.parent / RECORD
    if path.name != MODEL or not record.is_file():
        return None
    try:
        return get_registry().preprocessing.get(str(read_run(record).get("preprocessing")))
    except (OSError, ValueError, ZooError):
        return None


def _recipe_inside(layers: Layers) -> Preprocessing | None:
    """Return the recipe of the registry that a layer of a model does, if one does."""
    inside = next((settings for name, _, settings in layers if name == PREPROCESSING_LAYER), None)
    if inside is None:
        return None
    recipes = get_registry().preprocessing.values()
    return next((recipe for recipe in recipes if _does(inside, recipe)), None)


def _does(settings: Mapping[str, Any], recipe: Preprocessing) -> bool:
    wanted = np.multiply(recipe.mean, recipe.scale)
    try:
        scale, offset = (np.ravel(settings.get(name, ())) for name in ("scale", "offset"))
        return scale.shape == offset.shape == wanted.shape and bool(
            np.allclose(scale, recipe.scale) and np.allclose(offset, -wanted)
        )
    except (TypeError, ValueError, OverflowError):  # a layer of that name that is another, or no numbers
        return False


def layers_as_json(layers: Iterable[tuple[str, str, Mapping[str, Any]]]) -> Layers:
    """Return layers with their settings as a file would have them; what JSON cannot hold becomes a word."""
    return [(name, kind, json.loads(json.dumps(settings, default=str))) for name, kind, settings in layers]
