"""Mutated files: each is converted right or refused, in bounded time, and nothing crashes or is left behind.

``ZOO_MUTATIONS`` says how many (``make torture-files``: 10,000), ``ZOO_MUTATION`` which one to look at.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
from collections import Counter

import pytest

from tests.support import mutator
from tests.support.paths import ROOT

COUNT = int(os.environ.get("ZOO_MUTATIONS", "100"))
FIRST = int(os.environ.get("ZOO_MUTATION", "0"))
SECONDS = 5


class Worker:
    """A process that meets one file after another; a new one takes over where one died or was ended."""

    def __init__(self, *arguments):
        self._arguments = arguments
        self._process = None

    def ask(self, number):
        """Return the answer for a case, or what happened to the process instead."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.mutator", *self._arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=ROOT,
                env={**os.environ, "ZOO_LIMITS": f"seconds={SECONDS - 1}"},
            )
            assert self._process.stdout.readline() == b'"ready"\n'
        process = self._process
        process.stdin.write(f"{number}\n".encode())
        process.stdin.flush()
        if not select.select([process.stdout], [], [], SECONDS)[0]:
            return self._ended(f"took longer than {SECONDS} s")
        line = process.stdout.readline()
        return json.loads(line) if line else self._ended(f"the process ended with {process.wait()}")

    def _ended(self, how):
        self.close()
        return {"refusal": None, "fault": how}

    def close(self):
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.stdin.close()
            process.stdout.close()
            process.wait()


@pytest.fixture
def workers(tmp_path):
    """The process that converts, and the one that compares."""
    found = Worker(str(tmp_path)), Worker(str(tmp_path), "check")
    yield found
    for worker in found:
        worker.close()


def test_mutated_files_are_converted_right_or_refused(workers, tmp_path):
    """No crash, no hang, no traceback, nothing left behind, no source touched, no wrong value."""
    converter, checker = workers
    faults, counts = {}, Counter()
    for number in range(FIRST, FIRST + COUNT):
        answer = converter.ask(number)
        if answer["fault"]:
            faults[number] = answer["fault"]
        elif answer["refusal"]:
            counts["refused"] += 1
        else:
            verdict = checker.ask(number)
            counts[kind_of(verdict)] += 1
            if str(verdict["fault"]).startswith("differs"):
                faults[number] = verdict["fault"]
        shutil.rmtree(tmp_path / str(number), ignore_errors=True)
    assert faults == {}
    # Without both kinds the mutator would be too gentle, or too rough, to show anything.
    assert counts["right"] > COUNT / 10
    assert counts["refused"] > COUNT / 10
    # The library checks some numbers that nobody needs; what it refuses alone is read by other means alone.
    assert counts["refused by the library alone"] < COUNT / 20


@pytest.fixture
def teller(tmp_path):
    """The process that meets files which tell odd things of themselves."""
    worker = Worker(str(tmp_path), "told")
    yield worker
    worker.close()


def test_whatever_a_file_says_of_itself_is_understood_or_refused(teller, tmp_path):
    """Configurations and records of any JSON: no traceback, no hang, and a rule for each refusal."""
    faults, counts = {}, Counter()
    for number in range(FIRST, FIRST + COUNT):
        answer = teller.ask(number)
        if answer["fault"]:
            faults[number] = answer["fault"]
        counts["refused" if answer["refusal"] else "understood"] += 1
        shutil.rmtree(tmp_path / str(number), ignore_errors=True)
    assert faults == {}
    assert min(counts["refused"], counts["understood"]) > COUNT / 10


def kind_of(verdict):
    """Return what the HDF5 library makes of a mutated file that was converted."""
    if verdict["refusal"]:
        return "refused by the library alone"
    return "crashed the library" if verdict["fault"] else "right"


def test_the_same_number_gives_the_same_file():
    """A fault can be looked at again."""
    assert [mutator.mutant(number) for number in range(30)] == [
        mutator.mutant(number) for number in range(30)
    ]


def test_a_process_that_dies_is_a_fault(tmp_path):
    """The watch sees a crash: the folder is there already, so that the process ends."""
    worker = Worker(str(tmp_path))
    (tmp_path / "7").mkdir()
    assert worker.ask(7) == {"refusal": None, "fault": "the process ended with 1"}
    worker.close()
