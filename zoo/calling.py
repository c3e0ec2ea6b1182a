"""What every public function does with what it is called with, before it does anything else.

A name that it does not know, a value of a type that it does not take, or a value that is missing is refused
in our own words, with what is allowed; and ``progress`` becomes what is told. All of it follows from the
function's signature and annotations, so that nothing is said twice.
"""

from __future__ import annotations

import functools
import inspect
import os
import types
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, ParamSpec, TypeVar, Union

from zoo.errors import ArgumentError
from zoo.numbers import is_flag, is_whole
from zoo.progress.asked import chosen
from zoo.progress.protocol import showing

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


class CallError(ArgumentError, TypeError):
    """A function was called with an argument that it does not have, or without one that it needs."""


def public(
    *own: str, name: str | None = None
) -> Callable[[Callable[_Given, _Result]], Callable[_Given, _Result]]:
    """Return a decorator for a public function; its signature and documentation stay as they are.

    Args:
        own: Arguments whose types the function checks itself, because it can say more of what is allowed;
            ``*`` is all of them.
        name: What users call it, if not by its own name.
    """

    def decorated(function: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
        call = _Call(function, name or function.__name__, own)

        @functools.wraps(function)
        def called(*args: _Given.args, **kwargs: _Given.kwargs) -> _Result:
            _passed_over = True  # warnings are about the caller's line: see converters.errors.warn_of
            given = call.checked(args, kwargs)
            if "progress" not in call.parameters:
                return function(*args, **kwargs)
            kwargs["progress"] = progress = chosen(given.get("progress"))
            with showing(progress):
                return function(*args, **kwargs)

        return called

    return decorated


class _Call:
    """What a function takes.

    Args:
        function: The function.
        name: What users call it.
        own: Arguments whose types it checks itself.
    """

    def __init__(self, function: Callable[..., object], name: str, own: Collection[str]) -> None:
        self._function, self._name, self._own = function, name, own

    @functools.cached_property
    def signature(self) -> inspect.Signature:
        """The function's signature, its annotations as they are written."""
        return inspect.signature(self._function)

    @functools.cached_property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """All that it takes by name, and all options that it passes on."""
        found: dict[str, inspect.Parameter] = {}
        for parameter in self.signature.parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                found |= {
                    one: parameter.replace(name=one, kind=parameter.KEYWORD_ONLY) for one in self._options
                }
            else:
                found[parameter.name] = parameter
        return found

    @functools.cached_property
    def _options(self) -> Mapping[str, Any]:
        """The keys of the typed dictionary that options are annotated with."""
        written = [
            one.annotation for one in self.signature.parameters.values() if one.kind is one.VAR_KEYWORD
        ]
        told = [_evaluated(text, self._function) for text in written]
        return {key: None for hint in told for one in typing.get_args(hint) for key in one.__annotations__}

    @functools.cached_property
    def _hints(self) -> Mapping[str, Any]:
        if "*" in self._own:
            return {}
        names = [name for name in self.parameters if name not in (*self._own, "progress", *self._options)]
        return {name: _evaluated(self.parameters[name].annotation, self._function) for name in names}

    def checked(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what is given, by name.

        Raises:
            CallError: There is no such argument, or one is missing.
            ArgumentError: One has a type that is not allowed.
        """
        for name in kwargs:
            if name not in self.parameters:
                raise CallError(f"{self._name}(): unknown argument {name!r}{self._instead(name)}")
        try:
            given = self.signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise CallError(f"{self._name}(): {error}; it takes {self._taken}") from None
        for name, hint in self._hints.items():
            if name in given and not _holds(given[name], hint):
                raise ArgumentError(f"{name}={_shown(given[name])}: must be {_in_words(hint)}")
        return given

    def _instead(self, name: str) -> str:
        from difflib import get_close_matches  # only mistakes pay for this import

        near = get_close_matches(name, self.parameters, 1)
        return f"; did you mean {near[0]}=?" if near else f"; it takes {self._taken}"

    @property
    def _taken(self) -> str:
        named = [one for one in self.parameters.values() if one.kind is not one.VAR_POSITIONAL]
        return ", ".join(
            one.name if one.default is one.empty and one.name not in self._options else f"{one.name}="
            for one in named
        )


def _evaluated(written: Any, function: Callable[..., object]) -> Any:  # noqa: ANN401 - any annotation
    """Return an annotation that stands in a module as text; what only type checkers import tells nothing."""
    if not isinstance(written, str):
        return Any if written is inspect.Parameter.empty else written
    try:
        return eval(written, inspect.unwrap(function).__globals__)
    except NameError:
        return Any


def _holds(value: Any, hint: Any) -> bool:  # noqa: ANN401 - any value, any annotation
    """Tell whether a value is of an annotated type, as far as that can be told without looking into it."""
    origin = typing.get_origin(hint)
    if origin in (Union, types.UnionType):
        return any(_holds(value, one) for one in typing.get_args(hint))
    if origin is Literal:
        return any(_is_same(value, one) for one in typing.get_args(hint))
    kind = hint if origin is None else origin
    if hint is None or hint is types.NoneType:
        return value is None
    if kind in _TOLD:
        return _TOLD[kind](value)
    if kind is Any or not inspect.isclass(kind) or getattr(kind, "_is_protocol", False):
        return True
    return isinstance(value, kind)


def _is_same(value: object, allowed: object) -> bool:
    """Tell whether a value is an allowed one; 1 is not ``True``, but a text of NumPy's is a text."""
    return (
        isinstance(value, type(allowed))
        and isinstance(value, bool) == isinstance(allowed, bool)
        and value == allowed
    )


_TOLD: Mapping[Any, Callable[[Any], bool]] = {
    bool: is_flag,
    int: is_whole,
    float: lambda value: isinstance(value, typing.SupportsFloat) and not isinstance(value, bool | str),
    tuple: lambda value: isinstance(value, tuple | list),
    object: lambda value: True,
}
"""What is told in another way than by ``isinstance``."""


def _in_words(hint: Any) -> str:  # noqa: ANN401 - any annotation
    """Return a type as it is read after "must be"."""
    words = list(dict.fromkeys(_words(hint)))
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _words(hint: Any) -> Iterator[str]:  # noqa: ANN401 - any annotation
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        for one in sorted(arguments, key=lambda one: one is types.NoneType):
            yield from _words(one)
    elif origin is Literal or hint is bool:
        yield from map(repr, arguments or (True, False))
    else:
        kind = hint if origin is None else origin
        yield _WORDS.get(kind) or _named(kind)


def _named(kind: Any) -> str:  # noqa: ANN401 - any class
    name = getattr(kind, "__name__", str(kind))
    return f"a Keras {name.lower()}" if kind.__module__.partition(".")[0] == "keras" else f"of type {name}"


_WORDS: Mapping[Any, str] = {
    types.NoneType: "None",
    int: "an integer",
    float: "a number",
    str: "a text",
    os.PathLike: "a path",
    tuple: "several values in a tuple",
    Mapping: "a dict",
    Callable: "a function",
    Iterable: "several values",
    Sequence: "several values in a list",
    Collection: "several values in a list",
}


def _shown(value: object) -> str:
    """Return a value as a message shows it: not all of a large one."""
    text = repr(value)
    return text if len(text) <= _MOST else f"{text[:_MOST]}…"


_MOST = 80
