"""Objects that configurations name: regularizers, constraints, initializers, losses, metrics, schedules.

Keras 1 writes ``{"name": "MaxNorm", "m": 2}``, Keras 2 ``{"class_name": "MaxNorm", "config": {"max_value":
2}}``, and either a word where all is as by default. What is known of them stands in tables, one record for
each; what is not, or has a setting that today's class lacks, has no place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from converters.layers.config import Setting

Check = Callable[[Setting], bool]


def is_number(value: Setting) -> TypeGuard[float]:
    """Return whether a setting is a finite number."""
    return type(value) in (int, float) and abs(value) < _LARGEST


_LARGEST = 1e30


def is_amount(value: Setting) -> bool:
    """Return whether a setting is a number that is not below zero, as today's Keras asks for."""
    return is_number(value) and value >= 0


def is_share(value: Setting) -> bool:
    """Return whether a setting is a number from 0 to 1, as today's Keras asks for."""
    return is_number(value) and 0 <= value <= 1


def is_flag(value: Setting) -> bool:
    """Return whether a setting is true or false."""
    return isinstance(value, bool)


def is_count(value: Setting) -> bool:
    """Return whether a setting is a positive integer."""
    return type(value) is int and 0 < value < 1 << 40


def or_none(check: Check) -> Check:
    """Return the same check of a setting that may be None."""
    return lambda value: value is None or check(value)


def one_of(*words: str) -> Check:
    """Return whether a setting is one of some words."""
    return lambda value: isinstance(value, str) and value in words


@dataclass(frozen=True, kw_only=True)
class Known:
    """An object that today's Keras has too.

    Attributes:
        today: Its class there.
        settings: What each of today's settings may be.
        renamed: What settings were called, and are called today.
        replaced: What stands today for a value of a setting, by the setting and its word.
        silent: Settings of which nothing remains: they said what is always so today.
    """

    today: str
    settings: Mapping[str, Check] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    replaced: Mapping[tuple[str, str], Setting] = field(default_factory=dict)
    silent: tuple[str, ...] = ("name", "dtype")

    def said(self, settings: Mapping[str, Setting]) -> dict[str, Setting] | None:
        """Return settings as today's class takes them, or None if it has no place for one."""
        found: dict[str, Setting] = {}
        for key, value in settings.items():
            name = self.renamed.get(key, key)
            if name in self.silent:
                continue
            if isinstance(value, str) and (name, value) in self.replaced:
                value = self.replaced[name, value]  # noqa: PLW2901 - the same setting, in today's words
            if name not in self.settings or not self.settings[name](value):
                return None
            found[name] = value
        return found


def parted(value: Setting) -> tuple[str, Mapping[str, Setting]] | None:
    """Return the class that a value names, and its settings; None if it names none."""
    if isinstance(value, str):
        return value, {}
    if not isinstance(value, Mapping):
        return None
    if "class_name" in value:
        settings = value.get("config")
        name, own = value["class_name"], settings if isinstance(settings, Mapping) else {}
    else:
        name, own = value.get("name"), {key: said for key, said in value.items() if key != "name"}
    return (name, own) if isinstance(name, str) else None


def plain(name: str) -> str:
    """Return a class's name as tables have it: without the package it is registered for, case and ``_``."""
    return name.rpartition(">")[2].replace("_", "").lower()


def today_of(value: Setting, table: Mapping[str, Known], module: str) -> dict[str, Any] | None:
    """Return an object as today's configurations write it.

    Args:
        value: What the old configuration has.
        table: What is known, by :func:`plain` names.
        module: The module of today's classes.

    Returns:
        None if it is not known, or has a setting that today's class has no place for.
    """
    found = parted(value)
    known = table.get(plain(found[0])) if found else None
    settings = known.said(found[1]) if known and found else None
    return None if known is None or settings is None else written(known.today, settings, module)


def written(class_name: str, settings: Mapping[str, Any], module: str) -> dict[str, Any]:
    """Return an object of today's Keras as a configuration has it."""
    return {"module": module, "class_name": class_name, "config": dict(settings), "registered_name": None}
