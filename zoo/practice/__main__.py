"""``python -m zoo.practice``: build a practice zoo and serve it until Ctrl-C."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event

from zoo.practice.overlay import build, serve
from zoo.practice.telling import STOPS, said_of


def main(argv: Sequence[str] | None = None, wait: Callable[[], object] | None = None) -> int:
    """Build a practice zoo, print how to use it, and serve it.

    Args:
        argv: The arguments after the program's name; those of the process by default.
        wait: Returns, or is interrupted, when serving shall end; Ctrl-C alone ends it by default.

    Returns:
        0 when ended by Ctrl-C, 1 when nothing could be built or served.
    """
    arguments = _parser().parse_args(argv)
    folder = arguments.folder.resolve()
    try:
        build(folder, arguments.names or None, arguments.form or ("th",), ids=arguments.id)
        with serve(folder) as zoo:
            sys.stdout.write(f"export ZOO_REGISTRY={shlex.quote(str(zoo.registry))}\n")
            sys.stdout.write(f"export ZOO_HOME={shlex.quote(str(folder / 'home'))}\n")
            sys.stdout.flush()
            sys.stderr.write("practice values, not ImageNet's; serving until Ctrl-C\n")
            (wait or Event().wait)()
    except STOPS as error:
        sys.stderr.write(f"zoo.practice: {said_of(error)}\n")
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m zoo.practice",
        description="Write files laid out as the published ones, with practice values, and serve them.",
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="networks (default: all; 2.2 GB of th, 9 of tf)"
    )
    parser.add_argument("--folder", type=Path, required=True, metavar="DIR", help="where to write the files")
    parser.add_argument(
        "--form",
        action="append",
        choices=("th", "tf"),
        help="layout of the published file that is written of each network (default: th); may be repeated",
    )
    parser.add_argument(
        "--id", action="append", metavar="ID", help="a weights file to write instead; may be repeated"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
