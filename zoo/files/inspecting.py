"""Saying what a weights file is."""

from __future__ import annotations

import os
from collections.abc import Mapping

from converters.api import Inspection, inspect_file
from zoo.calling import public


@public()
def inspect(
    file: str | os.PathLike[str],
    *,
    layers: Mapping[str, str] | None = None,
    keras_version: str | None = None,
) -> Inspection:
    """Say what a weights file is and what it holds, as ``zoo inspect`` does.

    Args:
        file: The file; it is not touched.
        layers: The kinds of layers, by name, where the file does not tell them.
        keras_version: Who wrote it, where it does not say.

    Raises:
        ArgumentError: An argument is not allowed.
        FileFormatError: The file cannot be read as weights.

    Examples:
        >>> import zoo
        >>> found = zoo.inspect("small_th.h5")
        >>> found.layout.value, [layer.name for layer in found.description.weighted]
        ('th', ['conv1', 'fc'])
    """
    return inspect_file(file, keras_version=keras_version, layers=layers)
