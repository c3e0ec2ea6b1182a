"""Whole models of older versions of Keras, opened."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import keras

from converters.upgrading.upgrade import upgrade_file
from zoo.networks.own import CustomObjects, classes_of, own_of


def upgrade(
    path: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] | None = None,
    data_format: str | None = None,
    keras_version: str | None = None,
    backend: str | None = None,
    custom_objects: CustomObjects | None = None,
) -> keras.Model:
    """Return a whole model of Keras 1 or 2 as a model of today's, with the same outputs.

    Args:
        path: A file of ``model.save``, HDF5 or an archive of tf.keras, or the ``.json`` of ``model.to_json``;
            it is not touched.
        weights: The weights' file, if the path is that of a ``.json``.
        data_format: None: what comes in and goes out is as it was; ``"channels_last"``: maps that were
            channels first, (N, C, H, W), become (N, H, W, C) there too.
        keras_version: The version of Keras that wrote the model, where no file says it.
        backend: ``"theano"`` or ``"tensorflow"``: on what it ran, whatever else says so.
        custom_objects: What the model has of the user's own, by name: classes of layers, which take their
            old configuration and arrays as they are; functions that are activations; or, by the name of a
            layer, what takes its place: a layer, or for a ``Lambda`` a function that computes with
            ``keras.ops``.

    Returns:
        The model, in float32 and not compiled. It holds Keras' own layers alone, but for those of
        ``custom_objects``, so that what its ``save`` writes opens without this package.

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
    own = dict(custom_objects or {})
    with tempfile.TemporaryDirectory(prefix="zoo-upgrade-") as folder:
        target = Path(folder) / "model.keras"
        upgrade_file(
            path,
            target,
            weights=weights,
            data_format=data_format,
            keras_version=keras_version,
            backend=backend,
            custom=own_of(own),
        )
        return keras.models.load_model(target, compile=False, custom_objects=classes_of(own))
