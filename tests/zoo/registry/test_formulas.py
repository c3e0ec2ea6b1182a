"""Recipes of preprocessing as they can be read, which compute what the registry says."""

from __future__ import annotations

import numpy as np
import pytest

import zoo
from zoo.registry import get_registry
from zoo.registry.formulas import formula

TORCH = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


@pytest.mark.parametrize(
    ("mean", "scale", "text"),
    [
        ([103.939, 116.779, 123.68], [1.0, 1.0, 1.0], "x - [103.939, 116.779, 123.68]"),
        ([103.94, 116.78, 123.68], [0.017] * 3, "(x - [103.94, 116.78, 123.68]) * 0.017"),
        ([127.5] * 3, [1 / 127.5] * 3, "x / 127.5 - 1"),
        (
            [255 * one for one in TORCH[0]],
            [1 / (255 * one) for one in TORCH[1]],
            "(x / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]",
        ),
        ([0.0] * 3, [1 / 255] * 3, "x / 255"),
        ([0.0] * 3, [2.0] * 3, "x * 2"),
        ([0.0] * 3, [1.0] * 3, "x as it is, from 0 to 255: any rescaling is inside the network"),
        ([0.0, 0.0, 0.1], [1 / 3, 1.0, 1.0], "(x - [0, 0, 0.1]) / [3, 1, 1]"),
        ([1 / 7] * 3, [1.0] * 3, "x - 0.14285714285714285"),
    ],
)
def test_a_recipe_is_written_as_people_do(mean: list[float], scale: list[float], text: str) -> None:
    """With the fewest digits that are exact."""
    assert formula(mean, scale) == text


@pytest.mark.parametrize("name", get_registry().preprocessing)
def test_a_formula_computes_what_the_registry_says(name: str) -> None:
    """To what a double holds."""
    recipe = get_registry().preprocessing[name]
    text = recipe.in_words.partition(", ")[2]
    lists = text.replace("[", "np.array([").replace("]", "])")
    image = np.linspace(0, 255, 60).reshape(-1, 3)
    found = image if text.startswith("x as it is") else eval(lists, {"x": image, "np": np})
    np.testing.assert_allclose(found, (image - recipe.mean) * recipe.scale, rtol=1e-12, atol=1e-10)


def test_a_recipe_is_shown_with_its_name() -> None:
    """And with the order of its channels."""
    assert zoo.spec("inception_v3").preprocessing.in_words == "inception: RGB, x / 127.5 - 1"
    told = str(zoo.spec("vgg16")).splitlines()
    assert "preprocessing  caffe: BGR, x - [103.939, 116.779, 123.68]" in told
