"""The record of a fine-tuning run, ``run.json``: :mod:`zoo.finetuning` writes it, several read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from converters.version import FIRST_SCHEMA, newer_fault
from zoo.errors import NewerFileError

MODEL, RECORD = "model.keras", "run.json"
"""What a run's folder holds its model and its record in."""

SCHEMA = 1
"""The number of the form of a run's folder; ``run.json`` and the plan of a checkpoint call it ``format``."""

INCLUDED = "included"
"""What a run's record calls the preprocessing of a model that does it by itself."""


def read_run(path: Path) -> dict[str, Any]:
    """Return what a run's record, or the plan in its checkpoint, says.

    Args:
        path: The file.

    Raises:
        OSError: It cannot be read.
        ValueError: It holds no JSON object.
        NewerFileError: A later version wrote it.
    """
    # A file name may hold bytes that are not UTF-8; they come back as they were written.
    run = json.loads(path.read_text("utf-8", errors="surrogateescape"))
    if not isinstance(run, dict):
        raise ValueError("holds no JSON object")
    if fault := newer_fault(run.get("format", FIRST_SCHEMA), SCHEMA):
        raise NewerFileError(f"{path}: {fault}")
    return run
