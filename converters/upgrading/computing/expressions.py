"""Expressions: what comes into a layer, numbers, calls of functions by their names. Nothing is evaluated."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias


class NotRecognisedError(Exception):
    """Raised within this package for what is none of the expressions that it knows; says why."""


@dataclass(frozen=True, eq=False)
class Input:
    """What comes into the layer: a value, or a list of them."""


@dataclass(frozen=True, eq=False)
class Constant:
    """A number, a text, a truth value, None, ``...``, or a tuple of such."""

    value: Any


@dataclass(frozen=True, eq=False)
class Reference:
    """A function, a module or a type by its name, ``K.abs``."""

    path: str


@dataclass(frozen=True, eq=False)
class Several:
    """A list or a tuple."""

    items: tuple[Tree, ...]


@dataclass(frozen=True, eq=False)
class Item:
    """An item of a list, or a cut from a value."""

    of: Tree
    key: Tree


@dataclass(frozen=True, eq=False)
class Slice:
    """What ``start:stop:step`` says; each of it is a constant."""

    start: Tree
    stop: Tree
    step: Tree


@dataclass(frozen=True, eq=False)
class Operation:
    """Arithmetic on two operands, by its symbol, or ``-`` on one."""

    symbol: str
    operands: tuple[Tree, ...]


@dataclass(frozen=True, eq=False)
class Call:
    """A call of a function."""

    function: Tree
    given: tuple[Tree, ...]
    named: Mapping[str, Tree]


Tree: TypeAlias = Input | Constant | Reference | Several | Item | Slice | Operation | Call
"""An expression. Two are the same only if they are one object: what is used twice is computed once."""

INPUT_NAME = "x"
"""What an expression that is said calls what comes in."""
_LONGEST, _DEEPEST = 1000, 40
_MOST_WRITTEN = 100
_SYMBOLS: Mapping[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
}


def parsed(text: str) -> Tree:
    """Return an expression that somebody says: of ``x``, numbers, arithmetic, items, and functions.

    Args:
        text: The expression in the words of Python, ``K.abs(x[0] - x[1])``.

    Raises:
        NotRecognisedError: If it is none, or has anything else in it.
    """
    if len(text) > _LONGEST:
        raise NotRecognisedError(f"more than {_LONGEST} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise NotRecognisedError(type(error).__name__) from error
    return _Reader().read(tree, 0)


class _Reader:
    """Turns Python's own syntax into expressions."""

    def __init__(self) -> None:
        self._input = Input()

    def read(self, tree: ast.AST, depth: int) -> Tree:
        if depth > _DEEPEST:
            raise NotRecognisedError("it is nested too deep")
        found = _READ.get(type(tree))
        if found is None:
            raise NotRecognisedError(f"it has a {type(tree).__name__} in it")
        return found(self, tree, depth + 1)

    def constant(self, tree: ast.Constant, _: int) -> Tree:
        return Constant(tree.value)

    def name(self, tree: ast.Name, _: int) -> Tree:
        return self._input if tree.id == INPUT_NAME else Reference(tree.id)

    def attribute(self, tree: ast.Attribute, depth: int) -> Tree:
        return attribute(self.read(tree.value, depth), tree.attr)

    def several(self, tree: ast.Tuple | ast.List, depth: int) -> Tree:
        return Several(tuple(self.read(item, depth) for item in tree.elts))

    def item(self, tree: ast.Subscript, depth: int) -> Tree:
        return Item(self.read(tree.value, depth), self.read(tree.slice, depth))

    def cut(self, tree: ast.Slice, depth: int) -> Tree:
        ends = (tree.lower, tree.upper, tree.step)
        return Slice(*(Constant(None) if end is None else self.read(end, depth) for end in ends))

    def negative(self, tree: ast.UnaryOp, depth: int) -> Tree:
        if not isinstance(tree.op, ast.USub):
            raise NotRecognisedError(f"it has a {type(tree.op).__name__} in it")
        return Operation("-", (self.read(tree.operand, depth),))

    def operation(self, tree: ast.BinOp, depth: int) -> Tree:
        symbol = _SYMBOLS.get(type(tree.op))
        if symbol is None:
            raise NotRecognisedError(f"it has a {type(tree.op).__name__} in it")
        return Operation(symbol, (self.read(tree.left, depth), self.read(tree.right, depth)))

    def call(self, tree: ast.Call, depth: int) -> Tree:
        if any(keyword.arg is None for keyword in tree.keywords):
            raise NotRecognisedError("it has ** in it")
        named = {str(keyword.arg): self.read(keyword.value, depth) for keyword in tree.keywords}
        given = tuple(self.read(value, depth) for value in tree.args)
        return Call(self.read(tree.func, depth), given, named)


_READ: Mapping[type[ast.AST], Callable[[_Reader, Any, int], Tree]] = {
    ast.Constant: _Reader.constant,
    ast.Name: _Reader.name,
    ast.Attribute: _Reader.attribute,
    ast.Tuple: _Reader.several,
    ast.List: _Reader.several,
    ast.Subscript: _Reader.item,
    ast.Slice: _Reader.cut,
    ast.UnaryOp: _Reader.negative,
    ast.BinOp: _Reader.operation,
    ast.Call: _Reader.call,
}


def attribute(tree: Tree, name: str) -> Tree:
    """Return what a module has under a name.

    Raises:
        NotRecognisedError: If it is no module.
    """
    if not isinstance(tree, Reference):
        raise NotRecognisedError(f"it asks for .{name} of a value")
    return Reference(f"{tree.path}.{name}")


def written(tree: Tree) -> str:
    """Return an expression as text: what is told of a layer; of a long one the beginning."""
    return _Texts().one(tree)


class _Texts:
    """Writes an expression, and what lies in it; what is used twice is written twice."""

    def __init__(self) -> None:
        self._left = _MOST_WRITTEN

    def one(self, tree: Tree) -> str:
        self._left -= 1
        if self._left < 0:
            return "..."
        write = next(write for kind, write in _WRITTEN.items() if isinstance(tree, kind))
        return write(self, tree)

    def of(self, trees: tuple[Tree, ...]) -> str:
        return ", ".join(map(self.one, trees))

    def constant(self, tree: Constant) -> str:
        return "..." if tree.value is Ellipsis else repr(tree.value)

    def several(self, tree: Several) -> str:
        return f"[{self.of(tree.items)}]"

    def cut(self, tree: Slice) -> str:
        nothing = [
            isinstance(end, Constant) and end.value is None for end in (tree.start, tree.stop, tree.step)
        ]
        start, stop, step = (
            "" if none else self.one(end)
            for none, end in zip(nothing, (tree.start, tree.stop, tree.step), strict=True)
        )
        return f"{start}:{stop}" + (f":{step}" if step else "")

    def item(self, tree: Item) -> str:
        key = self.of(tree.key.items) if isinstance(tree.key, Several) else self.one(tree.key)
        return f"{self.one(tree.of)}[{key}]"

    def operation(self, tree: Operation) -> str:
        texts = [
            f"({self.one(operand)})" if isinstance(operand, Operation) else self.one(operand)
            for operand in tree.operands
        ]
        return f"-{texts[0]}" if len(texts) == 1 else f"{texts[0]} {tree.symbol} {texts[1]}"

    def call(self, tree: Call) -> str:
        named = [f"{name}={self.one(value)}" for name, value in tree.named.items()]
        return f"{self.one(tree.function)}({', '.join([*map(self.one, tree.given), *named])})"


_WRITTEN: Mapping[type, Callable[[_Texts, Any], str]] = {
    Input: lambda texts, tree: INPUT_NAME,
    Constant: _Texts.constant,
    Reference: lambda texts, tree: str(tree.path),
    Several: _Texts.several,
    Slice: _Texts.cut,
    Item: _Texts.item,
    Operation: _Texts.operation,
    Call: _Texts.call,
}
