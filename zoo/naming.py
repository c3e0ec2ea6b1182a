"""A name or a path: one rule for every place that takes either.

- What is written as a path is one: a path object, a text with a separator in it (``./resnet50``), or one that
  ends as weights files do (``resnet50.h5``).
- Any other word that is a known name is that name, whatever lies in the working directory; if something of
  that name lies there the user is told, with the way to say it.
- A word that is no known name may still be a path; each place says what it makes of that.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from pathlib import Path

ENDINGS = (".h5", ".hdf5", ".hdf", ".keras")

Given = str | os.PathLike[str]


def is_written_as_path(given: Given) -> bool:
    """Tell whether something can only be a path, by how it is written."""
    if isinstance(given, os.PathLike):
        return True
    separators = [separator for separator in (os.sep, os.altsep) if separator]
    return given.lower().endswith(ENDINGS) or any(separator in given for separator in separators)


def is_name(given: Given, known: Callable[[], Collection[str]]) -> bool:
    """Tell whether something is a known name and not a path.

    Args:
        given: What the user gave.
        known: Returns the names; only called where they decide.
    """
    return not is_written_as_path(given) and given in known()


def hidden_note(given: Given, what: str, counts: Callable[[Path], bool] = Path.exists) -> str | None:
    """Return what to tell a user whose name is that of something in the working directory too.

    Args:
        given: A name, as :func:`is_name` tells.
        what: What it was taken for, for example ``network``.
        counts: Whether what lies at a path could have been meant.

    Returns:
        One line; ``None`` if nothing that could have been meant lies there.
    """
    path = Path(given)
    if not counts(path):
        return None
    other = "folder" if path.is_dir() else "file"
    return f"{given}: taken for the {what}; for the {other} of that name here, write .{os.sep}{given}"
