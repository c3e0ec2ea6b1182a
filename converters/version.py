"""The version, which rules a converted file was made by, and how what cannot be done is refused.

That is what a later version wrote, and systems that this one does not run on.
"""

from __future__ import annotations

VERSION = "0.1.0"
"""Of the whole distribution; what it is built from, ``zoo.__version__`` and records take it from here."""

RULES_NUMBER = 1
"""Raised whenever a rule gives other arrays than before; a file that was made by other rules is made anew.

Records of 0.1.0 name no number. ``make digests`` writes down what the rules of this number give.
"""

WINDOWS = "zoo does not run on Windows: use WSL, the Windows Subsystem for Linux, or Linux or macOS"
"""Files of strangers are read by a process that can open no files, by limits that Windows does not have.
Nobody has tried the rest there.
"""

_COMMANDS = ("zoo", "zoo.exe", "-m")
"""What a program is called while ``zoo``, or ``python -m zoo``, starts to be imported."""

FIRST_SCHEMA = 1
"""What a form has that says no number: 0.1.0 wrote most of them without."""

UPGRADE = "install a later version of keras-weight-zoo"


def check_system(system: str, program: str) -> None:
    """Refuse to be imported where this cannot work.

    Args:
        system: ``sys.platform``.
        program: ``sys.argv[0]``.

    Raises:
        ImportError: On Windows.
        SystemExit: There too, with the same line on standard error, where it is the command that starts.
    """
    if system != "win32":
        return
    if program.replace("\\", "/").rpartition("/")[2].lower() in _COMMANDS:
        raise SystemExit(WINDOWS)
    raise ImportError(WINDOWS)


def newer_fault(found: object, known: int) -> str | None:
    """Return why something cannot be used that a later version wrote; None if no later version did.

    Args:
        found: The number of its form, as far as it is one.
        known: The highest number that is known here.

    Returns:
        The end of a message that names the file.
    """
    if not isinstance(found, int) or found <= known:
        return None
    numbers = f"its schema is {str(found)[:20]}, this version knows {known}"
    return f"was written by a later version: {numbers}; {UPGRADE}"
