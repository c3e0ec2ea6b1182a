"""What a model's configuration may hold: every value that is ever used is looked at here, once, before it is.

JSON can hold anything, and a configuration may come from anybody. Where Keras writes a size, a list of sizes,
a name, a layer or the layers that feed it, anything else is refused by the layer, the key and the value. Keys
that nobody reads, and settings of classes that nobody follows, may hold what they like.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from converters.boundary import paced
from converters.errors import FileFormatError
from converters.layers.config import Config, Setting, entries, is_layer, layers_of, load_config, name_of_entry
from converters.layers.following import follows
from converters.layers.names import kind_of_class
from converters.layers.table import MODELS
from converters.limits import LARGEST, Limits, clipped, first_repeated, name_fault, shown

_AXES = 32  # no array has as many


class Form(NamedTuple):
    """What a value has to be if it is there: in words that follow "not", and the check."""

    words: str
    holds: Callable[[Setting], bool]


def read_config(text: str, where: str, limits: Limits | None = None) -> Config | None:
    """Read a model's configuration.

    Args:
        text: JSON.
        where: The file and what of it holds the text, for messages.
        limits: Caps; the environment's by default.

    Returns:
        The configuration; None if it is ``null``.

    Raises:
        FileFormatError: If it is not JSON, or holds what no version of Keras writes there.
    """
    caps = limits or Limits.from_environment()
    config = load_config(text, where, caps)
    if config is None:
        return None
    if not isinstance(config, dict):
        raise FileFormatError(f"{where} is not a mapping")
    for entry in paced(entries(config)):
        _check_entry(entry, where, caps)
    _check_names(config, where)
    return config


def _check_entry(entry: Config, where: str, limits: Limits) -> None:
    inner = entry.get("config")
    settings: Mapping[str, Setting] = inner if isinstance(inner, dict) else {}
    _check(entry, _ENTRY, where)
    for name in (entry["class_name"], entry.get("name"), settings.get("name")):
        _check_name(name, where, limits)
    kind = kind_of_class(entry["class_name"])
    what = f"{where}: layer {clipped(name_of_entry(entry) or '')} ({kind})"
    _check(settings, {**_EVERYWHERE, **(_FOLLOWED if follows(kind) else {})}, what)
    if kind in MODELS:
        _check_layers(entry, what)


def _check(found: Mapping[str, Setting], forms: Mapping[str, Form], what: str) -> None:
    for key, form in forms.items():
        value = found.get(key)
        if (value is not None or form is _TEXT) and not form.holds(value):
            raise FileFormatError(f"{what}: {key!r} is {shown(value)}, not {form.words}")


def _check_name(name: Setting, where: str, limits: Limits) -> None:
    if name is None:
        return
    if not isinstance(name, str):
        raise FileFormatError(f"{where}: a name is {shown(name)}, not text")
    if fault := name_fault(name, limits):
        raise FileFormatError(f"{where}: the name {clipped(name)} {fault}")


def _check_layers(entry: Config, what: str) -> None:
    """Raise unless a model's layers are layers, each of another name."""
    inner = entry.get("config")
    listed = inner.get("layers", []) if isinstance(inner, dict) else inner
    if not isinstance(listed, list):
        raise FileFormatError(f"{what}: 'layers' is {shown(listed)}, not a list of layers")
    for layer in listed:
        if not is_layer(layer):
            raise FileFormatError(f"{what}: 'layers' holds {shown(layer)}, which is no layer")
    _check_names(entry, what)


def _check_names(entry: Config, what: str) -> None:
    names = [name for layer in layers_of(entry) if (name := name_of_entry(layer)) is not None]
    if (twice := first_repeated(names)) is not None:
        raise FileFormatError(f"{what}: two of its layers are called {clipped(twice)}")


# Checks


def _is_number(value: Setting, least: int, most: int) -> bool:
    """Return whether a value is an integer within bounds; Keras 1 writes some as ``64.0``."""
    return type(value) in (int, float) and least <= value <= most and value == value // 1


def _is_size(value: Setting) -> bool:
    return _is_number(value, 1, LARGEST)


def _are(check: Callable[[Setting], bool]) -> Callable[[Setting], bool]:
    """Return the check for a list, not longer than an array has axes."""
    return lambda value: isinstance(value, list) and len(value) <= _AXES and all(map(check, value))


def _or(*checks: Callable[[Setting], bool]) -> Callable[[Setting], bool]:
    return lambda value: any(check(value) for check in checks)


def _is_open(value: Setting) -> bool:
    return value is None or _is_size(value)


def _is_rest(value: Setting) -> bool:
    return value is None or _is_number(value, -1, LARGEST)


def _is_axis(value: Setting) -> bool:
    return _is_number(value, -_AXES, _AXES)


def _is_border(value: Setting) -> bool:
    return _is_number(value, 0, LARGEST)


def _is_text(value: Setting) -> bool:
    return isinstance(value, str)


def _are_uses(value: Setting) -> bool:
    """Return whether a value says, for each use of a layer, what feeds it, in any form that Keras has had.

    A source is a layer's name, which use of it, and which of its results. What tf.keras and Keras 3 write
    besides, mappings and lists within lists, is not followed and so may hold anything.
    """
    return isinstance(value, list) and all(
        isinstance(use, list | dict) and all(map(_is_source, use if isinstance(use, list) else ()))
        for use in value
    )


def _is_source(value: Setting) -> bool:
    if not isinstance(value, list) or not value or not isinstance(value[0], str):
        return True
    return len(value) > 2 and all(_is_number(number, -1, LARGEST) for number in value[1:3])


_TEXT = Form("text", _is_text)
_SIZE = Form("a size", _is_size)
_SIZES = Form("a size or a list of sizes", _or(_is_size, _are(_is_size)))
_SHAPE = Form("a list of sizes", _are(_is_open))
_ENTRY = {
    "class_name": _TEXT,
    "inbound_nodes": Form("a list of what feeds each use", _are_uses),
}
# What is read of layers of every class.
_EVERYWHERE = {"batch_input_shape": _SHAPE, "batch_shape": _SHAPE}
_WORD = Form("a word", _is_text)
_AXIS = Form("an axis or a list of axes", _or(_is_axis, _are(_is_axis)))
_BORDERS = Form(
    "a border or a list of borders",
    _or(_is_border, _are(_or(_is_border, _are(_is_border))), lambda value: isinstance(value, dict)),
)
# What is read of layers that are followed, by their settings in any version of Keras.
_FOLLOWED = {
    **dict.fromkeys(("filters", "nb_filter", "units", "output_dim"), _SIZE),
    **dict.fromkeys(("nb_row", "nb_col", "kernel_dim1", "kernel_dim2", "kernel_dim3"), _SIZE),
    **dict.fromkeys(("kernel_size", "pool_size", "strides", "subsample", "size"), _SIZES),
    **dict.fromkeys(("dilation_rate", "atrous_rate"), _SIZES),
    **dict.fromkeys(("target_shape", "dims"), Form("a list of sizes", _are(_is_rest))),
    **dict.fromkeys(("axis", "concat_axis", "shared_axes"), _AXIS),
    **dict.fromkeys(("dim_ordering", "data_format", "border_mode", "merge_mode"), _WORD),
    "padding": Form("a word or borders", _or(_is_text, _BORDERS.holds)),
    "cropping": _BORDERS,
    "layer": Form("a layer", is_layer),
}
