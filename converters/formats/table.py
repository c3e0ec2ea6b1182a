"""The table of file formats: what a format is called, how its files are named, and which module knows it.

A format is one module of this room and one entry of :data:`FORMATS`. The module has, as far as the entry says
that the format is read and written:

``recognise(head)``
    Whether a file that begins with these bytes (up to 4096) is of this format.
``read(path, stream, limits, known)``
    The open file as a :class:`converters.hdf5.source.Source`; the stream belongs to it from then on.
``create(contents, path, texts)``
    Make the new file with room for every array, and return where each lies, by its path.
``finish(contents, path, record)``
    Write the record of the conversion, when all arrays are there.

Modules are imported when they are needed: the command line asks this table for its choices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, cast

Arrays = Literal["keras1", "keras2", "keras3", "plain", "foreign"]
"""How arrays are named and gates kept: as a version of Keras does, ``layer/role`` with gates packed, or as
other software does, whose files are only read."""
Dialect = Literal["keras1", "keras2", "keras3"]
"""A dialect whose axes and rows arrays have that are written."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """A file format.

    Attributes:
        module: The module of this room that knows it.
        suffixes: What its files are called, in lower case, where the name alone says that they hold weights.
        ending: What a new file's name ends in; None if the name of the format is put into the old name.
        arrays: How its arrays are named. Those of ``plain`` formats are laid out as Keras 3 does, in either
            layout; where neither layout nor kernels change, layers without a rule are carried in them.
        reads: Whether its files are read.
        writes: Whether its files are written.
        by_order: Whether those who read it load weights in the order of its layers, which it thus has to
            have.
        keeps_form: Whether a new file has the old one's layout and kernels, if the user does not say any.
        today: Whether today's Keras loads it: with its hard sigmoid, and into the network as it is drawn.
    """

    module: str
    suffixes: tuple[str, ...] = ()
    ending: str | None = None
    arrays: Arrays = "plain"
    reads: bool = True
    writes: bool = True
    by_order: bool = False
    keeps_form: bool = False
    today: bool = False

    @property
    def plain(self) -> bool:
        """Whether it is a container of plain arrays, not HDF5."""
        return self.arrays == "plain"

    @property
    def dialect(self) -> Dialect:
        """The dialect whose axes and rows the arrays have."""
        return "keras3" if self.plain or self.foreign else cast(Dialect, self.arrays)

    @property
    def foreign(self) -> bool:
        """Whether its files are other software's, which are read and never written."""
        return self.arrays == "foreign"

    def load(self) -> Any:  # noqa: ANN401 - a module of whose functions this module's text tells
        """Import its module."""
        return import_module(f"converters.formats.{self.module}")


FORMATS: Mapping[str, Format] = {
    "keras1": Format(
        module="keras_h5", suffixes=(".h5", ".hdf5"), arrays="keras1", by_order=True, keeps_form=True
    ),
    "keras2": Format(module="keras_h5", suffixes=(".h5", ".hdf5"), arrays="keras2", by_order=True),
    "keras3": Format(
        module="keras_h5", suffixes=(".h5", ".hdf5"), ending=".weights.h5", arrays="keras3", today=True
    ),
    # Before the archives of Keras: PyTorch's are told from those by the name of their first member.
    "pytorch": Format(module="pytorch", suffixes=(".pth", ".pt"), arrays="foreign", writes=False),
    "keras": Format(module="archive", suffixes=(".keras",), arrays="keras3", writes=False),
    "safetensors": Format(module="safetensors", suffixes=(".safetensors",), ending=".safetensors"),
    # An .npz file may hold anything: its name does not say that it holds weights.
    "npz": Format(module="npz", ending=".npz"),
    # Of Caffe's files nothing but their fields tells what they are: they are looked at last.
    "caffemodel": Format(module="caffemodel", suffixes=(".caffemodel",), arrays="foreign", writes=False),
    "binaryproto": Format(module="caffemodel", suffixes=(".binaryproto",), arrays="foreign", writes=False),
}


def format_of(name: str | None) -> Format | None:
    """Return a format by its name; None for no name, and for one that no format has."""
    return FORMATS.get(name) if name is not None else None


_OTHERS = (".onnx", ".pb", ".tflite", ".npy", ".json", ".yaml", ".yml", ".txt")
FOREIGN_SUFFIXES = tuple(suffix for found in FORMATS.values() if found.foreign for suffix in found.suffixes)
"""What weights files of other software are called, in lower case."""
OTHERS = (*_OTHERS, *FOREIGN_SUFFIXES)
"""Endings by which a name says that the file is one of those that nothing here writes."""


def said_by(name: str) -> str | None:
    """Return the format that a file's name says by itself, or None; what ends in ``.h5`` may be several."""
    lower = name.lower()
    for key, found in FORMATS.items():
        if found.foreign:
            continue
        endings = (found.ending,) if found.ending else found.suffixes if not found.writes else ()
        if lower.endswith(endings):
            return key
    return None


def targets() -> tuple[str, ...]:
    """Return the names of the formats that files can be converted to."""
    return tuple(name for name, found in FORMATS.items() if found.writes)


def weights_suffixes() -> tuple[str, ...]:
    """Return what weights files of Keras are called, in lower case."""
    ours = (found for found in FORMATS.values() if not found.foreign)
    return tuple(dict.fromkeys(suffix for found in ours for suffix in found.suffixes))
