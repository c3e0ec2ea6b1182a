"""Where HDF5 keeps names, variable-length strings and what fits into no header: heaps and indexes.

Every structure is read at most once and through :class:`Blocks`, which counts what is read, so no cycle, no
overlap and no stated size can make the reader take long or take much memory.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from converters.hdf5.messages import NOWHERE, BrokenRuleError
from converters.limits import Limits

_MASK = 0xFFFFFFFF
_WINDOW = 16384
_HASHED = 12 << 12
# Bytes of memory that an entry takes beside what it holds: more than in the file, where it can be 24.
_ENTRY = 256


class Blocks:
    """Reads pieces of a file's metadata, each within the file, all of them together within the limits."""

    def __init__(
        self, handle: int, start: int, size: int, limits: Limits, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take an open file.

        Args:
            handle: File descriptor.
            start: Where address 0 lies.
            size: Bytes from there on.
            limits: Caps; ``metadata_bytes`` and ``seconds`` are watched here.
            clock: What time it is, in seconds.
        """
        self._handle = handle
        self._clock = clock
        self._left = limits.metadata_bytes
        self._end = clock() + limits.seconds
        self._seen: set[tuple[str, int]] = set()
        self._window = b""
        self._window_at = 0
        self.start = start
        self.size = size
        self.limits = limits

    def read(self, address: int, length: int, what: str) -> bytes:
        """Return bytes of the file.

        Raises:
            BrokenRuleError: If they lie outside of the file, or a limit is reached.
        """
        if address + length > self.size:
            raise BrokenRuleError(f"has its {what} outside of the file (at {address} of {self.size})")
        return self.peek(address, length, what)

    def peek(self, address: int, length: int, what: str) -> bytes:
        """Return at most so many bytes, fewer at the end of the file.

        Raises:
            BrokenRuleError: If they begin outside of the file, or a limit is reached.
        """
        if address >= self.size:
            raise BrokenRuleError(f"has its {what} outside of the file (at {address} of {self.size})")
        self.charge(length)
        self.check_time()
        at = address - self._window_at
        if at < 0 or at + length > len(self._window):
            # Headers lie side by side: what follows is likely to be asked for next.
            wanted = min(max(length, _WINDOW), self.size - address)
            self._window, self._window_at, at = (
                os.pread(self._handle, wanted, self.start + address),
                address,
                0,
            )
        return self._window[at : at + length]

    def charge(self, length: int) -> None:
        """Count bytes that are kept in memory, whether or not they lie in the file more than once.

        Raises:
            BrokenRuleError: If there are too many in all.
        """
        self._left -= length
        if self._left < 0:
            cap = self.limits.metadata_bytes
            raise BrokenRuleError(f"makes more than {cap} bytes of metadata (limit metadata_bytes)")

    def check_time(self) -> None:
        """Raise if reading takes too long.

        Raises:
            BrokenRuleError: With the limit.
        """
        if self._clock() > self._end:
            raise BrokenRuleError(f"takes longer than {self.limits.seconds:g} s to read (limit seconds)")

    def once(self, address: int, what: str) -> None:
        """Raise if a structure has been read before: a file in which that happens runs in circles.

        Raises:
            BrokenRuleError: With what it is.
        """
        if (what, address) in self._seen:
            raise BrokenRuleError(f"uses the {what} at {address}, which is used already")
        self._seen.add((what, address))


def lookup3(data: bytes | memoryview, check_time: Callable[[], None] | None = None) -> int:
    """Return Bob Jenkins' lookup3 hash ("hashlittle") with the initial value 0: HDF5's checksum.

    Args:
        data: What is hashed; read piece by piece, since its numbers take many times its bytes.
        check_time: What to call now and then.
    """
    a = b = c = (0xDEADBEEF + len(data)) & _MASK
    view, end = memoryview(data), max(len(data) - 1, 0) // 12 * 12
    for begin in range(0, end, _HASHED):
        if check_time:
            check_time()
        for one, two, three in struct.iter_unpack("<3I", view[begin : min(begin + _HASHED, end)]):
            a, b, c = (a + one) & _MASK, (b + two) & _MASK, (c + three) & _MASK
            # The three numbers take turns; after six steps each is in its own place again.
            for shift in (4, 6, 8, 16, 19, 4):
                turned = (c << shift | c >> 32 - shift) & _MASK
                a, b, c = b, (c + b) & _MASK, ((a - c) & _MASK) ^ turned
    words = struct.unpack("<3I", bytes(view[end:]).ljust(12, b"\0"))
    a, b, c = ((one + word) & _MASK for one, word in zip((a, b, c), words, strict=True))
    for shift in (14, 11, 25, 16, 4, 14, 24):
        a, b, c = b, ((c ^ b) - _turned(b, shift)) & _MASK, a
    return int(b)


def _turned(word: int, bits: int) -> int:
    return (word << bits | word >> 32 - bits) & _MASK


def checked(
    data: bytes, signature: bytes, what: str, check_time: Callable[[], None] | None = None
) -> memoryview:
    """Return a view of a block without the checksum that it ends with.

    Args:
        data: The block.
        signature: What it has to begin with.
        what: What it is, for messages.
        check_time: What to call now and then.

    Raises:
        BrokenRuleError: If its signature or its checksum is wrong.
    """
    body, stored = memoryview(data)[:-4], int.from_bytes(data[-4:], "little")
    if not data.startswith(signature) or lookup3(body, check_time) != stored:
        raise BrokenRuleError(f"has a damaged {what}")
    return body


class LocalHeap:
    """The names of an old group's links."""

    def __init__(self, blocks: Blocks, address: int) -> None:
        """Read the heap at an address."""
        blocks.once(address, "heap of names")
        head = blocks.read(address, 32, "heap of names")
        size, free, data = struct.unpack_from("<QQQ", head, 8)
        if head[:5] != b"HEAP\0":
            raise BrokenRuleError("has a damaged heap of names")
        self._data = blocks.read(data, size, "heap of names") if size else b""
        self._check_free(free)
        self._limit = blocks.limits.name_bytes

    def _check_free(self, at: int) -> None:
        """Follow the list of what is free, as the library does; 1 ends it."""
        left = len(self._data) // 16
        while at != 1:
            if at + 16 > len(self._data) or not left:
                raise BrokenRuleError("has a damaged heap of names")
            left -= 1
            following, size = struct.unpack_from("<QQ", self._data, at)
            if at + size > len(self._data):
                raise BrokenRuleError("has a damaged heap of names")
            at = following

    def name(self, offset: int) -> bytes:
        """Return the name at an offset.

        Raises:
            BrokenRuleError: If it does not end, or is too long.
        """
        end = self._data.find(b"\0", offset, offset + self._limit + 1)
        if end < 0:
            raise BrokenRuleError(f"has a name of more than {self._limit} bytes (limit name_bytes)")
        return self._data[offset:end]


def old_links(blocks: Blocks, tree: int, heap: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the links of an old group: name, address of the header, and 0, or 2 for a soft link."""
    names = LocalHeap(blocks, heap)
    for node in _old_leaves(blocks, tree, None):
        blocks.once(node, "node of a group")
        head = blocks.read(node, 8, "node of a group")
        count = int.from_bytes(head[6:8], "little")
        if head[:5] != b"SNOD\1":
            raise BrokenRuleError("has a damaged node")
        data = blocks.read(node + 8, 40 * count, "node of a group") if count else b""
        for name, address, cached, _, _ in struct.iter_unpack("<QQII16s", data):
            if cached > 2:
                raise BrokenRuleError("has a damaged node")
            yield names.name(name), address, cached


def _old_leaves(blocks: Blocks, address: int, level: int | None) -> Iterator[int]:
    """Yield the leaves below a node of a B-tree of version 1; levels must go down one by one."""
    blocks.once(address, "B-tree")
    data = blocks.peek(address, 544, "B-tree")
    kind, found, count = data[4], data[5], int.from_bytes(data[6:8], "little")
    if data[:4] != b"TREE" or kind or (level is not None and found != level):
        raise BrokenRuleError("has a damaged B-tree")
    if len(data) < 32 + 16 * count:
        data = blocks.read(address, 32 + 16 * count, "B-tree")
    for child in struct.unpack_from(f"<{2 * count}Q", data, 24)[1::2]:
        if found:
            yield from _old_leaves(blocks, child, found - 1)
        else:
            yield child


class GlobalHeap:
    """The variable-length strings, in collections that many attributes share."""

    def __init__(self, blocks: Blocks) -> None:
        """Start with nothing read."""
        self._blocks = blocks
        self._collections: dict[int, dict[int, bytes]] = {}

    def item(self, address: int, index: int, length: int) -> bytes:
        """Return one string.

        Raises:
            BrokenRuleError: If there is none, or it has not the length that it is said to have.
        """
        if address not in self._collections:
            # A few at a time: what a collection takes in memory is many times what it takes in the file.
            if len(self._collections) >= 4:
                self._collections.clear()
            self._collections[address] = self._collection(address)
        data = self._collections[address].get(index)
        if data is None or len(data) < length:
            raise BrokenRuleError("points to a string that is not there")
        # Another reference to the same string may keep a part of it of its own.
        self._blocks.charge(length)
        return data[:length]

    def _collection(self, address: int) -> dict[int, bytes]:
        head = self._blocks.read(address, 16, "variable-length strings")
        (size,) = struct.unpack_from("<Q", head, 8)
        if head[:5] != b"GCOL\1" or size < 16:
            raise BrokenRuleError("has damaged variable-length strings")
        data = self._blocks.read(address, size, "variable-length strings")
        at, found = 16, {}
        while at + 16 <= size:
            index, _, _, length = struct.unpack_from("<HHIQ", data, at)
            if not index:
                break
            if length > size - at - 16 or index in found:
                raise BrokenRuleError("has damaged variable-length strings")
            found[index] = data[at + 16 : at + 16 + length]
            at += 16 + length + -length % 8
        return found


def _width(value: int) -> int:
    """Return the bytes that a number up to a value takes, at least one."""
    return max((value.bit_length() + 7) // 8, 1)


def records(blocks: Blocks, address: int, kind: int) -> Iterator[bytes]:
    """Yield the records of a B-tree of version 2, in order.

    Raises:
        BrokenRuleError: If it is damaged or of another kind.
    """
    blocks.once(address, "index")
    head = checked(blocks.read(address, 38, "index"), b"BTHD\0", "index")
    node, record, depth = struct.unpack_from("<IHH", head, 6)
    root, count, total = struct.unpack_from("<QHQ", head, 16)
    if head[5] != kind or not record or node < 10 + record or depth > 8:
        raise BrokenRuleError("has a damaged index")
    tree = _Tree(blocks, node, record, depth)
    for found in tree.below(root, count, depth) if total else ():
        total -= 1
        yield found
    if total:
        raise BrokenRuleError("has a damaged index")


class _Tree:
    """Walks the nodes of a B-tree of version 2."""

    def __init__(self, blocks: Blocks, node: int, record: int, depth: int) -> None:
        self._blocks = blocks
        self._node = node
        self._record = record
        # For each depth: the most records of one node, and of all below it; leaves are depth 0.
        most = (node - 10) // record
        self._count_width, every, self._widths = _width(most), most, [0]
        for level in range(1, depth + 1):
            pointer = 8 + self._count_width + (self._widths[-1] if level > 1 else 0)
            most = (node - 10 - pointer) // (record + pointer)
            every = (most + 1) * every + most
            self._widths.append(_width(every))

    def below(self, address: int, count: int, depth: int) -> Iterator[bytes]:
        self._blocks.once(address, "index")
        pointer = 8 + self._count_width + (self._widths[depth - 1] if depth > 1 else 0)
        length = 6 + count * self._record + (pointer * (count + 1) if depth else 0) + 4
        if length > self._node:
            raise BrokenRuleError("has a damaged index")
        block = self._blocks.read(address, length, "index")
        data = checked(block, b"BTIN\0" if depth else b"BTLF\0", "index", self._blocks.check_time)
        for number in range(count + 1):
            if depth:
                child, below = self._pointer(data, 6 + count * self._record + pointer * number)
                yield from self.below(child, below, depth - 1)
            if number < count:
                yield bytes(data[6 + self._record * number :][: self._record])

    def _pointer(self, data: memoryview, at: int) -> tuple[int, int]:
        (address,) = struct.unpack_from("<Q", data, at)
        return address, int.from_bytes(data[at + 8 : at + 8 + self._count_width], "little")


@dataclass(frozen=True, kw_only=True)
class _Table:
    """The doubling table of a fractal heap: rows of blocks, each row's twice as large as the one before."""

    width: int
    start: int
    direct_rows: int

    def block(self, row: int) -> int:
        """Return the size of the blocks of a row."""
        return self.start << max(row - 1, 0)

    def position(self, offset: int) -> tuple[int, int, int]:
        """Return row and column of the block that holds an offset, and the offset at which it begins."""
        row = (offset // (self.width * self.start)).bit_length()
        begin = self.width * self.start << row - 1 if row else 0
        column = (offset - begin) // self.block(row)
        return row, column, begin + column * self.block(row)

    def rows_of(self, size: int) -> int:
        """Return the number of rows of an indirect block that spans so many bytes."""
        return size.bit_length() - (self.start * self.width).bit_length() + 1


class FractalHeap:
    """The links of a new group, or the attributes of an object that has many or long ones."""

    def __init__(self, blocks: Blocks, address: int) -> None:
        """Read the heap's header."""
        blocks.once(address, "heap")
        head = checked(blocks.read(address, 146, "heap"), b"FRHP\0", "heap")
        self._blocks, self._address = blocks, address
        filtered, self._checks, managed = struct.unpack_from("<HBI", head, 7)
        (self._huge_tree,) = struct.unpack_from("<Q", head, 22)
        width, start, largest, bits = struct.unpack_from("<HQQH", head, 110)
        self._root, self._rows = struct.unpack_from("<QH", head, 132)
        powers = all(value and not value & (value - 1) for value in (width, start, largest))
        if filtered or not powers or bits > 64 or start > largest:
            raise BrokenRuleError("has a damaged or compressed heap")
        rows = largest.bit_length() - start.bit_length() + 2
        self._table = _Table(width=width, start=start, direct_rows=rows)
        self._offset_width = (bits + 7) // 8
        self._length_width = min((largest.bit_length() + 6) // 8, _width(managed))
        self._direct: dict[int, bytes] = {}
        self._indirect: dict[int, memoryview] = {}
        self._huge: dict[int, tuple[int, int]] | None = None

    def item(self, key: bytes) -> bytes:
        """Return what a heap ID points to.

        Raises:
            BrokenRuleError: If it points nowhere.
        """
        kind = key[0] >> 4
        if kind == 0:
            at = 1 + self._offset_width
            offset = int.from_bytes(key[1:at], "little")
            return self._managed(offset, int.from_bytes(key[at : at + self._length_width], "little"))
        if kind == 1:
            return self._huge_item(int.from_bytes(key[1:], "little"))
        if kind == 2:
            return key[1 : 2 + (key[0] & 15)]
        raise BrokenRuleError("has a damaged heap")

    def _huge_item(self, number: int) -> bytes:
        if self._huge is None:
            found = records(self._blocks, self._huge_tree, 1) if self._huge_tree != NOWHERE else ()
            self._huge = {}
            for record in found:
                address, length, key = struct.unpack_from("<QQQ", record)
                self._huge[key] = (address, length)
                self._blocks.charge(_ENTRY)
        if number not in self._huge:
            raise BrokenRuleError("points to what is not in its heap")
        address, length = self._huge[number]
        return self._blocks.read(address, length, "heap")

    def _managed(self, offset: int, length: int) -> bytes:
        begin, block = 0, self._root
        if self._rows:
            begin, block, size = self._find(offset)
        else:
            size = self._table.start
        data = self._direct.get(block)
        if data is None:
            data = self._direct[block] = self._read_direct(block, size)
        found = data[offset - begin : offset - begin + length]
        if len(found) < length:
            raise BrokenRuleError("points to what is not in its heap")
        return found

    def _read_direct(self, address: int, size: int) -> bytes:
        data = self._blocks.read(address, size, "heap")
        end = 13 + self._offset_width
        if self._checks & 2:
            stored = int.from_bytes(data[end : end + 4], "little")
            whole = b"".join((memoryview(data)[:end], bytes(4), memoryview(data)[end + 4 :]))
            if lookup3(whole, self._blocks.check_time) != stored:
                raise BrokenRuleError("has a damaged heap")
        if data[:5] != b"FHDB\0" or data[5:13] != struct.pack("<Q", self._address):
            raise BrokenRuleError("has a damaged heap")
        return data

    def _find(self, offset: int) -> tuple[int, int, int]:
        """Return where in the heap the block of an offset begins, its address and its size."""
        table, begin, address, rows = self._table, 0, self._root, self._rows
        while True:
            row, column, inner = table.position(offset - begin)
            if row >= rows:
                raise BrokenRuleError("points to what is not in its heap")
            entries = self._read_indirect(address, rows)
            (address,) = struct.unpack_from("<Q", entries, 8 * (row * table.width + column))
            begin += inner
            if row < table.direct_rows:
                return begin, address, table.block(row)
            rows = table.rows_of(table.block(row))

    def _read_indirect(self, address: int, rows: int) -> memoryview:
        if address not in self._indirect:
            head = 13 + self._offset_width
            length = head + 8 * rows * self._table.width + 4
            data = self._blocks.read(address, length, "heap")
            self._indirect[address] = checked(data, b"FHIB\0", "heap", self._blocks.check_time)[head:]
        return self._indirect[address]
