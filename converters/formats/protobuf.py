"""Protobuf's wire format, read from a file that nobody vouches for: no schema compiler, no copies.

A message is a list of fields: a number, a wire type, a value. Nothing is taken at its word: a length is held
against what is left of the message around it before it is used, a number against the 64 bits that it may
have, groups against a depth. What a field of bytes holds is not read here, so it may have any length; what is
read is counted, and there is a cap on it.

Source: the encoding as the documentation of Protocol Buffers describes it, "Encoding".
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np

from converters.boundary import paced
from converters.errors import FileFormatError
from converters.hdf5.source import read_between_handle
from converters.limits import Limits, clipped, too_many


class WireType(IntEnum):
    """How a field's value lies in the file."""

    VARINT = 0
    FIXED64 = 1
    BYTES = 2
    GROUP = 3
    GROUP_END = 4
    FIXED32 = 5


_FIXED = {WireType.FIXED64: 8, WireType.FIXED32: 4}
_LONGEST = 10
"""Bytes of the longest number: 64 bits, seven in each byte."""
_LAST_FIELD = (1 << 29) - 1
_WINDOW = 1 << 16
_RUN = 1 << 20
"""How many repeated values are looked at at a time."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message.

    Attributes:
        number: Its number.
        wire: How its value lies there.
        at: Where its tag begins, in bytes from the start of the file.
        start: Where its value begins.
        end: Where its value ends.
        value: The number that a varint is; 0 for other types.
    """

    number: int
    wire: WireType
    at: int
    start: int
    end: int
    value: int = 0


class Wire:
    """A file of protobuf's wire format."""

    def __init__(self, path: Path, handle: int, limits: Limits) -> None:
        """Take an open file, which stays its owner's.

        Args:
            path: Its name, for messages.
            handle: It, open for reading.
            limits: Caps.
        """
        self.path = path
        self.limits = limits
        self.size = os.fstat(handle).st_size
        self._handle = handle
        self._window = b""
        self._begin = 0
        self._read = 0
        self._passed = 0

    def refusal(self, at: int, text: str) -> FileFormatError:
        """Return the error for what lies at a place of the file."""
        return FileFormatError(f"{self.path}: byte {at}: {text}")

    def fields(self, start: int, end: int, what: str) -> Iterator[Field]:
        """Yield the fields of a message; those of groups within it are skipped, whatever they hold.

        Args:
            start: Where it begins.
            end: Where it ends.
            what: What it is, for messages.

        Raises:
            FileFormatError: If it is not a message; says where, and what is wrong there.
        """
        return paced(self._fields(start, end, what))

    def _fields(self, start: int, end: int, what: str) -> Iterator[Field]:
        at, groups = start, list[int]()
        while max(at, self._passed) < end:
            field = self._field(max(at, self._passed), end, what)
            at = field.end
            if field.wire is WireType.GROUP:
                groups.append(field.number)
                if len(groups) > self.limits.depth:
                    text = f"groups within each other, more than {self.limits.depth} deep (limit depth)"
                    raise self.refusal(field.at, f"{what} holds {text}")
            elif field.wire is WireType.GROUP_END:
                if not groups or groups.pop() != field.number:
                    raise self.refusal(field.at, f"{what} ends a group {field.number} that is not open")
            elif not groups:
                yield field
        if groups:
            raise self.refusal(end, f"{what} ends within its group {groups[-1]}")

    def _field(self, at: int, end: int, what: str) -> Field:
        tag, start = self._varint(at, end, what)
        number, code = tag >> 3, tag & 7
        if not 0 < number <= _LAST_FIELD:
            raise self.refusal(at, f"{what} has a field of number {number}, which is none")
        if code not in WireType._value2member_map_:
            raise self.refusal(at, f"{what} has a field {number} of wire type {code}, which is none")
        wire = WireType(code)
        if wire is WireType.VARINT:
            value, stop = self._varint(start, end, what)
            return Field(number, wire, at, start, stop, value)
        if wire is WireType.BYTES:
            length, start = self._varint(start, end, what)
        else:
            length = _FIXED.get(wire, 0)
        if length > end - start:
            text = f"{what} has a field {number} of {length} bytes, and {end - start} are left of it"
            raise self.refusal(at, text)
        return Field(number, wire, at, start, start + length)

    def _varint(self, at: int, end: int, what: str) -> tuple[int, int]:
        """Return a number, and where what follows it begins."""
        value = 0
        for place in range(_LONGEST):
            if at + place >= end:
                raise self.refusal(at, f"{what} ends within a number")
            byte = self._byte(at + place)
            value |= (byte & 0x7F) << 7 * place
            if byte < 0x80:
                if value >> 64:
                    raise self.refusal(at, f"{what} has a number of more than 64 bits")
                self._count(place + 1, at)
                return value, at + place + 1
        raise self.refusal(at, f"{what} has a number of more than {_LONGEST} bytes")

    def _byte(self, at: int) -> int:
        if not self._begin <= at < self._begin + len(self._window):
            self._window = os.pread(self._handle, _WINDOW, at)
            self._begin = at
            if not self._window:
                raise FileFormatError(f"{self.path}: has become shorter while it was read")
        return self._window[at - self._begin]

    def _count(self, count: int, at: int) -> None:
        """Count what was read that is no value of an array."""
        self._read += count
        if self._read > (cap := self.limits.metadata_bytes):
            text = f"what is no value of an array takes {too_many(self._read, cap, 'metadata_bytes')}"
            raise self.refusal(at, text)

    def text(self, field: Field, what: str) -> str:
        """Return a field that is a text.

        Raises:
            FileFormatError: If it is none, or longer than a name may be, or not UTF-8.
        """
        self.check(field, WireType.BYTES, what)
        length, cap = field.end - field.start, self.limits.name_bytes
        if length > cap:
            raise self.refusal(field.at, f"{what} takes {too_many(length, cap, 'name_bytes')}")
        self._count(length, field.at)
        data = read_between_handle(self.path, self._handle, field.start, field.end)
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.refusal(field.at, f"{what} is not UTF-8: {clipped(data)}") from error

    def check(self, field: Field, wire: WireType, what: str) -> None:
        """Raise unless a field's value lies there as it should."""
        if field.wire is not wire:
            text = f"{what} is of wire type {field.wire.value}, and should be of {wire.value}"
            raise self.refusal(field.at, text)

    def varints(self, field: Field, what: str) -> Iterator[int]:
        """Yield the numbers of a repeated field, packed or one by one."""
        if field.wire is WireType.VARINT:
            yield field.value
            return
        self.check(field, WireType.BYTES, what)
        at = field.start
        while at < field.end:
            value, at = self._varint(at, field.end, what)
            yield value

    def run(self, field: Field, end: int, what: str) -> int:
        """Return how many fields with this one's tag and length follow each other, and go on behind them.

        So lie values of a fixed length that are not packed: a tag of one byte in front of each.

        Args:
            field: The first, which counts.
            end: Where the message ends.
            what: What the values are, for messages.

        Raises:
            FileFormatError: If the tag is longer.
        """
        if field.start - field.at != 1:
            raise self.refusal(field.at, f"{what} has a tag of more bytes than it needs")
        step = field.end - field.at
        tag = self._byte(field.at)
        found, most = 1, (end - field.at) // step
        while found < most:
            begin = field.at + found * step
            count = min(most - found, _RUN)
            others = np.flatnonzero(self._bytes(begin, begin + count * step)[::step] != tag)
            if others.size:
                found += int(others[0])
                break
            found += count
        self._passed = field.at + found * step
        return found

    def number(self, at: int, dtype: np.dtype[Any]) -> float:
        """Return a number of an array of the file, which lies there as it is."""
        return float(self._bytes(at, at + dtype.itemsize).view(dtype)[0])

    def _bytes(self, start: int, end: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
        return np.frombuffer(read_between_handle(self.path, self._handle, start, end), "u1")
