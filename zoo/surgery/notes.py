"""What is noted on a model that Keras has no place for: which recipe its weights were trained with."""

from __future__ import annotations

import keras

from zoo.registry.records import Preprocessing


def note_recipe(model: keras.Model, recipe: Preprocessing) -> None:
    """Note which recipe a model's weights were trained with, until Keras saves or copies it.

    It is noted on the input, which models made of this one have as well: with another head, or without one.
    """
    _note(model, recipe.name)


def noted_recipe(model: keras.Model) -> str | None:
    """Return the name of the recipe that was noted on a model, if any was."""
    noted = (getattr(layer, "_zoo_recipe", None) for layer in model.layers)
    return next((name for name in noted if name is not None), None)


def keep_notes(model: keras.Model, redrawn: keras.Model) -> None:
    """Note on a model that was drawn again what is noted on the one it was drawn after."""
    name = noted_recipe(model)
    if name is not None:
        _note(redrawn, name)


def _note(model: keras.Model, name: str) -> None:
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer):
            layer._zoo_recipe = name
