"""Keras without the lines that TensorFlow and its like write about themselves."""

from __future__ import annotations

import os
import sys
import time
from importlib import import_module

from zoo.cli import output
from zoo.cli.silence import held, held_whole

LEVEL = "TF_CPP_MIN_LOG_LEVEL"


def import_keras() -> None:
    """Import Keras and its backend, quietly unless the user has set how much TensorFlow shall say.

    What is written to the standard streams during the import is put aside, and what is written to the
    standard error by libraries as long as the command runs. It is shown if the import fails, and if the
    command ends in a way that nobody foresaw.
    """
    if "keras" in sys.modules or LEVEL in os.environ:
        import_module("keras")
        return
    os.environ[LEVEL] = "3"
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
