"""The page of a report as a browser shows it: on a phone, on a tablet and on a wide screen, light and dark.

These tests need Chromium and are run by `make test-browser`, not with the others.
"""

from __future__ import annotations

import csv
import json
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.browser.devtools import Page, browser
from zoo.finetuning.report import write_report

WIDTHS = (360, 768, 1280)
PROBE = Path(__file__).with_name("probe.js").read_text("utf-8")

OPENED = "document.querySelectorAll('details').forEach(one => one.open = true)"

CLASSES = {
    "two": ["cat", "dog"],
    "long": [
        f"{word}_of_the_{word}_kind_with_a_name_that_goes_on_and_on" for word in ("red", "blue", "green")
    ]
    + ["W" * 60, "Siamese cat, sitting on a rather long wooden bench in the afternoon sun"],
    "ten": [f"class {number}" for number in range(10)],
    "forty": [f"practice_class_{number:04d}" for number in range(40)],
    "hundred": [f"practice_class_{number:04d}" for number in range(100)],
    "scripts": ["猫が椅子の上で静かに眠っている写真", "Ωκεανός", "собака", "कुत्ता", "👩‍👩‍👧‍👦" * 6, "é" * 30],
    "right-to-left": ["قطة نائمة على الكرسي", "כלב (גדול)", "cat"],
    "markup": ['<script>alert("x")</script>', "<b>bold</b> & 'co'", "a&amp;b"],
}


def write_run(folder: Path, classes: list[str]) -> Path:
    """Write a run folder: 12 epochs in two phases, four predictions a class, a third of them wrong."""
    rng = random.Random(1)
    folder.mkdir()
    phases = [
        {"name": name, "epochs": 6, "best_epoch": 5, "learning_rate": 0.001, "frozen": frozen}
        for name, frozen in (("pretrain", [f"layer_{place}" for place in range(300)]), ("finetune", []))
    ]
    problem = {
        "file": "photos/a_folder_with_a_long_name/" + "x" * 80 + ".png",
        "problem": "torn",
        "used": False,
    }
    run = {
        **{
            "format": 1,
            "network": "inception_v3",
            "strategy": "freeze-pretrain-finetune",
            "classes": classes,
        },
        "reason": "a few hundred images",
        "weights": {"id": "inception_v3-tf-fchollet", "sha256": "0123456789abcdef" * 4},
        **{
            "input": [299, 299, 3],
            "preprocessing": "inception",
            "seed": 7,
            "seconds": 83.4,
            "phases": phases,
        },
        "arguments": {"data": "/home/somebody/photos/" + "folder/" * 20},
        "data": {"train": 200, "valid": 4 * len(classes), "report": [problem]},
        "result": {"log_loss": 0.8766},
    }
    (folder / "run.json").write_text(json.dumps(run), "utf-8")
    header = ["phase", "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds"]
    history = [
        [
            phases[epoch // 6]["name"],
            epoch % 6 + 1,
            2 / (epoch + 1),
            epoch / 12,
            2.5 / (epoch + 1),
            epoch / 13,
            0.001,
            2,
        ]
        for epoch in range(12)
    ]
    _write_csv(folder / "history.csv", [header, *history])
    Image.new("RGB", (60, 40), (120, 90, 60)).save(folder / "a.png")
    rows = [_prediction(folder, classes, number, rng) for number in range(4 * len(classes))]
    _write_csv(folder / "predictions.csv", [["file", "label", "predicted", *classes], *rows])
    return folder


def _prediction(folder: Path, classes: list[str], number: int, rng: random.Random) -> list[Any]:
    label = number % len(classes)
    predicted = rng.randrange(len(classes)) if number % 3 == 0 else label
    shares = [0.5 / len(classes)] * len(classes)
    shares[predicted] += 0.5
    file = folder / "a.png" if number % 2 else f"{classes[label]}/picture-{number}.jpg"
    return [str(file), classes[label], classes[predicted], *shares]


def _write_csv(path: Path, rows: list[list[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Return a page of a browser."""
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the page of a report for each set of classes."""
    folder = tmp_path_factory.mktemp("runs")
    return {name: write_report(write_run(folder / name, classes)) for name, classes in CLASSES.items()}


def shown(page: Page, path: Path, *, width: int, dark: bool = False) -> dict[str, Any]:
    """Open a page, unfold all of it and return what is to be said of its texts."""
    page.open(path, width=width, dark=dark)
    page.evaluate(OPENED)
    return dict(page.evaluate(PROBE))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", CLASSES)
def test_everything_can_be_read(page: Page, reports: dict[str, Path], tmp_path: Path, name: str, width: int):
    """The page does not scroll sideways, no text is cut, tiny, pale or on top of another."""
    for dark in (False, True) if width == WIDTHS[-1] else (False,):
        found = shown(page, reports[name], width=width, dark=dark)
        # A whole page takes a second to draw; pytest keeps the folder of a test that fails, and names it.
        is_well = found["overflow"] <= 0 and not found["problems"]
        picture = reports[name] if is_well else page.screenshot(tmp_path / f"{name}.png")
        assert found["width"] == width
        assert found["texts"] > 50
        assert (found["overflow"], found["problems"]) == (0, []), picture


def test_a_phone_can_be_pictured(page: Page, reports: dict[str, Path], tmp_path: Path):
    """The whole page, down to its end, which is what is kept where something cannot be read."""
    page.open(reports["long"], width=WIDTHS[0])
    height = page.evaluate("document.documentElement.scrollHeight")
    with Image.open(page.screenshot(tmp_path / "phone.png")) as picture:
        assert picture.size == (WIDTHS[0], height)
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 100


BROKEN = {
    "text beside its part": ("h1 {width: 90px; overflow: hidden; white-space: nowrap}", "beside its part"),
    "text below its part": (".lead {height: 10px; overflow: hidden}", "above or below"),
    "text beside the page": (".lead {white-space: nowrap; margin-left: 300px}", "beside the page"),
    "text beside a drawing": ("svg {overflow: hidden} svg text {translate: 100px}", "beside its part"),
    "a part that hides what is wide": (".wide {overflow-x: hidden}", "beside its part"),
    "a line on another": ("h1 {margin-bottom: -40px}", "on each other"),
    "a label of a drawing on another": ("svg text {font-size: 40px !important}", "on each other"),
    "pale text": (".tile .note {color: #aaa}", "contrast 2."),
    "pale text of a drawing": ("svg text {fill: #999 !important}", "contrast 2."),
    "pale background": (".matrix tbody td {background: #444 !important}", "contrast 1."),
    "transparent text": (".tile {opacity: .4}", "contrast 2."),
    "small text": (".tile .note {font-size: 7px}", "small"),
    "hidden text": (".lead {visibility: hidden}", "not shown"),
    "text that is not there": (".lead {display: none}", "not shown"),
}
"""A style that breaks a page, and how the first of the problems begins that are to be found."""


@pytest.mark.parametrize("how", BROKEN)
def test_what_cannot_be_read_is_found(page: Page, reports: dict[str, Path], how: str):
    """Each kind of problem, on a page that has it."""
    style, expected = BROKEN[how]
    page.open(reports["two"], width=WIDTHS[0])
    page.evaluate(
        f"document.head.append(Object.assign(document.createElement('style'), {{textContent: {style!r}}}))"
    )
    page.evaluate(OPENED)
    kinds = [kind for kind, *_ in page.evaluate(PROBE)["problems"]]
    assert any(kind.startswith(expected) for kind in kinds), kinds


def test_a_part_that_no_key_scrolls_is_found(page: Page, reports: dict[str, Path]):
    """Whoever has no mouse would not see all of it."""
    page.open(reports["ten"], width=WIDTHS[0])
    page.evaluate(OPENED)
    page.evaluate("document.querySelectorAll('[tabindex]').forEach(one => one.removeAttribute('tabindex'))")
    assert {kind for kind, *_ in page.evaluate(PROBE)["problems"]} == {"in a part that no key scrolls"}


def test_a_page_that_scrolls_sideways_is_found(page: Page, reports: dict[str, Path]):
    """By something without a text too."""
    page.open(reports["two"], width=WIDTHS[-1])
    page.evaluate("document.querySelector('.tiles').style.width = '2000px'")
    assert page.evaluate(PROBE)["overflow"] > 0


@pytest.mark.parametrize("name", CLASSES)
def test_names_of_classes_are_given_whole(page: Page, reports: dict[str, Path], name: str):
    """Each class is named in the table of scores, letter for letter."""
    page.open(reports[name], width=360)
    scores = (
        "[...document.querySelectorAll('table')].find(one => one.caption.innerText == 'Scores of each class')"
    )
    named = page.evaluate(f"[...{scores}.querySelectorAll('th[scope=row]')].map(one => one.textContent)")
    assert named == CLASSES[name]


@pytest.mark.parametrize("width", WIDTHS)
def test_keyboard_reaches_everything_that_moves(page: Page, reports: dict[str, Path], width: int):
    """Tab goes through all that scrolls or opens, in its order, and each shows that it has the focus."""
    page.open(reports["ten"], width=width)
    expected = [
        "The numbers of each epoch",
        "Loss and accuracy after each epoch",
        "Confusion matrix",
        "Most often confused",
        "Precision and recall of each class",
        "Files of note",
        "Phases of the training",
        "Layers frozen in phase pretrain",
        "Command that uses the model",
    ]
    page.evaluate(OPENED)
    told = "[one.ariaLabel ?? one.innerText, style.outlineStyle, style.outlineWidth]"
    focused = f"((one, style) => {told})(document.activeElement, getComputedStyle(document.activeElement))"
    for name in expected:
        page.press("Tab")
        assert page.evaluate(focused) == [name, "solid", "2px"]
    assert page.evaluate("document.querySelectorAll('summary, [tabindex], a, button').length") == len(
        expected
    )


def test_keyboard_opens_and_scrolls(page: Page, reports: dict[str, Path]):
    """Enter opens what is folded, and an arrow key moves the part that is wider than a phone."""
    page.open(reports["ten"], width=360)
    page.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "The numbers of each epoch"
    page.press("Enter")
    assert page.evaluate("document.activeElement.parentElement.open") is True
    page.press("Tab")
    page.press("ArrowRight")
    # A step is drawn over some frames.
    moved = "(async () => {let one = document.activeElement; for (let n = 0; n < 200 && !one.scrollLeft; n++)"
    moved += " await new Promise(requestAnimationFrame); return one.scrollLeft > 0})()"
    assert page.evaluate(moved) is True


def test_page_loads_nothing_and_runs_nothing(page: Page, reports: dict[str, Path]):
    """A class that is called like a script stays text, and nothing is asked for but what the page holds."""
    page.open(reports["markup"], width=768)
    assert page.evaluate("document.scripts.length") == 0
    loaded = page.evaluate("performance.getEntriesByType('resource').map(one => one.name)")
    assert [one for one in loaded if not one.startswith("data:")] == []
    assert page.evaluate("document.body.innerText").count('<script>alert("x")</script>') >= 3


def test_what_is_drawn_is_told(page: Page, reports: dict[str, Path]):
    """To those who cannot see it: names of drawings, regions, images and tables."""
    page.open(reports["two"], width=768)
    tree = page.call("Accessibility.getFullAXTree")["nodes"]
    named: dict[str, list[str]] = {}
    for node in tree:
        if not node.get("ignored"):
            named.setdefault(node["role"]["value"], []).append(node.get("name", {}).get("value", ""))
    assert named["RootWebArea"] == ["inception_v3, freeze-pretrain-finetune"]
    assert all(name for role in ("image", "region", "table") for name in named[role])
    assert "Loss after each epoch, in training and in validation" in named["image"]
    assert {"cat", "dog"} <= set(named["rowheader"]) & set(named["columnheader"])
    assert math.isclose(len(named["heading"]), 7, abs_tol=1)
