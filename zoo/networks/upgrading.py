"""Whole models of older versions of Keras, opened."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import keras

from converters.upgrading.upgrade import upgrade_file


def upgrade(
    path: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] | None = None,
    data_format: str | None = None,
    keras_version: str | None = None,
    backend: str | None = None,
) -> keras.Model:
    """Return a whole model of Keras 1 or 2 as a model of today's, with the same outputs.

    Args:
        path: A file of ``model.save``, or the ``.json`` of ``model.to_json``; it is not touched.
        weights: The weights' file, if the path is that of a ``.json``.
        data_format: None: what comes in and goes out is as it was; ``"channels_last"``: maps that were
            channels first, (N, C, H, W), become (N, H, W, C) there too.
        keras_version: The version of Keras that wrote the model, where no file says it.
        backend: ``"theano"`` or ``"tensorflow"``: on what it ran, whatever else says so.

    Returns:
        The model, in float32 and not compiled. It holds Keras' own layers alone, so that what its ``save``
        writes opens without this package.

    Raises:
        ArgumentError: If an argument has a value that is not allowed.
        FileFormatError: If a file is not what it should be.
        ConversionError: If a layer has no place in today's Keras; the message names it and says why.

    Warns:
        ConversionWarning: What had to be taken for granted.

    Examples:
        >>> import zoo
        >>> model = zoo.upgrade("old_model.h5")
        >>> model.output_shape
        (None, 5)
    """
    with tempfile.TemporaryDirectory(prefix="zoo-upgrade-") as folder:
        target = Path(folder) / "model.keras"
        upgrade_file(
            path,
            target,
            weights=weights,
            data_format=data_format,
            keras_version=keras_version,
            backend=backend,
        )
        return keras.models.load_model(target, compile=False)
