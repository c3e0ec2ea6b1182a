"""The page of docs/ on what tf.keras saved, made by trying it: ``make tf-keras-table``."""

from __future__ import annotations

import tempfile
from collections import Counter
from functools import cache
from pathlib import Path

import keras
import tf_keras

from tests.tf_keras.models import MODELS, NETWORKS, NONE, OPERATIONS
from tests.tf_keras.outcomes import FORMS, made, of_keras, of_upgrade, saved

PAGE = Path(__file__).parents[2] / "docs" / "upgrading-tf-keras.md"
LISTED = {**MODELS, **OPERATIONS, **{name: [model] for name, model in NETWORKS.items()}}
OPENERS = {"Keras": of_keras, "zoo upgrade": of_upgrade}


@cache
def outcomes(name):
    """Return what came of the models of a class: outcomes by the form of the file and who opened it."""
    found = {(form, opener): [] for form in FORMS for opener in OPENERS}
    with tempfile.TemporaryDirectory() as folder:
        for number, model in enumerate(LISTED[name]):
            for built in made(model, number):
                for form in FORMS:
                    path = saved(built, form, Path(folder))
                    for opener, opened in OPENERS.items() if path else ():
                        found[form, opener].append(opened(path, built))
    return found


def row(name):
    """Return the line of a class."""
    cells = [_cell(outcomes(name)[form, opener]) for form in FORMS for opener in OPENERS]
    return " | ".join(["", f"`{name}`" if " " not in name else name, *cells, ""]).strip()


def _cell(found):
    """Return how many are right, and why the others are refused."""
    words = Counter(outcome.word for outcome in found)
    if not words:
        return "not saved by tf-keras"
    only = len(words) == 1
    parts = [word if only else f"{word} {words[word]}" for word in ("right", "wrong") if words[word]]
    reasons = dict.fromkeys(_brief(outcome.why) for outcome in found if outcome.word == "refused")
    if words["refused"]:
        start = "refused" if only else f"refused {words['refused']}"
        told = [reason for reason in reasons if reason]
        parts.append(f"{start}: {'; '.join(told)}" if told else start)
    return ", ".join(parts)


def _brief(why):
    """Return a reason without the layer's name; what Keras raises is not told."""
    return why.partition("): ")[2] if why.startswith("layer ") else ""


def totals():
    """Return the sentence that counts."""
    counts = {opener: Counter() for opener in OPENERS}
    for name in LISTED:
        for (_, opener), found in outcomes(name).items():
            counts[opener].update(outcome.word for outcome in found)
    number = sum(map(len, LISTED.values()))
    files = sum(counts["Keras"].values())
    told = [
        f"{_shown(who)}: "
        + ", ".join(f"{counts[who][word]} {word}" for word in ("right", "refused", "wrong"))
        for who in OPENERS
    ]
    return f"{number} models, saved as {files} files. {told[0]}. {told[1]}."


def _shown(who):
    return who if who == "Keras" else f"`{who}`"


def page():
    """Return the whole page."""
    head = _HEAD.format(tf_keras=tf_keras.__version__, keras=keras.__version__)
    without = "\n".join(f"- `{name}`: {why}" for name, why in NONE.items())
    return "\n".join(
        [
            head,
            *_lines("class", MODELS),
            "",
            _OPERATIONS,
            *_lines("operation", OPERATIONS),
            "",
            _NETWORKS,
            *_lines("model", NETWORKS),
            "",
            totals(),
            "",
            _NONE,
            without,
            "",
        ]
    )


def _lines(what, names):
    columns = [what, "`.h5`, Keras", "`.h5`, `zoo upgrade`", "`.keras`, Keras", "`.keras`, `zoo upgrade`"]
    return [f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}", *map(row, names)]


_HEAD = """# What tf.keras saved

`make tf-keras-table` makes this page: it builds models with tf-keras {tf_keras}, saves each as `.h5` and
as `.keras`, and opens both with Keras {keras}'s own loader and with [`zoo upgrade`](upgrading.md).
*Right* means outputs within 1e-5 of the largest, on random arrays and inputs; *wrong*, that the file opens
without a word and gives others. Models of layers one behind the other are saved as Sequential, not compiled,
and as Functional, compiled.

## Classes of layers
"""
_OPERATIONS = """## Operations

What is computed with results of layers becomes a layer of its own, `TFOpLambda` or `SlicingOpLambda`.
"""
_NETWORKS = """## Networks
"""
_NONE = """Classes of tf-keras' layers that are not listed:
"""


if __name__ == "__main__":
    PAGE.write_text(page())
