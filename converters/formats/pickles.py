"""Pickles that hold a state dict of PyTorch's, read without running one.

A pickle is a program. This is a machine for that program which has exactly the operations and the names
that state dicts need: dicts, lists, tuples, texts and numbers, tensors and the storages under them. It
imports nothing and calls nothing: a name stands for itself until one of :data:`_CALLS` takes it. Whatever
else a pickle asks for is refused, by the operation or the name, and the byte at which it stands.

Source: Lib/pickle.py of Python 3.11 for the operations, torch/_weights_only_unpickler.py and torch/_utils.py
of pytorch at 00f730b for the names and their arguments.
"""

from __future__ import annotations

import pickletools
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from converters.boundary import paced
from converters.errors import FileFormatError
from converters.limits import Limits, clipped, too_many

Fetch = Callable[[int, int], bytes]
"""Returns the bytes of a pickle from a place on, as many as are asked for or as there are."""
_WINDOW = 1 << 16
_LONGEST = 1 << 20
"""Bytes of the longest text: no name comes near to it."""


@dataclass(frozen=True)
class Name:
    """A class or function that a pickle names; only looked at, never looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        """Return it as Python writes it."""
        return f"{self.module}.{self.name}"


@dataclass(frozen=True)
class Persistent:
    """What a pickle leaves to its reader: by convention a storage, in the oldest form a tensor."""

    told: Any


@dataclass(frozen=True)
class Tensor:
    """A tensor: the storage that it lies in, where it begins there, its sizes and its strides, in values."""

    storage: Persistent
    offset: int
    sizes: tuple[int, ...]
    strides: tuple[int, ...]


class Pickle:
    """A machine that reads one pickle after another."""

    def __init__(self, where: str, fetch: Fetch, limits: Limits, *, at: int = 0) -> None:
        """Take the bytes of pickles.

        Args:
            where: The file, and which part of it they are, for messages.
            fetch: Gives the bytes.
            limits: Caps.
            at: Where the first pickle begins.
        """
        self.at = at
        self._where = where
        self._fetch = fetch
        self._limits = limits
        self._window = b""
        self._begin = 0
        self._first = at
        self._operation = at
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def refusal(self, text: str) -> FileFormatError:
        """Return the error for the operation that is being carried out."""
        return FileFormatError(f"{self._where}: byte {self._operation}: {text}")

    def load(self) -> Any:  # noqa: ANN401 - whatever the pickle holds
        """Return what the next pickle holds, and go on behind it.

        Raises:
            FileFormatError: If it is damaged, or wants what no state dict needs; names it.
        """
        self._stack, self._marks, self._memo = [], [], {}
        for code in paced(iter(self._code, ord("."))):
            operation = _OPERATIONS.get(code)
            if operation is None:
                known = _NAMES.get(chr(code))
                what = f"operation {known}" if known else f"0x{code:02x}, which is no operation,"
                raise self.refusal(f"{what} is in no state dict; nothing was run")
            operation(self)
        if self._marks or len(self._stack) != 1:
            raise self.refusal(f"the pickle ends with {len(self._stack)} values, not with one")
        return self._stack.pop()

    def _code(self) -> int:
        self._operation = self.at
        return self.take(1)[0]

    # Bytes

    def take(self, count: int) -> bytes:
        """Return the next bytes.

        Raises:
            FileFormatError: If there are not as many, or more than a state dict needs.
        """
        used = self.at + count - self._first
        if used > (cap := self._limits.metadata_bytes):
            raise self.refusal(f"the pickle takes {too_many(used, cap, 'metadata_bytes')}")
        start = self.at - self._begin
        if not 0 <= start <= start + count <= len(self._window):
            self._window, self._begin, start = self._fetch(self.at, max(count, _WINDOW)), self.at, 0
        found = self._window[start : start + count]
        if len(found) < count:
            raise self.refusal(f"the pickle is cut short: {count} bytes are wanted, {len(found)} are left")
        self.at += count
        return found

    def skip(self, count: int) -> None:
        """Go on behind so many bytes, which are no part of a pickle."""
        self.at += count
        self._first += count

    def _number(self, form: str) -> int:
        (value,) = struct.unpack(f"<{form}", self.take(struct.calcsize(form)))
        return int(value)

    def _text(self, length: int) -> str:
        if length > _LONGEST:
            raise self.refusal(f"a text of {length} bytes; more than {_LONGEST} are in no state dict")
        data = self.take(length)
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.refusal(f"a text that is not UTF-8: {clipped(data)}") from error

    def _line(self) -> str:
        found = bytearray()
        while (byte := self.take(1)) != b"\n":
            found += byte
            if len(found) > self._limits.name_bytes:
                cap = self._limits.name_bytes
                raise self.refusal(f"a name of more than {cap} bytes (limit name_bytes)")
        try:
            return found.decode("ascii")
        except UnicodeDecodeError as error:
            raise self.refusal(f"a name that is not ASCII: {clipped(bytes(found))}") from error

    # The stack

    def _push(self, value: Any) -> None:  # noqa: ANN401 - whatever a pickle holds
        self._stack.append(value)

    def _pop(self) -> Any:  # noqa: ANN401 - whatever a pickle holds
        if len(self._stack) <= (self._marks[-1] if self._marks else 0):
            raise self.refusal("a value is wanted, and none is there")
        return self._stack.pop()

    def _popped(self, count: int) -> tuple[Any, ...]:
        found = [self._pop() for _ in range(count)]
        return tuple(found[::-1])

    def _marked(self) -> list[Any]:
        """Return what lies above the last mark."""
        if not self._marks:
            raise self.refusal("a mark is wanted, and none is there")
        mark = self._marks.pop()
        found = self._stack[mark:]
        del self._stack[mark:]
        return found

    def _top(self, kind: type, what: str) -> Any:  # noqa: ANN401 - of that kind
        """Return the value on top, which stays, if it is of a kind."""
        value = self._pop()
        self._stack.append(value)
        if type(value) is not kind:
            raise self.refusal(f"{what} goes to {called(value)}")
        return value

    # The operations

    def _proto(self) -> None:
        version = self._number("B")
        if version != _PROTOCOL:
            text = f"a pickle of protocol {version}; PyTorch writes {_PROTOCOL} unless told otherwise"
            raise self.refusal(f"{text}: save it again without pickle_protocol")

    def _mark(self) -> None:
        self._marks.append(len(self._stack))

    def _put(self, key: int) -> None:
        value = self._pop()
        self._stack.append(value)
        if len(self._memo) >= 4 * self._limits.objects and key not in self._memo:
            raise self.refusal(f"more than {4 * self._limits.objects} values are kept (limit objects)")
        self._memo[key] = value

    def _get(self, key: int) -> None:
        if key not in self._memo:
            raise self.refusal(f"value {key} is wanted again, and was never kept")
        self._push(self._memo[key])

    def _long(self) -> None:
        self._push(int.from_bytes(self.take(self._number("B")), "little", signed=True))

    def _float(self) -> None:
        self._push(struct.unpack(">d", self.take(8))[0])

    def _append(self) -> None:
        (value,) = self._popped(1)
        self._top(list, "a value").append(value)

    def _appends(self) -> None:
        values = self._marked()
        self._top(list, "values").extend(values)

    def _setitem(self) -> None:
        self._set(list(self._popped(2)))

    def _setitems(self) -> None:
        self._set(self._marked())

    def _set(self, pairs: list[Any]) -> None:
        if len(pairs) % 2:
            raise self.refusal("a key without a value")
        found = self._top(dict, "an entry")
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            found[self._key(key)] = value

    def _key(self, key: Any) -> str | int:  # noqa: ANN401 - whatever a pickle holds
        if type(key) not in (str, int):
            raise self.refusal(f"{called(key)} is the key of an entry; those of state dicts are texts")
        return key  # type: ignore[no-any-return]

    def _global(self) -> None:
        found = Name(self._line(), self._line())
        if found not in _CALLS and found not in _MARKERS:
            advice = "save what state_dict() gives, alone"
            text = (
                f"the name {clipped(str(found))} is in no state dict; nothing was imported or run; {advice}"
            )
            raise self.refusal(text)
        self._push(found)

    def _reduce(self) -> None:
        call, arguments = self._popped(2)
        made = _CALLS.get(call) if isinstance(call, Name) else None
        if made is None or type(arguments) is not tuple:
            raise self.refusal(f"a call of {called(call)}; nothing was run")
        self._push(made(self, arguments))

    def _build(self) -> None:
        state = self._pop()
        self._top(dict, "a state")
        # What a module says of itself beside its arrays (_metadata) is of no use here.
        if type(state) is not dict:
            raise self.refusal(f"a state that is {called(state)}; that of a dict is a dict")

    def _persistent(self) -> None:
        self._push(Persistent(self._pop()))

    # The names that are called

    def _ordered_dict(self, arguments: tuple[Any, ...]) -> dict[Any, Any]:
        pairs = arguments[0] if arguments else []
        if len(arguments) > 1 or type(pairs) is not list:
            raise self._misuse("collections.OrderedDict", arguments)
        if not all(type(pair) in (list, tuple) and len(pair) == 2 for pair in pairs):
            raise self._misuse("collections.OrderedDict", arguments)
        return {self._key(key): value for key, value in pairs}

    def _size(self, arguments: tuple[Any, ...]) -> tuple[int, ...]:
        if len(arguments) != 1 or not _are_numbers(arguments[0]):
            raise self._misuse("torch.Size", arguments)
        return tuple(arguments[0])

    def _tensor(self, arguments: tuple[Any, ...]) -> Tensor:
        if len(arguments) < 4:
            raise self._misuse("torch._utils._rebuild_tensor_v2", arguments)
        storage, offset, sizes, strides = arguments[:4]
        fits = isinstance(storage, Persistent) and _are_numbers((offset,)) and _are_numbers(sizes)
        if not fits or not _are_numbers(strides) or len(sizes) != len(strides):
            raise self._misuse("torch._utils._rebuild_tensor_v2", arguments)
        if told := [str(name) for name, value in _view_of(arguments).items() if value is not False]:
            text = (
                f"a tensor that is a view with {clipped(told[0])} set: its values are not those that it holds"
            )
            raise self.refusal(f"{text}; save what clone() makes of it")
        return Tensor(storage, offset, tuple(sizes), tuple(strides))

    def _parameter(self, arguments: tuple[Any, ...]) -> Any:  # noqa: ANN401 - a tensor of either form
        if not arguments or not isinstance(arguments[0], Tensor | Persistent):
            raise self._misuse("torch._utils._rebuild_parameter", arguments)
        return arguments[0]

    def _misuse(self, name: str, arguments: tuple[Any, ...]) -> FileFormatError:
        given = ", ".join(map(called, arguments)) or "nothing"
        return self.refusal(f"{name} is given {given}")


def called(value: Any) -> str:  # noqa: ANN401 - whatever a pickle holds
    """Return what a value is, for a message."""
    if isinstance(value, Name):
        return f"the name {value}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"the number {value}" if abs(value) < _LARGEST else "a huge number"
    if isinstance(value, str):
        return f"the text {clipped(value)}"
    return f"a {type(value).__name__.lower()}"


_LARGEST = 1 << 62


def _are_numbers(values: Any) -> bool:  # noqa: ANN401 - whatever a pickle holds
    """Return whether a value holds sizes: whole numbers of which none is negative or beyond all."""
    return type(values) in (tuple, list) and all(
        type(value) is int and 0 <= value < _LARGEST for value in values
    )


def _view_of(arguments: tuple[Any, ...]) -> Mapping[Any, Any]:
    """Return what is told of a tensor besides, behind its hooks: whether its values are negated."""
    told = arguments[6] if len(arguments) > 6 else None
    return told if isinstance(told, Mapping) else {} if told is None else {called(told): told}


_NAMES = {operation.code: operation.name for operation in pickletools.opcodes}
_PROTOCOL = 2
_OPERATIONS: Mapping[int, Callable[[Pickle], None]] = {
    code[0]: operation
    for code, operation in {
        b"\x80": Pickle._proto,
        b"(": Pickle._mark,
        b"c": Pickle._global,
        b"R": Pickle._reduce,
        b"b": Pickle._build,
        b"Q": Pickle._persistent,
        b"}": lambda machine: machine._push({}),
        b"]": lambda machine: machine._push([]),
        b")": lambda machine: machine._push(()),
        b"t": lambda machine: machine._push(tuple(machine._marked())),
        b"\x85": lambda machine: machine._push(machine._popped(1)),
        b"\x86": lambda machine: machine._push(machine._popped(2)),
        b"\x87": lambda machine: machine._push(machine._popped(3)),
        b"N": lambda machine: machine._push(None),
        b"\x88": lambda machine: machine._push(True),
        b"\x89": lambda machine: machine._push(False),
        b"J": lambda machine: machine._push(machine._number("i")),
        b"K": lambda machine: machine._push(machine._number("B")),
        b"M": lambda machine: machine._push(machine._number("H")),
        b"\x8a": Pickle._long,
        b"G": Pickle._float,
        b"X": lambda machine: machine._push(machine._text(machine._number("I"))),
        b"U": lambda machine: machine._push(machine._text(machine._number("B"))),
        b"T": lambda machine: machine._push(machine._text(machine._number("I"))),
        b"q": lambda machine: machine._put(machine._number("B")),
        b"r": lambda machine: machine._put(machine._number("I")),
        b"h": lambda machine: machine._get(machine._number("B")),
        b"j": lambda machine: machine._get(machine._number("I")),
        b"a": Pickle._append,
        b"e": Pickle._appends,
        b"s": Pickle._setitem,
        b"u": Pickle._setitems,
    }.items()
}
_CALLS: Mapping[Name, Callable[[Pickle, tuple[Any, ...]], Any]] = {
    Name("collections", "OrderedDict"): Pickle._ordered_dict,
    Name("torch", "Size"): Pickle._size,
    Name("torch._utils", "_rebuild_tensor"): Pickle._tensor,
    Name("torch._utils", "_rebuild_tensor_v2"): Pickle._tensor,
    Name("torch._utils", "_rebuild_parameter"): Pickle._parameter,
}
"""What may be called, and what stands for it here."""
STORED: Mapping[str, str] = {
    "Double": "<f8",
    "Float": "<f4",
    "Half": "<f2",
    "BFloat16": "bfloat16",
    "Long": "<i8",
    "Int": "<i4",
    "Short": "<i2",
    "Char": "|i1",
    "Byte": "|u1",
    "Bool": "|u1",
}
"""The types of storages, and of the values in them in NumPy's words; truth values are read as bytes."""
_MARKERS = frozenset(
    Name(module, f"{name}{ending}")
    for module in ("torch", "torch.cuda")
    for name in STORED
    for ending in ("Storage", "Tensor")
)
"""The names that are only told, never called."""
