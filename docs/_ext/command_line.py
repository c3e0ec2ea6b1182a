"""The directive ``command-line``: every command with its arguments, from the parser itself."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import nested_parse_with_titles

from zoo.cli.parser import build_parser

_WIDTH = 88


class CommandLine(SphinxDirective):
    """Writes what ``zoo --help`` and each command's ``--help`` say, as sections with options to refer to."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        source = StringList(list(_commands(build_parser())), "zoo.cli.parser")
        section = nodes.section()
        section.document = self.state.document
        nested_parse_with_titles(self.state, source, section)
        return section.children


def _commands(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the reStructuredText of every command below a parser."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _command(command)
                yield from _commands(command)


def _command(command: argparse.ArgumentParser) -> Iterator[str]:
    yield from (command.prog, "~" * len(command.prog), "")
    yield from (f".. program:: {command.prog}", "")
    yield from (_escaped(command.description or ""), "")
    yield from (".. code-block:: text", "")
    command.formatter_class = partial(argparse.HelpFormatter, width=_WIDTH)
    yield from (f"   {line}" for line in command.format_usage().removeprefix("usage: ").splitlines())
    yield ""
    for action in command._actions:
        if not isinstance(action, (argparse._HelpAction, argparse._SubParsersAction)):
            yield from _argument(action)


def _argument(action: argparse.Action) -> Iterator[str]:
    value = _value(action)
    names = ", ".join(f"{name}{value}" for name in action.option_strings)
    yield from (f".. option:: {names or value.strip()}", "", f"   {_escaped(action.help or '')}", "")


def _value(action: argparse.Action) -> str:
    if action.nargs == 0 or isinstance(action, argparse.BooleanOptionalAction):
        return ""
    if action.metavar is not None:
        return f" {action.metavar}"
    return f" {{{','.join(action.choices)}}}" if action.choices else f" {action.dest.upper()}"


def _escaped(text: str) -> str:
    """Return a help text in which only backticks have a meaning: they mark what is typed."""
    return text.replace("%%", "%").replace("\\", r"\\").replace("*", r"\*").replace("`", "``")


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx of the directive."""
    app.add_directive("command-line", CommandLine)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
