"""Working out how a whole model of an older version becomes a ``.keras`` file, before a value is read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from converters.boundary import guarded
from converters.errors import (
    AlreadyConvertedError,
    ArgumentError,
    ConversionError,
    Doubt,
    FileFormatError,
    counted,
)
from converters.formats.description import Description
from converters.formats.training import read_training
from converters.layers.config import Config
from converters.limits import clipped, first_repeated
from converters.upgrading.drawing import Drawing, Placed, configuration, least_version, placed
from converters.upgrading.graph import Network, read_network
from converters.upgrading.origin import Origin, learn_origin
from converters.upgrading.own import Asked
from converters.upgrading.refusing import Refusal, Refused, refused
from converters.upgrading.sketch import STOPPED, Sketch
from converters.upgrading.store import Store
from converters.upgrading.training import Trained, ends_of, trained
from converters.upgrading.use import Report


@dataclass(frozen=True, kw_only=True)
class Told:
    """What becomes of one old layer.

    Attributes:
        name: Its name.
        class_name: Its class.
        becomes: The classes of today's layers that are drawn for it.
        how: How it is composed, if it is not one layer that computes the same; else empty.
        without: Its settings that count in training alone and are left out.
    """

    name: str
    class_name: str
    becomes: tuple[str, ...]
    how: str
    without: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Upgrade:
    """How a whole model becomes a ``.keras`` file, or what stands against it.

    Attributes:
        path: The file that was named: a whole model, or a configuration.
        description: The file that the weights are in.
        origin: What the model is.
        drawing: The network with today's layers; None if a layer has no place there.
        outputs: Every array of the new file.
        notes: What the user should know; what had to be taken for granted is a
            :class:`converters.errors.Doubt`.
        refusals: What cannot be upgraded, and why; empty if all can.
        layers: What becomes of each layer that was looked at.
        trained: How it goes on being trained.
    """

    path: Path
    description: Description
    origin: Origin
    drawing: Drawing | None = field(repr=False)
    outputs: tuple[Placed, ...] = field(repr=False)
    notes: tuple[str, ...]
    refusals: tuple[Refusal, ...]
    layers: tuple[Told, ...] = ()
    trained: Trained = field(default_factory=Trained)

    def __repr__(self) -> str:
        """Return what becomes of the model in one line; each attribute can be looked at."""
        came = f"refused, for {counted(len(self.refusals), 'reason')}" if self.refusals else "can be upgraded"
        return f"<{self.path}: {counted(len(self.layers), 'layer')}, {came}>"

    def as_dict(self) -> dict[str, Any]:
        """Return the same as plain values that JSON can hold."""
        return {
            "path": str(self.path),
            "weights": str(self.description.path),
            "keras_version": ".".join(map(str, self.origin.version)),
            "theano": self.origin.theano,
            "needs_keras": self.needs,
            "layers": [asdict(layer) for layer in self.layers],
            "refused": [asdict(refusal) for refusal in self.refusals],
            "arrays": len(self.outputs),
            "bytes": sum(output.nbytes for output in self.outputs),
            "optimizer": self.trained.optimizer or None,
            "compiled": self.trained.config,
            "notes": list(self.notes),
        }

    @property
    def needs(self) -> str | None:
        """The first version of Keras that opens the new file, ``"3.4.0"``; None if there will be none."""
        if self.drawing is None:
            return None
        return ".".join(map(str, max(least_version(self.drawing), self.trained.since)))

    @property
    def config(self) -> str:
        """The text of the new file's ``config.json``."""
        assert self.drawing is not None
        whole = {**configuration(self.drawing), "build_config": None, "compile_config": self.trained.config}
        return json.dumps(whole)

    def check(self) -> None:
        """Raise if the model cannot be upgraded.

        Raises:
            ConversionError: With the first reason, and how many there are.
        """
        if self.refusals:
            more = f" ({len(self.refusals) - 1} more: --check lists them)" if len(self.refusals) > 1 else ""
            raise ConversionError(f"{self.path}: cannot be upgraded: {self.refusals[0]}{more}")


def make_upgrade(
    path: Path,
    description: Description,
    *,
    turned: bool,
    said: str | None = None,
    asked: Asked | None = None,
) -> Upgrade:
    """Work out an upgrade.

    Args:
        path: The file that was named.
        description: The file that the weights are in, with the model's configuration.
        turned: Whether a network that is channels first becomes channels last.
        said: The backend that the user says.
        asked: What the user says of single layers.

    Raises:
        ConversionError: If it is no whole model, or nothing tells its version.
        FileFormatError: If its configuration breaks a rule.
    """
    config = description.model_config
    if config is None:
        hint = "give the .json of its model too, or a file of model.save"
        raise ConversionError(f"{path}: holds weights alone; {hint}")
    version, backend = _said(config)
    with guarded(path):
        origin = learn_origin(
            description,
            version=description.version or version,
            backend=backend,
            said=said,
            turned=turned,
        )
        if origin.version >= (3,):
            text = f"Keras {origin.version[0]} wrote it: it is opened as it is"
            raise AlreadyConvertedError(f"{path}: {text}, with compile=False where a loss is not found")
        upgrade = _drawn(path, config, origin, asked or Asked())
    _check_asked(upgrade, asked or Asked())
    return upgrade


def _check_asked(upgrade: Upgrade, asked: Asked) -> None:
    """Raise if the user says what a layer computes, or what takes its place, that is none.

    Raises:
        ArgumentError: With its name, and those of the layers that hold code.
    """
    named = {layer.name for layer in upgrade.layers} | {refusal.layer for refusal in upgrade.refusals}
    strange = [name for name in asked.places if name not in named]
    if strange and upgrade.drawing is not None:
        raise ArgumentError(f"{upgrade.path}: no layer is called {clipped(strange[0])}, to take its place")
    known = [layer.name for layer in upgrade.layers if layer.class_name == "Lambda"]
    known += [refusal.layer for refusal in upgrade.refusals]
    unknown = [name for name in asked.lambdas if name not in known]
    if unknown and upgrade.drawing is not None:
        has = f"it has {', '.join(map(clipped, known))}" if known else "it has none"
        raise ArgumentError(f"{upgrade.path}: no Lambda layer is called {clipped(unknown[0])}; {has}")


def _said(config: Config | Mapping[str, Any]) -> tuple[tuple[int, ...], str | None]:
    """Return the version and the backend that a configuration in a file of its own says."""
    version, backend = config.get("keras_version"), config.get("backend")
    numbers = re.findall(r"\d{1,9}", version)[:3] if isinstance(version, str) else []
    return tuple(map(int, numbers)), backend if isinstance(backend, str) else None


def _drawn(path: Path, config: Mapping[str, Any], origin: Origin, asked: Asked) -> Upgrade:
    store, report = Store(origin=origin, asked=asked), Report()
    sketch = Sketch(store=store, report=report, asked=asked)
    drawing: Drawing | None = None
    outputs: tuple[Placed, ...] = ()
    training = Trained()
    try:
        network = read_network(dict(config))
        for refusal in store.assign(network):
            sketch.refusals[refusal.refusal] = None
        drawing, outputs = _with_arrays(sketch, network)
        training = _with_training(store, network, drawing, outputs)
    except Refused as refusal:
        if refusal.refusal.why != STOPPED or not sketch.refusals:
            sketch.refusals[refusal.refusal] = None
    return Upgrade(
        path=path,
        description=origin.description,
        origin=origin,
        drawing=None if sketch.refusals else drawing,
        outputs=() if sketch.refusals else outputs,
        notes=(*_notes(origin, report), *_counted(store.anew), *training.notes),
        trained=training,
        refusals=tuple(sketch.refusals),
        layers=tuple(_told(name, report) for name in report.classes),
    )


def _told(name: str, report: Report) -> Told:
    return Told(
        name=name,
        class_name=report.classes[name],
        becomes=tuple(report.drawn.get(name, ())),
        how=report.composed.get(name, ""),
        without=tuple(report.dropped.get(name, ())),
    )


def _with_arrays(sketch: Sketch, network: Network) -> tuple[Drawing, tuple[Placed, ...]]:
    """Return the drawing and its arrays, once each array of the old file is used, and once.

    Raises:
        Refused: If one is not, or is used twice.
    """
    drawing = sketch.draw(network, None, network.name or "model")
    outputs = tuple(placed(drawing))
    store = sketch.store
    # Gates that lie packed in one array are shares of it: a source counts once for each array that is made.
    sources = [source for output in outputs for source in output.sources]
    if (twice := first_repeated(sources)) is not None:
        raise refused(f"its array {clipped(twice)} would be used twice")
    if left := store.unused(sources):
        raise refused(f"its array {clipped(left[0])} would be used nowhere")
    return drawing, outputs


def _with_training(store: Store, network: Network, drawing: Drawing, outputs: tuple[Placed, ...]) -> Trained:
    """Return how the new model goes on being trained; what cannot be read of it is left out."""
    try:
        training = read_training(store.origin.description)
    except FileFormatError as error:
        return Trained(notes=(f"how it was trained is left out: {error}",))
    if training is None:
        return Trained()
    return trained(training, store, network, outputs, ends_of(network, drawing.outputs))


def _counted(anew: Mapping[str, str]) -> list[str]:
    """Return what is to be said of layers that the weights number otherwise."""
    name = next((name for name, other in anew.items() if name != other), None)
    if name is None:
        return []
    return [
        f"the weights number its layers otherwise ({clipped(anew[name])} is {clipped(name)}): taken in order"
    ]


def _notes(origin: Origin, report: Report) -> tuple[str, ...]:
    notes: list[str] = list(origin.doubts)
    notes += [
        Doubt(f"layer {clipped(layer)} is of a class {name} of its own: taken for that of published networks")
        for name, layer in report.published.items()
    ]
    notes += [f"{layer}: {what}" for layer, what in report.owned.items()]
    notes += [
        f"layers compute with {name} as they did, whose rounding may differ (the first is {clipped(layer)})"
        for name, layer in report.mixed.items()
    ]
    notes += [f"{layer}: {how}" for layer, how in report.composed.items()]
    notes += [f"{layer}: without {', '.join(names)}" for layer, names in report.dropped.items()]
    return tuple(notes)
