"""Who can be asked what an image shows: a published network, a fine-tuning run, or any whole model.

Which of them is meant, and whether it can be asked, is told without Keras.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from converters import inspect_file
from zoo.errors import ArgumentError, FileFormatError, UnknownNameError
from zoo.files.given import address_of, as_named, at_hand, beside, bring_if_there, is_folder, some_at_hand
from zoo.naming import is_name, is_written_as_path
from zoo.networks.fitting import DEFAULT_FIT, FIT_BEFORE, Fit, check_fit
from zoo.networks.images import Depth
from zoo.networks.run_record import INCLUDED, MODEL, RECORD, read_run
from zoo.numbers import is_whole
from zoo.registry import architecture, get_registry
from zoo.registry.records import Architecture, Preprocessing
from zoo.storage.remote import is_remote, last_name

if TYPE_CHECKING:
    import keras

Names = str | os.PathLike[str] | Sequence[str]
"""Names of classes, or a file with them."""

_NONE = "none"
_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK"


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run that is finished.

    Attributes:
        model: Its model.
        record: What ``run.json`` says.
    """

    model: Path
    record: dict[str, Any]

    @property
    def fit(self) -> Fit:
        """What was done to its images of another shape."""
        return check_fit(self.record.get("fit", FIT_BEFORE))

    @property
    def recipe(self) -> Preprocessing | None:
        """What is done to images before the model gets them; ``None`` if it does that by itself.

        Raises:
            UnknownNameError: The registry has no recipe of the name that the record tells.
        """
        name, known = self.record["preprocessing"], get_registry().preprocessing
        if name != INCLUDED and name not in known:
            there = ", ".join((*known, INCLUDED))
            path = self.model.parent / RECORD
            raise UnknownNameError(f"{path}: no preprocessing is called {name!r}; there is {there}")
        return known.get(name)


@dataclass(frozen=True, kw_only=True)
class WholeModel:
    """A whole model, in a file or in memory, of which the user says the rest.

    Attributes:
        source: The file, or the model.
        classes: Names of its outputs.
        preprocessing: Name of a recipe, or ``none``; ``None``: what the model holds inside.
        fit: What is done to images of another shape.
    """

    source: Path | keras.Model
    classes: tuple[str, ...]
    preprocessing: str | None
    fit: Fit

    def __str__(self) -> str:
        """Return what it is called in messages."""
        return _called(self.source)


Source = Union[str, os.PathLike[str], "keras.Model"]
"""What is asked: the name of a network, a run, a model in a file, or a model."""


def _called(source: Path | keras.Model) -> str:
    if isinstance(source, Path):
        return address_of(source) or str(source)
    return f"the model {source.name!r}"


@contextmanager
def source_at_hand(source: Source, classes: Names | None) -> Iterator[Source]:
    """Give who is asked: of a run or a whole model by URL the files, for as long as they are needed.

    Args:
        source: As for :func:`predictor`, or the URL of a run's folder, its ``model.keras`` or a whole model.
        classes: As there; where they are said, no record is looked for beside a model.

    Raises:
        ArgumentError: Nothing that is installed can reach it.
        FileFormatError: There is no such file.
        CacheError: It cannot be read.
    """
    if not isinstance(source, str) or not is_remote(source):
        yield source
    elif is_folder(source):
        with some_at_hand(source, (MODEL, RECORD)) as local, as_named(local):
            yield local.path
    else:
        with at_hand(source) as local, as_named(local):
            if last_name(source) == MODEL and classes is None:
                bring_if_there(beside(source, RECORD), local.path.parent / RECORD, unless_refused=True)
            yield local.path


def predictor(
    source: Source,
    *,
    top: int,
    classes: Names | None = None,
    preprocessing: str | None = None,
    fit: str | None = None,
) -> Architecture | Run | WholeModel:
    """Return who is asked.

    Args:
        source: Name of an architecture, the folder of a run, its ``model.keras``, or a whole model, in a file
            or in memory.
        top: How many classes are to be named.
        classes: Names of the outputs of a whole model.
        preprocessing: As for :class:`WholeModel`.
        fit: As for :class:`WholeModel`; ``None``: :data:`~zoo.networks.fitting.DEFAULT_FIT`.

    Raises:
        UnknownNameError: There is no such architecture.
        ArgumentError: Something is not allowed, or not for this source.
        FileFormatError: The folder is not that of a finished run, or the file no model that opens here.
    """
    if not is_whole(top) or top < 1:
        raise ArgumentError(f"top={top!r}: must be an integer from 1")
    found = _found(source, classes, preprocessing, fit)
    if not isinstance(found, WholeModel):
        _check_known(found, {"classes": classes, "preprocessing": preprocessing, "fit": fit})
    if isinstance(found, Architecture) and top > found.classes:
        raise ArgumentError(f"top={top!r}: must be an integer from 1 to {found.classes}")
    return found


def _found(
    source: Source, classes: Names | None, preprocessing: str | None, fit: str | None
) -> Architecture | Run | WholeModel:
    if not isinstance(source, str | os.PathLike):
        return _whole(source, classes, preprocessing, fit)
    path = Path(source)
    if not _is_path(source):
        try:
            return architecture(str(source))
        except UnknownNameError as error:
            raise UnknownNameError(f"{error} There is no file or folder of this name either.") from error
    if not path.is_file():
        return _run_in(path, path / MODEL)
    if classes is None and path.name == MODEL and (path.parent / RECORD).is_file():
        return _run_in(path.parent, path)
    _check_opens(path)
    return _whole(path, classes, preprocessing, fit)


def _is_path(source: str | os.PathLike[str]) -> bool:
    """Tell the folder of a run, or a file, from the name of a network; see :mod:`zoo.naming`."""
    if is_name(source, lambda: get_registry().architectures):
        return False
    return Path(source).exists() or is_written_as_path(source)


def _check_known(found: Architecture | Run, said: dict[str, object]) -> None:
    """Check that nothing is said that is known already."""
    whose = f"the network {found.name}" if isinstance(found, Architecture) else f"the run of {found.model}"
    for name, value in said.items():
        if value is not None:
            raise ArgumentError(
                f"{name}={str(value)!r}: {whose} has its own; this is for a whole model in a file"
            )


def _run_in(folder: Path, model: Path) -> Run:
    """Return a finished run.

    Raises:
        FileFormatError: There is none in the folder, or a later version wrote it.
    """
    path = folder / RECORD
    if not path.is_file() or not model.is_file():
        missing = RECORD if not path.is_file() else MODEL
        message = f"{folder}: is no network's name, nor the folder of a finished run: it has no {missing}"
        raise FileFormatError(message)
    try:
        record = read_run(path)
        for key in ("classes", "input", "preprocessing", "data_format"):
            record[key]
        Depth.from_record(record.get("depth"))
        check_fit(record.get("fit", FIT_BEFORE))
    except (OSError, ValueError, KeyError, TypeError, ArgumentError) as error:
        raise FileFormatError(f"{path}: is not the record of a run ({error!r})") from error
    return Run(model=model, record=record)


def _whole(
    source: Path | keras.Model, classes: Names | None, preprocessing: str | None, fit: str | None
) -> WholeModel:
    if classes is None:
        what = "--classes FILE (classes=), a file with one a line"
        if not isinstance(source, Path):
            what = "classes=, a list of them or a file with one a line,"
        raise ArgumentError(
            f"{_called(source)}: a model alone does not tell its classes; say {what} in the order of its "
            f"outputs{_published_advice(source)}"
        )
    known = get_registry().preprocessing
    if preprocessing not in (None, _NONE, *known):
        raise ArgumentError(f"preprocessing={preprocessing!r}: must be none or one of {', '.join(known)}")
    return WholeModel(
        source=source,
        classes=class_names(classes),
        preprocessing=preprocessing,
        fit=DEFAULT_FIT if fit is None else check_fit(fit),
    )


def _published_advice(source: Path | keras.Model) -> str:
    """Return what to do with a model that was loaded by name and still has the published classes."""
    known = None if isinstance(source, Path) else get_registry().architectures.get(source.name)
    outputs = getattr(source, "outputs", None)
    if known is None or not outputs or outputs[-1].shape[-1] != known.classes:
        return ""
    return f"; with the published weights, give the name alone: zoo.predict({known.name!r}, ...)"


def _check_opens(path: Path) -> None:
    """Check that Keras of today can open a whole model.

    Raises:
        FileFormatError: It cannot; the message says how it can be made to.
    """
    with path.open("rb") as file:
        start = file.read(len(_HDF5))
    if start.startswith(_ZIP):
        return  # of which Keras says what is wrong
    if start != _HDF5:
        raise FileFormatError(
            f"{path}: is no whole model, neither a .keras archive nor an HDF5 file; the network, the run's "
            "folder or the model goes first, the images behind it"
        )
    found = inspect_file(path).description
    if not found.whole_model:
        raise FileFormatError(
            f"{path}: holds weights alone, no model; for a network's own classes: "
            f"zoo predict NAME --weights {path}"
        )
    version = found.keras_version or "1"
    if int(version.split(".")[0] or 1) < _TODAY:
        new = path.with_suffix(".keras")
        told = (
            f"{path}` writes {new}" if address_of(path) is None else f"{path} {new.name}` writes {new.name}"
        )
        raise FileFormatError(
            f"{path}: a whole model that Keras {version} wrote; `zoo upgrade {told}, which can be asked"
        )


_TODAY = 3  # Keras


def class_names(classes: Names) -> tuple[str, ...]:
    """Return names of classes from a file, or as they were given.

    Raises:
        ArgumentError: They are neither, or the file cannot be read or holds something else.
    """
    if not isinstance(classes, str | os.PathLike):
        if not isinstance(classes, Iterable):
            raise ArgumentError(f"classes={classes!r}: must be names, or a file with a name a line")
        return tuple(map(str, classes))
    path = Path(classes)
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a text in UTF-8"
        raise ArgumentError(f"--classes {path}: cannot be read: {why}") from error
    found = _json_names(path, text) if text.lstrip()[:1] in ("[", "{") else text.splitlines()
    names = tuple(name for name in (str(one).strip() for one in found) if name)
    if not names:
        raise ArgumentError(f"--classes {path}: names no class; must have one a line, or be JSON")
    return names


def _json_names(path: Path, text: str) -> list[str]:
    """Return names from a list, or from a mapping of each place to a name, or to identifier and name."""
    try:
        found = json.loads(text)
        if isinstance(found, dict):
            found = [found[str(place)] for place in range(len(found))]
        return [one[-1] if isinstance(one, list) else _text(one) for one in found]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        expected = 'a list of names, or {"0": name, "1": name, ...}, or {"0": [identifier, name], ...}'
        raise ArgumentError(f"--classes {path}: is JSON, but not {expected}") from error


def _text(one: object) -> str:
    if not isinstance(one, str):
        raise TypeError(one)
    return one
