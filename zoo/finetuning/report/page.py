"""The page of a report: what stands on it, put into the template ``report.html.jinja``."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from converters.errors import counted
from zoo.errors import ArgumentError
from zoo.extras import how_to_install
from zoo.finetuning.report.charts import LABELLED, curve, percent, strength
from zoo.finetuning.report.numbers import ClassScore, confused_pairs, interval, share
from zoo.finetuning.report.record import Prediction, Record
from zoo.finetuning.report.scene import DARK, LIGHT, Scene, jpeg, svg
from zoo.networks.images import Picture

if TYPE_CHECKING:
    from jinja2 import Template

_PAIRS = 8  # most confused pairs that are listed
_ALL_PAIRS = 1_000  # those that are listed where the matrix has no names
_SHORT = 3  # characters of a class's name that fit above its column
_PROBLEMS = 200  # data problems that are listed
_LIBRARIES = {"jinja2": "Jinja2", "PIL": "Pillow"}
_TEMPLATE = "report.html.jinja"

Worst = Sequence[tuple[Prediction, Picture | None]]


def check_libraries() -> None:
    """Check that a report can be written in the end, without importing what writes it.

    Raises:
        ArgumentError: Jinja2 or Pillow is not installed.
    """
    for module, name in _LIBRARIES.items():
        if find_spec(module) is None:
            raise ArgumentError(f"the report of a run needs {name}: {how_to_install('finetune')}")


def page(
    record: Record,
    counts: NDArray[np.int64],
    scores: Sequence[ClassScore],
    worst: Worst,
    scenes: Mapping[str, Scene | None],
) -> str:
    """Return the whole page.

    Args:
        record: What the run left.
        counts: Confusion matrix, shape (C, C), row true class, column predicted.
        scores: One for each class.
        worst: The worst mistakes, with their images.
        scenes: The drawing ``confusion``.
    """
    facts = _facts(record)
    return _template(record).render(
        run=record.run,
        network=record.run.get("network", "model"),
        light=LIGHT,
        dark=DARK,
        tiles=_tiles(record, counts),
        curves=_curves(record),
        idle=[phase.name for phase in record.phases if phase.kept is None],
        phase_count=len(record.phases),
        history=record.history,
        confusion=_drawn(scenes["confusion"]),
        matrix=_matrix(record, counts) if len(record.classes) <= LABELLED else [],
        are_short=max(map(len, record.classes), default=0) <= _SHORT,
        pairs=list(_pairs(record, counts, _PAIRS)),
        all_pairs=[] if len(record.classes) <= LABELLED else list(_pairs(record, counts, _ALL_PAIRS)),
        pair_count=int(np.count_nonzero(counts - np.diag(np.diag(counts)))),
        classes=list(zip(record.classes, scores, strict=True)),
        mistakes=len(record.mistakes),
        worst=[_mistake(record, one, picture) for one, picture in worst],
        **_data(record),
        phases=record.run.get("phases") or [],
        facts=facts,
        settings=_settings(record, facts),
        use=f"zoo predict {quote(record.folder.name)} picture.jpg",
    )


def _template(record: Record) -> Template:
    from jinja2 import Environment, StrictUndefined

    surroundings = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    surroundings.filters |= {
        "number": _number,
        "percent": percent,
        "said": _said,
        "time": lambda phase: _seconds(record, phase),
        "width": lambda value: f"{100 * value if math.isfinite(value) else 0:.1f}",
    }
    return surroundings.from_string(files(__package__).joinpath(_TEMPLATE).read_text("utf-8"))


def _drawn(scene: Scene | None) -> str:
    return "" if scene is None else svg(scene)


def _curves(record: Record) -> list[str]:
    """Return loss and accuracy as drawings that fit beside or below each other; none of a single epoch."""
    if len(record.history) < 2:
        return []
    return [svg(curve(name, record.history, record.phases)) for name in ("loss", "accuracy")]


def _matrix(record: Record, counts: NDArray[np.int64]) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """Return the rows of the confusion matrix: class, and text, colour and strength in % of each cell."""
    totals = counts.sum(axis=1).tolist()

    def cell(true: int, predicted: int) -> tuple[str, str, str]:
        count = int(counts[true, predicted])
        if not count:
            return "", "", ""
        colour = "right" if true == predicted else "wrong"
        return str(count), colour, f"{100 * strength(count / totals[true]):.0f}"

    places = range(len(record.classes))
    return [(record.classes[true], [cell(true, predicted) for predicted in places]) for true in places]


def _tiles(record: Record, counts: NDArray[np.int64]) -> list[tuple[str, str, str]]:
    """Return what stands at the top: label, value and note of each number."""
    right, count = int(np.trace(counts)), len(record.predictions)
    low, high = interval(right, count)
    commonest = share(int(counts.sum(axis=1).max(initial=0)), count)
    return [
        (
            "accuracy",
            percent(share(right, count)),
            f"{right} of {count}; 95 % interval {100 * low:.0f} to {100 * high:.0f} %",
        ),
        (
            "always the commonest class",
            percent(commonest),
            f"what guessing would reach; {counted(len(record.classes), 'class')}",
        ),
        (
            "log loss",
            _number((record.run.get("result") or {}).get("log_loss")),
            f"{math.log(max(len(record.classes), 1)):.3f} if it knew nothing",
        ),
        ("mistakes", str(count - right), f"of {counted(count, 'validation image')}"),
    ]


def _number(value: object) -> str:
    is_number = isinstance(value, (int, float)) and math.isfinite(value)
    return f"{value:.3f}" if is_number else "–"


def _pairs(record: Record, counts: NDArray[np.int64], most: int) -> Iterator[tuple[str, str, int, float]]:
    """Yield true class, predicted class, how often, and its share of the true class."""
    totals = counts.sum(axis=1)
    for true, predicted, times in confused_pairs(counts, most):
        yield record.classes[true], record.classes[predicted], times, times / totals[true]


def _mistake(record: Record, one: Prediction, picture: Picture | None) -> dict[str, Any]:
    return {
        "predicted": record.classes[one.predicted],
        "predicted_share": one.probabilities[one.predicted],
        "true": record.classes[one.label],
        "true_share": one.probabilities[one.label],
        "file": one.file,
        "short": "/".join(Path(one.file).parts[-2:]),  # the folder is most often the class
        "jpeg": None if picture is None else jpeg(picture),
    }


def _data(record: Record) -> dict[str, Any]:
    data = record.run.get("data") or {}
    return {
        "learned": data.get("train", "–"),
        "checked": data.get("valid", len(record.predictions)),
        "problems": data.get("report") or [],
        "most_problems": _PROBLEMS,
    }


def _facts(record: Record) -> dict[str, object]:
    run = record.run
    weights = run.get("weights") or {}
    return {
        "network": run.get("network"),
        "weights": weights.get("id") or "none: random",
        "SHA-256 of the weights": weights.get("sha256"),
        "strategy": run.get("strategy"),
        "input": " × ".join(map(str, run.get("input") or ())),
        "preprocessing": run.get("preprocessing"),
        "fit of images": run.get("fit"),
        "data format": run.get("data_format"),
        "seed": run.get("seed"),
        "status": run.get("status"),
        "time": _duration(run.get("seconds")),
    }


def _settings(record: Record, facts: Mapping[str, object]) -> dict[str, object]:
    said = {*facts, "name"}  # which is the network's
    arguments = record.run.get("arguments") or {}
    return {name: value for name, value in arguments.items() if name not in said}


def _said(value: object) -> str:
    """Return a value of JSON as words."""
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case list():
            return ", ".join(map(_said, value))
        case dict():
            return json.dumps(value, ensure_ascii=False)
    return str(value)


def _duration(seconds: object) -> str:
    if not isinstance(seconds, (int, float)) or not math.isfinite(seconds):
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if not hours and not minutes:
        return f"{seconds:.1f} s"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _seconds(record: Record, phase: object) -> str:
    seconds = [one.seconds for one in record.history if one.phase == phase and math.isfinite(one.seconds)]
    return _duration(sum(seconds)) if seconds else "–"
