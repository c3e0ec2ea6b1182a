"""The text of a model's configuration in a file of its own, in the forms in which people keep it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from converters.errors import ConversionError, FileFormatError
from converters.hdf5.reader import open_regular
from converters.layers.config import Setting, is_layer, load_config
from converters.limits import Limits, too_many
from converters.upgrading.graph import modern
from converters.upgrading.refusing import Refused

YAML = (".yaml", ".yml")
"""How files in YAML are called, in lower case."""
_SPACE = b"\xef\xbb\xbf \t\r\n"


def read_text(path: Path, kind: str, begins: tuple[bytes, ...] = (b"",)) -> str | None:
    """Return the text of a file, or None if it does not begin as it should.

    Args:
        path: The file.
        kind: What it is to be, for messages.
        begins: What such a text begins with, blanks left aside.

    Raises:
        FileFormatError: If it is no regular file, too long, or no UTF-8.
    """
    cap = Limits.from_environment().header_bytes
    with open_regular(path) as stream:
        head = stream.read(64)
        if not head.lstrip(_SPACE).startswith(begins):
            return None
        data = head + stream.read(cap)
    if len(data) > cap:
        raise FileFormatError(f"{path} is {kind} of {too_many(path.stat().st_size, cap, 'header_bytes')}")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileFormatError(f"{path}: is {kind} that is not UTF-8") from error


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
