"""A process that has Keras and not this package, and opens what this package saved."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

MODEL, IMAGES, EXPECTED = "model.keras", "images.npy", "expected.npy"

_OPENING = f"""
import pathlib, sys
import keras, numpy
for line in sys.stdin:
    folder = pathlib.Path(line.rstrip())
    try:
        model = keras.saving.load_model(folder / {MODEL!r})
        outputs = numpy.asarray(model(numpy.load(folder / {IMAGES!r})))
        same = numpy.array_equal(outputs, numpy.load(folder / {EXPECTED!r}))
        answer = "opens" if same else "computes something else"
    except Exception as error:
        answer = " ".join(f"{{type(error).__name__}}: {{error}}".split())
    model = outputs = None
    keras.backend.clear_session()
    brought = sorted({{"zoo", "converters"}} & set(sys.modules))
    print(f"imported {{brought}}" if brought else answer, flush=True)
"""


class Alone:
    """The process; it opens one saved model after the other."""

    def __init__(self, asked: IO[str], answers: IO[str]) -> None:
        self._asked, self._answers = asked, answers

    def opens(self, folder: Path) -> str:
        """Return ``opens`` if the model in a folder computes there what is expected, else what it does."""
        print(folder, file=self._asked, flush=True)
        return self._answers.readline().rstrip()


@contextmanager
def alone() -> Iterator[Alone]:
    """Start the process, in a folder that is not the checkout, for as long as the block lasts."""
    command = [sys.executable, "-W", "ignore", "-P", "-c", _OPENING]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=os.sep, text=True, **pipes) as process:
        yield Alone(process.stdin, process.stdout)
        process.stdin.close()
