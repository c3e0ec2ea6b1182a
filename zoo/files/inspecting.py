"""Saying what a weights file is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

from converters.api import Inspection, inspect_file
from zoo.calling import public
from zoo.files.given import as_named, at_hand


@public()
def inspect(
    file: str | os.PathLike[str],
    *,
    layers: Mapping[str, str] | None = None,
    keras_version: str | None = None,
) -> Inspection:
    """Say what a weights file is and what it holds, as ``zoo inspect`` does.

    Args:
        file: The file, by path or by a URL that fsspec knows (``s3://``, ``https://``); it is not touched.
        layers: The kinds of layers, by name, where the file does not tell them.
        keras_version: Who wrote it, where it does not say.

    Raises:
        ArgumentError: An argument is not allowed.
        FileFormatError: The file cannot be read as weights.
        CacheError: A URL cannot be read.

    Examples:
        >>> import zoo
        >>> found = zoo.inspect("small_th.h5")
        >>> found.layout.value, [layer.name for layer in found.description.weighted]
        ('th', ['conv1', 'fc'])
    """
    with at_hand(file) as local, as_named(local):
        found = inspect_file(local.path, keras_version=keras_version, layers=layers)
    return found if local.folder is None else replace(found, address=str(local.called))
