"""Environment variables that hold paths: a leading ``~`` is the home directory, as in a shell.

A shell expands it in ``ZOO_HOME=~/x`` as it is typed, but not between quotes, nor in files that services,
editors and containers read their environment from.
"""

from __future__ import annotations

import os
from pathlib import Path

from zoo.errors import ArgumentError

HOME = "ZOO_HOME"
"""The environment variable that names the cache's folder."""

SHARED = "ZOO_SHARED"
"""The environment variable that names a cache's folder to look into first."""

CACHES = "XDG_CACHE_HOME"
"""The environment variable with the user's folder for caches of all programs."""


def expanded(text: str, label: str) -> Path:
    """Return a path with ``~`` and ``~user`` at its beginning replaced.

    Args:
        text: The path.
        label: Where it stands; what a message begins with.

    Raises:
        ArgumentError: There is no such user, or nobody knows that user's home directory.
    """
    # pathlib makes ~x of ./~x, which is how to name a folder that is called so.
    path = os.path.expanduser(text)  # noqa: PTH111
    if path.startswith("~"):
        raise ArgumentError(f"{label}: {text!r}: the home directory is not known; write it out")
    return Path(path)


def path_variable(name: str) -> Path | None:
    """Return the path that a variable holds, if it is set and not empty.

    Raises:
        ArgumentError: As :func:`expanded`.
    """
    text = os.environ.get(name)
    return expanded(text, name) if text else None


def default_home() -> Path:
    """Return the cache's folder: ``ZOO_HOME``, or ``keras-weight-zoo`` in the user's folder for caches.

    Raises:
        ArgumentError: As :func:`expanded`.
    """
    chosen = path_variable(HOME)
    if chosen is not None:
        return chosen
    return (path_variable(CACHES) or expanded("~/.cache", HOME)) / "keras-weight-zoo"
