"""The images of a report, drawn from what a run left."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from converters.errors import counted
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
    text_width,
    wrapped,
)
from zoo.networks.images import Picture

_WIDTH = 920.0
_GAP = 60.0
_PLOT = (_WIDTH - 2 * _GAP) / 2  # width of one of two plots side by side
_TOP, _HEIGHT = 56.0, 200.0

_DOTTED = 60  # epochs; beyond, dots would run into each other

_MATRIX = 560.0  # the widest a matrix gets

_LINE = 1.25  # from one line of text to the next, in sizes of the font

LABELLED = 40
"""Classes of a matrix with names; of more they would not fit beside their rows."""


def strength(share: float) -> float:
    """Return how much of its colour a cell of a confusion matrix gets, so that the number on it can be read.

    Args:
        share: Of the images of its true class, 0 to 1.

    Returns:
        0.12 to 0.45; black on the strongest has a contrast of 4.5 and more, and so has white on a dark page.
    """
    return 0.12 + 0.33 * share


def curve(name: str, history: Sequence[Epoch], phases: Sequence[Phase]) -> Scene:
    """Draw the loss or the accuracy alone, for a page that may be narrow.

    Args:
        name: ``loss`` or ``accuracy``.
        history: Two epochs or more.
        phases: What they belong to.
    """
    title = f"{name.capitalize()} after each epoch, in training and in validation"
    scene = Scene(width=_GAP + _PLOT + 16, height=_TOP + _HEIGHT + 48, title=title)
    _plot(scene, history, phases, _PLOTS[name](_GAP - 4, history))
    return scene


def curves(history: Sequence[Epoch], phases: Sequence[Phase]) -> Scene:
    """Draw loss and accuracy over the epochs, phases told apart, the kept epoch of each marked.

    Args:
        history: Two epochs or more.
        phases: What they belong to.
    """
    scene = Scene(width=_WIDTH, height=_TOP + _HEIGHT + 48, title="Loss and accuracy after each epoch")
    _plot(scene, history, phases, _loss(_GAP - 16, history))
    _plot(scene, history, phases, _accuracy(2 * _GAP - 4 + _PLOT, history))
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


def _loss(left: float, history: Sequence[Epoch]) -> _Plot:
    losses = [value for one in history for value in (one.loss, one.val_loss) if math.isfinite(value)]
    ticks = _ticks(max(losses, default=1.0))
    return _Plot("loss", left, ticks, lambda one: (one.loss, one.val_loss))


def _accuracy(left: float, history: Sequence[Epoch]) -> _Plot:
    percents = (0.0, 0.25, 0.5, 0.75, 1.0)
    return _Plot("accuracy", left, percents, lambda one: (one.accuracy, one.val_accuracy))


_PLOTS = {"loss": _loss, "accuracy": _accuracy}


def _plot(scene: Scene, history: Sequence[Epoch], phases: Sequence[Phase], plot: _Plot) -> None:
    """Draw training and validation, epochs to the right."""

    def x(epoch: float) -> float:
        return plot.left + 8 + (_PLOT - 16) * epoch / (len(history) - 1)

    _axes(scene, plot)
    for number, phase in enumerate(phases):
        _phase(scene, x(phase.first), number, phase.name, plot.left + _PLOT)
    for epoch in _epoch_ticks(len(history)):
        scene.add(_quiet(x(epoch - 1), _TOP + _HEIGHT + 18, str(epoch), "middle"))
    scene.add(_quiet(plot.left + _PLOT / 2, _TOP + _HEIGHT + 38, "epoch", "middle"))
    for which, colour in enumerate(("train", "valid")):
        values = [plot.values(one)[which] for one in history]
        points = [(x(place), plot.y(value)) for place, value in enumerate(values) if math.isfinite(value)]
        scene.add(Line(points=points, colour=colour, width=2, is_dashed=colour == "train"))
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
        dashed = colour == "train"  # the two differ in more than their colour
        scene.add(Line(points=[(at - 21, 14), (at - 4, 14)], colour=colour, width=3, is_dashed=dashed))
        scene.add(_quiet(at, 18, text))
    for tick in plot.ticks:
        scene.add(Line(points=[(left, plot.y(tick)), (right, plot.y(tick))], colour="rule"))
        label = f"{100 * tick:.0f} %" if plot.name == "accuracy" else f"{tick:g}"
        scene.add(_quiet(left - 6, plot.y(tick) + 4, label, "end"))


def _phase(scene: Scene, start: float, number: int, name: str, end: float) -> None:
    """Draw where a phase begins, and its name; that of a neighbour stands a line higher or lower."""
    height = _TOP - 8 - 13 * (number % 2)
    if number:
        scene.add(Line(points=[(start - 6, height - 10), (start - 6, _TOP + _HEIGHT)], colour="quiet"))
    x = start - 1 if number else start - 8
    fits = x + text_width(name, 11) <= end
    scene.add(_quiet(x, height, name) if fits else _quiet(x - 9, height, name, "end"))


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
    """Draw how often each class was predicted as each; a row's shades are shares of its images.

    Args:
        counts: Shape (C, C), row is the true class, column the predicted one.
        classes: Their names, C.
    """
    count = len(classes)
    cell = min(84.0, _MATRIX / max(count, 1))
    labelled = count <= LABELLED
    size = min(12.0, max(7.0, 0.75 * cell))
    widest = max((text_width(name, size) for name in classes), default=0) if labelled else 0
    room = max(widest + 44, text_width("true class", 11) + 12) if labelled else 32.0
    top = (widest + 48 if widest > cell - 4 else 30.0 + size) if labelled else 32.0
    title = f"Confusion matrix of {counted(count, 'class')}: "
    title += f"{np.trace(counts)} of {counted(counts.sum(), 'image')} on the diagonal"
    scene = Scene(width=room + max(cell * count, 120.0) + 8, height=top + cell * count + 8, title=title)
    scene.add(Box(x=room, y=top, width=cell * count, height=cell * count, colour="card"))
    if labelled:
        scene.add(_quiet(room, 13, "predicted class"), _quiet(room - 8, top - 6, "true class", "end"))
        _name_rows_and_columns(scene, classes, (room, top, cell, size))
    else:
        _name_axes(scene, room, top)
    for true, predicted in np.argwhere(counts).tolist():
        _cell(scene, counts, (true, predicted), (room, top, cell), classes)
    return scene


def _name_axes(scene: Scene, left: float, top: float) -> None:
    """Name the axes of a matrix that is shown small on a phone."""
    size, text = 20.0, "true class"
    scene.add(Words(x=left, y=size, text="predicted class", colour="quiet", size=size))
    bottom = top + text_width(text, size)
    scene.add(Words(x=left - 10, y=bottom, text=text, colour="quiet", size=size, upright=True))


def _name_rows_and_columns(
    scene: Scene, classes: Sequence[str], place: tuple[float, float, float, float]
) -> None:
    room, top, cell, size = place
    upright = any(text_width(name, size) > cell - 4 for name in classes)
    for number, name in enumerate(classes):
        middle = (number + 0.5) * cell
        scene.add(Words(x=room - 8, y=top + middle + 0.36 * size, text=name, size=size, anchor="end"))
        if upright:
            scene.add(Words(x=room + middle + 0.36 * size, y=top - 6, text=name, size=size, upright=True))
        else:
            scene.add(Words(x=room + middle, y=top - 6, text=name, size=size, anchor="middle"))


def _cell(
    scene: Scene,
    counts: NDArray[np.int64],
    place: tuple[int, int],
    corner: tuple[float, float, float],
    classes: Sequence[str],
) -> None:
    (true, predicted), (left, top, cell) = place, corner
    count, total = int(counts[true, predicted]), int(counts[true].sum())
    is_small = cell <= 8  # a lone speck shall be seen
    gap = 0.0 if is_small else 1.0
    scene.add(
        Box(
            x=left + predicted * cell + gap,
            y=top + true * cell + gap,
            width=cell - 2 * gap,
            height=cell - 2 * gap,
            colour="right" if true == predicted else "wrong",
            strength=0.35 + 0.5 * count / total if is_small else strength(count / total),
            title=f"true class {classes[true]}, predicted {classes[predicted]}: {count} of {total}",
        )
    )
    size = min(13.0, 0.5 * cell, 0.9 * cell / (0.6 * len(str(count))))
    if size >= 6 and not is_small:
        middle = (left + (predicted + 0.5) * cell, top + (true + 0.5) * cell + 0.36 * size)
        scene.add(Words(x=middle[0], y=middle[1], text=str(count), size=size, anchor="middle"))


def class_bars(scores: Sequence[ClassScore], classes: Sequence[str]) -> Scene:
    """Draw precision and recall of each class.

    Args:
        scores: One for each class.
        classes: Their names.
    """
    room, bar = 170.0, 560.0
    names = [wrapped(name, 13, room - 16) for name in classes]
    heights = [max(36.0, 13 * _LINE * len(lines) + 3) for lines in names]
    scene = Scene(
        width=room + bar + 110, height=40 + sum(heights) + 8, title="Precision and recall of each class"
    )
    for place, colour in enumerate(("precision", "recall")):
        scene.add(Box(x=room + 90 * place, y=12, width=12, height=10, colour=colour))
        scene.add(Words(x=room + 18 + 90 * place, y=21, text=colour, colour="quiet"))
    top = 40.0
    for score, lines, height in zip(scores, names, heights, strict=True):
        first = top + 19 - 13 * _LINE / 2 * (min(len(lines), 2) - 1)
        scene.add(*_lines(room - 12, first, lines, size=13, anchor="end"))
        _bars(scene, score, top, room, bar)
        top += height
    return scene


def _lines(
    x: float,
    y: float,
    lines: Sequence[str],
    *,
    colour: str = "ink",
    size: float = 12,
    anchor: Anchor = "start",
) -> list[Words]:
    """Return lines of text below each other, the baseline of the first at ``y``."""
    return [
        Words(x=x, y=y + _LINE * size * number, text=line, colour=colour, size=size, anchor=anchor)
        for number, line in enumerate(lines)
    ]


def _bars(scene: Scene, score: ClassScore, top: float, left: float, width: float) -> None:
    for place, (value, colour) in enumerate(((score.precision, "precision"), (score.recall, "recall"))):
        y = top + 13 * place
        scene.add(Box(x=left, y=y + 2, width=width, height=10, colour="card"))
        if math.isfinite(value):
            scene.add(Box(x=left, y=y + 2, width=width * value, height=10, colour=colour))
        scene.add(Words(x=left + width + 10, y=y + 11, text=percent(value), colour="quiet", size=11))


def contact_sheet(mistakes: Sequence[tuple[Prediction, Picture]], classes: Sequence[str]) -> Scene:
    """Draw the worst mistakes beside each other.

    Args:
        mistakes: Predictions with their images.
        classes: Names of the classes.
    """
    columns, wide = 6, TILE + 12
    captions = [_captions(one, classes) for one, _ in mistakes]
    heights = [
        TILE + 22 + 12 * _LINE * max(sum(map(len, caption)) for caption in captions[start : start + columns])
        for start in range(0, len(captions), columns)
    ]
    scene = Scene(width=columns * wide + 12, height=sum(heights) + 12, title="Worst mistakes")
    for number, ((_, picture), (predicted, true)) in enumerate(zip(mistakes, captions, strict=True)):
        x, y = 12.0 + wide * (number % columns), 12.0 + sum(heights[: number // columns])
        below = y + TILE + 16
        scene.add(
            Photo(x=x, y=y, side=TILE, picture=picture),
            *_lines(x, below, predicted, colour="wrong"),
            *_lines(x, below + 12 * _LINE * len(predicted), true, colour="quiet"),
        )
    return scene


def _captions(one: Prediction, classes: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the lines that say what an image was predicted to be and what it is."""

    def caption(what: str, which: int) -> list[str]:
        return wrapped(f"{what} {classes[which]} ({percent(one.probabilities[which])})", 12, TILE)

    return caption("predicted", one.predicted), caption("true class", one.label)


def percent(value: float) -> str:
    """Return a share as text, one digit behind the point; a dash for a share of nothing."""
    return f"{100 * value:.1f} %" if math.isfinite(value) else "–"


def empty_tile() -> Picture:
    """Return what stands for an image that is to be had no more: a light grey square."""
    return np.full((TILE, TILE, 3), 236, np.uint8)
