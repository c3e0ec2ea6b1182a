"""How options are typed on the command line, and what is made of what was typed, without Keras."""

from __future__ import annotations

import argparse
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.errors import ArgumentError, TargetError


@dataclass(frozen=True, kw_only=True)
class Argument:
    """How an option is typed.

    Attributes:
        help: One line about it.
        flag: What is typed, where that is not the option's name.
        dest: What the parser calls it, where it goes by neither.
        more: What else ``add_argument`` of argparse takes: type, metavar, choices, action, default.
        read: Makes the option's value of what was typed; ``None`` where that is the value.
    """

    help: str
    flag: str | None = None
    dest: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)
    read: Callable[[Any], Any] | None = None

    def add_to(self, parser: argparse.ArgumentParser, name: str) -> None:
        """Let a parser know the option of a name."""
        flag = self.flag or f"--{name.replace('_', '-')}"
        named: dict[str, Any] = {} if self.dest is None else {"dest": self.dest}
        parser.add_argument(flag, help=self.help, **named, **self.more)

    def value(self, name: str, typed: argparse.Namespace) -> Any:  # noqa: ANN401 - as the option wants it
        """Return the value of the option of a name, as it was typed."""
        found = getattr(typed, self.dest or (self.flag or name).lstrip("-").replace("-", "_"))
        return found if self.read is None else self.read(found)


FUSED = Argument(help="faster features, equal but for rounding", more={"action": "store_true"})
"""Of whatever computes features."""


def file_to_write(path: Path, said: str) -> Path:
    """Return the path of a file that features are to be written to.

    Args:
        path: The path.
        said: How the user named it: ``--out features.npz``.

    Raises:
        TargetError: No file can be written there, its name is that of another format, or one is there that
            holds something else than features.
    """
    if path.suffix.lower() in _OTHERS:
        other = path.with_suffix(".npz")
        raise TargetError(f"{said}: an .npz file is written; name one, {other} for example")
    if path.is_dir() or not path.parent.is_dir():
        what = "is a folder" if path.is_dir() else "lies in a folder that is not there"
        raise TargetError(f"{said}: {what}; name a file to write, features.npz for example")
    if path.is_file() and path.stat().st_size and not _holds_features(path):
        raise TargetError(f"{said}: is there already and holds no features; name another file, or delete it")
    return path


_OTHERS = (".csv", ".h5", ".hdf5", ".json", ".npy", ".parquet", ".pickle", ".pkl", ".tsv", ".txt")
"""Endings that promise another format; any other name may be that of an ``.npz`` file."""

FEATURES = frozenset({"features", "labels", "files", "classes"})
"""The arrays of a file of features."""


def _holds_features(path: Path) -> bool:
    """Tell whether a file is one that features were written to: to write them again loses nothing."""
    try:
        with zipfile.ZipFile(path) as file:
            return set(file.namelist()) == {f"{name}.npy" for name in FEATURES}
    except (OSError, ValueError, zipfile.BadZipFile):
        return False


def factors_in_words(factors: Mapping[str, float] | None) -> str:
    """Return the factors of the learning rate as they are told behind it: ``, times 10 for head``."""
    return "".join(f", times {factor:g} for {group}" for group, factor in (factors or {}).items())


def learning_rate_factors(given: Sequence[str]) -> dict[str, float]:
    """Return the factors that were typed as ``GROUP=FACTOR``.

    Raises:
        ArgumentError: One is no such pair.
    """
    factors = {}
    for text in given:
        group, equals, factor = text.rpartition("=")
        try:
            factors[group] = float(factor)
        except ValueError:
            equals = ""
        if not equals or not group:
            raise ArgumentError(f"--learning-rate-factor {text}: must be GROUP=FACTOR, head=10 for example")
    return factors


PLAIN_AUGMENTATION = {"all": True, "none": False}
"""What is typed of changing images at random, where that needs no layer of Keras'."""


def augmentation_named(text: str) -> Any:  # noqa: ANN401 - a Keras layer, or whether there is any
    """Return what changes images at random: all of it, all but mirroring, or nothing."""
    if text in PLAIN_AUGMENTATION:
        return PLAIN_AUGMENTATION[text]
    from zoo.finetuning.augmentation import default_augmentation

    return default_augmentation(flip=False)  # no-flip


def weights_named(text: str) -> str | None:
    """Return a weights set's name or a path as typed; ``none`` for random weights."""
    return None if text == "none" else text


def number_or_name(text: str | None) -> str | int | None:
    """Return a number of devices or layers as one; ``all``, or a layer's name, as typed."""
    return int(text) if text is not None and text.isdecimal() else text
