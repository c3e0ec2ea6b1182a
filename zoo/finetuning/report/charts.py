"""The images of a report, drawn from what a run left."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from zoo.finetuning.report.numbers import ClassScore
from zoo.finetuning.report.record import Epoch, Phase, Prediction
from zoo.finetuning.report.scene import (
    TILE,
    Anchor,
    Box,
    Dot,
    Line,
    Photo,
    Scene,
    Words,
    shortened,
    text_width,
)
from zoo.networks.images import Picture

_WIDTH = 920.0
_GAP = 60.0
_PLOT = (_WIDTH - 2 * _GAP) / 2  # width of one of two plots side by side
_TOP, _HEIGHT = 56.0, 200.0

_DOTTED = 60  # epochs; beyond, dots would run into each other

_MATRIX = 560.0  # the widest a matrix gets
_LABEL_ROOM = 150.0

LABELLED = 40
"""Classes of a matrix with names; of more they would not fit beside their rows."""


def curves(history: Sequence[Epoch], phases: Sequence[Phase]) -> Scene:
    """Draw loss and accuracy over the epochs, phases told apart, the kept epoch of each marked.

    Args:
        history: Two epochs or more.
        phases: What they belong to.
    """
    scene = Scene(width=_WIDTH, height=_TOP + _HEIGHT + 48, title="Loss and accuracy after each epoch")
    losses = [value for one in history for value in (one.loss, one.val_loss) if math.isfinite(value)]
    ticks = _ticks(max(losses, default=1.0))
    _plot(scene, history, phases, _Plot("loss", _GAP - 16, ticks, lambda one: (one.loss, one.val_loss)))
    percents = (0.0, 0.25, 0.5, 0.75, 1.0)
    right = 2 * _GAP - 4 + _PLOT
    accuracy = _Plot("accuracy", right, percents, lambda one: (one.accuracy, one.val_accuracy))
    _plot(scene, history, phases, accuracy)
    return scene


@dataclass(frozen=True)
class _Plot:
    """One of the two plots: where it stands and what it shows of an epoch, in training and in validation."""

    name: str
    left: float
    ticks: Sequence[float]
    values: Callable[[Epoch], tuple[float, float]]

    def y(self, value: float) -> float:
        return _TOP + _HEIGHT * (1 - value / self.ticks[-1])


def _plot(scene: Scene, history: Sequence[Epoch], phases: Sequence[Phase], plot: _Plot) -> None:
    """Draw training and validation, epochs to the right."""

    def x(epoch: float) -> float:
        return plot.left + 8 + (_PLOT - 16) * epoch / (len(history) - 1)

    _axes(scene, plot)
    for phase in phases:
        _phase(scene, x(phase.first), x(phase.last), phase.name, phase.first > 0)
    for epoch in _epoch_ticks(len(history)):
        scene.add(_quiet(x(epoch - 1), _TOP + _HEIGHT + 18, str(epoch), "middle"))
    scene.add(_quiet(plot.left + _PLOT / 2, _TOP + _HEIGHT + 38, "epoch", "middle"))
    for which, colour in enumerate(("train", "valid")):
        values = [plot.values(one)[which] for one in history]
        points = [(x(place), plot.y(value)) for place, value in enumerate(values) if math.isfinite(value)]
        scene.add(Line(points=points, colour=colour, width=2))
        if len(points) <= _DOTTED:
            scene.add(*(Dot(x=across, y=up, radius=2.2, colour=colour) for across, up in points))
    for kept in (phase.kept for phase in phases if phase.kept is not None):
        if math.isfinite(value := plot.values(history[kept])[1]):
            ring = Dot(x=x(kept), y=plot.y(value), radius=5.5, colour="valid")
            scene.add(ring, replace(ring, radius=2.8, colour="page"))


def _quiet(x: float, y: float, text: str, anchor: Anchor = "start") -> Words:
    return Words(x=x, y=y, text=text, colour="quiet", size=11, anchor=anchor)


def _axes(scene: Scene, plot: _Plot) -> None:
    left, right = plot.left, plot.left + _PLOT
    scene.add(Words(x=left, y=18, text=plot.name.capitalize(), size=14))
    for at, text, colour in ((right - 152, "training", "train"), (right - 68, "validation", "valid")):
        scene.add(Line(points=[(at - 18, 14), (at - 4, 14)], colour=colour, width=3))
        scene.add(_quiet(at, 18, text))
    for tick in plot.ticks:
        scene.add(Line(points=[(left, plot.y(tick)), (right, plot.y(tick))], colour="rule"))
        label = f"{100 * tick:.0f} %" if plot.name == "accuracy" else f"{tick:g}"
        scene.add(_quiet(left - 6, plot.y(tick) + 4, label, "end"))


def _phase(scene: Scene, start: float, end: float, name: str, later: bool) -> None:
    if later:
        line = start - 6
        scene.add(Line(points=[(line, _TOP - 18), (line, _TOP + _HEIGHT)], colour="quiet"))
    scene.add(_quiet(start - (1 if later else 8), _TOP - 8, shortened(name, 11, max(end - start, 60))))


def _ticks(highest: float) -> list[float]:
    """Return four to six round numbers from 0 that reach ``highest``."""
    if highest <= 0:
        return [0.0, 1.0]
    power = 10.0 ** math.floor(math.log10(highest / 5))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power * 5.0001 >= highest)
    return [round(step * place, 10) for place in range(math.ceil(highest / step - 1e-4) + 1)]


def _epoch_ticks(count: int) -> list[int]:
    """Return the epochs, from 1, that are written below the axis: a dozen at most."""
    step = next(factor for factor in (1, 2, 5, 10, 20, 50, 100, 200, 500, count) if count / factor <= 12)
    return [epoch for epoch in range(1, count + 1) if epoch == 1 or epoch % step == 0]


def confusion_matrix(counts: NDArray[np.int64], classes: Sequence[str]) -> Scene:
    """Draw how often each class was named as each; a row's shades are shares of its images.

    Args:
        counts: Shape (C, C), row shown, column named.
        classes: Their names, C.
    """
    count = len(classes)
    cell = min(84.0, _MATRIX / max(count, 1))
    labelled = count <= LABELLED
    size = min(12.0, max(7.0, 0.75 * cell))
    widest = max((text_width(name, size) for name in classes), default=0) if labelled else 0
    room = min(_LABEL_ROOM, widest + 12) + 32
    top = (room if widest > cell - 4 else 26.0 + size) + 4
    scene = Scene(
        width=room + max(cell * count, 120.0) + 8, height=top + cell * count + 8, title="Confusion matrix"
    )
    scene.add(_quiet(room, 13, "named as"), _quiet(room - 8, top - 6, "shown", "end"))
    scene.add(Box(x=room, y=top, width=cell * count, height=cell * count, colour="card"))
    if labelled:
        _name_rows_and_columns(scene, classes, (room, top, cell, size))
    for shown, named in np.argwhere(counts).tolist():
        _cell(scene, counts, (shown, named), (room, top, cell), classes)
    return scene


def _name_rows_and_columns(
    scene: Scene, classes: Sequence[str], place: tuple[float, float, float, float]
) -> None:
    room, top, cell, size = place
    upright = any(text_width(name, size) > cell - 4 for name in classes)
    for number, name in enumerate(classes):
        middle = (number + 0.5) * cell
        text = shortened(name, size, min(room - 32, _LABEL_ROOM))
        scene.add(Words(x=room - 8, y=top + middle + 0.36 * size, text=text, size=size, anchor="end"))
        if upright:
            scene.add(Words(x=room + middle + 0.36 * size, y=top - 6, text=text, size=size, upright=True))
        else:
            scene.add(Words(x=room + middle, y=top - 6, text=text, size=size, anchor="middle"))


def _cell(
    scene: Scene,
    counts: NDArray[np.int64],
    place: tuple[int, int],
    corner: tuple[float, float, float],
    classes: Sequence[str],
) -> None:
    (shown, named), (left, top, cell) = place, corner
    count, total = int(counts[shown, named]), int(counts[shown].sum())
    gap, weakest = (1.0, 0.12) if cell > 8 else (0.0, 0.35)  # a lone speck shall be seen
    colour = "right" if shown == named else "wrong"
    scene.add(
        Box(
            x=left + named * cell + gap,
            y=top + shown * cell + gap,
            width=cell - 2 * gap,
            height=cell - 2 * gap,
            colour=colour,
            strength=weakest + 0.5 * count / total,
            title=f"{classes[shown]} named as {classes[named]}: {count} of {total}",
        )
    )
    size = min(13.0, 0.5 * cell, 0.9 * cell / (0.6 * len(str(count))))
    if size >= 6:
        middle = (left + (named + 0.5) * cell, top + (shown + 0.5) * cell + 0.36 * size)
        scene.add(Words(x=middle[0], y=middle[1], text=str(count), size=size, anchor="middle"))


def class_bars(scores: Sequence[ClassScore], classes: Sequence[str]) -> Scene:
    """Draw precision and recall of each class.

    Args:
        scores: One for each class.
        classes: Their names.
    """
    row, room, bar = 36.0, 170.0, 560.0
    scene = Scene(
        width=room + bar + 110, height=40 + row * len(classes) + 8, title="Precision and recall of each class"
    )
    for place, colour in enumerate(("precision", "recall")):
        scene.add(Box(x=room + 90 * place, y=12, width=12, height=10, colour=colour))
        scene.add(Words(x=room + 18 + 90 * place, y=21, text=colour, colour="quiet"))
    for number, (score, name) in enumerate(zip(scores, classes, strict=True)):
        top = 40 + row * number
        scene.add(Words(x=room - 12, y=top + 19, text=shortened(name, 13, room - 16), size=13, anchor="end"))
        for place, (value, colour) in enumerate(((score.precision, "precision"), (score.recall, "recall"))):
            y = top + 13 * place
            scene.add(Box(x=room, y=y + 2, width=bar, height=10, colour="card"))
            if math.isfinite(value):
                scene.add(Box(x=room, y=y + 2, width=bar * value, height=10, colour=colour))
            scene.add(Words(x=room + bar + 10, y=y + 11, text=percent(value), colour="quiet", size=11))
    return scene


def contact_sheet(mistakes: Sequence[tuple[Prediction, Picture]], classes: Sequence[str]) -> Scene:
    """Draw the worst mistakes beside each other.

    Args:
        mistakes: Predictions with their images.
        classes: Names of the classes.
    """
    columns, wide, high = 6, TILE + 12, TILE + 54
    rows = math.ceil(len(mistakes) / columns)
    scene = Scene(width=columns * wide + 12, height=rows * high + 12, title="Worst mistakes")
    for number, (one, picture) in enumerate(mistakes):
        x, y = 12.0 + wide * (number % columns), 12.0 + high * (number // columns)
        named, shown = _captions(one, classes)
        scene.add(
            Photo(x=x, y=y, side=TILE, picture=picture),
            Words(x=x, y=y + TILE + 16, text=named, colour="wrong"),
            Words(x=x, y=y + TILE + 32, text=shown, colour="quiet"),
        )
    return scene


def _captions(one: Prediction, classes: Sequence[str]) -> tuple[str, str]:
    """Return what an image was named and what it is; of a long name the middle gives way, not the share."""

    def caption(before: str, which: int) -> str:
        share = f" ({percent(one.probabilities[which])})"
        room = TILE - text_width(before + share, 12)
        return f"{before}{shortened(classes[which], 12, room)}{share}"

    return caption("", one.predicted), caption("is ", one.label)


def percent(value: float) -> str:
    """Return a share as text, one digit behind the point; a dash for a share of nothing."""
    return f"{100 * value:.1f} %" if math.isfinite(value) else "–"


def empty_tile() -> Picture:
    """Return what stands for an image that is to be had no more: a light grey square."""
    return np.full((TILE, TILE, 3), 236, np.uint8)
