"""Two things in turn and their ratio pair by pair: commands as whole processes, or calls in one process.

A machine's speed drifts; the ratio of two neighbouring runs drifts less. So they alternate, and the median
of their ratios is what is quoted.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Figures of two things, measured in turn.

    Attributes:
        claim: What was compared with what.
        ours: Ours, each time it was counted.
        theirs: The peer's that followed.
        at_most: The ratio that is claimed, or ``None`` where the figure is only reported.
        unit: Of the figures.
    """

    claim: str
    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    at_most: float | None
    unit: str = "s"

    @property
    def ratio(self) -> float:
        """Median over the pairs of our figure by the peer's."""
        return median(a / b for a, b in zip(self.ours, self.theirs, strict=True))

    def __str__(self) -> str:
        """Return one line: the claim, both medians, the ratio and whether the claim holds."""
        both = f"{median(self.ours):.3f} {self.unit} / {median(self.theirs):.3f} {self.unit}"
        figures = f"{both} = {self.ratio:.2f}"
        if self.at_most is None:
            return f"{self.claim}: {figures}"
        verdict = "holds" if self.ratio <= self.at_most else "FAILS"
        return f"{self.claim}: {figures} (claimed: at most {self.at_most:.3g}: {verdict})"


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one process used.

    Attributes:
        seconds: Wall time, or the time that the process itself told.
        peak_bytes: The most memory that it held at once, or one that it started, or who started it; see
            :func:`peak_of`.
    """

    seconds: float
    peak_bytes: int


@dataclass(frozen=True, kw_only=True)
class Peak:
    """The most memory that a command held, and what is claimed of it.

    Attributes:
        claim: What was measured.
        megabytes: The largest of all counted runs, in 10**6 bytes.
        at_most: What is claimed.
    """

    claim: str
    megabytes: float
    at_most: float

    def __str__(self) -> str:
        """Return one line: the claim, the figure and whether the claim holds."""
        verdict = "holds" if self.megabytes <= self.at_most else "FAILS"
        return f"{self.claim}: {self.megabytes:.0f} MB (claimed: at most {self.at_most:g} MB: {verdict})"


def alternate(
    claim: str,
    ours: Sequence[str],
    theirs: Sequence[str],
    *,
    rounds: int,
    at_most: float | None = None,
    told: bool = False,
) -> Comparison:
    """Run two commands in turn, once uncounted and then ``rounds`` times.

    Args:
        claim: What is compared with what.
        ours: Our command.
        theirs: The peer's.
        rounds: How often each is counted.
        at_most: The ratio that is claimed.
        told: Whether a command itself prints its seconds on its last line; otherwise its whole run counts.

    Raises:
        subprocess.CalledProcessError: One of them failed; a figure for it would mean nothing.
    """
    ways = {"ours": partial(run, ours, told=told), "theirs": partial(run, theirs, told=told)}
    runs = take_turns(ways, rounds=rounds)
    return comparison(claim, runs["ours"], runs["theirs"], at_most)


def alternate_calls(
    claim: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    *,
    rounds: int,
    at_most: float | None = None,
) -> Comparison:
    """Call two functions in turn, twice uncounted (they compile) and then ``rounds`` times."""
    pairs = [(_seconds_of(ours), _seconds_of(theirs)) for _ in range(rounds + 2)][2:]
    mine, peers = zip(*pairs, strict=True)
    return Comparison(claim=claim, ours=mine, theirs=peers, at_most=at_most)


def last_number(command: Sequence[str]) -> float:
    """Run a command and return the number that it prints last.

    Raises:
        subprocess.CalledProcessError: It failed.
    """
    return run(command, told=True).seconds


def take_turns(
    commands: Mapping[str, Callable[[], Run]], *, rounds: int, uncounted: int = 1
) -> dict[str, tuple[Run, ...]]:
    """Run several commands in turn, once uncounted and then ``rounds`` times.

    Args:
        commands: What to run, by name.
        rounds: How often.
        uncounted: How often before; 0 where a run takes so long that what it finds in the page cache is
            nothing beside it.
    """
    turns = [{name: command() for name, command in commands.items()} for _ in range(uncounted + rounds)]
    return {name: tuple(turn[name] for turn in turns[uncounted:]) for name in commands}


def comparison(
    claim: str, ours: Sequence[Run], theirs: Sequence[Run], at_most: float | None = None
) -> Comparison:
    """Return the comparison of runs that took turns."""
    return Comparison(
        claim=claim,
        ours=tuple(one.seconds for one in ours),
        theirs=tuple(one.seconds for one in theirs),
        at_most=at_most,
    )


def run(command: Sequence[str], *, told: bool = False) -> Run:
    """Run a command as a process of its own.

    Args:
        command: The program and its arguments.
        told: Whether the last line of its output is the time in seconds that counts.

    Raises:
        subprocess.CalledProcessError: It failed.
    """
    # An installed package has its byte code beside it; a checkout must not be compiled anew in every run.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=errors, env=environment)
        # This wait tells the memory of this one child; those of subprocess tell its exit code alone.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        printed = output.read().decode()
        if process.returncode:
            sys.stderr.write(errors.read().decode())
            raise subprocess.CalledProcessError(process.returncode, list(command))
    return Run(seconds=float(printed.split()[-1]) if told else seconds, peak_bytes=usage.ru_maxrss * 1024)


_PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
"""


def peak_of(command: Sequence[str]) -> Run:
    """Run a command below a small process, and return the most memory that it held.

    A process begins with the memory of whoever started it, as its peak counts: of one that this process, with
    all its libraries, starts by itself, that would be this process's.

    Raises:
        subprocess.CalledProcessError: It failed.
    """
    start = time.perf_counter()
    printed = subprocess.run([sys.executable, "-c", _PEAK, *command], check=True, capture_output=True)
    return Run(seconds=time.perf_counter() - start, peak_bytes=int(printed.stdout))


def _seconds_of(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
