"""Reading the metadata of an HDF5 file, in Python alone and by strict rules.

What comes out is a tree of plain records (:mod:`converters.hdf5.metadata`). What could lead out of the
file, make the reader run in circles or take what it has not, or is not a weights file's business, is
refused: the message names the object and the rule. No code of the HDF5 library runs here, and no file is
opened.
"""

from __future__ import annotations

import struct
import time
from collections import deque
from collections.abc import Callable, Iterator

from converters.hdf5 import messages
from converters.hdf5.heaps import Blocks, FractalHeap, GlobalHeap, checked, old_links, records
from converters.hdf5.messages import NOWHERE, BrokenRuleError
from converters.hdf5.metadata import AttributeInfo, DatasetInfo, FilterInfo, GroupInfo, Shape, TypeInfo
from converters.limits import Limits, clipped, name_fault, too_many

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_OUTSIDE = "only what is stored in the file itself is read"
_LINKS = {1: "a soft link", 64: "an external link"}
# Kinds of messages that an object may have and that say nothing that matters here.
_IDLE = frozenset(
    {
        messages.NIL,
        messages.FILL_OLD,
        messages.GROUP_INFO,
        messages.COMMENT,
        messages.TIME_OLD,
        messages.TIME,
        messages.BTREE_K,
        messages.REFERENCES,
        messages.CONTINUATION,
    }
)
_READ = frozenset(
    {
        messages.DATASPACE,
        messages.LINK_INFO,
        messages.DATATYPE,
        messages.FILL,
        messages.LINK,
        messages.LAYOUT,
        messages.FILTERS,
        messages.ATTRIBUTE,
        messages.SYMBOL_TABLE,
        messages.ATTRIBUTE_INFO,
    }
)
# As many as an old header can count.
_MOST_MESSAGES = 0xFFFF
# Bytes of memory that an attribute takes beside its name and its values; in the file it can take 30 in all.
_ATTRIBUTE = 320
# What the file as a whole may say of itself, in the extension of a new superblock.
_FOREIGN_EXTENSIONS = {
    messages.DRIVER: "is spread over several files; that is not read",
    messages.SHARED_TABLE: "keeps parts of its headers in a table that all objects share; that is not read",
    messages.CACHE_IMAGE: "holds an image of a cache; that is not read",
}


def parse(
    handle: int,
    start: int,
    size: int,
    limits: Limits,
    *,
    base: int = 0,
    clock: Callable[[], float] = time.monotonic,
) -> GroupInfo:
    """Read the tree of an HDF5 file.

    Args:
        handle: File descriptor, open for reading.
        start: Where the signature lies.
        size: Bytes from there to the end of the file.
        limits: Caps.
        base: Bytes of the user's own in front of the signature.
        clock: What time it is, in seconds.

    Raises:
        CutShortError: If the file should be longer.
        RefusedError: With the object and the rule that it breaks.
    """
    return _Reader(Blocks(handle, start, size, limits, clock), base).tree()


class RefusedError(Exception):
    """Why a file is not read; :mod:`converters.hdf5.reader` puts the file's name in front."""


class CutShortError(RefusedError):
    """The file says that it has more bytes than there are."""


class _Reader:
    def __init__(self, blocks: Blocks, base: int) -> None:
        self._blocks = blocks
        self._base = base
        self._limits = blocks.limits
        self._variable = GlobalHeap(blocks)
        self._visited: set[int] = set()
        self._declared = 0
        # Where the values of contiguous datasets lie: begin, end, name.
        self._regions: list[tuple[int, int, str]] = []

    def tree(self) -> GroupInfo:
        try:
            root = self._superblock()
            headers = self._messages(root)
        except (BrokenRuleError, struct.error, IndexError) as error:
            raise RefusedError(_reason("the file", error)) from error
        self._visited.add(root)
        found = self._object(headers, "", 0)
        if not isinstance(found, GroupInfo):
            raise RefusedError("the root is not a group")
        self._check_overlaps()
        return found

    # The file as a whole

    def _superblock(self) -> int:
        """Return the address of the root's header."""
        data = self._blocks.peek(0, 96, "superblock")
        if data[:8] != SIGNATURE or len(data) < 48:
            raise BrokenRuleError("has a damaged superblock")
        version = data[8]
        widths = data[13:15] if version < 2 else data[9:11]
        if version > 3 or widths != b"\x08\x08":
            raise BrokenRuleError(f"has a superblock of an unknown form (version {version})")
        return self._old_superblock(data) if version < 2 else self._new_superblock(data)

    def _old_superblock(self, data: bytes) -> int:
        at = 24 if data[8] == 0 else 28
        base, _, end, driver, _, root = struct.unpack_from("<QQQQQQ", data, at)
        if any(data[9:13]):
            raise BrokenRuleError("has a damaged superblock")
        if driver != NOWHERE:
            raise BrokenRuleError(_FOREIGN_EXTENSIONS[messages.DRIVER])
        self._check_extent(base, end)
        return int(root)

    def _new_superblock(self, data: bytes) -> int:
        body = checked(data[:48], SIGNATURE, "superblock")
        base, extension, end, root = struct.unpack_from("<QQQQ", body, 12)
        self._check_extent(base, end)
        if extension != NOWHERE:
            for kind, _, _ in self._messages(extension):
                if kind in _FOREIGN_EXTENSIONS:
                    raise BrokenRuleError(_FOREIGN_EXTENSIONS[kind])
        return int(root)

    def _check_extent(self, base: int, end: int) -> None:
        size = self._base + self._blocks.size
        if base != self._base:
            raise BrokenRuleError(f"says that it begins at byte {base}, but begins at {self._base}")
        if end > size:
            raise CutShortError(f"it has {size} of {end} bytes")

    # Headers

    def _messages(self, address: int) -> list[tuple[int, int, bytes]]:
        """Return the messages of a header that matter: kind, flags, data."""
        self._blocks.once(address, "header")
        data = self._blocks.peek(address, 512, "header")
        return self._new_header(address, data) if data[:4] == b"OHDR" else self._old_header(address, data)

    def _old_header(self, address: int, data: bytes) -> list[tuple[int, int, bytes]]:
        if data[:2] != b"\1\0":
            raise BrokenRuleError("has a damaged header")
        count, _, size = struct.unpack_from("<HII", data, 2)
        if len(data) < 16 + size:
            data = self._blocks.read(address, 16 + size, "header")
        found: list[tuple[int, int, bytes]] = []
        seen = 0
        pending = deque([memoryview(data)[16 : 16 + size]])
        while pending:
            for message in _old_messages(pending.popleft()):
                seen += 1
                if message[0] == messages.CONTINUATION:
                    pending.append(memoryview(self._continuation(message[2])))
                self._keep(message, found)
        if seen != count:
            raise BrokenRuleError("has a damaged header")
        return found

    def _keep(self, message: tuple[int, int, bytes], found: list[tuple[int, int, bytes]]) -> None:
        """Keep a message if it matters, unless there are more than any object has."""
        self._blocks.check_time()
        if message[0] not in _IDLE:
            found.append(message)
        if len(found) > _MOST_MESSAGES:
            raise BrokenRuleError(f"has more than {_MOST_MESSAGES} parts in its header")

    def _new_header(self, address: int, data: bytes) -> list[tuple[int, int, bytes]]:
        version, flags = data[4], data[5]
        if version != 2:
            raise BrokenRuleError("has a damaged header")
        at = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
        width = 1 << (flags & 3)
        length = at + width + int.from_bytes(data[at : at + width], "little") + 4
        if len(data) < length:
            data = self._blocks.read(address, length, "header")
        found: list[tuple[int, int, bytes]] = []
        watch = self._blocks.check_time
        pending = deque([checked(data[:length], b"OHDR", "header", watch)[at + width :]])
        while pending:
            for message in _new_messages(pending.popleft(), 6 if flags & 4 else 4):
                if message[0] == messages.CONTINUATION:
                    pending.append(checked(self._continuation(message[2]), b"OCHK", "header", watch)[4:])
                self._keep(message, found)
        return found

    def _continuation(self, data: bytes) -> bytes:
        address, length = struct.unpack_from("<QQ", data)
        self._blocks.once(address, "header")
        return self._blocks.read(address, length, "header")

    # Objects

    def _visit(self, address: int, path: str, depth: int) -> GroupInfo | DatasetInfo:
        limits = self._limits
        if address in self._visited:
            raise RefusedError(f"{path!r} is in the file under two names")
        self._visited.add(address)
        if len(self._visited) > limits.objects:
            raise RefusedError(_one_too_many(path, limits))
        if depth > limits.depth:
            raise RefusedError(f"{path!r} lies more than {limits.depth} groups deep (limit depth)")
        try:
            # A path has the names of all groups above it, as often as there are objects below them.
            self._blocks.charge(path.__sizeof__())
            found = self._messages(address)
        except (BrokenRuleError, struct.error, IndexError) as error:
            raise RefusedError(_reason(repr(path), error)) from error
        return self._object(found, path, depth)

    def _object(self, header: list[tuple[int, int, bytes]], path: str, depth: int) -> GroupInfo | DatasetInfo:
        what = repr(path) if path else "the root"
        try:
            parts = _sorted(header)
            attributes = self._attributes(parts, path)
            if messages.LAYOUT in parts or messages.EXTERNAL in parts:
                what = f"dataset {path!r}"
                return self._dataset(parts, attributes, path)
            if not {messages.SYMBOL_TABLE, messages.LINK_INFO} & set(parts):
                raise BrokenRuleError("is neither a group nor a dataset; nothing else is read")
            links = self._listed(parts, path)
        except (BrokenRuleError, struct.error, IndexError, UnicodeDecodeError) as error:
            raise RefusedError(_reason(what, error)) from error
        return self._group(links, attributes, path, depth)

    def _group(
        self, links: list[tuple[str, int]], attributes: dict[str, AttributeInfo], path: str, depth: int
    ) -> GroupInfo:
        children: dict[str, GroupInfo | DatasetInfo] = {}
        for name, address in links:
            below = f"{path}/{name}" if path else name
            if name in children:
                raise RefusedError(f"{below!r} is in the file twice")
            children[name] = self._visit(address, below, depth + 1)
        return GroupInfo(path=path, attributes=attributes, children=children)

    # Links

    def _listed(self, parts: dict[int, list[bytes]], path: str) -> list[tuple[str, int]]:
        """Return a group's links, unless they lead to too many objects."""
        links: list[tuple[str, int]] = []
        most = self._limits.objects - len(self._visited)
        for name, address in self._links(parts, path):
            if len(links) == most:
                raise RefusedError(_one_too_many(f"{path}/{name}".lstrip("/"), self._limits))
            links.append((name, address))
        return links

    def _links(self, parts: dict[int, list[bytes]], path: str) -> Iterator[tuple[str, int]]:
        """Yield name and address of each link of a group; all of them must be hard ones."""
        if messages.SYMBOL_TABLE in parts:
            tree, heap = struct.unpack_from("<QQ", parts[messages.SYMBOL_TABLE][0])
            for name, address, cached in old_links(self._blocks, tree, heap):
                yield self._link(messages.RawLink(name=name, kind=int(cached == 2), address=address), path)
        for data in parts.get(messages.LINK, []):
            yield self._link(messages.link(data), path)
        for data in parts.get(messages.LINK_INFO, []):
            heap, tree = struct.unpack_from("<QQ", data, 10 if data[1] & 1 else 2)
            if heap != NOWHERE:
                found = FractalHeap(self._blocks, heap)
                for record in records(self._blocks, tree, 5):
                    yield self._link(messages.link(found.item(record[4:11])), path)

    def _link(self, link: messages.RawLink, path: str) -> tuple[str, int]:
        name = _name(link.name, f"a link in {path!r}" if path else "a link in the root", self._limits)
        if link.kind or link.address == NOWHERE:
            word = _LINKS.get(link.kind, "a user-defined link")
            raise RefusedError(f"{f'{path}/{name}'.lstrip('/')!r} is {word}; {_OUTSIDE}")
        return name, link.address

    # Attributes

    def _attributes(self, parts: dict[int, list[bytes]], path: str) -> dict[str, AttributeInfo]:
        found: dict[str, AttributeInfo] = {}
        owner = repr(path) if path else "the root"
        for data in self._raw_attributes(parts):
            self._blocks.charge(_ATTRIBUTE)
            raw = messages.attribute(data)
            name = _name(raw.name, f"an attribute of {owner}", self._limits)
            if name in found:
                raise BrokenRuleError(f"has the attribute {name!r} twice")
            try:
                found[name] = self._attribute(name, raw)
            except BrokenRuleError as error:
                raise RefusedError(f"attribute {name!r} of {owner} {error}") from error
            if len(found) > self._limits.attributes:
                raise BrokenRuleError(
                    f"has more than {self._limits.attributes} attributes (limit attributes)"
                )
        return found

    def _raw_attributes(self, parts: dict[int, list[bytes]]) -> Iterator[bytes]:
        yield from parts.get(messages.ATTRIBUTE, [])
        for data in parts.get(messages.ATTRIBUTE_INFO, []):
            heap, tree = struct.unpack_from("<QQ", data, 4 if data[1] & 1 else 2)
            if heap != NOWHERE:
                found = FractalHeap(self._blocks, heap)
                for record in records(self._blocks, tree, 8):
                    if record[8] & 2:
                        raise BrokenRuleError("has an attribute that is stored elsewhere; that is not read")
                    yield found.item(record[:8])

    def _attribute(self, name: str, raw: messages.RawAttribute) -> AttributeInfo:
        kind = _type(raw.type, "only numbers and text are read as attributes")
        size = messages.declared(raw.shape, kind.size) if raw.shape is not None else 0
        if size > self._limits.attribute_bytes:
            cap = self._limits.attribute_bytes
            raise BrokenRuleError(f"takes {too_many(size, cap, 'attribute_bytes')}")
        if size > len(raw.data):
            raise BrokenRuleError(f"declares {size} bytes and stores {len(raw.data)}")
        data = bytes(raw.data[:size])
        return AttributeInfo(
            name=name, type=kind, shape=raw.shape, data=self._strings(data) if kind.variable else data
        )

    def _strings(self, data: bytes) -> tuple[bytes | None, ...]:
        """Return variable-length strings, whose lengths are added up before they are fetched."""
        pointers = list(struct.iter_unpack("<IQI", data))
        total, cap = sum(length for length, _, _ in pointers), self._limits.attribute_bytes
        if total > cap:
            raise BrokenRuleError(f"takes {too_many(total, cap, 'attribute_bytes')}")
        # The address 0 stands for no string at all.
        return tuple(
            self._variable.item(address, index, length) if address not in (0, NOWHERE) else None
            for length, address, index in pointers
        )

    # Datasets

    def _dataset(
        self, parts: dict[int, list[bytes]], attributes: dict[str, AttributeInfo], path: str
    ) -> DatasetInfo:
        if messages.EXTERNAL in parts:
            raise BrokenRuleError("keeps its values in other files; that is not read")
        kind = _type(_only(parts, messages.DATATYPE), "only plain numbers are read")
        if not kind.is_plain:
            word = "text" if kind.kind == "string" else "an enumeration"
            raise BrokenRuleError(f"holds {word}; only plain numbers are read")
        shape, maxshape = messages.dataspace(_only(parts, messages.DATASPACE))
        if shape is None:
            raise BrokenRuleError("holds nothing at all, not even a shape")
        steps = messages.filters(_only(parts, messages.FILTERS)) if messages.FILTERS in parts else ()
        storage = messages.storage(_only(parts, messages.LAYOUT))
        nbytes = messages.declared(shape, kind.size)
        self._check_size(storage, nbytes, steps)
        if storage.layout == "chunked":
            self._check_chunks(storage, shape, kind)
        fill = messages.fill_value(_only(parts, messages.FILL)) if messages.FILL in parts else None
        if fill is not None and len(fill) != kind.size:
            raise BrokenRuleError("has a damaged fill value")
        return DatasetInfo(
            path=path,
            attributes=attributes,
            shape=shape,
            maxshape=maxshape,
            type=kind,
            layout=storage.layout,
            offset=self._region(storage, nbytes, path),
            data=storage.data,
            chunks=storage.chunks[:-1] if storage.chunks is not None else None,
            filters=steps if storage.layout == "chunked" else (),
            fill=fill,
        )

    def _check_size(self, storage: messages.Storage, nbytes: int, steps: tuple[FilterInfo, ...]) -> None:
        """Hold what a dataset declares against what it stores, and against what the file can hold."""
        if storage.layout == "compact":
            stored = len(storage.data or b"")
        else:
            stored = 0 if storage.address is None else self._blocks.size
            if storage.layout == "contiguous" and storage.address is not None:
                stored = storage.size or 0
        if nbytes and not stored:
            raise BrokenRuleError(f"declares {nbytes} bytes and stores none of them")
        if storage.layout != "chunked" and stored != nbytes:
            raise BrokenRuleError(f"declares {nbytes} bytes and stores {stored}")
        compressed = any(step.id in messages.COMPRESSION for step in steps)
        most = self._blocks.size * (self._limits.ratio if compressed and storage.layout == "chunked" else 1)
        self._declared += nbytes
        if nbytes > most:
            raise BrokenRuleError(
                f"declares {nbytes} bytes, more than the file can hold ({most}; limit ratio)"
            )
        if self._declared > self._limits.declared_bytes:
            cap = self._limits.declared_bytes
            raise BrokenRuleError(f"makes more than {cap} bytes of values (limit declared_bytes)")

    def _check_chunks(self, storage: messages.Storage, shape: Shape, kind: TypeInfo) -> None:
        chunks = storage.chunks or ()
        if len(chunks) != len(shape) + 1 or chunks[-1] != kind.size or 0 in chunks:
            raise BrokenRuleError(f"has chunks of {chunks[:-1]} that do not fit its shape {shape}")
        size, cap = messages.declared(chunks, 1), self._limits.chunk_bytes
        if size > cap:
            raise BrokenRuleError(f"has chunks of {too_many(size, cap, 'chunk_bytes')}")

    def _region(self, storage: messages.Storage, nbytes: int, path: str) -> int | None:
        """Return where a contiguous dataset lies in the whole file, once it is known to lie within it."""
        if storage.layout != "contiguous" or storage.address is None or not nbytes:
            return None
        if storage.address + nbytes > self._blocks.size:
            where = f"at {storage.address}, {nbytes} bytes, of {self._blocks.size}"
            raise BrokenRuleError(f"has its values outside of the file ({where})")
        self._regions.append((storage.address, storage.address + nbytes, path))
        return self._blocks.start + storage.address

    def _check_overlaps(self) -> None:
        """Raise if two datasets share bytes: then the file holds less than it declares."""
        self._regions.sort()
        for (_, end, one), (begin, _, other) in zip(self._regions, self._regions[1:], strict=False):
            if begin < end:
                raise RefusedError(f"datasets {one!r} and {other!r} share the same bytes of the file")


def _one_too_many(path: str, limits: Limits) -> str:
    return f"{path!r} is one object too many; {limits.objects} are read (limit objects)"


def _reason(what: str, error: Exception) -> str:
    """Return a message; a structure that ends too early or holds no text is damaged."""
    if isinstance(error, BrokenRuleError):
        return f"{what} {error}"
    return f"{what} has a damaged header"


def _name(raw: bytes, what: str, limits: Limits) -> str:
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RefusedError(f"{what} has the name {clipped(raw)}, which is not UTF-8") from error
    fault = name_fault(name, limits) or ("holds a '/'" if "/" in name and "link" in what else None)
    if fault:
        raise RefusedError(f"{what} has the name {clipped(name)}, which {fault}")
    return name


def _type(data: bytes, rule: str) -> TypeInfo:
    try:
        return messages.datatype(data)
    except BrokenRuleError as error:
        raise BrokenRuleError(f"{error}; {rule}") from error


def _only(parts: dict[int, list[bytes]], kind: int) -> bytes:
    """Return the one message of a kind."""
    found = parts.get(kind, [])
    if len(found) != 1:
        raise BrokenRuleError("has a damaged header")
    return found[0]


def _sorted(header: list[tuple[int, int, bytes]]) -> dict[int, list[bytes]]:
    """Return the messages that matter by kind, once none of them is foreign or stored elsewhere."""
    parts: dict[int, list[bytes]] = {}
    for kind, flags, data in header:
        if kind in _IDLE:
            continue
        if kind not in _READ and kind != messages.EXTERNAL:
            raise BrokenRuleError(f"has a message of kind {kind} in its header, which no weights file has")
        if flags & 2:
            raise BrokenRuleError("has a part of its header stored elsewhere; that is not read")
        parts.setdefault(kind, []).append(data)
    return parts


def _old_messages(block: memoryview) -> Iterator[tuple[int, int, bytes]]:
    at = 0
    while at + 8 <= len(block):
        kind, size, flags = struct.unpack_from("<HHB", block, at)
        at += 8
        if at + size > len(block):
            raise BrokenRuleError("has a damaged header")
        yield kind, flags, bytes(block[at : at + size])
        at += size


def _new_messages(block: memoryview, head: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield the messages of a new header; up to ``head`` bytes at its end may be a gap."""
    at = 0
    while at + head <= len(block):
        kind, size, flags = struct.unpack_from("<BHB", block, at)
        at += head
        if at + size > len(block):
            raise BrokenRuleError("has a damaged header")
        yield kind, flags, bytes(block[at : at + size])
        at += size
