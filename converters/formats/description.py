"""What a weights file of any format is: its layers, its arrays, and what it says of itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from converters.arrays.form import Form
from converters.errors import counted
from converters.formats.record import ConversionRecord
from converters.hdf5.source import Stamp
from converters.layers.model import Layer, Part
from converters.layers.rules import FOREIGN, Dialect


@dataclass(frozen=True, kw_only=True)
class Description:
    """A weights file, as far as it can be known without reading an array.

    Attributes:
        path: The file.
        dialect: Who wrote it.
        keras_version: As the user or the file says it, or None.
        version_said: Whether the user alone says it, now or at an earlier conversion.
        backend: The ``backend`` attribute of Keras 2, or None.
        root: The group the weights lie in: ``""``, or ``"model_weights"`` in a file of a whole model.
        layers: All layers in the file's order, those without arrays too.
        model_config: The whole model's configuration, or None.
        config_text: The same as the file has it.
        record: What an earlier conversion wrote into the file, or None.
        whole_model: Whether the file holds a whole model.
        optimizer: Whether it holds the state of an optimizer.
        nbytes: The file's size in bytes.
        ordered: Whether the layers are in the network's order; a file of Keras 3 may not tell it.
        format: The name of its format, if it is a container of plain arrays or no file of Keras', else None.
        form: What such a container's description says that it is, or None; of a file of Caffe or PyTorch what
            all of them are.
        folds: In a file of Caffe or one made of it, the layers that are slope and offset of a batch
            normalisation, with its name.
        inputs: In a file of Caffe, the channels of the map that may be in front of each layer, 0 where they
            are not known, and None where no map is; None where no inputs are told.
        notes: What the user should know of how it is read, one sentence each.
        dropped: What is left out of layers, in words, by their names, where a published graph lacks it.
        stamp: The file's metadata as it was read, so that carrying out a plan need not read it again.
    """

    path: Path
    dialect: Dialect
    keras_version: str | None
    backend: str | None
    root: str
    layers: tuple[Layer, ...]
    model_config: Mapping[str, Any] | None = field(repr=False)
    config_text: str | None = field(repr=False)
    record: ConversionRecord | None
    whole_model: bool
    optimizer: bool
    nbytes: int
    version_said: bool = False
    ordered: bool = True
    format: str | None = None
    form: Form | None = None
    folds: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, int | None] | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()
    dropped: Mapping[str, str] = field(default_factory=dict)
    stamp: Stamp | None = field(default=None, repr=False, compare=False)

    def __repr__(self) -> str:
        """Return what it is in one line; each attribute can be looked at."""
        counts = f"{counted(len(self.layers), 'layer')}, {counted(self.parameters, 'parameter')}"
        return f"<{self.path}: {self.called}, {counts}>"

    @property
    def called(self) -> str:
        """Its name for people, which is the format of a container of plain arrays, or else its dialect."""
        return self.format or self.dialect

    @property
    def trained_in(self) -> str | None:
        """The format of other software that its values come from, through whatever conversions, or None."""
        if self.dialect == FOREIGN:
            return self.format
        return self.record.trained_in if self.record else None

    @cached_property
    def weighted(self) -> tuple[Layer, ...]:
        """The layers that have arrays."""
        return tuple(layer for layer in self.layers if layer.arrays)

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The layers with arrays that are no wrappers or models, in the file's order."""
        return tuple(part for layer in self.layers for part in layer.parts)

    @cached_property
    def parts_by_layer(self) -> Mapping[str, tuple[Part, ...]]:
        """The layers with arrays that are no wrappers or models, by the name of the file's layer."""
        return {layer.name: layer.parts for layer in self.weighted}

    @property
    def parameters(self) -> int:
        """The number of values in all arrays."""
        return sum(array.size for layer in self.layers for array in layer.arrays)

    @property
    def version(self) -> tuple[int, ...]:
        """The Keras version as numbers, ``(2, 2, 4)`` for ``2.2.4-tf``; empty if the file does not say."""
        return tuple(int(number) for number in re.findall(r"\d{1,9}", self.keras_version or "")[:3])
