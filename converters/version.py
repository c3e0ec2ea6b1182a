"""The version, which rules a converted file was made by, and how what a later version wrote is refused."""

from __future__ import annotations

VERSION = "0.1.0"
"""Of the whole distribution; what it is built from, ``zoo.__version__`` and records take it from here."""

RULES_NUMBER = 1
"""Raised whenever a rule gives other arrays than before; a file that was made by other rules is made anew.

Records of 0.1.0 name no number. ``make digests`` writes down what the rules of this number give.
"""

FIRST_SCHEMA = 1
"""What a form has that says no number: 0.1.0 wrote most of them without."""

UPGRADE = "install a later version of keras-weight-zoo"


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
