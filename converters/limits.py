"""What a file may ask of its reader, and the names it may use.

Every number here is a cap on something that a file states about itself. The defaults are far above what any
network needs and far below what would hurt; each of them can be set, for all reading through the environment
variable ``ZOO_LIMITS`` (``ZOO_LIMITS="objects=5000,seconds=5"``), for one file by the argument ``limits``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from itertools import accumulate
from typing import Any, TypeVar

from converters.errors import ArgumentError, FileFormatError

VARIABLE = "ZOO_LIMITS"
_MIB = 1 << 20
_Item = TypeVar("_Item")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Caps on what a file may state.

    Attributes:
        objects: Groups and datasets of a file, tensors of a header, members of an archive.
        depth: Groups within groups, and lists and mappings within each other in JSON.
        name_bytes: Bytes of one name.
        attributes: Attributes of one object.
        attribute_bytes: Bytes of one attribute.
        metadata_bytes: Bytes of a file that are not values of datasets: headers, names, attributes in all.
        declared_bytes: Bytes that all datasets of a file take when they are unpacked.
        archive_bytes: Bytes that the weights within a packed archive may unpack to, in a temporary file.
        chunk_bytes: Bytes of one chunk of a dataset when it is unpacked.
        ratio: Bytes that one stored byte may unpack to; deflate cannot give more than 1032.
        header_bytes: Bytes of JSON: the header of a safetensors file, a configuration.
        memory_bytes: Memory that the process which decompresses chunks may take on top of three chunks.
        seconds: Time to read a file's metadata, to describe it, to plan, and to unpack a block of a dataset.
    """

    objects: int = 100_000
    depth: int = 64
    name_bytes: int = 1024
    attributes: int = 4096
    attribute_bytes: int = 4 * _MIB
    metadata_bytes: int = 64 * _MIB
    declared_bytes: int = 1 << 38
    archive_bytes: int = 1 << 32
    chunk_bytes: int = 512 * _MIB
    ratio: int = 1032
    header_bytes: int = 4 * _MIB
    memory_bytes: int = 256 * _MIB
    seconds: float = 20.0

    @classmethod
    def from_environment(cls) -> Limits:
        """Return the defaults, with what ``ZOO_LIMITS`` says in their place.

        Raises:
            ArgumentError: If the variable does not hold ``name=number`` pairs of known names.
        """
        known = {field.name for field in fields(cls)}
        found: dict[str, Any] = {}
        for pair in filter(None, os.environ.get(VARIABLE, "").split(",")):
            name, _, value = (part.strip() for part in pair.partition("="))
            if name not in known or not value.isdecimal() or not int(value):
                raise ArgumentError(
                    f"{VARIABLE}: {pair!r} is not a limit; write name=number, with one of the names "
                    + ", ".join(sorted(known))
                )
            found[name] = int(value)
        return cls(**found)


def too_many(size: int, cap: int, limit: str) -> str:
    """Return the part of a refusal that says which cap is exceeded and how it is called."""
    return f"{size} bytes; more than {cap} are not read (limit {limit})"


def printable(text: str) -> str:
    r"""Return a text with all that could steer a terminal written as ``\x1b`` and the like.

    Args:
        text: Anything that came out of a file; line breaks and tabs stay.
    """
    return "".join(
        char if char.isprintable() or char in "\n\t" else char.encode("unicode_escape").decode()
        for char in text
    )


def name_fault(name: str, limits: Limits) -> str | None:
    """Return what is wrong with one part of a path or one attribute's name, or None.

    Args:
        name: The name, without any ``/`` that separates groups.
        limits: Caps.
    """
    if not name:
        return "is empty"
    if len(name.encode("utf-8", "surrogatepass")) > limits.name_bytes:
        return f"is longer than {limits.name_bytes} bytes (limit name_bytes)"
    if not name.isprintable():
        return "holds control characters"
    if name in (".", ".."):
        return "is a step to another folder, not a name"
    return None


def check_name(name: str, what: str, limits: Limits | None = None) -> str:
    """Return a name that may be shown and used, or raise.

    Args:
        name: The name; a ``/`` in it separates parts, each of which must be a name of its own.
        what: The file and what of it has the name, for the message.
        limits: Caps; the environment's by default.

    Raises:
        FileFormatError: If it is empty or too long, or holds control characters, ``.`` or ``..``.
    """
    caps = limits or Limits.from_environment()
    for part in name.split("/"):
        if fault := name_fault(part, caps):
            raise FileFormatError(f"{what}: the name {clipped(name)} {fault}")
    return name


def clipped(name: str | bytes) -> str:
    """Return a name for a message: in quotes, escaped, cut at 60 characters."""
    return repr(name) if len(name) <= 60 else f"{name[:60]!r}..."


LARGEST = 1 << 40
"""No size comes near to it; what is computed from numbers below it stays small."""


def shown(value: Any) -> str:  # noqa: ANN401 - any JSON
    """Return a value for a message: short, and without the text of a number that has none in Python."""
    if isinstance(value, dict | list):
        return f"a {'mapping' if isinstance(value, dict) else 'list'} of {len(value)}"
    if isinstance(value, str):
        return clipped(value)
    return "a huge number" if isinstance(value, int) and abs(value) > LARGEST else repr(value)


def load_json(
    text: str | bytes,
    what: str,
    limits: Limits | None = None,
    *,
    read: Callable[[dict[str, Any]], Any] = lambda found: found,
) -> Any:  # noqa: ANN401
    """Read JSON that may be anything.

    Args:
        text: The JSON.
        what: The file and which text of it, for the message.
        limits: Caps; the environment's by default.
        read: What a mapping becomes; by default itself.

    Raises:
        FileFormatError: If it is too long, no JSON, too deep, or has a key twice.
    """
    caps = limits or Limits.from_environment()
    if len(text) > caps.header_bytes:
        raise FileFormatError(f"{what} is JSON of {too_many(len(text), caps.header_bytes, 'header_bytes')}")
    if _depth(text) > caps.depth:
        raise FileFormatError(f"{what} is JSON nested more than {caps.depth} deep (limit depth)")
    try:
        return json.loads(text, object_pairs_hook=lambda pairs: read(_without_doubles(pairs)))
    except (ValueError, UnicodeDecodeError) as error:
        raise FileFormatError(f"{what} is not JSON ({error})") from error


_STEPS = {ord("{"): 1, ord("["): 1, ord("}"): -1, ord("]"): -1}
_NO_BRACKETS = bytes(set(range(256)) - set(_STEPS))


def _depth(text: str | bytes) -> int:
    """Return how deep the brackets of a text nest, those within its strings left out."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    # Between unescaped quotes lies a string; an escape is dropped first, so that \" does not end one.
    outside = b"".join(data.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2])
    brackets = outside.translate(None, _NO_BRACKETS)
    return max(accumulate(map(_STEPS.__getitem__, brackets), initial=0))


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"{clipped(str(first_repeated(name for name, _ in pairs)))} is in it twice")
    return found


def first_repeated(items: Iterable[_Item]) -> _Item | None:
    """Return the first item that was there before, or None; each item is looked at once."""
    seen = set()
    for item in items:
        if item in seen:
            return item
        seen.add(item)
    return None
