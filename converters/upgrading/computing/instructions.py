"""From a function's instructions to the expression that it returns: each is looked at once, and none is run.

What is understood is a straight line: loading, arithmetic, items, calls, variables, imports, and one return
at the end. Whatever else an instruction does, jumps included, makes a function one that is not recognised.

Sources: Lib/opcode.py and the documentation of Lib/dis.py in Python 2.7, 3.5 to 3.11; for imports
IMPORT_NAME in Python/ceval.c.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from converters.upgrading.computing.expressions import (
    Call,
    Constant,
    Input,
    Item,
    NotRecognisedError,
    Operation,
    Reference,
    Several,
    Slice,
    Tree,
    attribute,
)
from converters.upgrading.computing.marshalled import Code, bytes_of, codes_of

_MOST = 160
"""How many instructions are looked at: an expression is at most as deep."""
_ANY_NUMBER = 0x04 | 0x08
_GENERATOR = 0x20 | 0x80 | 0x100 | 0x200


def recognised(text: str, defaults: Sequence[Any], cells: Sequence[Any], said: Mapping[str, Any]) -> Tree:
    """Return the expression that a stored function returns, of its first argument.

    Args:
        text: Its code, as Keras wrote it.
        defaults: What its last arguments are if nobody says them.
        cells: What it shares with the function that it was made in, in order.
        said: Arguments by name.

    Raises:
        NotRecognisedError: If it does anything but that, or could be read in two ways.
    """
    found: list[Tree] = []
    why = "its code is in no form that is known"
    for code in codes_of(bytes_of(text)):
        for machine in _MACHINES[code.layout]:
            try:
                found.append(_Walk(code, machine, _variables(code, defaults, said), list(cells)).result())
            except NotRecognisedError as error:
                why = str(error)
    if len(found) != 1:
        raise NotRecognisedError(why if not found else "its code could be read in two ways")
    return found[0]


def _variables(code: Code, defaults: Sequence[Any], said: Mapping[str, Any]) -> dict[str, Tree]:
    """Return what the arguments of a function are: what comes in, and constants."""
    if code.flags & (_ANY_NUMBER | _GENERATOR) or code.more or code.cells or code.exceptions:
        raise NotRecognisedError("it takes any number of arguments, or holds functions")
    names = code.variables[: code.arguments]
    if not 0 < code.arguments <= len(code.variables) or len(defaults) > len(names):
        raise NotRecognisedError("it takes no argument")
    known = dict(zip(names[len(names) - len(defaults) :], defaults, strict=True)) | dict(said)
    known.pop(names[0], None)
    if set(known) != set(names[1:]):
        raise NotRecognisedError("it takes arguments that nothing says")
    return {names[0]: Input(), **{name: constant(value) for name, value in known.items()}}


def constant(value: Any) -> Tree:  # noqa: ANN401 - JSON, or what code holds
    """Return a constant: a number, a text, or a list of such.

    Raises:
        NotRecognisedError: If it is anything else.
    """
    if isinstance(value, tuple | list):
        return Several(tuple(constant(item) for item in value))
    if value is None or value is Ellipsis or isinstance(value, bool | int | float | str):
        return Constant(value)
    if isinstance(value, bytes):
        return Constant(value.decode("ascii", "replace"))
    raise NotRecognisedError("it holds a value that is no number")


@dataclass
class _Walk:
    """A function whose instructions are looked at one after the other."""

    code: Code
    machine: _Machine
    variables: dict[str, Tree]
    shared: list[Any]
    stack: list[Any] = field(default_factory=list)
    named: tuple[str, ...] = ()
    ended: bool = False

    def result(self) -> Tree:
        """Return what the function returns."""
        for count, (name, argument) in enumerate(self.machine.decoded(self.code.instructions)):
            step = _STEPS.get(name)
            if step is None or self.ended or count >= _MOST:
                raise NotRecognisedError(f"its code has {name} in it")
            step(self, argument)
        if not self.ended or len(self.stack) != 1:
            raise NotRecognisedError("its code does not end with one result")
        return self.tree()

    def pop(self) -> Any:  # noqa: ANN401 - an expression, or a mark
        if not self.stack:
            raise NotRecognisedError("its code is none that Python writes")
        return self.stack.pop()

    def tree(self) -> Tree:
        found = self.pop()
        if found is _NULL:
            raise NotRecognisedError("its code is none that Python writes")
        tree: Tree = found
        return tree

    def trees(self, count: int) -> tuple[Tree, ...]:
        if count > len(self.stack):
            raise NotRecognisedError("its code is none that Python writes")
        return tuple(reversed([self.tree() for _ in range(count)]))

    def name(self, names: Sequence[str], number: int) -> str:
        if number >= len(names):
            raise NotRecognisedError("its code is none that Python writes")
        return names[number]

    # One method for each instruction; its argument is a number.

    def nothing(self, _: int) -> None:
        """Do nothing: as the marks do that later versions put between instructions."""

    def load_constant(self, number: int) -> None:
        values: Sequence[Any] = self.code.constants
        if number >= len(values):
            raise NotRecognisedError("its code is none that Python writes")
        self.stack.append(constant(values[number]))

    def load_variable(self, number: int) -> None:
        name = self.name(self.code.variables, number)
        if name not in self.variables:
            raise NotRecognisedError("its code is none that Python writes")
        self.stack.append(self.variables[name])

    def store_variable(self, number: int) -> None:
        self.variables[self.name(self.code.variables, number)] = self.tree()

    def load_shared(self, number: int) -> None:
        place = number - (len(self.code.variables) if self.machine.places_together else 0)
        if not 0 <= place < len(self.shared) or len(self.shared) != len(self.code.free):
            raise NotRecognisedError("it uses what nothing says")
        self.stack.append(constant(self.shared[place]))

    def load_global(self, number: int) -> None:
        if self.machine.calls_with_null:
            if number & 1:
                self.stack.append(_NULL)
            number >>= 1
        self.stack.append(Reference(self.name(self.code.names, number)))

    def load_attribute(self, number: int) -> None:
        self.stack.append(attribute(self.tree(), self.name(self.code.names, number)))

    def load_method(self, number: int) -> None:
        """Load a function of a module; of an object it would be a method, which none is recognised of."""
        found = attribute(self.tree(), self.name(self.code.names, number))
        self.stack += [_NULL, found] if self.machine.calls_with_null else [found]

    def push_null(self, _: int) -> None:
        self.stack.append(_NULL)

    def import_name(self, number: int) -> None:
        level_and_list = self.trees(2)
        level, wanted = level_and_list
        if not isinstance(level, Constant) or level.value not in (0, -1):
            raise NotRecognisedError("it imports what lies beside it")
        path = self.name(self.code.names, number)
        whole = not (isinstance(wanted, Constant) and wanted.value is None)
        self.stack.append(Reference(path if whole else path.partition(".")[0]))

    def import_from(self, number: int) -> None:
        module = self.tree()
        self.stack += [module, attribute(module, self.name(self.code.names, number))]

    def pop_top(self, _: int) -> None:
        if not isinstance(self.pop(), Reference):
            raise NotRecognisedError("it computes what it does not return")

    def swap(self, _: int) -> None:
        first, second = self.trees(2)
        self.stack += [second, first]

    def build(self, count: int) -> None:
        self.stack.append(Several(self.trees(count)))

    def build_slice(self, count: int) -> None:
        parts = self.trees(count)
        if count not in (2, 3):
            raise NotRecognisedError("its code is none that Python writes")
        self.stack.append(Slice(parts[0], parts[1], parts[2] if count > 2 else Constant(None)))

    def unpack(self, count: int) -> None:
        """Unpack a list of as many: what comes in has to be one, which whoever draws it finds out."""
        whole = self.tree()
        if isinstance(whole, Several):
            if len(whole.items) != count:
                raise NotRecognisedError("its code is none that Python writes")
            self.stack += reversed(whole.items)
            return
        self.stack += [Unpacked(whole, Constant(place), count) for place in reversed(range(count))]

    def item(self, _: int) -> None:
        of, key = self.trees(2)
        self.stack.append(Item(of, key))

    def negative(self, _: int) -> None:
        self.stack.append(Operation("-", (self.tree(),)))

    def numbered_operation(self, number: int) -> None:
        symbol = _NUMBERED.get(number)
        if symbol is None:
            raise NotRecognisedError("its code has arithmetic in it that is not recognised")
        self.stack.append(Operation(symbol, self.trees(2)))

    def call(self, count: int) -> None:
        """Call a function with values; up to Python 3.5 the upper byte counts those with names."""
        named: dict[str, Tree] = {}
        if self.machine.pairs:
            pairs = [self.trees(2) for _ in range(count >> 8)]
            count &= 0xFF
            for key, value in reversed(pairs):
                named[_text(key)] = value
        names = self.named
        self.named = ()
        values = self.trees(count)
        if len(names) > len(values):
            raise NotRecognisedError("its code is none that Python writes")
        start = len(values) - len(names)
        named |= dict(zip(names, values[start:], strict=True))
        function = self.tree()
        if self.machine.calls_with_null and self.pop() is not _NULL:
            raise NotRecognisedError("it calls a method of a value")
        self.stack.append(Call(function, values[:start], named))

    def call_named(self, count: int) -> None:
        self.named = _texts(self.tree())
        self.call(count)

    def keep_names(self, number: int) -> None:
        self.load_constant(number)
        self.named = _texts(self.tree())

    def end(self, _: int) -> None:
        self.ended = True

    def cut(self, kind: int) -> None:
        """Cut a value as Python 2 does: from and to what lies on the stack, each or neither."""
        stop = self.tree() if kind & 2 else Constant(None)
        start = self.tree() if kind & 1 else Constant(None)
        self.stack.append(Item(self.tree(), Slice(start, stop, Constant(None))))


@dataclass(frozen=True, eq=False)
class Unpacked(Item):
    """One of a list's items where it was taken apart into so many."""

    count: int = 0


_NULL = object()
"""What Python 3.11 puts below a function that is no method."""


def _text(tree: Tree) -> str:
    if not isinstance(tree, Constant) or not isinstance(tree.value, str):
        raise NotRecognisedError("its code is none that Python writes")
    return tree.value


def _texts(tree: Tree) -> tuple[str, ...]:
    if not isinstance(tree, Several):
        raise NotRecognisedError("its code is none that Python writes")
    return tuple(map(_text, tree.items))


def _operation(symbol: str) -> Callable[[_Walk, int], None]:
    def step(walk: _Walk, _: int) -> None:
        walk.stack.append(Operation(symbol, walk.trees(2)))

    return step


def _cut(kind: int) -> Callable[[_Walk, int], None]:
    return lambda walk, _: walk.cut(kind)


_STEPS: Mapping[str, Callable[[_Walk, int], None]] = {
    "NOP": _Walk.nothing,
    "RESUME": _Walk.nothing,
    "PRECALL": _Walk.nothing,
    "COPY_FREE_VARS": _Walk.nothing,
    "LOAD_CONST": _Walk.load_constant,
    "LOAD_FAST": _Walk.load_variable,
    "STORE_FAST": _Walk.store_variable,
    "LOAD_DEREF": _Walk.load_shared,
    "LOAD_GLOBAL": _Walk.load_global,
    "LOAD_ATTR": _Walk.load_attribute,
    "LOAD_METHOD": _Walk.load_method,
    "PUSH_NULL": _Walk.push_null,
    "IMPORT_NAME": _Walk.import_name,
    "IMPORT_FROM": _Walk.import_from,
    "POP_TOP": _Walk.pop_top,
    "ROT_TWO": _Walk.swap,
    "BUILD_TUPLE": _Walk.build,
    "BUILD_LIST": _Walk.build,
    "BUILD_SLICE": _Walk.build_slice,
    "UNPACK_SEQUENCE": _Walk.unpack,
    "BINARY_SUBSCR": _Walk.item,
    "UNARY_NEGATIVE": _Walk.negative,
    "BINARY_OP": _Walk.numbered_operation,
    "CALL_FUNCTION": _Walk.call,
    "CALL_METHOD": _Walk.call,
    "CALL": _Walk.call,
    "CALL_FUNCTION_KW": _Walk.call_named,
    "KW_NAMES": _Walk.keep_names,
    "RETURN_VALUE": _Walk.end,
    **{f"SLICE+{kind}": _cut(kind) for kind in range(4)},
    **{
        f"{start}_{name}": _operation(symbol)
        for start in ("BINARY", "INPLACE")
        for name, symbol in {
            "ADD": "+",
            "SUBTRACT": "-",
            "MULTIPLY": "*",
            "POWER": "**",
            "TRUE_DIVIDE": "/",
            "DIVIDE": "div",
        }.items()
    },
}
"""What each instruction does to the stack of expressions; a name that is not here is not recognised.

Python 2's division is another between whole numbers: ``div``.
"""
# The operators of BINARY_OP, and the same in place.
_NUMBERED = {start + place: symbol for start in (0, 13) for place, symbol in
             {0: "+", 5: "*", 8: "**", 10: "-", 11: "/"}.items()}  # fmt: skip

_COMMON = {
    1: "POP_TOP",
    2: "ROT_TWO",
    9: "NOP",
    11: "UNARY_NEGATIVE",
    19: "BINARY_POWER",
    20: "BINARY_MULTIPLY",
    23: "BINARY_ADD",
    24: "BINARY_SUBTRACT",
    25: "BINARY_SUBSCR",
    27: "BINARY_TRUE_DIVIDE",
    29: "INPLACE_TRUE_DIVIDE",
    55: "INPLACE_ADD",
    56: "INPLACE_SUBTRACT",
    57: "INPLACE_MULTIPLY",
    67: "INPLACE_POWER",
    83: "RETURN_VALUE",
    92: "UNPACK_SEQUENCE",
    100: "LOAD_CONST",
    102: "BUILD_TUPLE",
    103: "BUILD_LIST",
    106: "LOAD_ATTR",
    108: "IMPORT_NAME",
    109: "IMPORT_FROM",
    116: "LOAD_GLOBAL",
    124: "LOAD_FAST",
    125: "STORE_FAST",
    131: "CALL_FUNCTION",
    133: "BUILD_SLICE",
    136: "LOAD_DEREF",
}
_PYTHON2 = {
    **_COMMON,
    21: "BINARY_DIVIDE",
    58: "INPLACE_DIVIDE",
    **{30 + kind: f"SLICE+{kind}" for kind in range(4)},
}
_PYTHON36 = {**_COMMON, 141: "CALL_FUNCTION_KW", 160: "LOAD_METHOD", 161: "CALL_METHOD"}
_PYTHON311 = {
    **{code: name for code, name in _COMMON.items() if not name.startswith(("BINARY_", "INPLACE_", "ROT"))},
    2: "PUSH_NULL",
    25: "BINARY_SUBSCR",
    122: "BINARY_OP",
    137: "LOAD_DEREF",
    149: "COPY_FREE_VARS",
    151: "RESUME",
    160: "LOAD_METHOD",
    166: "PRECALL",
    171: "CALL",
    172: "KW_NAMES",
}
del _PYTHON311[131], _PYTHON311[136]
_CACHES = {
    "BINARY_SUBSCR": 4,
    "BINARY_OP": 1,
    "UNPACK_SEQUENCE": 1,
    "LOAD_ATTR": 4,
    "LOAD_METHOD": 10,
    "LOAD_GLOBAL": 5,
    "PRECALL": 1,
    "CALL": 4,
}
"""How many empty places Python 3.11 leaves behind an instruction."""


@dataclass(frozen=True, kw_only=True)
class _Machine:
    """How a version of Python writes instructions.

    Attributes:
        names: Its instructions by their numbers.
        wide: Whether each takes two bytes; else one, and two more from number 90 on.
        pairs: Whether a call counts values with names in its upper byte.
        calls_with_null: Whether a mark lies below a function that is called, and its caches behind it.
        places_together: Whether what is shared is counted after the variables.
    """

    names: Mapping[int, str]
    wide: bool
    pairs: bool = False
    calls_with_null: bool = False
    places_together: bool = False

    def decoded(self, instructions: bytes) -> Iterator[tuple[str, int]]:
        """Yield each instruction with its argument.

        Raises:
            NotRecognisedError: If one is not known, or they end within one.
        """
        at = 0
        resumed = not self.calls_with_null
        while at < len(instructions):
            name = self.names.get(instructions[at])
            resumed = resumed or name == "RESUME"
            if not resumed and name != "COPY_FREE_VARS":
                raise NotRecognisedError("its code is of another version of Python")
            size = 2 if self.wide else 3 if instructions[at] >= 90 else 1
            if name is None or at + size > len(instructions):
                raise NotRecognisedError(f"its code has instruction {instructions[at]} in it")
            argument = int.from_bytes(instructions[at + 1 : at + size], "little")
            yield name, argument
            at += size
            if self.calls_with_null:
                empty = 2 * _CACHES.get(name, 0)
                if any(instructions[at : at + empty : 2]) or at + empty > len(instructions):
                    raise NotRecognisedError("its code is of another version of Python")
                at += empty


_MACHINES: Mapping[str, tuple[_Machine, ...]] = {
    "2.7": (_Machine(names=_PYTHON2, wide=False, pairs=True),),
    "3.4": (
        _Machine(names=_COMMON, wide=False, pairs=True),
        _Machine(names=_PYTHON36, wide=True),
    ),
    "3.8": (_Machine(names=_PYTHON36, wide=True),),
    "3.11": (_Machine(names=_PYTHON311, wide=True, calls_with_null=True, places_together=True),),
}
"""The ways to read instructions, by how the code around them is laid out."""
