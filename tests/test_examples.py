"""Each tutorial runs without a network and learns: real digits, named far better than by guessing."""

from __future__ import annotations

import importlib.util
import re

import pytest

from tests.support.paths import ROOT

EXAMPLES = ROOT / "examples"


def _example(name):
    """Return a tutorial as a module."""
    specification = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("name", "chance", "at_least"),
    [
        pytest.param("cifar10", 0.1, 0.6, marks=pytest.mark.long),
        pytest.param("dogs_and_cats", 0.5, 0.8, marks=pytest.mark.long),
        pytest.param("drivers", 0.1, 0.4, marks=pytest.mark.long),
        pytest.param("svm_few_pictures", 0.1, 0.5, marks=pytest.mark.long),
    ],
)
def test_example_learns_offline(name, chance, at_least, tmp_path, capsys):
    """The accuracy that a tutorial prints is well above chance, and its run folder has a report."""
    out = tmp_path / "run"
    accuracy = _example(name).main(["--offline", "--out", str(out)])
    assert accuracy >= at_least > chance
    said = capsys.readouterr().out
    assert f"{accuracy:.1%}" in said
    assert f"guessing would reach {chance:.0%}" in said
    assert (out / "report.html").is_file()
    assert (out / "model.keras").is_file()


@pytest.mark.parametrize("name", ["dogs_and_cats", "drivers", "svm_few_pictures"])
def test_example_without_photos_says_what_it_needs(name, capsys):
    """Neither a folder nor ``--offline`` is wrong usage, and the message names both."""
    with pytest.raises(SystemExit) as raised:
        _example(name).main([])
    assert raised.value.code == 2
    assert "name a folder of photos, or say --offline" in capsys.readouterr().err


def test_every_example_is_tested_and_says_how_it_is_run():
    """A tutorial that is added has its test and begins with its commands."""
    names = sorted(path.stem for path in EXAMPLES.glob("*.py"))
    assert names == ["cifar10", "dogs_and_cats", "drivers", "svm_few_pictures"]
    for name in names:
        text = (EXAMPLES / f"{name}.py").read_text("utf-8")
        assert len(re.findall(rf"^    python examples/{name}\.py ", text, re.MULTILINE)) == 2
