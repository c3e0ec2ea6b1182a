"""The report says what the run's files say, in numbers that are counted here by hand, and trusts no name."""

from __future__ import annotations

import base64
import csv
import itertools
import json
import math
import re
import subprocess
import sys
from html.parser import HTMLParser
from io import BytesIO
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from zoo.errors import ArgumentError, FileFormatError
from zoo.extras import how_to_install
from zoo.finetuning.report import charts, write_report
from zoo.finetuning.report.numbers import class_scores, confused_pairs, confusion, interval
from zoo.finetuning.report.record import Epoch, Phase, Prediction, read_record
from zoo.finetuning.report.scene import (
    Box,
    Dot,
    Line,
    Photo,
    Scene,
    Words,
    svg,
    svg_file,
    text_width,
    wrapped,
)

NASTY = "<script>alert(\"x\")</script> & 'co'"
CLASSES = ["cat", NASTY, "dog"]
SHA256 = "0123456789abcdef" * 4

# label, predicted, probabilities: 3 cats (2 right), 2 nasties (1 right), no dog, but one image named dog.
PREDICTIONS = [
    (0, 0, (0.9, 0.05, 0.05)),
    (0, 0, (0.6, 0.3, 0.1)),
    (0, 1, (0.25, 0.7, 0.05)),
    (1, 1, (0.1, 0.8, 0.1)),
    (1, 2, (0.3, 0.125, 0.575)),
]
HEADER = ["phase", "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds"]
HISTORY = [
    ["dense", 1, 1.0, 0.5, 1.1, 0.4, 0.001, 2.0],
    ["dense", 2, 0.8, 0.6, 0.9, 0.6, 0.001, 1.5],
    ["everything", 1, 0.7, 0.7, 1.0, 0.6, 0.0001, 4.0],
]


def _write_csv(path, rows):
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        csv.writer(file).writerows(rows)


def _run(**changes):
    return {
        "format": 1,
        "network": "resnet50",
        "weights": {"id": "resnet50-tf-fchollet", "sha256": SHA256},
        "strategy": "freeze-pretrain-finetune",
        "reason": "a few hundred images",
        "classes": CLASSES,
        "input": [64, 48, 3],
        "preprocessing": "caffe",
        "data_format": "channels_last",
        "seed": 7,
        "arguments": {"batch_size": 16, "fused": False, "factors": ["head=10", "conv1=0.5"], "last": None},
        "phases": [
            {
                "name": "dense",
                "epochs": 2,
                "best_epoch": 2,
                "learning_rate": 0.001,
                "frozen": ["conv1", "conv2", "<conv3>"],
            },
            {
                "name": "everything",
                "epochs": 1,
                "best_epoch": 0,
                "learning_rate": 0.00010000000000000001,
                "frozen": [],
            },
        ],
        "data": {
            "train": 20,
            "valid": 5,
            "report": [{"file": "a<b>.png", "problem": "torn & cut", "used": False}],
        },
        "result": {"accuracy": 0.6, "loss": 0.9, "log_loss": 0.8766},
        "seconds": 83.4,
    } | changes


ALL = Phase(name="all", first=0, last=1, kept=0)


@pytest.fixture
def folder(tmp_path):
    """Return a run folder whose images are 40 x 20 PNGs, and the last one of which has no file."""
    run = tmp_path / "run1"
    run.mkdir()
    files = []
    for number in range(len(PREDICTIONS) - 1):
        files.append(str(tmp_path / f"image <{number}>.png"))
        Image.new("RGB", (40, 20), (200, 10 * number, 0)).save(files[-1])
    rows = [
        [file, CLASSES[label], CLASSES[predicted], *probabilities]
        for file, (label, predicted, probabilities) in zip([*files, "image 4"], PREDICTIONS, strict=True)
    ]
    (run / "run.json").write_text(json.dumps(_run()), "utf-8")
    _write_csv(run / "history.csv", [HEADER, *HISTORY])
    _write_csv(run / "predictions.csv", [["file", "label", "predicted", *CLASSES], *rows])
    return run


class Page(HTMLParser):
    """What a page holds: its tags with their attributes, its tables' cells, its text."""

    VOID = frozenset({"meta", "img"})

    def __init__(self, path):
        super().__init__()
        self.tags, self.tables, self.words, self.open = [], [], [], []
        self.feed(path.read_text("utf-8"))
        self.close()

    @property
    def text(self):
        """All its text, white space made even."""
        return " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        """Note a tag."""
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in {"td", "th"}:
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag, attrs):
        """Note a tag that closes itself, as SVG's do."""
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        """Insist that tags are closed in the order in which they were opened."""
        assert self.open.pop() == tag

    def handle_data(self, data):
        """Note text, but not the style sheet."""
        if self.open and self.open[-1] == "style":
            return
        self.words.append(data)
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data


def test_page_has_the_numbers_that_were_counted_by_hand(folder):
    """Accuracy, precision, recall, F1 and confusions are those of the five predictions."""
    page = Page(write_report(folder))
    assert page.open == []
    epochs, matrix, confused, classes, problems, phases = page.tables
    assert epochs == [
        ["phase", "epoch", "training loss", "validation loss", "training accuracy", "validation accuracy"],
        ["dense", "1", "1.000", "1.100", "50.0 %", "40.0 %"],
        ["dense", "2", "0.800", "0.900", "60.0 %", "60.0 %"],
        ["everything", "3", "0.700", "1.000", "70.0 %", "60.0 %"],
    ]
    assert matrix == [
        ["", "predicted class"],
        ["true class", "cat", NASTY, "dog"],
        ["cat", "2", "1", ""],
        [NASTY, "", "1", "1"],
        ["dog", "", "", ""],
    ]
    assert confused == [
        ["true class", "predicted class", "images", "of the true class"],
        ["cat", NASTY, "1", "33.3 %"],
        [NASTY, "dog", "1", "50.0 %"],
    ]
    assert classes == [
        ["class", "precision", "recall", "F1", "support", "correct", "predicted"],
        ["cat", "100.0 %", "66.7 %", "0.800", "3", "2", "2"],
        [NASTY, "50.0 %", "50.0 %", "0.500", "2", "1", "2"],
        ["dog", "0.0 %", "–", "0.000", "0", "0", "1"],
    ]
    assert problems == [["file", "what was found", "and then"], ["a<b>.png", "torn & cut", "left out"]]
    assert phases[1:] == [
        ["dense", "3 layers, conv1 to <conv3>", "2", "2", "0.001", "3.5 s"],
        ["everything", "nothing", "1", "none", "0.0001", "4.0 s"],
    ]
    assert "accuracy 60.0 % 3 of 5; 95 % interval 23 to 88 %" in page.text
    assert "always the commonest class 60.0 %" in page.text
    assert "log loss 0.877 1.099 if it knew nothing" in page.text


def test_page_says_what_was_done_and_with_which_weights(folder):
    """Network, weights and their digest, strategy and why, input, seed and arguments are on the page."""
    text = Page(write_report(folder)).text
    for said in (
        "resnet50 freeze-pretrain-finetune a few hundred images",
        "weights resnet50-tf-fchollet",
        f"SHA-256 of the weights {SHA256}",
        "input 64 × 48 × 3",
        "preprocessing caffe",
        "seed 7",
        "time 1 min 23 s",
        "Settings batch size 16 fused no factors head=10, conv1=0.5 To use",
        "20 images to learn from, 5 to check on.",
        "zoo predict run1 picture.jpg",
    ):
        assert said in text


def test_page_stands_alone_and_runs_nothing(folder):
    """No script, no link, nothing from elsewhere: the only addresses are the thumbnails' own bytes."""
    page = Page(write_report(folder))
    assert {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "a", "b"} == set()
    addresses = [value for _, attrs in page.tags for name, value in attrs.items() if name in {"src", "href"}]
    assert len(addresses) == 1
    assert all(address.startswith("data:image/jpeg;base64,") for address in addresses)
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert "url(" not in (folder / "report.html").read_text("utf-8")
    assert (
        "meta",
        {
            "http-equiv": "Content-Security-Policy",
            "content": "default-src 'none'; img-src data:; style-src 'unsafe-inline'",
        },
    ) in page.tags


def test_names_are_text_wherever_they_stand(folder):
    """A class called like a script is written out in full and is never markup."""
    html = write_report(folder).read_text("utf-8")
    assert "<script" not in html
    escaped = "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; &#x27;co&#x27;"
    for quote, spelling in (("&#34;", "&quot;"), ("&#39;", "&#x27;")):  # each may be written in two ways
        html = html.replace(quote, spelling)
    assert html.count(escaped) >= 4
    assert "image &lt;2&gt;.png" in html


def test_worst_mistakes_come_first_with_their_thumbnails(folder):
    """The image whose class was given least leads; one without a file says that there is none."""
    page = Page(write_report(folder))
    said = page.text[page.text.index("Worst mistakes") :]
    assert said.startswith(
        "Worst mistakes All 2, by how little probability the true class was given. "
        f"no image predicted dog (57.5 %) true class {NASTY} (12.5 %) image 4 "
        f"predicted {NASTY} (70.0 %) true class cat (25.0 %)"
    )
    [source] = [attrs["src"] for tag, attrs in page.tags if tag == "img"]
    with Image.open(BytesIO(base64.b64decode(source.partition(",")[2]))) as thumbnail:
        assert thumbnail.format == "JPEG"
        assert thumbnail.size == (230, 115)
        assert np.allclose(thumbnail.getpixel((100, 50)), (200, 20, 0), atol=6)


def test_pictures_without_a_file_are_asked_for(folder):
    """The caller's images fill the tiles of rows that name no file, and of no others."""
    asked = []

    def picture(row):
        asked.append(row)
        return np.full((30, 30, 3), (0, 0, 250), np.uint8)

    page = Page(write_report(folder, picture))
    assert asked == [4]
    assert "no image" not in page.text
    assert len([tag for tag, _ in page.tags if tag == "img"]) == 2


def test_picture_named_from_the_current_folder_keeps_its_shape(folder, tmp_path, monkeypatch):
    """A relative name is a file as well: its thumbnail is of the file, not of what the network got."""
    monkeypatch.chdir(tmp_path)
    row = ["image <0>.png", "cat", "dog", 0.1, 0.2, 0.7]
    _write_csv(folder / "predictions.csv", [["file", "label", "predicted", *CLASSES], row])
    page = Page(write_report(folder, lambda row: pytest.fail("there is a file")))
    [source] = [attrs["src"] for tag, attrs in page.tags if tag == "img"]
    with Image.open(BytesIO(base64.b64decode(source.partition(",")[2]))) as thumbnail:
        assert thumbnail.size == (230, 115)


def test_picture_that_cannot_be_read_any_more_gets_an_empty_tile(folder):
    """A file that was changed into rubbish after the run does not cost the report."""
    with (folder / "predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    with open(rows[3][0], "wb") as file:  # noqa: PTH123 - the name is a text
        file.write(b"rubbish")
    assert Page(write_report(folder)).text.count("no image") == 2


def _drawing(path):
    """Return an SVG file's tree; tags are bare."""
    drawing = ElementTree.fromstring(path.read_text("utf-8"))
    for one in drawing.iter():
        space, one.tag = one.tag.removeprefix("{").split("}")
        assert space == "http://www.w3.org/2000/svg"
    return drawing


def test_the_same_drawings_are_written_as_svg(folder):
    """Four SVGs of the sizes of the drawings, each on white paper and with every colour that it uses."""
    write_report(folder)
    sizes = {}
    for name in ("curves", "confusion", "classes", "mistakes"):
        drawing = _drawing(folder / f"{name}.svg")
        paper = drawing.find("rect").attrib
        sizes[name] = tuple(map(float, drawing.attrib["viewBox"].split()[2:]))
        assert sizes[name] == (float(paper["width"]), float(paper["height"]))
        style = drawing.findtext("style")
        assert ".fill-page{fill:#ffffff}" in style
        used = {one.attrib["class"] for one in drawing.iter() if "class" in one.attrib}
        assert len(used) >= 3
        assert all(f".{role}{{" in style for role in used)
    assert sizes["curves"] == (920, 304)
    assert sizes["classes"] == (840, 48 + 36 * 3)


def test_drawings_stand_alone_and_run_nothing(folder):
    """As the page: the only addresses are the thumbnails' own bytes, those of the mistakes in their order."""
    write_report(folder)
    drawings = list(folder.glob("*.svg"))
    assert {"curves.svg", "mistakes.svg"} < {path.name for path in drawings}
    for path in drawings:
        drawing = _drawing(path)
        assert {one.tag for one in drawing.iter()} <= {
            *("svg", "style", "rect", "title", "text", "polyline", "circle", "image")
        }
        addresses = [one.attrib["href"] for one in drawing.iter() if "href" in one.attrib]
        assert len(addresses) == (2 if path.name == "mistakes.svg" else 0)
        assert all(address.startswith("data:image/jpeg;base64,") for address in addresses)
        assert "url(" not in path.read_text("utf-8")


@pytest.mark.parametrize("name", ["a\x00b\x1b", "caf\udce9", "<![CDATA[ ]]>", "a\ufffe", "\N{PILE OF POO}"])
def test_drawing_of_any_name_is_well_formed(folder, name):
    """What XML has no room for is shown as a replacement character, all else as it is."""
    path = folder / "names.svg"
    scene = Scene(width=20, height=10, title=name)
    scene.add(Words(x=0, y=9, text=name), Box(x=0, y=0, width=1, height=1, colour="ink", title=name))
    path.write_text(svg_file(scene), "utf-8")
    drawing, shown = _drawing(path), re.sub("[\x00\x1b\udce9\ufffe]", "\N{REPLACEMENT CHARACTER}", name)
    assert (drawing.findtext("text"), drawing.attrib["aria-label"]) == (shown, shown)
    assert drawing.findtext(".//title") == shown


@pytest.mark.parametrize(("module", "library"), [("jinja2", "Jinja2"), ("PIL", "Pillow")])
def test_missing_library_is_named_before_anything_is_written(folder, monkeypatch, module, library):
    """The message says what installs it, and the folder is as it was."""
    before = sorted(folder.iterdir())
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ArgumentError) as caught:
        write_report(folder)
    assert str(caught.value) == (f"the report of a run needs {library}: {how_to_install('finetune')}")
    assert sorted(folder.iterdir()) == before


def test_what_writes_a_report_is_imported_when_one_is_written():
    """Whoever writes none imports neither what fills in the page nor what draws thumbnails."""
    code = (
        "import sys, zoo.finetuning.report;"
        " sys.exit(bool({'jinja2', 'markupsafe', 'PIL', 'keras'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_run_without_epochs_or_mistakes_says_so(folder):
    """One epoch and no mistake leave neither curve nor contact sheet to draw; older ones are removed."""
    write_report(folder)
    _write_csv(folder / "history.csv", [HEADER, ["svm", 1, 0.1, 1.0, 0.2, 1.0, "", 3.0]])
    rows = [["x", "cat", "cat", 1.0, 0.0, 0.0]]
    _write_csv(folder / "predictions.csv", [["file", "label", "predicted", *CLASSES], *rows])
    page = Page(write_report(folder))
    text = page.text
    assert "One epoch, or fitted in one go: there is no curve to draw." in text
    assert page.tables[0] == [
        ["phase", "epoch", "training loss", "validation loss", "training accuracy", "validation accuracy"],
        ["svm", "1", "0.100", "0.200", "100.0 %", "100.0 %"],
    ]
    assert "None: every validation image was correctly classified." in text
    assert "Nothing was confused." in text
    assert sorted(path.name for path in folder.glob("*.svg")) == ["classes.svg", "confusion.svg"]


def test_reader_gets_light_dark_and_paper(folder):
    """Every colour of the drawings is defined for light and dark screens, and paper is light."""
    html = write_report(folder).read_text("utf-8")
    style = html[html.index("<style>") : html.index("</style>")]
    used = set(re.findall(r'class="(?:fill|stroke|back)-(\w+)"', html))
    assert {"train", "valid", "right", "wrong", "precision", "recall", "ink"} <= used
    assert "@media (prefers-color-scheme:dark)" in style
    assert "@media print" in style
    for name in used:
        assert style.count(f"--{name}:") == 3


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("run.json", "[]", "holds no JSON object"),
        ("run.json", "{}", "has no 'classes'"),
        ("run.json", '{"classes": [1]}', "classes is not a list of names"),
        ("history.csv", "phase,loss\nx,1\n", "has no 'accuracy'"),
        ("history.csv", ",".join(HEADER) + "\nx,1,much,1,1,1,1,1\n", "line 2: 'much' is not a number"),
        ("history.csv", ",".join(HEADER) + "\nx,1\n", "line 2 has 2 columns, expected 8"),
        (
            "predictions.csv",
            "file,label,predicted,cat\n",
            "its columns are of 1 other class than the 3 of run.json",
        ),
    ],
)
def test_file_of_another_form_is_refused(folder, file, change, message):
    """The message names the file, the line and what is wrong with it."""
    (folder / file).write_text(change, "utf-8")
    with pytest.raises(FileFormatError) as raised:
        write_report(folder)
    assert str(raised.value) == f"{folder / file}: not as a run writes it: {message}"


def test_unknown_class_is_refused(folder):
    """A label that is no class of the run names its line."""
    row = ["x", "cow", "cat", 1.0, 0.0, 0.0]
    _write_csv(folder / "predictions.csv", [["file", "label", "predicted", *CLASSES], row])
    with pytest.raises(FileFormatError, match=r"line 2: no class is called 'cow'$"):
        write_report(folder)


@pytest.mark.parametrize("file", ["run.json", "history.csv", "predictions.csv"])
def test_missing_file_is_named(folder, file):
    """A folder that is no run folder is answered with what writes one."""
    (folder / file).unlink()
    with pytest.raises(ArgumentError) as raised:
        write_report(folder)
    expected = f"{folder / file}: is missing; `zoo finetune ... --out {folder}` writes it"
    assert str(raised.value) == expected


def test_file_names_that_are_not_text_survive(folder):
    """A name with a byte that is no UTF-8 is read as written, and shown as an escape."""
    row = ["caf\udce9.jpg", "cat", "dog", 0.1, 0.2, 0.7]
    _write_csv(folder / "predictions.csv", [["file", "label", "predicted", *CLASSES], row])
    problem = {"file": "nai\udcefve.jpg", "problem": "torn"}
    run = json.dumps(_run(data={"report": [problem]}), ensure_ascii=False)
    (folder / "run.json").write_text(run, "utf-8", errors="surrogateescape")
    assert read_record(folder).predictions[0].file == "caf\udce9.jpg"
    text = Page(write_report(folder)).text
    assert r"caf\udce9.jpg" in text
    assert r"nai\udcefve.jpg" in text


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=60))
def test_scores_are_what_counting_gives(pairs):
    """Counts and scores of any predictions are those of counting one class at a time."""
    labels, predicted = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    counts = confusion(labels, predicted, 4)
    assert counts.tolist() == [[pairs.count((shown, named)) for named in range(4)] for shown in range(4)]
    for number, score in enumerate(class_scores(counts)):
        correct = pairs.count((number, number))
        assert (score.correct, score.support, score.predicted) == (
            correct,
            labels.count(number),
            predicted.count(number),
        )
        for value, whole in ((score.recall, score.support), (score.precision, score.predicted)):
            assert value == correct / whole if whole else math.isnan(value)
    wrong = sum(times for _, _, times in confused_pairs(counts, 16))
    assert wrong == sum(shown != named for shown, named in pairs)


def test_interval_is_wilsons():
    """Nine of ten is 0.596 to 0.982, as Wilson's score interval has it; none of none is anything."""
    assert interval(9, 10) == pytest.approx((0.59585, 0.98212), abs=1e-5)
    assert interval(0, 10) == pytest.approx((0.0, 0.27753), abs=1e-5)
    assert interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("best", "rings", "said"),
    [
        ((1, 1), [0, 2], ""),
        ((2, 0), [1], "Phase everything : no epoch was better than its start"),
        ((None, None), [1, 2], ""),
    ],
)
def test_ring_is_at_the_epoch_that_was_kept(folder, best, rings, said):
    """What run.json says was kept is marked, whatever the losses; if it says nothing, the lowest loss."""
    phases = [{"name": "dense", "best_epoch": best[0]}, {"name": "everything", "best_epoch": best[1]}]
    (folder / "run.json").write_text(json.dumps(_run(phases=phases)), "utf-8")
    record = read_record(folder)
    assert [(phase.name, phase.first, phase.last) for phase in record.phases] == [
        ("dense", 0, 1),
        ("everything", 2, 2),
    ]
    assert [phase.kept for phase in record.phases if phase.kept is not None] == rings
    scene = charts.curves(record.history, record.phases)
    centres = [one for one in scene.shapes if isinstance(one, Dot) and one.colour == "page"]
    assert len(centres) == 2 * len(rings)
    text = Page(write_report(folder)).text
    assert "A ring marks the epoch of each phase whose weights were kept." in text
    assert ("no epoch was better" in text) == bool(said)
    assert said in text


def test_command_can_be_pasted(tmp_path, folder):
    """The name of a folder with spaces and quotes is quoted as a shell needs it."""
    other = folder.rename(tmp_path / "my run & 'more'")
    assert """zoo predict 'my run & '"'"'more'"'"'' picture.jpg""" in Page(write_report(other)).text


@pytest.mark.parametrize(
    ("seconds", "said"), [(12.34, "12.3 s"), (83.4, "1 min 23 s"), (4000.2, "1 h 6 min"), (math.nan, None)]
)
def test_time_is_told_in_two_units_at_most(folder, seconds, said):
    """Seconds, minutes or hours; a time that is no number is left out."""
    run = _run(seconds=seconds, phases=[], arguments={})
    (folder / "run.json").write_text(json.dumps(run), "utf-8")
    text = Page(write_report(folder)).text
    assert f"seed 7 time {said} Settings" in text if said else "seed 7 Settings" in text


def test_long_names_are_given_whole_with_their_shares():
    """Below a thumbnail a long name takes as many lines as it needs, and the drawing is as much higher."""
    one = Prediction(row=0, file="x", label=1, predicted=0, probabilities=(0.75, 0.25))
    scene = charts.contact_sheet([(one, charts.empty_tile())] * 7, ["a" * 60, "b" * 60])
    words = [shape for shape in scene.shapes if isinstance(shape, Words)]
    lines = words[: len(words) // 7]
    text = "".join(line.text for line in lines)
    assert text.replace(" ", "") == "predicted" + "a" * 60 + "(75.0%)trueclass" + "b" * 60 + "(25.0%)"
    assert all(text_width(line.text, line.size) <= charts.TILE for line in lines)
    assert [later.y - line.y for line, later in itertools.pairwise(lines)] == [15.0] * (len(lines) - 1)
    tiles = [shape for shape in scene.shapes if isinstance(shape, Photo)]
    assert tiles[6].y > lines[-1].y
    assert words[-1].y + 4 <= scene.height


def test_matrix_without_names_says_how_to_read_it(folder):
    """Beyond 40 classes the rows have no names; the page then says where these are."""
    classes = [f"class {number}" for number in range(41)]
    (folder / "run.json").write_text(json.dumps(_run(classes=classes)), "utf-8")
    rows = [["x", name, name, *[1 / 41] * 41] for name in classes]
    _write_csv(folder / "predictions.csv", [["file", "label", "predicted", *classes], *rows])
    text = Page(write_report(folder)).text
    assert (
        "Classes stand in the order of the table of precision and recall; point at a cell to read its names,"
        " or open the list below." in text
    )
    assert "All classes that were confused" not in text  # there are none


def _epoch(loss, phase="all"):
    return Epoch(phase=phase, loss=loss, accuracy=0.5, val_loss=loss, val_accuracy=0.5, seconds=1.0)


def test_curves_leave_out_what_was_not_measured():
    """A loss that is no number is a gap, not a point at an end of the plot, and not the end of the report."""
    scene = charts.curves([_epoch(2.0), _epoch(math.nan), _epoch(1.0)], [ALL])
    lines = [
        shape
        for shape in scene.shapes
        if isinstance(shape, Line) and shape.colour == "train" and shape.width == 2
    ]
    assert [len(line.points) for line in lines] == [2, 3]
    drawing = ElementTree.fromstring(svg(scene))
    assert drawing.attrib["role"] == "img"
    assert "nan" not in svg(scene)


@pytest.mark.parametrize("highest", [1e-9, 0.3, 0.7, 1.0, 2.3, 99.0, 12345.0])
def test_axes_reach_the_highest_value(highest):
    """Ticks start at 0, are evenly spaced, and the last is the first that reaches the value."""
    ticks = charts.curves([_epoch(highest), _epoch(highest)], [ALL])
    labels = [
        float(one.text)
        for one in ticks.shapes
        if isinstance(one, Words) and one.anchor == "end" and "%" not in one.text
    ]
    assert labels[0] == 0
    assert labels[-1] >= highest * (1 - 1e-4)
    assert labels[-2] < highest
    assert np.allclose(np.diff(labels), labels[1], rtol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 41, 300])
def test_matrix_fits_any_number_of_classes(count):
    """From one class to hundreds the cells stay inside the drawing, whose width has a bound."""
    counts = np.zeros((count, count), np.int64)
    counts[0, -1] = counts[-1, -1] = 12345
    scene = charts.confusion_matrix(
        counts, [f"a class with the long name {number}" for number in range(count)]
    )
    assert scene.width < 780
    cells = [shape for shape in scene.shapes if isinstance(shape, Box) and shape.title]
    assert [cell.colour for cell in cells] == (["right"] if count == 1 else ["wrong", "right"])
    assert all(cell.x + cell.width <= scene.width and cell.y + cell.height <= scene.height for cell in cells)
    ElementTree.fromstring(svg(scene))
    ElementTree.fromstring(svg_file(scene))


def test_svg_has_the_colours_where_they_were_put():
    """A box at half strength lets through half of the white below it; a dot is on top."""
    scene = Scene(width=20, height=10, title="a box")
    box = Box(x=0, y=0, width=10, height=10, colour="ink", strength=0.5)
    scene.add(box, Dot(x=5, y=5, radius=2, colour="wrong"))
    drawing = ElementTree.fromstring(svg_file(scene))
    shapes = [(one.tag.partition("}")[2], one.attrib) for one in list(drawing)[1:]]
    assert shapes == [
        ("rect", {"class": "fill-page", "width": "20", "height": "10"}),
        (
            "rect",
            {
                **{"class": "fill-ink", "x": "0.0", "y": "0.0", "width": "10.0", "height": "10.0"},
                "fill-opacity": "0.500",
            },
        ),
        ("circle", {"class": "fill-wrong", "cx": "5.0", "cy": "5.0", "r": "2"}),
    ]


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=80), st.floats(20, 200))
def test_wrapped_text_fits_and_loses_nothing(text, width):
    """A text that fits is one line; of a longer one, each line fits and all but blanks is there, in order."""
    lines = wrapped(text, 12, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(text_width(line, 12) <= width for line in lines)
    if text_width(text, 12) <= width:
        assert len(lines) == 1


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("tabby cat", ["tabby cat"]),
        ("Egyptian cat on a sofa", ["Egyptian cat", "on a sofa"]),
        ("practice_class_0007", ["practice_", "class_0007"]),
        ("x" * 20, ["x" * 14, "x" * 6]),
        ("猫" * 10, ["猫" * 8, "猫" * 2]),
        ("e\u0301" * 14, ["e\u0301" * 14]),
        ("", [""]),
    ],
)
def test_text_is_broken_between_words(text, lines):
    """Where a word ends, or where it must be; wide characters take more room, and accents none."""
    assert wrapped(text, 12, 100) == lines


def test_drawings_give_names_whole(folder):
    """In the files, too, no label is shortened and none lies beyond the edge."""
    classes = ["practice_class_" * 9, "W" * 40, "猫" * 40]
    (folder / "run.json").write_text(json.dumps(_run(classes=classes)), "utf-8")
    rows = [["x", classes[0], name, 0.5, 0.3, 0.2] for name in classes]
    _write_csv(folder / "predictions.csv", [["file", "label", "predicted", *classes], *rows])
    write_report(folder)
    for name in ("confusion", "classes", "mistakes"):
        drawing = _drawing(folder / f"{name}.svg")
        width, height = map(float, drawing.attrib["viewBox"].split()[2:])
        texts = [one for one in drawing.iter("text") if one.text]
        assert "…" not in "".join(one.text for one in texts)
        assert all(label in "".join(one.text for one in texts).replace(" ", "") for label in classes)
        for one in texts:
            wide = text_width(one.text, float(one.attrib["font-size"]))
            if "transform" in one.attrib:
                x, y = map(float, re.match(r"translate\((\S+) (\S+)\)", one.attrib["transform"]).groups())
                assert (x <= width, y - wide >= 0, y <= height) == (True, True, True)
                continue
            x, anchor = float(one.attrib["x"]), one.attrib["text-anchor"]
            left = x - {"start": 0, "middle": wide / 2, "end": wide}[anchor]
            assert (left >= 0, left + wide <= width, float(one.attrib["y"]) <= height) == (True, True, True)


def _style(folder):
    html = write_report(folder).read_text("utf-8")
    return html[html.index("<style>") : html.index("</style>")]


def _colours(style, place):
    """Return the colours of the page's ``place``-th set: light, dark, paper."""
    block = re.findall(r":root\{(?:color-scheme:[\w ]+;)?((?:--[\w-]+:#[0-9a-f]{6};)+)\}", style)[place]
    pairs = re.findall(r"--([\w-]+):#([0-9a-f]{6});", block)
    return {role: tuple(int(text[at : at + 2], 16) / 255 for at in (0, 2, 4)) for role, text in pairs}


def _contrast(one, other):
    """Return the contrast of two colours as WCAG 2.2 defines it."""

    def luminance(colour):
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("place", range(3), ids=["light", "dark", "paper"])
def test_colours_have_contrast(folder, place):
    """Text has 4.5 : 1 on what it stands on (WCAG AA), lines and bars 3 : 1; white on black has 21."""
    assert _contrast((1, 1, 1), (0, 0, 0)) == pytest.approx(21)
    colours = _colours(_style(folder), place)
    for text, ground in itertools.product(("ink", "quiet", "wrong", "right"), ("page", "card")):
        assert (text, ground, _contrast(colours[text], colours[ground]) >= 4.5) == (text, ground, True)
    for drawn in ("train", "valid", "precision", "recall"):
        assert (drawn, _contrast(colours[drawn], colours["page"]) >= 3) == (drawn, True)
    for cell, share in itertools.product(("right", "wrong"), (0.0, 0.5, 1.0)):
        part = charts.strength(share)
        ground = [part * a + (1 - part) * b for a, b in zip(colours[cell], colours["card"], strict=True)]
        assert (cell, share, _contrast(colours["ink"], ground) >= 4.5) == (cell, share, True)


def test_page_moves_nothing_and_cuts_nothing(folder):
    """Nothing is animated, so there is nothing to reduce; no rule of the style shortens a text."""
    style = _style(folder)
    for rule in ("animation", "transition", "scroll-behavior", "text-overflow", "line-clamp"):
        assert rule not in style
    assert ":focus-visible{outline:2px solid var(--valid)" in style


def test_tables_and_drawings_are_told_to_those_who_do_not_see_them(folder):
    """Tables have captions and scopes, drawings and scrolling parts names, images alternatives."""
    page = Page(write_report(folder))
    tags = [tag for tag, _ in page.tags]
    assert ("html", {"lang": "en"}) in page.tags
    assert tags.count("table") == tags.count("caption") == 6
    assert all("scope" in attrs for tag, attrs in page.tags if tag == "th")
    assert [attrs["aria-label"] for tag, attrs in page.tags if tag == "svg"] == [
        "Loss after each epoch, in training and in validation",
        "Accuracy after each epoch, in training and in validation",
    ]
    assert [attrs["alt"] for tag, attrs in page.tags if tag == "img"] == [
        "/".join((folder.parent / "image <2>.png").parts[-2:])
    ]
    scrolling = [
        attrs for _, attrs in page.tags if "wide" in attrs.get("class", "").split() or "tabindex" in attrs
    ]
    assert len(scrolling) == 7
    for attrs in scrolling:
        assert (attrs["role"], attrs["tabindex"], bool(attrs["aria-label"])) == ("region", "0", True)


def test_matrix_of_many_classes_can_be_read_as_a_list(folder):
    """Beyond 40 classes what was confused stands in a table that can be unfolded."""
    classes = [f"class {number}" for number in range(41)]
    (folder / "run.json").write_text(json.dumps(_run(classes=classes)), "utf-8")
    rows = [["x", name, classes[max(place - 1, 0)], *[1 / 41] * 41] for place, name in enumerate(classes)]
    _write_csv(folder / "predictions.csv", [["file", "label", "predicted", *classes], *rows])
    page = Page(write_report(folder))
    assert [attrs["aria-label"] for tag, attrs in page.tags if tag == "svg"][2:] == [
        "Confusion matrix of 41 classes: 1 of 41 images on the diagonal"
    ]
    _, confused, every, *_ = page.tables
    assert every[:9] == confused
    assert every[1:] == [[name, classes[place], "1", "100.0 %"] for place, name in enumerate(classes[1:])]
