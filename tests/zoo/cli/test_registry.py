"""``zoo show``: what it says of fields that no line of its own tells."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace

import pytest

from zoo.cli import registry
from zoo.registry import architecture
from zoo.registry.records import Architecture, Paper, WeightsFile


@dataclass(frozen=True, kw_only=True, slots=True)
class LaterPaper(Paper):
    """As it might be some day."""

    doi: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class LaterFile(WeightsFile):
    """As it might be some day."""

    trained_by: str = ""
    tags: tuple[str, ...] = ()
    epochs: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LaterArchitecture(Architecture):
    """As it might be some day."""

    tasks: tuple[str, ...] = ()


def widened(record: object, kind: type, **changes: object) -> object:
    """Return a record as one with further fields."""
    return kind(**{field.name: getattr(record, field.name) for field in fields(record)} | changes)


@pytest.fixture
def network() -> Architecture:
    """Return a network of which there is more to say."""
    vgg = architecture("vgg16")
    first, *others = vgg.weights
    file = widened(first, LaterFile, trained_by="Oxford", tags=("a", "b"), epochs=74)
    paper = widened(vgg.paper, LaterPaper, doi="10.48550/arXiv.1409.1556")
    return widened(vgg, LaterArchitecture, tasks=("ImageNet",), paper=paper, weights=(file, *others))


def test_every_field_of_a_network_is_shown(network: Architecture, capsys: pytest.CaptureFixture[str]) -> None:
    """A later one under its own name, behind the others, in the text and as JSON."""
    registry._show(network, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert "paper: doi       10.48550/arXiv.1409.1556" in lines
    assert "tasks            ImageNet" in lines
    words = [line.split() for line in lines]
    assert all(
        line in words for line in (["trained", "by", "Oxford"], ["tags", "a"], ["b"], ["epochs", "74"])
    )
    registry._show(network, as_json=True)
    shown = json.loads(capsys.readouterr().out)
    assert (shown["tasks"], shown["paper"]["doi"]) == (["ImageNet"], "10.48550/arXiv.1409.1556")
    assert shown["weights"][0]["tags"] == ["a", "b"]


def test_a_field_as_it_is_where_it_is_left_out_takes_no_line(
    network: Architecture, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a registry says now is shown as before."""
    registry._show(architecture("vgg16"), as_json=False)
    before = capsys.readouterr().out
    first, *others = architecture("vgg16").weights
    weights = (widened(first, LaterFile), *others)
    paper = widened(network.paper, LaterPaper, doi="")
    registry._show(replace(network, tasks=(), paper=paper, weights=weights), as_json=False)
    assert capsys.readouterr().out == before
