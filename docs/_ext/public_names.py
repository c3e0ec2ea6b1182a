"""References to public names, wherever the classes behind them are defined, and the types that they lead to.

Users import ``converters.Form``; its module is none of their business. Annotations and docstrings lead to the
class itself, so each such reference is turned into one to the public name. Classes without a public name that
public functions take or return, or that their results hold, are listed by the directive ``other-types``, and
errors without one by ``other-errors``. A reference to any other part of the packages stays plain text; one to
something that does not exist is left for Sphinx to warn of.
"""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import keras
import PIL.Image
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

import converters
import zoo
import zoo.errors
import zoo.finetuning

# A class that has several public names is documented under the first one.
_MODULES: tuple[ModuleType, ...] = (zoo, zoo.finetuning, converters, zoo.errors)
_OURS = ("zoo", "converters")
# What modules import for annotations alone.
_FOR_TYPES = {"keras": keras, "Image": PIL.Image}


def public_names() -> Iterator[tuple[str, Any]]:
    """Yield each public name with what it names."""
    for module in _MODULES:
        for name in module.__all__:
            yield f"{module.__name__}.{name}", getattr(module, name)


def other_types() -> list[type]:
    """Return the classes without a public name that belong to public functions and their results, by name."""
    known = {value for _, value in public_names() if inspect.isclass(value)}
    waiting = [hint for _, value in public_names() for hint in _hints(value)]
    found: set[type] = set()
    while waiting:
        for own in _own_classes(waiting.pop()):
            if own not in found | known and not issubclass(own, zoo.ZooError):
                found.add(own)
                waiting.extend(_hints(own))
    return _sorted(found)


def other_errors() -> list[type]:
    """Return the errors without a public name, by name."""
    known = {value for _, value in public_names() if inspect.isclass(value)}
    waiting: list[type] = [zoo.ZooError]
    found: set[type] = set()
    while waiting:
        below = waiting.pop().__subclasses__()
        found.update(below)
        waiting.extend(below)
    return _sorted(error for error in found - known if not error.__name__.startswith("_"))


def _sorted(classes: Iterable[type]) -> list[type]:
    return sorted(classes, key=lambda own: (own.__name__, own.__module__))


def _hints(value: Any) -> Iterable[Any]:  # noqa: ANN401 - anything that is public
    """Return the annotations of a function, or of what a class holds and can do."""
    if inspect.isfunction(value):
        return typing.get_type_hints(value, localns=_FOR_TYPES).values()
    if not inspect.isclass(value) or issubclass(value, Exception):
        return []
    members = [getattr(member, "fget", member) for name, member in vars(value).items() if name[0] != "_"]
    functions = filter(inspect.isfunction, members)
    return [
        *typing.get_type_hints(value, localns=_FOR_TYPES).values(),
        *(hint for one in functions for hint in _hints(one)),
    ]


def _own_classes(hint: Any) -> Iterator[type]:  # noqa: ANN401 - any annotation
    if inspect.isclass(hint) and hint.__module__.split(".")[0] in _OURS:
        yield hint
    for argument in typing.get_args(hint):
        yield from _own_classes(argument)


class _Listing(SphinxDirective):
    """Documents classes that are found, not named."""

    def run(self) -> list[nodes.Node]:
        """Return their entries."""
        paths = (f"{own.__module__}.{own.__qualname__}" for own in self.classes())
        lines = [line for path in paths for line in self.entry(path)]
        holder = nodes.Element()
        self.state.nested_parse(StringList(lines, self.name), 0, holder)
        return holder.children


class OtherTypes(_Listing):
    """Documents the types that :func:`other_types` finds."""

    classes = staticmethod(other_types)

    def entry(self, path: str) -> list[str]:
        """Return the source of one entry, without a constructor: nobody calls it."""
        return [f".. autoclass:: {path}()", "   :members:", ""]


class OtherErrors(_Listing):
    """Documents the errors that :func:`other_errors` finds."""

    classes = staticmethod(other_errors)

    def entry(self, path: str) -> list[str]:
        """Return the source of one entry."""
        return [f".. autoexception:: {path}", ""]


def _paths() -> dict[str, str]:
    """Return where each of our classes is documented, by its full path and by its bare name."""
    paths: dict[str, str] = {}
    for path, value in public_names():
        if hasattr(value, "__qualname__"):
            first = paths.setdefault(f"{value.__module__}.{value.__qualname__}", path)
            paths.setdefault(value.__qualname__, first)
    for own in (*other_types(), *other_errors()):
        paths.setdefault(own.__qualname__, f"{own.__module__}.{own.__qualname__}")
    return paths


def _resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.Node | None:
    """Lead a reference that is not documented as it is written to where it is."""
    target = node["reftarget"]
    if node.get("refdomain") != "py" or not target:
        return None
    known: dict[str, str] = app.zoo_paths
    path = known.get(target) or known.get(target.rsplit(".", 1)[-1])
    if path is None:
        return content if _is_internal(target) else None
    domain = env.domains.python_domain
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", path, node, content)


def _is_internal(target: str) -> bool:
    """Tell whether a module of ours has this name, or is called so."""
    module, _, name = target.rpartition(".")
    ours = {path: value for path, value in sys.modules.items() if path.split(".")[0] in _OURS}
    if module:
        return hasattr(ours.get(module), name) or (module.split(".")[0] in _OURS and _is_module(target))
    return any(hasattr(value, name) for value in ours.values())


def _is_module(path: str) -> bool:
    try:
        return find_spec(path) is not None
    except ModuleNotFoundError:
        return False


def _remember(app: Sphinx) -> None:
    app.zoo_paths = _paths()


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx of the directives and of the references."""
    app.add_directive("other-types", OtherTypes)
    app.add_directive("other-errors", OtherErrors)
    app.connect("builder-inited", _remember)
    app.connect("missing-reference", _resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
