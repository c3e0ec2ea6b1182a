"""A Lambda layer: what it computes, as the user says it or as its code tells, and what draws that."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from converters.layers.config import Setting
from converters.limits import clipped
from converters.upgrading.computing.drawing import Sheet
from converters.upgrading.computing.expressions import NotRecognisedError, Tree, parsed, written
from converters.upgrading.computing.functions import called
from converters.upgrading.computing.instructions import recognised
from converters.upgrading.drawing import Value
from converters.upgrading.today import PREPROCESSING
from converters.upgrading.use import Use

EXPRESSIONS: Mapping[str, str] = {
    "abs_difference": "K.abs(x[0] - x[1])",
    "cosine": "K.sum(K.l2_normalize(x[0], -1) * K.l2_normalize(x[1], -1), axis=-1, keepdims=True)",
    "difference": "x[0] - x[1]",
    "euclidean_distance": (
        "K.sqrt(K.maximum(K.sum(K.square(x[0] - x[1]), axis=1, keepdims=True), K.epsilon()))"
    ),
    "expand_dims": "K.expand_dims(x, -1)",
    "identity": "x",
    "l2_normalize": "K.l2_normalize(x, axis=-1)",
    "manhattan_distance": "K.sum(K.abs(x[0] - x[1]), axis=1, keepdims=True)",
    "max": "K.max(x, axis=1)",
    "mean": "K.mean(x, axis=1)",
    "product": "x[0] * x[1]",
    "reverse": "K.reverse(x, 1)",
    "square": "x ** 2",
    "squared_difference": "K.square(x[0] - x[1])",
    "squeeze": "K.squeeze(x, -1)",
    "stack": "K.stack(x, axis=1)",
    "sum": "K.sum(x, axis=1)",
    "unit_range": "x / 255",
}
"""Expressions by name, which whoever says what a layer computes may use: what comes in is ``x``."""
HINT = (
    "say what it computes (--lambda LAYER=EXPRESSION, lambdas=),"
    " or what takes its place (--custom, custom_objects=)"
)
_KEEP_TYPES = frozenset(
    (
        *("Permute", "Reshape", "Flatten", "RepeatVector", "Concatenate", "Model", "Functional", "Dropout"),
        *("Activation", "Identity", "Cropping1D", "Cropping2D", "Cropping3D"),
        *("ExpandDims", "Squeeze", "Take", "Flip", "Pad", "ops.GetItem", "ops.Tile", "ops.Concatenate"),
        *("ops.Add", "ops.Subtract", "ops.Multiply", "ops.Maximum", "ops.Minimum"),
    )
)
"""What gives whole numbers where they come in; no other layer of today's does, as far as is known."""
_SAY_TYPES = frozenset(("InputLayer", "ops.Cast", *PREPROCESSING))


CODE = "it holds code, which is never run"


def computed(use: Use) -> Value:
    """Draw what a Lambda computes.

    Raises:
        Refused: If nothing says it, or today's layers do not give it.
    """
    if any(value.masked for value in use.values):
        raise use.refuse("masked steps flow into it")
    said = use.asked.lambdas.get(use.node.name)
    try:
        tree = parsed(EXPRESSIONS.get(said.strip(), said)) if said is not None else _of_code(use)
        _check_types(use)
        result = Sheet(use=use, called=called).found(tree, "")
        if not isinstance(result, Value):
            raise NotRecognisedError("it gives no single value")
    except NotRecognisedError as error:
        about = CODE if said is None else f"{said!r} was said of it"
        raise use.refuse(f"{about}: {error}; {HINT}") from error
    if result.layer != use.name:
        result = use.draw("Activation", {"activation": "linear"}, result)
    _check_shape(use, result)
    use.tell(f"{'its code, read as data' if said is None else 'said to be'}: {written(tree)}")
    return result


def check_said(text: str) -> None:
    """Raise unless a text is an expression, or the name of one.

    Raises:
        NotRecognisedError: If it is neither.
    """
    parsed(EXPRESSIONS.get(text.strip(), text))


def _of_code(use: Use) -> Tree:
    """Return what a layer computes, as its code tells."""
    if use.said["mask"] is not None:
        raise NotRecognisedError("it says what becomes of masks")
    code = use.said["function"]
    if isinstance(code, Mapping):  # the last versions of tf.keras
        inner = code.get("config")
        config = inner if code.get("class_name") == "__lambda__" and isinstance(inner, Mapping) else {}
        code = [config.get("code"), config.get("defaults"), config.get("closure")]
    elif use.said["function_type"] not in ("lambda", None):
        raise NotRecognisedError(f"it is a function that is called {_name(code)} and lies elsewhere")
    text, defaults, cells = [*code, None, None][:3] if isinstance(code, list) else (code, None, None)
    arguments = use.said["arguments"]
    if not isinstance(text, str) or not isinstance(arguments, Mapping | None):
        raise NotRecognisedError("its code is in no form that is known")
    return recognised(text, _listed(defaults), _listed(cells), arguments or {})


def _name(code: Setting) -> str:
    return clipped(code) if isinstance(code, str) else "something"


def _listed(found: Setting) -> Sequence[Any]:
    if not isinstance(found, list | None):
        raise NotRecognisedError("its code is in no form that is known")
    return found or []


def _check_types(use: Use) -> None:
    """Raise if whole numbers may come in: with them the same arithmetic gives others."""
    waiting, seen = [value.layer for value in use.values], set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        drawn = use.drawing.layers[name]
        ours = drawn.class_name if drawn.entry is None or drawn.class_name == "Functional" else ""
        if ours in _SAY_TYPES and re.match(r"u?int|bool|string", str(drawn.settings.get("dtype"))):
            raise NotRecognisedError("whole numbers come in")
        if ours in _KEEP_TYPES:
            waiting += [value.layer for call in drawn.calls for value in call.fed]


def _check_shape(use: Use, result: Value) -> None:
    """Raise if a layer gives another shape than it says."""
    said = use.said["output_shape"]
    if not isinstance(said, list) or not all(type(size) is int for size in said):
        return
    if use.said["output_shape_type"] not in (None, "raw") or not said:
        return
    sizes = result.shape[1:]
    differ = any(size is not None and size != other for size, other in zip(sizes, said, strict=False))
    if len(sizes) != len(said) or differ:
        raise use.refuse(f"it says that it gives {said}, and would give {list(sizes)}")
