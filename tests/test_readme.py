"""The README says what is true."""

from __future__ import annotations

import re

from tests.readme_table import README, with_table
from zoo.cli.parser import build_parser


def test_the_table_of_networks_is_that_of_the_registry() -> None:
    """`python -m tests.readme_table` has nothing to change."""
    text = README.read_text("utf-8")
    assert with_table(text) == text


def test_every_command_in_the_readme_can_be_typed() -> None:
    """Each `$ zoo …` line is understood by the parser."""
    lines = re.findall(r"^    \$ zoo (.*)$", README.read_text("utf-8"), re.MULTILINE)
    assert len(lines) >= 2
    for line in lines:
        build_parser().parse_args(line.split())
