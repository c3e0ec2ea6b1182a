"""The page of a report, as HTML that stands alone.

Names of files and classes come from the user's folders and are trusted nowhere: every text passes through
:func:`_text`, and a policy in the page's head forbids scripts and everything from elsewhere.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.finetuning.report.charts import LABELLED, TILE, percent
from zoo.finetuning.report.numbers import ClassScore, confused_pairs, interval, share
from zoo.finetuning.report.record import Prediction, Record
from zoo.finetuning.report.scene import Scene, svg
from zoo.finetuning.report.style import STYLE
from zoo.networks.images import Picture

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_PAIRS = 8  # most confused pairs that are listed
_PROBLEMS = 200  # data problems that are listed

Worst = Sequence[tuple[Prediction, Picture | None]]


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
        counts: Confusion matrix, shape (C, C), row shown, column named.
        scores: One for each class.
        worst: The worst mistakes, with their pictures.
        scenes: The drawings ``curves`` and ``confusion``.
    """
    title = f"{record.run.get('network', 'model')}, {record.run.get('strategy', 'fine-tuned')}"
    sections = [
        _section("Learning curves", _curves(record, scenes["curves"])),
        _section("What was taken for what", _confusion(record, counts, scenes["confusion"])),
        _section("Precision and recall", _classes(record, scores)),
        _section("Worst mistakes", _mistakes(record, worst)),
        _section("The data", _data(record)),
        _section("What was done", _done(record)),
    ]
    head = (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_text(title)}</title><style>{STYLE}</style>"
    )
    body = f"{_header(record, counts)}<main>{''.join(sections)}</main>"
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>{body}</body></html>\n'


def _text(value: object) -> str:
    """Return a value as text that is nothing but text on the page."""
    return escape(str(value), quote=True)


def _name(value: object) -> str:
    """Return a name from the user's folders; whatever its script, it does not turn the words around it."""
    return f"<bdi>{_text(value)}</bdi>"


def _section(title: str, content: str) -> str:
    return f"<section><h2>{_text(title)}</h2>{content}</section>\n"


def _header(record: Record, counts: NDArray[np.int64]) -> str:
    run = record.run
    right, count = int(np.trace(counts)), len(record.predictions)
    low, high = interval(right, count)
    commonest = share(int(counts.sum(axis=1).max(initial=0)), count)
    tiles = [
        (
            "accuracy",
            percent(share(right, count)),
            f"{right} of {count}; 95 % interval {100 * low:.0f} to {100 * high:.0f} %",
        ),
        (
            "always the commonest class",
            percent(commonest),
            f"what guessing would reach; {len(record.classes)} classes",
        ),
        (
            "log loss",
            _number(_result(run, "log_loss")),
            f"{math.log(max(len(record.classes), 1)):.3f} if it knew nothing",
        ),
        ("mistakes", str(count - right), f"of {count} validation pictures"),
    ]
    boxes = "".join(
        f'<div class="tile"><div class="label">{_text(label)}</div><div class="value">{_text(value)}</div>'
        f'<div class="note">{_text(note)}</div></div>'
        for label, value, note in tiles
    )
    strategy = _text(run.get("strategy", ""))
    why = f'<p class="lead">{_text(run["reason"])}</p>' if run.get("reason") else ""
    if run.get("failure"):
        why += f'<p class="wrong"><strong>It came to nothing.</strong> {_text(run["failure"])}</p>'
    return (
        f'<header><p class="kind">Fine-tuning report</p><h1>{_text(run.get("network", "model"))} '
        f'<span class="quiet">{strategy}</span></h1>{why}<div class="tiles">{boxes}</div></header>'
    )


def _result(run: Mapping[str, Any], name: str) -> object:
    return (run.get("result") or {}).get(name)


def _number(value: object) -> str:
    is_number = isinstance(value, (int, float)) and math.isfinite(value)
    return f"{value:.3f}" if is_number else "–"


def _curves(record: Record, scene: Scene | None) -> str:
    if scene is None:
        return f"<p>One epoch, or fitted in one go: there is no curve to draw.</p>{_steps(record)}"
    idle = [phase for phase in record.phases if phase.kept is None]
    notes = [
        f"Phase {_name(phase.name)}: no epoch was better than its start, so the weights stayed as they were."
        for phase in idle
    ]
    if len(idle) < len(record.phases):
        notes.insert(0, "A ring marks the epoch of each phase whose weights were kept.")
    caption = f"<figcaption>{' '.join(notes)}</figcaption>"
    return f'<figure><div class="curves wide">{svg(scene)}</div>{caption}</figure>'


def _steps(record: Record) -> str:
    """Return as a table what there are too few epochs of to draw."""
    rows = [
        (
            _name(one.phase),
            *map(_number, (one.loss, one.val_loss)),
            *map(percent, (one.accuracy, one.val_accuracy)),
        )
        for one in record.history
    ]
    head = ("phase", "training loss", "validation loss", "training accuracy", "validation accuracy")
    return _table(head, rows, numbers=4) if rows else ""


def _confusion(record: Record, counts: NDArray[np.int64], scene: Scene | None) -> str:
    drawing = "" if scene is None else svg(scene)
    note = "Each row is a class that was shown, each column what it was named. The diagonal is right."
    if len(record.classes) > LABELLED:
        note += " Classes stand in the order of the table below; point at a cell to read its names."
    pairs = confused_pairs(counts, _PAIRS)
    totals = counts.sum(axis=1)
    rows = [
        (
            _name(record.classes[shown]),
            _name(record.classes[named]),
            f"{times}",
            percent(times / totals[shown]),
        )
        for shown, named, times in pairs
    ]
    table = _table(("shown", "named as", "times", "of the shown"), rows, numbers=2) if rows else ""
    listed = f"<div><h3>Most often confused</h3>{table}</div>" if rows else "<p>Nothing was confused.</p>"
    return f'<div class="beside"><figure>{drawing}<figcaption>{note}</figcaption></figure>{listed}</div>'


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: int = 0) -> str:
    """Return a table; cells are HTML, the last ``numbers`` columns stand to the right."""
    first = len(head) - numbers

    def cells(kind: str, row: Sequence[str]) -> str:
        number = ' class="number"'
        return "".join(
            f"<{kind}{number if place >= first else ''}>{cell}</{kind}>" for place, cell in enumerate(row)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    titles = cells("th", [_text(title) for title in head])
    return f'<div class="wide"><table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>'


def _classes(record: Record, scores: Sequence[ClassScore]) -> str:
    rows = [
        (
            _name(name),
            _bar(score.precision, "precision"),
            _bar(score.recall, "recall"),
            _number(score.f1),
            str(score.right),
            str(score.pictures),
            str(score.named),
        )
        for name, score in zip(record.classes, scores, strict=True)
    ]
    note = (
        "<p>Precision: of the pictures named so, the share that are. "
        "Recall: of the pictures that are, the share that were named so.</p>"
    )
    return note + _table(
        ("class", "precision", "recall", "F1", "right", "pictures", "named so"), rows, numbers=4
    )


def _bar(value: float, colour: str) -> str:
    width = 100 * value if math.isfinite(value) else 0
    return (
        f'<span class="bar"><span class="back-{colour}" style="width:{width:.1f}%"></span></span>'
        f'<span class="beside-bar">{percent(value)}</span>'
    )


def _mistakes(record: Record, worst: Worst) -> str:
    if not worst:
        return "<p>None: every validation picture was named rightly.</p>"
    count = len(record.mistakes)
    shown = f"All {count}" if count == len(worst) else f"The {len(worst)} worst of {count}"
    note = f"<p>{shown}, by how little probability the right class was given.</p>"
    return (
        f'{note}<div class="sheet">{"".join(_mistake(record, one, picture) for one, picture in worst)}</div>'
    )


def _mistake(record: Record, one: Prediction, picture: Picture | None) -> str:
    named, shown = record.classes[one.predicted], record.classes[one.label]
    image = '<span class="quiet">no picture</span>'
    if picture is not None:
        image = f'<img alt="" src="data:image/jpeg;base64,{_jpeg(picture)}">'
    file = Path(one.file)
    short = "/".join(file.parts[-2:])  # the folder is most often the class
    return (
        f'<figure class="mistake"><div class="photo">{image}</div><figcaption>'
        f'<div class="wrong">{_name(named)} {_share(one.probabilities[one.predicted])}</div>'
        f"<div>is {_name(shown)} {_share(one.probabilities[one.label])}</div>"
        f'<div class="file" title="{_text(one.file)}">{_name(short)}</div></figcaption></figure>'
    )


def _share(probability: float) -> str:
    return f'<span class="share">({percent(probability)})</span>'


def _jpeg(picture: Picture) -> str:
    """Return a thumbnail, sharp on fine screens, as base64 text."""
    from PIL import Image, ImageOps

    file = BytesIO()
    side = round(1.6 * TILE)
    ImageOps.contain(Image.fromarray(picture), (side, side)).save(file, "JPEG", quality=82)
    return base64.b64encode(file.getvalue()).decode("ascii")


def _data(record: Record) -> str:
    data = record.run.get("data") or {}
    problems = data.get("report") or []
    learned, checked = data.get("train", "–"), data.get("valid", len(record.predictions))
    counted = f"{learned} pictures to learn from, {checked} to check on."
    if not problems:
        return f"<p>{_text(counted)} Nothing was wrong with any of them.</p>"
    rows = [
        (_name(one.get("file", "")), _text(one.get("problem", "")), _used(one))
        for one in problems[:_PROBLEMS]
    ]
    left = len(problems) - len(rows)
    more = f"<p>{left} more are in run.json.</p>" if left else ""
    return f"<p>{_text(counted)} Of note:</p>{_table(('file', 'what was found', ''), rows)}{more}"


def _used(problem: Mapping[str, Any]) -> str:
    if "used" not in problem:
        return ""
    return "used" if problem["used"] else '<span class="wrong">left out</span>'


def _done(record: Record) -> str:
    run = record.run
    weights = run.get("weights") or {}
    facts = {
        "network": run.get("network"),
        "weights": weights.get("id") or "none: random",
        "SHA-256 of the weights": weights.get("sha256"),
        "strategy": run.get("strategy"),
        "input": " × ".join(map(str, run.get("input") or ())),
        "preprocessing": run.get("preprocessing"),
        "fit of pictures": run.get("fit"),
        "data format": run.get("data_format"),
        "seed": run.get("seed"),
        "status": run.get("status"),
        "time": _duration(run.get("seconds")),
    }
    settings = {
        name: value
        for name, value in (run.get("arguments") or {}).items()
        if name not in {*facts, "name"}  # which is the network's
    }
    use = f"zoo predict {quote(record.folder.name)} picture.jpg"
    return (
        f"{_phases(record)}{_listed(facts)}<h3>Settings</h3>{_listed(settings)}"
        f"<p>To use the model:</p><pre>{_text(use)}</pre>"
    )


def _listed(facts: Mapping[str, object]) -> str:
    rows = "".join(
        f'<dt>{_text(name.replace("_", " "))}</dt><dd><span class="wrap">{_text(_said(value))}</span></dd>'
        for name, value in facts.items()
        if value not in (None, "", [], {})
    )
    return f"<dl>{rows}</dl>"


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


def _phases(record: Record) -> str:
    phases = record.run.get("phases") or []
    rows = [
        (
            _text(phase.get("name", number)),
            _frozen(phase.get("frozen")),
            _text(phase.get("epochs", "")),
            _text(phase.get("best_epoch", "") or "none" if "best_epoch" in phase else "–"),
            _text(_said(phase.get("learning_rate") or "–")),
            _text(_seconds(record, phase.get("name"))),
        )
        for number, phase in enumerate(phases, 1)
    ]
    head = ("phase", "frozen", "epochs", "kept", "learning rate", "time")
    return _table(head, rows, numbers=4) if rows else ""


def _frozen(layers: object) -> str:
    """Return which layers stayed as they were: a word for all, or the first, the last and how many."""
    if not isinstance(layers, list):
        return _text(layers or "nothing")
    if len(layers) < 3:
        return ", ".join(map(_name, layers)) or "nothing"
    names = _text("\n".join(map(str, layers)))
    return f'<span title="{names}">{len(layers)} layers, {_name(layers[0])} to {_name(layers[-1])}</span>'


def _seconds(record: Record, phase: object) -> str:
    seconds = [one.seconds for one in record.history if one.phase == phase and math.isfinite(one.seconds)]
    return _duration(sum(seconds)) if seconds else "–"
