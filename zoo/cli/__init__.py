"""The command line: a thin edge that parses, calls the library and prints.

Standard output carries results alone (a path, a table, JSON), so that a script can read it; progress, notes
and errors go to standard error. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType

from converters.errors import ArgumentError, DataError, TargetError, UnknownNameError, ZooError
from zoo.cli import output
from zoo.cli.parser import Misused, asks_json, parse

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        argv: The arguments after the program's name; those of the process by default.

    Returns:
        0 done, 1 failed, 2 wrong usage, 130 interrupted.

    Raises:
        SystemExit: The parser has said all there is to say: usage was wrong, help or the version.
    """
    typed = sys.argv[1:] if argv is None else argv
    output.open_what_is_closed()
    if typed[:1] == [HIDDEN]:
        return _complete(typed[1:])
    try:
        return _run(_parsed(typed))
    except output.Unheard:
        return EXIT_DONE  # who read the results has seen enough
    except KeyboardInterrupt as interrupted:  # before the command ran
        output.say(f"zoo: {output.message_of(interrupted)}")
        with suppress(output.Unheard):
            _print_error(interrupted, typed)
        return EXIT_INTERRUPTED


HIDDEN = "__complete"
"""What a shell types in place of a command, to ask what fits: see :mod:`zoo.cli.candidates`."""


def _complete(words: Sequence[str]) -> int:
    """Print what fits; whatever goes wrong, nobody is told of it in the middle of a line that is typed."""
    from zoo.cli import candidates

    with suppress(Exception):
        return candidates.run(words)
    return EXIT_FAILED


def _parsed(typed: Sequence[str]) -> argparse.Namespace:
    try:
        return parse(typed)
    except SystemExit as end:
        _say_of_misuse(end, typed)
        raise


def _say_of_misuse(end: SystemExit, typed: Sequence[str]) -> None:
    """Print what the parser said once more where JSON was asked for, and see that its help arrived."""
    try:
        with suppress(output.Unheard):
            if isinstance(end, Misused):
                _print_error(ArgumentError(end.message), typed)
            output.flush()
    except OSError as error:
        output.say(f"zoo: {output.message_of(error)}")
        end.code = end.code or EXIT_FAILED


def _print_error(error: BaseException, typed: Sequence[str]) -> None:
    if asks_json(typed):
        output.print_json({"error": output.error_object(error)})


def _run(arguments: argparse.Namespace) -> int:
    """Run a command, tell how it failed if it did, and print its document where one was asked for."""
    start = time.monotonic()
    with output.telling(_verbosity(arguments)) as told:
        try:
            with told.until_the_end:
                code: int = _module(arguments).run(arguments)
        except (Exception, KeyboardInterrupt, SystemExit) as raised:
            error = _in_its_words(raised, arguments)
            code = _told(error, arguments)
            if arguments.json:
                output.print_json({"error": output.error_object(error)})
        code = _printed(told, code)
        output.detail(f"zoo: {arguments.command} took {time.monotonic() - start:.2f} s")
    return code


def _in_its_words(error: BaseException, arguments: argparse.Namespace) -> BaseException:
    if not isinstance(error, ArgumentError):
        return error
    from zoo.cli.wording import as_typed  # only mistakes pay for this import

    return as_typed(error, arguments.command)


def _verbosity(arguments: argparse.Namespace) -> output.Verbosity:
    if arguments.quiet:
        return output.Verbosity.QUIET
    return output.Verbosity.VERBOSE if arguments.verbose else output.Verbosity.USUAL


def _module(arguments: argparse.Namespace) -> ModuleType:
    return import_module(f"zoo.cli.{arguments.module}")


def _printed(told: output.Telling, code: int) -> int:
    """Print what is left to print; a disk that is full is a failure like another."""
    try:
        with suppress(output.Unheard):
            output.print_documents(told)
            output.flush()
    except OSError as error:
        output.say(f"zoo: {output.message_of(error)}")
        return EXIT_FAILED
    return code


def _told(error: BaseException, arguments: argparse.Namespace) -> int:
    """Say on standard error why a command failed, and return its exit code."""
    foreseen = isinstance(error, (ZooError, OSError, KeyboardInterrupt))
    output.say(f"zoo: {output.message_of(error)}" if foreseen else _unexpected(error))
    if isinstance(error, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    if is_misuse(error):
        return EXIT_USAGE
    failed: int = getattr(sys.modules.get(f"zoo.cli.{arguments.module}"), "EXIT_ON_ERROR", EXIT_FAILED)
    return failed


def is_misuse(error: BaseException) -> bool:
    """Tell whether an error is one of what was typed, and not of what was found."""
    found = isinstance(error, (DataError, TargetError))
    return isinstance(error, (ArgumentError, UnknownNameError)) and not found


def _unexpected(error: BaseException) -> str:
    """Return what is said of an error that nobody foresaw: it is a fault of this program, or of a library."""
    if output.verbose():
        return "".join(traceback.format_exception(error)).rstrip()
    *_, last = traceback.extract_tb(error.__traceback__)
    place = f"{Path(last.filename).name}, line {last.lineno}"
    what = "".join(traceback.format_exception_only(error)).strip()
    return f"zoo: unexpected: {what} ({place}); the same command with --verbose shows where it came from"
