"""Practice values of every network carry enough of an image that a new head learns from them."""

from __future__ import annotations

import pytest

from tests.support.long import long_but
from zoo import finetuning
from zoo.practice import values
from zoo.practice.digits import digits
from zoo.practice.files import write
from zoo.registry import load_registry

NETWORKS = load_registry(overlays=()).architectures
CHANCE = 0.1

EPOCHS = 10
LONGER = {"inception_v4": 40}
"""Of 40 digits 12 are right after 10 epochs, three times as many as by chance and no more, while the loss
still falls; after 40 epochs 15 are."""
BY_HEART = {"mobilenet_v2", "efficientnet", "efficientnet_v2"}
"""Families behind whose drawn values images differ, but digits are not alike: of those that were not shown
some networks tell 5 of 40, and others 21. They are asked for those that were."""


@pytest.mark.parametrize("name", long_but((), NETWORKS))
def test_new_head_learns_digits(name, tmp_path):
    """From a hundred digits it learns to tell forty others far better than chance, or these by heart."""
    network, path = NETWORKS[name], tmp_path / "published.h5"
    write(next(file for file in network.weights if file.top), network, path)
    pictures, labels = digits(140)
    asked = slice(100) if network.family in BY_HEART else slice(100, 140)
    result = finetuning.finetune(
        name,
        train=(pictures[:100], labels[:100]),
        valid=(pictures[asked], labels[asked]),
        strategy="head",
        weights=path,
        preprocessing=values.recipe(network),
        input_size=max(64, network.input.min_size),
        augmentation=False,
        epochs=LONGER.get(name, EPOCHS),
        out=tmp_path / "run",
    )
    path.unlink()  # all together they are tens of gigabytes
    assert result.failure is None
    assert result.accuracy > 3 * CHANCE
