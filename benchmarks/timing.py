"""Two commands in turn, as whole processes, and their ratio pair by pair.

A machine's speed drifts; the ratio of two neighbouring runs drifts less. So the two alternate, and the median
of their ratios is what is quoted.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Seconds of two commands, run in turn.

    Attributes:
        claim: What was compared with what.
        ours: Seconds of each counted run.
        theirs: Seconds of the peer's run that followed.
        at_most: The ratio that is claimed, or ``None`` where the figure is only reported.
    """

    claim: str
    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    at_most: float | None

    @property
    def ratio(self) -> float:
        """Median over the pairs of our seconds by the peer's."""
        return median(a / b for a, b in zip(self.ours, self.theirs, strict=True))

    def __str__(self) -> str:
        """Return one line: the claim, both medians, the ratio and whether the claim holds."""
        seconds = f"{median(self.ours):.3f} s / {median(self.theirs):.3f} s = {self.ratio:.2f}"
        if self.at_most is None:
            return f"{self.claim}: {seconds}"
        verdict = "holds" if self.ratio <= self.at_most else "FAILS"
        return f"{self.claim}: {seconds} (claimed: at most {self.at_most:g}: {verdict})"


def alternate(
    claim: str, ours: Sequence[str], theirs: Sequence[str], *, rounds: int, at_most: float | None = None
) -> Comparison:
    """Run two commands in turn, once uncounted and then ``rounds`` times.

    Raises:
        subprocess.CalledProcessError: One of them failed; a figure for it would mean nothing.
    """
    pairs = [(_seconds(ours), _seconds(theirs)) for _ in range(rounds + 1)][1:]
    return Comparison(
        claim=claim, ours=tuple(a for a, _ in pairs), theirs=tuple(b for _, b in pairs), at_most=at_most
    )


def _seconds(command: Sequence[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start
