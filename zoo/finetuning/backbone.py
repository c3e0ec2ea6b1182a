"""What is known of a model that is to be fine-tuned: its layers, which network it is, its preprocessing."""

from __future__ import annotations

import logging

import keras

from converters.planning.structures import load_structure
from zoo.errors import ArgumentError
from zoo.networks.families.names import keras_name
from zoo.networks.shown_sets import layers_as_json, recipes_shown
from zoo.registry import get_registry
from zoo.registry.records import Architecture, Graph, Preprocessing
from zoo.surgery.channels import PREPROCESSING_LAYER
from zoo.surgery.notes import noted_recipe
from zoo.surgery.prefix import is_drawn_recipe

_LOG = logging.getLogger(__name__)


def all_layers(model: keras.Model) -> list[keras.Layer]:
    """Return the layers of a model, and in place of a model inside it the layers of that one."""
    found: list[keras.Layer] = []
    for layer in model.layers:
        found += all_layers(layer) if isinstance(layer, keras.Model) else [layer]
    return found


def published_graph(model: keras.Model) -> Graph | None:
    """Return the graph of the registry that a model is, by its name and those of its convolutions.

    A name alone is not enough: ``keras.applications.DenseNet121`` is called ``densenet121`` too and is
    another network, with another preprocessing.
    """
    network = get_registry().architectures.get(model.name)
    drawn = {layer.name for layer in model.layers if isinstance(layer, keras.layers.Conv2D)}
    for graph in network.graphs.values() if network else ():
        published = load_structure(graph.structures[0]).layers
        if drawn and drawn <= {keras_name(layer.name) for layer in published}:
            return graph
    return None


def recipe_for(model: keras.Model, asked: str) -> Preprocessing | None:
    """Return what is done to images before a model gets them.

    Args:
        model: The model.
        asked: Name of a recipe, which is obeyed whatever the layers are called; ``none``; or ``auto``: none
            for a model with a layer called ``preprocessing``, as ``zoo.load(include_preprocessing=True)``
            draws it, otherwise what the weights were trained with that ``zoo.load`` gave it; of a model that
            Keras has opened or copied, what weights of the network of that name were whose graph it has.

    Raises:
        ArgumentError: The registry has no such recipe, or no network of the model's name; or the model
            holds a recipe of the registry already, so that it would be done twice.
    """
    if asked == "none":
        return None
    registry = get_registry()
    if asked == "auto":
        if any(layer.name == PREPROCESSING_LAYER for layer in model.layers):
            return None
        network = registry.architectures.get(model.name)
        if network is None:
            raise _unknown_recipe(model.name, "is not in the registry")
        if published_graph(model) is None:
            raise _unknown_recipe(model.name, "has not the layers of the network of that name")
        check_told(network, asked)
        return registry.preprocessing.get(noted_recipe(model) or "") or _recipe_shown(network, model)
    check_recipe(asked)
    if any(
        is_drawn_recipe(layer, recipe) for layer in model.layers for recipe in registry.preprocessing.values()
    ):
        raise ArgumentError(
            f"preprocessing={asked!r}: model {model.name!r} has its preprocessing inside, in the layer "
            f"{PREPROCESSING_LAYER!r}, and it would be done twice; say preprocessing='none' or 'auto'"
        )
    return registry.preprocessing[asked]


def _recipe_shown(network: Architecture, model: keras.Model) -> Preprocessing | None:
    """Return the recipe of a model on which none is noted, by its graph; say so if it may be another."""
    own = [layer for layer in all_layers(model) if type(layer).__module__.startswith("keras.")]
    told = layers_as_json((layer.name, type(layer).__name__, layer.get_config()) for layer in own)
    likeliest, *others = recipes_shown(network, told)
    if likeliest is not None and (names := [one.name for one in others if one is not None]):
        _LOG.warning(
            "model %r does not tell what its weights were trained with: the preprocessing is taken to be %s; "
            "preprocessing= says another, %s",
            *(model.name, likeliest.name, " or ".join(names)),
        )
    return likeliest


def _unknown_recipe(name: str, reason: str) -> ArgumentError:
    return ArgumentError(
        f"model {name!r} {reason}: say which preprocessing it was trained with, "
        f"preprocessing='none' or one of {', '.join(get_registry().preprocessing)}"
    )


def check_told(network: Architecture, asked: str) -> None:
    """Check that somebody says what is done to a network's images: the user now, or the registry.

    Raises:
        ArgumentError: Nobody does.
    """
    if asked == "auto" and network.preprocessing is None:
        raise _unknown_recipe(network.name, "is in the registry without its preprocessing")


def check_recipe(asked: str) -> None:
    """Check that there is a recipe of this name, or that it says which to take.

    Raises:
        ArgumentError: There is none.
    """
    known = get_registry().preprocessing
    if asked not in ("auto", "none", *known):
        raise ArgumentError(f"preprocessing={asked!r}: must be auto, none or one of {', '.join(known)}")
