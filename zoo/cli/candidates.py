"""``zoo __complete WORD...``: what the last word may become, for the shells' completion.

It is no command that people type, so the parser does not know it. The first line is ``files`` if paths fit as
well, which the shell completes itself, or else ``words``; each other line is something that fits, a tab, and
what it is.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from zoo.cli.parser import COMMON, parser_of, summaries
from zoo.registry import CLASS_INDEXES, get_registry
from zoo.registry.columns import FACTS
from zoo.registry.kept_rows import all_rows, rows_of

Fitting = tuple[str, str]
"""A word, and what it is."""


@dataclass
class Typed:
    """What was typed before the last word, as far as it is understood.

    Attributes:
        parser: Of the command.
        command: Its words.
        options: Those that were typed.
        names: All that is no option and no option's value.
        awaited: The option whose value comes next.
        only_names: Whether ``--`` was typed.
    """

    parser: argparse.ArgumentParser
    command: str
    options: list[argparse.Action] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    awaited: argparse.Action | None = None
    only_names: bool = False

    def add(self, word: str) -> None:
        """Understand one word more."""
        if self.awaited is not None:
            self.awaited = None
        elif word == "--" and not self.only_names:
            self.only_names = True
        elif word.startswith("-") and not self.only_names:
            self._add_option(*word.partition("=")[:2])
        else:
            self.names.append(word)

    def _add_option(self, name: str, has_value: str) -> None:
        action = self.option(name)
        if action is not None:
            self.options.append(action)
            if action.nargs != 0 and not has_value:
                self.awaited = action

    def option(self, name: str) -> argparse.Action | None:
        """Return the option of a name, or of a beginning that is that of no other."""
        known = self.parser._option_string_actions
        meant = [action for option, action in known.items() if option.startswith(name)]
        return known.get(name) or (meant[0] if len(set(map(id, meant))) == 1 else None)

    def place(self) -> argparse.Action | None:
        """Return the argument that the next name is, if there may be one more."""
        left = len(self.names)
        for action in self.parser._get_positional_actions():
            if action.nargs in ("*", "+") or left == 0:
                return action
            left -= 1
        return None


def run(words: Sequence[str]) -> int:
    """Print what fits; nothing where that cannot be told.

    Args:
        words: All that was typed behind ``zoo``, the last of them not yet whole.
    """
    found, files = candidates(words)
    lines = [f"{word}\t{what}" for word, what in found]
    print("files" if files else "words", *lines, sep="\n")  # noqa: T201 - as quick as can be
    return 0


def candidates(words: Sequence[str]) -> tuple[list[Fitting], bool]:
    """Return what the last word may become, and whether it may become a path.

    Args:
        words: As :func:`run`.
    """
    *before, current = _whole(words) or [""]
    current = current.lstrip("'\"")
    before = _without_common(before)
    if not before:
        return _fitting([*summaries(), *_said_of(COMMON)], current), False
    typed = _understood(before)
    if isinstance(typed, Mapping):
        return _fitting(typed.items(), current), False
    option, is_value, begun = current.partition("=")
    if typed.awaited is not None:
        return _values(typed, typed.awaited, current)
    if not current.startswith("-") or typed.only_names:
        action = typed.place()
        return _values(typed, action, current) if action else ([], False)
    if not is_value:
        return _options(typed, current), False
    action = typed.option(option)
    found, files = _values(typed, action, begun) if action else ([], False)
    return [(f"{option}={word}", what) for word, what in found], files


def _whole(words: Sequence[str]) -> list[str]:
    """Return words as they were typed: bash takes ``--weights=imagenet`` and ``s3://x`` apart.

    The value that is being typed stays a word of its own, as bash wants it.
    """
    whole: list[str] = []
    for place, word in enumerate(words):
        is_last = place == len(words) - 1
        if word == "=" and whole and whole[-1].startswith("--"):
            if is_last:
                whole.append("")
        elif whole and (word == ":" or (whole[-1].endswith(":") and not is_last)):
            whole[-1] += word
        else:
            whole.append(word)
    return whole


def _without_common(words: Sequence[str]) -> list[str]:
    return list(words[len(list(takewhile(lambda word: word in COMMON, words))) :])


def _understood(words: Sequence[str]) -> Typed | Mapping[str, str]:
    """Return what was typed of a command, or the actions that it has and of which none was typed."""
    parser, actions = parser_of(words[0])
    name, rest = words[0], list(words[1:])
    if actions:
        rest = _without_common(rest)
        if not rest or parser is None:
            return actions
        name = f"{name} {rest[0]}"
        parser, rest = parser_of(words[0], rest[0])[0], rest[1:]
    if parser is None:
        return {}
    typed = Typed(parser, name)
    for word in rest:
        typed.add(word)
    return typed


def _options(typed: Typed, current: str) -> list[Fitting]:
    """Return options that were not typed yet, or may be typed again."""
    used = {id(action) for action in typed.options if not isinstance(action, argparse._AppendAction)}
    actions = [action for action in typed.parser._actions if id(action) not in used]
    known = [(name, _help(action)) for action in actions for name in action.option_strings]
    return _fitting(known, current)


def _said_of(options: Sequence[str]) -> list[Fitting]:
    told = {"--help": "show what there is", "--version": "show the version"}
    return [*((option, "") for option in options), *told.items()]


def _help(action: argparse.Action) -> str:
    return (action.help or "").replace("%%", "%").replace("\n", " ")


def _fitting(known: Iterable[Fitting], current: str) -> list[Fitting]:
    return [(word, what) for word, what in known if word.startswith(current)]


# What the values of arguments are.


def _networks(typed: Typed, begun: str) -> Iterator[Fitting]:
    rows = rows_of(all_rows())
    yield from ((name, rows[name]["title"]) for name in rows if name.startswith(begun))


def _ids(typed: Typed, begun: str) -> Iterator[Fitting]:
    written = all_rows()
    sought = f'"id": {json.dumps(begun, ensure_ascii=False)[:-1]}'.encode()
    rows = rows_of({name: row for name, row in written.items() if sought in bytes(row)})
    for network in rows.values():
        for file in network["files"]:
            told = (network["title"], file["set"], file["layout"], "with top" if file["top"] else "no top")
            yield file["id"], ", ".join(told)
    if begun.startswith(CLASS_INDEXES[: len(begun)]):
        yield from ((f"{CLASS_INDEXES}{name}", "names of classes") for name in get_registry().class_indexes)


def _sets(typed: Typed, begun: str) -> Iterator[Fitting]:
    """Yield the weights sets of the networks that were typed; of all networks if none was."""
    rows = rows_of(all_rows())
    named = [rows[name] for name in typed.names if name in rows]
    for network in named or rows.values():
        yield from ((name, network["title"] if named else "") for name in network["weights_sets"])


def _families(typed: Typed, begun: str) -> Iterator[Fitting]:
    yield from ((network["family"], "") for network in rows_of(all_rows()).values())


def _recipes(typed: Typed, begun: str) -> Iterator[Fitting]:
    yield from ((recipe.name, recipe.in_words) for recipe in get_registry().preprocessing.values())


def _facts(typed: Typed, begun: str) -> Iterator[Fitting]:
    yield from ((name, fact.meaning) for name, fact in FACTS.items())


@dataclass(frozen=True)
class _Kind:
    """What a value is.

    Attributes:
        known: What yields those that there are, or of them those with a beginning.
        files: Whether it may be a path.
        ids: Whether it may be the id of a file, if the command takes them.
        several: Whether it may be several with commas between them.
    """

    known: Callable[[Typed, str], Iterator[Fitting]] | None = None
    files: bool = False
    ids: bool = False
    several: bool = False


_NOTHING, _FILE = _Kind(), _Kind(files=True)
KINDS: Mapping[str, _Kind] = {
    "--family": _Kind(_families),
    "--preprocessing": _Kind(_recipes),
    "NAME": _Kind(_networks, ids=True),
    "PATTERN": _Kind(_networks),
    "OLD": _Kind(_networks, files=True),
    "NAME|RUN|MODEL": _Kind(_networks, files=True),
    "SET": _Kind(_sets),
    "SET|FILE": _Kind(_sets, files=True),
    "KEY,...": _Kind(_facts, several=True),
    "NAME,...": _Kind(_facts, several=True),
    "RECIPE": _NOTHING,
    "A": _FILE,
    "B": _FILE,
    "DIR": _FILE,
    "FILE": _FILE,
    "FILE|NAME": _Kind(_networks, files=True),
    "FILE|URL": _FILE,
    "ID|FILE": _Kind(_networks, files=True, ids=True),
    "FILE.npz|FOLDER/": _FILE,
    "NEW": _FILE,
    "PICTURE": _FILE,
    "PICTURES": _FILE,
    "RUN": _FILE,
    **dict.fromkeys(
        (
            "ENGINE",
            "GROUP=FACTOR",
            "HOST:PORT",
            "I",
            "LAYER,LAYER,...",
            "LAYER=CxHxW",
            "LAYER=EXPRESSION",
            "MB",
            "N",
            "NAME=KIND",
            "N|LAYER",
            "PERCENT",
            "PIXELS",
            "RATE",
            "SHA256",
            "SHARE",
            "TEXT",
            "X.Y.Z",
            "YEAR",
            "[NAME=]MODULE:CLASS",
            "all|N",
        ),
        _NOTHING,
    ),
}
"""By how a value is called in a command's help, or by the option; what is not among them may be a path."""

TAKING_IDS = frozenset({"show", "fetch", "trust", "mirror", "cache remove", "prove"})
"""Commands that take the ids of files where they take names."""


def kind_of(action: argparse.Action) -> _Kind:
    """Return what the value of an argument is."""
    known = [KINDS[name] for name in action.option_strings if name in KINDS]
    return known[0] if known else KINDS.get(str(action.metavar), _FILE)


def _values(typed: Typed, action: argparse.Action, begun: str) -> tuple[list[Fitting], bool]:
    if action.choices is not None:
        return _fitting([(str(choice), "") for choice in action.choices], begun), False
    kind = kind_of(action)
    if kind.several:
        return _several(typed, kind, begun), False
    known = dict(kind.known(typed, begun)) if kind.known else {}
    if kind.ids and begun and not action.option_strings and typed.command in TAKING_IDS:
        known |= dict(_ids(typed, begun))
    return _fitting(known.items(), begun), kind.files


def _several(typed: Typed, kind: _Kind, begun: str) -> list[Fitting]:
    """Return what the last of several values, with commas between them, may become."""
    before, comma, last = begun.rpartition(",")
    sign = "-" if last.startswith("-") else ""
    word_begun = last.removeprefix("-")
    known = kind.known(typed, word_begun) if kind.known else iter(())
    return [(f"{before}{comma}{sign}{word}", what) for word, what in _fitting(known, word_begun)]
