"""Configurations in YAML: as ``to_yaml`` wrote them, or refused, and nothing in them is ever built."""

from __future__ import annotations

import json
import os

import pytest
import yaml

from tests.support.command import Command
from tests.support.paths import DIALECTS
from zoo.errors import FileFormatError
from zoo.networks.yaml_configs import json_of

SAMPLES = [
    f"{writer}/{sample}"
    for writer in ("keras107_theano_th", "keras122_theano_th", "keras205_theano_cf", "keras224_theano_cl")
    for sample in ("conv1d", "merge_two_inputs", "nested_model")
    if (DIALECTS / writer / f"{sample}.json").exists()
]


def tuples(value):
    """Return a configuration with tuples for its lists of sizes, as Keras itself had them."""
    if isinstance(value, dict):
        return {name: tuples(one) for name, one in value.items()}
    if isinstance(value, list):
        made = [tuples(one) for one in value]
        return tuple(made) if all(isinstance(one, int | None) for one in made) else made
    return value


@pytest.mark.parametrize("style", [None, True, False], ids=["leaves in brackets", "brackets", "lines"])
@pytest.mark.parametrize("sample", SAMPLES)
def test_what_keras_wrote_is_read_as_it_is(sample, style, tmp_path):
    """With PyYAML's tags for tuples, in each of its styles."""
    config = json.loads((DIALECTS / f"{sample}.json").read_text())
    path = tmp_path / "model.yaml"
    path.write_text(yaml.dump(tuples(config), default_flow_style=style))
    assert "!!python/tuple" in path.read_text()
    assert json.loads(json_of(path)) == config


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: !!python/unicode 'tensorflow'", {"a": "tensorflow"}),
        (
            "pool_size: &id001 !!python/tuple [2, 2]\nstrides: *id001",
            {"pool_size": [2, 2], "strides": [2, 2]},
        ),
        (
            "keras_version: 2.0.8\nlr: 0.001\nnone: null",
            {"keras_version": "2.0.8", "lr": 0.001, "none": None},
        ),
        ("name: 2016-08-09", {"name": "2016-08-09"}),
        ('function: "\\xE3\\x01\\0"', {"function": "\u00e3\x01\x00"}),
    ],
    ids=["Python 2", "an alias", "numbers", "a date", "code"],
)
def test_values(text, value, tmp_path):
    """A name that looks like a date is a name, and code is text."""
    path = tmp_path / "model.yaml"
    path.write_text(text)
    assert json.loads(json_of(path)) == value


HOSTILE = {
    "an object": (
        "a: !!python/object/apply:os.system ['true']",
        "its tag 'tag:yaml.org,2002:python/object/apply:os.system' is none of a configuration's",
    ),
    "a name": ("a: !!python/name:os.system ''", "its tag 'tag:yaml.org,2002:python/name:os.system' is none"),
    "a merge": ("a: &a {b: 1}\nc: {<<: *a}", "its tag 'tag:yaml.org,2002:merge' is none"),
    "itself": ("a: &a [*a]", "nothing is called 'a'"),
    "deep": ("a: " + "[" * 10_000, "it nests more than 64 deep (limit depth)"),
    "laughs": (
        "a0: &a0 [x, x]\n"
        + "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]\n" for n in range(12)),
        "it holds more than 4194304 values (limit header_bytes)",
    ),
    "a key twice": ("a: 1\na: 2", "its key 'a' is no text, or is there twice"),
    "a key of numbers": ("1: 2", "its key '1' is no text, or is there twice"),
    "two documents": ("a: 1\n---\nb: 2", "it holds 2 documents"),
    "nothing": ("", "it holds 0 documents"),
    "no YAML": ("a: [1", "while parsing a flow sequence"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_no_configuration_is_refused(case, tmp_path, capsys):
    """By the command, too: in one line, with code 1, and nothing is written."""
    text, message = HOSTILE[case]
    path = tmp_path / "model.yaml"
    path.write_text(text)
    with pytest.raises(FileFormatError) as error:
        json_of(path)
    assert str(error.value).startswith(f"{path}: is not read as YAML ({message}")
    assert "\n" not in str(error.value)
    code, out, errors = Command(capsys)("upgrade", path, tmp_path / "weights.h5")
    assert (code, out, errors) == (1, "", f"zoo: {error.value}\n")
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_no_file_is_not_waited_for(tmp_path):
    """A pipe that nobody writes into, and a name that is nobody's."""
    os.mkfifo(tmp_path / "pipe.yaml")
    for name, why in (("pipe.yaml", "not a regular file"), ("none.yaml", "no such file")):
        with pytest.raises(FileFormatError) as error:
            json_of(tmp_path / name)
        assert str(error.value) == f"{tmp_path / name}: {why}"


def test_a_text_beyond_the_limit_is_refused(tmp_path, monkeypatch):
    """Before it is read."""
    monkeypatch.setenv("ZOO_LIMITS", "header_bytes=10")
    path = tmp_path / "model.yaml"
    path.write_text("a: 123456789")
    with pytest.raises(FileFormatError) as error:
        json_of(path)
    assert str(error.value) == f"{path} is YAML of 12 bytes; more than 10 are not read (limit header_bytes)"


def test_a_model_is_upgraded_from_it(tmp_path, capsys):
    """Into the same file, byte for byte, as from JSON."""
    sample = DIALECTS / "keras224_theano_cl" / "conv1d"
    path, weights = tmp_path / "model.yaml", sample.with_suffix(".weights.h5")
    path.write_text(yaml.dump(tuples(json.loads(sample.with_suffix(".json").read_text())), sort_keys=False))
    run, made = Command(capsys), []
    for source in (path, sample.with_suffix(".json")):
        new = tmp_path / f"{source.suffix}.keras"
        code, _, _ = run("upgrade", source, weights, new)
        assert code == 0
        made.append(new.read_bytes())
    assert made[0] == made[1]
