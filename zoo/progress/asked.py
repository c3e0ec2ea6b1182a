"""What a user says of progress, ``progress=`` and ``ZOO_QUIET``, and what that comes to."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import Any

from zoo.errors import ArgumentError
from zoo.numbers import is_flag
from zoo.progress.protocol import Progress, Silence, Telling, Told, is_shown, shown

QUIET = "ZOO_QUIET"

Asked = Progress | Told | bool | None
"""What a public function takes: see :func:`chosen`."""

ALLOWED = (
    "None (shown where somebody looks), True, False, a function of (done, total, what), or an object with"
    " start, advance and done"
)


def is_quiet() -> bool:
    """Say whether ``ZOO_QUIET`` forbids to draw: set, and neither empty nor ``0``."""
    return os.environ.get(QUIET, "") not in ("", "0")


def chosen(asked: Asked = None) -> Progress:
    """Return what progress is told to.

    Args:
        asked: ``None`` draws bars where somebody looks, on a terminal or in a notebook, and nothing
            elsewhere; within another call it is what that one does. ``True`` draws in any case: where nobody
            looks, a line when a step is over. ``False`` draws nothing, and so does ``ZOO_QUIET=1``. A
            function is called with what is done, the total (``None`` if it is not known) and what is being
            done. Anything that is a :class:`~zoo.progress.protocol.Progress` is taken as it is.

    Raises:
        ArgumentError: It is none of these.
    """
    if asked is None and is_shown():
        return shown()
    if asked is None or is_flag(asked):
        return _drawn(always=bool(asked)) if asked is None or asked else Silence()
    if isinstance(asked, Progress) and not isinstance(asked, type):
        return asked
    if callable(asked):
        return Telling(asked)
    raise ArgumentError(f"progress={asked!r}: must be {ALLOWED}")


def _drawn(*, always: bool) -> Progress:
    if is_quiet() or not (always or is_watched()):
        return Silence()
    from zoo.progress import bars

    return bars.Bar() if is_watched() else bars.Lines()


def is_watched() -> bool:
    """Tell whether somebody looks at standard error: on a terminal, or in a notebook that can draw bars."""
    return is_terminal() or (is_notebook() and find_spec("ipywidgets") is not None)


def is_terminal() -> bool:
    """Tell whether standard error is a terminal; a program without a console has none at all."""
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError):  # there is none, it is closed, or it is something else
        return False


def is_notebook() -> bool:
    """Tell whether this is a notebook, as rich tells it: nothing else knows as many kinds."""
    ipython: Any = sys.modules.get("IPython")
    if ipython is None:
        return False
    from rich.console import Console

    return Console().is_jupyter
