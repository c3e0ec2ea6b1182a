"""The text of a model's configuration in a file of its own, in the forms in which people keep it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from converters.errors import ConversionError
from converters.layers.config import Setting, is_layer, load_config
from converters.upgrading.graph import modern
from converters.upgrading.refusing import Refused


def modern_text(text: str, path: Path) -> str:
    """Return a configuration as ``to_json`` of Keras 1 or 2 wrote it.

    Kept in other forms are what ``to_json`` of Keras 0 wrote, a text within a text (``json.dump`` of what
    ``to_json`` gave), and what ``get_config`` of a model gave, which does not say the model's class.

    Args:
        text: The file's text.
        path: The file.

    Raises:
        FileFormatError: If it is no JSON.
        ConversionError: If it is a model of Keras 0 that lists what is no layer.
    """
    if _is_plain(text):
        return text
    config = load_config(text, str(path))
    if isinstance(config, str):
        text = config
        config = load_config(text, f"{path}: the text in it")
    try:
        found = modern(config) if isinstance(config, dict) else config
    except Refused as refusal:
        raise ConversionError(f"{path}: cannot be upgraded: {refusal.refusal}") from refusal
    found = _with_class(found)
    return text if found is config else json.dumps(found)


def _is_plain(text: str) -> bool:
    """Return whether a text begins or ends with the model's class: most do, and need no second look."""
    return bool(_FIRST.match(text) or _LAST.search(text, max(len(text) - _GLANCE, 0)))


# Between the text's own braces, so that the class is the model's and no layer's.
_WORD = r'"[^"\\]{0,100}"\s*'
_FIRST = re.compile(rf'\s*\{{\s*(?:"(?:keras_version|backend)"\s*:\s*{_WORD},\s*)*"class_name"\s*:')
_LAST = re.compile(rf'"class_name"\s*:\s*{_WORD}\}}\s*\Z')
_GLANCE = 200


def _with_class(config: Setting) -> Setting:
    """Return what ``get_config`` of a model gave with the model's class, which its form tells.

    A Sequential gave the list of its layers up to Keras 2.2.2, and from then on a mapping with its name; a
    Model has inputs and outputs besides: get_config() in keras/engine/sequential.py and network.py, 2.2.4.
    """
    layers = config.get("layers") if isinstance(config, Mapping) else config
    told = isinstance(config, Mapping) and "class_name" in config
    if told or not isinstance(layers, list) or not layers or not all(map(is_layer, layers)):
        return config
    functional = isinstance(config, Mapping) and "input_layers" in config and "output_layers" in config
    return {"class_name": "Model" if functional else "Sequential", "config": config}
