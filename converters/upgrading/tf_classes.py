"""What becomes of the classes of layers that tf.keras has beside those of Keras 2: one record for each.

To add a class is to add a record to :data:`TF_UPGRADES`; one with arrays needs another in
:data:`converters.upgrading.holding.HOLDINGS`, which says where they lie.

Sources: the __init__(), build(), call() and get_config() methods of the layers under tf_keras/src/layers in
tf-keras 2.21, and under keras/src/layers in Keras 3.15.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from converters.layers.config import Config, Setting, is_layer
from converters.layers.model import Part
from converters.limits import clipped, shown
from converters.upgrading.calls import Fed, says_nothing
from converters.upgrading.classes import (
    UPGRADES,
    Upgrade,
    activation_of,
    arg,
    check_first_steps,
    gates_scaled,
    moved_axis,
    sequence,
)
from converters.upgrading.drawing import Value, Values, straight, written
from converters.upgrading.graph import Node
from converters.upgrading.holding import CELLS, cell_paths, cells_of, is_stacked
from converters.upgrading.settings import Argument, said_of
from converters.upgrading.tf_operations import operation
from converters.upgrading.today import ARRAYS, Sizes
from converters.upgrading.use import HARD, Results, Use

# Normalisation


def _moved_axes(use: Use, value: Value) -> list[int]:
    """Return the axes that a layer works along, in ascending order, as its arrays have them."""
    said = use.said["axis"]
    listed = said if isinstance(said, list) else [said]
    if not all(isinstance(axis, int) for axis in listed):
        raise use.refuse(f"its axis is {shown(said)}")
    found = [moved_axis(use, value, axis) % (value.rank + 1) for axis in listed]
    if found != sorted(set(found)):
        raise use.refuse(f"its axes {listed} are in no ascending order")
    return found


def _own(use: Use, **scaled: Any) -> dict[str, Values]:  # noqa: ANN401 - what Use.arrays takes
    """Return a layer's arrays by number, as many as there are."""
    if not use.store.of(use.node, needed=False):
        return {}
    return {f"vars/{number}": found for number, found in enumerate(use.arrays(**scaled).values())}


def _needs(use: Use, arrays: Mapping[str, Values], *roles: str) -> None:
    if len(arrays) != len(roles):
        raise use.refuse(f"it should have {len(roles)} arrays ({', '.join(roles)}), and has {len(arrays)}")


def _layer_normalization(use: Use) -> Value:
    value = use.straight(use.value)
    settings = {
        "axis": _moved_axes(use, value),
        **{name: use.said[name] for name in ("epsilon", "center", "scale")},
    }
    arrays = _own(use)
    _needs(use, arrays, *_affine(use))
    return use.draw("LayerNormalization", settings, value, arrays=arrays)


def _affine(use: Use) -> list[str]:
    return [role for role, key in (("gamma", "scale"), ("beta", "center")) if use.said[key]]


def _group_normalization(use: Use) -> Value:
    value = use.straight(use.value)
    (axis,) = _moved_axes(use, value)
    settings = {
        "groups": use.said["group_count"],
        "axis": axis,
        **{name: use.said[name] for name in ("epsilon", "center", "scale")},
    }
    arrays = _own(use)
    _needs(use, arrays, *_affine(use))
    return use.draw("GroupNormalization", settings, value, arrays=arrays)


def _unit_normalization(use: Use) -> Value:
    value = use.straight(use.value)
    return use.draw("UnitNormalization", {"axis": _moved_axes(use, value)}, value)


def _normalization(use: Use) -> Value:
    """Draw (x - mean) / max(sqrt(variance), epsilon), of its own arrays or of numbers in its settings."""
    value = use.straight(use.value)
    axes = _moved_axes(use, value) if use.said["axis"] not in (None, []) else []
    mean, variance = (_numbers(use, name) for name in ("mean", "variance"))
    settings = {"axis": axes, "invert": use.said["invert"], "mean": mean, "variance": variance}
    arrays = _own(use)
    if mean is None:
        _needs(use, arrays, "mean", "variance", "count")
    return use.draw("Normalization", settings, value, arrays=arrays)


def _numbers(use: Use, name: str) -> Setting:
    """Return numbers in a setting, without axes of one element around them."""
    said = use.said[name]
    while isinstance(said, list) and len(said) == 1 and isinstance(said[0], list):
        said = said[0]
    listed = said if isinstance(said, list) else [said]
    if said is not None and not all(isinstance(number, int | float) for number in listed):
        raise use.refuse(f"its {name} is no list of numbers")
    return said


def _spectral(use: Use) -> Results:
    """Draw the layer in it, whose kernel a training step normalises in place: nothing else computes."""
    inner = use.node.inner
    if inner is None:
        raise use.refuse("it holds no layer")
    use.tell("the layer in it alone, whose kernel is normalised in training: its vector is left out")
    below = replace(inner, name=use.node.name)
    parts = use.store.of(use.node)
    for part in parts[1:]:
        use.store.drop_part(part)
    use.store.instead(below, parts[:1])
    return use.upgrade(replace(use, node=below, said={}))


# Attention


def _inputs(use: Use, *names: str) -> tuple[list[Value], dict[str, Any]]:
    """Return what flows into an attention in the order of its inputs, and what its call says besides."""
    if len(use.node.calls) <= use.number:
        return list(use.values), {}
    call = use.node.calls[use.number]
    firsts = call.first if isinstance(call.first, list) else [call.first]
    found = {**dict(zip(names, firsts, strict=False)), **{n: v for n, v in call.named.items() if n in names}}
    if list(found) != list(names[: len(found)]) or not all(isinstance(fed, Fed) for fed in found.values()):
        raise use.refuse("its inputs are written in a form that is not known")
    others = {name: value for name, value in call.named.items() if name not in names}
    return [use.values[fed.place] for fed in found.values()], _besides(use, others)


def _besides(use: Use, others: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a call of an attention says besides its inputs."""
    said = {name: value for name, value in others.items() if not says_nothing(value)}
    causal = said.pop("use_causal_mask", False) is True
    said.pop("training", None)
    if said:
        raise use.refuse(f"it is called with {clipped(next(iter(said)))}, which is not carried over")
    return {"use_causal_mask": True} if causal else {}


def _attention(class_name: str, *roles: str) -> Callable[[Use], Value]:
    """Return what draws attention whose call takes a list of query, value and, if it is another, key."""

    def draw(use: Use) -> Value:
        found, besides = _inputs(use, "query", "value", "key")
        if len(found) not in (2, 3):
            raise use.refuse(f"{len(found)} values feed it, not query and value")
        if any(value.masked for value in found):
            raise use.refuse("masked steps flow into it")
        besides |= {"use_causal_mask": True} if use.said["causal"] else {}
        settings = {
            name: use.said[name] for name in ("use_scale", "score_mode", "dropout") if name in use.said
        }
        arrays = _own(use)
        wanted = [role for role in roles if use.said[role] not in (False, "dot")]
        _needs(use, arrays, *wanted)
        values = [use.straight(value) for value in found]
        axes = straight(values[0].rank)
        return use.draw(class_name, settings, *values, arrays=arrays, call=besides, axes=axes)

    return draw


def _check_shapes(use: Use, arrays: Sequence[Values], wanted: Sequence[Sizes]) -> None:
    """Raise unless arrays have the shapes that today's Keras makes them with; None is any size."""
    for array, shape in zip(arrays, wanted, strict=False):
        fits = [size is None or size == own for size, own in zip(shape, array.target_shape, strict=False)]
        if len(shape) != len(array.target_shape) or not all(fits):
            raise use.refuse(f"its array {array.target_shape} should be {shape}")


def _heads(use: Use, values: Sequence[Value]) -> list[Sizes]:
    """Return the shapes of the arrays of an attention of several heads."""
    heads, size = use.said["num_heads"], use.said["key_dim"]
    wide = use.said["value_dim"] or size
    query, value, key = (*values, values[1])[:3]
    said = use.said["output_shape"]
    out = said if isinstance(said, list) else [said or query.shape[-1]]
    pairs: list[tuple[Sizes, Sizes]] = [
        ((query.shape[-1], heads, size), (heads, size)),
        ((key.shape[-1], heads, size), (heads, size)),
        ((value.shape[-1], heads, wide), (heads, wide)),
        ((heads, wide, *out), tuple(out)),
    ]
    return [shape for pair in pairs for shape in (pair if use.said["use_bias"] else pair[:1])]


def _multi_head(use: Use) -> Value:
    found, besides = _inputs(use, "query", "value", "key")
    if len(found) < 2 or any(value.masked for value in found):
        raise use.refuse("masked steps flow into it" if len(found) > 1 else "it is not fed query and value")
    values = [use.straight(value) for value in found]
    names = ("num_heads", "key_dim", "value_dim", "dropout", "use_bias", "output_shape", "attention_axes")
    settings = {name: use.said[name] for name in names}
    arrays = dict(use.arrays()) if use.store.of(use.node) else {}
    _needs(use, arrays, *(["kernel", "bias"] if use.said["use_bias"] else ["kernel"]) * 4)
    _check_shapes(use, list(arrays.values()), _heads(use, values))
    return use.draw(
        "MultiHeadAttention", settings, *values, arrays=arrays, call=besides, axes=straight(values[0].rank)
    )


# Dense layers of any arrangement, and recurrent layers of cells


def _einsum_dense(use: Use) -> Value:
    name = activation_of(use)
    if name == HARD:
        use.tell(
            "its arrays are multiplied by 1.2, so that today's hard_sigmoid gives what the older one gave"
        )
    shape = use.said["output_shape"]
    listed = shape if isinstance(shape, list) else [shape]
    if not all(size is None or (isinstance(size, int) and size > 0) for size in listed):
        raise use.refuse("its output_shape is no list of sizes")
    arrays = _own(use, scaled=name == HARD)
    _needs(use, arrays, *(["kernel", "bias"] if use.said["bias_axes"] else ["kernel"]))
    value = use.straight(use.value)
    _check_shapes(use, list(arrays.values()), _lettered(use, value, listed))
    sizes = [_open(use, size, place, value) for place, size in enumerate(listed, 1)]
    settings = {
        "equation": use.said["equation"],
        # What is open in the old settings is told here if the input's size is: a layer behind may need it.
        "output_shape": sizes,
        "activation": name,
        "bias_axes": use.said["bias_axes"],
    }
    shape = (value.shape[0], *sizes)
    return use.draw("EinsumDense", settings, value, arrays=arrays, axes=straight(len(sizes)), shape=shape)


def _lettered(use: Use, value: Value, listed: Sequence[int | None]) -> list[Sizes]:
    """Return the shape of an EinsumDense's kernel by the letters of its equation, if it has no dots."""
    equation = str(use.said["equation"]).replace(" ", "")
    inputs, _, out = equation.partition("->")
    into, _, kernel = inputs.partition(",")
    if "." in equation or not kernel or len(into) != len(value.shape) or len(out) != len(listed) + 1:
        return []
    sizes = {**dict(zip(out[1:], listed, strict=True)), **dict(zip(into, value.shape, strict=True))}
    return [tuple(sizes.get(letter) for letter in kernel)]


def _open(use: Use, size: int | None, place: int, value: Value) -> int | None:
    """Return a size that an EinsumDense leaves open: that of the input's axis of the same letter."""
    if size is not None:
        return size
    equation = str(use.said["equation"]).replace(" ", "")
    into, _, out = equation.partition("->")
    letters = into.partition(",")[0]
    if "." in equation or place >= len(out) or out[place] not in letters:
        return None
    return value.shape[letters.index(out[place])]


_CELL: Mapping[str, Argument] = {
    "units": arg("units"),
    "activation": arg("activation", default="tanh"),
    "use_bias": arg("use_bias", default=True),
    "dropout": arg("dropout", default=0.0),
    "recurrent_dropout": arg("recurrent_dropout", default=0.0),
}
_GATED_CELL = {**_CELL, "recurrent_activation": arg("recurrent_activation", default="sigmoid")}
CELL_ARGUMENTS: Mapping[str, Mapping[str, Argument]] = {
    "LSTMCell": _GATED_CELL,
    "GRUCell": {**_GATED_CELL, "reset_after": arg("reset_after", default=False)},
    "SimpleRNNCell": _CELL,
}
"""The settings of the cells of recurrent layers."""


def _recurrent_of_cells(use: Use) -> Value:
    """Draw a recurrent layer that is told its cells, with the same cells."""
    value = _alone(use)
    check_first_steps(use, use.said)
    cell, arrays = _cells(use, use.node, use.store.of(use.node), value.shape[-1])
    steps = (value.shape[1],) if use.said["return_sequences"] else ()
    shape = (value.shape[0], *steps, _units(cell))
    settings = {**_steps(use, use.said), "cell": cell}
    return use.draw("RNN", settings, value, arrays=arrays, axes=straight(len(shape) - 1), shape=shape)


def _both_ways(use: Use) -> Results:
    """Draw a Bidirectional; around a recurrent layer of cells with the same cells both ways."""
    inner = use.node.inner
    if inner is None or inner.class_name != "RNN":
        return UPGRADES["Bidirectional"].draw(use)
    value, said = _alone(use), said_of(inner, TF_UPGRADES["RNN"].arguments, lambda setting: None)
    check_first_steps(use, said)
    parts = use.store.of(use.node)
    if said["return_sequences"] and value.masked:
        raise use.refuse("it gives sequences of masked steps, which today's Keras sets to zero")
    half = len(parts) // 2
    cell: dict[str, Any] = {}
    arrays: dict[str, Values] = {}
    for way, own in (("forward", parts[:half]), ("backward", parts[half:])):
        cell, found = _cells(use, inner, own, value.shape[-1])
        arrays |= {f"{way}_layer/{path}": array for path, array in found.items()}
    settings = {"name": inner.name.replace("/", "__"), "dtype": use.dtype_of(inner), **_steps(use, said)}
    settings["cell"] = cell
    units = _units(cell) * (2 if use.said["merge_mode"] == "concat" else 1)
    shape = (value.shape[0], *((value.shape[1],) if said["return_sequences"] else ()), units)
    outer = {"layer": written("RNN", settings), "merge_mode": use.said["merge_mode"]}
    return use.draw("Bidirectional", outer, value, arrays=arrays, axes=straight(len(shape) - 1), shape=shape)


def _alone(use: Use) -> Value:
    """Return a sequence of vectors that comes in without states to begin with."""
    value, *states = sequence(use)
    if states:
        raise use.refuse("it is handed the states that it begins with, which is not carried over for cells")
    return value


def _steps(use: Use, said: Mapping[str, Setting]) -> dict[str, Any]:
    if said["stateful"] and use.value.shape[0] is None:
        raise use.refuse("it is stateful, and the size of its batches is open")
    return {name: said[name] for name in ("return_sequences", "go_backwards", "stateful", "unroll")}


def _units(cell: Mapping[str, Any]) -> int:
    """Return how many values the last of the cells gives."""
    inner = cell["config"].get("cells")
    return int((inner[-1] if inner else cell)["config"]["units"])


def _cells(
    use: Use, node: Node, parts: Sequence[Part], width: int | None
) -> tuple[dict[str, Any], dict[str, Values]]:
    """Return the cell of a recurrent layer as a configuration lists it, and the arrays by their paths.

    Args:
        use: The layer.
        node: What is told the cells: it, or what lies in it.
        parts: The arrays of each cell.
        width: How many values come in at each step.
    """
    if not cells_of(node) or len(parts) != len(cells_of(node)):
        raise use.refuse("its cells are not Keras' own, or the weights have not the arrays of each")
    drawn: list[dict[str, Any]] = []
    arrays: dict[str, Values] = {}
    for (cell, path), part in zip(cell_paths(node), parts, strict=True):
        settings, found = _cell(use, cell, part)
        _check_shapes(use, found, ARRAYS[part.kind or ""](settings["config"], (None, width)))
        width = settings["config"]["units"]
        drawn.append(settings)
        arrays |= {f"{path}/{number}": array for number, array in enumerate(found)}
    if not is_stacked(node):
        return drawn[0], arrays
    return written(
        "StackedRNNCells", {"name": f"{use.name}_cells", "dtype": use.dtype, "cells": drawn}
    ), arrays


def _cell(use: Use, cell: Config, part: Part) -> tuple[dict[str, Any], list[Values]]:
    """Return a cell as a configuration lists it, and its arrays."""
    class_name = str(cell["class_name"])
    own = cell["config"] if isinstance(cell["config"], dict) else {}
    if class_name not in CELLS:
        raise use.refuse(f"its cell is of class {clipped(class_name)}")
    node = Node(name=use.node.name, class_name=CELLS[class_name], settings=own)
    below = replace(use, node=node, said=said_of(node, CELL_ARGUMENTS[class_name], lambda setting: None))
    scaled = gates_scaled(below)
    arrays = use.store.arrays(part, node, layout="tf", scaled=scaled)
    roles = ["kernel", "recurrent_kernel", *(["bias"] if below.said["use_bias"] else [])]
    found = below.numbered(arrays, *roles)
    settings = dict(below.said)
    settings |= {key: activation_of(below, key) for key in settings if key.endswith("activation")}
    name = str(own.get("name") or class_name)
    return written(class_name, {"name": name, "dtype": use.dtype_of(node), **settings}), list(found.values())


# Preprocessing


def _sized(class_name: str, *names: str) -> Callable[[Use], Value]:
    """Return what draws a layer that gives pictures of another size."""

    def draw(use: Use) -> Value:
        value = use.straight(use.value)
        if value.rank not in (2, 3):
            raise use.refuse(f"it takes pictures, and {value.rank} axes come in")
        size = (use.said["height"], use.said["width"])
        settings = {name: use.said[name] for name in ("height", "width", *names)}
        settings["data_format"] = "channels_last"
        shape = (*value.shape[:-3], *size, value.shape[-1])
        return use.draw(class_name, settings, value, shape=shape)

    return draw


def _random(class_name: str, *names: str) -> Callable[[Use], Value]:
    """Return what draws a layer that changes pictures in training alone."""

    def draw(use: Use) -> Value:
        value = use.straight(use.value)
        if value.rank not in (2, 3):
            raise use.refuse(f"it takes pictures, and {value.rank} axes come in")
        return use.draw(class_name, {name: use.said[name] for name in names}, value)

    return draw


def _random_crop(use: Use) -> Value:
    """Draw what it gives but in training: the largest part of the same proportions, made as large."""
    use.tell("but in training it resizes: drawn as that, and no part is picked at random any more")
    use.said = {**use.said, "interpolation": "bilinear", "crop_to_aspect_ratio": True}
    return _sized("Resizing", "interpolation", "crop_to_aspect_ratio")(use)


def _identity(use: Use) -> Value:
    return use.draw("Identity", {}, use.value)


def _training_alone(use: Use) -> Value:
    """Draw nothing for a layer that changes sizes in training, which no layer of today's does."""
    use.tell("it changes pictures in training alone, which nothing of today's does: left out")
    return use.draw("Identity", {}, use.value)


def _encoded(use: Use, count: int | None) -> tuple[Any, ...]:
    """Return the shape of what an encoding gives: a place for each token, or the input's shape."""
    value = use.value
    if use.said["output_mode"] == "int":
        return value.shape
    if use.said["output_mode"] == "one_hot" and value.shape[-1] != 1:
        return (*value.shape, count)
    return (*value.shape[:-1], count) if value.rank else (value.shape[0], count)


MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")
"""How tokens are given out, under the same names today."""


def _mode(use: Use) -> str:
    said = {"binary": "multi_hot", "tf-idf": "tf_idf"}.get(
        str(use.said["output_mode"]), use.said["output_mode"]
    )
    if said not in MODES:
        raise use.refuse(f"its output_mode is {shown(said)}")
    return str(said)


def _tokens(class_name: str, *names: str, dtype: str) -> Callable[[Use], Value]:
    """Return what draws a layer that makes numbers of words or of other numbers."""

    def draw(use: Use) -> Value:
        value = use.straight(use.value)
        if value.masked:
            raise use.refuse("masked steps flow into it")
        mode = _mode(use)
        settings: dict[str, Any] = {name: use.said[name] for name in names} | {"output_mode": mode}
        settings["dtype"] = dtype if mode == "int" else "float32"
        count = use.said["num_bins"] if "num_bins" in names else use.said["num_tokens"]
        return use.draw(class_name, settings, value, shape=_encoded(use, count))

    return draw


def _discretization(use: Use) -> Value:
    bins = use.said["bin_boundaries"]
    if not isinstance(bins, list) or not all(isinstance(number, int | float) for number in bins):
        raise use.refuse(
            "its bins were learnt, and the file has not their boundaries but a summary of the data"
        )
    value, mode = use.straight(use.value), _mode(use)
    settings = {"bin_boundaries": bins, "output_mode": mode, "dtype": "float32"}
    return use.draw("Discretization", settings, value, shape=_encoded(use, len(bins) + 1))


def _hashed_crossing(use: Use) -> Value:
    if len(use.values) != 2:
        raise use.refuse(f"{len(use.values)} values feed it, not two")
    values, mode = [use.straight(value) for value in use.values], _mode(use)
    settings = {"num_bins": use.said["num_bins"], "output_mode": mode}
    settings["dtype"] = "int64" if mode == "int" else "float32"
    first = values[0]
    shape = first.shape
    if mode != "int":
        shape = (
            (*first.shape[:-1], use.said["num_bins"])
            if first.shape[-1] == 1
            else (*first.shape, use.said["num_bins"])
        )
    return use.draw("HashedCrossing", settings, *values, shape=shape, axes=straight(len(shape) - 1))


def _vocabulary(use: Use, mode: str, *, numbers: bool) -> list[Any]:
    """Return the words of a lookup: those of its settings, or of the file that lies in the archive.

    That lists those that stand for others too: the mask, where numbers are given out, and the unknown.
    """
    said = use.said["vocabulary"]
    if said is None:
        text = use.store.words(use.node)
        if text is None:
            raise use.refuse("its vocabulary was learnt, and is not in the file")
        masked = mode == "int" and use.said.get("mask_token", "") is not None
        words = text.split("\n")[int(use.said.get("num_oov_indices", 1)) + masked :]
        said = [_as_number(use, word) for word in words] if numbers else words
    if not isinstance(said, list) or not all(isinstance(word, int if numbers else str) for word in said):
        raise use.refuse(f"its vocabulary is no list of {'numbers' if numbers else 'words'}")
    return said


def _as_number(use: Use, line: str) -> int:
    try:
        return int(line)
    except ValueError:
        raise use.refuse("its vocabulary is no list of numbers") from None


def _lookup(class_name: str, *names: str) -> Callable[[Use], Value]:
    numbers = class_name == "IntegerLookup"

    def draw(use: Use) -> Value:
        value, mode = use.straight(use.value), _mode(use)
        words = _vocabulary(use, mode, numbers=numbers)
        settings: dict[str, Any] = {name: use.said[name] for name in names}
        settings |= {"vocabulary": words, "output_mode": mode}
        settings["dtype"] = ("string" if not numbers else "int64") if use.said["invert"] else "int64"
        settings["dtype"] = settings["dtype"] if mode == "int" else "float32"
        arrays = _weights_of_words(use, settings, words)
        shape = _encoded(use, _count(use))
        return use.draw(class_name, settings, value, arrays=arrays, shape=shape)

    return draw


def _count(use: Use) -> int | None:
    """Return how many tokens there are: the words, and those that stand for others."""
    said = use.node.settings
    if use.said["pad_to_max_tokens"] and isinstance(use.said["max_tokens"], int):
        return int(use.said["max_tokens"])
    size = said.get("vocabulary_size")
    return size if isinstance(size, int) else None


def _weights_of_words(use: Use, settings: dict[str, Any], words: Sequence[Any]) -> dict[str, Values]:
    """Return the arrays of a lookup that weighs words, by their paths.

    Today's layer makes them of numbers in its settings, and takes their values from the file.
    """
    if settings["output_mode"] != "tf_idf":
        return {}
    said = use.said["idf_weights"]
    settings["idf_weights"] = said if isinstance(said, list) else [0.0] * len(words)
    if not use.store.of(use.node, needed=False):
        raise use.refuse("the weights have no arrays for it")
    return dict(use.arrays())


def _text_vectorization(use: Use) -> Value:
    value, mode = use.straight(use.value), _mode(use)
    words = _vocabulary(use, mode, numbers=False)
    names = (
        "max_tokens",
        "standardize",
        "split",
        "ngrams",
        "pad_to_max_tokens",
        "output_sequence_length",
        "encoding",
    )
    settings: dict[str, Any] = {name: use.said[name] for name in names}
    for name in ("standardize", "split"):
        if is_layer(settings[name]) or not isinstance(settings[name], str | None):
            raise use.refuse(f"its {name} is a function of somebody's own")
    for name in ("max_tokens", "output_sequence_length"):
        if not isinstance(settings[name], int | None):
            raise use.refuse(f"its {name} is {shown(settings[name])}")
    settings |= {"vocabulary": words, "output_mode": mode}
    settings["dtype"] = "int64" if mode == "int" else "float32"
    arrays = _weights_of_words(use, settings, words)
    length = use.said["output_sequence_length"] if mode == "int" else _count(use)
    if mode == "int" and settings["split"] is None:
        length = None
    shape = (value.shape[0], length)
    return use.draw("TextVectorization", settings, value, arrays=arrays, shape=shape, axes=(0,))


_LOOKUP: Mapping[str, Argument] = {
    **{
        name: arg(name, default=None)
        for name in ("max_tokens", "mask_token", "oov_token", "vocabulary", "idf_weights", "vocabulary_size")
    },
    "num_oov_indices": arg("num_oov_indices", default=1),
    "output_mode": arg("output_mode", default="int"),
    "invert": arg("invert", default=False),
    "pad_to_max_tokens": arg("pad_to_max_tokens", default=False),
    "sparse": arg("sparse", default=False, only=(False,)),
    "encoding": arg("encoding", default="utf-8"),
    "vocabulary_dtype": arg("vocabulary_dtype", default=None, only=(None, "int64", "string")),
    "has_input_vocabulary": arg("has_input_vocabulary", default=None),
}
_LOOKS_UP = ("max_tokens", "mask_token", "oov_token", "num_oov_indices", "invert", "pad_to_max_tokens")
_SEED = arg("seed", default=None)
_RANDOM = {"seed": _SEED, "rng_type": arg("rng_type", "force_generator", default=None)}
_FILLED = {
    "fill_mode": arg("fill_mode", default="reflect"),
    "fill_value": arg("fill_value", default=0.0),
    "interpolation": arg("interpolation", default="bilinear"),
}
_FILLS = tuple(_FILLED)
_NORMAL = {
    "axis": arg("axis", default=-1),
    "epsilon": arg("epsilon", default=1e-3),
    "center": arg("center", default=True),
    "scale": arg("scale", default=True),
}
_ENCODING = {
    "output_mode": arg("output_mode", default="int"),
    "sparse": arg("sparse", default=False, only=(False,)),
}
_ATTENDS = {
    "dropout": arg("dropout", default=0.0),
    "causal": arg("causal", default=False),
}


def _args(*names: str, **more: Argument) -> dict[str, Argument]:
    """Return settings that have one name and no default."""
    return {**{name: arg(name) for name in names}, **more}


def _graph(use: Use) -> Value:
    raise use.refuse("it holds a part of a graph of TensorFlow, which nothing of today's takes")


TF_UPGRADES: Mapping[str, Upgrade] = {
    "TensorFlowOpLayer": Upgrade(
        draw=_graph, arguments={name: arg(name, default=None) for name in ("node_def", "constants")}
    ),
    **{
        name: Upgrade(draw=operation, arguments=_args("function"))
        for name in ("TFOpLambda", "SlicingOpLambda")
    },
    "LayerNormalization": Upgrade(draw=_layer_normalization, arguments=_NORMAL),
    "GroupNormalization": Upgrade(
        draw=_group_normalization, arguments={**_NORMAL, "group_count": arg("groups", default=32)}
    ),
    "UnitNormalization": Upgrade(draw=_unit_normalization, arguments={"axis": arg("axis", default=-1)}),
    "SpectralNormalization": Upgrade(
        draw=_spectral,
        arguments={"layer": arg("layer"), "power_iterations": arg("power_iterations", default=1)},
    ),
    "Normalization": Upgrade(
        draw=_normalization,
        arguments={
            "axis": arg("axis", default=-1),
            "mean": arg("mean", default=None),
            "variance": arg("variance", default=None),
            "invert": arg("invert", default=False),
        },
    ),
    "Attention": Upgrade(
        draw=_attention("Attention", "use_scale", "score_mode"),
        arguments={
            **_ATTENDS,
            "use_scale": arg("use_scale", default=False),
            "score_mode": arg("score_mode", default="dot", only=("dot", "concat")),
        },
    ),
    "AdditiveAttention": Upgrade(
        draw=_attention("AdditiveAttention", "use_scale"),
        arguments={**_ATTENDS, "use_scale": arg("use_scale", default=True)},
    ),
    "MultiHeadAttention": Upgrade(
        draw=_multi_head,
        arguments=_args(
            "num_heads",
            "key_dim",
            value_dim=arg("value_dim", default=None),
            dropout=arg("dropout", default=0.0),
            use_bias=arg("use_bias", default=True),
            output_shape=arg("output_shape", default=None),
            attention_axes=arg("attention_axes", default=None),
            built=arg("query_shape", "key_shape", "value_shape", default=None),
            robust=arg("softmax_robust_masking", default=None),
        ),
    ),
    "EinsumDense": Upgrade(
        draw=_einsum_dense,
        arguments=_args(
            "equation",
            "output_shape",
            bias_axes=arg("bias_axes", default=None),
            activation=arg("activation", default="linear"),
        ),
    ),
    "RNN": Upgrade(
        draw=_recurrent_of_cells,
        arguments={
            "cell": arg("cell"),
            **{
                name: arg(name, default=False)
                for name in ("return_sequences", "go_backwards", "stateful", "unroll")
            },
            **{
                name: arg(name, default=False, only=(False,))
                for name in ("return_state", "time_major", "zero_output_for_mask")
            },
        },
    ),
    "Bidirectional": replace(UPGRADES["Bidirectional"], draw=_both_ways),
    "Identity": Upgrade(draw=_identity),
    "Resizing": Upgrade(
        draw=_sized("Resizing", "interpolation", "crop_to_aspect_ratio"),
        arguments=_args(
            "height",
            "width",
            interpolation=arg(
                "interpolation",
                default="bilinear",
                only=("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"),
            ),
            crop_to_aspect_ratio=arg("crop_to_aspect_ratio", default=False),
        ),
    ),
    "CenterCrop": Upgrade(draw=_sized("CenterCrop"), arguments=_args("height", "width")),
    "RandomCrop": Upgrade(draw=_random_crop, arguments=_args("height", "width", **_RANDOM)),
    "RandomFlip": Upgrade(
        draw=_random("RandomFlip", "mode", "seed"),
        arguments={**_RANDOM, "mode": arg("mode", default="horizontal_and_vertical")},
    ),
    **{
        name: Upgrade(
            draw=_random(name, "factor", *_FILLS, "seed"), arguments=_args("factor", **_RANDOM, **_FILLED)
        )
        for name in ("RandomRotation",)
    },
    **{
        name: Upgrade(
            draw=_random(name, "height_factor", "width_factor", *_FILLS, "seed"),
            arguments=_args(
                "height_factor", width_factor=arg("width_factor", default=None), **_RANDOM, **_FILLED
            ),
        )
        for name in ("RandomZoom", "RandomTranslation")
    },
    "RandomContrast": Upgrade(
        draw=_random("RandomContrast", "factor", "seed"), arguments=_args("factor", **_RANDOM)
    ),
    "RandomBrightness": Upgrade(
        draw=_random("RandomBrightness", "factor", "value_range", "seed"),
        arguments=_args("factor", value_range=arg("value_range", default=[0, 255]), **_RANDOM),
    ),
    **{
        name: Upgrade(
            draw=_training_alone,
            arguments=_args("factor", interpolation=arg("interpolation", default="bilinear"), **_RANDOM),
        )
        for name in ("RandomHeight", "RandomWidth")
    },
    "Discretization": Upgrade(
        draw=_discretization,
        arguments={
            **_ENCODING,
            "bin_boundaries": arg("bin_boundaries", "bins", default=None),
            **{name: arg(name, default=None) for name in ("num_bins", "epsilon")},
        },
    ),
    "Hashing": Upgrade(
        draw=_tokens("Hashing", "num_bins", "mask_value", "salt", dtype="int64"),
        arguments=_args(
            "num_bins",
            **_ENCODING,
            mask_value=arg("mask_value", default=None),
            salt=arg("salt", default=None),
        ),
    ),
    "HashedCrossing": Upgrade(draw=_hashed_crossing, arguments=_args("num_bins", **_ENCODING)),
    "CategoryEncoding": Upgrade(
        draw=_tokens("CategoryEncoding", "num_tokens", dtype="float32"),
        arguments=_args(
            "num_tokens", **{**_ENCODING, "output_mode": arg("output_mode", default="multi_hot")}
        ),
    ),
    "StringLookup": Upgrade(draw=_lookup("StringLookup", *_LOOKS_UP, "encoding"), arguments=_LOOKUP),
    "IntegerLookup": Upgrade(draw=_lookup("IntegerLookup", *_LOOKS_UP), arguments=_LOOKUP),
    "TextVectorization": Upgrade(
        draw=_text_vectorization,
        arguments={
            **{
                name: arg(name, default=None)
                for name in ("max_tokens", "ngrams", "output_sequence_length", "vocabulary", "idf_weights")
            },
            **{name: arg(name, default=None) for name in ("vocabulary_size", "has_input_vocabulary")},
            "standardize": arg("standardize", default=None),
            "split": arg("split", default=None),
            "output_mode": arg("output_mode", default="int"),
            "pad_to_max_tokens": arg("pad_to_max_tokens", default=False),
            "encoding": arg("encoding", default="utf-8"),
            **{name: arg(name, default=False, only=(False,)) for name in ("sparse", "ragged")},
        },
    ),
}
"""What becomes of each class that tf.keras has beside those of Keras 2."""
