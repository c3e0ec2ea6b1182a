"""What frameworks write about themselves, kept from the user as long as all goes well.

TensorFlow, oneDNN, CUDA and their like write to the file descriptors themselves, some of it before any log
level counts, so it is held there: it goes into a pipe, at whose other end a small process waits. That process
forgets it when the command has come to a foreseen end, and prints all of it otherwise; also when the
command's process is killed or aborts, after which nothing in it could print anything.
"""

from __future__ import annotations

import io
import logging
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TextIO

from converters.errors import ZooError
from zoo.cli import output

_WATCH = """
import os, sys
forget, show = (word.encode() for word in sys.argv[1:])
held = b""
while chunk := os.read(0, 1 << 16):
    held = (held + chunk)[-(1 << 20):]
    if forget in held:
        sys.exit()
    if show in held:
        held = held.replace(show, b"")
        break
while held:
    held = held[os.write(2, held):]
"""
"""The process at the other end. If the pipe ends without a word, whoever wrote into it has died."""

_FORESEEN = (ZooError, OSError, KeyboardInterrupt, output.Unheard)
"""Ends of a command that its message explains; what a framework said has nothing to do with them."""

_LOGGERS = ("absl", "jax", "tensorflow", "torch")


@contextmanager
def held() -> Iterator[Callable[[], None]]:
    """Hold what is written to file descriptor 2, and let what Python prints on standard error through.

    It is shown if an error comes out of the block that no message of this program explains.

    Yields:
        A function that has it shown whatever comes.
    """
    words = [secrets.token_hex() for _ in ("forget", "show")]
    with ExitStack() as undo:
        try:
            watcher = _into_a_pipe(words, undo)
        except OSError:  # no standard error, or no room for a process: then all is seen
            yield lambda: None
            return
        wanted: list[bool] = []
        undo.enter_context(_loggers_at(logging.ERROR))
        try:
            yield lambda: wanted.append(True)
        except BaseException as error:
            wanted += [True] * (not isinstance(error, _FORESEEN))
            raise
        finally:
            with suppress(BrokenPipeError):  # somebody has ended the watcher, and what it held is lost
                os.write(2, words[bool(wanted)].encode())
            watcher.wait()


def _into_a_pipe(words: list[str], undo: ExitStack) -> subprocess.Popen[bytes]:
    """Let file descriptor 2 lead to a watcher, and standard error past it, until that is undone."""
    sys.stderr.flush()
    user = os.dup(2)
    undo.callback(os.close, user)
    reader, writer = os.pipe()
    try:
        # In a session of its own: Ctrl-C is for the command, which has a word to say to it then.
        watcher = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _WATCH, *words],
            stdin=reader,
            stdout=subprocess.DEVNULL,
            stderr=user,
            start_new_session=True,
        )
        os.dup2(writer, 2)
    finally:
        os.close(reader)
        os.close(writer)
    undo.callback(os.dup2, user, 2)
    _python_past(user, undo)
    return watcher


def _python_past(user: int, undo: ExitStack) -> None:
    """Let Python's standard error, and what was led there, write where file descriptor 2 led before."""
    before = sys.stderr
    if not _is_on(before, 2):
        return
    stream = open(  # noqa: SIM115 - closed when undone
        user, "w", encoding=before.encoding, errors=before.errors, buffering=1, closefd=False
    )
    undo.callback(stream.close)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is before:
            undo.callback(setattr, sys, name, before)
            setattr(sys, name, stream)


def _is_on(stream: TextIO, descriptor: int) -> bool:
    try:
        return stream.fileno() == descriptor
    except (OSError, ValueError, AttributeError):
        return False


@contextmanager
def _loggers_at(level: int) -> Iterator[None]:
    before = {name: logging.getLogger(name).level for name in _LOGGERS}
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(level)
    try:
        yield
    finally:
        for name, own in before.items():
            logging.getLogger(name).setLevel(own)


@contextmanager
def results_alone() -> Iterator[None]:
    """Let what libraries write to file descriptor 1 go where 2 leads, so that results stand alone there.

    Nothing may be printed to standard output meanwhile.
    """
    output.flush()
    shown = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(shown, 1)
        os.close(shown)


@contextmanager
def held_whole() -> Iterator[None]:
    """Hold, within :func:`held`, also standard output and what this thread prints in Python.

    For the import of a framework. Notes of this program and bars that other threads draw are seen.
    """
    sys.stdout.flush()
    shown = os.dup(1)
    os.dup2(2, 1)
    with open(os.dup(2), "w", encoding="utf-8", buffering=1) as aside:  # noqa: PTH123
        before = sys.stdout, sys.stderr
        try:
            with output.seen_on(sys.stderr):
                sys.stdout = sys.stderr = _OfThisThread(aside, sys.stderr)
                yield
        finally:
            sys.stdout, sys.stderr = before
            os.dup2(shown, 1)
            os.close(shown)


class _OfThisThread(io.TextIOBase):
    """Writes what the thread that makes it prints to one stream, and what others print to another.

    Args:
        own: Where this thread's goes.
        others: Where that of others goes.
    """

    def __init__(self, own: TextIO, others: TextIO) -> None:
        self._own, self._others, self._owner = own, others, threading.get_ident()

    def write(self, text: str) -> int:
        """Write a text."""
        mine = threading.get_ident() == self._owner
        return (self._own if mine else self._others).write(text)

    def flush(self) -> None:
        """See that all has been written."""
        self._own.flush()
        self._others.flush()

    def isatty(self) -> bool:
        """Tell whether others write on a terminal."""
        return self._others.isatty()

    def fileno(self) -> int:
        """Return where others write."""
        return self._others.fileno()
