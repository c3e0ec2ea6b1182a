"""What a tree remembers of how its files were made, where looking would mean to bring every byte of them.

    .zoo-tree.json      in the new folder, if one of the two lies elsewhere

A file of the new folder is taken as it is if neither it nor what it was made of has changed since, as their
states tell (:class:`converters.writing.places.Entry`), and the same is asked for by the same rules. Of what
is not remembered so, both files are looked at, as on the disk: the new one says what it was made of.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from converters.errors import Doubt
from converters.formats.record import CONVERTER
from converters.version import RULES_NUMBER
from converters.writing.places import Place

NAME = ".zoo-tree.json"
FORMAT = 1
"""The number of the journal's form; one of another form is not read."""
_OFTEN = 64
"""After how many files it is written down, so that a run that is killed has most of them."""
_NOT_ASKED = ("force", "verify", "progress")


@dataclass(frozen=True, kw_only=True)
class Note:
    """How one file was made.

    Attributes:
        source: The state of what it was made of.
        target: Its own.
        asked: A digest of what was asked for, and of the rules that it was made by.
        notes: What was said of it.
    """

    source: str
    target: str
    asked: str
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values; of what was said also whether it is a doubt."""
        return {**asdict(self), "notes": [[note, isinstance(note, Doubt)] for note in self.notes]}


def asked_digest(verb: str, options: Mapping[str, Any]) -> str:
    """Return a digest of what is to become of files, by these rules."""
    what = {name: value for name, value in options.items() if name not in _NOT_ASKED and value is not None}
    said = json.dumps([verb, CONVERTER, RULES_NUMBER, what], sort_keys=True, default=str)
    return hashlib.sha256(said.encode()).hexdigest()


class Journal:
    """The notes on the files of a place.

    Args:
        place: Where they and the journal are.
    """

    def __init__(self, place: Place) -> None:
        self._place, self._new = place, 0
        self._notes = _parsed(place.read(NAME))

    def of(self, name: str) -> Note | None:
        """Return how a file was made, if that is remembered."""
        return self._notes.get(name)

    def note(self, name: str, note: Note) -> None:
        """Remember how a file was made."""
        if self._notes.get(name) != note:
            self._notes[name] = note
            self._new += 1
        if self._new >= _OFTEN:
            self.save()

    def save(self) -> None:
        """Write down what is new."""
        if self._new:
            files = {name: note.as_dict() for name, note in sorted(self._notes.items())}
            self._place.write(NAME, f"{json.dumps({'format': FORMAT, 'files': files}, indent=1)}\n".encode())
            self._new = 0


def _parsed(data: bytes | None) -> dict[str, Note]:
    """Return the notes of a journal; none if it is damaged or of another form: then files are looked at."""
    try:
        told = json.loads(data or b"{}")
        if told.get("format") != FORMAT:
            return {}
        return {name: _note(one) for name, one in told["files"].items()}
    except (ValueError, AttributeError, KeyError, TypeError):
        return {}


def _note(told: Mapping[str, Any]) -> Note:
    notes = tuple(Doubt(text) if doubt else str(text) for text, doubt in told["notes"])
    return Note(source=told["source"], target=told["target"], asked=told["asked"], notes=notes)
