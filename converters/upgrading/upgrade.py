"""What users and the command line call: a whole model of an older version, opened by today's Keras."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters.boundary import uncollected
from converters.errors import ArgumentError, FileFormatError, checked_path, warn_of
from converters.formats.dialects import Told, describe
from converters.formats.record import Proof
from converters.limits import clipped
from converters.upgrading.carrying_out import carry_out
from converters.upgrading.computing.expressions import NotRecognisedError
from converters.upgrading.computing.layer import EXPRESSIONS, check_said
from converters.upgrading.own import Asked, OwnFunction, OwnLayer
from converters.upgrading.plan import Upgrade, make_upgrade
from converters.upgrading.texts import YAML, modern_text, read_text
from converters.writing.execute import Progress

ENDING = ".keras"
ORDERS = (None, "channels_last")
BACKENDS = (None, "theano", "tensorflow")


@dataclass(frozen=True, kw_only=True)
class Upgraded:
    """A model that was upgraded.

    Attributes:
        source: The file that was named.
        target: The new file.
        upgrade: What was done, layer by layer.
        proof: What was compared of the new file's arrays, or None.
    """

    source: Path
    target: Path
    upgrade: Upgrade
    proof: Proof | None

    def __repr__(self) -> str:
        """Return what was done in one line; each attribute can be looked at."""
        proof = f"verified {self.proof}" if self.proof else "not verified"
        return f"<{self.source} upgraded to {self.target}, {proof}>"

    def as_dict(self) -> dict[str, Any]:
        """Return the same as plain values that JSON can hold."""
        return {
            "source": str(self.source),
            "target": str(self.target),
            "verified": str(self.proof) if self.proof else None,
            **self.upgrade.as_dict(),
        }


@uncollected()
def plan_upgrade(
    source: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] | None = None,
    data_format: str | None = None,
    keras_version: str | None = None,
    backend: str | None = None,
    custom: Mapping[str, OwnLayer | OwnFunction] | None = None,
    lambdas: Mapping[str, str] | None = None,
    text: str | None = None,
) -> Upgrade:
    """Work out how a whole model of Keras 1 or 2 becomes one of today's, without writing a file.

    No array is read, and no framework imported. What cannot be upgraded is listed in the result.

    Args:
        source: A file of ``model.save``, HDF5 or an archive of tf.keras, or the ``.json`` of
            ``model.to_json``.
        weights: The weights' file, if the source is a ``.json``.
        data_format: None: what comes in and goes out is as it was; ``"channels_last"``: maps that were
            channels first, (N, C, H, W), become (N, H, W, C) there too.
        keras_version: The version of Keras that wrote the model, where no file says it.
        backend: ``"theano"`` or ``"tensorflow"``: on what it ran, whatever else says so.
        custom: Classes and functions of the user's own, by their names in the old model, or what takes a
            layer's place, by that layer's name.
        lambdas: What ``Lambda`` layers compute, by their names: an expression of ``x``, what comes in, such
            as ``"K.abs(x[0] - x[1])"``, or the name of one, ``"abs_difference"``.
        text: The configuration as JSON, if the source holds it in a form that is not read here: YAML.

    Raises:
        ArgumentError: If an argument has a value that is not allowed.
        FileFormatError: If a file is not what it should be.
        ConversionError: If it holds no whole model, or nothing tells its version.

    Examples:
        >>> import converters
        >>> plan = converters.plan_upgrade("old_model.h5")
        >>> [str(refusal) for refusal in plan.refusals]
        []
    """
    if data_format not in ORDERS:
        raise ArgumentError(f"data_format must be None or 'channels_last', not {data_format!r}")
    if backend not in BACKENDS:
        raise ArgumentError(f"backend must be 'theano' or 'tensorflow', not {backend!r}")
    path = checked_path(source, "source")
    beside = None if weights is None else checked_path(weights, "weights")
    _refuse_folder(path)
    text = _json_text(path) if text is None else text
    if text is None and beside is not None:
        raise ArgumentError(f"{path}: holds weights itself; leave out {beside}")
    if text is not None and beside is None:
        raise ArgumentError(f"{path}: is a configuration alone; give the weights' file too")
    told = None if text is None else Told(modern_text(text, path), str(path))
    holder = beside or path
    description = describe(holder, keras_version=keras_version, config=told)
    asked = Asked(own=dict(custom or {}), lambdas=_expressions(lambdas or {}))
    return make_upgrade(path, description, turned=data_format is not None, said=backend, asked=asked)


@uncollected()
def upgrade_file(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str] | None = None,
    *,
    weights: str | os.PathLike[str] | None = None,
    data_format: str | None = None,
    keras_version: str | None = None,
    backend: str | None = None,
    custom: Mapping[str, OwnLayer | OwnFunction] | None = None,
    lambdas: Mapping[str, str] | None = None,
    text: str | None = None,
    force: bool = False,
    verify: bool | None = None,
    progress: Progress | None = None,
) -> Upgraded:
    """Write a whole model of Keras 1 or 2 as a ``.keras`` file that gives the same outputs today.

    Args:
        source: A file of ``model.save``, HDF5 or an archive of tf.keras, or the ``.json`` of
            ``model.to_json``; it is not touched.
        target: The new file; by default ``OLD.keras`` beside the old one.
        weights: The weights' file, if the source is a ``.json``.
        data_format: See :func:`plan_upgrade`.
        keras_version: The version of Keras that wrote the model, where no file says it.
        backend: ``"theano"`` or ``"tensorflow"``: on what it ran, whatever else says so.
        custom: See :func:`plan_upgrade`.
        lambdas: See :func:`plan_upgrade`.
        text: See :func:`plan_upgrade`.
        force: Replace a file that has the new file's name.
        verify: Read the new file back and compare its arrays with the old ones; by default below 1 GiB.
        progress: Called with the bytes done and the bytes in all.

    Returns:
        What was done, and where the new file is.

    Raises:
        ZooError: As :func:`plan_upgrade`, and ConversionError if a layer has no place in today's Keras, or
            the new file cannot be written. Nothing is written then.

    Warns:
        ConversionWarning: What had to be taken for granted.

    Examples:
        >>> import converters
        >>> done = converters.upgrade_file("old_model.h5", "new_model.keras")
        >>> done.target.name
        'new_model.keras'
    """
    _check_ending(None if target is None else checked_path(target, "target"))
    upgrade = plan_upgrade(
        source,
        weights=weights,
        data_format=data_format,
        keras_version=keras_version,
        backend=backend,
        custom=custom,
        lambdas=lambdas,
        text=text,
    )
    upgrade.check()
    warn_of(upgrade.path, upgrade.notes, stacklevel=2)
    new = Path(target) if target is not None else default_target(upgrade.path)
    proof = carry_out(upgrade, new, force=force, verify=verify, progress=progress)
    return Upgraded(source=upgrade.path, target=new, upgrade=upgrade, proof=proof)


def _check_ending(target: Path | None) -> None:
    """Check that Keras will open a new file by its name.

    Raises:
        ArgumentError: It goes by the ending, and would take the file for another format.
    """
    if target is None or target.suffix == ENDING or target.is_dir():  # a folder is told as one
        return
    new = target.with_suffix(ENDING)
    raise ArgumentError(f"{target}: a whole model is written as a {ENDING} file; call it {new.name}")


def _expressions(lambdas: Mapping[str, str]) -> dict[str, str]:
    for name, text in lambdas.items():
        try:
            check_said(text)
        except NotRecognisedError as error:
            why = f"lambdas: {clipped(name)}: {clipped(text)} is no expression: {error}"
            raise ArgumentError(f"{why}; say one of x, or one of {', '.join(EXPRESSIONS)}") from error
    return dict(lambdas)


def default_target(source: Path) -> Path:
    """Return where an upgrade goes if nobody says: ``OLD.keras`` beside ``OLD.h5``, or ``OLD_new.keras``."""
    target = source.with_suffix(ENDING)
    return target if target != source else source.with_name(f"{source.stem}_new{ENDING}")


def _json_text(path: Path) -> str | None:
    """Return the text of a file that begins as a configuration does, or None if it does not.

    Raises:
        FileFormatError: If it is too long or no text, or YAML.
    """
    if path.suffix.lower() in YAML:
        hint = "zoo upgrade and zoo.upgrade read it; here, give its text as JSON (text=)"
        raise FileFormatError(f"{path}: is YAML; {hint}")
    return read_text(path, "JSON", (b"{", b"[", b'"'))


def _refuse_folder(path: Path) -> None:
    if path.is_dir():
        saved = (path / "saved_model.pb").exists()
        what = "a SavedModel, whose layers are code" if saved else "a folder, not a model"
        hint = "open it with the TensorFlow that wrote it and save it with model.save('NAME.h5')"
        raise FileFormatError(f"{path}: {what}{f'; {hint}' if saved else ''}")
