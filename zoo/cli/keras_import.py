"""Keras without the lines that TensorFlow and its like write about themselves."""

from __future__ import annotations

import os
import sys
import time
from importlib import import_module

from zoo.cli import output
from zoo.cli.silence import held, held_whole

LEVEL, QUIETEST = "TF_CPP_MIN_LOG_LEVEL", "3"
"""The variable for how much TensorFlow shall say, and its value for the least, at which some still comes."""


def import_keras() -> None:
    """Import Keras and its backend, quietly unless the user has set that TensorFlow shall say more.

    What is written to the standard streams during the import is put aside, and what is written to the
    standard error by libraries as long as the command runs. It is shown if the import fails, and if the
    command ends in a way that nobody foresaw.
    """
    if "keras" in sys.modules or os.environ.get(LEVEL, QUIETEST) != QUIETEST:
        import_module("keras")
        return
    os.environ[LEVEL] = QUIETEST
    start = time.monotonic()
    with output.until_the_end(held()) as show:
        try:
            with held_whole():
                keras = import_module("keras")
        except Exception:
            show()
            raise
    if output.verbose():
        which, took = f"{keras.__version__} on {keras.backend.backend()}", time.monotonic() - start
        output.detail(f"zoo: Keras {which} imported in {took:.1f} s")


def quiet_workers() -> None:
    """Hold what frameworks write in processes that the command starts, on the same terms, until it ends."""
    if os.environ.setdefault(LEVEL, QUIETEST) == QUIETEST:
        with output.until_the_end(held()):
            pass  # it is left when the command ends
