"""Keras without the lines that TensorFlow writes about itself while it is imported."""

from __future__ import annotations

import os
import sys
import tempfile
from importlib import import_module

LEVEL = "TF_CPP_MIN_LOG_LEVEL"


def import_keras() -> None:
    """Import Keras and its backend, quietly unless the user has set how much TensorFlow shall say.

    Some lines of TensorFlow's libraries come before its log level counts, so what is written to the standard
    error during the import is put aside. It is shown if the import fails.
    """
    if "keras" in sys.modules or LEVEL in os.environ:
        import_module("keras")
        return
    os.environ[LEVEL] = "3"
    sys.stderr.flush()
    shown = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            import_module("keras")
        except BaseException:
            aside.seek(0)
            os.write(shown, aside.read())
            raise
        finally:
            os.dup2(shown, 2)
            os.close(shown)
