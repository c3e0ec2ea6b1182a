"""docs/benchmarks.md: the table of each group, written between two lines that mark its place."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from statistics import median

from benchmarks.places import file_system
from benchmarks.timing import Comparison, Peak
from tests.support.pages import with_part

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
COLUMNS = ("what", "compared with", "seconds", "ratio", "aim")
_LIBRARIES = ("numpy", "h5py", "pillow", "keras", "tensorflow")

Result = Comparison | Peak | str
"""What a benchmark yields; a text is a row of a table of its own, or says what was not run."""


def write(group: str, results: Iterable[Result], columns: Sequence[str], places: Mapping[str, Path]) -> None:
    """Write the table of a group, with the machine and the date, in place of the one that is there.

    Args:
        group: Its name.
        results: What was measured.
        columns: Of its table.
        places: Where files were written, by name; none: it writes none that count.
    """
    text = with_table(PAGE.read_text("utf-8"), group, results, columns, measured(places))
    PAGE.write_text(text, "utf-8")


def with_table(text: str, group: str, results: Iterable[Result], columns: Sequence[str], how: str) -> str:
    """Return the page with the table of a group, and how it was measured.

    Args:
        text: The page.
        group: Name of the group.
        results: What was measured.
        columns: Of its table.
        how: When, where and with what.
    """
    table = [_line(columns), _line(["---"] * len(columns)), *map(row, results)]
    part = f"{how}\n\n" + "".join(f"{line}\n" for line in table)
    return with_part(text, f"<!-- {group}: written by make bench -->\n", f"<!-- /{group} -->\n", part)


def row(result: Result) -> str:
    """Return the row of a result; a figure that misses its aim says so."""
    if isinstance(result, str):
        return result if result.startswith("|") else _line([result, *[""] * (len(COLUMNS) - 1)])
    if isinstance(result, Peak):
        missed = result.megabytes > result.at_most
        return _line(
            [result.claim, "", f"{result.megabytes:.0f} MB", "", _aim(result.at_most, missed, unit=" MB")]
        )
    what, _, peer = result.claim.partition(" / ")
    missed = result.at_most is not None and result.ratio > result.at_most
    both = f"{median(result.ours):.2f} / {median(result.theirs):.2f}"
    both += "" if result.unit == "s" else f" {result.unit}"
    return _line([what, peer, both, f"{result.ratio:.2f}", _aim(result.at_most, missed)])


def measured(places: Mapping[str, Path]) -> str:
    """Return when, on which machine and with which versions something is measured."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    machine = f"{os.cpu_count()} cores ({_processor()}), {memory:.0f} GB of memory"
    written = "".join(f", {name}: {file_system(folder)}" for name, folder in places.items())
    versions = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    return f"{date.today()}, {machine}{written}; Python {platform.python_version()}, {versions}:"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def _aim(at_most: float | None, missed: bool, *, unit: str = "") -> str:
    if at_most is None:
        return ""
    return f"{at_most:.3g}{unit}{', missed' if missed else ''}"


def _line(cells: Sequence[str]) -> str:
    return f"|{'|'.join(f' {cell} ' if cell else ' ' for cell in cells)}|"
