"""A whole model that is asked what images show, and what is taken for granted of it."""

from __future__ import annotations

import logging
from pathlib import Path

import keras

from converters.errors import counted
from zoo.errors import ArgumentError, FileFormatError
from zoo.networks.predictors import WholeModel
from zoo.registry import get_registry
from zoo.registry.families import FAMILIES
from zoo.registry.records import Preprocessing
from zoo.surgery.channels import PREPROCESSING_LAYER
from zoo.surgery.graph import wiring
from zoo.surgery.tensors import DataFormat

_SIDE = 224  # pixels, of a model for images of any size
_LOG = logging.getLogger(__name__)


def opened(asked: WholeModel) -> keras.Model:
    """Return the model, whose outputs are as many as there are classes.

    Raises:
        FileFormatError: Keras cannot open it.
        ArgumentError: It has another number of outputs, or gives something else than classes.
    """
    model = asked.source if isinstance(asked.source, keras.Model) else opened_file(asked.source)
    if not getattr(model, "outputs", None):  # of a Sequential there may be none to ask for
        raise ArgumentError(f"{asked}: is not built; call it once with images, or give it an Input")
    last = model.outputs[-1]
    if len(last.shape) != 2 or last.shape[1] is None:
        raise ArgumentError(f"{asked}: gives {tuple(last.shape)} for N images; must be (N, classes)")
    if last.shape[1] != len(asked.classes):
        raise ArgumentError(
            f"{asked}: has {counted(last.shape[1], 'output')}, and --classes names "
            f"{len(asked.classes)} (classes=)"
        )
    return model


def opened_file(path: Path, label: str | None = None) -> keras.Model:
    """Return the model in a file, as Keras opens it.

    Args:
        path: The file.
        label: What the user calls it; its path if left out.

    Raises:
        FileFormatError: Keras cannot open it.
    """
    try:
        return keras.saving.load_model(path, compile=False)
    except (ValueError, TypeError, OSError, KeyError) as error:
        reason = str(error).strip().split("\n")[0]
        text = f"{label or path}: Keras cannot open it as a whole model: {reason}"
        raise FileFormatError(text + _named_class(reason)) from error


def _named_class(reason: str) -> str:
    """Return what to do about a class that Keras has and does not find, if that is what is wrong."""
    for name, family in FAMILIES.items():
        for place in family.own_classes:
            module, _, own = place.partition(":")
            if f"'{own}'" in reason:
                given = f"custom_objects={{{own!r}: {module}.{own}}}"
                return f"; if it is of the family {name}, open it with {given}, save it as .keras, take that"
    return ""


def images_of(model: keras.Model, asked: WholeModel) -> tuple[DataFormat, int, int]:
    """Return where the channels of a model's images are, their height and their width.

    Raises:
        ArgumentError: It takes something else than RGB images.
    """
    shape = model.input_shape if isinstance(model.input_shape, tuple) else ()
    if len(shape) != 4 or 3 not in (shape[1], shape[3]):
        raise ArgumentError(f"{asked}: takes {model.input_shape}; must take RGB images")
    order: DataFormat = "channels_last" if shape[3] == 3 else "channels_first"
    sides = shape[1:3] if shape[3] == 3 else shape[2:4]
    if None in sides:
        _LOG.warning("%s: takes images of any size; these are brought to %d pixels", str(asked), _SIDE)
    height, width = (_SIDE if side is None else int(side) for side in sides)
    return order, height, width


def recipe_of(model: keras.Model, asked: WholeModel) -> Preprocessing | None:
    """Return what is done to images before a model gets them, and say so where the user did not."""
    if asked.preprocessing is not None:
        return get_registry().preprocessing.get(asked.preprocessing)
    inside = _own_layers(model)
    option = "--preprocessing NAME" if isinstance(asked.source, Path) else "preprocessing=NAME"
    what = (
        f"its layer {inside[0]!r} does the preprocessing"
        if inside
        else f"its preprocessing is not known: it gets values from 0 to 255; {option} says another"
    )
    _LOG.warning("%s: %s; images of another shape: %s", str(asked), what, asked.fit)
    return None


def _own_layers(model: keras.Model) -> list[str]:
    """Return the layers of a model that can only be there to preprocess images.

    They stand before all other layers with weights: behind a convolution, a rescaling is part of the network,
    as in a local response normalisation.
    """
    kinds = (keras.layers.Normalization, keras.layers.Rescaling)
    found: list[str] = []
    for step in wiring(model).steps:
        layer = step.operation
        if layer.name == PREPROCESSING_LAYER or isinstance(layer, kinds):
            found.append(layer.name)
        elif getattr(layer, "weights", ()):
            break
    return found
