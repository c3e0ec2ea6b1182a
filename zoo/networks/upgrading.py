"""Whole models of older versions of Keras, opened."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import keras

from converters.errors import warn_of
from converters.upgrading.carrying_out import carry_out
from converters.upgrading.upgrade import plan_upgrade
from zoo.calling import public
from zoo.files.given import as_named, at_hand, weights_at_hand
from zoo.networks import proving
from zoo.networks.own import CustomObjects, opened, own_of
from zoo.networks.yaml_configs import is_yaml, json_of
from zoo.progress.asked import Asked, chosen
from zoo.progress.protocol import BytesDone


@public()
@weights_at_hand
def upgrade(
    path: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] | None = None,
    data_format: str | None = None,
    keras_version: str | None = None,
    backend: str | None = None,
    custom_objects: CustomObjects | None = None,
    lambdas: Mapping[str, str] | None = None,
    compile: bool = True,
    prove: bool = False,
    progress: Asked = None,
) -> keras.Model:
    """Return a whole model of Keras 1 or 2 as a model of today's, with the same outputs.

    Args:
        path: A file of ``model.save``, HDF5 or an archive of tf.keras, or the ``.json`` of ``model.to_json``
            or the ``.yaml`` of ``model.to_yaml``, by path or by a URL that fsspec knows (``s3://``); it is
            not touched.
        weights: The weights' file, if the path is that of a ``.json`` or a ``.yaml``.
        data_format: None: what comes in and goes out is as it was; ``"channels_last"``: maps that were
            channels first, (N, C, H, W), become (N, H, W, C) there too.
        keras_version: The version of Keras that wrote the model, where no file says it.
        backend: ``"theano"`` or ``"tensorflow"``: on what it ran, whatever else says so.
        custom_objects: What the model has of the user's own, by name: classes of layers, which take their
            old configuration and arrays as they are; functions that are activations; or, by the name of a
            layer, what takes its place: a layer, or for a ``Lambda`` a function that computes with
            ``keras.ops``.
        lambdas: What ``Lambda`` layers compute, by their names, where their code is not recognised: an
            expression of ``x``, what comes in, such as ``"K.abs(x[0] - x[1])"``, or the name of one,
            ``"abs_difference"``.
        compile: Whether to compile it as it was, with the state of its optimizer, so that ``fit`` goes on;
            what has no place in today's Keras is left out and said.
        prove: Compare the new model with what tf-keras computes with the old file, where that is installed
            and the file is of its versions; and in any case the shapes of all values with those that the old
            configuration gives.
        progress: As for :func:`zoo.fetch`.

    Returns:
        The model, in float32, or with the mixed policies that its layers had. It holds Keras' own layers
        alone, but for those of ``custom_objects``, so that what its ``save`` writes opens without this
        package.

    Raises:
        ArgumentError: If an argument has a value that is not allowed.
        FileFormatError: If a file is not what it should be.
        ConversionError: If a layer has no place in today's Keras; the message names it and says why. Or if
            the new model was compared and does not give the same.

    Warns:
        ConversionWarning: What had to be taken for granted.

    Examples:
        >>> import zoo
        >>> model = zoo.upgrade("old_model.h5")
        >>> model.output_shape
        (None, 5)
    """
    own = dict(custom_objects or {})
    with at_hand(path) as old, as_named(old):
        plan = plan_upgrade(
            old.path,
            weights=weights,
            data_format=data_format,
            keras_version=keras_version,
            backend=backend,
            custom=own_of(own),
            lambdas=lambdas,
            text=json_of(old.path) if is_yaml(old.path) else None,
        )
        plan.check()
        warn_of(plan.path, plan.notes, stacklevel=2)
        with tempfile.TemporaryDirectory(prefix="zoo-upgrade-") as folder:
            target = Path(folder) / "model.keras"
            with BytesDone(chosen(progress), f"upgrading {old.path.name}") as advance:
                carry_out(plan, target, progress=advance)
            model = opened(plan, target, own, compile=compile)
        if prove:
            proving.prove(plan, model)
    return model
