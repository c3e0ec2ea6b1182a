"""Runs that have come to their end: what they were asked for, and whether that is what is asked for now."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np

from zoo.finetuning.ended import read_facts
from zoo.finetuning.job import Result
from zoo.finetuning.pictures import Pictures, digest_images
from zoo.finetuning.resuming import OtherRunError, is_number_of_epochs
from zoo.finetuning.run_folder import RunFolder, read_probabilities
from zoo.networks.heads import compile_for_finetuning


def image_facts(train: Pictures, valid: Pictures) -> dict[str, Any]:
    """Return what of the images decides what a run does; JSON."""
    return {
        "classes": list(train.classes),
        "pictures to train on": digest_images(train),
        "pictures to validate with": digest_images(valid),
    }


def compare(folder: RunFolder, was: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Check that a finished run was asked for what is asked for now, of all that is known of both.

    Raises:
        OtherRunError: Something differs, but for the number of epochs.
    """
    for name, value in json.loads(json.dumps(now)).items():
        if name in was and was[name] != value and not is_number_of_epochs(name):
            raise OtherRunError(folder.path, name, value, was[name])


def not_compared(was: Mapping[str, Any], now: Iterable[str]) -> str | None:
    """Return in words what a run did not record, if anything."""
    untold = [
        name for name in now if name not in was and not (name != "epochs" and is_number_of_epochs(name))
    ]
    if not untold:
        return None
    return f"run.json does not tell {', '.join(untold)}: not compared"


def read_result(folder: RunFolder) -> Result:
    """Return the result of a finished run from its folder."""
    facts = read_facts(folder)
    model = keras.saving.load_model(folder.model)
    compile_for_finetuning(model)
    predictions = np.asarray(read_probabilities(folder.predictions))
    return Result(**facts, model=model, predictions=predictions, valid=None)
