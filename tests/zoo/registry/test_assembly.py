"""Tests of the quick look into structures; what does not fit together is tested in ``test_files.py``."""

from __future__ import annotations

import json

import pytest

from converters.planning.structure_files import OWN
from zoo.registry.assembly import _structure
from zoo.registry.fields import Mistake

STRUCTURES = sorted(path.stem for path in OWN.glob("*.json"))


@pytest.mark.parametrize("name", STRUCTURES)
def test_looking_for_one_layer_finds_what_parsing_finds(name: str) -> None:
    """Each layer with weights is found, those without are not."""
    structure = _structure(name, ())
    path = OWN / f"{name}.json"
    layers = json.loads(path.read_text(encoding="utf-8"))["layers"]
    weighted = [layer for layer in layers if layer.get("arrays")]
    assert structure.weighted() == weighted
    for layer in layers:
        assert structure.find(layer["name"]) == (layer if layer in weighted else None)


def test_a_part_of_a_name_is_no_layer() -> None:
    """``conv1`` of GoogLeNet is a prefix, not a layer."""
    structure = _structure("googlenet", ())
    assert structure.find("conv1") is None
    assert structure.find("7x7_s2") is None


def test_a_structure_that_does_not_exist() -> None:
    """The nearest one is named."""
    with pytest.raises(Mistake) as caught:
        _structure("vgg16_block", ("here",))
    assert str(caught.value) == "here: there is no structure 'vgg16_block'; did you mean vgg16_blocks?"
