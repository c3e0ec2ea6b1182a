"""The three containers of PyTorch's files: what they hold, and where the values of each storage lie.

From version 1.6 on: a zip archive with a pickle and one member for each storage. Before: five pickles one
behind the other, then the storages. In the beginning: a tar archive whose members are such streams. None of
them is unpacked, no name in them is that of a file, and the values stay where they are.

Source: torch/serialization.py and torch/csrc/generic/serialization.cpp of pytorch at 000a1a5 and 00f97a8,
docs/source/notes/serialization.rst at 002da16.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from converters.boundary import paced
from converters.errors import FileFormatError
from converters.formats.archive import Archive
from converters.formats.pickles import STORED, Name, Persistent, Pickle, Tensor, called
from converters.limits import Limits, clipped

MAGIC = 0x1950A86A20F9469CFC6C
LEGACY = b"\x80\x02\x8a\x0a" + MAGIC.to_bytes(10, "little") + b"."
"""What the second form begins with: a pickle of one number."""
PICKLE = "data.pkl"
_PROTOCOL = 1001
_BLOCK = 512
_TAR_MEMBERS = ("sys_info", "storages", "tensors", "pickle")
_PLAIN_HEADERS = frozenset({"mtime", "atime", "ctime", "uid", "gid", "uname", "gname"})
BFLOAT16 = "bfloat16"


@dataclass(frozen=True, kw_only=True)
class Storage:
    """Values that lie in the file, one behind the other.

    Attributes:
        name: What the file calls it, for messages.
        stored: Their type in NumPy's words, or :data:`BFLOAT16`.
        offset: Where the first lies.
        count: How many there are.
    """

    name: str
    stored: str
    offset: int
    count: int

    @property
    def itemsize(self) -> int:
        """Bytes of a value."""
        return size_of(self.stored)


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A tensor, and the storage that it lies in."""

    tensor: Tensor
    storage: Storage


@dataclass(frozen=True, kw_only=True)
class Held:
    """What a file holds.

    Attributes:
        told: What its pickle is: dicts, texts, numbers, tensors.
        place: Returns where a tensor of the pickle lies, or None for what is none.
    """

    told: Any
    place: Callable[[Any], Placed | None]


def size_of(stored: str) -> int:
    """Return the bytes of a value of a type."""
    return 2 if stored == BFLOAT16 else np.dtype(stored).itemsize


def is_tar(head: bytes) -> bool:
    """Return whether a file begins as the oldest form does."""
    name = head[:100].split(b"\0", 1)[0].decode("latin-1")
    own = name in _TAR_MEMBERS or (head[156:157] == b"x" and name.startswith(("././@Pax", "./PaxHeaders")))
    return head[257:262] == b"ustar" and own


def read_held(path: Path, stream: IO[bytes], limits: Limits, head: bytes) -> Held:
    """Return what a file of any of the three forms holds.

    Args:
        path: Its name, for messages.
        stream: It, open.
        limits: Caps.
        head: The bytes that it begins with.

    Raises:
        FileFormatError: If it is damaged or breaks a rule.
    """
    if head.startswith(LEGACY):
        return _legacy(path, stream, limits)
    return _tar(path, stream, limits) if is_tar(head) else _zip(path, stream, limits)


@dataclass
class _Storages:
    """The storages that a pickle has told of, by their keys."""

    where: str
    found: dict[str, Storage] = field(default_factory=dict)

    def told(self, persistent: Persistent, fields: int) -> tuple[str, str, int, Any]:
        """Return key, type and number of values of a storage, and what else is said of it.

        Raises:
            FileFormatError: If it is none, or the same key was told otherwise.
        """
        told = persistent.told
        if type(told) is not tuple or len(told) != fields or told[0] != "storage":
            raise FileFormatError(f"{self.where}: what its pickle leaves to its reader is no storage")
        _, kind, key, location, count, *more = told
        if type(key) is not str or type(location) is not str or type(count) is not int or count < 0:
            raise FileFormatError(f"{self.where}: a storage of its pickle is not told as one")
        return key, stored_type(self.where, kind), count, more[0] if more else None

    def kept(self, storage: Storage) -> Storage:
        """Return a storage, once it is the same as that of its name before."""
        known = self.found.setdefault(storage.name, storage)
        if known != storage:
            raise FileFormatError(f"{self.where}: storage {clipped(storage.name)} is told in two ways")
        return known


def stored_type(where: str, kind: Any) -> str:  # noqa: ANN401 - whatever a pickle holds
    """Return the type of the values of a storage, by the name of its class."""
    name = kind.name.removesuffix("Storage").removesuffix("Tensor") if isinstance(kind, Name) else ""
    if name not in STORED:
        raise FileFormatError(f"{where}: the type of a storage is {called(kind)}, which holds no values")
    return STORED[name]


def placed_by(storage_of: Callable[[Persistent], Storage]) -> Callable[[Any], Placed | None]:
    """Return a function that places the tensors of a pickle whose storages are found by another."""

    def place(value: Any) -> Placed | None:  # noqa: ANN401 - whatever a pickle holds
        if not isinstance(value, Tensor):
            return None
        return Placed(tensor=value, storage=storage_of(value.storage))

    return place


# Zip archives


def _zip(path: Path, stream: IO[bytes], limits: Limits) -> Held:
    archive = Archive(path, stream, limits)
    top = _top(archive)
    if f"{top}/constants.pkl" in archive.names:
        text = "a TorchScript archive: it holds code; save what state_dict() gives instead"
        raise FileFormatError(f"{path}: {text}")
    order = archive.read_bytes(f"{top}/byteorder")
    if order not in (None, b"little"):
        raise FileFormatError(f"{path}: its byte order is {clipped(order or b'')}, not little")
    data = archive.read_bytes(f"{top}/{PICKLE}") or b""
    told = Pickle(f"{path}: {top}/{PICKLE}", lambda at, count: data[at : at + count], limits).load()
    storages = _Storages(str(path))

    def storage_of(persistent: Persistent) -> Storage:
        key, stored, count, _ = storages.told(persistent, 5)
        if (known := storages.found.get(key)) is not None:
            return storages.kept(Storage(name=key, stored=stored, offset=known.offset, count=count))
        offset = _member(archive, f"{top}/data/{key}", count * size_of(stored))
        return storages.kept(Storage(name=key, stored=stored, offset=offset, count=count))

    return Held(told=told, place=placed_by(storage_of))


def _top(archive: Archive) -> str:
    """Return the one folder that all members lie in."""
    tops = {name.partition("/")[0] for name in archive.names}
    top = min(tops, default="")
    if len(tops) != 1 or f"{top}/{PICKLE}" not in archive.names:
        text = f"a zip archive without one folder that holds {PICKLE}, so none of PyTorch's"
        raise FileFormatError(f"{archive.path}: {text}")
    return top


def _member(archive: Archive, name: str, nbytes: int) -> int:
    """Return where a storage's values begin.

    Raises:
        FileFormatError: If it is not there, compressed, or of another length than its values take.
    """
    if name not in archive.names:
        raise FileFormatError(f"{archive.path}: storage {clipped(name)} is not in the archive")
    if (held := archive.size(name)) != nbytes:
        text = f"takes {nbytes} bytes by its type and length, and holds {held}"
        raise FileFormatError(f"{archive.path}: storage {clipped(name)} {text}")
    offset = archive.offset(name)
    if offset is None:
        text = "is compressed, as PyTorch never writes it; unpack the archive and store it"
        raise FileFormatError(f"{archive.path}: storage {clipped(name)} {text}")
    return offset


# Pickles one behind the other


@dataclass
class _Part:
    """A stretch of the file, read from front to back: pickles, numbers, and values that are passed over."""

    path: Path
    handle: int
    limits: Limits
    what: str
    start: int
    end: int

    def __post_init__(self) -> None:
        self.pickle = Pickle(f"{self.path}: {self.what}", self._fetch, self.limits, at=self.start)

    def _fetch(self, at: int, count: int) -> bytes:
        return os.pread(self.handle, max(min(count, self.end - at), 0), at)

    def load(self) -> Any:  # noqa: ANN401 - whatever a pickle holds
        """Return what the next pickle holds."""
        return self.pickle.load()

    def numbers(self, form: str) -> tuple[int, ...]:
        """Return numbers, which lie there as they are."""
        return struct.unpack(f"<{form}", self.pickle.take(struct.calcsize(f"<{form}")))

    def values(self, name: str, stored: str, count: int | None = None) -> Storage:
        """Return a storage that lies next, behind its length, and go on behind it.

        Raises:
            FileFormatError: If it is of another length than it should be, or longer than the file.
        """
        (held,) = self.numbers("q")
        if count is not None and held != count:
            raise self.refusal(f"storage {clipped(name)} has {count} values by the pickle, and holds {held}")
        offset, nbytes = self.pickle.at, held * size_of(stored)
        if held < 0 or nbytes > self.end - offset:
            left = self.end - offset
            raise self.refusal(f"storage {clipped(name)} takes {nbytes} bytes, and {left} are left")
        self.pickle.skip(nbytes)
        return Storage(name=name, stored=stored, offset=offset, count=held)

    def refusal(self, text: str) -> FileFormatError:
        return FileFormatError(f"{self.path}: {self.what}: {text}")

    def check_end(self) -> None:
        """Raise if anything is left."""
        if left := self.end - self.pickle.at:
            raise self.refusal(f"{left} bytes are left behind the last of what it holds")


def _legacy(path: Path, stream: IO[bytes], limits: Limits) -> Held:
    size = os.fstat(stream.fileno()).st_size
    part = _Part(path, stream.fileno(), limits, "its pickles", 0, size)
    part.load()
    if (protocol := part.load()) != _PROTOCOL:
        raise part.refusal(f"its protocol is {called(protocol)}, not {_PROTOCOL}")
    _check_system(part, part.load())
    told, keys = part.load(), part.load()
    storages = _Storages(f"{path}")
    for persistent in persistents_of(told):
        key, stored, count, _ = storages.told(persistent, 6)
        storages.kept(Storage(name=key, stored=stored, offset=0, count=count))
    if not _are_keys(keys) or sorted(keys) != sorted(storages.found):
        raise part.refusal("the keys of its storages are not those of its pickle")
    placed = {
        key: part.values(key, storages.found[key].stored, storages.found[key].count) for key in paced(keys)
    }
    part.check_end()

    def storage_of(persistent: Persistent) -> Storage:
        key, _, _, view = storages.told(persistent, 6)
        return placed[key] if view is None else _view(part, placed[key], view)

    return Held(told=told, place=placed_by(storage_of))


def _are_keys(told: Any) -> bool:  # noqa: ANN401 - whatever a pickle holds
    return type(told) is list and all(type(key) is str for key in told)


def _view(part: _Part, whole: Storage, told: Any) -> Storage:  # noqa: ANN401 - whatever a pickle holds
    """Return the stretch of a storage that old versions told as a storage of its own."""
    numbers = told[1:] if type(told) is tuple and len(told) == 3 else ()
    if len(numbers) != 2 or not all(type(number) is int and number >= 0 for number in numbers):
        raise part.refusal(f"a view of storage {clipped(whole.name)} is not told as one")
    start, count = numbers
    if start + count > whole.count:
        text = f"a view of storage {clipped(whole.name)} reaches to value {start + count} of {whole.count}"
        raise part.refusal(text)
    return replace(whole, offset=whole.offset + start * whole.itemsize, count=count)


def persistents_of(told: Any) -> Iterator[Persistent]:  # noqa: ANN401 - whatever a pickle holds
    """Yield the storages of all tensors in dicts, lists and tuples within each other, each of these once."""
    seen: set[int] = set()
    waiting = [told]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Tensor):
            yield value.storage
        elif isinstance(value, dict | list | tuple) and id(value) not in seen:
            seen.add(id(value))
            waiting += value.values() if isinstance(value, dict) else value


def _check_system(part: _Part, told: Any) -> None:  # noqa: ANN401 - whatever a pickle holds
    if type(told) is not dict or told.get("little_endian") is not True:
        raise part.refusal("it was not written on a machine whose numbers begin with their least byte")


# Tar archives


@dataclass(frozen=True)
class _Member:
    name: str
    start: int
    size: int


def _tar(path: Path, stream: IO[bytes], limits: Limits) -> Held:
    size = os.fstat(stream.fileno()).st_size
    members = {member.name: member for member in _members(path, stream.fileno(), size, limits)}
    if missing := [name for name in _TAR_MEMBERS if name not in members]:
        raise FileFormatError(f"{path}: a tar archive without {missing[0]!r}, so none of PyTorch's")

    def part(name: str) -> _Part:
        member = members[name]
        return _Part(path, stream.fileno(), limits, name, member.start, member.start + member.size)

    system = part("sys_info")
    _check_system(system, system.load())
    tensors = _tar_tensors(part("tensors"), _tar_storages(part("storages"), limits), limits)
    told = part("pickle").load()

    def place(value: Any) -> Placed | None:  # noqa: ANN401 - whatever a pickle holds
        if not isinstance(value, Persistent):
            return None
        if type(value.told) is not str or value.told not in tensors:
            raise FileFormatError(f"{path}: pickle: {called(value.told)} names none of its tensors")
        return tensors[value.told]

    return Held(told=told, place=place)


def _tar_storages(part: _Part, limits: Limits) -> dict[int, Storage]:
    found: dict[int, Storage] = {}
    for _ in paced(range(_tar_count(part, limits))):
        told = part.load()
        if type(told) is not tuple or len(told) != 3 or type(told[0]) is not int or told[0] in found:
            raise part.refusal("a storage is not told as one, or twice")
        found[told[0]] = part.values(str(told[0]), stored_type(f"{part.path}: {part.what}", told[2]))
    views = part.load()
    if type(views) is not list:
        raise part.refusal("the views of its storages are no list")
    for view in paced(views):
        key, root, *told = view if type(view) is tuple and len(view) == 4 else (None, None)
        if type(key) is not int or type(root) is not int or root not in found or key in found:
            raise part.refusal("a view of a storage is not told as one, or twice")
        found[key] = _view(part, found[root], (key, *told))
    part.check_end()
    return found


def _tar_tensors(part: _Part, storages: dict[int, Storage], limits: Limits) -> dict[str, Placed]:
    found: dict[str, Placed] = {}
    for _ in paced(range(_tar_count(part, limits))):
        told = part.load()
        if type(told) is not tuple or len(told) != 3 or type(told[0]) is not int or str(told[0]) in found:
            raise part.refusal("a tensor is not told as one, or twice")
        key, storage, _ = told
        if type(storage) is not int or storage not in storages:
            raise part.refusal(f"tensor {key} lies in a storage that is not there")
        axes, _ = part.numbers("2i")
        if not 0 <= axes <= _MOST_AXES:
            raise part.refusal(f"tensor {key} has {axes} axes")
        numbers = part.numbers(f"{2 * axes + 1}q")
        if min(numbers) < 0:
            raise part.refusal(f"tensor {key} has a size, a stride or an offset of {min(numbers)}")
        tensor = Tensor(Persistent(storage), numbers[-1], numbers[:axes], numbers[axes:-1])
        found[str(key)] = Placed(tensor=tensor, storage=storages[storage])
    part.check_end()
    return found


_MOST_AXES = 32


def _tar_count(part: _Part, limits: Limits) -> int:
    count = part.load()
    if type(count) is not int or not 0 <= count <= limits.objects:
        raise part.refusal(f"how many of them it holds is {called(count)} (limit objects)")
    return count


def _members(path: Path, handle: int, size: int, limits: Limits) -> Iterator[_Member]:
    """Yield the members of a tar archive that are files.

    Raises:
        FileFormatError: If one is anything else, or twice there, or lies outside of the file.
    """
    at, names = 0, set[str]()
    while (header := os.pread(handle, _BLOCK, at)).strip(b"\0"):
        name, kind, length = _header(path, header, at)
        start = at + _BLOCK
        if length > size - start:
            text = f"takes {length} bytes, and {size - start} are left"
            raise FileFormatError(f"{path}: member {clipped(name)} {text}")
        if kind == b"x":
            _check_pax(path, os.pread(handle, min(length, limits.attribute_bytes), start), name)
        elif kind in (b"0", b"\0"):
            if name in names or name not in _TAR_MEMBERS:
                what = "is in the archive twice" if name in names else "is none of PyTorch's"
                raise FileFormatError(f"{path}: member {clipped(name)} {what}")
            names.add(name)
            yield _Member(name, start, length)
        else:
            what = _TAR_KINDS.get(kind, f"of kind {clipped(kind)}")
            raise FileFormatError(f"{path}: member {clipped(name)} is {what}, not a file")
        at = start + -(-length // _BLOCK) * _BLOCK


_TAR_KINDS = {
    b"1": "a link",
    b"2": "a symbolic link",
    b"3": "a device",
    b"4": "a device",
    b"5": "a folder",
    b"6": "a pipe",
    b"S": "a file with holes",
}


def _header(path: Path, header: bytes, at: int) -> tuple[str, bytes, int]:
    """Return name, kind and length of a member of a tar archive."""
    if len(header) < _BLOCK or header[257:262] != b"ustar":
        raise FileFormatError(f"{path}: byte {at}: a tar archive without a member's header here")
    told, length = _octal(header[148:156]), _octal(header[124:136])
    if told != sum(header[:148]) + 8 * 32 + sum(header[156:]):
        raise FileFormatError(f"{path}: byte {at}: a member's header has not the sum that it says")
    if length is None:
        raise FileFormatError(f"{path}: byte {at}: a member's length is no number")
    return header[:100].split(b"\0", 1)[0].decode("latin-1"), header[156:157], length


def _octal(text: bytes) -> int | None:
    digits = text.strip(b" \0")
    return int(digits, 8) if digits.isdigit() and not set(digits) - set(b"01234567") else None


def _check_pax(path: Path, data: bytes, name: str) -> None:
    """Raise if what is said of the next member beside its header changes its name, kind or length."""
    for line in filter(None, data.rstrip(b"\0").split(b"\n")):
        _, _, told = line.partition(b" ")
        key = told.partition(b"=")[0].decode("latin-1")
        if key not in _PLAIN_HEADERS:
            raise FileFormatError(f"{path}: member {clipped(name)} says {clipped(key)} of the next")
