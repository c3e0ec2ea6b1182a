"""The command line: a thin edge that parses, calls the library and prints.

Standard output carries results alone (a path, a table, JSON), so that a script can read it; progress, notes
and errors go to standard error. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from converters.errors import ArgumentError, UnknownNameError, ZooError
from converters.limits import printable
from zoo.cli import output
from zoo.cli.parser import parse

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        argv: The arguments after the program's name; those of the process by default.

    Returns:
        0 done, 1 failed, 2 wrong usage (also raised as SystemExit by the parser), 130 interrupted.
    """
    arguments = parse(sys.argv[1:] if argv is None else argv)
    command = import_module(f"zoo.cli.{arguments.module}")
    failed = getattr(command, "EXIT_ON_ERROR", EXIT_FAILED)
    try:
        with output.warnings_as_notes():
            code: int = command.run(arguments)
        sys.stdout.flush()
    except (ArgumentError, UnknownNameError) as error:
        return _fail(error, EXIT_USAGE)
    except ZooError as error:
        return _fail(error, failed)
    except BrokenPipeError:
        return _unheard()
    except OSError as error:
        return _fail(f"{error.filename or arguments.module}: {error.strerror or error}", failed)
    except KeyboardInterrupt:
        print("zoo: interrupted", file=sys.stderr)  # noqa: T201
        return EXIT_INTERRUPTED
    return code


def _unheard() -> int:
    # The reader has gone (`zoo list | head`): nothing is wrong, but Python would complain again at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_DONE


def _fail(error: ZooError | str, code: int) -> int:
    # Names that came out of a file may be in it, and whatever else that steers a terminal.
    print(f"zoo: {printable(str(error))}", file=sys.stderr)  # noqa: T201
    return code
