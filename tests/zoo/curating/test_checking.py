"""Everything that is wrong in a registry, each with its file, its line and its path."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command import Command
from zoo.registry.places import MOST_BYTES

SEVERAL = """\
architectures:
  vgg16:
    classes: 999
    weights:
      vgg16-th-gist: {layout: fh}
      vgg16-tf-top-v0.1: {bytes: -1, urls: ["http://files.example.org/a.h5"]}
      vgg16-new: {set: imagenet}
  vgg19:
    family: vgg20
  mine:
    title: Mine
preprocesing: {}
"""


def test_all_mistakes_are_told(zoo: Command, tmp_path: Path) -> None:
    """One line each; what is left of a network is looked at too."""
    file = tmp_path / "my.yaml"
    file.write_text(SEVERAL, "utf-8")
    code, out, err = zoo("registry", "check", file, "-q")
    assert (code, out) == (1, "")
    told = [line.removeprefix(f"zoo: {file}:") for line in err.splitlines()]
    start = "architectures.vgg16"
    assert told[:3] == [
        "12: preprocesing: is not a known key; did you mean preprocessing?",
        f"5: {start}.weights.vgg16-th-gist.layout: 'fh' is not one of th, tf",
        f"6: {start}.weights.vgg16-tf-top-v0.1.bytes: -1 is less than 1",
    ]
    assert told[3].startswith(f"7: {start}.weights.vgg16-new.")
    assert [line.partition(": ")[2].partition(": ")[0] for line in told[4:]] == [
        "architectures.vgg19.family",
        "architectures.mine.family",
        "architectures.vgg16.classes",
    ]
    assert json.loads(zoo("registry", "check", file, "--json")[1])["mistakes"] == [
        line.removeprefix("zoo: ") for line in err.splitlines()
    ]
    assert file.read_text("utf-8") == SEVERAL


def test_no_mistake(zoo: Command, tmp_path: Path) -> None:
    """What was read is named on standard error, and the exit code is 0."""
    code, out, err = zoo("registry", "check")
    assert (code, out) == (0, "")
    assert err.startswith("zoo: no mistakes in ")
    own = tmp_path / "zoo-home" / "registry.yaml"
    own.parent.mkdir()
    own.write_text("schema: 1\n", "utf-8")
    assert str(own) in zoo("registry", "check")[2]
    assert json.loads(zoo("registry", "check", "--json")[1])["mistakes"] == []


ONES = {
    "a builder that is not in the package": (
        "architectures: {vgg16: {family: mine}}\n",
        ":1: architectures.vgg16.family: 'mine' is not one of ",
    ),
    "a shape that does not fit the structure": (
        "architectures: {vgg16: {graphs: {published: {structures: [vgg16, vgg19]}}}}\n",
        ":1: architectures.vgg16.graphs.published.structures[1]: vgg19 has 19 weighted layers, but ",
    ),
    "a URL without https": (
        "architectures:\n  vgg16:\n    weights:\n      vgg16-th-gist: {urls: ['http://a.example/b']}\n",
        ":4: architectures.vgg16.weights.vgg16-th-gist.urls[0]: 'http://a.example/b' must ",
    ),
    "a path without a digest": (
        "architectures:\n  vgg16:\n    weights:\n      vgg16-th-gist: {path: /a.h5}\n",
        ":4: architectures.vgg16.weights.vgg16-th-gist.path: names a file that ",
    ),
    "names of classes beside an index": (
        "architectures: {vgg16: {class_names: [a]}}\n",
        ":1: architectures.vgg16.class_names: has no place beside the class index 'imagenet'",
    ),
    "names of other classes": (
        "architectures: {vgg16: {class_names: [a], class_index: null}}\n",
        ":1: architectures.vgg16.class_names: 1 name, but the architecture has 1,000 classes",
    ),
    "a graph of a whole model": (
        "architectures: {vgg16: {family: whole_model}}\n",
        "architectures.vgg16.graphs: has no place beside the family whole_model: the file has the graph",
    ),
    "no source": (
        "architectures: {vgg16: {weights: [{id: a, set: b, structure: vgg16, top: true, layout: th,"
        " kernels: th, dialect: keras1, filename: a.h5, bytes: null, digests: [], licence: a,"
        " source: b}]}}\n",
        ":1: architectures.vgg16.weights[0].urls: is missing",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", ONES)
def test_a_mistake_is_one_line(kind: str, zoo: Command, tmp_path: Path) -> None:
    """With file, line and path; the exit code is 1."""
    text, message = ONES[kind]
    file = tmp_path / "my.yaml"
    file.write_text(text, "utf-8")
    code, out, err = zoo("registry", "check", file, "-q")
    assert (code, out, err.count("\n")) == (1, "", 1)
    where = f"zoo: {file}{message}" if message.startswith(":") else message
    assert where in err


def test_a_file_of_100_megabytes_is_one_line(zoo: Command, tmp_path: Path) -> None:
    """It is not read."""
    file = tmp_path / "my.yaml"
    with file.open("wb") as stream:
        stream.truncate(100_000_000)
    reason = f"has 100,000,000 bytes; a registry of more than {MOST_BYTES:,} is not read"
    assert zoo("registry", "check", file, "-q") == (1, "", f"zoo: {file}: {reason}\n")
