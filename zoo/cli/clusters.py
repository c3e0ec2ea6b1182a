"""What ``--cluster`` and ``--jobs`` ask for: what does the work over many files."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from zoo.errors import ArgumentError


@contextmanager
def shared_out(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Give what the functions for whole folders take, while what was asked for is there.

    On this machine, ``local:N`` is ``--jobs N``: each file gets a process of its own.

    Raises:
        ArgumentError: Both are said, or there is no such cluster.
    """
    if arguments.cluster is None:
        yield {"jobs": arguments.jobs}
        return
    if arguments.jobs is not None:
        raise ArgumentError("--jobs and --cluster both say how files are shared out: leave one out")
    from zoo.work.engines import engine, parted, processes_in

    scheme, rest = parted(arguments.cluster)
    if scheme == "local":
        yield {"jobs": processes_in(rest)}
        return
    with engine(arguments.cluster) as executor:
        yield {"executor": executor}


def refuse_for_one(arguments: argparse.Namespace, source: str, what: str) -> None:
    """Refuse what only folders can have.

    Raises:
        ArgumentError: It was said of something else.
    """
    for name in ("jobs", "cluster"):
        if getattr(arguments, name) is not None:
            raise ArgumentError(f"--{name} is for folders, and {source} is {what}")
