"""Errors in the words of the command line, where the library says them in those of Python."""

from __future__ import annotations

import re

from converters.errors import ArgumentError
from zoo.cli.parser import flags

_ARGUMENT = re.compile(
    r"(?P<name>[a-z][a-z0-9_]*)=(?P<value>.*?): (?=must |there is |the network |the run of |\S+ takes )",
    re.DOTALL,
)
"""How the library begins what it says of an argument: ``epochs=0: must be ...``."""


def as_typed(error: BaseException, command: str) -> BaseException:
    """Return an error that names options as they are typed: ``--epochs 0: must be ...``.

    Args:
        error: Whatever ended the command.
        command: The command.
    """
    found = _ARGUMENT.match(str(error)) if type(error) is ArgumentError else None
    flag = flags(command).get(found["name"]) if found else None
    if found is None or flag is None or found["value"] == "None":
        return error
    typed = flag if found["value"] == "True" else f"{flag} {_plain(found['value'])}"  # a switch has no value
    told = ArgumentError(f"{typed}: {str(error)[found.end() :]}")
    return told.with_traceback(error.__traceback__)


def _plain(value: str) -> str:
    """Return a value without the quotation marks that Python puts around text."""
    return value[1:-1] if re.fullmatch(r"'[^']*'", value) and value != "''" else value
