"""What becomes of a model of tf-keras that is saved: with Keras' own loader, and with ``zoo upgrade``."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import keras
import numpy as np

from converters import upgrade_file
from converters.errors import ConversionError
from tests.tf_keras.models import Chain, filled, given

FORMS = ("h5", "keras")


@dataclass(frozen=True)
class Outcome:
    """What came of opening a file: ``right``, ``refused`` with the reason, or ``wrong``."""

    word: str
    why: str = ""

    def __str__(self):
        """Return the word, and the reason behind it."""
        return f"{self.word}: {self.why}" if self.why else self.word


def made(model, number=0):
    """Yield a model of a list: as a Sequential, which is not compiled, and as a Functional, which is.

    Those behind the second in a list are made in one way alone, in turn.
    """
    if isinstance(model, Chain) and (number < 2 or number % 2):
        yield filled(model.sequential())
        if number > 1:
            return
    built = filled(model.functional() if hasattr(model, "functional") else model())
    if all(output.dtype.is_floating for output in built.outputs):
        built.compile("adam", "mse")
    yield built


def as_list(results):
    """Return a model's results as a list of arrays."""
    return [np.asarray(result) for result in (results if isinstance(results, list | tuple) else [results])]


def compared(path, model):
    """Return whether what Keras opens gives what tf-keras gives, within 1e-5 of the largest output."""
    inputs = given(model)
    wanted = as_list(model(inputs, training=False))
    results = as_list(keras.models.load_model(path, compile=False)(inputs, training=False))
    same = len(wanted) == len(results) and all(map(alike, results, wanted))
    return Outcome("right" if same else "wrong")


def alike(result, wanted):
    """Return whether two arrays are."""
    if result.shape != wanted.shape:
        return False
    if wanted.dtype.kind not in "fiub":
        return bool((result == wanted).all())
    result, wanted = result.astype("float64"), wanted.astype("float64")
    return bool(np.abs(result - wanted).max() <= 1e-5 * max(np.abs(wanted).max(), 1e-3))


def saved(model, form, folder):
    """Return the file that tf-keras saves, or None if it saves none."""
    path = folder / f"old.{form}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model.save(path)
        except (NotImplementedError, TypeError):  # learnt words in .h5, an ellipsis in .keras
            return None
    return path


def of_keras(path, model):
    """Return what comes of opening a file with Keras' own loader."""
    try:
        return compared(path, model)
    except Exception as error:  # whatever it raises
        return Outcome("refused", type(error).__name__)


def of_upgrade(path, model):
    """Return what comes of upgrading a file; what is upgraded has to open."""
    target = path.with_name("new.keras")
    try:
        upgrade_file(path, target, force=True)
    except ConversionError as error:
        return Outcome("refused", str(error).split("cannot be upgraded: ")[-1])
    return compared(target, model)
