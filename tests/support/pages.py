"""Pages of the documentation that show how something is added: their blocks of code, put where they say.

A block's first line says where it belongs: ``# zoo/networks/families/tiny.py`` is a file of its own,
``# converters/layers/table.py, in KINDS`` the last entry of a table that stands there already, or the last
lines of a class, and ``# try it`` is run.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.support.paths import ROOT

EXTENDING = ROOT / "docs" / "extending"
_BLOCK = re.compile(r"^```(?:python|yaml)\n# (?P<where>[^\n]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Block:
    """A block of code, and the file of the packages that it belongs in."""

    where: str
    code: str

    @property
    def file(self) -> str:
        """The file's path in the checkout."""
        return self.where.partition(",")[0]

    @property
    def table(self) -> str | None:
        """The table that it is an entry of."""
        return self.where.partition(", in ")[2] or None


def blocks(page: Path) -> list[Block]:
    """Return all blocks of a page."""
    found = _BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [Block(where=match["where"], code=match["code"]) for match in found]


def copy_packages(folder: Path) -> None:
    """Copy both packages and the registry into a folder."""
    ignored = shutil.ignore_patterns("__pycache__")
    for package in ("converters", "zoo"):
        shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    shutil.copy(ROOT / "registry.yaml", folder)


def put(block: Block, folder: Path) -> None:
    """Write a block where it belongs in a copy of the packages."""
    path = folder / block.file
    if block.table is None:
        assert not path.exists(), f"{block.file} is there already"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.code, encoding="utf-8")
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    (begin,) = (number for number, line in enumerate(lines) if _begins(line, block.table))
    ends = r"\S" if lines[begin].startswith("class ") else r"[})\]]"
    end = next(number for number in range(begin + 1, len(lines)) if re.match(ends, lines[number]))
    while not lines[end - 1].strip():
        end -= 1
    path.write_text("".join([*lines[:end], block.code, *lines[end:]]), encoding="utf-8")


def _begins(line: str, name: str) -> bool:
    """Tell whether a line opens a table, or a class."""
    return re.match(rf"(?:class {name}\b.*:|{name}\b.*[{{(\[])$", line) is not None


def with_part(text: str, begin: str, end: str, part: str) -> str:
    """Return a page with something else between two lines that mark its place."""
    before, rest = text.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}{part}{end}{after}"
