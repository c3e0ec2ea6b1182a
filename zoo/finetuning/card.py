"""The card of a fine-tuned model: ``README.md`` beside it, in the form that hubs of models read.

All that is in it comes from ``run.json``: what the model was made from, of what, how, and how good it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from converters.errors import counted
from converters.limits import printable
from zoo.finetuning.arguments import factors_in_words
from zoo.finetuning.schedule import STRATEGIES
from zoo.networks.fitting import FIT_BEFORE
from zoo.networks.run_record import INCLUDED
from zoo.registry import get_registry
from zoo.storage import disk

NAME = "README.md"

_HUB_LICENCES = ("apache-2.0", "bsd-2-clause", "bsd-3-clause", "cc-by-4.0", "cc0-1.0", "mit", "bsd")
"""Of what hubs know, what the licences of weights begin with."""
_FEW = 30
"""Images of a class to train on, below which the card says that they are few."""
_FITS = {
    "crop": "the middle of an image is used",
    "pad": "an image is laid on black",
    "stretch": "an image is stretched, its aspect not kept",
}


def write_card(folder: Path, record: Mapping[str, Any]) -> Path:
    """Write the card of a model.

    Args:
        folder: Of the run.
        record: What ``run.json`` in it says.

    Returns:
        The path of the card.
    """
    path = folder / NAME
    disk.replace(path, card(record, folder.name).encode("utf-8", "replace"))
    return path


def card(record: Mapping[str, Any], name: str) -> str:
    """Return a card as Markdown with a head in YAML.

    Args:
        record: What ``run.json`` says.
        name: Of the run's folder.
    """
    title = f"# {_text(record['network'])} fine-tuned on {counted(len(record['classes']), 'class')}"
    parts = {
        "": _summary(record),
        "Use": _use(name),
        "Made from": _made_from(record),
        "Data": _data(record),
        "Training": _training(record),
        "Results": _results(record),
        "Limits": _bullets(_limits(record)),
    }
    sections = [f"## {heading}\n\n{text}" if heading else text for heading, text in parts.items()]
    return "\n\n".join([f"---\n{_head(record)}---", title, *sections]) + "\n"


def _head(record: Mapping[str, Any]) -> str:
    """Return what hubs read, in YAML."""
    import yaml

    licence = _licence(record)
    facts = {
        **hub_licence(licence),
        "library_name": "keras",
        "pipeline_tag": "image-classification",
        "base_model": record["network"],
        "tags": ["image-classification", "keras", "fine-tuned", record["network"]],
        "metrics": ["accuracy"],
    }
    return str(yaml.safe_dump(facts, sort_keys=False, allow_unicode=True))


def hub_licence(licence: str | None) -> dict[str, str]:
    """Return a licence in the words of hubs, with what they ask for where they do not know it.

    Examples:
        >>> from zoo.finetuning.card import hub_licence
        >>> hub_licence("MIT (trained by the author of Keras)")
        {'license': 'mit'}
        >>> hub_licence("unrestricted use")
        {'license': 'other', 'license_name': 'unrestricted use'}
        >>> hub_licence(None)
        {'license': 'unknown'}
    """
    if licence is None:
        return {"license": "unknown"}
    known = [one for one in _HUB_LICENCES if re.match(rf"{re.escape(one)}\b", licence.lower())]
    return {"license": known[0]} if known else {"license": "other", "license_name": licence}


def _licence(record: Mapping[str, Any]) -> str | None:
    return (record.get("weights") or {}).get("licence")


def _summary(record: Mapping[str, Any]) -> str:
    classes = ", ".join(_text(name) for name in record["classes"])
    told = f"An image classifier for: {classes}."
    if record.get("failure"):
        told += f"\n\n**Training came to nothing**: {_text(record['failure'])}."
    return told


def _use(name: str) -> str:
    return f'```python\nimport zoo\nzoo.predict({json.dumps(name)}, "picture.jpg")\n```'


def _made_from(record: Mapping[str, Any]) -> str:
    weights = record.get("weights") or {}
    network = get_registry().architectures.get(record["network"])
    paper = (
        None if network is None or network.paper is None else f"{network.paper.title}, {network.paper.url}"
    )
    return _rows(
        {
            "network": record["network"],
            "published in": paper,
            "weights": weights.get("id") or "not recorded",
            "SHA-256 of the weights": weights.get("sha256"),
            "licence of the weights": weights.get("licence") or "not known",
        }
    )


def _data(record: Mapping[str, Any]) -> str:
    data = record["data"]
    by_class = data.get("by_class")
    left_out = sum(not one["used"] for one in data["report"])
    told = f"{counted(data['train'], 'image')} to train on, {data['valid']} to validate with; "
    told += f"{left_out} {'was' if left_out == 1 else 'were'} left out."
    if by_class is None:
        return told
    lines = ["| class | to train on | to validate with |", "| --- | ---: | ---: |"]
    counts = zip(record["classes"], by_class["train"], by_class["valid"], strict=True)
    lines += [f"| {_text(name)} | {learned} | {held_out} |" for name, learned, held_out in counts]
    return "\n".join([told, "", *lines])


def _training(record: Mapping[str, Any]) -> str:
    height, width = record["input"][:2]
    recipe, strategy = record["preprocessing"], STRATEGIES.get(record["strategy"])
    inside = "done by the model itself, or not needed"
    factors = factors_in_words(record.get("asked", {}).get("learning_rate_factors"))
    phases = [
        f"{phase['name']}: {counted(phase['epochs'], 'epoch')},"
        f" learning rate {phase['learning_rate']:g}{factors}"
        for phase in record["phases"]
        if phase["learning_rate"] is not None
    ]
    return _rows(
        {
            "strategy": record["strategy"],
            "after": None if strategy is None else strategy.source,
            "phases": "; ".join(phases) or None,
            "images": f"{height} x {width} pixels; where the shape is another, "
            f"{_FITS[record.get('fit', FIT_BEFORE)]}",
            "preprocessing": inside if recipe == INCLUDED else recipe,
            "seed": record["seed"],
            "took": f"{record['seconds']:.0f} s",
        }
    )


def _results(record: Mapping[str, Any]) -> str:
    result = record["result"]
    return (
        f"On the validation images: accuracy {result['accuracy']:.1%}, log loss {result['log_loss']:.4f}. "
        "The report beside this file, `report.html`, has the confusion matrix."
    )


def _limits(record: Mapping[str, Any]) -> Iterable[str]:
    yield "It names one of its classes whatever an image shows, also where none of them is right."
    if any(phase.get("best_epoch") is not None for phase in record["phases"]):
        yield "The validation images chose the epoch that was kept: on others it may be less accurate."
    else:
        yield "The validation images come from the same collection: on others it may be less accurate."
    if record["strategy"] == "svm":
        yield "Its probabilities rank the classes, and are not calibrated."
    counts = (record["data"].get("by_class") or {}).get("train", ())
    few = [name for name, count in zip(record["classes"], counts, strict=False) if count < _FEW]
    if few:
        yield f"Trained on fewer than {_FEW} images each: {', '.join(_text(name) for name in few)}."
    if record.get("weights"):
        yield "What is true of the weights that it was made from, their licence too, is true of it."


def _rows(facts: Mapping[str, object]) -> str:
    return _bullets(f"{name}: {_text(value)}" for name, value in facts.items() if value is not None)


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _text(value: object) -> str:
    """Return a value as Markdown shows it, in a table too."""
    return re.sub(r"([\\`*_|<>\[\]])", r"\\\1", printable(str(value)))
