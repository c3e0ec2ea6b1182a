"""What the commands for practice say of what stopped them, as `zoo` says it."""

from __future__ import annotations

from zoo.errors import ZooError

STOPS = (ZooError, OSError)
"""What ends a command with one line and exit code 1."""


def said_of(error: BaseException) -> str:
    """Return an error in one line: of the system's, the file and the reason."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)
