"""Kinds of values under the names by which the records and the families' numbers use them."""

from __future__ import annotations

from typing import Any

from zoo.errors import ArgumentError
from zoo.registry.digests import DIGEST_PATTERN, parse_digest
from zoo.registry.fields import ListOf, Mistake, Number, Path, Text, Whole, show
from zoo.registry.urls import URL_PATTERN, URL_RULE

TEXT = Text()
NAME = Text(
    pattern=r"[A-Za-z0-9][A-Za-z0-9._-]*",
    must="consist of letters, digits, '.', '_' and '-' and start with a letter or digit",
)
LAYER = Text(pattern=r"\S+", must="be a layer's name, without blanks")
FILENAME = Text(pattern=r"[^\s/\\]+", must="be a file's name, without blanks and slashes")
URL = Text(pattern=URL_PATTERN, must=URL_RULE)
PATH = Text(pattern=r"/.*[^/]", must="be the path of a file, from the root on")
SHA256 = Text(pattern="[0-9a-f]{64}", must="be 64 hexadecimal digits in lower case")
COUNT = Whole(1)
FRACTION = Number(0.0, 1.0)
PER_CENT = Number(0.0, 100.0)
PER_CHANNEL_MEAN = ListOf(Number(0.0, 255.0), 3, fixed=True)
PER_CHANNEL_SCALE = ListOf(Number(0.0, 1000.0), 3, fixed=True)


class DigestText:
    """``ALGORITHM:VALUE``, held as the pair of them."""

    def check(self, value: object, path: Path) -> tuple[str, str]:
        """Return the pair; see :class:`zoo.registry.fields.Kind`."""
        if not isinstance(value, str):
            raise Mistake(path, f"{show(value)} is not text")
        try:
            return parse_digest(value)
        except ArgumentError as error:
            raise Mistake(path, str(error)) from None

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema; see :class:`zoo.registry.fields.Kind`."""
        return {"type": "string", "pattern": f"^(?:{DIGEST_PATTERN})$"}
