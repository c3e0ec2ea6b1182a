"""Putting an entry into a registry file that people write by hand, and taking one out.

The file is edited as text: nothing but the lines of that entry changes, so that comments, order, blanks and
quotes stay as they are, byte for byte. What comes out is read again and compared before anybody gets it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from zoo.errors import RegistryError
from zoo.registry.strict_yaml import Loader

SECTION = "architectures"
_HEADER = """\
# Networks of your own, laid over those that come with zoo; `zoo registry add` and `remove` change this file.
# Whatever you write here yourself, comments too, stays as it is.

schema: 1
"""
_INDENT = "  "
_WIDTH = 200
_LINE = re.compile("[^\r\n\x85\u2028\u2029]*(?:\r\n|[\r\n\x85\u2028\u2029])|[^\r\n\x85\u2028\u2029]+$")


def with_entry(text: str, name: str, entry: Mapping[str, Any], label: str) -> str:
    """Return a registry with one more network, behind those that it has, or in place of the one of that name.

    Args:
        text: The file; empty for one that is to be made.
        name: Of the network.
        entry: What the registry is to say of it: mappings, lists, text, numbers, flags and ``None``.
        label: What messages call the file.

    Raises:
        RegistryError: The file is not a registry, or is written in a way that cannot be added to.
    """
    text = text or _HEADER
    before = _parsed(text) or {}
    after = {**before, SECTION: {**(before.get(SECTION) or {}), name: dict(entry)}}
    longer = _inserted(text, name, entry, label)
    if _parsed(longer) != after:
        raise _unable(label, f"write the entry {name} into it by hand (--dry-run prints it)")
    return longer


def without_entry(text: str, name: str, label: str) -> str:
    """Return a registry without one of its networks.

    Args:
        text: The file, which has it.
        name: Of the network.
        label: What messages call the file.

    Raises:
        RegistryError: The file is written in a way in which it cannot be taken out.
    """
    before = _parsed(text)
    kept = {key: value for key, value in before[SECTION].items() if key != name}
    rest = {key: value for key, value in before.items() if key != SECTION}
    after = {**rest, SECTION: kept} if kept else rest
    lines = _lines(text)
    first, end = _place(text, [SECTION, name] if kept else [SECTION], label)
    shorter = "".join(lines[:first] + lines[end:])
    after = after or {"schema": 1}
    if _parsed(shorter) is None:  # a registry that says nothing at all is a mistake
        shorter = f"schema: 1{_newline(text)}{shorter}"
    if _parsed(shorter) != after:
        raise _unable(label, f"take the entry {name} out by hand")
    return shorter


def written(name: str, entry: Mapping[str, Any], column: int = len(_INDENT)) -> str:
    """Return the lines of an entry, as they stand in a file.

    Args:
        name: Of the network.
        entry: What is said of it.
        column: How far it is indented.
    """
    text = yaml.safe_dump(
        {name: dict(entry)}, sort_keys=False, default_flow_style=None, allow_unicode=True, width=_WIDTH
    )
    return "".join(f"{' ' * column}{line}\n" for line in text.splitlines())


def _unable(label: str, advice: str) -> RegistryError:
    return RegistryError(f"{label}: is written in a way that cannot be changed without risk; {advice}")


def _inserted(text: str, name: str, entry: Mapping[str, Any], label: str) -> str:
    lines, newline, root = _lines(text), _newline(text), _node(text)
    section = _value(root, SECTION)
    if section is None:
        column = root.start_mark.column if isinstance(root, yaml.MappingNode) else 0
        place, gap = (len(lines), len(lines)), newline
        new = f"{' ' * column}{SECTION}:\n{written(name, entry, column + len(_INDENT))}"
    elif not isinstance(section, yaml.MappingNode) or section.flow_style or not section.value:
        raise _unable(label, f"write {SECTION}: in a line of its own, and its networks below it, indented")
    else:
        held = {key.value: key for key, _ in section.value}
        place = _place(text, [SECTION, name if name in held else section.value[-1][0].value], label)
        place = place if name in held else (place[1], place[1])
        gap, new = "", written(name, entry, section.value[0][0].start_mark.column)
    before = "".join(lines[: place[0]])
    ended = "" if not before or before.endswith(("\n", "\r")) else newline
    return f"{before}{ended}{gap}{new.replace(chr(10), newline)}{''.join(lines[place[1] :])}"


def _place(text: str, path: list[str], label: str) -> tuple[int, int]:
    """Return the first line of a key and the one behind its value, with the comments that belong to it."""
    key, value = _node(text), _node(text)
    for part in path:
        if value.flow_style:
            raise _unable(label, "change what is written in braces by hand")
        key, value = next(pair for pair in value.value if pair[0].value == part)
    lines, last = _lines(text), max(_ends(key, value))
    end = last + 1
    while end < len(lines) and _is_deeper_comment(lines[end], key.start_mark.column):
        end += 1
    return key.start_mark.line, end


def _is_deeper_comment(line: str, column: int) -> bool:
    bare = line.lstrip(" ")
    return bare.startswith("#") and len(line) - len(bare) > column


def _ends(*nodes: yaml.Node) -> Iterator[int]:
    """Yield the lines on which something ends that stands in a file, comments left aside."""
    for node in nodes:
        if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
            for part in node.value:
                yield from _ends(*(part if isinstance(part, tuple) else (part,)))
        else:
            mark = node.end_mark
            # A text of several lines ends where the next line begins.
            yield mark.line - (1 if mark.column == 0 and mark.line > node.start_mark.line else 0)


def _parsed(text: str) -> Any:  # noqa: ANN401 - YAML is any of its types
    try:
        return yaml.load(text, Loader=Loader)
    except yaml.YAMLError:
        return None


def _node(text: str) -> Any:  # noqa: ANN401 - nodes are of several types
    return yaml.compose(text, Loader=Loader)


def _value(root: Any, name: str) -> yaml.Node | None:  # noqa: ANN401 - as above
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    return next((value for key, value in pairs if key.value == name), None)


def _lines(text: str) -> list[str]:
    """Return the lines as YAML counts them, each with its end."""
    return _LINE.findall(text)


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
