"""The command line as a test runs it."""

from __future__ import annotations

import pytest

from zoo.cli import main


class Command:
    """Runs ``zoo`` in this process.

    Args:
        capsys: What catches its output.
    """

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *argv: object) -> tuple[int, str, str]:
        """Return exit code, standard output and standard error."""
        code = main([str(one) for one in argv])
        printed = self._capsys.readouterr()
        return code, printed.out, printed.err
