"""The proof of an upgrade: the new model, built by Keras, against what the old one computes or is.

Where tf-keras is installed and opens the old file as it was, both compute with the same random inputs.
Elsewhere, the shapes of all values that were worked out from the old configuration are held against those
that Keras gives them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np

from converters.arrays.moves import Values
from converters.errors import ConversionError, counted
from converters.upgrading.drawing import Drawing
from converters.upgrading.plan import Upgrade
from zoo.extras import how_to_install

WITHIN = 1e-5
"""How far outputs may be from the old ones, relative to the largest."""
_OF_FEWER_BITS = {"mixed_float16": 2.0**-7, "mixed_bfloat16": 2.0**-4}
"""How far where layers compute with fewer bits than float32 has: eight units of the last one."""
BATCH, OPEN = 3, 32
"""How many samples are drawn, and of what size where an input's is open."""


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What was compared of a new model.

    Attributes:
        reference: What computed the same with the old file, ``tf-keras 2.21.0``; empty if nothing did.
        why: Why nothing did; empty if something did.
        outputs: How many outputs were compared.
        difference: The largest difference, relative to the largest value of its output.
        shapes: How many values' shapes were compared.
    """

    reference: str
    why: str
    outputs: int
    difference: float
    shapes: int

    def __str__(self) -> str:
        """Return what was compared, for a message."""
        shapes = f"the shapes of {counted(self.shapes, 'value')} are those of the old configuration"
        if not self.reference:
            return f"{self.why}; {shapes}"
        given = f"what it gives for {BATCH} random inputs is what {self.reference} gives "
        given += f"({counted(self.outputs, 'output')})"
        return f"{given}, at most {self.difference:.1e} of the largest output off; {shapes}"

    def as_dict(self) -> dict[str, Any]:
        """Return the same as plain values that JSON can hold."""
        return asdict(self)


def prove(upgrade: Upgrade, model: keras.Model) -> Proof:
    """Compare a new model with the old one.

    Args:
        upgrade: What was done.
        model: The new model.

    Returns:
        What was compared.

    Raises:
        ConversionError: If a value has another shape, or an output is another.
    """
    assert upgrade.drawing is not None
    shapes = sum(1 for _ in _compared(upgrade.drawing, model, upgrade.path))
    reference, why = _reference(upgrade)
    if reference is None:
        return Proof(reference="", why=why, outputs=0, difference=0.0, shapes=shapes)
    old, named = reference
    inputs = random_inputs(model, upgrade.drawing)
    given = inputs if len(inputs) > 1 else inputs[0]
    try:
        wanted = _listed(old(given))
    except Exception as error:  # whatever it raises, it is the reference that fails
        why = f"{named} does not compute with random inputs ({_first_line(error)})"
        return Proof(reference="", why=why, outputs=0, difference=0.0, shapes=shapes)
    found = _listed(model(given))
    difference = max(_distance(*pair) for pair in zip(found, wanted, strict=True))
    if not difference <= max(WITHIN, *_roundings(upgrade.drawing)):
        text = f"the new model does not give what {named} gives: {difference:.1e} of the largest output off"
        raise ConversionError(f"{upgrade.path}: {text}; do not use it, and please report this")
    return Proof(reference=named, why="", outputs=len(wanted), difference=difference, shapes=shapes)


def _listed(results: Any) -> list[Values]:  # noqa: ANN401 - what models return
    found = results.values() if isinstance(results, dict) else results
    return [np.asarray(one) for one in (found if isinstance(results, list | tuple | dict) else [results])]


def _distance(found: Values, wanted: Values) -> float:
    if found.shape != wanted.shape:
        return float("inf")
    if wanted.dtype.kind in "SUO":  # words
        return 0.0 if np.array_equal(found, wanted) else float("inf")
    found, wanted = found.astype("float64"), wanted.astype("float64")
    return float(np.abs(found - wanted).max() / max(float(np.abs(wanted).max()), 1e-3))


def _roundings(drawing: Drawing) -> Iterator[float]:
    """Yield how far outputs may be off for the type that each layer computes with."""
    for drawn in drawing.layers.values():
        yield _OF_FEWER_BITS.get(str(drawn.settings.get("dtype")), WITHIN)
        if drawn.inside is not None:
            yield from _roundings(drawn.inside)


# The reference


def _reference(upgrade: Upgrade) -> tuple[tuple[Any, str] | None, str]:
    """Return the old model, opened by tf-keras, and how that is called; else None and why it is not."""
    if why := _against(upgrade):
        return None, why
    module = tf_keras()
    if module is None:
        return None, f"tf-keras is not installed ({how_to_install('tf-keras')})"
    named = f"tf-keras {module.__version__}"
    try:
        return (module.models.load_model(upgrade.description.path, compile=False), named), ""
    except Exception as error:  # whatever it raises, it is the reference that fails
        return None, f"{named} does not open it ({_first_line(error)})"


def _against(upgrade: Upgrade) -> str:
    """Return why tf-keras is not to compute with an old file; empty if nothing stands against it."""
    origin, description, drawing = upgrade.origin, upgrade.description, upgrade.drawing
    assert drawing is not None
    if origin.version < (2,) or origin.theano or description.path != upgrade.path:
        return "tf-keras opens no such file: it takes whole models of Keras 2 on TensorFlow"
    if origin.turned:
        return "tf-keras keeps the order of maps, which was to change"
    if holds_code(description.model_config):
        return "the file names functions, which tf-keras would run"
    if any(drawing.layers[value.layer].settings["dtype"] == "string" for value in drawing.inputs):
        return "words come in, of which none are drawn at random"
    return ""


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:80] if str(error).strip() else "error"


def holds_code(config: object) -> bool:
    """Return whether a configuration holds code, or names functions and modules besides Keras' own layers.

    tf-keras runs the one, and imports and calls the other.
    """
    if isinstance(config, list):
        return any(map(holds_code, config))
    if not isinstance(config, Mapping):
        return False
    module, class_name = config.get("module"), str(config.get("class_name"))
    foreign = module is not None and not (isinstance(module, str) and _OWN.fullmatch(module))
    coded = class_name.rpartition(">")[2] in ("Lambda", "__lambda__", "function")
    return foreign or coded or any(map(holds_code, config.values()))


_OWN = re.compile(r"keras(\.src)?(\.(layers|initializers|regularizers|constraints|models|engine)(\.\w+)*)?")


def tf_keras() -> ModuleType | None:
    """Return tf-keras, or None if it is not installed."""
    try:
        import tf_keras as module
    except ImportError:
        return None
    return module  # type: ignore[no-any-return]


def random_inputs(model: keras.Model, drawing: Drawing) -> list[Values]:
    """Return random inputs of a model: the same each time; words are such as its embeddings know."""
    chance = np.random.default_rng(0)
    words = min(_words(drawing), default=2)
    inputs = []
    for source in model.inputs:
        shape = [BATCH, *(OPEN if size is None else size for size in source.shape[1:])]
        shape[0] = source.shape[0] or BATCH
        if "int" in str(source.dtype):
            inputs.append(chance.integers(0, words, shape).astype(str(source.dtype)))
        else:
            inputs.append(chance.normal(size=shape).astype("float32"))
    return inputs


def _words(drawing: Drawing) -> Iterator[int]:
    for drawn in drawing.layers.values():
        if drawn.class_name == "Embedding" and drawn.entry is None:
            yield int(drawn.settings["input_dim"])
        if drawn.inside is not None:
            yield from _words(drawn.inside)


# Shapes


def _compared(drawing: Drawing, model: keras.Model, path: Path) -> Iterator[str]:
    """Yield the layer of each value whose shape was compared.

    Raises:
        ConversionError: With the first that has another shape.
    """
    layers = {operation.name: operation for operation in _operations(model)}
    for layer, call, result, shape in _shapes(drawing):
        found = tuple(layers[layer]._inbound_nodes[call].outputs[result].shape)
        if found != tuple(shape):
            text = f"layer {layer!r} gives {found} in Keras, and should give {tuple(shape)}"
            raise ConversionError(f"{path}: {text}; do not use the new model, and please report this")
        yield layer
    for drawn in drawing.layers.values():
        if drawn.inside is not None and drawn.class_name == "Model":
            yield from _compared(drawn.inside, layers[drawn.name], path)


def _operations(model: keras.Model) -> Sequence[Any]:
    own = model._functional if isinstance(model, keras.Sequential) else model
    return own.operations  # type: ignore[no-any-return]


def _shapes(drawing: Drawing) -> Iterator[tuple[str, int, int, tuple[int | None, ...]]]:
    """Yield layer, call, result and shape of each value that flows in a network.

    Layers of the user's own are left out: Keras itself said what these give, and they may name themselves.
    """
    every = [value for drawn in drawing.layers.values() for call in drawn.calls for value in call.values]
    for value in dict.fromkeys((*every, *drawing.outputs)):
        if drawing.layers[value.layer].entry is None:
            yield value.layer, value.call, value.result, value.shape
